# SPDX-License-Identifier: Apache-2.0
"""How a refresh ended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_mstr.rest.endpoints.data_models import TableRefresh
from airflow_provider_mstr.rest.errors import InvalidHandle, MstrError
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy


@dataclass(frozen=True, slots=True)
class TableResult:
    """How one table's part of a refresh ended.

    :param seconds: from the start to the moment the table was first seen ended; None if it never was
    """

    id: str
    name: str
    policy: RefreshPolicy
    state: State
    seconds: float | None


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """How a refresh ended, and the error that ended it, if one did.

    :param kind: the kind of object, such as ``data_model``
    :param object_id: the object's id
    :param state: finished, failed, unknown, or running if the wait was given up
    :param tables_confirmed: whether the server reported each table loaded
    :param seconds: from the start to the moment its end was seen
    :param error: why it is no success
    :param name: the object's name; its id if the name is not known
    :param project: the project's name; its id if the name is not known
    :param cube_id: the id of the cube that was loaded
    """

    kind: str
    project_id: str
    object_id: str
    state: State
    tables_confirmed: bool
    seconds: float
    tables: tuple[TableResult, ...]
    error: MstrError | None = None
    name: str = ""
    project: str = ""
    cube_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON, without its error."""
        return {
            "kind": self.kind,
            "project_id": self.project_id,
            "project": self.project,
            f"{self.kind}_id": self.object_id,
            "name": self.name,
            "state": str(self.state),
            "tables_confirmed": self.tables_confirmed,
            "seconds": round(self.seconds, 1),
            "tables": [
                table_json(table)
                | {
                    "state": str(table.state),
                    "seconds": None if table.seconds is None else round(table.seconds, 1),
                }
                for table in self.tables
            ],
        } | ({"cube_id": self.cube_id} if self.cube_id != self.object_id else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RefreshResult:
        """Return the result that :meth:`to_json` described.

        :param data: what :meth:`to_json` returned
        :raises InvalidHandle: if it is something else
        """
        with invalid_unless_complete("this is not a complete result of a refresh"):
            kind = as_string(data["kind"])
            return cls(
                kind=kind,
                project_id=as_string(data["project_id"]),
                object_id=as_string(data[f"{kind}_id"]),
                state=State(data["state"]),
                tables_confirmed=data["tables_confirmed"] is True,
                seconds=as_seconds(data["seconds"]),
                tables=tuple(_table_result(table) for table in data["tables"]),
                name=as_string(data["name"]),
                project=as_string(data["project"]),
                cube_id=as_string(data.get("cube_id", data[f"{kind}_id"])),
            )

    def to_event(self) -> dict[str, Any]:
        """Return the result with its error as plain JSON, for the way from the triggerer to a worker."""
        return {"result": self.to_json(), "error": self.error and self.error.to_json()}

    @classmethod
    def from_event(cls, data: Mapping[str, Any]) -> RefreshResult:
        """Return the result that :meth:`to_event` described.

        :param data: what :meth:`to_event` returned
        :raises InvalidHandle: if it is something else
        """
        with invalid_unless_complete("this is not a complete event of a refresh"):
            error = data["error"]
            result = cls.from_json(data["result"])
            return replace(result, error=None if error is None else MstrError.from_json(error))


def table_json(table: TableRefresh | TableResult) -> dict[str, Any]:
    """Return what a table is called and how it is refreshed, as plain JSON.

    :param table: the table
    """
    return {"id": table.id, "name": table.name, "policy": str(table.policy)}


def table_refresh(entry: Any) -> TableRefresh:
    """Return the table that :func:`table_json` described.

    :param entry: what :func:`table_json` returned
    """
    return TableRefresh(as_string(entry["id"]), as_string(entry["name"]), RefreshPolicy(entry["policy"]))


def as_string(value: Any) -> str:
    """Return a value of a JSON document that must be a string.

    :param value: the value
    :raises TypeError: if it is something else
    """
    if not isinstance(value, str):
        raise TypeError
    return value


def as_seconds(value: Any) -> float:
    """Return a value of a JSON document that must be a finite number.

    :param value: the value
    :raises ValueError: if it is not finite
    """
    if not math.isfinite(value):
        raise ValueError
    return float(value)


@contextmanager
def invalid_unless_complete(problem: str) -> Iterator[None]:
    """Raise ``InvalidHandle`` if the block cannot read a JSON document.

    :param problem: the text of the error
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise InvalidHandle(problem) from None


def _table_result(entry: Any) -> TableResult:
    table = table_refresh(entry)
    seconds = None if entry["seconds"] is None else as_seconds(entry["seconds"])
    return TableResult(table.id, table.name, table.policy, State(entry["state"]), seconds)
