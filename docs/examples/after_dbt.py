# SPDX-License-Identifier: Apache-2.0
"""Refresh only the tables whose dbt models dbt Core has built."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, task

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

PROJECT = Path(os.environ.get("DBT_PROJECT_DIR", "/opt/dbt/retail"))

# dbt model: the table of the data model that reads it, and the table's refresh policy
TABLES = {
    "fct_sales": ("ytd_day", "replace"),
    "dim_store": ("lu_store", "upsert"),
    "fct_orders": ("order_detail", "add"),
}

with DAG(
    "mstr_after_dbt",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):

    @task
    def dbt_build() -> dict[str, str]:
        """Run dbt; return the tables to refresh, each with its refresh policy."""
        subprocess.run(["dbt", "build", "--select", *TABLES], cwd=PROJECT, check=True)
        results = json.loads((PROJECT / "target" / "run_results.json").read_text())["results"]
        built = {result["unique_id"].split(".")[-1] for result in results if result["status"] == "success"}
        tables = dict(TABLES[model] for model in TABLES if model in built)
        if not tables:
            raise AirflowSkipException("dbt built no model that the data model reads")
        return tables

    MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        tables=dbt_build(),
        deferrable=True,
        retries=2,
        retry_delay=pendulum.duration(minutes=5),
    )
