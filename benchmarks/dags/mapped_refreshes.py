# SPDX-License-Identifier: Apache-2.0
"""Many refreshes by one mapped task, all of them deferred at once."""

from __future__ import annotations

import os

import pendulum
from airflow.providers.common.compat.sdk import DAG
from ways import MAPPED, mapped_models

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator

with DAG(MAPPED, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    MstrRefreshDataModelOperator.partial(
        task_id="refresh", deferrable=True, poll_interval=5, map_index_template="{{ task.data_model_id }}"
    ).expand(data_model_id=[model.id for model in mapped_models(int(os.environ["MAPPED_REFRESHES"]))])
