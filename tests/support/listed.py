# SPDX-License-Identifier: Apache-2.0
"""Task instances in the form of Airflow's API, for more data models than a test can refresh."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

STATES = ("success", "failed")


def ended(
    model: str,
    *,
    ago: timedelta,
    seconds: float = 60.0,
    state: str = "success",
    dag_id: str | None = None,
) -> dict[str, Any]:
    """Return a finished task instance of a data model.

    :param model: the data model's name
    :param ago: how long ago it ended
    :param seconds: its duration
    :param state: its state
    :param dag_id: its DAG; by default one named after the model
    """
    end = datetime.now(UTC) - ago
    dag_id = dag_id or f"load_{model.lower().replace(' ', '_')}"
    return {
        "id": hashlib.md5(f"{model}{ago}".encode(), usedforsecurity=False).hexdigest(),
        "dag_id": dag_id,
        "dag_display_name": dag_id,
        "dag_run_id": f"scheduled__{end.isoformat()}",
        "task_id": "refresh",
        "task_display_name": "refresh",
        "map_index": -1,
        "rendered_map_index": None,
        "state": state,
        "try_number": 1,
        "start_date": (end - timedelta(seconds=seconds)).isoformat(),
        "end_date": end.isoformat(),
        "duration": seconds,
        "operator": "MstrRefreshDataModelOperator",
        "operator_name": "MstrRefreshDataModelOperator",
        "rendered_fields": {
            "data_model": model,
            "data_model_id": None,
            "project_id": "Sales" if len(model) % 2 else "Tutorial",
            "mstr_conn_id": "mstr_default",
        },
    }


def every(
    step: timedelta, model: str, times: int, *, last: timedelta, seconds: float
) -> list[dict[str, Any]]:
    """Return task instances of a data model at regular intervals.

    :param step: the interval
    :param model: the data model's name
    :param times: the number of task instances
    :param last: how long ago the last one ended
    :param seconds: the average duration
    """
    return [
        ended(model, ago=last + step * index, seconds=seconds * (0.8 + index * 7 % 5 / 10))
        for index in range(times)
    ]


def page_of(instances: Sequence[dict[str, Any]], offset: int, limit: int) -> dict[str, Any]:
    """Return a page of the list in the form of Airflow's API."""
    return {
        "task_instances": instances[offset : offset + limit],
        "total_entries": len(instances),
    }


def many(models: int, runs: int) -> Iterable[dict[str, Any]]:
    """Return daily task instances of many data models, newest first. Some of the last ones failed."""
    for run in range(runs):
        for number in range(models):
            ago = timedelta(days=run, minutes=number)
            state = STATES[run == 0 and number % 25 == 0]
            yield ended(f"Model {number:03}", ago=ago, seconds=30 + (number * 7 + run * 13) % 90, state=state)
