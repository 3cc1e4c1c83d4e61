# SPDX-License-Identifier: Apache-2.0
"""Send an email when a refresh fails."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

STRATEGY_URL = "{{ ti.xcom_pull(task_ids=ti.task_id, key='mstr_link', map_indexes=ti.map_index) }}"

send_email = SmtpNotifier(
    smtp_conn_id="smtp_default",
    from_email="airflow@example.com",
    to=["bi-team@example.com"],
    subject="{{ ti.dag_id }}.{{ ti.task_id }} failed",
    html_content=(
        "<p>{{ exception | e }}</p>"
        '<p><a href="{{ ti.log_url | e }}">Open the log</a></p>'
        f'<p><a href="{STRATEGY_URL}">Open in Strategy</a></p>'
    ),
)

with DAG(
    "mstr_alert_by_email",
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
        on_failure_callback=send_email,
    )
