# SPDX-License-Identifier: Apache-2.0
"""A data model, a cube and an incremental refresh report, each by its name in Strategy."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import (
    MstrRefreshCubeOperator,
    MstrRefreshDataModelOperator,
    MstrRunIncrementalRefreshOperator,
)

with DAG(
    "mstr_refresh_by_name",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={"deferrable": True},
    tags=["mstr"],
):
    MstrRefreshDataModelOperator(task_id="refresh_retail", data_model="Retail")

    refresh_cube = MstrRefreshCubeOperator(task_id="refresh_sales_cube", cube="Sales Cube")
    update_cube = MstrRunIncrementalRefreshOperator(task_id="update_sales_cube", report="Sales Update")
    refresh_cube >> update_cube
