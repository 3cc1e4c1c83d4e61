# SPDX-License-Identifier: Apache-2.0
"""Trigger a PagerDuty incident when a refresh fails, and resolve it when the refresh succeeds."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.pagerduty.notifications.pagerduty import PagerdutyNotifier

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

STRATEGY_URL = "{{ ti.xcom_pull(task_ids=ti.task_id, key='mstr_link', map_indexes=ti.map_index) }}"
DEDUP_KEY = "{{ ti.dag_id }}.{{ ti.task_id }}.{{ ti.map_index }}"

trigger_incident = PagerdutyNotifier(
    pagerduty_events_conn_id="pagerduty_events_default",
    summary="{{ ti.dag_id }}.{{ ti.task_id }} failed: {{ (exception | string)[:900] }}",
    severity="error",
    dedup_key=DEDUP_KEY,
    links=[
        {"href": "{{ ti.log_url }}", "text": "Open the log"},
        {"href": STRATEGY_URL, "text": "Open in Strategy"},
    ],
)
resolve_incident = PagerdutyNotifier(
    pagerduty_events_conn_id="pagerduty_events_default",
    summary="{{ ti.dag_id }}.{{ ti.task_id }} succeeded",
    severity="info",
    action="resolve",
    dedup_key=DEDUP_KEY,
)

with DAG(
    "mstr_alert_on_pagerduty",
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
        on_failure_callback=trigger_incident,
        on_success_callback=resolve_incident,
    )
