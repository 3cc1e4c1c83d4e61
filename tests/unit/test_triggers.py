# SPDX-License-Identifier: Apache-2.0
"""The trigger: what another process builds it from, what it sends, and what a kill closes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from airflow.providers.common.compat.sdk import XCom
from jobs import job_of
from scripted import CITY, GATEWAY_GONE, NOW, PUBLISHED, YTD_DAY, an_instance, empty, refusal
from scripted_library import FINISHED, RUNNING, ScriptedLibrary
from workers import rebuild

from airflow_provider_mstr import triggers
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.rest.errors import InvalidHandle
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.task.deferral import STORED_KEY
from airflow_provider_mstr.triggers import FIRST_PAUSE, MstrPublishStatusTrigger

IDS = {"dag_id": "dag", "task_id": "wait", "run_id": "run", "map_index": -1}
JOB = job_of(an_instance(), PUBLISHED, NOW)


def a_trigger(**fields: Any) -> MstrPublishStatusTrigger:
    arguments = {"timeout": 600.0, "poll_interval": 30.0, "handle": MstrHook().handle(JOB)} | fields
    return MstrPublishStatusTrigger(mstr_conn_id="mstr_default", **arguments)


async def run_trigger(trigger: MstrPublishStatusTrigger) -> dict[str, Any]:
    (event,) = [event async for event in trigger.run()]
    payload: dict[str, Any] = json.loads(json.dumps(event.payload))
    return payload


def test_another_process_builds_the_trigger_from_all_of_its_arguments() -> None:
    arguments = {
        "handle": {"session": "sealed"},
        "mstr_conn_id": "other",
        "timeout": 7200.0,
        "poll_interval": 30.0,
        "seen": {YTD_DAY: ["loading", 1.5]},
        "closes": True,
        "stored_in": IDS,
    }
    trigger = MstrPublishStatusTrigger(**arguments)  # type: ignore[arg-type]
    assert trigger.serialize() == ("airflow_provider_mstr.triggers.MstrPublishStatusTrigger", arguments)
    again = rebuild(trigger)
    assert {name: getattr(again, name) for name in arguments} == arguments


def test_arguments_that_are_left_out_are_empty() -> None:
    trigger = MstrPublishStatusTrigger({}, "mstr_default", 1.0, 1.0)
    assert (trigger.seen, trigger.closes, trigger.stored_in) == ({}, False, None)


async def test_a_trigger_polls_until_the_load_ends(library: ScriptedLibrary) -> None:
    library.script(publishStatus=[RUNNING, GATEWAY_GONE, RUNNING, FINISHED])
    event = await run_trigger(a_trigger())
    result = RefreshResult.from_event(event)
    assert (result.state, result.error, result.tables_confirmed) == (State.FINISHED, None, True)
    assert (event["polls"], event["retries"]) == (3, 1)
    assert MstrHook().load_job(event["handle"]) == JOB
    assert library.calls == ["publishStatus"] * 4


async def test_no_poll_comes_before_the_scheduler_has_registered_the_deferral(
    library: ScriptedLibrary,
) -> None:
    await run_trigger(a_trigger())
    assert FIRST_PAUSE >= 5
    assert library.clock.now == NOW + FIRST_PAUSE


async def test_a_trigger_polls_no_less_often_than_its_interval(library: ScriptedLibrary) -> None:
    library.script(publishStatus=[RUNNING, RUNNING, FINISHED])
    library.clock.now += 500
    await run_trigger(a_trigger(poll_interval=10.0))
    assert library.clock.now - NOW - 500 - FIRST_PAUSE <= 20
    assert library.clock.now - NOW - 500 - FIRST_PAUSE >= 18


async def test_the_timeout_counts_from_the_start(library: ScriptedLibrary) -> None:
    library.script(publishStatus=RUNNING)
    library.clock.now += 601
    result = RefreshResult.from_event(await run_trigger(a_trigger()))
    assert "did not end within 600 s" in str(result.error)


async def test_a_table_that_the_worker_has_seen_is_not_logged_again(
    library: ScriptedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Mock()
    monkeypatch.setattr(MstrPublishStatusTrigger, "log", log)
    event = await run_trigger(a_trigger(seen={YTD_DAY: ["completed", 1.5]}))
    (line,) = (call.args[0] for call in log.info.mock_calls)
    assert line.startswith("Table city_mnth_sls: completed")
    seconds = {table["id"]: table["seconds"] for table in event["result"]["tables"]}
    assert seconds == {YTD_DAY: 1.5, CITY: FIRST_PAUSE}


async def test_a_trigger_that_closes_sends_no_handle(library: ScriptedLibrary) -> None:
    event = await run_trigger(a_trigger(closes=True))
    assert event["handle"] is None
    assert library.calls == ["publishStatus", "delete", "logout"]


async def test_what_a_trigger_cannot_close_is_left_to_the_task(library: ScriptedLibrary) -> None:
    library.script(logout=refusal(403, "ERR003"))
    event = await run_trigger(a_trigger(closes=True))
    assert MstrHook().load_job(event["handle"]).session == JOB.session
    assert event["error"] is None


async def test_the_fields_that_an_xcom_stores_are_used(
    library: ScriptedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    full = MstrHook().handle(JOB)
    stored = {"handle": {"tables": full["tables"]}, "seen": {YTD_DAY: ["completed", 1.5]}}

    def get_one(**ids: Any) -> Any:
        asked.append(ids)
        return stored

    monkeypatch.setattr(XCom, "get_one", get_one)
    event = await run_trigger(a_trigger(handle=full | {"tables": []}, stored_in=IDS))
    assert asked == [{"key": STORED_KEY, **IDS}]
    assert {table["id"]: table["seconds"] for table in event["result"]["tables"]} == {
        YTD_DAY: 1.5,
        CITY: FIRST_PAUSE,
    }


async def test_an_error_of_the_trigger_does_not_come_too_early_either(library: ScriptedLibrary) -> None:
    handle = MstrHook().handle(JOB) | {"session": "tampered"}
    with pytest.raises(InvalidHandle):
        await run_trigger(a_trigger(handle=handle))
    assert library.clock.now == NOW + FIRST_PAUSE


# Kills


async def test_a_kill_before_the_first_poll_closes_the_job(library: ScriptedLibrary) -> None:
    await a_trigger().on_kill()
    assert library.calls == ["delete", "logout"]


@pytest.mark.parametrize("deferred", [False, True])
async def test_a_kill_closes_nothing_if_the_task_still_waits(
    deferred: bool, library: ScriptedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def is_deferred_to(ti: Any, handle: Any) -> bool:
        asked.append((ti, handle))
        return deferred

    monkeypatch.setattr(triggers, "is_deferred_to", is_deferred_to)
    trigger = a_trigger()
    ti: Any = SimpleNamespace(**IDS)
    trigger.task_instance = ti
    await trigger.on_kill()
    assert asked == [(ti, trigger.handle)]
    assert library.calls == ([] if deferred else ["delete", "logout"])


@pytest.mark.parametrize("closes", [False, True])
async def test_a_kill_after_the_event_sends_nothing(closes: bool, library: ScriptedLibrary) -> None:
    trigger = a_trigger(closes=closes)
    events = trigger.run()
    await anext(events)
    library.requests.clear()
    await trigger.on_kill()
    assert library.calls == []


async def test_a_second_kill_closes_nothing_twice(library: ScriptedLibrary) -> None:
    trigger = a_trigger()
    await trigger.on_kill()
    await trigger.on_kill()
    assert library.calls == ["delete", "logout"]


async def test_a_kill_during_the_wait_closes_the_job_with_the_cookies_that_were_renewed(
    library: ScriptedLibrary,
) -> None:
    set_cookie = ("Set-Cookie", "JSESSIONID=renewed-cookie; Path=/MicroStrategyLibrary")
    renewed = replace(RUNNING, headers=(set_cookie,))
    library.script(publishStatus=[renewed, asyncio.CancelledError()], delete=empty())
    trigger = a_trigger()
    with pytest.raises(asyncio.CancelledError):
        await run_trigger(trigger)
    await trigger.on_kill()
    assert library.calls == ["publishStatus", "publishStatus", "delete", "logout"]
    assert [cookie.value for cookie in library.requests[-1].cookies] == ["renewed-cookie"]
