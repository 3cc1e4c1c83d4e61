# SPDX-License-Identifier: Apache-2.0
"""Refresh two tables of a data model after their loads, with a task group, and then report the result."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_mstr.task_groups import refresh_data_model

with DAG(
    "mstr_refresh_after_loads",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    tags=["mstr"],
):

    @task
    def load_stores() -> None:
        """Replace this with the load of the stores, for example with dbt."""

    @task
    def load_sales() -> None:
        """Replace this with the load of the sales."""

    refresh = refresh_data_model(
        "refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        tables={"lu_store": "upsert", "ytd_day": "replace"},
        deferrable=True,
    )

    @task
    def report(result: Any) -> str:
        """Replace this with a task that reads the refreshed data model."""
        return f"{len(result['tables'])} tables loaded in {result['seconds']} s"

    [load_stores(), load_sales()] >> refresh
    report(refresh.result)
