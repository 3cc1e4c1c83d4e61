# SPDX-License-Identifier: Apache-2.0
"""The DAGs of ``make ui``, whose runs are its history: each refreshes one data model of the sandbox."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

DATA_MODELS = {
    "demo_fast": "9F4772B837604551B4D3CC916ADC5598",
    "demo_failing": "3E5D1A7C4F8B4B0E9A6C2D8F1E7B5A90",
    "demo_stale": "5B8E3F1C7D2A4960B4E8A1C6F3D90B27",
    "demo_slow": "C4A1E7B25D8F4390A6B2D9C8E1F07354",
}

for dag_id, data_model_id in DATA_MODELS.items():
    with DAG(
        dag_id,
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        max_active_runs=1,
        tags=["mstr", "demo"],
    ):
        MstrRefreshDataModelOperator(
            task_id="refresh",
            data_model_id=data_model_id,
            # A deferred task starts two processes, so that the history would take longer.
            deferrable=dag_id == "demo_slow",
        )
