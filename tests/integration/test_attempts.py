# SPDX-License-Identifier: Apache-2.0
"""A retry after an attempt whose worker was killed; each such worker is a process that is killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import quick_keys  # noqa: F401 - a worker imports this module, but no conftest
from moments import asked, finish_once_asked, finishing_once_asked
from pauses import shorten_pauses
from workers import DagRun, Performed, StateStore, TaskInstance, fire, perform, publish_as_another_job

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshCubeOperator,
    MstrRefreshDataModelOperator,
    MstrRunIncrementalRefreshOperator,
)
from airflow_provider_mstr.refresh import data_model, poller
from airflow_provider_mstr.rest.endpoints import auth
from airflow_provider_mstr.sandbox import PublishFailure, Report, Sandbox
from airflow_provider_mstr.sandbox.world import SALES_CUBE, SALES_UPDATE
from airflow_provider_mstr.task.attempts import STORE_KEY

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

RETAIL = "9F4772B837604551B4D3CC916ADC5598"

REFRESH: dict[str, Any] = {
    "task_id": "refresh",
    "data_model_id": RETAIL,
    "deferrable": False,
    "poll_interval": 0.1,
    "timeout": 60,
}

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    [
        "workers",
        "moments",
        "pauses",
        "airflow_provider_mstr.task.run",
        "airflow_provider_mstr.transport.sync_driver",
    ]
)

deferred_or_not = pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferred"])


def perform_in_a_worker(
    environment: Mapping[str, str], kind: type[Any], arguments: Mapping[str, Any], store: StateStore
) -> None:
    os.environ.update(environment)
    shorten_pauses(pytest.MonkeyPatch())
    perform(lambda: kind(**arguments), task_state_store=store, dag_run=DagRun())


def run_until_killed(
    sandbox: Sandbox,
    store: StateStore,
    when: Callable[[Report], bool],
    kind: type[Any] = MstrRefreshDataModelOperator,
    **arguments: Any,
) -> None:
    """Perform an operator in a worker that is killed as soon as the server has seen something."""
    environment = {"AIRFLOW_CONN_MSTR_DEFAULT": os.environ["AIRFLOW_CONN_MSTR_DEFAULT"]}
    worker = processes.Process(target=perform_in_a_worker, args=(environment, kind, arguments, store))
    worker.start()
    try:
        sandbox.wait_for(when, timeout=60)
    finally:
        worker.kill()
        worker.join()


def run_retry(store: StateStore, *, clear_number: int = 0, max_tries: int = 2, **arguments: Any) -> Performed:
    """Perform the one-task operator as its next attempt."""
    return perform(
        lambda: MstrRefreshDataModelOperator(**REFRESH | arguments),
        task_state_store=store,
        dag_run=DagRun(clear_number),
        ti=TaskInstance("refresh", max_tries=max_tries),
    )


def states(sandbox: Sandbox) -> list[str]:
    return [publish.state for publish in sandbox.report().publishes]


def is_nothing_left(sandbox: Sandbox, store: StateStore) -> bool:
    report = sandbox.report()
    stored = store.load().get(STORE_KEY, {})
    return (report.open_sessions, report.instances_open, stored.get("handle")) == (0, 0, None)


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "state.json")


@deferred_or_not
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_waits_for_the_publish_of_a_killed_attempt(
    deferrable: bool, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)
    threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "publish_status", 6)).start()

    retry = run_retry(store, deferrable=deferrable)

    assert retry.error is None
    assert (retry.result["state"], retry.result["tables_confirmed"]) == ("finished", True)
    assert states(mstr_sandbox) == ["completed"]
    assert mstr_sandbox.report().logins == 1
    assert is_nothing_left(mstr_sandbox, store)


@deferred_or_not
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_reports_the_publish_that_has_ended_since(
    deferrable: bool, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)
    mstr_sandbox.finish_publishes()

    retry = run_retry(store, deferrable=deferrable)

    assert retry.result["state"] == "finished"
    assert (states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.parametrize("call", ["delete_instance", "logout"])
@pytest.mark.parametrize("fault", ["slow_before", "slow_after"])
@pytest.mark.parametrize("cube", ["readable", "refused"])
def test_a_retry_reports_the_end_that_an_attempt_saw_before_it_was_killed_during_close(
    cube: str, fault: str, call: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    if cube == "refused":
        mstr_sandbox.add_fault("cubes", "no_privilege", times=None)
    mstr_sandbox.add_fault(call, fault, seconds=60)
    run_until_killed(mstr_sandbox, store, asked(call), **REFRESH)

    retry = run_retry(store)

    assert (retry.result["state"], retry.result["tables_confirmed"]) == ("finished", True)
    assert retry.xcoms["mstr_result"] == retry.result
    assert (states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)
    assert is_nothing_left(mstr_sandbox, store)


def test_a_retry_reports_a_success_that_airflow_does_not_know(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    first = run_retry(store)

    retry = run_retry(store)

    assert retry.result == first.result
    assert (states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)


def test_a_successful_refresh_is_repeated_if_a_user_clears_it(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_retry(store)

    again = run_retry(store, clear_number=1)

    assert again.result["state"] == "finished"
    assert (states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"] * 2, 2)
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=1)
def test_a_retry_publishes_again_if_the_earlier_publish_has_failed_since(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.change(publish_failure=PublishFailure("error"), publish_seconds=600)
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)
    mstr_sandbox.finish_publishes()
    mstr_sandbox.change(publish_failure=None, publish_seconds=0.2)

    retry = run_retry(store)

    assert retry.result["state"] == "finished"
    assert states(mstr_sandbox) == ["failed", "completed"]
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.parametrize("call", ["create_instance", "list_tables", "publish"])
def test_a_retry_closes_the_session_of_an_attempt_that_was_killed_before_its_publish(
    call: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.add_fault(call, "slow_before", seconds=20)
    run_until_killed(mstr_sandbox, store, asked(call), **REFRESH)

    retry = run_retry(store)

    assert retry.result["state"] == "finished"
    assert states(mstr_sandbox) == ["completed"]
    assert mstr_sandbox.report().logins == 2
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.parametrize("ended", [False, True], ids=["still running", "ended since"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_finds_the_publish_whose_answer_the_killed_attempt_never_saw(
    ended: bool, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.add_fault("publish", "slow_after", seconds=20)
    run_until_killed(mstr_sandbox, store, lambda report: len(report.publishes) == 1, **REFRESH)
    if ended:
        mstr_sandbox.finish_publishes()
    else:
        threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "publish_status", 4)).start()

    retry = run_retry(store)

    assert retry.result["state"] == "finished"
    assert (states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.parametrize("call", ["login", "create_instance"])
@pytest.mark.parametrize("policy", ["replace", "add"])
def test_a_retry_after_a_kill_between_two_sessions_leaves_no_session_and_adds_no_rows_twice(
    policy: str, call: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    """The first publish is lost, and its worker is killed after it has closed the session."""
    mstr_sandbox.add_fault("publish", "lost_before")
    mstr_sandbox.add_fault(call, "slow_before", after=1, seconds=20)
    run_until_killed(mstr_sandbox, store, asked(call, 2), **REFRESH, refresh_policy=policy)

    retry = run_retry(store, refresh_policy=policy)

    if policy == "add":
        assert "no retry follows" in str(retry.error)
        assert retry.xcoms["mstr_result"]["state"] == "unknown"
    else:
        assert retry.result["state"] == "finished"
    assert states(mstr_sandbox) == ([] if policy == "add" else ["completed"])
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.parametrize("reading", ["plain", "loaded", "empty"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_finds_that_publish_under_every_reading_of_its_status(
    reading: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.change(reading=reading)
    mstr_sandbox.add_fault("publish", "slow_after", seconds=20)
    run_until_killed(mstr_sandbox, store, lambda report: len(report.publishes) == 1, **REFRESH)
    mstr_sandbox.finish_publishes()

    retry = run_retry(store)

    assert retry.result["state"] == "finished"
    assert states(mstr_sandbox) == ["completed"]
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.parametrize(
    "cleared", [{"clear_number": 1}, {"max_tries": 3}], ids=["clear_number", "max_tries"]
)
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_cleared_task_starts_again_and_stops_the_old_load(
    cleared: dict[str, int], mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)
    mstr_sandbox.change(publish_seconds=0.2)

    again = run_retry(store, **cleared)

    assert again.result["state"] == "finished"
    assert states(mstr_sandbox) == ["cancelled", "completed"]
    assert mstr_sandbox.report().max_sessions_seen == {"administrator/Tutorial": 1}
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_that_is_to_refresh_something_else_does_not_take_the_old_load_for_it(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH, tables=["ytd_day"])
    mstr_sandbox.change(publish_seconds=0.2)

    retry = run_retry(store, tables=["lu_store"])

    assert [table["name"] for table in retry.result["tables"]] == ["lu_store"]
    assert states(mstr_sandbox) == ["cancelled", "completed"]


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_publish_that_has_timed_out_is_stopped_and_sent_again(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)
    stored = store.get(STORE_KEY)
    stored["handle"]["started_at"] -= 61
    store.set(STORE_KEY, stored)
    mstr_sandbox.change(publish_seconds=0.2)

    retry = run_retry(store)

    assert retry.result["state"] == "finished"
    assert states(mstr_sandbox) == ["cancelled", "completed"]


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_whose_session_was_lost_since_is_found_by_its_last_update(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)
    mstr_sandbox.finish_publishes()
    mstr_sandbox.advance(mstr_sandbox.settings.session_idle_seconds + 1)

    retry = run_retry(store)

    assert (retry.result["state"], retry.result["tables_confirmed"]) == ("finished", False)
    assert states(mstr_sandbox) == ["completed"]
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_publish_of_which_nothing_can_be_seen_any_more_is_sent_again(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH, verify_last_update=False)
    mstr_sandbox.add_fault("publish_status", "session_lost")
    mstr_sandbox.change(publish_seconds=0.2)

    retry = run_retry(store, verify_last_update=False)

    assert retry.result["state"] == "finished"
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_an_attempt_that_could_neither_ask_nor_close_leaves_its_publish_to_the_retry(
    mstr_sandbox: Sandbox, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "MAX_RETRY_SECONDS", 1.0)
    monkeypatch.setattr(auth, "CLEANUP_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(data_model, "CLEANUP_RETRY_SECONDS", 0.5)
    mstr_sandbox.add_fault("publish_status", "garbled", times=None)
    for call in ("delete_instance", "logout"):
        mstr_sandbox.add_fault(call, "status", status=503, times=None)

    first = run_retry(store, timeout=3600)
    mstr_sandbox.clear_faults()
    mstr_sandbox.finish_publishes()
    second = run_retry(store, timeout=3600)

    assert type(first.error).__name__ == "OutcomeUnknown"
    assert second.result["state"] == "finished"
    assert (states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_failed_refresh_is_not_continued_if_only_its_close_failed(
    mstr_sandbox: Sandbox, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CLEANUP_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(data_model, "CLEANUP_RETRY_SECONDS", 0.5)
    mstr_sandbox.add_fault("logout", "status", status=503, times=None)

    first = run_retry(store, timeout=1)
    mstr_sandbox.clear_faults()
    mstr_sandbox.change(publish_seconds=0.2)
    second = run_retry(store, timeout=120)

    assert type(first.error).__name__ == "PublishTimedOut"
    assert second.result["state"] == "finished"
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=2)
def test_a_retry_reports_the_end_that_the_trigger_saw_and_no_worker_received(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    deferred = perform(
        lambda: MstrRefreshDataModelOperator(**REFRESH | {"deferrable": True}),
        triggerer=False,
        task_state_store=store,
        dag_run=DagRun(),
    )
    assert deferred.deferral is not None
    fire(deferred.deferral.trigger)
    assert mstr_sandbox.report().open_sessions == 0

    retry = run_retry(store, deferrable=True)

    assert retry.result["state"] == "finished"
    assert states(mstr_sandbox) == ["completed"]
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.parametrize("collision", ["accept", "refuse"])
@pytest.mark.parametrize(
    ("call", "times"), [("cubes", 3), ("publish", 2)], ids=["waited", "sent its publish"]
)
def test_the_load_of_another_job_is_not_taken_for_that_of_an_attempt_killed_while_it(
    call: str, times: int, collision: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.change(publish_seconds=600, concurrent_publish=collision)
    other = publish_as_another_job(RETAIL)
    mstr_sandbox.change(publish_seconds=0.2)
    # The other job has made the first of these calls; the attempt waits for the answer of its last.
    mstr_sandbox.add_fault(call, "slow_after", after=times - 2, seconds=5)
    run_until_killed(mstr_sandbox, store, asked(call, times), **REFRESH)
    mstr_sandbox.finish_publishes()
    MstrHook().close(other)

    retry = run_retry(store)

    assert retry.error is None
    assert retry.result["state"] == "finished"
    assert [state for state in states(mstr_sandbox) if state == "completed"] == ["completed"] * 2
    assert is_nothing_left(mstr_sandbox, store)


def test_a_stored_session_that_cannot_be_decrypted_is_logged(
    mstr_sandbox: Sandbox,
    store: StateStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mstr_sandbox.change(publish_seconds=600)
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)
    mstr_sandbox.finish_publishes()
    mstr_sandbox.change(publish_seconds=0.2)
    stored = store.get(STORE_KEY)
    store.set(STORE_KEY, stored | {"handle": stored["handle"] | {"session": "tampered"}})

    retry = run_retry(store)

    assert retry.result["state"] == "finished"
    assert "will time out" in caplog.text


@deferred_or_not
def test_a_refresh_that_is_over_leaves_no_session_in_the_store(
    deferrable: bool, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.change(publish_seconds=1.5)

    performed = run_retry(store, deferrable=deferrable)

    assert performed.error is None
    assert store.file.exists()
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_no_secret_is_stored_in_clear_text(mstr_sandbox: Sandbox, store: StateStore) -> None:
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **REFRESH)

    stored = json.dumps(store.load())

    assert RETAIL in stored
    assert [secret for secret in mstr_sandbox.secrets() if secret in stored] == []


class BrokenStore:
    """A store that Airflow does not answer."""

    def get(self, key: str) -> Any:
        raise RuntimeError("no answer")

    set = delete = get


def test_a_store_that_does_not_answer_fails_no_task(
    mstr_sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    performed = perform(
        lambda: MstrRefreshDataModelOperator(**REFRESH), task_state_store=BrokenStore(), dag_run=DagRun()
    )

    assert performed.result["state"] == "finished"
    assert mstr_sandbox.report().open_sessions == 0
    assert "task_state_store could not be used: no answer" in caplog.text


# In steps


def run_create(store: StateStore) -> Performed:
    return perform(
        lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL),
        task_state_store=store,
        dag_run=DagRun(),
    )


def run_publish(handle: Any, store: StateStore, clear_number: int = 0) -> Performed:
    return perform(
        lambda: MstrPublishDataModelOperator(task_id="publish", instance=handle),
        task_state_store=store,
        dag_run=DagRun(clear_number),
    )


def test_a_retry_of_create_closes_the_session_of_a_killed_attempt(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.add_fault("create_instance", "slow_after", seconds=20)
    run_until_killed(
        mstr_sandbox,
        store,
        asked("create_instance"),
        MstrCreateDataModelInstanceOperator,
        task_id="create",
        data_model_id=RETAIL,
    )

    retry = run_create(store)

    assert retry.result["data_model_id"] == RETAIL
    assert (mstr_sandbox.report().logins, mstr_sandbox.report().open_sessions) == (2, 1)


@pytest.mark.parametrize(("fault", "publishes"), [("slow_before", 0), ("slow_after", 1)])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_of_publish_sends_it_only_if_the_killed_attempt_had_not(
    fault: str, publishes: int, mstr_sandbox: Sandbox, store: StateStore, tmp_path: Path
) -> None:
    handle = run_create(StateStore(tmp_path / "create.json")).result
    mstr_sandbox.add_fault("publish", fault, seconds=20)
    run_until_killed(
        mstr_sandbox,
        store,
        lambda report: report.requests.get("publish", 0) == 1 and len(report.publishes) == publishes,
        MstrPublishDataModelOperator,
        task_id="publish",
        instance=handle,
    )

    retry = run_publish(handle, store)

    assert retry.error is None
    assert states(mstr_sandbox) == ["running"]
    assert retry.result["started_at"] is not None


@pytest.mark.mstr_sandbox(publish_seconds=0.2)
def test_a_publish_that_a_user_clears_is_sent_again(
    mstr_sandbox: Sandbox, store: StateStore, tmp_path: Path
) -> None:
    handle = run_create(StateStore(tmp_path / "create.json")).result
    run_publish(handle, store)
    mstr_sandbox.finish_publishes()

    run_publish(handle, store, clear_number=1)

    assert len(states(mstr_sandbox)) == 2


@deferred_or_not
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_continues_the_refresh_of_a_named_data_model_without_looking_it_up_again(
    deferrable: bool, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    named = REFRESH | {"data_model_id": None, "data_model": "Retail"}
    run_until_killed(mstr_sandbox, store, asked("publish_status", 3), **named)
    threading.Thread(target=finish_once_asked, args=(mstr_sandbox, "publish_status", 6)).start()

    retry = run_retry(store, deferrable=deferrable, data_model_id=None, data_model="Retail")

    assert (retry.result["state"], retry.result["data_model_id"]) == ("finished", RETAIL)
    assert retry.xcoms["mstr_link"].endswith(f"/{RETAIL}")
    assert mstr_sandbox.report().requests["search"] == 1
    assert is_nothing_left(mstr_sandbox, store)


def test_a_retry_closes_a_session_that_was_left_before_the_name_was_looked_up(
    mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.add_fault("search", "slow_before", seconds=60)
    named = REFRESH | {"data_model_id": None, "data_model": "Retail"}
    run_until_killed(mstr_sandbox, store, asked("search", 1), **named)

    retry = run_retry(store, data_model_id=None, data_model="Retail")

    assert retry.result["data_model_id"] == RETAIL
    assert is_nothing_left(mstr_sandbox, store)


# Cubes and incremental refresh reports

REFRESH_CUBE: dict[str, Any] = {"task_id": "refresh", "poll_interval": 0.1, "timeout": 60}

every_kind = pytest.mark.parametrize(
    ("kind", "object_id"),
    [(MstrRefreshCubeOperator, SALES_CUBE.id), (MstrRunIncrementalRefreshOperator, SALES_UPDATE.id)],
    ids=["cube", "report"],
)


def run_cube_retry(
    kind: Any, object_id: str, store: StateStore, *, deferrable: bool = False, clear_number: int = 0
) -> Performed:
    arguments = REFRESH_CUBE | {f"{kind.kind}_id": object_id, "deferrable": deferrable}
    return perform(
        lambda: kind(**arguments),
        task_state_store=store,
        dag_run=DagRun(clear_number),
        ti=TaskInstance("refresh"),
    )


def kill_during_load(
    kind: Any, object_id: str, sandbox: Sandbox, store: StateStore, when: Callable[[Report], bool]
) -> None:
    given = {f"{kind.kind}_id": object_id, "deferrable": False}
    run_until_killed(sandbox, store, when, kind, **REFRESH_CUBE, **given)


def job_states(sandbox: Sandbox) -> list[str]:
    return [job.status for job in sandbox.report().jobs]


@every_kind
@deferred_or_not
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_waits_for_the_job_of_a_killed_attempt(
    deferrable: bool, kind: Any, object_id: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    kill_during_load(kind, object_id, mstr_sandbox, store, asked("get_job", 3))

    with finishing_once_asked(mstr_sandbox, "get_job", 6):
        retry = run_cube_retry(kind, object_id, store, deferrable=deferrable)

    assert retry.error is None
    assert retry.result["state"] == "finished"
    assert (job_states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)
    assert is_nothing_left(mstr_sandbox, store)


@every_kind
@pytest.mark.parametrize("seconds", [0, 60], ids=["vanished", "listed"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_reports_the_job_that_has_completed_since(
    seconds: float, kind: Any, object_id: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.change(ended_job_seconds=seconds)
    kill_during_load(kind, object_id, mstr_sandbox, store, asked("get_job", 3))
    mstr_sandbox.finish_publishes()

    retry = run_cube_retry(kind, object_id, store)

    assert retry.result["state"] == "finished"
    assert (job_states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)
    assert is_nothing_left(mstr_sandbox, store)


@every_kind
@pytest.mark.parametrize("seconds", [0, 60], ids=["vanished", "listed"])
def test_a_retry_starts_again_if_the_earlier_job_has_failed_since(
    seconds: float, kind: Any, object_id: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    mstr_sandbox.change(
        publish_failure=PublishFailure("error"), publish_seconds=600, ended_job_seconds=seconds
    )
    kill_during_load(kind, object_id, mstr_sandbox, store, asked("get_job", 3))
    mstr_sandbox.finish_publishes()
    mstr_sandbox.change(publish_failure=None, publish_seconds=0.2)

    retry = run_cube_retry(kind, object_id, store)

    assert retry.result["state"] == "finished"
    assert job_states(mstr_sandbox) == ["error", "completed"]
    assert is_nothing_left(mstr_sandbox, store)


@every_kind
@pytest.mark.parametrize(("fault", "jobs"), [("slow_before", 0), ("slow_after", 1)])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_retry_starts_a_load_only_if_the_killed_attempt_had_not(
    fault: Any, jobs: int, kind: Any, object_id: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    call = "publish_cube" if kind is MstrRefreshCubeOperator else "run_incremental_refresh"
    mstr_sandbox.add_fault(call, fault, seconds=20)
    kill_during_load(
        kind,
        object_id,
        mstr_sandbox,
        store,
        lambda report: asked(call)(report) and len(report.jobs) == jobs,
    )
    mstr_sandbox.finish_publishes()
    mstr_sandbox.change(publish_seconds=0.2)

    retry = run_cube_retry(kind, object_id, store)

    assert retry.result["state"] == "finished"
    assert (job_states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 2 - jobs)
    assert is_nothing_left(mstr_sandbox, store)


@every_kind
def test_a_retry_reports_the_success_of_a_job_that_airflow_does_not_know(
    kind: Any, object_id: str, mstr_sandbox: Sandbox, store: StateStore
) -> None:
    first = run_cube_retry(kind, object_id, store)

    retry = run_cube_retry(kind, object_id, store)

    assert retry.result == first.result
    assert (job_states(mstr_sandbox), mstr_sandbox.report().logins) == (["completed"], 1)
    assert is_nothing_left(mstr_sandbox, store)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_cleared_cube_starts_again_and_stops_the_old_job(mstr_sandbox: Sandbox, store: StateStore) -> None:
    kill_during_load(MstrRefreshCubeOperator, SALES_CUBE.id, mstr_sandbox, store, asked("get_job", 3))
    mstr_sandbox.change(publish_seconds=0.2)

    again = run_cube_retry(MstrRefreshCubeOperator, SALES_CUBE.id, store, clear_number=1)

    assert again.result["state"] == "finished"
    assert job_states(mstr_sandbox) == ["stopped", "completed"]
    assert is_nothing_left(mstr_sandbox, store)
