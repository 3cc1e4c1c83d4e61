# SPDX-License-Identifier: Apache-2.0
"""The refresh of a cube, and the run of an incremental refresh report that loads it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from moments import asked, finishing_once_asked
from workers import CUBE_WAYS, Performed, TaskInstance, meaning, perform, rebuild

from airflow_provider_mstr.assets import cube_asset
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import MstrRefreshCubeOperator, MstrRunIncrementalRefreshOperator
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.auth import login, logout
from airflow_provider_mstr.rest.endpoints.jobs import cancel_job
from airflow_provider_mstr.sandbox import (
    DEFAULT_WORLD,
    Cube,
    IncrementalRefreshReport,
    PublishFailure,
    Sandbox,
    User,
)
from airflow_provider_mstr.sandbox.world import REGION_CUBE, RETAIL, SALES_CUBE, SALES_UPDATE, TUTORIAL
from airflow_provider_mstr.task.failures import TaskKilledError

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

WAREHOUSE_IS_DOWN = PublishFailure("error", message="(The warehouse is down.)")
VANISHES = {"ended_job_seconds": 0}

NO_MONITOR = replace(DEFAULT_WORLD, users=(User("publisher", "publisher-password", can_monitor=False),))
TWINS = replace(
    DEFAULT_WORLD,
    cubes=(*DEFAULT_WORLD.cubes, Cube("5C7D9E2A6C1F4830A5E8B3D7F0C6921B", "Sales Cube", TUTORIAL.id)),
    reports=(
        *DEFAULT_WORLD.reports,
        IncrementalRefreshReport(
            "5D9B6F3A8E1C4750A4F7C0B5E8D3196C", "Sales Update", TUTORIAL.id, SALES_CUBE.id
        ),
    ),
)


@dataclass(frozen=True)
class Load:
    """One way to load the sales cube.

    :param kind: ``cube`` or ``report``
    :param way: how the task waits
    :param target: the object that the task starts
    :param start: the call that starts the load
    :param name: what logs and errors call the object
    """

    kind: str
    way: str
    target: Cube | IncrementalRefreshReport
    start: str
    name: str

    def __call__(self, **arguments: Any) -> Performed:
        """Perform the task; without another id or name, for its own object by the id."""
        refresh = CUBE_WAYS[str(self)]
        named = arguments.get(self.kind)
        object_id = arguments.pop("object_id", None if named else self.target.id)
        return refresh(object_id, **arguments).tasks["refresh"]

    def __str__(self) -> str:
        return f"{self.kind}, {self.way}"


LOADS = [
    Load(*what)
    for way in ("blocking", "deferred")
    for what in (
        ("cube", way, SALES_CUBE, "publish_cube", "cube Sales Cube"),
        ("report", way, SALES_UPDATE, "run_incremental_refresh", "incremental refresh report Sales Update"),
    )
]
BLOCKING = [load for load in LOADS if load.way == "blocking"]
CUBES = [load for load in LOADS if load.kind == "cube"]

every_load = pytest.mark.parametrize("load", LOADS, ids=str)
every_kind = pytest.mark.parametrize("load", BLOCKING, ids=str)
each_driver = pytest.mark.parametrize("load", CUBES, ids=str)
vanishes_with = pytest.mark.parametrize("ended_job_status", [404, 500])


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Return what was logged until now: Airflow 3 prints the log of a task."""
    caplog.set_level("INFO")
    return lambda: capsys.readouterr().out + caplog.text


@pytest.fixture(autouse=True)
def nothing_left(mstr_sandbox: Sandbox) -> Iterator[None]:
    """Check after each test that it has left no session and no job open, and has started none twice."""
    yield
    report = mstr_sandbox.report()
    assert (report.open_sessions, report.jobs_running) == (0, 0)
    assert report.rejected_calls_without_cookies == 0
    assert sum(report.cubes_started.values()) <= 1


def states(sandbox: Sandbox) -> list[str]:
    return [job.status for job in sandbox.report().jobs]


def stop_job(sandbox: Sandbox) -> None:
    """Cancel the last job as another user does."""
    hook = MstrHook()
    session = hook.run(login(hook.server.credentials))
    hook.run(cancel_job(session, TUTORIAL.id, sandbox.report().jobs[-1].id))
    hook.run(logout(session))


@contextmanager
def once(sandbox: Sandbox, call: str, times: int, act: Callable[[], object]) -> Iterator[None]:
    """Do something as soon as a call has come so often."""
    thread = threading.Thread(target=lambda: sandbox.wait_for(asked(call, times)) and act())
    thread.start()
    yield
    thread.join()


# Success


@every_load
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_that_completes_is_a_success(
    load: Load, mstr_sandbox: Sandbox, logged: Callable[[], str]
) -> None:
    asset = cube_asset(SALES_CUBE.id)

    with finishing_once_asked(mstr_sandbox, "get_job", 3):
        task = load(outlets=[asset])

    assert task.error is None
    seconds = task.result["seconds"]
    assert task.result == {
        "kind": load.kind,
        "project_id": TUTORIAL.id,
        "project": "Tutorial",
        f"{load.kind}_id": load.target.id,
        "name": load.target.name,
        "state": "finished",
        "tables_confirmed": False,
        "seconds": seconds,
        "tables": [],
    } | ({"cube_id": SALES_CUBE.id} if load.kind == "report" else {})
    assert seconds > 0
    assert task.xcoms["mstr_result"] == task.result
    assert task.xcoms["mstr_link"] == f"{mstr_sandbox.url}/app/{TUTORIAL.id}/{load.target.id}"
    assert task.outlet_events[asset].extra == {"refresh": task.result}
    assert len(task.events) == (load.way == "deferred")
    lines = logged()
    assert f"Publishing {load.name}" in lines
    assert f"The load of {load.name}: completed after" in lines
    assert f"Refresh of {load.target.name} finished after" in lines
    report = mstr_sandbox.report()
    assert (report.logins, report.logouts, states(mstr_sandbox)) == (1, 1, ["completed"])
    assert report.cubes_loaded == {"Sales Cube": 1}
    assert "cancel_job" not in report.requests


@every_kind
@pytest.mark.parametrize("change", [str, " {}\n".format], ids=["exact", "padded"])
def test_an_object_may_be_named(
    change: Callable[[str], str], load: Load, mstr_sandbox: Sandbox, logged: Callable[[], str]
) -> None:
    task = load(**{load.kind: change(load.target.name)})

    assert task.error is None
    assert (task.result[f"{load.kind}_id"], task.result["project"]) == (load.target.id, "Tutorial")
    assert task.xcoms["mstr_link"].endswith(f"/{load.target.id}")
    assert f" is {load.target.id}" in logged()
    assert states(mstr_sandbox) == ["completed"]


@each_driver
def test_no_secret_is_in_an_xcom_or_an_event(load: Load, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_seconds=600.0)

    with finishing_once_asked(mstr_sandbox, "get_job", 3):
        task = load()

    assert task.error is None
    seen = json.dumps([task.xcoms, task.result, task.events])
    assert [secret for secret in mstr_sandbox.secrets() if secret in seen] == []


# Each way in which a job can end


@every_load
@vanishes_with
def test_a_job_that_completes_and_vanishes_is_a_success(
    ended_job_status: int, load: Load, mstr_sandbox: Sandbox, logged: Callable[[], str]
) -> None:
    mstr_sandbox.change(publish_seconds=600, ended_job_status=ended_job_status, **VANISHES)

    with finishing_once_asked(mstr_sandbox, "get_job", 3):
        task = load()

    assert task.error is None
    assert task.result["state"] == "finished"
    assert f"no longer lists the job that loads {load.name}" in logged()
    assert states(mstr_sandbox) == ["completed"]


@every_load
@vanishes_with
def test_a_job_that_fails_and_vanishes_is_unknown(
    ended_job_status: int, load: Load, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(
        publish_seconds=600,
        publish_failure=WAREHOUSE_IS_DOWN,
        ended_job_status=ended_job_status,
        **VANISHES,
    )

    with finishing_once_asked(mstr_sandbox, "get_job", 3):
        task = load()

    assert isinstance(task.error, errors.OutcomeUnknown)
    assert "so it is unknown how the load ends" in str(task.error)
    assert task.xcoms["mstr_result"]["state"] == "unknown"
    assert states(mstr_sandbox) == ["error"]


@every_load
@vanishes_with
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_job_that_somebody_stops_and_that_vanishes_is_unknown(
    ended_job_status: int, load: Load, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(ended_job_status=ended_job_status, **VANISHES)

    with once(mstr_sandbox, "get_job", 3, lambda: stop_job(mstr_sandbox)):
        task = load()

    assert isinstance(task.error, errors.OutcomeUnknown)
    assert task.xcoms["mstr_result"]["state"] == "unknown"
    assert states(mstr_sandbox) == ["stopped"]


@every_load
def test_the_servers_reason_is_in_the_error_of_a_failed_load(load: Load, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_failure=WAREHOUSE_IS_DOWN)

    task = load()

    assert isinstance(task.error, errors.PublishFailed)
    assert str(task.error).startswith(
        f"the load of {load.name} failed: the job ended as error: (The warehouse is down.)"
    )
    assert task.xcoms["mstr_result"]["state"] == "failed"
    assert task.xcoms["mstr_link"].endswith(f"/{load.target.id}")
    assert states(mstr_sandbox) == ["error"]


@every_load
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_job_that_somebody_stops_is_a_failure(load: Load, mstr_sandbox: Sandbox) -> None:
    with once(mstr_sandbox, "get_job", 3, lambda: stop_job(mstr_sandbox)):
        task = load()

    assert isinstance(task.error, errors.PublishFailed)
    assert "the job ended as stopped: the server reports no reason" in str(task.error)
    assert states(mstr_sandbox) == ["stopped"]


@each_driver
def test_a_prompt_fails_for_good_and_its_job_is_cancelled(load: Load, mstr_sandbox: Sandbox) -> None:
    task = load(object_id=REGION_CUBE.id)

    assert isinstance(task.error, AirflowFailException)
    assert "the load of cube Region Cube failed: it waits for an answer to a prompt" in str(task.error)
    assert task.xcoms["mstr_result"]["state"] == "failed"
    report = mstr_sandbox.report()
    assert (report.requests["get_job"], report.requests["cancel_job"]) == (1, 1)
    assert states(mstr_sandbox) == ["stopped"]


@every_load
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_that_takes_too_long_is_given_up_and_cancelled(load: Load, mstr_sandbox: Sandbox) -> None:
    task = load(timeout=1)

    assert isinstance(task.error, errors.PublishTimedOut)
    assert f"the load of {load.name} did not end within 1 s: its job is " in str(task.error)
    assert task.xcoms["mstr_result"]["state"] == "running"
    assert mstr_sandbox.report().requests["cancel_job"] == 1
    assert states(mstr_sandbox) == ["stopped"]


@every_load
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_session_that_is_lost_takes_its_load_along(load: Load, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault("get_job", "session_lost", after=2)

    task = load()

    assert isinstance(task.error, errors.OutcomeUnknown)
    assert task.xcoms["mstr_result"]["state"] == "unknown"
    assert states(mstr_sandbox) == ["stopped"]


# A user who may not monitor jobs


@every_load
@pytest.mark.mstr_sandbox(world=NO_MONITOR, publish_seconds=600)
def test_without_the_privilege_to_monitor_the_cube_shows_a_success(
    load: Load, mstr_sandbox: Sandbox, logged: Callable[[], str]
) -> None:

    with finishing_once_asked(mstr_sandbox, "cubes", 4):
        task = load()

    assert task.error is None
    assert task.result["state"] == "finished"
    assert f"{load.name}: the last update shows that the load was successful" in logged()
    assert states(mstr_sandbox) == ["completed"]


@every_load
@pytest.mark.mstr_sandbox(world=NO_MONITOR, publish_seconds=600, publish_failure=WAREHOUSE_IS_DOWN)
def test_without_the_privilege_to_monitor_a_failure_is_unknown(load: Load, mstr_sandbox: Sandbox) -> None:
    with finishing_once_asked(mstr_sandbox, "cubes", 4):
        task = load()

    assert isinstance(task.error, AirflowFailException)
    assert isinstance(meaning(task.error), errors.OutcomeUnknown)
    assert "privilege" in str(task.error)
    assert task.xcoms["mstr_result"]["state"] == "unknown"
    assert states(mstr_sandbox) == ["error"]


@each_driver
@pytest.mark.mstr_sandbox(world=NO_MONITOR, publish_seconds=600)
def test_without_the_privilege_to_monitor_the_logout_stops_the_load(
    load: Load, mstr_sandbox: Sandbox
) -> None:
    task = load(timeout=1)

    assert "so it is unknown how the load of cube Sales Cube ends" in str(task.error)
    assert states(mstr_sandbox) == ["stopped"]


@each_driver
@pytest.mark.mstr_sandbox(world=NO_MONITOR, publish_seconds=600)
def test_without_a_job_and_without_a_last_update_nothing_is_known(load: Load, mstr_sandbox: Sandbox) -> None:
    task = load(verify_last_update=False)

    assert isinstance(task.error, AirflowFailException)
    assert task.xcoms["mstr_result"]["state"] == "unknown"
    assert states(mstr_sandbox) == ["stopped"]


# A start without an answer


@every_load
@pytest.mark.parametrize("fault", ["lost_after", "garbled"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_start_that_was_accepted_without_an_answer_is_not_repeated(
    fault: Any, load: Load, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault(load.start, fault)

    with finishing_once_asked(mstr_sandbox, "cubes", 4):
        task = load()

    assert task.error is None
    assert task.result["state"] == "finished"
    report = mstr_sandbox.report()
    # The id of the job is not known, so the cube decides.
    assert (report.requests[load.start], report.logins, "get_job" in report.requests) == (1, 1, False)
    assert states(mstr_sandbox) == ["completed"]


@every_load
@pytest.mark.mstr_sandbox(publish_seconds=600, publish_failure=WAREHOUSE_IS_DOWN)
def test_a_load_that_fails_after_a_lost_answer_is_unknown(load: Load, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault(load.start, "lost_after")

    with finishing_once_asked(mstr_sandbox, "cubes", 4):
        task = load()

    assert isinstance(task.error, errors.OutcomeUnknown)
    assert task.xcoms["mstr_result"]["state"] == "unknown"
    assert states(mstr_sandbox) == ["error"]


@every_kind
def test_a_start_that_was_lost_is_repeated_in_a_new_session(load: Load, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault(load.start, "lost_before")

    task = load()

    assert task.error is None
    report = mstr_sandbox.report()
    assert (report.requests[load.start], report.logins, report.logouts) == (2, 2, 2)
    assert states(mstr_sandbox) == ["completed"]


@every_kind
def test_a_start_that_is_lost_twice_is_unknown(load: Load, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault(load.start, "lost_before", times=2)

    task = load()

    assert isinstance(task.error, errors.OutcomeUnknown)
    assert "so it is unknown whether the load has started" in str(task.error)
    assert task.xcoms["mstr_result"]["state"] == "unknown"
    assert states(mstr_sandbox) == []


# The load of another job


@every_kind
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_of_another_job_is_awaited(
    load: Load, mstr_sandbox: Sandbox, logged: Callable[[], str]
) -> None:
    other = mstr_sandbox.start_load("Sales Cube")

    def free_the_cube() -> None:
        assert load.start not in mstr_sandbox.report().requests
        mstr_sandbox.finish_load(other)
        mstr_sandbox.change(publish_seconds=0.2)

    with once(mstr_sandbox, "cubes", 3, free_the_cube):
        task = load()

    assert task.error is None
    assert task.result["state"] == "finished"
    assert f"Another job is publishing {load.name}; waiting for it" in logged()
    assert [(job.user, job.status) for job in mstr_sandbox.report().jobs] == [
        ("scheduler", "completed"),
        ("administrator", "completed"),
    ]


@every_kind
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_of_another_job_can_fail_the_task(load: Load, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.start_load("Sales Cube")

    task = load(when_busy="fail")

    assert isinstance(task.error, errors.ModelBusy)
    assert f"another job is publishing {load.name}" in str(task.error)
    assert load.start not in mstr_sandbox.report().requests


# A kill


@every_kind
@pytest.mark.parametrize("call", ["start", "get_job"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_kill_of_the_worker_cancels_the_job(call: str, load: Load, mstr_sandbox: Sandbox) -> None:
    call = load.start if call == "start" else call
    mstr_sandbox.add_fault(call, "slow_after", seconds=1.0)
    kind = MstrRefreshCubeOperator if load.kind == "cube" else MstrRunIncrementalRefreshOperator
    operator = kind(task_id="refresh", deferrable=False, **{f"{load.kind}_id": load.target.id})
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    # Wait for what the call did, so that there is a job to cancel.
    when = lambda report: bool(report.jobs) and asked(call)(report)  # noqa: E731
    killer = threading.Thread(
        target=lambda: mstr_sandbox.wait_for(when) and os.kill(os.getpid(), signal.SIGTERM)
    )
    killer.start()

    task = perform(lambda: operator)

    killer.join()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert isinstance(task.error, TaskKilledError)
    assert states(mstr_sandbox) == ["stopped"]


@pytest.fixture
def trigger(kind: str, mstr_sandbox: Sandbox) -> Any:
    """The trigger of a refresh that has deferred."""
    operator = MstrRefreshCubeOperator if kind == "cube" else MstrRunIncrementalRefreshOperator
    target = SALES_CUBE if kind == "cube" else SALES_UPDATE
    make = lambda: operator(task_id="refresh", deferrable=True, **{f"{kind}_id": target.id})  # noqa: E731
    task = perform(make, triggerer=False)
    assert task.deferral is not None
    return rebuild(task.deferral.trigger)


@pytest.mark.parametrize("while_it_waits", [False, True], ids=["before its wait", "during its wait"])
@pytest.mark.parametrize("kind", ["cube", "report"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
async def test_a_kill_in_the_triggerer_cancels_the_job(
    while_it_waits: bool, trigger: Any, mstr_sandbox: Sandbox
) -> None:
    waits: asyncio.Future[Any] = asyncio.ensure_future(anext(trigger.run()))
    if while_it_waits:
        polls = mstr_sandbox.report().requests["get_job"] + 2
        await asyncio.to_thread(mstr_sandbox.wait_for, asked("get_job", polls))

    await trigger.on_kill()

    waits.cancel()
    await asyncio.wait([waits])
    assert mstr_sandbox.report().requests["cancel_job"] == 1
    assert states(mstr_sandbox) == ["stopped"]


@every_kind
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_trigger_that_fails_leaves_no_job(load: Load, mstr_sandbox: Sandbox) -> None:
    operator = MstrRefreshCubeOperator if load.kind == "cube" else MstrRunIncrementalRefreshOperator
    make = lambda: operator(task_id="refresh", deferrable=True, **{f"{load.kind}_id": load.target.id})  # noqa: E731
    deferred = perform(make, triggerer=False)
    assert states(mstr_sandbox) == ["waiting_on_governor"]

    with pytest.raises(errors.OutcomeUnknown, match="Trigger failure"):
        make().resume_execution("__fail__", {"error": "Trigger failure"}, {"ti": deferred.ti})

    assert states(mstr_sandbox) == ["stopped"]


# Arguments


@every_kind
def test_both_id_and_name_are_refused_when_the_dag_is_read(load: Load) -> None:
    with pytest.raises(errors.InvalidInput, match=f"give either {load.kind}_id or {load.kind}, not both"):
        load(object_id=load.target.id, **{load.kind: load.target.name})


@every_kind
def test_neither_id_nor_name_fails_for_good(load: Load, mstr_sandbox: Sandbox) -> None:
    task = load(object_id=None)

    assert isinstance(task.error, AirflowFailException)
    assert f"{load.kind}_id" in str(task.error)
    assert mstr_sandbox.report().requests == {}


@every_kind
@pytest.mark.parametrize("name", ["Sales Cubes", "Retail"])
def test_an_unknown_name_fails_for_good(name: str, load: Load, mstr_sandbox: Sandbox) -> None:
    task = load(**{load.kind: name})

    assert isinstance(task.error, AirflowFailException)
    assert isinstance(meaning(task.error), errors.NotFound)
    assert f"in the project is named '{name}'; " in str(task.error)
    assert load.target.name in str(task.error)
    assert states(mstr_sandbox) == []


@every_kind
@pytest.mark.mstr_sandbox(world=TWINS)
def test_a_name_of_two_fails_for_good(load: Load, mstr_sandbox: Sandbox) -> None:
    task = load(**{load.kind: load.target.name})

    assert isinstance(task.error, AirflowFailException)
    assert isinstance(meaning(task.error), errors.InvalidInput)
    assert load.target.id in str(task.error)
    assert states(mstr_sandbox) == []


@every_kind
@pytest.mark.parametrize("object_id", [RETAIL.id, "0" * 32], ids=["a data model", "nothing"])
def test_an_id_of_something_else_starts_nothing(object_id: str, load: Load, mstr_sandbox: Sandbox) -> None:
    task = load(object_id=object_id)

    # The name of a data model is known by then.
    assert re.search(f"could not .*({object_id}|{RETAIL.name})", str(task.error))
    assert states(mstr_sandbox) == []
    assert mstr_sandbox.report().publishes == ()


@every_kind
def test_templates_are_rendered(load: Load, mstr_sandbox: Sandbox) -> None:
    operator = MstrRefreshCubeOperator if load.kind == "cube" else MstrRunIncrementalRefreshOperator
    values = {"name": load.target.name, "project": "Tutorial", "connection": "mstr_default"}

    def make() -> Any:
        task = operator(
            task_id="refresh",
            project_id="{{ params.project }}",
            mstr_conn_id="{{ params.connection }}",
            poll_interval=0.1,
            **{load.kind: "{{ params.name }}"},
        )
        task.render_template_fields({"params": values})
        return task

    task = perform(make, ti=TaskInstance("refresh"))

    assert task.error is None
    assert task.result[f"{load.kind}_id"] == load.target.id
    assert states(mstr_sandbox) == ["completed"]
