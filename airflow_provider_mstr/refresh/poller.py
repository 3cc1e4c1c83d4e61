# SPDX-License-Identifier: Apache-2.0
"""Polls a job until it ends: when to poll, when to give up, and what a network error means."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_mstr.refresh.job import ADDED_ROWS_ADVICE, Job, Log, PollResult
from airflow_provider_mstr.refresh.progress import TableProgress
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.rest.endpoints.auth import CLEANUP_RETRY_SECONDS, login, logout
from airflow_provider_mstr.rest.errors import (
    InvalidResponse,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    PublishTimedOut,
    ServerUnavailable,
    SessionExpired,
)
from airflow_provider_mstr.rest.flow import Flow, Pause, attempt
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.words import duration, fit, shorten

# Pauses grow with the time that has passed, so that an end is noticed late in proportion only. The jitter,
# which spreads the polls of many refreshes, shortens them, so that none is later than that.
SHARE_OF_ELAPSED = 0.1
MIN_PAUSE = 0.5
JITTER = 0.1

# Seconds without an answer after which the poller gives up; each good answer renews them.
MAX_RETRY_SECONDS = 300.0

# Seconds between two checks of the cube, and seconds of an idle cube until a lost load is given up.
LAST_UPDATE_PAUSE = 2.0
MAX_IDLE_SECONDS = 60.0

# How many of the tables that a load still waits for its error names.
MAX_WAITING = 10

# Seconds that a kill may take to reach a task after a teardown has closed its session.
KILL_SECONDS = 10.0

# The state of a refresh that ends with an error; with any other error, it may still run.
_STATES = {PublishFailed: State.FAILED, OutcomeUnknown: State.UNKNOWN}

_UPDATED = "the last update shows that the load was successful"


@dataclass
class Poller:
    """Polls one job, and logs each change of its state once.

    :param job: the job that was started
    :param timeout: seconds that the load may take, from the moment that the server has accepted its start
    :param poll_interval: maximum seconds between two polls
    :param credentials: who logs in to read the last update if the session is lost
    :param clock: seconds since the epoch
    :param log: logs a line
    :param seen: the ``seen`` of the earlier wait that this one continues
    :param has_answered: whether the session is known to have been open since the start

    ``poll_count`` counts the polls.
    """

    job: Job
    timeout: float
    poll_interval: float
    credentials: Credentials
    clock: Callable[[], float]
    log: Log
    seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    has_answered: bool = True
    poll_count: int = field(default=0, init=False)
    _is_waiting: bool = field(default=False, init=False)
    _is_unconfirmed: bool = field(default=False, init=False)
    _status: str = field(default="", init=False)
    _result: RefreshResult | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._progress = TableProgress(self.log, self.seen)

    def wait(self, first_pause: float = 0.0) -> Flow[RefreshResult]:
        """Poll until the job ends, and return its result, whatever it is.

        :param first_pause: seconds to wait before the first poll, also beyond the deadline
        """
        yield Pause(first_pause)
        result = None
        while result is None:
            result = yield from self.wait_for(self.timeout)
        return result

    def wait_for(self, seconds: float, retry_for: float | None = None) -> Flow[RefreshResult | None]:
        """Poll until the job ends or some time has passed; return its result, or None.

        A job that has ended is not polled again.

        :param seconds: seconds to poll; a poll that begins within them is completed
        :param retry_for: seconds for which a request is retried, if somebody else polls on, so that a
            server that does not answer ends nothing
        """
        if self._result is None:
            self._result = yield from self._wait_for(seconds, retry_for)
        return self._result

    def failure(self, error: MstrError) -> RefreshResult:
        """Return the result of a job that an error ends.

        :param error: why there will be no more polls
        """
        state = next((state for kind, state in _STATES.items() if isinstance(error, kind)), State.RUNNING)
        result = self.result(state, error=error)
        if error.retryable and _may_have_added(result):
            error.advice, error.retryable = ADDED_ROWS_ADVICE, False
        return result

    def poll(self, retry_for: float | None = None) -> Flow[RefreshResult | None]:
        """Poll once, and return the result if the job has ended.

        :param retry_for: seconds for which a request is retried, if so many are left; None for the default
        :raises PublishFailed: if the load failed
        :raises OutcomeUnknown: if it ended, and nothing shows how
        :raises ServerUnavailable: if the server did not answer for too long
        """
        self.poll_count += 1
        left = max(0.0, self.left)
        retry_for = MAX_RETRY_SECONDS if retry_for is None else retry_for
        try:
            polled = yield from self.job.poll(min(retry_for, left))
        except (ServerUnavailable, InvalidResponse):
            if retry_for < left or self.left <= 0:
                raise
            # The server asks for a longer pause than is left, so the last poll is a single request.
            yield Pause(self.left)
            return (yield from self.poll())
        except (PublishFailed, OutcomeUnknown):
            raise
        except MstrError as lost:
            if isinstance(lost, SessionExpired) and not self.has_answered:
                raise
            return (yield from self._check_last_update(lost))
        self.has_answered = True
        self._log_progress(polled)
        if polled.failure is not None:
            raise polled.failure
        if polled.state is not State.FINISHED:
            return None
        return self._success(polled.tables_confirmed)

    @property
    def elapsed(self) -> float:
        """Seconds since the server has accepted the start."""
        return self.clock() - (self.job.started_at or self.clock())

    @property
    def left(self) -> float:
        """Seconds left until the deadline of the load."""
        return self.timeout - self.elapsed

    def result(
        self, state: State, *, tables_confirmed: bool = False, error: MstrError | None = None
    ) -> RefreshResult:
        """Return the result of the refresh as it is now.

        :param state: how it ended, or running if the wait is given up
        :param tables_confirmed: whether the server reported each table loaded
        :param error: why it is no success
        """
        job = self.job
        tables = tuple(self._progress.result(table, state) for table in job.tables)
        return RefreshResult(
            kind=job.kind,
            project_id=job.project_id,
            object_id=job.object_id,
            state=state,
            tables_confirmed=tables_confirmed,
            seconds=self.elapsed,
            tables=tables,
            error=error,
            name=job.object_name or job.object_id,
            project=job.project_name or job.project_id,
            cube_id=job.cube_id,
        )

    def _success(self, tables_confirmed: bool = False) -> RefreshResult:
        self.job = self.job.without_load()
        return self.result(State.FINISHED, tables_confirmed=tables_confirmed)

    def _timed_out(self) -> MstrError:
        name = self.job.name
        if self._is_unconfirmed:
            return OutcomeUnknown(
                f"the server reports the load of {name} as done, but its last update did not change "
                f"within {self.timeout:g} s; verify_last_update=False accepts the server's report"
            )
        waiting = [table.name for table in self.job.tables if self._progress.state(table) is State.RUNNING]
        still = f": still waiting for {shorten(waiting, MAX_WAITING)}" if waiting else ""
        if self.job.tables and not waiting:
            still = ": every table was loaded"
        if self._status:
            still = f": its job is {self._status}"
        return PublishTimedOut(f"the load of {name} did not end within {self.timeout:g} s{still}")

    def _wait_for(self, seconds: float, retry_for: float | None) -> Flow[RefreshResult | None]:
        until = self.clock() + seconds
        try:
            while (result := (yield from self.poll(retry_for))) is None:
                if self.left <= 0:
                    raise self._timed_out()
                pause = min(self._pause(), self.left)
                if self.clock() + pause > until:
                    return None
                yield Pause(pause)
        except (ServerUnavailable, InvalidResponse) as error:
            return None if retry_for is not None else (yield from self._unanswered(error, until))
        except MstrError as error:
            return self.failure(error)
        return result

    def _unanswered(self, error: MstrError, until: float) -> Flow[RefreshResult | None]:
        """Return the result of a job whose polls have no answer, or None if they are to continue later."""
        retry_after = error.reply.retry_after or 0.0
        if not MAX_RETRY_SECONDS <= retry_after < self.left:
            return (yield from self._give_up(error))
        if self.clock() + retry_after <= until:
            yield Pause(retry_after)
        return None

    def _give_up(self, error: MstrError) -> Flow[RefreshResult]:
        """Return the result of a job that cannot be polled any more: success if the cube shows it."""
        last_update = self.job.usable_last_update
        if last_update.is_comparable:
            try:
                cube = yield from last_update.read(self.job.session)
            except SessionExpired:
                cube = None
            if last_update.is_older_than(cube):
                self.log(error.what)
                self.log(fit(f"{self.job.name}: {_UPDATED}"))
                return self._success()
        unknown = self.job.end_unknown(error)
        unknown.may_answer_later = self.left > 0
        return self.failure(unknown)

    def _check_last_update(self, lost: MstrError) -> Flow[RefreshResult]:
        """Return the success that the cube shows after the session or the instance was lost.

        :raises OutcomeUnknown: if the cube shows no load, or not in time
        """
        unknown = self.job.end_unknown(lost)
        if not self.job.usable_last_update.is_comparable:
            raise unknown
        self.log(lost.what)
        self.log("Checking the last update instead")
        session = self.job.session
        try:
            if isinstance(lost, SessionExpired):
                yield Pause(min(KILL_SECONDS, max(0.0, self.left)))
                session = yield from login(self.credentials)
            yield from self._until_updated(session, unknown)
        except OutcomeUnknown:
            raise
        except MstrError as error:
            raise unknown from error
        finally:
            if session is not self.job.session:
                yield from attempt(logout(session, CLEANUP_RETRY_SECONDS))
        self.log(fit(f"{self.job.name}: {_UPDATED}"))
        return self._success()

    def _until_updated(self, session: Session, unknown: MstrError) -> Flow[None]:
        last_update = self.job.usable_last_update
        idle_since = math.inf
        while True:
            cube = yield from last_update.read(session)
            if last_update.is_older_than(cube):
                return
            is_idle = cube is None or not cube.processing
            idle_since = min(idle_since, self.clock()) if is_idle else math.inf
            if self.left <= 0 or self.clock() - idle_since > MAX_IDLE_SECONDS:
                raise unknown
            yield Pause(min(max(self._pause(), LAST_UPDATE_PAUSE), max(0.0, self.left)))

    def _pause(self) -> float:
        pause = min(self.poll_interval, max(MIN_PAUSE, self.elapsed * SHARE_OF_ELAPSED))
        # Nobody gains from predicting it, so it needs no secure random numbers.
        return pause * random.uniform(1 - JITTER, 1)  # noqa: S311

    def _log_progress(self, polled: PollResult) -> None:
        if polled.is_waiting != self._is_waiting:
            self.job.log_busy(self.log, is_busy=polled.is_waiting)
        if polled.is_unconfirmed and not self._is_unconfirmed:
            self.log(
                "The server reports the publish as done, but the last update does not show it yet; "
                "waiting for that"
            )
        self._is_waiting, self._is_unconfirmed = polled.is_waiting, polled.is_unconfirmed
        if polled.status != self._status:
            after = f"{polled.status} after {duration(round(self.elapsed))}"
            self.log(
                fit(f"The load of {self.job.name}: {after}"),
                state=polled.status,
                seconds=round(self.elapsed, 1),
            )
        self._status = polled.status
        self.job = polled.job
        self._progress.update(self.job, polled.tables, self.elapsed)
        if polled.message and polled.state is State.FINISHED:
            self.log(polled.message)


def _may_have_added(result: RefreshResult) -> bool:
    """Whether a retry could add rows twice: a table of a failed load must be seen loaded for it."""
    loaded = {State.FINISHED} if result.state is State.FAILED else set(State) - {State.FAILED}
    return any(table.policy is RefreshPolicy.ADD and table.state in loaded for table in result.tables)
