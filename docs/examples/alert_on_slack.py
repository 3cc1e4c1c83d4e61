# SPDX-License-Identifier: Apache-2.0
"""Send a Slack message when a refresh fails."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

STRATEGY_URL = "{{ ti.xcom_pull(task_ids=ti.task_id, key='mstr_link', map_indexes=ti.map_index) }}"

send_message = SlackWebhookNotifier(
    slack_webhook_conn_id="slack_default",
    text=(
        ":red_circle: *{{ ti.dag_id }}.{{ ti.task_id }} failed*\n"
        "{{ exception }}\n"
        "<{{ ti.log_url }}|Open the log>\n"
        f"<{STRATEGY_URL}|Open in Strategy>"
    ),
)

with DAG(
    "mstr_alert_on_slack",
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
        on_failure_callback=send_message,
    )
