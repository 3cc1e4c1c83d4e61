# SPDX-License-Identifier: Apache-2.0
"""DAGs for the tests of the views in Airflow's UI."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_mstr.operators import MstrRefreshCubeOperator, MstrRefreshDataModelOperator
from airflow_provider_mstr.sandbox.world import REGION_CUBE, SALES_CUBE
from airflow_provider_mstr.task_groups import refresh_data_model


def dag_named(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


with dag_named("shown"):
    MstrRefreshDataModelOperator(task_id="refresh_retail", data_model="Retail", deferrable=True)

    @task
    def elsewhere() -> None:
        """A task that does not refresh an object."""

    elsewhere()

with dag_named("shown_retried"):
    MstrRefreshDataModelOperator(
        task_id="refresh_ledger", data_model="Ledger", retries=1, retry_delay=timedelta(seconds=1)
    )

with dag_named("shown_mapped"):
    MstrRefreshDataModelOperator.partial(task_id="refresh", deferrable=True).expand(
        data_model=["Finance", "Supply Chain"]
    )

with dag_named("shown_in_steps"):
    refresh_data_model(
        "refresh_pipeline", data_model="Pipeline", project_id="Sales", tables=["no_such_table"]
    )

with dag_named("shown_cubes"):
    (
        MstrRefreshCubeOperator(task_id="refresh_by_id", cube_id=SALES_CUBE.id, deferrable=True)
        >> MstrRefreshCubeOperator(task_id="refresh_by_name", cube=SALES_CUBE.name, deferrable=True)
        >> MstrRefreshCubeOperator(task_id="refresh_prompted", cube=REGION_CUBE.name)
    )
