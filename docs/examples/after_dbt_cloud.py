# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model after a dbt Cloud job."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(
    "mstr_after_dbt_cloud",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    dbt_job = DbtCloudRunJobOperator(
        task_id="run_dbt_job",
        dbt_cloud_conn_id="dbt_cloud_default",
        job_id=48617,
        deferrable=True,
    )
    refresh = MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        deferrable=True,
        retries=2,
        retry_delay=pendulum.duration(minutes=5),
    )

    dbt_job >> refresh
