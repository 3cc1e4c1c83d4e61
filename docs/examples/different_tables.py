# SPDX-License-Identifier: Apache-2.0
"""Refresh several data models, each with its own tables and refresh policies."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

REFRESHES = [
    {"data_model": "Retail", "tables": {"ytd_day": "replace", "lu_store": "upsert"}},
    {"data_model": "Finance", "tables": ["gl_balance"], "refresh_policy": "add"},
    {"data_model": "Supply Chain"},  # every table
]

with DAG(
    "mstr_different_tables",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    MstrRefreshDataModelOperator.partial(
        task_id="refresh",
        deferrable=True,
        pool="mstr_sessions",
        map_index_template="{{ task.data_model }}",
    ).expand_kwargs(REFRESHES)
