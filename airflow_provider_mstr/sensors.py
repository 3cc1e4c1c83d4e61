# SPDX-License-Identifier: Apache-2.0
"""The sensor: waits for a publish that another task has started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    conf,
)

from airflow_provider_mstr.arguments import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    as_boolean,
)
from airflow_provider_mstr.durations import positive_seconds
from airflow_provider_mstr.failures import handle_failures
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError, PublishTimedOut
from airflow_provider_mstr.tasks import MstrTask

if TYPE_CHECKING:
    from airflow_provider_mstr.refresh import Ending
    from airflow_provider_mstr.watch import Watcher

# Seconds for which a worker asks a server that is away before it defers.
EARLY_PATIENCE = 3.0


class MstrPublishStatusSensor(MstrTask, BaseSensorOperator):
    """Waits until a publish has ended, and returns its outcome.

    :param instance: the handle of the publish: the output of the task that published (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poke_interval: seconds between two looks; while deferred, of the longest pause between them
    :param timeout: seconds that the load may take, from the moment that the server has accepted the publish
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
        self._watching: Watcher | None = None

    def execute(self, context: Context) -> Any:
        """Wait for the publish, and return its outcome.

        :param context: the task's context
        """
        if not self.deferrable:
            with self.breakable():
                return super().execute(context)
        with self._failures():
            watcher = self._watcher(context)
            ending = self.watch(watcher, watcher.end_within(0, EARLY_PATIENCE))
            if ending is None:
                self.defer_to_trigger(context, watcher, closes=False)
            return self.conclude(context, ending)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; the publish has ended where the value is true.

        :param context: the task's context
        """
        with self._failures():
            watcher = self._watcher(context)
            ending = self.watch(watcher, watcher.end_within(0))
            return PokeReturnValue(ending is not None, ending and self.conclude(context, ending))

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Return the outcome of the publish that the trigger saw ending.

        :param context: the task's context
        :param event: what the trigger fired
        """
        with self._failures():
            return self.conclude(context, self.fired(event))

    def conclude(self, context: Context, ending: Ending) -> dict[str, Any]:
        """Push and tell the outcome, whatever it is; return it where it is a success, else raise its error.

        :param context: the task's context
        :param ending: how the watch ended
        """
        self.read_lineage(self.instance, sources=False)
        return super().conclude(context, ending)

    def _watcher(self, context: Context) -> Watcher:
        """Return the watcher of the publish, one for all the looks of this process."""
        self._watching = self._watching or self._new_watcher(context)
        return self._watching

    def _new_watcher(self, context: Context) -> Watcher:
        refresh = self.given(context, self.instance)
        if refresh.published_at is None:
            raise InvalidInput("instance was not published: give the sensor the output of the publish task")
        watcher = self.watcher(refresh, self.timeout, self.poke_interval)
        # A session that is over at the first look was most likely closed on purpose, by a teardown.
        watcher.answered = False
        return watcher

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Let failures end the sensor as its own do: a timeout at once, or skipped where asked for."""
        try:
            with handle_failures():
                yield
        except PublishTimedOut as error:
            raise AirflowSensorTimeout(str(error)) from error
        except (MstrError, AirflowFailException) as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipping: {error}") from error
            raise
