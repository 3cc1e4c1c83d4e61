# SPDX-License-Identifier: Apache-2.0
"""Publish a cube with mstrio-py."""

from __future__ import annotations

import os
from time import sleep

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator
from mstrio.connection import Connection
from mstrio.project_objects.datasets import OlapCube
from mstrio.server.job_monitor import JobStatus

SALES_CUBE = "4B7D9E2A6C1F4830A5E8B3D7F0C6921A"
ENDED = (JobStatus.COMPLETED, JobStatus.ERROR, JobStatus.STOPPED)


def publish() -> None:
    url, login, password = (os.environ[f"MSTR_{name}"] for name in ("URL", "LOGIN", "PASSWORD"))
    with Connection(url, login, password, project_name="Tutorial") as connection:
        job = OlapCube(connection, id=SALES_CUBE).publish()
        while job.status not in ENDED:
            sleep(10)
            job.refresh_status()
        if job.status is not JobStatus.COMPLETED:
            raise RuntimeError(job.error_message)


with DAG("cube_with_mstrio", schedule="0 5 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    PythonOperator(task_id="refresh_sales_cube", python_callable=publish)
