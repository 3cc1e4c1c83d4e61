# SPDX-License-Identifier: Apache-2.0
"""A publish and its publishStatus. Both depend only on the clock; nothing runs in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_provider_mstr.sandbox.responses import ApiError, publish_failed
from airflow_provider_mstr.sandbox.settings import Reading
from airflow_provider_mstr.sandbox.world import DataModel, PublishFailure, Table

PublishState = Literal["running", "completed", "failed", "cancelled"]

RESERVED = "reserved"
SCHEMA_COMPARED = "schema_comparison_completed"
COMPLETED = "completed"

# EnumDSSXMLStatus: the values of a publish.
MSG_ID, RESULT, ERR_MSG, SQL_ENGINE, QUERY_ENGINE = 0, 1, 3, 5, 6

_E_PARTIAL_LOAD = -2147418587
_QE_E_GENERAL = -2147212544


@dataclass(frozen=True)
class TableRefresh:
    """One table of a publish.

    :param table: the table.
    :param refresh_policy: ``replace``, ``add``, ``update`` or ``upsert``.
    """

    table: Table
    refresh_policy: str


@dataclass
class Publish:
    """One publish of a data model.

    :param job: number of its job.
    :param data_model: the data model to publish.
    :param instance_id: the instance of the call.
    :param session_token: the token of its session.
    :param user: name of the user who sent it.
    :param tables: the tables to refresh, in this order.
    :param started_at: seconds since the epoch.
    :param seconds: its duration.
    :param failure: how it fails, if it does.
    :param lost_to: the job that publishes the data model already, so that this one fails.
    :param cancelled_at: seconds since the epoch.
    """

    job: int
    data_model: DataModel
    instance_id: str
    session_token: str
    user: str
    tables: tuple[TableRefresh, ...]
    started_at: float
    seconds: float
    failure: PublishFailure | None = None
    lost_to: int | None = None
    cancelled_at: float | None = None

    @property
    def ends_at(self) -> float:
        return self.started_at + self.seconds

    def state(self, now: float) -> PublishState:
        if self.lost_to is not None:
            return "failed"
        if self.cancelled_at is not None:
            return "cancelled"
        if now < self.ends_at:
            return "running"
        return "failed" if self.failure else "completed"

    def ended_at(self, now: float) -> float | None:
        """Return its end in seconds since the epoch; None while it runs."""
        if self.lost_to is not None:
            return self.started_at
        if self.cancelled_at is not None:
            return self.cancelled_at
        return None if now < self.ends_at else self.ends_at

    def cancel(self, now: float) -> None:
        if self.state(now) == "running":
            self.cancelled_at = now

    def finish(self, now: float) -> None:
        if self.state(now) == "running":
            self.seconds = now - self.started_at

    def table_states(self, now: float) -> tuple[str, ...]:
        """Return the status of each table. Tables are loaded one after the other."""
        progress = self.progress(now) * len(self.tables)
        return tuple(self._table_state(index, progress - index) for index in range(len(self.tables)))

    def progress(self, now: float) -> float:
        """Return its progress from 0 to 1."""
        if self.lost_to is not None:
            return 0.0
        until = now if self.cancelled_at is None else self.cancelled_at
        return 1.0 if until >= self.ends_at else (until - self.started_at) / self.seconds

    def _table_state(self, index: int, progress: float) -> str:
        kind = self.failure.kind if self.failure and index == self._failing_index() else None
        if progress < 0.5:
            return RESERVED
        if kind == "schema_comparison_error":
            return kind
        if progress < 1:
            return SCHEMA_COMPARED
        if kind == "error":
            return kind
        return SCHEMA_COMPARED if kind else COMPLETED

    def _failing_index(self) -> int:
        table = self.failure.table if self.failure else None
        return next(
            (index for index, each in enumerate(self.tables) if table in (each.table.id, each.table.name)),
            len(self.tables) - 1,
        )


def applicable_failure(
    failure: PublishFailure | None, tables: Sequence[TableRefresh]
) -> PublishFailure | None:
    """Return the failure, unless it belongs to another table."""
    if failure is None or failure.table is None:
        return failure
    return failure if any(failure.table in (each.table.id, each.table.name) for each in tables) else None


def status_body(publish: Publish, now: float, reading: Reading) -> dict[str, object]:
    """Return the body of publishStatus.

    :param publish: the publish.
    :param now: seconds since the epoch.
    :param reading: the form of the response.
    """
    failure = publish.failure
    is_finished = publish.state(now) != "running"
    if is_finished and failure and failure.kind == "http_500":
        raise ApiError(publish_failed(failure.code or _QE_E_GENERAL, failure.message))
    status = _status(publish, now, reading)
    body: dict[str, object] = {"status": str(status) if reading == "text" else status}
    if is_finished and status not in (MSG_ID, RESULT) and failure:
        body["message"] = failure.message
    if reading == "plain":
        return body
    return body | {"tables": [] if reading == "empty" else _tables(publish, now, reading)}


def _status(publish: Publish, now: float, reading: Reading) -> int:
    if publish.state(now) == "running":
        return RESULT if reading == "loaded" else _running_status(publish, now)
    failure = publish.failure
    if failure is None:
        return MSG_ID if reading == "loaded" else RESULT
    if failure.kind == "status_3":
        return ERR_MSG
    # Without a list of tables, only the status can show a failed table.
    if failure.kind == "negative_status" or reading in ("plain", "empty"):
        return failure.code or _E_PARTIAL_LOAD
    return RESULT


def _running_status(publish: Publish, now: float) -> int:
    if set(publish.table_states(now)) != {RESERVED}:
        return QUERY_ENGINE
    return MSG_ID if publish.progress(now) < 0.1 else SQL_ENGINE


def _tables(publish: Publish, now: float, reading: Reading) -> list[dict[str, object]]:
    return [
        _table(publish, each, state, reading)
        for each, state in zip(publish.tables, publish.table_states(now), strict=True)
    ]


def _table(publish: Publish, each: TableRefresh, state: str, reading: Reading) -> dict[str, object]:
    status = "loaded" if reading == "loaded" and state == COMPLETED else state
    entry: dict[str, object] = {"id": each.table.id, "status": status}
    if state.endswith("error") and publish.failure:
        code = publish.failure.code or _QE_E_GENERAL
        entry["errorCode"] = str(code) if reading == "text" else code
        entry["errorMessage"] = publish.failure.message
    return entry
