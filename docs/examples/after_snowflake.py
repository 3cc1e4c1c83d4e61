# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model after two loads into Snowflake."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(
    "mstr_after_snowflake",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    load_sales = SQLExecuteQueryOperator(
        task_id="load_sales",
        conn_id="snowflake_default",
        sql="COPY INTO retail.ytd_day FROM @landing/sales/{{ ds }}/",
    )
    load_stores = SQLExecuteQueryOperator(
        task_id="load_stores",
        conn_id="snowflake_default",
        sql="COPY INTO retail.lu_store FROM @landing/stores/{{ ds }}/",
    )
    refresh = MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        tables={"ytd_day": "replace", "lu_store": "upsert"},
        deferrable=True,
        timeout=pendulum.duration(hours=3),
        retries=2,
        retry_delay=pendulum.duration(minutes=5),
    )

    [load_sales, load_stores] >> refresh
