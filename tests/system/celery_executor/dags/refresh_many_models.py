# SPDX-License-Identifier: Apache-2.0
"""As many refreshes as there are data models, all at once, under a pool that counts deferred tasks."""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG
from models import model_of

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.retry_policy import MstrRetryPolicy

with DAG(
    "refresh_many_models",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    max_active_tasks=1000,
):
    MstrRefreshDataModelOperator.partial(
        task_id="refresh",
        deferrable=True,
        pool="mstr_sessions",
        poll_interval=2,
        retries=3,
        retry_delay=timedelta(seconds=float(os.environ["RETRY_DELAY"])),
        retry_policy=MstrRetryPolicy(),
        map_index_template="{{ task.data_model_id }}",
    ).expand(data_model_id=[model_of(name) for name in os.environ["DATA_MODELS"].split()])
