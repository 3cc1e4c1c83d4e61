# SPDX-License-Identifier: Apache-2.0
"""What every task does while it runs: load its job, wait for it, report how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr.assets import attach_result
from airflow_provider_mstr.observability import lineage, metrics, summary
from airflow_provider_mstr.observability.log_fields import log_fields, with_fields
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.options import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.rest.errors import MstrError, OutcomeUnknown
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.words import duration
from airflow_provider_mstr.task.usual_duration import usual_duration

if TYPE_CHECKING:
    from airflow_provider_mstr.operators.base import MstrTask

T = TypeVar("T")

LOAD_KEY = "mstr_load"
RESULT_KEY = "mstr_result"
LINEAGE_KEY = "mstr_lineage"


class TaskRun:
    """One run of a task.

    :param task: the operator or sensor
    :param context: the task's context
    :param timeout: seconds that the load may take
    :param poll_interval: maximum seconds between two polls
    """

    def __init__(
        self,
        task: MstrTask,
        context: Context,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
    ) -> None:
        self.task = task
        self.context = context
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.hook = task.hook
        self.log = task.log
        # The job that an error belongs to.
        self.job: Job | None = None

    def load_handle(self, handle: Any) -> Job:
        """Return the job of a handle, and put the link on the task.

        :param handle: the handle, as another task returned it
        """
        job = self.hook.load_job(handle)
        self.link_to(job)
        return job

    def link_to(self, job: Job) -> None:
        """Put the link to the job's object on the task, if its id is known.

        :param job: the job
        """
        if job.object_id:
            self.task.link(self.context, job.kind, job.object_id, job.project_id)

    def push_load(self, job: Job) -> None:
        """Push what is loaded, and since when, for Airflow's UI.

        :param job: the job that was started
        """
        self.context["ti"].xcom_push(key=LOAD_KEY, value=job.describe())
        self._show_name(job.kind, job.object_name)

    def log_usual_duration(self) -> None:
        """Log how long the task usually takes, if Airflow knows it."""
        if (seconds := usual_duration(self.context)) is not None:
            with log_fields(usual_seconds=round(seconds, 1)):
                self.log.info("This task usually takes %s", duration(seconds))

    def _show_name(self, kind: str, name: str) -> None:
        """Show the object's name among the rendered fields of a task that has a field for it."""
        # Airflow may render the field again.
        if kind in self.task.template_fields and "{" not in name:
            setattr(self.task, kind, name)

    def close(self, job: Job) -> bool:
        """Close a job, and return whether that was possible; otherwise its session times out.

        :param job: the job that is over
        """
        try:
            self.hook.close(job)
        except MstrError as error:
            self.log.warning("%s; the session will time out", error.what)
            return False
        return True

    def poller(self, job: Job) -> Poller:
        """Return the poller of a job, which logs its progress in the task's log.

        :param job: the job that was started
        """
        credentials, log = self.hook.server.credentials, with_fields(self.log.info)
        return Poller(job, self.timeout, self.poll_interval, credentials, time.time, log)

    def poll(self, poller: Poller, flow: Flow[T]) -> T:
        """Run a flow that polls, count its requests, and return what it returns.

        :param poller: the poller
        :param flow: its flow, or one that uses it
        """
        polls, retries = poller.poll_count, self.hook.retries
        try:
            return self.hook.run(flow)
        finally:
            metrics.polled(poller.job, poller.poll_count - polls, self.hook.retries - retries)

    def parse_event(self, event: Any) -> RefreshResult:
        """Return the result that a trigger saw.

        :param event: the event of the trigger
        """
        result = RefreshResult.from_event(event)
        metrics.polled(result, event.get("polls", 0), event.get("retries", 0))
        return result

    def pull_own_xcom(self, key: str) -> Any:
        """Return what the task itself has pushed, before it deferred.

        :param key: the key of the XCom
        """
        ti = self.context["ti"]
        return ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=ti.map_index)

    def conclude(self, result: RefreshResult) -> dict[str, Any]:
        """Push and log the result; return it if it is a success, otherwise raise its error.

        :param result: how the refresh ended
        """
        self.task.result = result
        data = result.to_json()
        self.context["ti"].xcom_push(key=RESULT_KEY, value=data)
        self._show_name(result.kind, result.name)
        with log_fields(refresh="ended", state=str(result.state), seconds=round(result.seconds, 1)):
            heading, *rows = summary.lines(result)
            self.log.info(heading)
        for row in rows:
            self.log.info(row)
        metrics.ended(result)
        if result.error is not None:
            raise result.error
        attach_result(self.context, self.task.outlets, result, self.hook.mstr_conn_id)
        return data

    @contextmanager
    def concluding(self) -> Iterator[None]:
        """Push the result also if the block raises that it is unknown whether the load has started."""
        try:
            yield
        except OutcomeUnknown as error:
            if self.job is not None:
                self.conclude(self.poller(self.job).failure(error))
            raise

    def read_lineage(self, job: Job | Any, *, sources: bool) -> None:
        """Read for OpenLineage, if it is enabled, what the task loads.

        :param job: the job, or its handle
        :param sources: whether to read also which database tables the load reads
        """
        with self._without_failing():
            if lineage.is_enabled(self.task):
                job = job if isinstance(job, Job) else self.hook.load_job(job)
                read = lineage.lineage_of if sources else lineage.object_lineage
                self.task.lineage = self.hook.run(read(self.hook.server, job, time.time))

    def push_lineage(self) -> None:
        """Store what was read until the task resumes, when its session may be closed."""
        if self.task.lineage is not None:
            self.context["ti"].xcom_push(key=LINEAGE_KEY, value=self.task.lineage.to_json())

    def pull_lineage(self) -> None:
        """Load what :meth:`push_lineage` has stored."""
        with self._without_failing():
            if lineage.is_enabled(self.task) and (stored := self.pull_own_xcom(LINEAGE_KEY)):
                self.task.lineage = lineage.Lineage.from_json(stored)

    @contextmanager
    def _without_failing(self) -> Iterator[None]:
        """Let no error of OpenLineage fail the refresh."""
        try:
            yield
        except Exception as error:
            self.log.warning("OpenLineage does not receive what this task loads: %s", error)
