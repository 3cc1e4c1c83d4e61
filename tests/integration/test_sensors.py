# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
)
from workers import Performed, TaskInstance, perform

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
)
from airflow_provider_mstr.sandbox import PublishFailure, Sandbox
from airflow_provider_mstr.sensors import MstrPublishStatusSensor
from airflow_provider_mstr.task.failures import TaskKilledError

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

RETAIL = "9F4772B837604551B4D3CC916ADC5598"

Publish = Callable[[], dict[str, Any]]

both = pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferred"])


@pytest.fixture
def created() -> dict[str, Any]:
    """The handle of a fresh instance."""
    task = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))
    assert task.error is None
    return task.result


@pytest.fixture
def published(created: dict[str, Any]) -> Publish:
    """Starts a publish and returns its handle."""

    def publish() -> dict[str, Any]:
        task = perform(lambda: MstrPublishDataModelOperator(task_id="publish", instance=created))
        assert task.error is None
        return task.result

    return publish


def wait(handle: Any, **more: Any) -> Performed:
    more = {"poke_interval": 0.1, "timeout": 30} | more
    return perform(lambda: MstrPublishStatusSensor(task_id="wait", instance=handle, **more))


@both
def test_the_sensor_returns_the_result(deferrable: bool, published: Publish) -> None:
    task = wait(published(), deferrable=deferrable)

    assert task.result["state"] == "finished"
    assert task.xcoms["mstr_result"] == task.result


@both
@pytest.mark.mstr_sandbox(publish_seconds=0.6)
def test_each_change_of_a_table_is_logged_once_over_all_polls(
    deferrable: bool, published: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    task = wait(published(), deferrable=deferrable)

    ends = [line for line in capsys.readouterr().out.splitlines() if ": completed after" in line]
    assert len(ends) == len(task.result["tables"]) == 4


@both
def test_a_lost_session_ends_the_sensor_at_once_and_says_what_to_clear(
    deferrable: bool, published: Publish, created: dict[str, Any]
) -> None:
    handle = published()
    perform(lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance=created))

    # Otherwise it would wait for an hour.
    task = wait(handle, deferrable=deferrable, timeout=3600)

    assert isinstance(task.error, AirflowFailException)
    assert "Clear the task that created" in str(task.error)


@both
def test_a_handle_that_was_not_published_ends_the_sensor_at_once(
    deferrable: bool, created: dict[str, Any]
) -> None:
    task = wait(created, deferrable=deferrable)

    assert isinstance(task.error, AirflowFailException)
    assert "publish task" in str(task.error)


@both
@pytest.mark.mstr_sandbox(publish_seconds=7200)
def test_the_timeout_counts_from_the_publish_and_not_from_the_sensor(
    deferrable: bool, published: Publish
) -> None:
    handle = published() | {"started_at": time.time() - 3700}

    # Counted from now, this would take an hour.
    task = wait(handle, deferrable=deferrable, timeout=3600)

    assert isinstance(task.error, AirflowSensorTimeout)


@both
def test_a_publish_that_finished_late_is_still_a_success(deferrable: bool, published: Publish) -> None:
    handle = published()
    assert wait(handle).result["state"] == "finished"

    task = wait(handle | {"started_at": time.time() - 100}, deferrable=deferrable, timeout=99)

    assert task.result["state"] == "finished"


@both
@pytest.mark.parametrize("leniency", ["soft_fail", "never_fail"])
def test_a_lenient_sensor_is_skipped_where_the_publish_fails(
    leniency: str, deferrable: bool, mstr_sandbox: Sandbox, published: Publish
) -> None:
    mstr_sandbox.change(publish_failure=PublishFailure("error"))

    task = wait(published(), deferrable=deferrable, **{leniency: True})

    assert isinstance(task.error, AirflowSkipException)
    assert "the load of data model Retail failed" in f"{task.error} {task.error.__context__}"


@pytest.mark.parametrize("why", ["Trigger failure", "Trigger timeout"])
def test_a_failed_trigger_is_told_in_one_sentence(why: str) -> None:
    sensor = MstrPublishStatusSensor(task_id="wait", instance={}, deferrable=True)

    with pytest.raises(Exception, match=why) as caught:
        sensor.resume_execution("__fail__", {"error": why}, {})

    # The error stays Airflow's own, which decides whether it retries.
    assert type(caught.value).__name__ in ("TaskDeferralError", "AirflowSensorTimeout")
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.count(f"the wait in the triggerer failed ({why}), so it is unknown how the load ends") == 1
    assert "direct cause" not in shown


def test_a_sensor_resumes_with_the_error_of_its_own(published: Publish) -> None:
    sensor = MstrPublishStatusSensor(task_id="wait", instance=published(), deferrable=True)

    with pytest.raises(AirflowFailException, match="not a complete event"):
        sensor.resume_execution("execute_complete", {"event": None}, {"ti": TaskInstance("wait")})


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_in_reschedule_mode_the_sensor_gives_its_worker_back(
    published: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.TaskInstance.get_first_reschedule_date", lambda *_: None, raising=False)
    # Airflow 2 asks its database instead.
    sensors = sys.modules[BaseSensorOperator.__module__]
    monkeypatch.setattr(sensors, "_orig_start_date", lambda **_: None, raising=False)
    for name in ("dag_id", "run_id"):
        monkeypatch.setattr(f"workers.TaskInstance.{name}", "refresh", raising=False)

    task = wait(published(), mode="reschedule")

    assert isinstance(task.error, AirflowRescheduleException)


@both
def test_a_server_that_is_away_for_a_moment_does_not_fail_the_wait(
    deferrable: bool, mstr_sandbox: Sandbox, published: Publish
) -> None:
    mstr_sandbox.change(publish_seconds=1.0)
    handle = published()
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=2)
    mstr_sandbox.add_fault("publish_status", "garbled", garble="html", after=2)

    task = wait(handle, deferrable=deferrable)

    assert task.result["state"] == "finished"


@both
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_server_that_stays_away_leaves_the_outcome_unknown(
    deferrable: bool, mstr_sandbox: Sandbox, published: Publish
) -> None:
    handle = published()
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=None)

    task = wait(handle, deferrable=deferrable, timeout=1)

    assert isinstance(task.error, AirflowFailException)
    assert "so it is unknown how the load" in str(task.error)
    assert "503" in str(task.error)


@both
def test_a_load_is_found_by_the_cube_where_its_status_cannot_be_asked(
    deferrable: bool, mstr_sandbox: Sandbox, published: Publish
) -> None:
    handle = published()
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=None)

    task = wait(handle, deferrable=deferrable, timeout=1)

    assert (task.result["state"], task.result["tables_confirmed"]) == ("finished", False)


@pytest.mark.mstr_sandbox(publish_seconds=600)
@pytest.mark.parametrize("session", ["alive", "lost"])
def test_a_kill_breaks_the_wait_off_at_once_and_leaves_no_session_but_the_given_one(
    session: str, mstr_sandbox: Sandbox, published: Publish
) -> None:
    sensor = MstrPublishStatusSensor(task_id="wait", instance=published(), poke_interval=0.3)
    if session == "lost":
        mstr_sandbox.add_fault("publish_status", "session_lost", after=1)
    signal.signal(signal.SIGTERM, lambda *_: sensor.on_kill())
    call = "cubes" if session == "lost" else "publish_status"
    asked = mstr_sandbox.report().requests.get(call, 0) + 1
    killer = threading.Thread(target=kill_after, args=(mstr_sandbox, call, asked))
    killer.start()

    task = perform(lambda: sensor)

    killer.join()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert isinstance(task.error, TaskKilledError)
    assert mstr_sandbox.report().open_sessions == (session == "alive")


def kill_after(sandbox: Sandbox, call: str, times: int) -> None:
    sandbox.wait_for(lambda report: report.requests.get(call, 0) > times)
    os.kill(os.getpid(), signal.SIGTERM)
