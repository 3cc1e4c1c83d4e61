# SPDX-License-Identifier: Apache-2.0
"""A refresh as four tasks, wired so that nothing stays open on the server."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import TaskGroup, XComArg, conf

from airflow_provider_mstr.arguments import DEFAULT_CONN_ID, DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT, WhenBusy
from airflow_provider_mstr.durations import positive_seconds
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    Tables,
)
from airflow_provider_mstr.rest.tables import RefreshPolicy
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


class DataModelRefresh(TaskGroup):
    """The task group of a refresh."""

    @property
    def outcome(self) -> XComArg:
        """The outcome of the refresh, for a task that follows it."""
        wait = self.get_child_by_label("wait")
        return XComArg(cast("BaseOperator", wait))


def refresh_data_model(
    group_id: str = "refresh_data_model",
    *,
    data_model_id: str | None = None,
    data_model: str | None = None,
    project_id: str | None = None,
    tables: Tables | None = None,
    refresh_policy: str = RefreshPolicy.REPLACE.value,
    mstr_conn_id: str = DEFAULT_CONN_ID,
    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
    poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
    timeout: float | timedelta = DEFAULT_TIMEOUT,
    when_busy: str = WhenBusy.WAIT.value,
    evidence: bool = True,
    **group: Any,
) -> DataModelRefresh:
    """Return a task group of ``create``, ``publish``, ``wait`` and ``delete``.

    ``create`` is the setup and ``delete`` its teardown, so that the session is closed whatever becomes
    of the tasks between them. Tasks after the group follow ``wait``, which returns the outcome.
    Either ``data_model_id`` or ``data_model`` is to be given.

    :param group_id: the group's id, which the task ids begin with
    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which only one in the project may have (templated)
    :param project_id: the project's id or name; None for the connection's (templated)
    :param tables: None for every table; a list of table names or ids; or a mapping of name or id to
        refresh policy (templated)
    :param refresh_policy: the policy of the tables that name none (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: seconds of the longest pause between two looks at the publish
    :param timeout: seconds that the publish may take, from the moment it was sent
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param evidence: whether to ask the model's cube where publishStatus does not settle a thing
    :param group: further arguments of ``TaskGroup``, such as ``tooltip`` and ``default_args``
    """
    refresh = DataModelRefresh(group_id=group_id, **group)
    with refresh:
        create = MstrCreateDataModelInstanceOperator(
            task_id="create",
            data_model_id=data_model_id,
            data_model=data_model,
            project_id=project_id,
            mstr_conn_id=mstr_conn_id,
        )
        publish = MstrPublishDataModelOperator(
            task_id="publish",
            instance=create.output,
            tables=tables,
            refresh_policy=refresh_policy,
            mstr_conn_id=mstr_conn_id,
            when_busy=when_busy,
            timeout=timeout,
            evidence=evidence,
        )
        wait = MstrPublishStatusSensor(
            task_id="wait",
            instance=publish.output,
            mstr_conn_id=mstr_conn_id,
            deferrable=deferrable,
            poke_interval=positive_seconds("poll_interval", poll_interval),
            timeout=timeout,
        )
        delete = MstrDeleteDataModelInstanceOperator(
            task_id="delete", instance=create.output, mstr_conn_id=mstr_conn_id
        )
        create >> publish >> wait >> delete.as_teardown(setups=create)
    return refresh
