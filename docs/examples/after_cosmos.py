# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model after the dbt project that Cosmos runs."""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG
from cosmos import DbtTaskGroup, ProfileConfig, ProjectConfig

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

PROJECT = Path(os.environ.get("DBT_PROJECT_DIR", "/opt/dbt/retail"))

with DAG(
    "mstr_after_cosmos",
    schedule="0 5 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["mstr"],
):
    dbt = DbtTaskGroup(
        group_id="dbt",
        project_config=ProjectConfig(PROJECT),
        profile_config=ProfileConfig(
            profile_name="retail",
            target_name="prod",
            profiles_yml_filepath=PROJECT / "profiles.yml",
        ),
    )
    refresh = MstrRefreshDataModelOperator(
        task_id="refresh_retail",
        data_model_id="9F4772B837604551B4D3CC916ADC5598",
        deferrable=True,
        retries=2,
        retry_delay=pendulum.duration(minutes=5),
    )

    dbt >> refresh
