# SPDX-License-Identifier: Apache-2.0
"""The operators: the whole refresh in one task, and its steps as tasks of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskDeferred, conf

from airflow_provider_mstr.connection import DEFAULT_CONN_ID
from airflow_provider_mstr.durations import positive_seconds
from airflow_provider_mstr.failures import handle_failures, task_failures
from airflow_provider_mstr.publishing import WhenBusy
from airflow_provider_mstr.refresh import Ending, Refresh
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.tables import RefreshPolicy, TableChoice
from airflow_provider_mstr.tasks import MstrTask
from airflow_provider_mstr.watch import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT

Tables = Sequence[str] | Mapping[str, str | None] | str

HANDLE_KEY = "mstr_handle"

# Seconds for which a worker itself watches before it defers: small models end within them.
EARLY_WATCH = 3.0


class _MstrOperator(MstrTask, BaseOperator):
    """An operator with a Strategy connection.

    :param mstr_conn_id: the Airflow connection
    """

    def __init__(self, *, mstr_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mstr_conn_id = mstr_conn_id


class MstrRefreshDataModelOperator(_MstrOperator):
    """Refreshes a data model: the whole refresh in one task, with one session, closed on every path.

    :param data_model_id: the data model's id (templated)
    :param project_id: the project's id or name; None for the connection's (templated)
    :param tables: None for every table; a list of table names or ids; or a mapping of name or id to
        refresh policy (templated)
    :param refresh_policy: the policy of the tables that name none: ``replace``, ``add``, ``update`` or
        ``upsert`` (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: seconds of the longest pause between two looks at the publish
    :param timeout: seconds that the publish may take, from the moment it was sent
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param evidence: whether to ask the model's cube where publishStatus does not settle a thing
    """

    template_fields = ("data_model_id", "project_id", "tables", "refresh_policy", "mstr_conn_id")

    def __init__(
        self,
        *,
        data_model_id: str,
        project_id: str | None = None,
        tables: Tables | None = None,
        refresh_policy: str = RefreshPolicy.REPLACE.value,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        when_busy: str = WhenBusy.WAIT.value,
        evidence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(mstr_conn_id=mstr_conn_id, **kwargs)
        self.data_model_id = data_model_id
        self.project_id = project_id
        self.tables = tables
        self.refresh_policy = refresh_policy
        self.deferrable = deferrable
        self.poll_interval = positive_seconds("poll_interval", poll_interval)
        self.timeout = positive_seconds("timeout", timeout)
        self.when_busy = WhenBusy.of(when_busy)
        self.evidence = evidence
        self._under_way: Refresh | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Refresh the data model, and return the outcome.

        :param context: the task's context
        """
        with task_failures(), self._closing():
            choice = TableChoice.of(self.tables, self.refresh_policy)
            self.link(context, self.data_model_id, self.hook.project(self.project_id))
            self._goes_on(context, self.hook.open(self.project_id, self.data_model_id))
            published = self.hook.publish(
                self._open, choice, evidence=self.evidence, when_busy=self.when_busy, timeout=self.timeout
            )
            self._goes_on(context, published)
            return self._wait(context)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Return the outcome of the refresh that the trigger saw ending, and closed if it could.

        :param context: the task's context
        :param event: what the trigger fired
        """
        with task_failures():
            if not isinstance(event, Mapping):
                self._reopen(self._kept_handle(context["ti"]))
            elif event.get("handle"):
                self._reopen(event["handle"])
            with self._closing():
                return self.conclude(context, Ending.from_json(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the deferral; close the refresh first where Airflow resumes only to fail the task.

        :param next_method: what Airflow calls
        :param next_kwargs: what it calls it with
        :param context: the task's context
        """
        if next_method == "__fail__":
            self._reopen(self._kept_handle(context["ti"]))
            with self._closing():
                return super().resume_execution(next_method, next_kwargs, context)
        return super().resume_execution(next_method, next_kwargs, context)

    @property
    def _open(self) -> Refresh:
        if self._under_way is None:
            raise RuntimeError("no refresh is under way")
        return self._under_way

    def _goes_on(self, context: Context, refresh: Refresh) -> None:
        self._under_way = refresh
        context["ti"].xcom_push(key=HANDLE_KEY, value=self.hook.handle(refresh).to_json())

    def _wait(self, context: Context) -> dict[str, Any]:
        watcher = self.watcher(self._open, self.timeout, self.poll_interval)
        if not self.deferrable:
            return self.conclude(context, self.hook.run(watcher.end()))
        ending = self.hook.run(watcher.end_within(EARLY_WATCH, EARLY_WATCH))
        if ending is None:
            self.defer_to_trigger(context, watcher, closes=True)
        return self.conclude(context, ending)

    def _kept_handle(self, ti: Any) -> Any:
        return ti.xcom_pull(task_ids=ti.task_id, key=HANDLE_KEY, map_indexes=ti.map_index)

    def _reopen(self, handle: Any) -> None:
        try:
            self._under_way = self.hook.refresh(handle)
        except MstrError as error:
            self.log.warning("The session cannot be closed and will idle out: %s", error)

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """Close the refresh at the end of the block, except where the task defers."""
        try:
            with self.breakable():
                yield
        except TaskDeferred:
            raise
        except BaseException:
            self._close()
            raise
        else:
            self._close()

    def _close(self) -> None:
        """Close the refresh, once; what cannot be closed idles out and is no reason to fail."""
        refresh, self._under_way = self._under_way, None
        if refresh is None:
            return
        try:
            self.hook.close(refresh)
        except MstrError as error:
            self.log.warning("The session could not be closed and will idle out: %s", error)


class MstrCreateDataModelInstanceOperator(_MstrOperator):
    """Logs in and creates a data model instance; returns its handle, for the tasks that follow.

    To be the setup of a refresh, with :class:`MstrDeleteDataModelInstanceOperator` as its teardown.

    :param data_model_id: the data model's id (templated)
    :param project_id: the project's id or name; None for the connection's (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    """

    template_fields = ("data_model_id", "project_id", "mstr_conn_id")

    def __init__(self, *, data_model_id: str, project_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_model_id = data_model_id
        self.project_id = project_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the instance, and return its handle.

        :param context: the task's context
        """
        with task_failures(), self.breakable():
            self.link(context, self.data_model_id, self.hook.project(self.project_id))
            return self.hook.handle(self.hook.open(self.project_id, self.data_model_id)).to_json()


class MstrPublishDataModelOperator(_MstrOperator):
    """Publishes tables of a data model with an instance; returns the handle of what was published.

    :param instance: the handle of the instance: the output of the task that created it (templated)
    :param tables: None for every table; a list of table names or ids; or a mapping of name or id to
        refresh policy (templated)
    :param refresh_policy: the policy of the tables that name none (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param timeout: seconds to wait for that other job
    :param evidence: whether to ask the model's cube where publishStatus does not settle a thing
    """

    template_fields = ("instance", "tables", "refresh_policy", "mstr_conn_id")

    def __init__(
        self,
        *,
        instance: Any,
        tables: Tables | None = None,
        refresh_policy: str = RefreshPolicy.REPLACE.value,
        when_busy: str = WhenBusy.WAIT.value,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        evidence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance = instance
        self.tables = tables
        self.refresh_policy = refresh_policy
        self.when_busy = WhenBusy.of(when_busy)
        self.timeout = positive_seconds("timeout", timeout)
        self.evidence = evidence

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the publish, and return the handle that a sensor waits with.

        :param context: the task's context
        """
        with handle_failures():
            choice = TableChoice.of(self.tables, self.refresh_policy)
            published = self.hook.publish(
                self.given(context, self.instance),
                choice,
                evidence=self.evidence,
                when_busy=self.when_busy,
                timeout=self.timeout,
            )
            return self.hook.handle(published).to_json()


class MstrDeleteDataModelInstanceOperator(_MstrOperator):
    """Deletes a data model instance and logs its session out; the teardown of a refresh.

    What is gone already is as good as deleted, and so is an instance that was never made.

    :param instance: the handle of the instance: the output of the task that created it (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    """

    template_fields = ("instance", "mstr_conn_id")

    def __init__(self, *, instance: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.instance = instance

    def execute(self, context: Context) -> None:
        """Delete the instance and log out.

        :param context: the task's context
        """
        if not self.instance:
            self.log.info("No instance was created, so there is none to delete")
            return
        with task_failures():
            self.hook.close(self.given(context, self.instance))
