# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model after dbt Core has built the project."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(
    "mstr_after_dbt_core",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    dbt_build = BashOperator(
        task_id="dbt_build",
        bash_command="dbt build --project-dir ${DBT_PROJECT_DIR:-/opt/dbt/retail}",
    )
    refresh = MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        deferrable=True,
        retries=2,
        retry_delay=pendulum.duration(minutes=5),
    )

    dbt_build >> refresh
