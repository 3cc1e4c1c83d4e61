# SPDX-License-Identifier: Apache-2.0
"""Refreshes whose worker is killed: most are tried again."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG
from models import model_of

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.task_groups import refresh_data_model


def dag_named(dag_id: str, retries: int) -> DAG:
    start = pendulum.datetime(2026, 1, 1, tz="UTC")
    trying = {"retries": retries, "retry_delay": timedelta(seconds=1)}
    return DAG(dag_id, schedule=None, start_date=start, default_args=trying)


for name, retries, deferrable in (
    ("retried_blocking", 2, False),
    ("retried_deferrable", 2, True),
    ("killed", 0, False),
):
    with dag_named(name, retries):
        MstrRefreshDataModelOperator(
            task_id="refresh", data_model_id=model_of(name), deferrable=deferrable, poll_interval=2
        )

with dag_named("retried_in_steps", retries=2):
    refresh_data_model(data_model_id=model_of("retried_in_steps"), poll_interval=2)
