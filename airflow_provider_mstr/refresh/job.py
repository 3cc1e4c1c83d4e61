# SPDX-License-Identifier: Apache-2.0
"""The seam: a refresh in progress. The code above never checks which kind it is; ``spec.py`` starts one."""

from __future__ import annotations

import re
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.refresh.result import (
    as_seconds,
    as_string,
    invalid_unless_complete,
    table_json,
    table_refresh,
)
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.rest.endpoints.data_models import TableRefresh
from airflow_provider_mstr.rest.endpoints.search import ObjectKind
from airflow_provider_mstr.rest.endpoints.sources import Source
from airflow_provider_mstr.rest.errors import InvalidHandle, MstrError, OutcomeUnknown, PublishFailed
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.publish_status import State, TableStatus
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.text import clean
from airflow_provider_mstr.rest.words import fit

# The form of an id; empty if it is not known yet. It has no slash and no escape, and not only dots.
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~:;,=+@|!-]{0,255}")
_DOT_SEGMENT = re.compile(r"(^|/)\.\.?(/|$)")

# An end that the server does not show plainly must be seen this often, this many seconds apart (3.5).
CONFIRMATIONS = 3
CONFIRMATION_PAUSE = 2.0

# Seconds to find out whether a start without an answer has started a load, and between two checks.
MAX_SECONDS_TO_FIND_OUT = 8.0
FIND_OUT_PAUSE = 1.0

ADDED_ROWS_ADVICE = (
    "Rows may have been added to tables with the policy add, and a retry could add them again, so no retry "
    "follows. Check the rows in Strategy, then clear the task."
)


@dataclass(frozen=True)
class Job(ABC):
    """A refresh in progress, in its open session. Each step that changes it returns a new one.

    A kind sets the class variables: ``kind`` as keys of JSON have it, such as ``data_model``; ``object_kind``
    as searches and logs have it; ``link_path``, the path of the object's page in Strategy Library; and
    ``details``, the fields that only this kind has.

    :param session: the session
    :param project_id: the project's id
    :param object_id: the object's id; empty until it is known
    :param object_name: the object's name; empty until it is known
    :param project_name: the project's name; empty if it is not known
    :param tables: the tables that are loaded; empty before the start
    :param started_at: when the start was sent, and then when it was accepted, in seconds since the epoch;
        None before it
    :param last_update: when the cube was last updated before the start
    :param concurrent_refresh: whether another job refreshes the object meanwhile
    """

    kind: ClassVar[str]
    object_kind: ClassVar[ObjectKind]
    link_path: ClassVar[str]
    details: ClassVar[tuple[str, ...]]

    session: Session
    project_id: str
    object_id: str
    object_name: str = ""
    project_name: str = ""
    tables: tuple[TableRefresh, ...] = ()
    started_at: float | None = None
    last_update: LastUpdate = NO_LAST_UPDATE
    concurrent_refresh: bool = False

    @property
    def name(self) -> str:
        """How logs and errors name the object, such as ``data model Sales``."""
        return f"{self.object_kind.name} {self.object_name or self.object_id}"

    @property
    def cube_id(self) -> str:
        """The id of the cube that the load updates."""
        return self.object_id

    @property
    def adds_rows(self) -> bool:
        """Whether a second load would add rows again."""
        return any(table.policy is RefreshPolicy.ADD for table in self.tables)

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the session holds something to close besides itself."""

    @abstractmethod
    def poll(self, retry_for: float) -> Flow[PollResult]:
        """Ask once how the load goes.

        :param retry_for: seconds for which the requests are retried
        :raises PublishFailed: if the server answers with the failure instead of a status
        :raises OutcomeUnknown: if the load ended, and nothing shows how
        """

    @abstractmethod
    def has_started(self, clock: Callable[[], float]) -> Flow[bool | None]:
        """Return whether a start without an answer has started the load; None if nothing shows it.

        :param clock: seconds since the epoch
        :raises SessionExpired: if the session is over
        """

    def is_busy(self) -> Flow[bool]:
        """Return whether another job refreshes the same object now, instead of this one."""
        yield from ()
        return False

    @abstractmethod
    def close(self) -> Flow[MstrError | None]:
        """Cancel the load if it still runs, and log out; what is already gone is fine.

        :return: why something was deleted only with its session
        :raises MstrError: if the session may still be open
        """

    def list_sources(self, has_time: Callable[[], bool], retry_for: float) -> Flow[tuple[Source, ...]]:
        """Return the database tables that the load reads, as far as the server lists them.

        :param has_time: whether to ask for more
        :param retry_for: seconds for which each request is retried
        """
        yield from ()
        return ()

    def with_start(self, started_at: float | None, last_update: LastUpdate, concurrent_refresh: bool) -> Self:
        """Return the job with another start.

        :param started_at: when the start was sent or accepted, in seconds since the epoch; None for no start
        :param last_update: when the cube was last updated before the start
        :param concurrent_refresh: whether another job refreshes the object meanwhile
        """
        return replace(
            self, started_at=started_at, last_update=last_update, concurrent_refresh=concurrent_refresh
        )

    def describe(self) -> dict[str, Any]:
        """Return what is loaded, and since when, as plain JSON."""
        return {
            "kind": self.kind,
            "project_id": self.project_id,
            "project": self.project_name,
            f"{self.kind}_id": self.object_id,
            "name": self.object_name,
            "tables": [table_json(table) for table in self.tables],
            "started_at": self.started_at,
        }

    def to_json(self, seal: Seal) -> dict[str, Any]:
        """Return the job as plain JSON with a sealed session.

        :param seal: the connection's seal
        """
        return (
            self.describe()
            | {
                "session": seal.close(self.session),
                "last_update": self.last_update.to_json(),
                "concurrent_refresh": self.concurrent_refresh,
            }
            | {name: getattr(self, name) for name in self.details}
        )

    @classmethod
    def from_json(cls, data: Any, seal: Seal) -> Self:
        """Return the job that :meth:`to_json` described.

        :param data: what :meth:`to_json` returned
        :param seal: the connection's seal
        :raises InvalidHandle: if it is something else, or was sealed under another connection
        """
        with invalid_unless_complete(f"instance is {reprlib.repr(data)}, not a handle of a refresh"):
            project_id, object_id = (_id(key, data[key]) for key in ("project_id", f"{cls.kind}_id"))
            details = {name: _id(name, data[name]) for name in cls.details}
            name, project = (_harmless_name(data[key]) for key in ("name", "project"))
            tables = tuple(_harmless_table(entry) for entry in data["tables"])
            started_at = None if data["started_at"] is None else as_seconds(data["started_at"])
            last_update = LastUpdate.from_json(data["last_update"], project_id)
            _id("last_update", last_update.cube_id)
            sealed = as_string(data["session"])
            concurrent_refresh = data["concurrent_refresh"] is True
        return cls(
            seal.open(sealed),
            project_id,
            object_id,
            name,
            project,
            tables,
            started_at,
            last_update,
            concurrent_refresh,
            **details,
        )

    def in_session(self, session: Session) -> Self:
        """Return the job in another session.

        :param session: the session
        """
        return replace(self, session=session)

    def without_load(self) -> Self:
        """Return the job after its load has ended: closing it cancels nothing."""
        return self

    def cube_shows_load(self) -> Flow[bool]:
        """Return whether the cube shows a load that runs, or has ended, since the start."""
        if self.concurrent_refresh:
            return False
        cube = yield from self.last_update.read(self.session)
        return cube is not None and (cube.processing or self.last_update.is_older_than(cube))

    def log_busy(self, log: Log, *, is_busy: bool) -> None:
        """Log that this job waits for another one, or no longer.

        :param log: logs a line
        :param is_busy: whether another job refreshes the object
        """
        waiting = f"Another job is publishing {self.name}; waiting for it"
        log(fit(waiting) if is_busy else "The other job has ended", busy=is_busy)

    def without_start(self) -> Self:
        """Return the job without its start: to close, and not to continue."""
        return self.with_start(None, self.last_update, self.concurrent_refresh)

    @property
    def usable_last_update(self) -> LastUpdate:
        """What to compare the cube with: during another job's load, a newer update proves nothing."""
        return self.last_update.without_comparison() if self.concurrent_refresh else self.last_update

    def start_unknown(self, cause: MstrError) -> OutcomeUnknown:
        """Return the error of a load of which nothing shows whether it has started.

        :param cause: why
        """
        return self._unknown("it is unknown whether {load} has started", cause)

    def end_unknown(self, cause: MstrError) -> OutcomeUnknown:
        """Return the error of a load that has started, and of which nothing shows how it ends.

        :param cause: why
        """
        return self._unknown("it is unknown how {load} ends", cause)

    def _unknown(self, problem: str, cause: MstrError) -> OutcomeUnknown:
        """Return the error; no retry follows if it could add rows twice or would meet the same cause."""
        load = "the load" if self.name in cause.what else f"the load of {self.name}"
        error = OutcomeUnknown(f"{cause.what}, so {problem.format(load=load)}", cause.reply)
        if self.adds_rows:
            error.advice, error.retryable = ADDED_ROWS_ADVICE, False
        elif not cause.retryable:
            error.advice, error.retryable = cause.advice, False
        return error


def _harmless_table(entry: Any) -> TableRefresh:
    table = table_refresh(entry)
    if not table.id.isprintable() or _DOT_SEGMENT.search(table.id):
        raise ValueError
    _harmless_name(table.name)
    return table


def _harmless_name(value: Any) -> str:
    if value != clean(as_string(value)):
        raise ValueError
    return str(value)


def _id(key: str, value: Any) -> str:
    """Return an id of a handle. Another text could lead a request to another path, or add a header."""
    if not _ID.fullmatch(as_string(value)):
        raise InvalidHandle(f"the handle's {key} is {reprlib.repr(value)}, which is not an id")
    return str(value)


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one poll shows.

    :param state: running, finished or failed
    :param job: the job as it is after the poll
    :param tables: the tables that the server lists
    :param tables_confirmed: whether the server reports each table loaded
    :param is_waiting: whether another job keeps the server from answering
    :param is_unconfirmed: whether the server reports an end that the cube does not show yet
    :param failure: why the load failed
    :param status: the server's word for the state of the whole load, for the log; empty if it has none
    :param message: how the end was confirmed, for the log
    """

    state: State
    job: Job
    tables: tuple[TableStatus, ...] = ()
    tables_confirmed: bool = False
    is_waiting: bool = False
    is_unconfirmed: bool = False
    failure: PublishFailed | None = None
    status: str = ""
    message: str = ""


class Log(Protocol):
    """Logs a line, with fields for machines."""

    def __call__(self, line: str, **fields: str | float | bool) -> object:
        """Log it.

        :param line: the text
        :param fields: what the line is about
        """
