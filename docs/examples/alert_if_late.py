# SPDX-License-Identifier: Apache-2.0
"""Send an email when a DAG run takes longer than two hours (Airflow 3.1)."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

send_email = AsyncCallback(
    SmtpNotifier,
    kwargs={
        "smtp_conn_id": "smtp_default",
        "from_email": "airflow@example.com",
        "to": ["bi-team@example.com"],
        "subject": "{{ dag_run.dag_id }} is late",
        "html_content": "The run {{ dag_run.dag_run_id }} did not end by {{ deadline.deadline_time }}.",
    },
)

with DAG(
    "mstr_alert_if_late",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=2),
        callback=send_email,
    ),
    tags=["mstr"],
):
    MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        deferrable=True,
    )
