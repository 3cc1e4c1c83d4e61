# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model in steps: create an instance, publish, wait, and close the session in a teardown."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
)
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

with DAG(
    "mstr_refresh_in_steps",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    tags=["mstr"],
):
    create = MstrCreateDataModelInstanceOperator(
        task_id="create", data_model_id="9F4772B837604551B4D3CC916ADC5598"
    )
    publish = MstrPublishDataModelOperator(task_id="publish", instance=create.output)
    wait = MstrPublishStatusSensor(task_id="wait", instance=publish.output, deferrable=True)
    delete = MstrDeleteDataModelInstanceOperator(task_id="delete", instance=create.output)

    create >> publish >> wait >> delete.as_teardown(setups=create)
