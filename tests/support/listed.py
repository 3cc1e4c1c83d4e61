# SPDX-License-Identifier: Apache-2.0
"""Task instances and DAGs in the form of Airflow's API, for more objects than a test can refresh."""

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
    object_id: str | None = None,
) -> dict[str, Any]:
    """Return a finished task instance that refreshed an object.

    :param name: the object's name
    :param ago: how long ago it ended
    :param seconds: its duration
    :param state: its state
    :param kind: the kind of the object
    :param dag_id: its DAG; by default one named after the object
    :param object_id: the object's id, if the task contains it
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
            f"{kind}_id": object_id,
            "project_id": "Sales" if len(name) % 2 else "Tutorial",
            "mstr_conn_id": "mstr_default",
        },
    }


def active(
    name: str, *, since: timedelta, state: str = "deferred", kind: str = "data_model"
) -> dict[str, Any]:
    """Return a task instance that refreshes an object now, or is queued.

    :param name: the object's name
    :param since: how long ago it started, or was queued
    :param state: its state
    :param kind: the kind of the object
    """
    instance = ended(name, ago=since, seconds=0, state=state, kind=kind)
    times = {"queued_when": instance["start_date"], "end_date": None, "duration": None}
    if state == "queued":
        times |= {"start_date": None, "rendered_fields": {}}
    return instance | times


def dag(
    dag_id: str, *, run_in: timedelta | None = None, is_paused: bool = False, schedule: str | None = None
) -> dict[str, Any]:
    """Return a DAG.

    :param dag_id: its id
    :param run_in: the time until its next run
    :param is_paused: whether it is paused
    :param schedule: Airflow's summary of its schedule
    """
    return {
        "dag_id": dag_id,
        "is_paused": is_paused,
        "next_dagrun_run_after": run_in and (datetime.now(UTC) + run_in).isoformat(),
        "timetable_summary": schedule,
    }


def every(
    step: timedelta,
    name: str,
    times: int,
    *,
    last: timedelta,
    seconds: float,
    **more: Any,
) -> list[dict[str, Any]]:
    """Return task instances that refreshed an object at regular intervals.

    :param step: the interval
    :param name: the object's name
    :param times: the number of task instances
    :param last: how long ago the last one ended
    :param seconds: the average duration
    :param more: further arguments of ``ended``
    """
    return [
        ended(name, ago=last + step * index, seconds=seconds * (0.8 + index * 7 % 5 / 10), **more)
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
