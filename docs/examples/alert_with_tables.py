# SPDX-License-Identifier: Apache-2.0
"""Write an alert that lists the state of each table."""

from __future__ import annotations

import logging

import pendulum
from airflow.providers.common.compat.sdk import DAG, Context

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

log = logging.getLogger(__name__)


def send_alert(context: Context) -> None:
    """Log the error and the state of each table; replace the last line with your own alert."""
    ti = context["ti"]
    result = ti.xcom_pull(task_ids=ti.task_id, key="mstr_result", map_indexes=ti.map_index)
    # There is no result if the task failed before the publish, for example at the login.
    tables = result["tables"] if result else []
    lines = [f"- {table['name']} ({table['policy']}): {table['state']}" for table in tables]
    log.error("\n".join([f"{ti.dag_id}.{ti.task_id} failed: {context.get('exception')}", *lines]))


with DAG(
    "mstr_alert_with_tables",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        deferrable=True,
        on_failure_callback=send_alert,
    )
