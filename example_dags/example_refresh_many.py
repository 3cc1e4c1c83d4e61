# SPDX-License-Identifier: Apache-2.0
"""Refresh several data models with one mapped task; a pool keeps them within the session limit.

The pool must exist and must count deferred tasks, because a deferred refresh still has its session:
``airflow pools set mstr_sessions 4 "Strategy sessions" --include-deferred``
"""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(
    "mstr_refresh_many",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    tags=["mstr"],
):
    MstrRefreshDataModelOperator.partial(
        task_id="refresh",
        deferrable=True,
        pool="mstr_sessions",
        map_index_template="{{ task.data_model or task.data_model_id }}",
    ).expand(
        data_model_id=[
            "9F4772B837604551B4D3CC916ADC5598",
            "3E5D1A7C4F8B4B0E9A6C2D8F1E7B5A90",
            "5B8E3F1C7D2A4960B4E8A1C6F3D90B27",
        ]
    )
