# SPDX-License-Identifier: Apache-2.0
"""Let the error decide how soon a failed refresh is retried (Airflow 3.3)."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.retry_policy import MstrRetryPolicy

with DAG(
    "mstr_retry_policy",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        deferrable=True,
        retries=4,
        retry_policy=MstrRetryPolicy(minutes=10),
    )
