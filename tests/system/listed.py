# SPDX-License-Identifier: Apache-2.0
"""What Airflow's API would list of more data models than a test can refresh."""

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
    """Return a task instance that has refreshed a data model.

    :param model: the data model's name
    :param ago: how long ago it ended
    :param seconds: how long it took
    :param state: its state
    :param dag_id: its DAG; the model's own if left out
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
    """Return task instances that have refreshed a data model at regular times.

    :param step: the time between two
    :param model: the data model's name
    :param times: how many there are
    :param last: how long ago the last one ended
    :param seconds: how long each took, about
    """
    return [
        ended(model, ago=last + step * index, seconds=seconds * (0.8 + index * 7 % 5 / 10))
        for index in range(times)
    ]


def page_of(instances: Sequence[dict[str, Any]], offset: int, limit: int) -> dict[str, Any]:
    """Return the answer of Airflow's API to a request for a page of the list."""
    return {
        "task_instances": instances[offset : offset + limit],
        "total_entries": len(instances),
    }


def many(models: int, runs: int) -> Iterable[dict[str, Any]]:
    """Return task instances of many data models, a day apart, newest first, some of which have failed."""
    for run in range(runs):
        for number in range(models):
            ago = timedelta(days=run, minutes=number)
            state = STATES[run == 0 and number % 25 == 0]
            yield ended(f"Model {number:03}", ago=ago, seconds=30 + (number * 7 + run * 13) % 90, state=state)
