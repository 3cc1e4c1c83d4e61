# SPDX-License-Identifier: Apache-2.0
"""The operators for data models: the whole refresh in one task, and its steps as tasks of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, Context, conf

from airflow_provider_mstr.operators.arguments import (
    NOTSET,
    NotSet,
    Templated,
    as_boolean,
    default_levels,
    nearest,
)
from airflow_provider_mstr.operators.base import MstrTask
from airflow_provider_mstr.refresh.literals import is_blank
from airflow_provider_mstr.refresh.options import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    WhenBusy,
    positive_seconds,
)
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.text import ID_LENGTH
from airflow_provider_mstr.task.failures import handle_failures, task_failures

if TYPE_CHECKING:
    from airflow_provider_mstr.refresh.data_model import DataModelSpec
    from airflow_provider_mstr.task.refresh import RefreshRun

Tables = Collection[str] | Mapping[str, str | None] | str


class _ModelTask(MstrTask):
    """Mixed into an operator that refreshes a data model, given by its id or by its name.

    :param data_model_id: the data model's id
    :param data_model: the data model's name instead
    :param project_id: the project's id or name; the connection's if it is left out
    :raises InvalidInput: if both id and name are given, at the same level of default arguments
    """

    data_model_id = Templated(ID_LENGTH)
    data_model = Templated()
    project_id = Templated()

    def __init__(self, *, data_model_id: Any, data_model: Any, project_id: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given = {"data_model_id": data_model_id, "data_model": data_model}
        if None not in given.values():
            dag = self.dag if self.has_dag() else None  # type: ignore[no-untyped-call]
            levels = default_levels(dag, self.task_group)
            names = nearest(given, *levels, kwargs.get("default_args") or {})
            if len(names) > 1:
                raise InvalidInput("give either data_model_id or data_model, not both")
            given = {name: value if name in names else None for name, value in given.items()}
        self.data_model_id = given["data_model_id"]
        self.data_model = given["data_model"]
        self._by_name = self.data_model is not None
        self.project_id = project_id

    def project(self, context: Context) -> str:
        """Return the project's id or name.

        :param context: the task's context
        :raises InvalidInput: if that is neither
        """
        return self.hook.project(self.argument(context, "project_id"))

    def resolve_model(self, context: Context) -> tuple[str, str]:
        """Return project and data model, each by id or name; put the link on the task if the id is known.

        :param context: the task's context
        :raises InvalidInput: if one of them is neither
        """
        project = self.project(context)
        if self._by_name:
            return project, self.hook.data_model_name(self.argument(context, "data_model"))
        data_model_id = self.hook.data_model(self.argument(context, "data_model_id"))
        self.link(context, data_model_id, project)
        return project, data_model_id

    def found(self, context: Context, data_model_id: str) -> None:
        """Put the link on the task as soon as the id of a data model that has a name is known.

        :param context: the task's context
        :param data_model_id: the data model's id
        """
        if self._by_name:
            self.link(context, data_model_id, self.project(context))


class _PublishTask(MstrTask):
    """Mixed into an operator that publishes tables.

    :param tables: the tables; every table if it is left out
    :param refresh_policy: the policy of the tables that name none
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param timeout: seconds that it may take
    :param verify_last_update: whether to read the last update if publishStatus does not show the end
    """

    tables = Templated()
    refresh_policy = Templated()

    def __init__(
        self,
        *,
        tables: Any,
        refresh_policy: Any,
        when_busy: str,
        timeout: float | timedelta,
        verify_last_update: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.refresh_policy = refresh_policy
        self.when_busy = WhenBusy.of(when_busy)
        self.timeout = positive_seconds("timeout", timeout)
        self.verify_last_update = as_boolean("verify_last_update", verify_last_update)

    @property
    def task_arguments(self) -> tuple[Any, Any]:
        """The arguments that select what to publish; a set becomes a list, in the same order each time."""
        tables = sorted(self.tables, key=str) if isinstance(self.tables, Set) else self.tables
        return tables, self.refresh_policy

    def spec(self, context: Context, project: str = "", data_model: str = "") -> DataModelSpec:
        """Return what to publish.

        :param context: the task's context
        :param project: the project's id or name; empty if the data model is already open
        :param data_model: the data model's id or name; empty if it is already open
        :raises InvalidInput: if the arguments are invalid
        """
        from airflow_provider_mstr.refresh.data_model import DataModelSpec
        from airflow_provider_mstr.refresh.tables import TableChoice

        choice = TableChoice.of(self.argument(context, "tables"), self.argument(context, "refresh_policy"))
        return DataModelSpec(
            project,
            data_model,
            choice,
            verify_last_update=self.verify_last_update,
            when_busy=self.when_busy,
            timeout=self.timeout,
        )


class MstrRefreshDataModelOperator(_ModelTask, _PublishTask, BaseOperator):
    """Refreshes a data model: the whole refresh in one task, with one session, closed on every path.

    Give either ``data_model_id`` or ``data_model``.

    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which only one in the project may have (templated)
    :param project_id: the project's id or name; the connection's if it is left out (templated)
    :param tables: the tables to publish; every table if it is left out; a list of table names or ids;
        or a mapping of name or id to refresh policy (templated)
    :param refresh_policy: the policy of the tables that name none: ``replace``, ``add``, ``update`` or
        ``upsert`` (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: maximum seconds between two checks of the publish
    :param timeout: seconds that the load may take, from the moment that the server has accepted the publish
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
        refresh_policy: str = RefreshPolicy.REPLACE.value,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        when_busy: str = WhenBusy.WAIT.value,
        verify_last_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            data_model_id=data_model_id,
            data_model=data_model,
            project_id=project_id,
            tables=tables,
            refresh_policy=refresh_policy,
            mstr_conn_id=mstr_conn_id,
            timeout=timeout,
            when_busy=when_busy,
            verify_last_update=verify_last_update,
            **kwargs,
        )
        self.deferrable = as_boolean("deferrable", deferrable)
        self.poll_interval = positive_seconds("poll_interval", poll_interval)

    def execute(self, context: Context) -> Any:
        """Refresh the data model, and return the result.

        :param context: the task's context
        """
        with task_failures():
            spec = partial(self.spec, context, *self.resolve_model(context))
            return self._run(context).execute(spec, partial(self.found, context), defers=self.deferrable)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Return the result of the refresh that the trigger saw, and has closed if it could.

        :param context: the task's context
        :param event: the event of the trigger
        """
        with task_failures():
            return self._run(context).complete(event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after the deferral; close the job first if Airflow resumes only to fail the task.

        :param next_method: what Airflow calls
        :param next_kwargs: its arguments
        :param context: the task's context
        :raises OutcomeUnknown: if the trigger failed, so that nobody has seen how the load ends
        """
        resume = partial(super().resume_execution, next_method, next_kwargs, context)
        if next_method != "__fail__":
            return resume()
        with task_failures():
            return self._run(context).fail(resume)

    def _run(self, context: Context) -> RefreshRun:
        from airflow_provider_mstr.task.refresh import RefreshRun

        return RefreshRun(
            self,
            context,
            timeout=self.timeout,
            poll_interval=self.poll_interval,
            arguments=(self.data_model_id, self.data_model, self.project_id, *self.task_arguments),
        )


class MstrCreateDataModelInstanceOperator(_ModelTask, BaseOperator):
    """Logs in and creates a data model instance; returns its handle, for the tasks that follow.

    To be the setup of a refresh, with :class:`MstrDeleteDataModelInstanceOperator` as its teardown.
    Give either ``data_model_id`` or ``data_model``.

    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which only one in the project may have (templated)
    :param project_id: the project's id or name; the connection's if it is left out (templated)
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
            data_model_id=data_model_id,
            data_model=data_model,
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

        with task_failures(), self.interruptible():
            spec = DataModelSpec(*self.resolve_model(context))
            return OpenRun(self, context).execute(spec, partial(self.found, context))


class MstrPublishDataModelOperator(_PublishTask, BaseOperator):
    """Publishes tables of a data model with an instance; returns the handle of what was published.

    :param instance: the handle of the instance: the output of the task that created it (templated)
    :param tables: the tables to publish; every table if it is left out; a list of table names or ids;
        or a mapping of name or id to refresh policy (templated)
    :param refresh_policy: the policy of the tables that name none (templated)
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
        refresh_policy: str = RefreshPolicy.REPLACE.value,
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

        with handle_failures():
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
        with task_failures():
            self.hook.close(TaskRun(self, context).load_handle(self.instance))
