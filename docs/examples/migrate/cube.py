# SPDX-License-Identifier: Apache-2.0
"""Refresh a cube with the operator."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import MstrRefreshCubeOperator

SALES_CUBE = "4B7D9E2A6C1F4830A5E8B3D7F0C6921A"

with DAG("cube", schedule="0 5 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    MstrRefreshCubeOperator(
        task_id="refresh_sales_cube",
        cube_id=SALES_CUBE,
        deferrable=True,
        retries=2,
    )
