# SPDX-License-Identifier: Apache-2.0
"""Refreshes that a user, Airflow or a time limit ends before their time: in one task, and in steps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG
from faulty import RaisingRefresh, RaisingWait, SilentRefresh, SilentWait
from models import MARKED_DEFERRED, MARKED_RUNNING, model_of, of_both_forms

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

Options = dict[str, Any]


def dag_named(dag_id: str, dagrun_timeout: timedelta | None) -> DAG:
    start = pendulum.datetime(2026, 1, 1, tz="UTC")
    return DAG(dag_id, schedule=None, start_date=start, dagrun_timeout=dagrun_timeout)


def in_one_task(
    dag_id: str, operator: Any = MstrRefreshDataModelOperator, dagrun_timeout: Any = None, **options: Any
) -> None:
    with dag_named(dag_id, dagrun_timeout):
        operator(task_id="refresh", data_model_id=model_of(dag_id), poll_interval=2, **options)


def in_steps(
    dag_id: str, sensor: Any = MstrPublishStatusSensor, dagrun_timeout: Any = None, **options: Any
) -> None:
    with dag_named(dag_id, dagrun_timeout):
        create = MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=model_of(dag_id))
        publish = MstrPublishDataModelOperator(task_id="publish", instance=create.output)
        wait = sensor(task_id="wait", instance=publish.output, poke_interval=2, **options)
        delete = MstrDeleteDataModelInstanceOperator(task_id="delete", instance=create.output)
        create >> publish >> wait >> delete.as_teardown(setups=create)


def in_both_forms(
    name: str, operator: Options | None = None, sensor: Options | None = None, **options: Any
) -> None:
    one, steps = of_both_forms(name)
    in_one_task(one, **(operator or {}), **options)
    in_steps(steps, **(sensor or {}), **options)


in_both_forms("deferred", deferrable=True)
for name in MARKED_DEFERRED:
    in_both_forms(name, deferrable=True)
for name in MARKED_RUNNING:
    in_both_forms(name, deferrable=False, retry_delay=timedelta(0))
in_one_task("blocking", deferrable=False, retry_delay=timedelta(0))
in_both_forms("dagrun_timeout", deferrable=True, dagrun_timeout=timedelta(seconds=60))
in_both_forms("timeout_deferred", deferrable=True, timeout=8)
in_both_forms("timeout_blocking", deferrable=False, timeout=8)
in_both_forms("execution_timeout_blocking", deferrable=False, execution_timeout=timedelta(seconds=20))
in_one_task("execution_timeout_deferred", deferrable=True, execution_timeout=timedelta(seconds=30))
in_both_forms("raising_trigger", {"operator": RaisingRefresh}, {"sensor": RaisingWait}, deferrable=True)
in_both_forms("silent_trigger", {"operator": SilentRefresh}, {"sensor": SilentWait}, deferrable=True)
in_one_task("deferred_with_an_api_token", deferrable=True, mstr_conn_id="mstr_token")

in_both_forms("large", deferrable=True)

with dag_named("deferred_mapped", None):
    MstrRefreshDataModelOperator.partial(task_id="refresh", deferrable=True, poll_interval=2).expand(
        data_model_id=[model_of("deferred_mapped")]
    )
