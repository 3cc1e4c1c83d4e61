# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model with the operator."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

RETAIL = "9F4772B837604551B4D3CC916ADC5598"

with DAG("data_model", schedule="0 5 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id=RETAIL,
        deferrable=True,
        retries=2,
    )
