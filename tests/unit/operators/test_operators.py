# SPDX-License-Identifier: Apache-2.0
"""What each operator and the sensor declare and render, how they defer, and how a kill interrupts them."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from jobs import job_of
from scripted import (
    CITY,
    MODEL,
    NOW,
    PROJECT,
    PUBLISH_FAILED,
    PUBLISHED,
    SESSION_OVER,
    YTD_DAY,
    an_instance,
    published,
)
from scripted_library import FINISHED, RUNNING, ScriptedLibrary
from workers import TaskInstance, perform

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.operators.base import DEFERRAL_MARGIN
from airflow_provider_mstr.refresh.data_model import DataModelJob
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.sensors import MstrPublishStatusSensor
from airflow_provider_mstr.task.deferral import MAX_TRIGGER_SIZE, STORED_KEY, WAIT_KEY, store_wait
from airflow_provider_mstr.task.failures import TaskKilledError
from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

JOB = job_of(an_instance(), PUBLISHED, NOW)

FIELDS: dict[type[Any], tuple[str, ...]] = {
    MstrRefreshDataModelOperator: (
        "data_model_id",
        "data_model",
        "project_id",
        "tables",
        "refresh_policy",
        "mstr_conn_id",
    ),
    MstrCreateDataModelInstanceOperator: ("data_model_id", "data_model", "project_id", "mstr_conn_id"),
    MstrPublishDataModelOperator: ("instance", "tables", "refresh_policy", "mstr_conn_id"),
    MstrDeleteDataModelInstanceOperator: ("instance", "mstr_conn_id"),
    MstrPublishStatusSensor: ("instance", "mstr_conn_id"),
}

each_kind = pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)


# Template fields


@each_kind
def test_the_template_fields_are_the_documented_ones(kind: type[Any]) -> None:
    assert tuple(kind.template_fields) == FIELDS[kind]


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, fields in FIELDS.items() for field in fields]
)
def test_each_template_field_is_rendered(kind: type[Any], field: str) -> None:
    needed = {"instance": "none"} if "instance" in FIELDS[kind] else {}
    arguments = needed | {field: "{{ params.value }}"}
    with DAG("dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        operator = kind(task_id="task", **arguments)
    assert getattr(operator, field) == "{{ params.value }}"
    operator.render_template_fields(
        {
            "dag": dag,
            "dag_run": SimpleNamespace(conf={}),
            "params": {"value": "rendered"},
            "ti": TaskInstance("task"),
            "run_id": "run",
        }
    )
    assert getattr(operator, field) == "rendered"


# Kills


@each_kind
def test_a_kill_interrupts_a_task_only_while_it_works(kind: type[Any]) -> None:
    task = kind(task_id="task", **({"instance": "none"} if "instance" in FIELDS[kind] else {}))
    task.on_kill()
    with pytest.raises(TaskKilledError), task.interruptible():
        task.on_kill()
    task.on_kill()


def test_a_second_kill_does_not_interrupt_the_close() -> None:
    task = MstrDeleteDataModelInstanceOperator(task_id="task", instance=None)

    def kill_twice() -> None:
        with task.interruptible():
            try:
                task.on_kill()
            finally:
                task.on_kill()

    with pytest.raises(TaskKilledError):
        kill_twice()


@pytest.mark.parametrize("call", ["login", "instances", "tables", "publish", "publishStatus"])
def test_a_kill_stops_a_refresh_wherever_it_is(call: str, library: ScriptedLibrary) -> None:
    task = MstrRefreshDataModelOperator(task_id="task", data_model_id=MODEL)
    kill_in(call, task, library)

    done = perform(lambda: task)

    assert isinstance(done.error, TaskKilledError)
    before, after = library.calls[: library.calls.index(call)], library.calls[library.calls.index(call) + 1 :]
    assert call not in before
    assert after == {"login": [], "instances": ["logout"]}.get(call, ["delete", "logout"])


@pytest.mark.parametrize("call", ["login", "instances"])
def test_a_kill_stops_the_creation_of_an_instance(call: str, library: ScriptedLibrary) -> None:
    task = MstrCreateDataModelInstanceOperator(task_id="task", data_model_id=MODEL)
    kill_in(call, task, library)
    assert isinstance(perform(lambda: task).error, TaskKilledError)
    assert library.calls[library.calls.index(call) + 1 :] == (["logout"] if call == "instances" else [])


def test_a_kill_stops_the_wait_of_a_sensor_but_not_its_session(library: ScriptedLibrary) -> None:
    task = MstrPublishStatusSensor(task_id="task", instance=MstrHook().handle(JOB), deferrable=False)
    kill_in("publishStatus", task, library)
    done = perform(lambda: task)
    assert isinstance(done.error, TaskKilledError)
    assert library.calls == ["publishStatus"]


def kill_in(call: str, task: Any, library: ScriptedLibrary) -> None:
    """Kill a task while it waits for the answer to a call."""
    answer = library.exchange

    def exchange(request: Any) -> Any:
        reply = answer(request)
        if library.calls[-1] == call:
            task.on_kill()
        return reply

    library.exchange = exchange  # type: ignore[method-assign]


# Deferral


def deferred(library: ScriptedLibrary, kind: str, timeout: float, after: float = 0.0) -> Any:
    """Return the task that has deferred, some seconds after its load has started."""
    library.script(publishStatus=RUNNING)
    handle = MstrHook().handle(JOB)
    library.clock.now += after
    if kind == "sensor":
        return perform(
            lambda: MstrPublishStatusSensor(
                task_id="task", instance=handle, deferrable=True, timeout=timeout, poke_interval=7
            ),
            triggerer=False,
        )
    return perform(
        lambda: MstrRefreshDataModelOperator(
            task_id="task", data_model_id=MODEL, deferrable=True, timeout=timeout, poll_interval=7
        ),
        triggerer=False,
    )


def test_airflow_ends_a_deferral_some_time_after_the_timeout(library: ScriptedLibrary) -> None:
    task = deferred(library, "sensor", timeout=1000, after=400)
    assert task.deferral.timeout == timedelta(seconds=600 + DEFERRAL_MARGIN)
    assert 60 <= DEFERRAL_MARGIN <= 300


def test_a_refresh_has_the_rest_of_its_timeout_after_the_worker_has_polled(library: ScriptedLibrary) -> None:
    task = deferred(library, "refresh", timeout=1000)
    elapsed = library.clock.now - NOW
    assert 2 < elapsed <= 3
    left = task.deferral.timeout - timedelta(seconds=1000 + DEFERRAL_MARGIN - elapsed)
    assert abs(left) < timedelta(milliseconds=1)


@pytest.mark.parametrize(("kind", "closes"), [("refresh", True), ("sensor", False)])
def test_a_trigger_continues_what_the_worker_has_begun(
    kind: str, closes: bool, library: ScriptedLibrary
) -> None:
    task = deferred(library, kind, timeout=1000)

    trigger = task.deferral.trigger
    assert isinstance(trigger, MstrPublishStatusTrigger)
    assert (trigger.mstr_conn_id, trigger.timeout, trigger.poll_interval) == ("mstr_default", 1000.0, 7.0)
    assert (trigger.closes, trigger.stored_in) == (closes, None)
    assert trigger.seen == {YTD_DAY: ["loading", 0.0], CITY: ["loading", 0.0]}
    assert task.deferral.method_name == "execute_complete"
    job = MstrHook().load_job(trigger.handle)
    assert (job.object_id, job.started_at, job.tables) == (MODEL, NOW, job.tables)
    ti = TaskInstance("other")
    store_wait({"ti": ti}, trigger.handle)  # type: ignore[typeddict-item]
    assert task.xcoms[WAIT_KEY] == ti.xcoms[WAIT_KEY]


def test_what_is_too_large_for_a_trigger_is_stored(library: ScriptedLibrary) -> None:
    table = PUBLISHED[0].__class__("A" * 32, "n" * 80, PUBLISHED[0].policy)
    large = job_of(an_instance(), (table,) * (MAX_TRIGGER_SIZE // 100), NOW)
    library.script(publishStatus=published(5))
    handle = MstrHook().handle(large)
    task = perform(
        lambda: MstrPublishStatusSensor(task_id="task", instance=handle, deferrable=True), triggerer=False
    )
    assert task.deferral is not None
    assert task.deferral.trigger.handle["tables"] == []  # type: ignore[attr-defined]
    assert task.deferral.trigger.stored_in == {  # type: ignore[attr-defined]
        "dag_id": "dag",
        "task_id": "task",
        "run_id": "run",
        "map_index": -1,
    }
    assert task.xcoms[STORED_KEY]["handle"]["tables"] == handle["tables"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_small_load_ends_on_the_worker(deferrable: bool, library: ScriptedLibrary) -> None:
    library.script(publishStatus=[RUNNING, RUNNING, RUNNING, FINISHED])
    task = perform(
        lambda: MstrRefreshDataModelOperator(task_id="task", data_model_id=MODEL, deferrable=deferrable)
    )
    assert (task.result["state"], task.deferral) == ("finished", None)


# The sensor


def sense(library: ScriptedLibrary, *, job: DataModelJob = JOB, **arguments: Any) -> Any:
    handle = MstrHook().handle(job)
    arguments = {"deferrable": False, "poke_interval": 10, "instance": handle} | arguments
    return perform(lambda: MstrPublishStatusSensor(task_id="task", **arguments), triggerer=False)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_sensor_without_a_publish_fails_for_good(deferrable: bool, library: ScriptedLibrary) -> None:
    done = sense(library, job=job_of(an_instance()), deferrable=deferrable)
    assert isinstance(done.error, AirflowFailException)
    assert "instance was not published" in str(done.error)
    assert library.calls == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_session_that_is_over_at_the_first_poll_fails_the_sensor(
    deferrable: bool, library: ScriptedLibrary
) -> None:
    library.script(publishStatus=SESSION_OVER)
    done = sense(library, deferrable=deferrable)
    assert isinstance(done.error, AirflowFailException)
    assert "If only this task was cleared, nothing was published for it" in str(done.error)
    assert library.calls == ["publishStatus"]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("lenient", "kind"), [({}, AirflowFailException), ({"soft_fail": True}, AirflowSkipException)]
)
def test_a_failed_load_fails_or_skips_the_sensor(
    lenient: dict[str, bool], kind: type[Exception], deferrable: bool, library: ScriptedLibrary
) -> None:
    library.script(publishStatus=PUBLISH_FAILED)
    done = sense(library, deferrable=deferrable, **lenient)
    assert type(done.error) is kind
    assert str(done.error).startswith("Skipping: ") is bool(lenient)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_timeout_is_that_of_a_sensor(deferrable: bool, library: ScriptedLibrary) -> None:
    library.script(publishStatus=RUNNING)
    library.clock.now += 101
    done = sense(library, timeout=100, deferrable=deferrable)
    assert type(done.error) is AirflowSensorTimeout
    assert "did not end within 100 s" in str(done.error)


def test_a_deferring_sensor_polls_once(library: ScriptedLibrary) -> None:
    library.script(publishStatus=RUNNING)
    done = sense(library, deferrable=True)
    assert isinstance(done.deferral, TaskDeferred)
    assert library.calls == ["publishStatus"]


def test_a_deferring_sensor_leaves_a_server_that_does_not_answer_to_the_trigger(
    library: ScriptedLibrary,
) -> None:
    library.script(publishStatus=errors.ServerUnavailable("the connection was reset"))
    done = sense(library, deferrable=True, timeout=3600)
    assert isinstance(done.deferral, TaskDeferred)
    assert library.clock.now - NOW < 10


# The steps


def test_a_delete_without_an_instance_sends_nothing(library: ScriptedLibrary) -> None:
    done = perform(lambda: MstrDeleteDataModelInstanceOperator(task_id="task", instance=None))
    assert (done.error, library.calls) == (None, [])


def test_a_publish_uses_the_session_that_it_received(library: ScriptedLibrary) -> None:
    library.script(publishStatus=[published(5)])
    handle = MstrHook().handle(job_of(an_instance()))
    done = perform(lambda: MstrPublishDataModelOperator(task_id="task", instance=handle))
    assert done.error is None
    assert "login" not in library.calls
    assert "logout" not in library.calls
    assert done.result["started_at"] == NOW
    assert (done.result["project_id"], done.result["data_model_id"]) == (PROJECT, MODEL)
