# SPDX-License-Identifier: Apache-2.0
"""A refresh whose end the cube's last update shows; and a refresh during another job's publish."""

from __future__ import annotations

import json
import re
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from moments import finish_once_asked
from workers import WAYS, Way, every_way, perform, publish_as_another_job

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrPublishDataModelOperator,
)
from airflow_provider_mstr.refresh import data_model, poller
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints import cubes
from airflow_provider_mstr.rest.endpoints.cubes import Cube
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

RETAIL = "9F4772B837604551B4D3CC916ADC5598"


def a_cube(status: Any = 17510, updated: Any = "01/02/2026 03:04:05", date: str | None = None) -> Cube:
    body = json.dumps({"cubesInfos": [{"status": status, "lastUpdateTime": updated}]}).encode()
    return Cube.read(Response(200, (("Date", date),) if date else (), body))


PROJECT = "B7CA92F04B9FAE8D941C3E9B7E0CD754"
NOT_READ_YET = LastUpdate(PROJECT, RETAIL)


def test_a_last_update_is_older_than_a_later_one_and_not_than_itself() -> None:
    before = NOT_READ_YET.at(a_cube())

    assert before.is_older_than(a_cube(updated="01/02/2026 03:04:06"))
    assert not before.is_older_than(a_cube())
    assert not before.is_older_than(a_cube(updated=None))
    assert not before.is_older_than(None)


def test_a_cube_that_was_never_loaded_is_older_than_its_first_load() -> None:
    assert NOT_READ_YET.at(a_cube(0, None)).is_older_than(a_cube())


def test_a_first_load_shows_without_a_time_once_it_has_ended() -> None:
    before = NOT_READ_YET.at(a_cube(0, None))

    assert not before.is_older_than(a_cube(1, None))
    assert before.is_older_than(a_cube(17510, None))


@pytest.mark.parametrize("status", [17510, None])
def test_a_cube_that_was_loaded_at_an_unknown_time_is_not_comparable(status: int | None) -> None:
    assert not NOT_READ_YET.at(a_cube(status, None)).is_comparable


def test_an_unreadable_cube_is_not_comparable() -> None:
    assert not NOT_READ_YET.at(None).is_older_than(a_cube())


@pytest.mark.parametrize("hours", [0, 5.5, -8])
def test_a_load_of_the_current_second_is_not_comparable_in_any_zone(hours: float) -> None:
    now = datetime(2026, 1, 2, 3, 4, 6) + timedelta(hours=hours)
    date = now.strftime("%a, %d %b %Y %H:%M:%S GMT")

    assert not NOT_READ_YET.at(a_cube(date=date)).is_comparable
    later = (now + timedelta(seconds=60)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert NOT_READ_YET.at(a_cube(date=later)).is_comparable


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"cubesInfos": []}', b'{"cubesInfos": [{"lastUpdateTime": "x"}]}']
)
def test_an_invalid_answer_about_the_cube_is_an_error(body: bytes) -> None:
    with pytest.raises(errors.InvalidResponse):
        Cube.read(Response(200, (), body))


@pytest.mark.parametrize(
    "last_update",
    [
        NOT_READ_YET,
        LastUpdate(PROJECT, RETAIL, True),
        LastUpdate(PROJECT, RETAIL, True, datetime(2026, 1, 2)),
        NO_LAST_UPDATE,
    ],
)
def test_a_last_update_is_restored_from_json(last_update: LastUpdate) -> None:
    data = json.loads(json.dumps(last_update.to_json()))

    assert LastUpdate.from_json(data, PROJECT) == last_update


def test_a_last_update_with_a_zone_is_comparable_too() -> None:
    data = {"cube_id": RETAIL, "is_comparable": True, "updated": "2026-01-02T03:04:05+00:00"}
    before = LastUpdate.from_json(data, PROJECT)

    assert before.is_older_than(a_cube(updated="01/02/2026 03:04:06"))


@every_way
@pytest.mark.parametrize("lost", ["instance_lost", "session_lost"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_that_the_cube_shows_is_a_success_though_its_session_or_instance_is_lost(
    refresh: Way, lost: str, mstr_sandbox: Sandbox
) -> None:
    # The publish of a lost session is cancelled, so its load must be over before the session is.
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=2, after=2)
    mstr_sandbox.add_fault("publish_status", lost, after=2)
    load = threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "publish_status", 3))
    load.start()

    refreshed = refresh(RETAIL, timeout=120)

    load.join()
    report = mstr_sandbox.report()
    assert report.publishes[0].state == "completed"
    assert refreshed.error is None
    assert (refreshed.outcome["state"], refreshed.outcome["tables_confirmed"]) == ("finished", False)
    assert (report.open_sessions, len(report.publishes)) == (0, 1)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_success_by_last_update_stays_one_if_the_session_that_read_it_cannot_be_closed(
    mstr_sandbox: Sandbox,
) -> None:
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=2, after=2)
    mstr_sandbox.add_fault("publish_status", "session_lost", after=2)
    mstr_sandbox.add_fault("logout", "no_privilege")
    load = threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "publish_status", 3))
    load.start()

    refreshed = WAYS["one task, blocking"](RETAIL, timeout=120)

    load.join()
    assert (refreshed.error, refreshed.outcome["state"]) == (None, "finished")


@every_way
@pytest.mark.mstr_sandbox(publish_seconds=0.3)
def test_an_instance_that_is_lost_at_the_first_poll_is_no_reason_to_give_up(
    refresh: Way, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("publish_status", "instance_lost", after=1)

    refreshed = refresh(RETAIL, timeout=120)

    assert refreshed.error is None
    assert mstr_sandbox.report().publishes[0].state == "completed"


@every_way
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_lost_session_without_a_load_is_unknown_and_never_failed(
    refresh: Way, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("publish_status", "session_lost", after=2)

    refreshed = refresh(RETAIL, timeout=20)

    assert isinstance(refreshed.error, (errors.OutcomeUnknown, AirflowFailException))
    assert "it is unknown how the load" in str(refreshed.error)
    waited = refreshed.tasks.get("wait") or refreshed.tasks["refresh"]
    assert waited.xcoms["mstr_result"]["state"] == "unknown"
    assert mstr_sandbox.report().open_sessions == 0


@every_way
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_without_access_to_the_cube_a_lost_instance_is_unknown_at_once(
    refresh: Way, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("cubes", "no_privilege", times=None)
    mstr_sandbox.add_fault("publish_status", "instance_lost", after=2)

    refreshed = refresh(RETAIL, timeout=20)

    assert "it is unknown how the load" in str(refreshed.error)
    assert mstr_sandbox.report().open_sessions == 0


@every_way
@pytest.mark.mstr_sandbox(reading="plain")
def test_without_access_to_the_cube_a_repeated_plain_finish_counts(
    refresh: Way, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("cubes", "no_privilege", times=None)

    refreshed = refresh(RETAIL)

    assert (refreshed.outcome["state"], refreshed.outcome["tables_confirmed"]) == ("finished", False)


@every_way
def test_a_refresh_can_do_without_the_last_update(refresh: Way, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(RETAIL, verify_last_update=False)

    assert refreshed.outcome["state"] == "finished"
    assert "cubes" not in mstr_sandbox.report().requests


@pytest.fixture
def another_job(mstr_sandbox: Sandbox) -> Job:
    """Another user's publish of the same data model, which runs until the test finishes it."""
    mstr_sandbox.change(publish_seconds=600.0)
    other = publish_as_another_job(RETAIL, ["ytd_day"])
    mstr_sandbox.change(publish_seconds=0.3)
    return other


@every_way
@pytest.mark.parametrize("collision", ["accept", "refuse"])
def test_another_jobs_publish_is_waited_for(
    refresh: Way, collision: str, another_job: Job, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(concurrent_publish=collision)
    # It is read in each round of the wait.
    finish = threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "cubes", 8))
    finish.start()

    refreshed = refresh(RETAIL, tables=["lu_store"])

    finish.join()
    assert refreshed.error is None
    states = [(publish.state, len(publish.tables)) for publish in mstr_sandbox.report().publishes]
    assert states[-1] == ("completed", 1)
    assert [state for state, _ in states].count("completed") == 2


@every_way
@pytest.mark.parametrize("collision", ["accept", "refuse"])
def test_another_jobs_publish_fails_the_task_at_once_if_when_busy_is_fail(
    refresh: Way, collision: str, another_job: Job, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(concurrent_publish=collision)

    refreshed = refresh(RETAIL, when_busy="fail")

    assert isinstance(refreshed.error, errors.ModelBusy)
    assert mstr_sandbox.report().open_sessions == 1


@every_way
@pytest.mark.parametrize("reading", ["result", "plain"])
def test_the_load_of_another_job_does_not_prove_this_load(
    refresh: Way, reading: str, another_job: Job, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(concurrent_publish="accept", reading=reading)
    mstr_sandbox.add_fault("publish_status", "session_lost", after=2)
    # The cube is read before each of the two publishes, and then because of the other job.
    finish = threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "cubes", 3))
    finish.start()

    refreshed = refresh(RETAIL, tables=["lu_store"])

    finish.join()
    assert [publish.state for publish in mstr_sandbox.report().publishes].count("completed") == 1
    assert refreshed.outcome is None
    assert re.search("unknown which load|unknown how the load|the session is over", str(refreshed.error))


@every_way
@pytest.mark.mstr_sandbox(concurrent_publish="refuse")
def test_waiting_for_another_job_takes_one_instance_and_one_line_in_the_log(
    refresh: Way, another_job: Job, mstr_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    others = mstr_sandbox.report().instances_created
    finish = threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "publish", 3))
    finish.start()

    refreshed = refresh(RETAIL)

    finish.join()
    assert refreshed.error is None
    assert mstr_sandbox.report().instances_created == others + 1
    assert caplog.text.count("Another job is publishing data model Retail; waiting for it") == 1
    assert "publishing again" not in caplog.text


@every_way
@pytest.mark.mstr_sandbox(concurrent_publish="refuse")
def test_the_error_of_a_busy_model_names_the_model_and_the_servers_code(
    refresh: Way, another_job: Job
) -> None:
    refreshed = refresh(RETAIL, when_busy="fail")

    assert "data model Retail" in str(refreshed.error)
    assert "-2147072194" in str(refreshed.error)


def test_an_unknown_value_of_when_busy_fails_the_import_of_the_dag() -> None:
    with pytest.raises(ValueError, match="wait, fail"):
        MstrPublishDataModelOperator(task_id="publish", instance={}, when_busy="maybe")


@pytest.mark.parametrize("unpublished", ["running", "result", "refused"])
@pytest.mark.parametrize("reading", ["result", "plain"])
@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "garbled", "status"])
def test_a_publish_whose_answer_is_lost_loads_once(
    kind: str, reading: str, unpublished: str, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(unpublished=unpublished, reading=reading, publish_seconds=1.0)
    mstr_sandbox.add_fault("publish", kind)

    refreshed = WAYS["one task, blocking"](RETAIL, timeout=60)

    assert refreshed.error is None
    report = mstr_sandbox.report()
    assert [publish.state for publish in report.publishes] == ["completed"]
    assert (report.open_sessions, report.instances_open) == (0, 0)


@pytest.mark.parametrize("unpublished", ["running", "result", "refused"])
@pytest.mark.parametrize("reading", ["result", "plain"])
@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "garbled", "status"])
def test_in_steps_a_publish_whose_answer_is_lost_loads_once_or_is_unknown(
    kind: str, reading: str, unpublished: str, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    if unpublished == "refused":
        # The second refusal is seen, however slow this machine is.
        monkeypatch.setattr(data_model, "MAX_SECONDS_TO_FIND_OUT", 60.0)
    mstr_sandbox.change(unpublished=unpublished, reading=reading, publish_seconds=600.0)
    mstr_sandbox.add_fault("publish", kind)
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))

    publish = perform(lambda: MstrPublishDataModelOperator(task_id="publish", instance=create.result))

    is_shown = kind in ("lost_after", "garbled") or unpublished == "refused"
    report = mstr_sandbox.report()
    assert len(report.publishes) == is_shown
    assert report.instances_open == 1
    if is_shown:
        assert publish.error is None
    else:
        assert isinstance(publish.error, AirflowFailException)
        assert "it is unknown whether the load" in str(publish.error)


@pytest.mark.parametrize("verify_last_update", [True, False])
@pytest.mark.mstr_sandbox(unpublished="result", reading="plain", publish_seconds=0.2)
def test_a_publish_that_may_have_ended_behind_a_silent_server_is_not_sent_again(
    verify_last_update: bool, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(mstr_sandbox.airflow_connection()) | {"extra": {"timeout": 0.5}}
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(connection))
    mstr_sandbox.add_fault("publish", "slow_after", seconds=1.0)
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))

    publish = perform(
        lambda: MstrPublishDataModelOperator(
            task_id="publish", instance=create.result, verify_last_update=verify_last_update
        )
    )

    assert len(mstr_sandbox.report().publishes) == 1
    if verify_last_update:
        assert publish.error is None
    else:
        assert "it is unknown whether the load" in str(publish.error)


@pytest.mark.mstr_sandbox(publish_seconds=0.2)
def test_a_publish_that_the_server_begins_late_does_not_load_beside_the_one_sent_again(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(mstr_sandbox.airflow_connection()) | {"extra": {"timeout": 0.3}}
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(connection))
    mstr_sandbox.add_fault("publish", "slow_before", seconds=2.0)
    late = threading.Event()
    act = mstr_sandbox.handle

    def acts(request: Any) -> Any:
        first = request.call == "publish" and not mstr_sandbox.report().publishes
        answer = act(request)
        if request.call == "publish" and not first:
            late.set()
        return answer

    monkeypatch.setattr(mstr_sandbox, "handle", acts)

    refreshed = WAYS["one task, blocking"](RETAIL, timeout=60)

    assert refreshed.error is None
    assert late.wait(60)
    assert [publish.state for publish in mstr_sandbox.report().publishes] == ["completed"]


@every_way
@pytest.mark.parametrize("policy", ["replace", "add"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_server_that_disappears_during_a_load_leaves_its_end_unknown(
    refresh: Way, policy: str, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "MAX_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(cubes, "CUBE_RETRY_SECONDS", 0.5)
    mstr_sandbox.add_fault("publish_status", "lost_before", times=None, after=2)
    mstr_sandbox.add_fault("cubes", "lost_before", times=None, after=1)

    refreshed = refresh(RETAIL, refresh_policy=policy)

    waited = refreshed.tasks.get("wait") or refreshed.tasks["refresh"]
    assert waited.xcoms["mstr_result"]["state"] == "unknown"
    assert "it is unknown how the load" in str(waited.error)
    if policy == "add":
        assert isinstance(waited.error, AirflowFailException)
        assert "could add them again" in str(waited.error)
    else:
        assert isinstance(waited.error, errors.OutcomeUnknown)
