# SPDX-License-Identifier: Apache-2.0
"""What an attempt of a task stores, so that the next attempt finds its job.

Airflow 3.3 has a ``task_state_store`` for that; without one, nothing is stored or found.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.rest.errors import (
    InvalidHandle,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    PublishTimedOut,
    ServerUnavailable,
    SessionExpired,
)
from airflow_provider_mstr.rest.flow import Flow

STORE_KEY = "mstr_refresh"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AttemptScope:
    """The attempts that Airflow makes of a task by itself; after a user clears it, others follow.

    :param max_tries: Airflow's count of the attempts to make, which a clear raises
    :param clear_number: how often tasks of the run were cleared
    :param task_arguments: a digest of what the task is to refresh
    """

    max_tries: int
    clear_number: int
    task_arguments: str

    @classmethod
    def of(cls, context: Context, task_arguments: tuple[Any, ...]) -> AttemptScope:
        """Return the scope that an attempt belongs to.

        :param context: the task's context
        :param task_arguments: what the task is to refresh
        """
        digest = hashlib.sha256(repr(task_arguments).encode()).hexdigest()
        clear_number = getattr(context.get("dag_run"), "clear_number", None)
        return cls(context["ti"].max_tries, clear_number or 0, digest)


@dataclass(frozen=True, slots=True)
class PreviousAttempt:
    """The job that an earlier attempt has left open.

    :param job: the job; with a start only if this attempt may continue it
    :param was_accepted: whether the server is known to have accepted the start
    """

    job: Job
    was_accepted: bool


@dataclass(frozen=True, slots=True)
class AttemptStore:
    """What the attempts of a task store.

    :param store: Airflow's ``task_state_store``; None if there is none
    :param scope: the scope that this attempt belongs to
    :param hook: the hook that seals the stored sessions
    """

    store: Any
    scope: AttemptScope
    hook: MstrHook

    @classmethod
    def of(cls, context: Context, hook: MstrHook, *task_arguments: Any) -> AttemptStore:
        """Return the store of a task.

        :param context: the task's context
        :param hook: the task's hook
        :param task_arguments: what the task is to refresh
        """
        return cls(context.get("task_state_store"), AttemptScope.of(context, task_arguments), hook)

    def save(self, job: Job, accepted: bool = False) -> None:
        """Store how far this attempt is.

        :param job: the job as it is
        :param accepted: whether the server is known to have accepted its start
        """
        self._write(job, accepted=accepted)

    def save_success(self, result: RefreshResult, job: Job | None = None) -> None:
        """Store that the refresh was successful, as this attempt may be killed before Airflow knows.

        :param result: the result
        :param job: the job, as long as it is to be closed
        """
        self._write(job, accepted=True, success=result.to_json())

    def clear(self) -> None:
        """Delete what is stored: nothing is left open."""
        if self.store is not None:
            with _tolerate_its_absence():
                self.store.delete(STORE_KEY)

    def success(self) -> RefreshResult | None:
        """Return the success that an earlier attempt of this scope has stored, or None."""
        data = self._read()
        if data is None or data.get("scope") != asdict(self.scope):
            return None
        try:
            return RefreshResult.from_json(data["success"])
        except (KeyError, TypeError, InvalidHandle):
            return None

    def previous(self) -> PreviousAttempt | None:
        """Return what an earlier attempt has left open, or None."""
        data = self._read()
        if data is None or data.get("handle") is None:
            return None
        try:
            job = self.hook.load_job(data.get("handle"))
        except MstrError as error:
            log.warning("%s; the session of an earlier attempt will time out", error.what)
            return None
        if data.get("scope") != asdict(self.scope):
            job = job.without_start()
        return PreviousAttempt(job, data.get("accepted") is True)

    def _write(self, job: Job | None, **fields: Any) -> None:
        if self.store is None:
            return
        handle = job and self.hook.handle(job)
        with _tolerate_its_absence():
            self.store.set(STORE_KEY, {"scope": asdict(self.scope), "handle": handle} | fields)

    def _read(self) -> Mapping[str, Any] | None:
        if self.store is not None:
            with _tolerate_its_absence():
                data = self.store.get(STORE_KEY)
                if isinstance(data, Mapping):
                    return data
        return None


def has_started(previous: PreviousAttempt, clock: Callable[[], float]) -> Flow[bool]:
    """Return whether the server has accepted the start of an earlier attempt, if it shows that.

    :param previous: what the earlier attempt has left open
    :param clock: seconds since the epoch
    :raises OutcomeUnknown: if nothing shows it and another start could add rows twice
    """
    job = previous.job
    if job.started_at is None or previous.was_accepted:
        return job.started_at is not None
    # A start may be rejected for another job, so this attempt does not wait for it.
    if (yield from job.is_busy()):
        return False
    try:
        started = yield from job.has_started(clock)
    except SessionExpired:
        # The poller finds out whether it has loaded anything.
        return True
    if started is None and job.adds_rows:
        killed = ServerUnavailable("the attempt that published was killed before the answer came")
        raise job.start_unknown(killed)
    return started is True


def can_continue(previous: PreviousAttempt, poller: Poller) -> Flow[bool]:
    """Return whether the load of an earlier attempt still runs, or was successful.

    Otherwise, this attempt starts its own.

    :param previous: what the earlier attempt has left open
    :param poller: the poller of its job
    :raises OutcomeUnknown: if the server does not answer, or another start could add rows twice
    """
    try:
        if not (yield from has_started(previous, poller.clock)):
            return False
        poller.log("An earlier attempt of this task has started the load; waiting for it")
        result = yield from poller.wait_for(0)
        if result is not None and result.error is not None:
            raise result.error
    except (PublishFailed, PublishTimedOut, OutcomeUnknown) as error:
        if error.may_answer_later or not error.retryable:
            raise
        poller.log(error.what)
        poller.log("The load of an earlier attempt was not successful; starting another one")
        return False
    return True


@contextmanager
def _tolerate_its_absence() -> Iterator[None]:
    """Go on if Airflow stores nothing: that makes a crash costly, but no refresh wrong."""
    try:
        yield
    except Exception as error:
        log.warning("Airflow's task_state_store could not be used: %s", error)
