# SPDX-License-Identifier: Apache-2.0
"""The sensor: waits for a load that another task has started."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)

from airflow_provider_mstr.operators.arguments import as_boolean
from airflow_provider_mstr.operators.base import MstrTask
from airflow_provider_mstr.refresh.options import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    positive_seconds,
)
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError, PublishTimedOut
from airflow_provider_mstr.task.failures import HandleFailures

if TYPE_CHECKING:
    from airflow_provider_mstr.refresh.poller import Poller
    from airflow_provider_mstr.refresh.result import RefreshResult
    from airflow_provider_mstr.task.run import TaskRun

# Seconds for which a worker retries a request before it defers.
WORKER_RETRY_SECONDS = 3.0


class _SensorFailures(HandleFailures):
    """Ends a sensor as Airflow's own sensors end: at once after a timeout, or skipped with ``soft_fail``.

    :param skips: whether a failure skips the sensor
    """

    def __init__(self, *, skips: bool) -> None:
        self._skips = skips

    def task_error(self, error: MstrError) -> Exception:
        """Return the error that ends the sensor.

        :param error: the error of the block
        """
        failed = super().task_error(error)
        if isinstance(failed, PublishTimedOut):
            return AirflowSensorTimeout(str(failed))
        return AirflowSkipException(f"Skipping: {failed}") if self._skips else failed


class MstrPublishStatusSensor(MstrTask, BaseSensorOperator):
    """Waits until a publish ends, and returns its result.

    :param instance: the handle of the publish: the output of the task that published (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poke_interval: seconds between two polls; while deferred, the maximum
    :param timeout: maximum seconds of the load, counted from the publish that the server accepts
    """

    template_fields = ("instance", "mstr_conn_id")

    def __init__(
        self,
        *,
        instance: Any,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mstr_conn_id=mstr_conn_id,
            poke_interval=positive_seconds("poke_interval", poke_interval),
            timeout=positive_seconds("timeout", timeout),
            **kwargs,
        )
        self.instance = instance
        self.deferrable = as_boolean("deferrable", deferrable)
        self._poller: Poller | None = None

    def execute(self, context: Context) -> Any:
        """Wait for the load, and return its result.

        :param context: the task's context
        """
        if not self.deferrable:
            with self.interruptible():
                return super().execute(context)
        with self._failures:
            run = self._run(context)
            poller = self._same_poller(run)
            result = run.poll(poller, poller.wait_for(0, WORKER_RETRY_SECONDS))
            if result is None:
                self.defer_to_trigger(context, poller, closes=False)
            return self._conclude(run, result)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once; the load has ended if the value is true.

        :param context: the task's context
        """
        with self._failures:
            run = self._run(context)
            poller = self._same_poller(run)
            result = run.poll(poller, poller.wait_for(0))
            return PokeReturnValue(result is not None, result and self._conclude(run, result))

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Return the result of the load that the trigger saw.

        :param context: the task's context
        :param event: the event of the trigger
        """
        with self._failures:
            run = self._run(context)
            return self._conclude(run, run.parse_event(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after the deferral; if its trigger failed, raise Airflow's error with one clear text.

        :param next_method: what Airflow calls
        :param next_kwargs: its arguments
        :param context: the task's context
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except Exception as error:
            if next_method != "__fail__":
                raise
            # Airflow's own text does not name what failed, and its chain repeats it.
            text = f"the wait in the triggerer failed ({error}), so it is unknown how the load ends"
            raise type(error)(f"{text}. Check the log of the triggerer.") from None

    def _conclude(self, run: TaskRun, result: RefreshResult) -> dict[str, Any]:
        run.read_lineage(self.instance, sources=False)
        return run.conclude(result)

    def _run(self, context: Context) -> TaskRun:
        from airflow_provider_mstr.task.run import TaskRun

        return TaskRun(self, context, timeout=self.timeout, poll_interval=self.poke_interval)

    def _same_poller(self, run: TaskRun) -> Poller:
        """Return the poller of the job, one for all polls of this process."""
        self._poller = self._poller or self._new_poller(run)
        return self._poller

    def _new_poller(self, run: TaskRun) -> Poller:
        job = run.load_handle(self.instance)
        if job.started_at is None:
            raise InvalidInput("instance was not published: give the sensor the output of the publish task")
        run.push_load(job)
        if not self.reschedule:
            run.log_usual_duration()
        poller = run.poller(job)
        # If the session is over at the first poll, a teardown has most likely closed it.
        poller.has_answered = False
        return poller

    @property
    def _failures(self) -> _SensorFailures:
        return _SensorFailures(skips=self.soft_fail or self.never_fail)
