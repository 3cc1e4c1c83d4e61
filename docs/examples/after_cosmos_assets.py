# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model when Cosmos has built its tables in another DAG."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

MARTS = "snowflake://myorg-myaccount/RETAIL/MARTS"

with DAG(
    "mstr_after_cosmos_assets",
    schedule=[Asset(f"{MARTS}/FCT_SALES"), Asset(f"{MARTS}/DIM_STORE")],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    max_active_runs=1,
    tags=["mstr"],
):
    MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        tables={"ytd_day": "replace", "lu_store": "upsert"},
        deferrable=True,
        retries=2,
        retry_delay=pendulum.duration(minutes=5),
    )
