# SPDX-License-Identifier: Apache-2.0
"""Task instances in the form of Airflow's API, for more objects than a test can refresh."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

STATES = ("success", "failed")
OPERATORS = {
    "data_model": "MstrRefreshDataModelOperator",
    "cube": "MstrRefreshCubeOperator",
    "report": "MstrRunIncrementalRefreshOperator",
}


def ended(
    name: str,
    *,
    ago: timedelta,
    seconds: float = 60.0,
    state: str = "success",
    kind: str = "data_model",
    dag_id: str | None = None,
) -> dict[str, Any]:
    """Return a finished task instance that refreshed an object.

    :param name: the object's name
    :param ago: how long ago it ended
    :param seconds: its duration
    :param state: its state
    :param kind: the kind of the object
    :param dag_id: its DAG; by default one named after the object
    """
    end = datetime.now(UTC) - ago
    dag_id = dag_id or f"load_{name.lower().replace(' ', '_')}"
    return {
        "id": hashlib.md5(f"{name}{ago}".encode(), usedforsecurity=False).hexdigest(),
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
        "operator": OPERATORS[kind],
        "operator_name": OPERATORS[kind],
        "rendered_fields": {
            kind: name,
            f"{kind}_id": None,
            "project_id": "Sales" if len(name) % 2 else "Tutorial",
            "mstr_conn_id": "mstr_default",
        },
    }


def every(
    step: timedelta,
    name: str,
    times: int,
    *,
    last: timedelta,
    seconds: float,
    kind: str = "data_model",
) -> list[dict[str, Any]]:
    """Return task instances that refreshed an object at regular intervals.

    :param step: the interval
    :param name: the object's name
    :param times: the number of task instances
    :param last: how long ago the last one ended
    :param seconds: the average duration
    :param kind: the kind of the object
    """
    return [
        ended(name, ago=last + step * index, seconds=seconds * (0.8 + index * 7 % 5 / 10), kind=kind)
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
