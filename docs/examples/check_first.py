# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model only if a check of the loaded data passes."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.sql.operators.sql import SQLCheckOperator, SQLExecuteQueryOperator

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(
    "mstr_check_first",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    load = SQLExecuteQueryOperator(
        task_id="load_sales",
        conn_id="snowflake_default",
        sql="COPY INTO retail.ytd_day FROM @landing/sales/{{ ds }}/",
    )
    check = SQLCheckOperator(
        task_id="check_sales",
        conn_id="snowflake_default",
        # Each column of the result must be true: the day has rows, and each row has a store.
        sql="""
            SELECT COUNT(*) > 0, COUNT(*) = COUNT(store_id)
            FROM retail.ytd_day
            WHERE day = '{{ ds }}'
        """,
    )
    refresh = MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        tables=["ytd_day"],
        deferrable=True,
    )

    load >> check >> refresh
