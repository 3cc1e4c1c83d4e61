# SPDX-License-Identifier: Apache-2.0
"""A refresh as four tasks, whose teardown closes the session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import TaskGroup, XComArg

from airflow_provider_mstr.operators.arguments import NOTSET, NotSet, default_levels, nearest
from airflow_provider_mstr.operators.data_model import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    Tables,
)
from airflow_provider_mstr.refresh.options import positive_seconds
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


class DataModelRefresh(TaskGroup):
    """The task group of a refresh."""

    @property
    def result(self) -> XComArg:
        """The result of the refresh, for a task that follows it."""
        wait = self.get_child_by_label("wait")
        return XComArg(cast("BaseOperator", wait))


def refresh_data_model(
    group_id: str = "refresh_data_model",
    *,
    data_model_id: str | NotSet | None = NOTSET,
    data_model: str | NotSet | None = NOTSET,
    project_id: str | NotSet | None = NOTSET,
    tables: Tables | NotSet | None = NOTSET,
    refresh_policy: str | NotSet = NOTSET,
    mstr_conn_id: str | NotSet = NOTSET,
    deferrable: bool | NotSet = NOTSET,
    poll_interval: float | timedelta | NotSet = NOTSET,
    timeout: float | timedelta | NotSet = NOTSET,
    when_busy: str | NotSet = NOTSET,
    verify_last_update: bool | NotSet = NOTSET,
    **group: Any,
) -> DataModelRefresh:
    """Return a task group of ``create``, ``publish``, ``wait`` and ``delete``.

    ``create`` is the setup and ``delete`` its teardown, so that the session is closed whatever becomes
    of the tasks between them. Tasks after the group follow ``wait``, which returns the result.
    Either ``data_model_id`` or ``data_model`` is to be given.
    If you leave out an argument, it comes from the ``default_args`` of the group, of the groups around it, or
    of the DAG; otherwise it has the default of the operators.

    :param group_id: the group's id, with which the task ids begin
    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which must be unique in the project (templated)
    :param project_id: the project's id or name; by default the connection's project (templated)
    :param tables: the tables to publish: a list of names or ids, or a mapping of name or id to refresh
        policy; by default every table (templated)
    :param refresh_policy: the policy of the tables without their own policy (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: maximum seconds between two checks of the publish; ``poke_interval`` in
        ``default_args`` means the same
    :param timeout: maximum seconds of the load, counted from the publish that the server accepts
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param verify_last_update: whether to read the last update if publishStatus does not show the end
    :param group: further arguments of ``TaskGroup``, such as ``tooltip`` and ``default_args``
    """
    refresh = DataModelRefresh(group_id=group_id, **group)
    if poll_interval is NOTSET:
        poll_interval = _default_poll_interval(refresh)
    poke_interval = (
        poll_interval if poll_interval is NOTSET else positive_seconds("poll_interval", poll_interval)
    )
    connection = _given(mstr_conn_id=mstr_conn_id)
    with refresh:
        create = MstrCreateDataModelInstanceOperator(
            task_id="create",
            **_given(data_model_id=data_model_id, data_model=data_model, project_id=project_id),
            **connection,
        )
        publish = MstrPublishDataModelOperator(
            task_id="publish",
            instance=create.output,
            **_given(
                tables=tables,
                refresh_policy=refresh_policy,
                when_busy=when_busy,
                timeout=timeout,
                verify_last_update=verify_last_update,
            ),
            **connection,
        )
        wait = MstrPublishStatusSensor(
            task_id="wait",
            instance=publish.output,
            **_given(deferrable=deferrable, poke_interval=poke_interval, timeout=timeout),
            **connection,
        )
        delete = MstrDeleteDataModelInstanceOperator(task_id="delete", instance=create.output, **connection)
        create >> publish >> wait >> delete.as_teardown(setups=create)
    return refresh


def _given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that are not left out: Airflow fills in the others from ``default_args``."""
    return {name: value for name, value in arguments.items() if value is not NOTSET}


def _default_poll_interval(group: TaskGroup) -> Any:
    """Return ``poll_interval`` of the default arguments, unless a ``poke_interval`` is nearer to the group.

    The sensor has no argument of this name, so Airflow does not fill it in.
    """
    levels = default_levels(group.dag, group)
    defaults: Mapping[str, Any] = {name: value for level in levels for name, value in level.items()}
    both = {name: defaults[name] for name in ("poll_interval", "poke_interval") if name in defaults}
    return both["poll_interval"] if "poll_interval" in nearest(both, *levels) else NOTSET
