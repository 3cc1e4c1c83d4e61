# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model and a cube in parallel after two loads, and then read both results."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_mstr.assets import cube_asset, data_model_asset
from airflow_provider_mstr.operators import MstrRefreshCubeOperator, MstrRefreshDataModelOperator

FINANCE = "3E5D1A7C4F8B4B0E9A6C2D8F1E7B5A90"
SALES_CUBE = "4B7D9E2A6C1F4830A5E8B3D7F0C6921A"

with DAG(
    "mstr_refresh_model_and_cube",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    tags=["mstr"],
):

    @task
    def load_ledger() -> None:
        """Replace this with the load of the ledger, for example with dbt."""

    @task
    def load_sales() -> None:
        """Replace this with the load of the sales."""

    refresh_finance = MstrRefreshDataModelOperator(
        task_id="refresh_finance",
        data_model_id=FINANCE,
        deferrable=True,
        outlets=[data_model_asset(FINANCE)],
    )
    refresh_sales_cube = MstrRefreshCubeOperator(
        task_id="refresh_sales_cube",
        cube_id=SALES_CUBE,
        deferrable=True,
        outlets=[cube_asset(SALES_CUBE)],
    )

    @task
    def report(data_model: Any, cube: Any) -> list[str]:
        """Replace this with a task that needs both."""
        return [
            f"{result['name']}: {result['state']} in {result['seconds']} s" for result in (data_model, cube)
        ]

    loads = [load_ledger(), load_sales()]
    loads >> refresh_finance
    loads >> refresh_sales_cube
    report(refresh_finance.output, refresh_sales_cube.output)
