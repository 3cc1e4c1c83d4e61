# SPDX-License-Identifier: Apache-2.0
"""The seam: what each kind of refresh provides, so that the code above never checks the kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from airflow_provider_mstr.refresh.last_update import LastUpdate
from airflow_provider_mstr.refresh.options import DEFAULT_TIMEOUT, WhenBusy
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.rest.endpoints.data_models import TableRefresh
from airflow_provider_mstr.rest.endpoints.sources import Source
from airflow_provider_mstr.rest.errors import MstrError, OutcomeUnknown
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.publish_status import State, TableStatus
from airflow_provider_mstr.rest.session import Credentials, Session

J = TypeVar("J", bound="Job")

ADDED_ROWS_ADVICE = (
    "Rows may have been added to tables with the policy add, and a retry could add them again, so no retry "
    "follows. Check the rows in Strategy, then clear the task."
)


class Job(ABC):
    """A refresh in progress, in its open session. Each step that changes it returns a new one.

    ``kind`` is the kind of object as keys of JSON have it, such as ``data_model``.
    """

    __slots__ = ()
    kind: ClassVar[str]

    session: Session
    project_id: str
    object_id: str
    tables: tuple[TableRefresh, ...]
    started_at: float | None
    last_update: LastUpdate
    concurrent_refresh: bool

    @property
    @abstractmethod
    def name(self) -> str:
        """How logs and errors name the object, such as ``data model Sales``."""

    @property
    @abstractmethod
    def cube_id(self) -> str:
        """The id of the cube that the load updates."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the session holds something to close besides itself."""

    @property
    @abstractmethod
    def adds_rows(self) -> bool:
        """Whether a second load would add rows again."""

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

    @abstractmethod
    def is_busy(self) -> Flow[bool]:
        """Return whether another job refreshes the same object now, instead of this one."""

    @abstractmethod
    def close(self) -> Flow[MstrError | None]:
        """Cancel the load if it still runs, and log out; what is already gone is fine.

        :return: why something was deleted only with its session
        :raises MstrError: if the session may still be open
        """

    @abstractmethod
    def list_sources(self, has_time: Callable[[], bool], retry_for: float) -> Flow[tuple[Source, ...]]:
        """Return the database tables that the load reads, as far as the server lists them.

        :param has_time: whether to ask for more
        :param retry_for: seconds for which each request is retried
        """

    @abstractmethod
    def to_json(self, seal: Seal) -> dict[str, Any]:
        """Return the job as plain JSON with a sealed session.

        :param seal: the connection's seal
        """

    @abstractmethod
    def with_start(self, started_at: float | None, last_update: LastUpdate, concurrent_refresh: bool) -> Self:
        """Return the job with another start.

        :param started_at: when the start was sent or accepted, in seconds since the epoch; None for no start
        :param last_update: when the cube was last updated before the start
        :param concurrent_refresh: whether another job refreshes the object meanwhile
        """

    @abstractmethod
    def in_session(self, session: Session) -> Self:
        """Return the job in another session.

        :param session: the session
        """

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
        return self._unknown(f"it is unknown whether the load of {self.name} has started", cause)

    def end_unknown(self, cause: MstrError) -> OutcomeUnknown:
        """Return the error of a load that has started, and of which nothing shows how it ends.

        :param cause: why
        """
        return self._unknown(f"it is unknown how the load of {self.name} ends", cause)

    def _unknown(self, problem: str, cause: MstrError) -> OutcomeUnknown:
        """Return the error; no retry follows if it could add rows twice or would meet the same cause."""
        error = OutcomeUnknown(f"{cause.what}, so {problem}", cause.reply)
        if self.adds_rows:
            error.advice, error.retryable = ADDED_ROWS_ADVICE, False
        elif not cause.retryable:
            error.advice, error.retryable = cause.advice, False
        return error


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
    :param message: how the end was confirmed, for the log
    """

    state: State
    job: Job
    tables: tuple[TableStatus, ...] = ()
    tables_confirmed: bool = False
    is_waiting: bool = False
    is_unconfirmed: bool = False
    failure: str = ""
    message: str = ""


class OnProgress(Protocol):
    """Stores how far a refresh is, before and after each step that must not be forgotten."""

    def __call__(self, job: Job, accepted: bool = False) -> object:  # pragma: no mutate - only a type
        """Store it.

        :param job: the job as it is; its start is stored before it is sent
        :param accepted: whether the server has accepted the start
        """


def ignore_progress(job: Job, accepted: bool = False) -> None:  # pragma: no mutate - not read
    """Store nothing.

    :param job: the job as it is
    :param accepted: whether the server has accepted the start
    """


class Log(Protocol):
    """Logs a line, with fields for machines."""

    def __call__(self, line: str, **fields: Any) -> object:
        """Log it.

        :param line: the text
        :param fields: what the line is about, as plain JSON
        """


@dataclass(frozen=True)
class StartContext:
    """What starting a job needs from its caller.

    :param credentials: who logs in
    :param clock: seconds since the epoch
    :param log: logs a line
    :param on_progress: stores how far the start is
    :param on_found: receives the object's id as soon as it is known
    :param warn: receives the warning that the server is too old; None not to ask for its version
    :param owns_session: whether the start may close the session and open another
    """

    credentials: Credentials
    clock: Callable[[], float]
    log: Log
    warn: Callable[[str], object] | None = None
    on_progress: OnProgress = ignore_progress
    on_found: Callable[[str], object] = lambda object_id: None
    owns_session: bool = True


@dataclass(frozen=True, kw_only=True)
class JobSpec(ABC, Generic[J]):
    """What to refresh, and what is special about starting it.

    :param verify_last_update: whether to compare the cube's last update before and after
    :param when_busy: what to do if another job refreshes the object
    :param timeout: seconds to wait for that other job
    """

    waits_while_processing: ClassVar[bool] = False

    verify_last_update: bool = True
    when_busy: WhenBusy = WhenBusy.WAIT
    timeout: float = DEFAULT_TIMEOUT

    @abstractmethod
    def open(self, context: StartContext) -> Flow[J]:
        """Log in and find the object; leave no session open if that fails.

        :param context: what it needs from its caller
        """

    @abstractmethod
    def reopen(self, job: J, context: StartContext) -> Flow[J]:
        """Return the job in a new session.

        :param job: the job, whose session is closed
        :param context: what it needs from its caller
        """

    @abstractmethod
    def prepare(self, job: J, context: StartContext) -> Flow[J]:
        """Return the job as it is to be started, and log what is started.

        :param job: the job that was opened
        :param context: what it needs from its caller
        """

    @abstractmethod
    def send(self, job: J) -> Flow[J]:
        """Send the start once, and return the job.

        :param job: the job
        """

    @abstractmethod
    def renew(self, job: J) -> Flow[J]:
        """Return the job to start after a start that did nothing.

        :param job: the job
        """
