# SPDX-License-Identifier: Apache-2.0
"""The operators for data models: the whole refresh in one task, and its steps as tasks of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, Context, conf

from airflow_provider_mstr.operators.arguments import NOTSET, NotSet, Templated
from airflow_provider_mstr.operators.base import MstrTask
from airflow_provider_mstr.operators.refresh import ObjectTask, RefreshTask, StartTask
from airflow_provider_mstr.refresh.literals import is_blank
from airflow_provider_mstr.refresh.options import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_REFRESH_POLICY,
    DEFAULT_TIMEOUT,
    WhenBusy,
)
from airflow_provider_mstr.task.failures import HandleFailures, TaskFailures

if TYPE_CHECKING:
    from airflow_provider_mstr.refresh.data_model import DataModelSpec

Tables = Collection[str] | Mapping[str, str | None] | str


class _ModelTask(ObjectTask):
    """Mixed into an operator for a data model, given by its id or by its name."""

    kind: ClassVar[str] = "data_model"
    data_model_id = Templated(is_id=True)
    data_model = Templated()


class _PublishTask(StartTask):
    """Mixed into an operator that publishes tables.

    :param tables: the tables; by default every table
    :param refresh_policy: the policy of the tables without their own policy
    """

    tables = Templated()
    refresh_policy = Templated()

    def __init__(self, *, tables: Any, refresh_policy: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.refresh_policy = refresh_policy

    @property
    def task_arguments(self) -> tuple[Any, ...]:
        """The arguments that select what to publish; a set becomes a list, in the same order each time."""
        tables = sorted(self.tables, key=str) if isinstance(self.tables, Set) else self.tables
        return tables, self.refresh_policy

    def make_spec(self, context: Context) -> DataModelSpec:
        """Return which tables to publish.

        :param context: the task's context
        :raises InvalidInput: if the arguments are invalid
        """
        from airflow_provider_mstr.refresh.data_model import DataModelSpec
        from airflow_provider_mstr.refresh.tables import TableChoice

        choice = TableChoice.of(self.argument(context, "tables"), self.argument(context, "refresh_policy"))
        return DataModelSpec(choice=choice)


class MstrRefreshDataModelOperator(_ModelTask, _PublishTask, RefreshTask, BaseOperator):
    """Refreshes a data model: the whole refresh in one task, with one session, closed on every path.

    Give either ``data_model_id`` or ``data_model``.

    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which must be unique in the project (templated)
    :param project_id: the project's id or name; by default the connection's project (templated)
    :param tables: the tables to publish: a list of names or ids, or a mapping of name or id to refresh
        policy; by default every table (templated)
    :param refresh_policy: the policy of the tables without their own policy: ``replace``, ``add``,
        ``update`` or ``upsert`` (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: maximum seconds between two checks of the publish
    :param timeout: maximum seconds of the load, counted from the publish that the server accepts
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param verify_last_update: whether to read the last update if publishStatus does not show the end
    """

    template_fields = (
        "data_model_id",
        "data_model",
        "project_id",
        "tables",
        "refresh_policy",
        "mstr_conn_id",
    )

    def __init__(
        self,
        *,
        data_model_id: str | None = None,
        data_model: str | None = None,
        project_id: str | NotSet | None = NOTSET,
        tables: Tables | NotSet | None = NOTSET,
        refresh_policy: str = DEFAULT_REFRESH_POLICY,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        when_busy: str = WhenBusy.WAIT.value,
        verify_last_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            object_id=data_model_id,
            name=data_model,
            project_id=project_id,
            tables=tables,
            refresh_policy=refresh_policy,
            mstr_conn_id=mstr_conn_id,
            timeout=timeout,
            when_busy=when_busy,
            verify_last_update=verify_last_update,
            deferrable=deferrable,
            poll_interval=poll_interval,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Refresh the data model, and return the result.

        :param context: the task's context
        """
        return self.refresh(context)


class MstrCreateDataModelInstanceOperator(_ModelTask, BaseOperator):
    """Logs in and creates a data model instance; returns its handle, for the tasks that follow.

    To be the setup of a refresh, with :class:`MstrDeleteDataModelInstanceOperator` as its teardown.
    Give either ``data_model_id`` or ``data_model``.

    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which must be unique in the project (templated)
    :param project_id: the project's id or name; by default the connection's project (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    """

    template_fields = ("data_model_id", "data_model", "project_id", "mstr_conn_id")

    def __init__(
        self,
        *,
        data_model_id: str | None = None,
        data_model: str | None = None,
        project_id: str | NotSet | None = NOTSET,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            object_id=data_model_id,
            name=data_model,
            project_id=project_id,
            mstr_conn_id=mstr_conn_id,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the instance, and return its handle.

        :param context: the task's context
        """
        from airflow_provider_mstr.refresh.data_model import DataModelSpec
        from airflow_provider_mstr.task.refresh import OpenRun

        with TaskFailures(), self.interruptible():
            project, target = self.resolve(context)
            return OpenRun(self, context).execute(DataModelSpec(project=project, target=target))


class MstrPublishDataModelOperator(_PublishTask, BaseOperator):
    """Publishes tables of a data model with an instance; returns the handle of what was published.

    :param instance: the handle of the instance: the output of the task that created it (templated)
    :param tables: the tables to publish: a list of names or ids, or a mapping of name or id to refresh
        policy; by default every table (templated)
    :param refresh_policy: the policy of the tables without their own policy (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param timeout: seconds to wait for that other job
    :param verify_last_update: whether to read the last update if publishStatus does not show the end
    """

    template_fields = ("instance", "tables", "refresh_policy", "mstr_conn_id")

    def __init__(
        self,
        *,
        instance: Any,
        tables: Tables | NotSet | None = NOTSET,
        refresh_policy: str = DEFAULT_REFRESH_POLICY,
        when_busy: str = WhenBusy.WAIT.value,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        verify_last_update: bool = True,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            tables=tables,
            refresh_policy=refresh_policy,
            when_busy=when_busy,
            timeout=timeout,
            verify_last_update=verify_last_update,
            mstr_conn_id=mstr_conn_id,
            **kwargs,
        )
        self.instance = instance

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the publish, and return the handle that a sensor waits with.

        :param context: the task's context
        """
        from airflow_provider_mstr.task.refresh import StartRun

        with HandleFailures():
            spec = self.spec(context)
            run = StartRun(self, context, timeout=self.timeout, arguments=self.task_arguments)
            return run.execute(spec, self.instance)


class MstrDeleteDataModelInstanceOperator(MstrTask, BaseOperator):
    """Deletes a data model instance and logs its session out; the teardown of a refresh.

    What is gone already is as good as deleted, and so is an instance that was never made.

    :param instance: the handle of the instance: the output of the task that created it (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    """

    template_fields = ("instance", "mstr_conn_id")

    def __init__(self, *, instance: Any, mstr_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(mstr_conn_id=mstr_conn_id, **kwargs)
        self.instance = instance

    def execute(self, context: Context) -> None:
        """Delete the instance and log out.

        :param context: the task's context
        """
        from airflow_provider_mstr.task.run import TaskRun

        if is_blank(self.instance):
            self.log.info("No instance was created, so there is none to delete")
            return
        with TaskFailures():
            self.hook.close(TaskRun(self, context).load_handle(self.instance))
