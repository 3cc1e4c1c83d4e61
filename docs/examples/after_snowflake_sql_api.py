# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model after loads into Snowflake that occupy no worker."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.snowflake.operators.snowflake import SnowflakeSqlApiOperator

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(
    "mstr_after_snowflake_sql_api",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    load = SnowflakeSqlApiOperator(
        task_id="load_sales_and_stores",
        snowflake_conn_id="snowflake_default",
        sql="""
            COPY INTO retail.ytd_day FROM @landing/sales/{{ ds }}/;
            COPY INTO retail.lu_store FROM @landing/stores/{{ ds }}/;
        """,
        statement_count=2,
        deferrable=True,
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

    load >> refresh
