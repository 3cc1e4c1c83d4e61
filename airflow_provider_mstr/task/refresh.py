# SPDX-License-Identifier: Apache-2.0
"""Runs a whole refresh in one task: continue or start it, wait or defer, resume, close."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, TaskDeferred

from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.options import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.refresh.spec import JobSpec
from airflow_provider_mstr.rest.errors import MstrError, OutcomeUnknown, ServerUnavailable
from airflow_provider_mstr.task.attempts import AttemptStore, can_continue, has_started
from airflow_provider_mstr.task.failures import TaskKilledError
from airflow_provider_mstr.task.run import TaskRun

if TYPE_CHECKING:
    from airflow_provider_mstr.operators.base import MstrTask

HANDLE_KEY = "mstr_handle"

# Seconds for which a worker itself polls before it defers: small loads end within them.
WORKER_SECONDS = 3.0


class StoredRun(TaskRun):
    """One run of a task that stores its job, so that the next attempt finds it.

    :param task: the operator
    :param context: the task's context
    :param arguments: the arguments that select what to refresh
    :param timeout: seconds that the load, or the wait for another job, may take
    :param poll_interval: maximum seconds between two polls
    """

    def __init__(
        self,
        task: MstrTask,
        context: Context,
        *,
        arguments: tuple[Any, ...] = (),
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
    ) -> None:
        super().__init__(task, context, timeout=timeout, poll_interval=poll_interval)
        self.store = AttemptStore.of(context, self.hook, *arguments)

    def on_progress(self, job: Job, accepted: bool = False) -> None:
        """Store how far the start is.

        :param job: the job as it is
        :param accepted: whether the server has accepted the start
        """
        if job.is_open:
            self.job = job
        self.store.save(job, accepted)


class RefreshRun(StoredRun):
    """One run of a task that refreshes an object from login to logout."""

    _success: RefreshResult | None = None

    def execute(self, make_spec: Callable[[], JobSpec[Any]], *, defers: bool) -> Any:
        """Refresh the object, and return the result.

        :param make_spec: returns what to refresh
        :param defers: whether to wait in the triggerer
        """
        with self._closing():
            if (success := self.store.success()) is not None:
                return self._repeat(success)
            with self.concluding():
                poller = self._continue() or self._start(make_spec())
            self.push_load(poller.job)
            return self._wait(poller, defers=defers)

    def complete(self, event: Any) -> dict[str, Any]:
        """Return the result that the trigger saw, and close the job unless the trigger has closed it.

        :param event: the event of the trigger
        """
        with self._closing():
            if not isinstance(event, Mapping):
                self._reload(self.pull_own_xcom(HANDLE_KEY))
            elif event.get("handle"):
                self._reload(event["handle"])
            self.pull_lineage()
            return self.conclude(self.parse_event(event))

    def fail(self, resume: Callable[[], Any]) -> Any:
        """Close the job after the trigger failed, so that nobody has seen how the load ends.

        :param resume: lets Airflow raise its own error
        :raises OutcomeUnknown: if Airflow's own error is raised
        """
        with self._closing(), self.concluding():
            self._reload(self.pull_own_xcom(HANDLE_KEY))
            try:
                return resume()
            except Exception as error:
                failed = ServerUnavailable(
                    f"the wait in the triggerer failed ({type(error).__name__}: {error})"
                )
                if self.job is None:
                    raise OutcomeUnknown(f"{failed.what}, so it is unknown how the load ends") from error
                raise self.job.end_unknown(failed) from error

    def conclude(self, result: RefreshResult) -> dict[str, Any]:
        """Push and log the result; return it if it is a success, otherwise raise its error.

        :param result: how the refresh ended
        """
        if result.error is None:
            self._success = result
            self.store.save_success(result, self.job)
        return super().conclude(result)

    def _repeat(self, success: RefreshResult) -> dict[str, Any]:
        """Return a success after which an earlier attempt was killed, before Airflow knew of it."""
        self.log.info("An earlier attempt of this task has completed the load; reporting its result")
        previous = self.store.previous()
        self.job = previous.job if previous is not None else None
        return self.conclude(success)

    def _continue(self) -> Poller | None:
        """Return the poller of an earlier attempt's job; close it if it cannot be continued."""
        previous = self.store.previous()
        if previous is None:
            return None
        self.job = previous.job
        self.link_to(previous.job)
        poller = self.poller(previous.job)
        if self.poll(poller, can_continue(previous, poller)):
            return poller
        self._close()
        return None

    def _start(self, spec: JobSpec[Any]) -> Poller:
        self.log_usual_duration()
        job = self.hook.open_job(spec, self.on_progress, self.link_to)
        return self.poller(self.hook.start_job(spec, job, self.on_progress))

    def _wait(self, poller: Poller, *, defers: bool) -> dict[str, Any]:
        self.read_lineage(poller.job, sources=True)
        flow = poller.wait_for(WORKER_SECONDS, WORKER_SECONDS) if defers else poller.wait()
        result = self.poll(poller, flow)
        self.job = poller.job
        if result is None:
            self.push_lineage()
            self.context["ti"].xcom_push(key=HANDLE_KEY, value=self.hook.handle(poller.job))
            self.task.defer_to_trigger(self.context, poller, closes=True)
        return self.conclude(result)

    def _reload(self, handle: Any) -> None:
        try:
            self.job = self.hook.load_job(handle)
        except MstrError as error:
            self.log.warning("%s; the session will time out", error.what)

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """Close the job at the end of the block, unless the task defers."""
        try:
            with self.task.interruptible():
                yield
        except TaskDeferred:
            raise
        except BaseException as error:
            self._close(error)
            raise
        else:
            self._close()

    def _close(self, error: BaseException | None = None) -> None:
        """Close the job, once; a session that cannot be closed times out and is no reason to fail.

        :param error: why the job is given up
        """
        job, self.job = self.job, None
        is_closed = job is None or self.close(job)
        if isinstance(error, TaskKilledError):
            # A kill may interrupt a request to Airflow, which accepts no other request then.
            return
        if error is None and self._success is not None:
            if is_closed and job is not None:
                self.store.save_success(self._success)
        elif is_closed:
            self.store.clear()
        elif job is not None and not (isinstance(error, MstrError) and error.may_answer_later):
            self.store.save(job.without_start())


class StartRun(StoredRun):
    """One run of a task that starts a load in a session that another task has opened."""

    def execute(self, spec: JobSpec[Any], handle: Any) -> dict[str, Any]:
        """Start the load, and return the handle that a sensor waits with.

        :param spec: what to refresh
        :param handle: the handle of the job that was opened
        """
        opened = self.load_handle(handle)
        with self.concluding():
            started = self._continue(opened) or self.hook.start_job(
                spec,
                opened,
                self.on_progress,
                owns_session=False,  # pragma: no mutate - None means the same
            )
        self.read_lineage(started, sources=True)
        return self.hook.handle(started)

    def _continue(self, opened: Job) -> Job | None:
        """Return the job that an earlier attempt has started in the same session, if it has."""
        previous = self.store.previous()
        if previous is None or previous.job.session.token != opened.session.token:
            return None
        self.job = previous.job
        if not self.hook.run(has_started(previous, time.time)):
            return None
        self.log.info("An earlier attempt of this task has started the load")
        return previous.job


class OpenRun(StoredRun):
    """One run of a task that only logs in and opens a job."""

    def execute(self, spec: JobSpec[Any]) -> dict[str, Any]:
        """Open the job, and return its handle; close what an earlier attempt has opened.

        :param spec: what to refresh
        """
        previous = self.store.previous()
        if previous is not None:
            self.close(previous.job)
        return self.hook.handle(self.hook.open_job(spec, self.on_progress, self.link_to))
