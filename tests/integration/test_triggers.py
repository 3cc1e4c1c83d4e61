# SPDX-License-Identifier: Apache-2.0
"""The trigger, as a triggerer runs it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import XCom, redact
from airflow.triggers.base import TriggerEvent
from event_loops import HANG_SECONDS, answer_while_the_loop_runs, sleepers, threads_of
from workers import TaskInstance, publish_as_another_job, rebuild

from airflow_provider_mstr import triggers
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh import sealing
from airflow_provider_mstr.refresh.data_model import DataModelSpec
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.rest.errors import InvalidHandle, OutcomeUnknown, PublishFailed, PublishTimedOut
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.sandbox import PublishFailure, Sandbox
from airflow_provider_mstr.sandbox.world import RETAIL
from airflow_provider_mstr.task.deferral import WAIT_KEY, store_wait
from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")


def publish(*, timeout: float = 20.0, poll_interval: float = 0.2) -> MstrPublishStatusTrigger:
    """Publish, and return the trigger as its process gets it."""
    handle = MstrHook().handle(publish_as_another_job(RETAIL.id, ["ytd_day", "lu_store"]))
    return rebuild(MstrPublishStatusTrigger(handle, "mstr_default", timeout, poll_interval))


async def run_trigger(trigger: MstrPublishStatusTrigger) -> list[TriggerEvent]:
    return [event async for event in trigger.run()]


async def result_of(trigger: MstrPublishStatusTrigger) -> RefreshResult:
    """Run the trigger, which must send one event, and return the result that a worker reads from it."""
    (event,) = await run_trigger(trigger)
    payload = json.loads(json.dumps(event.payload))
    # Sealed anew, as the server may have renewed a cookie.
    assert {**payload["handle"], "session": ""} == {**trigger.handle, "session": ""}
    return RefreshResult.from_event(payload)


async def start(**how: Any) -> MstrPublishStatusTrigger:
    return await asyncio.to_thread(publish, **how)


def test_a_trigger_comes_out_of_the_database_as_it_went_in() -> None:
    arguments: dict[str, Any] = {
        "handle": publish().handle,
        "mstr_conn_id": "other",
        "timeout": 7200.0,
        "poll_interval": 30.0,
        "seen": {RETAIL.tables[0].id: ["loading", 1.5]},
        "closes": True,
        "stored_in": {"dag_id": "dag", "task_id": "wait", "run_id": "run", "map_index": -1},
    }
    back = rebuild(MstrPublishStatusTrigger(**arguments))
    assert type(back) is MstrPublishStatusTrigger
    assert {name: getattr(back, name) for name in arguments} == arguments


def test_a_trigger_survives_encryption_in_the_database() -> None:
    from airflow.models.trigger import Trigger

    classpath, kwargs = publish().serialize()
    row = Trigger(classpath=classpath, kwargs=kwargs)
    assert (row.classpath, row.kwargs) == (classpath, kwargs)


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
async def test_a_finished_publish_sends_one_event_with_its_result(mstr_sandbox: Sandbox) -> None:
    result = await result_of(await start())
    assert result.error is None
    assert (result.state, result.tables_confirmed) == (State.FINISHED, True)
    assert [(table.name, table.state) for table in result.tables] == [
        ("ytd_day", State.FINISHED),
        ("lu_store", State.FINISHED),
    ]
    assert result.seconds > 0.9
    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions) == ("completed", 1)


@pytest.mark.mstr_sandbox(
    publish_failure=PublishFailure("error", table="lu_store", code=-2147212544, message="engine stalled")
)
async def test_a_failed_publish_sends_one_event_that_says_why() -> None:
    result = await result_of(await start())
    assert isinstance(result.error, PublishFailed)
    assert "lu_store" in str(result.error)
    assert result.state is State.FAILED


@pytest.mark.mstr_sandbox(publish_seconds=3600)
async def test_a_publish_that_takes_too_long_sends_one_event_in_time(mstr_sandbox: Sandbox) -> None:
    result = await result_of(await start(timeout=1.0))
    assert isinstance(result.error, PublishTimedOut)
    assert result.state is State.RUNNING
    # Whoever gets the event decides what becomes of the publish.
    assert mstr_sandbox.report().publishes[0].state == "running"


@pytest.mark.mstr_sandbox(publish_seconds=7200)
async def test_a_timeout_counts_from_the_publish_whatever_process_waits() -> None:
    trigger = await start(timeout=3600.0)
    trigger.handle["started_at"] -= 3700
    # Counted from now, this would take an hour.
    assert isinstance((await result_of(trigger)).error, PublishTimedOut)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_lost_session_sends_one_event_once_the_cube_shows_no_load(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_mstr.refresh.poller.MAX_IDLE_SECONDS", 0.5)
    trigger = await start()
    mstr_sandbox.add_fault("publish_status", "session_lost", after=1)
    result = await result_of(trigger)
    assert isinstance(result.error, OutcomeUnknown)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_server_that_stays_away_sends_one_event_that_says_so(mstr_sandbox: Sandbox) -> None:
    trigger = await start(timeout=2.0)
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=None)
    result = await result_of(trigger)
    assert isinstance(result.error, OutcomeUnknown)
    assert "so it is unknown how the load" in str(result.error)
    assert result.error.reply.status == 503


@pytest.mark.mstr_sandbox(publish_seconds=1.5)
async def test_a_server_that_is_away_for_a_moment_is_asked_again(mstr_sandbox: Sandbox) -> None:
    trigger = await start()
    mstr_sandbox.add_fault("publish_status", "lost_before", after=1)
    mstr_sandbox.add_fault("publish_status", "status", status=502, after=1)
    assert (await result_of(trigger)).error is None


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
@pytest.mark.parametrize("end", ["finished", "session lost"])
async def test_nothing_of_a_trigger_shows_a_secret(
    mstr_sandbox: Sandbox, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    trigger = await start()
    if end == "session lost":
        mstr_sandbox.add_fault("publish_status", "session_lost")
    events = await run_trigger(trigger)
    assert len(events) == 1
    shown = [json.dumps(events[0].payload), repr(events[0]), repr(trigger), str(trigger), caplog.text]
    shown += [repr(trigger.serialize()), json.dumps(trigger.serialize())]
    secrets = mstr_sandbox.secrets()
    assert len(secrets) > 4
    assert [secret for secret in secrets for text in shown if secret in text] == []


@pytest.mark.parametrize("change", ["password", "connection gone"])
async def test_a_handle_that_cannot_be_opened_is_an_error_of_the_trigger(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    trigger = await start()
    monkeypatch.setattr(triggers, "FIRST_PAUSE", 1.0)
    begun = time.monotonic()
    if change == "password":
        connection = json.loads(mstr_sandbox.airflow_connection()) | {"password": "another"}
        monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(connection))
        with pytest.raises(InvalidHandle):
            await run_trigger(trigger)
    else:
        monkeypatch.delenv("AIRFLOW_CONN_MSTR_DEFAULT")
        with pytest.raises(Exception, match="mstr_default"):
            await run_trigger(trigger)
    # Nor does an error come before the scheduler has registered the deferral.
    assert time.monotonic() - begun >= 1.0


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_cancelled_trigger_stops_and_leaves_the_publish_to_others(mstr_sandbox: Sandbox) -> None:
    task = asyncio.create_task(run_trigger(await start()))
    await asyncio.to_thread(
        mstr_sandbox.wait_for, lambda report: report.requests.get("publish_status", 0) > 1
    )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Nothing is left that could ask.
    assert asyncio.all_tasks() == {asyncio.current_task()}
    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions) == ("running", 1)


async def kill(trigger: MstrPublishStatusTrigger) -> None:
    """Do to a trigger what Airflow does if a user ends its task."""
    await asyncio.wait_for(trigger.on_kill(), HANG_SECONDS)


def wait_of(handle: dict[str, Any]) -> Any:
    """Return what a task stores about the wait with a handle."""
    ti = TaskInstance("wait")
    store_wait({"ti": ti}, handle)
    return ti.xcoms[WAIT_KEY]


def still_deferred(
    trigger: MstrPublishStatusTrigger,
    monkeypatch: pytest.MonkeyPatch,
    to: str,
    *,
    state: str | None = "deferred",
    task_id: str = "wait",
    run_id: str = "run",
    map_index: int = -1,
) -> None:
    """Let Airflow report that the trigger's task is in a state, and which wait it has stored."""
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    ids = {"dag_id": "dag", "task_id": task_id, "run_id": run_id, "map_index": map_index}

    def get_task_states(**asked: Any) -> Any:
        mapped = None if map_index < 0 else map_index
        assert asked == {"dag_id": "dag", "task_ids": [task_id], "run_ids": [run_id], "map_index": mapped}
        # The form in which Airflow's API server answers.
        return {run_id: {task_id if map_index < 0 else f"{task_id}_{map_index}": state}}

    def get_one(**asked: Any) -> Any:
        assert asked == {"key": WAIT_KEY, **ids}
        return to

    monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", get_task_states)
    monkeypatch.setattr(XCom, "get_one", get_one)
    trigger.task_instance = SimpleNamespace(**ids)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_users_kill_stops_the_load_and_closes_the_session(mstr_sandbox: Sandbox) -> None:
    await kill(await start())
    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions) == ("cancelled", 0)


def test_the_key_of_a_handle_is_never_derived_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger, scrypt, threads = publish(), hashlib.scrypt, []

    def record(*args: Any, **how: Any) -> bytes:
        threads.append(threading.get_ident())
        return scrypt(*args, **how)

    async def run_and_kill() -> None:
        await run_trigger(trigger)
        sealing._derived_key.cache_clear()
        await kill(rebuild(trigger))

    monkeypatch.setattr(hashlib, "scrypt", record)
    sealing._derived_key.cache_clear()
    asyncio.run(run_and_kill())
    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def test_the_secrets_of_a_handle_are_registered_with_airflows_masker(
    forget_secrets: Callable[[], None],
) -> None:
    trigger = await start()
    secrets = MstrHook().load_job(trigger.handle).session.secrets
    forget_secrets()
    assert redact(sorted(secrets)) == sorted(secrets)
    await run_trigger(trigger)
    assert redact(sorted(secrets)) == ["***"] * len(secrets)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_the_secrets_of_a_second_login_are_registered_with_airflows_masker(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_mstr.refresh.poller.MAX_IDLE_SECONDS", 0.1)
    trigger = await start()
    mstr_sandbox.add_fault("publish_status", "session_lost", after=1)
    await run_trigger(trigger)
    logins = [request for request in mstr_sandbox.requests if request.call == "cubes"]
    tokens = {request.headers["x-mstr-authtoken"] for request in logins}
    assert len(tokens) == 2
    assert redact(sorted(tokens)) == ["***"] * 2


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
@pytest.mark.parametrize("closes", [True, False])
async def test_a_kill_after_the_event_does_nothing(mstr_sandbox: Sandbox, closes: bool) -> None:
    trigger = await start()
    trigger.closes = closes
    events = trigger.run()
    await anext(events)
    before = mstr_sandbox.report()

    await kill(trigger)

    assert mstr_sandbox.report() == before
    assert (before.publishes[0].state, before.open_sessions) == ("completed", 0 if closes else 1)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_kill_of_a_trigger_whose_task_still_waits_for_it_does_nothing(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await start()
    still_deferred(trigger, monkeypatch, to=wait_of(trigger.handle))
    before = mstr_sandbox.report()

    await kill(trigger)

    assert mstr_sandbox.report() == before


@pytest.mark.mstr_sandbox(publish_seconds=60)
@pytest.mark.parametrize("map_index", [-1, 0, 3])
@pytest.mark.parametrize(
    ("task_id", "run_id"),
    [("refresh_deferred", "run"), ("deferred", "run"), ("wait", "deferred_backfill"), ("wait", "run")],
)
async def test_the_state_of_the_task_counts_and_not_its_name(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, task_id: str, run_id: str, map_index: int
) -> None:
    trigger = await start()
    place: dict[str, Any] = {"task_id": task_id, "run_id": run_id, "map_index": map_index}
    still_deferred(trigger, monkeypatch, wait_of(trigger.handle), **place)
    await kill(trigger)
    assert mstr_sandbox.report().open_sessions == 1

    still_deferred(trigger, monkeypatch, wait_of(trigger.handle), state="failed", **place)
    await kill(trigger)

    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions) == ("cancelled", 0)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_kill_that_comes_after_the_next_attempt_has_begun_closes_its_own_session_only(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, hook = await start(), MstrHook()
    new = await asyncio.to_thread(hook.open_job, DataModelSpec(project=hook.project(None), target=RETAIL.id))
    still_deferred(old, monkeypatch, to=wait_of(hook.handle(new)))

    await kill(old)

    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions, report.instances_open) == ("cancelled", 1, 1)
    await asyncio.to_thread(hook.close, new)
    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_kill_that_is_itself_cancelled_still_closes_the_session(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await start()
    still_deferred(trigger, monkeypatch, to="nothing any more")
    asked, answered = threading.Event(), threading.Event()
    monkeypatch.setattr(XCom, "get_one", lambda **_: asked.set() or answered.wait(HANG_SECONDS))
    killing = asyncio.create_task(trigger.on_kill())
    assert await asyncio.to_thread(asked.wait, HANG_SECONDS)

    killing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killing
    answered.set()

    report = await asyncio.to_thread(mstr_sandbox.wait_for, lambda report: report.open_sessions == 0)
    assert report.publishes[0].state == "cancelled"


@pytest.mark.mstr_sandbox(publish_seconds=0.5)
@pytest.mark.parametrize("call", ["delete_instance", "logout"])
async def test_a_kill_in_the_midst_of_closing_leaves_no_session(mstr_sandbox: Sandbox, call: str) -> None:
    trigger = await start()
    trigger.closes = True
    mstr_sandbox.add_fault(call, "status", status=503, times=2)
    wait = asyncio.create_task(run_trigger(trigger))
    await asyncio.to_thread(mstr_sandbox.wait_for, lambda report: report.requests.get(call, 0) > 0)

    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    await kill(trigger)

    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_trigger_that_is_cancelled_while_it_checks_the_last_update_leaves_no_session(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_mstr.refresh.poller.MAX_IDLE_SECONDS", HANG_SECONDS)
    trigger = await start()
    asked = mstr_sandbox.report().requests["cubes"]
    mstr_sandbox.add_fault("publish_status", "session_lost")
    wait = asyncio.create_task(run_trigger(trigger))
    await asyncio.to_thread(mstr_sandbox.wait_for, lambda report: report.requests["cubes"] > asked + 1)
    assert mstr_sandbox.report().open_sessions == 1

    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait

    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
async def test_a_trigger_whose_event_was_lost_ends_as_well_when_it_is_run_again(
    mstr_sandbox: Sandbox,
) -> None:
    trigger = await start()
    trigger.closes = True
    await run_trigger(rebuild(trigger))

    result = await result_of_closed(trigger)

    assert (result.error, result.state) == (None, State.FINISHED)
    assert mstr_sandbox.report().open_sessions == 0


async def result_of_closed(trigger: MstrPublishStatusTrigger) -> RefreshResult:
    (event,) = await run_trigger(trigger)
    assert event.payload["handle"] is None
    return RefreshResult.from_event(event.payload)


@pytest.mark.mstr_sandbox(publish_seconds=0)
async def test_no_event_comes_before_the_scheduler_has_registered_the_deferral(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trigger = await start()
    monkeypatch.setattr(triggers, "FIRST_PAUSE", 1.5)
    begun = time.monotonic()

    await result_of(trigger)

    assert time.monotonic() - begun >= 1.5


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
def test_many_triggers_share_a_loop_without_blocking_it(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    eight = [publish()] * 8
    of_the_loop = threading.current_thread()
    opening, sleeping = threads_of(Seal, "open", monkeypatch), sleepers(monkeypatch)

    async def all_of_them() -> list[RefreshResult]:
        answer_while_the_loop_runs(mstr_sandbox, monkeypatch)
        return await asyncio.gather(*(result_of(trigger) for trigger in eight))

    results = asyncio.run(all_of_them())
    assert [result.error for result in results] == [None] * 8
    assert mstr_sandbox.report().requests["publish_status"] >= 8
    # To derive the key of a seal takes the processor for long.
    assert len(opening) == 8
    assert of_the_loop not in {*opening, *sleeping}
