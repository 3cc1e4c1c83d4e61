# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model after a Databricks job and a notebook."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.databricks.operators.databricks import (
    DatabricksNotebookOperator,
    DatabricksRunNowOperator,
)

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(
    "mstr_after_databricks",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    load_sales = DatabricksRunNowOperator(
        task_id="load_sales",
        databricks_conn_id="databricks_default",
        job_name="load_sales",
        job_parameters={"day": "{{ ds }}"},
        deferrable=True,
    )
    load_stores = DatabricksNotebookOperator(
        task_id="load_stores",
        databricks_conn_id="databricks_default",
        notebook_path="/Workspace/retail/load_stores",
        source="WORKSPACE",
        existing_cluster_id="0923-164208-meows279",
        deferrable=True,
    )
    refresh = MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        tables={"ytd_day": "replace", "lu_store": "upsert"},
        deferrable=True,
        retries=2,
        retry_delay=pendulum.duration(minutes=5),
    )

    [load_sales, load_stores] >> refresh
