# SPDX-License-Identifier: Apache-2.0
"""Refreshes of cubes, and the run of an incremental refresh report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_mstr.operators import MstrRefreshCubeOperator, MstrRunIncrementalRefreshOperator


def one_task(dag_id: str, operator: Any = MstrRefreshCubeOperator, retries: int = 0, **options: Any) -> None:
    """Add a DAG of one task, whose object is named as the DAG is."""
    trying = {"retries": retries, "retry_delay": timedelta(seconds=1)}
    start = pendulum.datetime(2026, 1, 1, tz="UTC")
    with DAG(dag_id, schedule=None, start_date=start, default_args=trying):
        operator(task_id="refresh", poll_interval=2, **{operator.kind: dag_id}, **options)


for name in ("cube_deferred", "cube_gone", "cube_lost", "cube_marked"):
    one_task(name, deferrable=True)
one_task("cube_blocking", deferrable=False)
one_task("cube_retried", deferrable=False, retries=2)
one_task("report_blocking", MstrRunIncrementalRefreshOperator, deferrable=False)
