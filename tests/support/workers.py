# SPDX-License-Identifier: Apache-2.0
"""Workers and a triggerer in small: operators executed as Airflow executes them, without its database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshCubeOperator,
    MstrRefreshDataModelOperator,
    MstrRunIncrementalRefreshOperator,
)
from airflow_provider_mstr.refresh.data_model import DataModelSpec
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest.errors import InstanceExpired, InvalidHandle, MstrError, SessionExpired
from airflow_provider_mstr.sensors import MstrPublishStatusSensor
from airflow_provider_mstr.task.failures import TaskKilledError


@dataclass
class TaskInstance:
    """What the operators use of Airflow's: its ids and tries, and the XComs, which must be JSON."""

    task_id: str
    map_index: int = -1
    max_tries: int = 2
    dag_id: str = "dag"
    run_id: str = "run"
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)


INSTANCES: dict[str, TaskInstance] = {}


def read_xcom(*, key: str, dag_id: str, task_id: str, run_id: str, map_index: int) -> Any:
    """Return an XCom of a task that was performed, as Airflow's ``XCom.get_one`` does."""
    ti = INSTANCES[task_id]
    assert (dag_id, run_id, map_index) == (ti.dag_id, ti.run_id, ti.map_index)
    return ti.xcoms.get(key)


@dataclass
class Performed:
    """What became of a task.

    :param result: what it returned
    :param error: what it raised instead
    :param events: what its triggers fired
    """

    ti: TaskInstance
    result: Any = None
    error: BaseException | None = None
    events: list[Any] = field(default_factory=list)
    outlet_events: Any = None
    deferral: TaskDeferred | None = None

    @property
    def xcoms(self) -> dict[str, Any]:
        return self.ti.xcoms


class OutletEvent:
    """Stands for the event of one asset."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}


class OutletEvents(dict[str, OutletEvent]):
    """Stands for the events of the outlets: by address, as some Airflows' assets have no hash."""

    def __getitem__(self, asset: Any) -> OutletEvent:
        return self.setdefault(asset.uri, OutletEvent())


@dataclass(frozen=True)
class StateStore:
    """Airflow's ``task_state_store`` of one task, in a file: what a process writes survives it."""

    file: Path

    def get(self, key: str) -> Any:
        return self.load().get(key)

    def set(self, key: str, value: Any) -> None:
        self._write(self.load() | {key: value})

    def delete(self, key: str) -> None:
        self._write({name: value for name, value in self.load().items() if name != key})

    def load(self) -> dict[str, Any]:
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def _write(self, data: dict[str, Any]) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(data))
        fresh.replace(self.file)


@dataclass(frozen=True)
class DagRun:
    """What the operators use of Airflow's."""

    clear_number: int = 0


def perform(make: Callable[[], Any], *, triggerer: bool = True, **context: Any) -> Performed:
    """Execute an operator; each time that it resumes, another worker makes it anew.

    :param make: makes the operator
    :param triggerer: whether there is one, to run the trigger of a deferral
    :param context: more of the task's context
    """
    operator = make()
    ti = context.get("ti", TaskInstance(operator.task_id))
    performed = Performed(ti, outlet_events=OutletEvents())
    INSTANCES[ti.task_id] = ti
    context = {"ti": performed.ti, "outlet_events": performed.outlet_events} | context
    step: Callable[[], Any] = lambda: operator.execute(context)  # noqa: E731
    try:
        while True:
            try:
                performed.result = json.loads(json.dumps(step()))
            except TaskDeferred as deferral:
                performed.deferral = deferral
                if not triggerer:
                    break
                event = fire(deferral.trigger)
                performed.events.append(event)
                step = _resumed(make(), deferral, event, context)
            else:
                break
    except (Exception, TaskKilledError) as error:
        performed.error = error
    return performed


def fire(trigger: BaseTrigger) -> Any:
    """Run a trigger as another process would, and return the payload of its one event."""
    rebuilt = rebuild(trigger)

    async def events() -> list[TriggerEvent]:
        return [event async for event in rebuilt.run()]

    (event,) = asyncio.run(events())
    return json.loads(json.dumps(event.payload))


def rebuild(trigger: BaseTrigger) -> BaseTrigger:
    """Return the trigger as it comes out of Airflow's database."""
    classpath, kwargs = trigger.serialize()
    assert classpath == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    return type(trigger)(**_stored(classpath, kwargs))


def _stored(classpath: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        from airflow.sdk.serde import deserialize, serialize
    except ImportError:
        from airflow.models.trigger import Trigger

        return Trigger(classpath=classpath, kwargs=kwargs).kwargs
    return deserialize(json.loads(json.dumps(serialize(kwargs))))


def _resumed(operator: Any, deferral: TaskDeferred, event: Any, context: Any) -> Callable[[], Any]:
    return lambda: operator.resume_execution(deferral.method_name, {"event": event}, context)


def meaning(error: BaseException | None) -> MstrError:
    """Return the error of the package that ended a task, whatever Airflow receives instead.

    :param error: the error of the task
    """
    while not isinstance(error, MstrError):
        assert error is not None
        error = error.__context__
        if isinstance(error, (SessionExpired, InstanceExpired)):
            # Only a task that cannot log in again ends at once with these.
            return InvalidHandle(error.what, error.reply)
    return error


@dataclass
class Refreshed:
    """What became of a refresh, whichever way it went: the outcome, or the first task's error."""

    outcome: Any
    error: BaseException | None
    tasks: dict[str, Performed]


Way = Callable[..., Refreshed]


def in_one_task(operator: type[Any] = MstrRefreshDataModelOperator, *, deferrable: bool) -> Way:
    """Return the way of an operator that refreshes an object in one task."""

    def refresh(object_id: str | None, poll: float = 0.1, timeout: float = 30.0, **more: Any) -> Refreshed:
        more |= {f"{operator.kind}_id": object_id, "deferrable": deferrable}
        task = perform(lambda: operator(task_id="refresh", poll_interval=poll, timeout=timeout, **more))
        return Refreshed(task.result, task.error, {"refresh": task})

    return refresh


def in_steps(*, deferrable: bool) -> Way:
    """Return the way of the four tasks, the teardown of which runs whenever the setup did."""

    def refresh(
        data_model_id: str | None, poll: float = 0.1, timeout: float = 30.0, **more: Any
    ) -> Refreshed:
        where = {name: more.pop(name) for name in ("project_id", "data_model") if name in more}
        conn = {name: more.pop(name) for name in ("mstr_conn_id",) if name in more}
        tasks: dict[str, Performed] = {}

        def then(name: str, make: Callable[[], Any]) -> Any:
            tasks[name] = perform(make)
            return tasks[name].result

        handle = then(
            "create",
            lambda: MstrCreateDataModelInstanceOperator(
                task_id="create", data_model_id=data_model_id, **where, **conn
            ),
        )
        published = handle and then(
            "publish",
            lambda: MstrPublishDataModelOperator(task_id="publish", instance=handle, **more, **conn),
        )
        outcome = published and then(
            "wait",
            lambda: MstrPublishStatusSensor(
                task_id="wait",
                instance=published,
                deferrable=deferrable,
                poke_interval=poll,
                timeout=timeout,
                **conn,
            ),
        )
        if handle:
            then(
                "delete",
                lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance=handle, **conn),
            )
        error = next((task.error for task in tasks.values() if task.error), None)
        return Refreshed(outcome, error, tasks)

    return refresh


WAYS: dict[str, Way] = {
    "one task, blocking": in_one_task(deferrable=False),
    "one task, deferred": in_one_task(deferrable=True),
    "in steps, blocking": in_steps(deferrable=False),
    "in steps, deferred": in_steps(deferrable=True),
}

every_way = pytest.mark.parametrize("refresh", WAYS.values(), ids=WAYS.keys())

CUBE_WAYS: dict[str, Way] = {
    "cube, blocking": in_one_task(MstrRefreshCubeOperator, deferrable=False),
    "cube, deferred": in_one_task(MstrRefreshCubeOperator, deferrable=True),
    "report, blocking": in_one_task(MstrRunIncrementalRefreshOperator, deferrable=False),
    "report, deferred": in_one_task(MstrRunIncrementalRefreshOperator, deferrable=True),
}


def publish_as_another_job(data_model_id: str, tables: list[str] | None = None) -> Job:
    """Publish tables of a data model in a session of its own, and return the job, which stays open.

    :param data_model_id: the data model
    :param tables: the tables; None for all
    """
    hook = MstrHook()
    choice = TableChoice.of(tables, "replace")
    spec = DataModelSpec(project=hook.project(None), target=data_model_id, choice=choice)
    return hook.start_job(spec, hook.open_job(spec))
