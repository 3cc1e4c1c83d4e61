# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model when two assets have changed, and send a report when the data model has changed.

The event of the data model's asset has the result of the refresh. The report reads it.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_mstr.assets import data_model_asset
from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

RETAIL = "9F4772B837604551B4D3CC916ADC5598"

stores = Asset("x-warehouse://public/lu_store")
sales = Asset("x-warehouse://public/ytd_day_sls")
model = data_model_asset(RETAIL)

with DAG(
    "mstr_load_assets",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    tags=["mstr"],
):

    @task(outlets=[stores])
    def load_stores() -> None:
        """Replace this with the load of the stores, for example with dbt."""

    @task(outlets=[sales])
    def load_sales() -> None:
        """Replace this with the load of the sales."""

    load_stores()
    load_sales()

with DAG(
    "mstr_refresh_on_assets",
    schedule=[stores, sales],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    tags=["mstr"],
):
    MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id=RETAIL,
        tables={"lu_store": "upsert", "ytd_day": "replace"},
        deferrable=True,
        outlets=[model],
    )

with DAG(
    "mstr_report_on_assets",
    schedule=[model],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    tags=["mstr"],
):

    @task(inlets=[model])
    def report(triggering_asset_events: Any = None) -> list[str]:
        """Replace this with a report on the data model; a run that a user starts has no events."""
        events = triggering_asset_events[model] if triggering_asset_events else []
        results = [event.extra["refresh"] for event in events]
        return [f"{len(each['tables'])} tables loaded in {each['seconds']} s" for each in results]

    report()
