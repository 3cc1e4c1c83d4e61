# SPDX-License-Identifier: Apache-2.0
"""Run an incremental refresh report that loads the new sales into its cube."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.assets import cube_asset
from airflow_provider_mstr.operators import MstrRunIncrementalRefreshOperator

with DAG(
    "mstr_incremental_refresh",
    schedule="0 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    MstrRunIncrementalRefreshOperator(
        task_id="run_sales_update",
        report_id="1D9B6F3A8E1C4750A4F7C0B5E8D3196B",
        deferrable=True,
        retries=2,
        outlets=[cube_asset("4B7D9E2A6C1F4830A5E8B3D7F0C6921A")],
    )
