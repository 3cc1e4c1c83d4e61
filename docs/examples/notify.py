# SPDX-License-Identifier: Apache-2.0
"""A refresh that tells somebody when it has failed: what happened, and which tables were not loaded."""

from __future__ import annotations

import logging

import pendulum
from airflow.providers.common.compat.sdk import DAG, Context

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

log = logging.getLogger(__name__)


def tell(context: Context) -> None:
    """Tell that a refresh has failed; the log stands for your mail or chat."""
    ti = context["ti"]
    result = ti.xcom_pull(task_ids=ti.task_id, key="mstr_result", map_indexes=ti.map_index)
    # There is none where the publish was never sent: the login failed, or a table is unknown.
    tables = result["tables"] if result else []
    lines = (f"- {table['name']} ({table['policy']}): {table['state']}" for table in tables)
    what = f"{ti.dag_id}.{ti.task_id} has failed: {context.get('exception')}"
    log.error("\n".join([what, *lines]))


with DAG(
    "mstr_notify",
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
        on_failure_callback=tell,
    )
