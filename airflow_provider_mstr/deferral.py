# SPDX-License-Identifier: Apache-2.0
"""Which wait a deferred task was deferred to, for whoever has to know from outside the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Context, TaskInstanceState, XCom

WAIT_KEY = "mstr_wait"


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
    noted = XCom.get_one(
        key=WAIT_KEY, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
    )
    return bool(noted == _mark(handle))


def _mark(handle: Mapping[str, Any]) -> str:
    return str(handle["instance_id"])
