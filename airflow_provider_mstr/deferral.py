# SPDX-License-Identifier: Apache-2.0
"""What a deferred task passes to its trigger, and which wait it is deferred to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Context, TaskInstanceState, XCom

from airflow_provider_mstr.links import identify

WAIT_KEY = "mstr_wait"
TABLES_KEY = "mstr_tables"

# Characters of a trigger's arguments as JSON. MySQL stores 65,535 bytes of them, encrypted and with types.
MAX_TRIGGER_SIZE = 32_000


def fit_trigger(context: Context, handle: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a trigger about a refresh; an XCom stores the tables if they are too large.

    :param context: the task's context
    :param handle: the handle's JSON
    :param seen: what the worker has seen of the tables
    """
    if len(json.dumps([handle, seen])) <= MAX_TRIGGER_SIZE:
        return {"handle": handle, "seen": seen}
    ti = context["ti"]
    ti.xcom_push(key=TABLES_KEY, value={"tables": handle["tables"], "seen": seen})
    return {"handle": {**handle, "tables": []}, "tables_in": identify(ti)}


def load_tables(place: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the tables that :func:`fit_trigger` has put into an XCom, and what was seen of them.

    :param place: the task instance
    :raises LookupError: if the XCom no longer exists, because a new attempt of the task has started
    """
    stored: Mapping[str, Any] | None = XCom.get_one(key=TABLES_KEY, **place)
    if stored is None:
        raise LookupError(f"the XCom {TABLES_KEY} of task {place['task_id']} no longer exists")
    return stored


def note_wait(context: Context, handle: Mapping[str, Any]) -> None:
    """Note on the task instance which handle it waits with, until its next attempt.

    :param context: the task's context
    :param handle: the handle's JSON
    """
    context["ti"].xcom_push(key=WAIT_KEY, value=_mark(handle))


def is_deferred_to(ti: Any, handle: Mapping[str, Any]) -> bool:
    """Return whether a task instance is deferred, and waits with this handle.

    :param ti: the task instance, as a trigger has it
    :param handle: the handle's JSON
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    mapped = None if ti.map_index is None or ti.map_index < 0 else ti.map_index
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=mapped
    )
    # Airflow appends the map index to the task's id.
    name = ti.task_id if mapped is None else f"{ti.task_id}_{mapped}"
    if states.get(ti.run_id, {}).get(name) != TaskInstanceState.DEFERRED:
        return False
    noted = XCom.get_one(key=WAIT_KEY, **identify(ti))
    return bool(noted == _mark(handle))


def _mark(handle: Mapping[str, Any]) -> str:
    return str(handle["instance_id"])
