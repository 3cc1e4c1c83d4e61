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
from workers import rebuild

from airflow_provider_mstr import triggers
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh import Ending
from airflow_provider_mstr.rest import session
from airflow_provider_mstr.rest.errors import (
    HandleRefused,
    OutcomeUnknown,
    PublishFailed,
    PublishTimedOut,
)
from airflow_provider_mstr.rest.publication import State
from airflow_provider_mstr.rest.session import Seal
from airflow_provider_mstr.rest.tables import TableChoice
from airflow_provider_mstr.sandbox import PublishFailure, Sandbox
from airflow_provider_mstr.sandbox.world import RETAIL
from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")


def published(*, timeout: float = 20.0, poll_interval: float = 0.2) -> MstrPublishStatusTrigger:
    """Return the trigger of a publish that was just sent, as its process gets it."""
    hook = MstrHook()
    refresh = hook.publish(hook.open(None, RETAIL.id), TableChoice.of(["ytd_day", "lu_store"], "replace"))
    handle = hook.handle(refresh).to_json()
    return rebuild(MstrPublishStatusTrigger(handle, "mstr_default", timeout, poll_interval))


async def fired(trigger: MstrPublishStatusTrigger) -> list[TriggerEvent]:
    return [event async for event in trigger.run()]


async def ending_of(trigger: MstrPublishStatusTrigger) -> Ending:
    """Run the trigger, which must fire once, and return what a worker reads of its event."""
    (event,) = await fired(trigger)
    payload = json.loads(json.dumps(event.payload))
    # Sealed anew, as the server may have renewed a cookie.
    assert {**payload["handle"], "session": ""} == {**trigger.handle, "session": ""}
    return Ending.from_json(payload)


async def opened(**how: Any) -> MstrPublishStatusTrigger:
    return await asyncio.to_thread(published, **how)


def test_a_trigger_comes_out_of_the_database_as_it_went_in() -> None:
    seen = {RETAIL.tables[0].id: ("loading", 1.5)}
    trigger = MstrPublishStatusTrigger(published().handle, "mstr_default", 7200.0, 30.0, seen)
    back = rebuild(trigger)
    assert type(back) is MstrPublishStatusTrigger
    went_in, came_out = (json.loads(json.dumps(each.serialize())) for each in (trigger, back))
    assert came_out == went_in
    assert trigger.serialize()[0] == "airflow_provider_mstr.triggers.MstrPublishStatusTrigger"


def test_a_trigger_survives_encryption_in_the_database() -> None:
    from airflow.models.trigger import Trigger

    classpath, kwargs = published().serialize()
    row = Trigger(classpath=classpath, kwargs=kwargs)
    assert (row.classpath, row.kwargs) == (classpath, kwargs)


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
async def test_a_finished_publish_fires_one_event_with_its_outcome(mstr_sandbox: Sandbox) -> None:
    ending = await ending_of(await opened())
    assert ending.error is None
    assert (ending.outcome.state, ending.outcome.proven) == (State.FINISHED, True)
    assert [(table.name, table.state) for table in ending.outcome.tables] == [
        ("ytd_day", State.FINISHED),
        ("lu_store", State.FINISHED),
    ]
    assert ending.outcome.seconds > 0.9
    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions) == ("completed", 1)


@pytest.mark.mstr_sandbox(
    publish_failure=PublishFailure("error", table="lu_store", code=-2147212544, message="engine stalled")
)
async def test_a_failed_publish_fires_one_event_that_says_why() -> None:
    ending = await ending_of(await opened())
    assert isinstance(ending.error, PublishFailed)
    assert "lu_store" in str(ending.error)
    assert ending.outcome.state is State.FAILED


@pytest.mark.mstr_sandbox(publish_seconds=3600)
async def test_a_publish_that_takes_too_long_fires_one_event_in_time(mstr_sandbox: Sandbox) -> None:
    ending = await ending_of(await opened(timeout=1.0))
    assert isinstance(ending.error, PublishTimedOut)
    assert ending.outcome.state is State.RUNNING
    # Whoever gets the event decides what becomes of the publish.
    assert mstr_sandbox.report().publishes[0].state == "running"


@pytest.mark.mstr_sandbox(publish_seconds=7200)
async def test_a_timeout_counts_from_the_publish_whatever_process_waits() -> None:
    trigger = await opened(timeout=3600.0)
    trigger.handle["published_at"] -= 3700
    # Counted from now, this would take an hour.
    assert isinstance((await ending_of(trigger)).error, PublishTimedOut)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_lost_session_fires_one_event_once_the_cube_shows_no_load(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_mstr.watch.LONGEST_IDLE", 0.5)
    trigger = await opened()
    mstr_sandbox.add_fault("publish_status", "session_lost", after=1)
    ending = await ending_of(trigger)
    assert isinstance(ending.error, OutcomeUnknown)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_server_that_stays_away_fires_one_event_that_says_so(mstr_sandbox: Sandbox) -> None:
    trigger = await opened(timeout=2.0)
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=None)
    ending = await ending_of(trigger)
    assert isinstance(ending.error, OutcomeUnknown)
    assert "so it is unknown how the load" in str(ending.error)
    assert ending.error.reply.status == 503


@pytest.mark.mstr_sandbox(publish_seconds=1.5)
async def test_a_server_that_is_away_for_a_moment_is_asked_again(mstr_sandbox: Sandbox) -> None:
    trigger = await opened()
    mstr_sandbox.add_fault("publish_status", "lost_before", after=1)
    mstr_sandbox.add_fault("publish_status", "status", status=502, after=1)
    assert (await ending_of(trigger)).error is None


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
@pytest.mark.parametrize("end", ["finished", "session lost"])
async def test_nothing_of_a_trigger_shows_a_secret(
    mstr_sandbox: Sandbox, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    trigger = await opened()
    if end == "session lost":
        mstr_sandbox.add_fault("publish_status", "session_lost")
    events = await fired(trigger)
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
    trigger = await opened()
    monkeypatch.setattr(triggers, "FIRST_PAUSE", 1.0)
    begun = time.monotonic()
    if change == "password":
        connection = json.loads(mstr_sandbox.airflow_connection()) | {"password": "another"}
        monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(connection))
        with pytest.raises(HandleRefused):
            await fired(trigger)
    else:
        monkeypatch.delenv("AIRFLOW_CONN_MSTR_DEFAULT")
        with pytest.raises(Exception, match="mstr_default"):
            await fired(trigger)
    # Nor does an error come before the scheduler has noted the deferral.
    assert time.monotonic() - begun >= 1.0


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_cancelled_trigger_stops_and_leaves_the_publish_to_others(mstr_sandbox: Sandbox) -> None:
    task = asyncio.create_task(fired(await opened()))
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


async def killed(trigger: MstrPublishStatusTrigger) -> None:
    """Do to a trigger what Airflow does where a user ends its task."""
    await asyncio.wait_for(trigger.on_kill(), HANG_SECONDS)


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
    """Let Airflow say that the trigger's task is deferred, and waits with an instance."""
    runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    # The form in which Airflow's API server answers.
    states = {run_id: {task_id if map_index < 0 else f"{task_id}_{map_index}": state}}
    monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", lambda **_: states)
    monkeypatch.setattr(XCom, "get_one", lambda **_: to)
    ids = {"dag_id": "dag", "task_id": task_id, "run_id": run_id, "map_index": map_index}
    trigger.task_instance = SimpleNamespace(**ids)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_users_kill_stops_the_load_and_closes_the_session(mstr_sandbox: Sandbox) -> None:
    await killed(await opened())
    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions) == ("cancelled", 0)


def test_the_key_of_a_handle_is_never_derived_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger, scrypt, threads = published(), hashlib.scrypt, []

    def noted(*args: Any, **how: Any) -> bytes:
        threads.append(threading.get_ident())
        return scrypt(*args, **how)

    async def run_and_kill() -> None:
        await fired(trigger)
        session._derived_key.cache_clear()
        await killed(rebuild(trigger))

    monkeypatch.setattr(hashlib, "scrypt", noted)
    session._derived_key.cache_clear()
    asyncio.run(run_and_kill())
    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def test_the_secrets_of_a_handle_are_registered_with_airflows_masker(
    forget_secrets: Callable[[], None],
) -> None:
    trigger = await opened()
    secrets = MstrHook().refresh(trigger.handle).instance.session.secrets
    forget_secrets()
    assert redact(sorted(secrets)) == sorted(secrets)
    await fired(trigger)
    assert redact(sorted(secrets)) == ["***"] * len(secrets)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_the_secrets_of_a_second_login_are_registered_with_airflows_masker(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_mstr.watch.LONGEST_IDLE", 0.1)
    trigger = await opened()
    mstr_sandbox.add_fault("publish_status", "session_lost", after=1)
    await fired(trigger)
    logins = [request for request in mstr_sandbox.requests if request.call == "cubes"]
    tokens = {request.headers["x-mstr-authtoken"] for request in logins}
    assert len(tokens) == 2
    assert redact(sorted(tokens)) == ["***"] * 2


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
@pytest.mark.parametrize("closes", [True, False])
async def test_a_kill_after_the_event_does_nothing(mstr_sandbox: Sandbox, closes: bool) -> None:
    trigger = await opened()
    trigger.closes = closes
    events = trigger.run()
    await anext(events)
    before = mstr_sandbox.report()

    await killed(trigger)

    assert mstr_sandbox.report() == before
    assert (before.publishes[0].state, before.open_sessions) == ("completed", 0 if closes else 1)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_kill_of_a_trigger_whose_task_still_waits_for_it_does_nothing(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await opened()
    still_deferred(trigger, monkeypatch, to=trigger.handle["instance_id"])
    before = mstr_sandbox.report()

    await killed(trigger)

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
    trigger = await opened()
    place: dict[str, Any] = {"task_id": task_id, "run_id": run_id, "map_index": map_index}
    still_deferred(trigger, monkeypatch, trigger.handle["instance_id"], **place)
    await killed(trigger)
    assert mstr_sandbox.report().open_sessions == 1

    still_deferred(trigger, monkeypatch, trigger.handle["instance_id"], state="failed", **place)
    await killed(trigger)

    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions) == ("cancelled", 0)


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_kill_that_comes_after_the_next_attempt_has_begun_closes_its_own_session_only(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, hook = await opened(), MstrHook()
    new = await asyncio.to_thread(hook.open, None, RETAIL.id)
    still_deferred(old, monkeypatch, to=new.instance.instance_id)

    await killed(old)

    report = mstr_sandbox.report()
    assert (report.publishes[0].state, report.open_sessions, report.instances_open) == ("cancelled", 1, 1)
    await asyncio.to_thread(hook.close, new)
    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_kill_that_is_itself_cancelled_still_closes_the_session(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await opened()
    still_deferred(trigger, monkeypatch, to="nothing any more")
    asked, answered = threading.Event(), threading.Event()
    monkeypatch.setattr(XCom, "get_one", lambda **_: asked.set() or answered.wait(HANG_SECONDS))
    kill = asyncio.create_task(trigger.on_kill())
    assert await asyncio.to_thread(asked.wait, HANG_SECONDS)

    kill.cancel()
    with pytest.raises(asyncio.CancelledError):
        await kill
    answered.set()

    report = await asyncio.to_thread(mstr_sandbox.wait_for, lambda report: report.open_sessions == 0)
    assert report.publishes[0].state == "cancelled"


@pytest.mark.mstr_sandbox(publish_seconds=0.5)
@pytest.mark.parametrize("call", ["delete_instance", "logout"])
async def test_a_kill_in_the_midst_of_closing_leaves_no_session(mstr_sandbox: Sandbox, call: str) -> None:
    trigger = await opened()
    trigger.closes = True
    mstr_sandbox.add_fault(call, "status", status=503, times=2)
    wait = asyncio.create_task(fired(trigger))
    await asyncio.to_thread(mstr_sandbox.wait_for, lambda report: report.requests.get(call, 0) > 0)

    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    await killed(trigger)

    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.mstr_sandbox(publish_seconds=60)
async def test_a_trigger_that_is_cancelled_while_it_looks_for_evidence_leaves_no_session(
    mstr_sandbox: Sandbox,
) -> None:
    trigger = await opened()
    asked = mstr_sandbox.report().requests["cubes"]
    mstr_sandbox.add_fault("publish_status", "session_lost")
    wait = asyncio.create_task(fired(trigger))
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
    trigger = await opened()
    trigger.closes = True
    await fired(rebuild(trigger))

    ending = await ending_of_closed(trigger)

    assert (ending.error, ending.outcome.state) == (None, State.FINISHED)
    assert mstr_sandbox.report().open_sessions == 0


async def ending_of_closed(trigger: MstrPublishStatusTrigger) -> Ending:
    (event,) = await fired(trigger)
    assert event.payload["handle"] is None
    return Ending.from_json(event.payload)


@pytest.mark.mstr_sandbox(publish_seconds=0)
async def test_no_event_comes_before_the_scheduler_has_noted_the_deferral(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trigger = await opened()
    monkeypatch.setattr(triggers, "FIRST_PAUSE", 1.5)
    begun = time.monotonic()

    await ending_of(trigger)

    assert time.monotonic() - begun >= 1.5


@pytest.mark.mstr_sandbox(publish_seconds=1.0)
def test_many_triggers_share_a_loop_without_blocking_it(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    eight = [published()] * 8
    of_the_loop = threading.current_thread()
    opening, sleeping = threads_of(Seal, "open", monkeypatch), sleepers(monkeypatch)

    async def all_of_them() -> list[Ending]:
        answer_while_the_loop_runs(mstr_sandbox, monkeypatch)
        return await asyncio.gather(*(ending_of(trigger) for trigger in eight))

    endings = asyncio.run(all_of_them())
    assert [ending.error for ending in endings] == [None] * 8
    assert mstr_sandbox.report().requests["publish_status"] >= 8
    # To derive the key of a seal takes the processor for long.
    assert len(opening) == 8
    assert of_the_loop not in {*opening, *sleeping}
