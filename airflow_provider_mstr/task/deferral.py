# SPDX-License-Identifier: Apache-2.0
"""What a deferred task passes to its trigger, and which wait it is deferred to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Context, TaskInstanceState, XCom

from airflow_provider_mstr.observability.links import identify

WAIT_KEY = "mstr_wait"
STORED_KEY = "mstr_trigger"

# Characters of a trigger's arguments as JSON. MySQL stores 65,535 bytes of them, encrypted and with types.
MAX_TRIGGER_SIZE = 32_000


def fit_trigger(context: Context, handle: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a trigger; an XCom stores the largest field if they are too large.

    :param context: the task's context
    :param handle: the job's JSON
    :param seen: what the worker has seen of the tables
    """
    if len(json.dumps([handle, seen])) <= MAX_TRIGGER_SIZE:
        return {"handle": handle, "seen": seen}
    ti = context["ti"]
    # The session stays, so that a kill can always close it.
    largest = max(handle.keys() - {"session"}, key=lambda name: len(json.dumps(handle[name])))
    ti.xcom_push(key=STORED_KEY, value={"handle": {largest: handle[largest]}, "seen": seen})
    return {"handle": {**handle, largest: type(handle[largest])()}, "stored_in": identify(ti)}


def load_stored(stored_in: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments that :func:`fit_trigger` has put into an XCom.

    :param stored_in: the task instance
    :raises LookupError: if the XCom no longer exists, because a new attempt of the task has started
    """
    stored: Mapping[str, Any] | None = XCom.get_one(key=STORED_KEY, **stored_in)
    if stored is None:
        raise LookupError(f"the XCom {STORED_KEY} of task {stored_in['task_id']} no longer exists")
    return stored


def store_wait(context: Context, handle: Mapping[str, Any]) -> None:
    """Store with the task instance which handle it waits with, until its next attempt.

    :param context: the task's context
    :param handle: the job's JSON
    """
    context["ti"].xcom_push(key=WAIT_KEY, value=_digest(handle))


def is_deferred_to(ti: Any, handle: Mapping[str, Any]) -> bool:
    """Return whether a task instance is deferred, and waits with this handle.

    :param ti: the task instance, as a trigger has it
    :param handle: the job's JSON
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
    return bool(XCom.get_one(key=WAIT_KEY, **identify(ti)) == _digest(handle))


def _digest(handle: Mapping[str, Any]) -> str:
    """Return what identifies a wait: each handle seals its session anew."""
    return hashlib.sha256(handle["session"].encode()).hexdigest()
