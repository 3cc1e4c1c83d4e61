# SPDX-License-Identifier: Apache-2.0
"""What travels between the tasks of a refresh, as plain JSON both ways."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_mstr.rest.errors import HandleRefused, MstrError, OutcomeUnknown
from airflow_provider_mstr.rest.evidence import Baseline
from airflow_provider_mstr.rest.literals import value_of
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.publication import State
from airflow_provider_mstr.rest.session import Seal
from airflow_provider_mstr.rest.tables import RefreshPolicy, TableRefresh
from airflow_provider_mstr.rest.text import clean

ADDED_ROWS_ADVICE = (
    "Rows may have been added to tables with the policy add, and a retry could add them again, so no retry "
    "follows. Check the rows in Strategy, then clear the task."
)

# The form of an id; empty if it is not known yet. It has no slash and no escape, and not only dots.
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~:;,=+@|!-]{0,255}")


_DOT_SEGMENT = re.compile(r"(^|/)\.\.?(/|$)")


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh under way: its instance, and what was published with it.

    :param instance: the instance, in its open session
    :param tables: the published tables; empty before the publish
    :param published_at: when the publish was sent, and then when it was accepted, in seconds since the epoch;
        None before it
    :param baseline: what the model's cube showed before the publish; None where it is not to be asked
    :param contested: whether another job published the model meanwhile, whose load might pass for ours
    """

    instance: DataModelInstance
    tables: tuple[TableRefresh, ...] = ()
    published_at: float | None = None
    baseline: Baseline | None = None
    contested: bool = False

    @property
    def table_ids(self) -> tuple[str, ...]:
        """The ids of the published tables."""
        return tuple(table.id for table in self.tables)

    @property
    def adds_rows(self) -> bool:
        """Whether a table has the policy ``add``, so that a second load would add its rows again."""
        return any(table.policy is RefreshPolicy.ADD for table in self.tables)

    @property
    def comparable(self) -> Baseline | None:
        """What to compare the cube with: another job's load proves nothing, but one that runs may be ours."""
        return Baseline(readable=False) if self.baseline and self.contested else self.baseline

    def start_unknown(self, cause: MstrError) -> OutcomeUnknown:
        """Return the error of a load of which nothing shows whether it has started.

        :param cause: why
        """
        return self._unknown(
            f"it is unknown whether the load of {self.instance.model_name} has started", cause
        )

    def end_unknown(self, cause: MstrError) -> OutcomeUnknown:
        """Return the error of a load that has started, and of which nothing shows how it ends.

        :param cause: why
        """
        return self._unknown(f"it is unknown how the load of {self.instance.model_name} ends", cause)

    def _unknown(self, what: str, cause: MstrError) -> OutcomeUnknown:
        """Return the error; no retry follows if it could add rows twice or would meet the same cause."""
        error = OutcomeUnknown(f"{cause.what}, so {what}", cause.reply)
        if self.adds_rows:
            error.advice, error.mended_by_time = ADDED_ROWS_ADVICE, False
        elif not cause.mended_by_time:
            error.advice, error.mended_by_time = cause.advice, False
        return error


class Note(Protocol):
    """Takes down how far a refresh has come, before and after each step that must not be forgotten."""

    def __call__(self, refresh: Refresh, taken: bool = False) -> object:
        """Take it down.

        :param refresh: the refresh as it stands; with the time of its publish from before that is sent
        :param taken: whether the server has taken the publish
        """


def unnoted(refresh: Refresh, taken: bool = False) -> None:
    """Take nothing down.

    :param refresh: the refresh as it stands
    :param taken: whether the server has taken the publish
    """


@dataclass(frozen=True, slots=True)
class RefreshHandle:
    """A refresh under way as Airflow may keep it: readable, but for its sealed session.

    :param session: the session as ciphertext
    :param tables: the published tables; empty before the publish
    :param published_at: when the publish was sent, and then when it was accepted, in seconds since the epoch;
        None before it
    :param baseline: what the model's cube showed before the publish; None where it is not to be asked
    :param contested: whether another job published the model meanwhile, whose load might pass for ours
    """

    project_id: str
    data_model_id: str
    instance_id: str
    session: str
    tables: tuple[TableRefresh, ...] = ()
    published_at: float | None = None
    baseline: Baseline | None = None
    contested: bool = False

    @classmethod
    def of(cls, refresh: Refresh, seal: Seal) -> RefreshHandle:
        """Return the handle of a refresh.

        :param refresh: the refresh under way
        :param seal: the connection's seal
        """
        instance = refresh.instance
        return cls(
            project_id=instance.project_id,
            data_model_id=instance.data_model_id,
            instance_id=instance.instance_id,
            session=seal.close(instance.session),
            tables=refresh.tables,
            published_at=refresh.published_at,
            baseline=refresh.baseline,
            contested=refresh.contested,
        )

    def open(self, seal: Seal) -> Refresh:
        """Return the refresh that the handle stands for.

        :param seal: the connection's seal
        :raises HandleRefused: where the handle was sealed under another connection
        """
        instance = DataModelInstance(
            seal.open(self.session), self.project_id, self.data_model_id, self.instance_id
        )
        return Refresh(instance, self.tables, self.published_at, self.baseline, self.contested)

    def to_json(self) -> dict[str, Any]:
        """Return the handle as plain JSON."""
        return {
            "project_id": self.project_id,
            "data_model_id": self.data_model_id,
            "instance_id": self.instance_id,
            "session": self.session,
            "tables": [table_json(table) for table in self.tables],
            "published_at": self.published_at,
            "baseline": self.baseline and self.baseline.to_json(),
            "contested": self.contested,
        }

    @classmethod
    def from_json(cls, said: Any) -> RefreshHandle:
        """Return the handle that a task was given.

        :param said: what :meth:`to_json` returned, or the text a template made of it
        :raises HandleRefused: where it is nothing of the kind
        """
        data = value_of(said) if isinstance(said, str) else said
        refusal = f"instance is {reprlib.repr(said)}, not a whole handle of a data model instance"
        with _refused_unless_whole(refusal):
            return cls(
                **{key: _id(key, data[key]) for key in ("project_id", "data_model_id", "instance_id")},
                session=_text(data["session"]),
                tables=tuple(_harmless_table(entry) for entry in data["tables"]),
                published_at=None if data["published_at"] is None else _seconds(data["published_at"]),
                baseline=None if data["baseline"] is None else Baseline.from_json(data["baseline"]),
                contested=data["contested"] is True,
            )


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """How one table's part of a refresh ended.

    :param seconds: from the publish to the moment the table was first seen ended; None if it never was
    """

    id: str
    name: str
    policy: RefreshPolicy
    state: State
    seconds: float | None


@dataclass(frozen=True, slots=True)
class RefreshOutcome:
    """How a refresh ended.

    :param state: finished, failed, or running where it was given up
    :param proven: whether the server reported each table loaded
    :param seconds: from the publish to the moment its end was seen
    """

    project_id: str
    data_model_id: str
    state: State
    proven: bool
    seconds: float
    tables: tuple[TableOutcome, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain JSON."""
        return {
            "project_id": self.project_id,
            "data_model_id": self.data_model_id,
            "state": str(self.state),
            "proven": self.proven,
            "seconds": round(self.seconds, 1),
            "tables": [
                table_json(table)
                | {
                    "state": str(table.state),
                    "seconds": None if table.seconds is None else round(table.seconds, 1),
                }
                for table in self.tables
            ],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> RefreshOutcome:
        """Return the outcome that :meth:`to_json` described.

        :param said: what :meth:`to_json` returned
        :raises HandleRefused: where it is nothing of the kind
        """
        with _refused_unless_whole("this is not a whole outcome of a refresh"):
            return cls(
                project_id=_text(said["project_id"]),
                data_model_id=_text(said["data_model_id"]),
                state=State(said["state"]),
                proven=said["proven"] is True,
                seconds=_seconds(said["seconds"]),
                tables=tuple(_table_outcome(table) for table in said["tables"]),
            )


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of watching a refresh: how it stands, and the error that ended it, if one did.

    :param outcome: how the refresh stands
    :param error: why it is no success
    """

    outcome: RefreshOutcome
    error: MstrError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the ending as plain JSON, for the way from the triggerer to a worker."""
        return {"outcome": self.outcome.to_json(), "error": self.error and self.error.to_json()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Ending:
        """Return the ending that :meth:`to_json` described.

        :param said: what :meth:`to_json` returned
        :raises HandleRefused: where it is nothing of the kind
        """
        with _refused_unless_whole("this is not a whole ending of a refresh"):
            error = said["error"]
            outcome = RefreshOutcome.from_json(said["outcome"])
            return cls(outcome, None if error is None else MstrError.from_json(error))


def table_json(table: TableRefresh | TableOutcome) -> dict[str, Any]:
    """Return what a table is called and how it is refreshed, as plain JSON.

    :param table: the table
    """
    return {"id": table.id, "name": table.name, "policy": str(table.policy)}


def _table(entry: Any) -> TableRefresh:
    return TableRefresh(_text(entry["id"]), _text(entry["name"]), RefreshPolicy(entry["policy"]))


def _harmless_table(entry: Any) -> TableRefresh:
    table = _table(entry)
    if not table.id.isprintable() or _DOT_SEGMENT.search(table.id) or table.name != clean(table.name):
        raise ValueError
    return table


def _table_outcome(entry: Any) -> TableOutcome:
    table = _table(entry)
    took = None if entry["seconds"] is None else _seconds(entry["seconds"])
    return TableOutcome(table.id, table.name, table.policy, State(entry["state"]), took)


def _id(key: str, value: Any) -> str:
    """Return an id of a handle. Another text could lead a request to another path, or add a header."""
    if not _ID.fullmatch(_text(value)):
        raise HandleRefused(f"the handle's {key} is {reprlib.repr(value)}, which is not an id")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _seconds(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError
    return float(value)


@contextmanager
def _refused_unless_whole(refusal: str) -> Iterator[None]:
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise HandleRefused(refusal) from None
