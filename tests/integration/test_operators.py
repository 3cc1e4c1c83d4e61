# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import signal
import threading
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from moments import finishing_once_asked
from workers import Way, every_way, fire, meaning, perform

from airflow_provider_mstr.assets import data_model_asset
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.sandbox import Sandbox
from airflow_provider_mstr.task.failures import TaskKilledError

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

RETAIL = "9F4772B837604551B4D3CC916ADC5598"
LIVE = "8A1C6E3B5F9D4270B8C4E7A2D6F1093E"


def nothing_left(sandbox: Sandbox) -> bool:
    report = sandbox.report()
    return report.open_sessions == 0 and report.instances_open == 0


@every_way
def test_a_refresh_takes_one_session_and_leaves_nothing(refresh: Way, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(RETAIL)

    assert refreshed.error is None
    report = mstr_sandbox.report()
    assert (report.logins, report.logouts, len(report.publishes)) == (1, 1, 1)
    assert report.publishes[0].state == "completed"
    assert report.rejected_calls_without_cookies == 0
    assert nothing_left(mstr_sandbox)


@every_way
def test_the_result_names_each_table_with_its_policy_and_seconds(refresh: Way) -> None:
    refreshed = refresh(RETAIL, tables={"lu_store": "upsert", "ytd_day": None}, refresh_policy="add")

    result = refreshed.outcome
    assert (result["state"], result["tables_confirmed"], result["data_model_id"]) == (
        "finished",
        True,
        RETAIL,
    )
    assert (result["kind"], result["project"], result["name"]) == ("data_model", "Tutorial", "Retail")
    assert [(table["name"], table["policy"], table["state"]) for table in result["tables"]] == [
        ("lu_store", "upsert", "finished"),
        ("ytd_day", "add", "finished"),
    ]
    assert all(0 < table["seconds"] <= result["seconds"] + 0.1 for table in result["tables"])


@every_way
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_deferred_wait_goes_on_in_the_triggerer(
    refresh: Way, mstr_sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    with finishing_once_asked(mstr_sandbox):
        refreshed = refresh(RETAIL)

    waited = refreshed.tasks.get("wait") or refreshed.tasks["refresh"]
    assert refreshed.outcome["state"] == "finished"
    assert len(waited.events) == ("deferred" in request.node.callspec.id)


@every_way
def test_a_connect_live_model_fails_for_good(refresh: Way, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(LIVE)

    assert isinstance(refreshed.error, AirflowFailException)
    assert "connect_live" in str(refreshed.error)
    assert nothing_left(mstr_sandbox)


@every_way
def test_a_wrong_password_fails_for_good(
    refresh: Way, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(mstr_sandbox.airflow_connection()) | {"password": "not-the-password"}
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(connection))

    refreshed = refresh(RETAIL)

    assert isinstance(refreshed.error, AirflowFailException)
    assert "login" in str(refreshed.error)
    assert "not-the-password" not in str(refreshed.error)


@every_way
@pytest.mark.parametrize("reading", ["result", "loaded", "plain", "empty", "text"])
def test_the_publish_is_seen_to_end_under_every_reading_of_its_status(
    refresh: Way, reading: str, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(reading=reading, publish_seconds=0.3)

    refreshed = refresh(RETAIL)

    assert refreshed.outcome["state"] == "finished"
    assert refreshed.outcome["tables_confirmed"] == (reading not in ("plain", "empty"))
    assert mstr_sandbox.report().publishes[0].state == "completed"


@every_way
@pytest.mark.parametrize(
    "kind", ["schema_comparison_error", "error", "negative_status", "status_3", "http_500"]
)
def test_a_publish_that_fails_is_never_a_success(refresh: Way, kind: str, mstr_sandbox: Sandbox) -> None:
    from airflow_provider_mstr.sandbox import PublishFailure

    mstr_sandbox.change(publish_failure=PublishFailure(kind))

    refreshed = refresh(RETAIL)

    assert refreshed.outcome is None
    assert isinstance(refreshed.error, (errors.PublishFailed, AirflowFailException))
    assert "the load of data model Retail failed" in str(refreshed.error)
    assert nothing_left(mstr_sandbox)
    waited = refreshed.tasks.get("wait") or refreshed.tasks["refresh"]
    assert waited.xcoms["mstr_result"]["state"] == "failed"


@every_way
@pytest.mark.parametrize("policy", ["replace", "add"])
def test_a_load_of_which_is_unknown_whether_it_has_started_has_a_result(
    policy: str, refresh: Way, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("publish", "lost_before", times=2)

    refreshed = refresh(RETAIL, tables=["lu_store"], refresh_policy=policy, verify_last_update=False)

    task = refreshed.tasks.get("publish") or refreshed.tasks["refresh"]
    result = task.xcoms["mstr_result"]
    assert (result["state"], result["tables_confirmed"]) == ("unknown", False)
    (table,) = result["tables"]
    assert (table["name"], table["policy"], table["state"]) == ("lu_store", policy, "unknown")
    assert "it is unknown whether the load" in str(refreshed.error)
    assert ("clear" in str(refreshed.error).lower()) == (policy == "add" or "publish" in refreshed.tasks)
    assert nothing_left(mstr_sandbox)


@every_way
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_publish_that_takes_too_long_is_given_up_and_cancelled(refresh: Way, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(RETAIL, timeout=1)

    assert refreshed.outcome is None
    assert "did not end within 1 s" in str(refreshed.error)
    assert "ytd_day" in str(refreshed.error)
    assert mstr_sandbox.report().publishes[0].state == "cancelled"
    assert nothing_left(mstr_sandbox)


@every_way
def test_the_link_is_on_every_task_even_where_it_fails(refresh: Way, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault("publish", "no_privilege")

    refreshed = refresh(RETAIL)

    assert isinstance(refreshed.error, AirflowFailException)
    links = [task.xcoms.get("mstr_link") for task in refreshed.tasks.values()]
    assert links == [f"{mstr_sandbox.url}/app/library#/model/{RETAIL}"] * len(links)


@every_way
def test_no_secret_is_in_an_xcom_or_an_event(refresh: Way, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_seconds=600.0)

    with finishing_once_asked(mstr_sandbox):
        refreshed = refresh(RETAIL)

    assert refreshed.error is None
    seen = json.dumps([[task.xcoms, task.result, task.events] for task in refreshed.tasks.values()])
    assert [secret for secret in mstr_sandbox.secrets() if secret in seen] == []


@pytest.mark.parametrize(
    ("policy", "kind"), [("replace", errors.OutcomeUnknown), ("add", AirflowFailException)]
)
@pytest.mark.parametrize("why", ["Trigger failure", "Trigger timeout"])
def test_the_refresh_is_closed_where_airflow_resumes_only_to_fail_the_task(
    why: str, policy: str, kind: type[Exception], mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(publish_seconds=600.0)
    make = lambda: MstrRefreshDataModelOperator(  # noqa: E731
        task_id="refresh", data_model_id=RETAIL, refresh_policy=policy, deferrable=True
    )
    deferred = perform(make, triggerer=False)
    assert not nothing_left(mstr_sandbox)

    with pytest.raises(kind, match=f"{why}.*it is unknown how the load"):
        make().resume_execution("__fail__", {"error": why}, {"ti": deferred.ti})

    assert deferred.xcoms["mstr_result"]["state"] == "unknown"
    assert nothing_left(mstr_sandbox)
    assert mstr_sandbox.report().publishes[0].state == "cancelled"


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_airflow_gives_a_silent_trigger_up_only_after_the_timeout(mstr_sandbox: Sandbox) -> None:
    task = perform(
        lambda: MstrRefreshDataModelOperator(
            task_id="refresh", data_model_id=RETAIL, deferrable=True, timeout=100
        ),
        triggerer=False,
    )

    assert task.deferral is not None
    assert 100 < task.deferral.timeout.total_seconds() < 300
    assert not nothing_left(mstr_sandbox)


def test_the_trigger_closes_the_refresh_even_if_no_worker_follows(mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_seconds=600.0)
    task = perform(
        lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL, deferrable=True),
        triggerer=False,
    )
    assert task.deferral is not None

    mstr_sandbox.finish_publishes()
    event = fire(task.deferral.trigger)

    assert (event["handle"], event["result"]["state"]) == (None, "finished")
    assert nothing_left(mstr_sandbox)


def test_the_task_closes_what_the_trigger_could_not(mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_seconds=600.0)
    mstr_sandbox.add_fault("logout", "no_privilege")

    with finishing_once_asked(mstr_sandbox):
        task = perform(
            lambda: MstrRefreshDataModelOperator(
                task_id="refresh", data_model_id=RETAIL, deferrable=True, poll_interval=0.1
            )
        )

    assert task.result["state"] == "finished"
    assert task.events[0]["handle"] is not None
    assert nothing_left(mstr_sandbox)


def test_an_event_carries_the_result_of_the_data_model(mstr_sandbox: Sandbox) -> None:
    asset = data_model_asset(RETAIL)

    task = perform(
        lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL, outlets=[asset])
    )

    assert task.outlet_events[asset].extra["refresh"] == task.result


def test_publish_makes_another_instance_where_the_idle_one_was_reaped(mstr_sandbox: Sandbox) -> None:
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))
    mstr_sandbox.add_fault("publish", "instance_lost")

    publish = perform(lambda: MstrPublishDataModelOperator(task_id="publish", instance=create.result))

    assert publish.error is None
    assert publish.result["instance_id"] != create.result["instance_id"]
    report = mstr_sandbox.report()
    assert (report.logins, report.open_sessions, len(report.publishes)) == (1, 1, 1)


def test_delete_succeeds_where_all_is_gone_already(mstr_sandbox: Sandbox) -> None:
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))
    delete = lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance=create.result)  # noqa: E731

    assert perform(delete).error is None
    assert nothing_left(mstr_sandbox)
    assert perform(delete).error is None


def test_delete_fails_while_the_session_may_still_be_open(mstr_sandbox: Sandbox) -> None:
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))
    mstr_sandbox.add_fault("logout", "no_privilege")

    delete = perform(lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance=create.result))

    assert isinstance(delete.error, AirflowFailException)


def test_a_handle_sealed_under_another_connection_is_refused_in_words(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))
    other = json.loads(mstr_sandbox.airflow_connection()) | {"password": "another"}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other))

    publish = perform(
        lambda: MstrPublishDataModelOperator(task_id="publish", instance=create.result, mstr_conn_id="other")
    )

    assert isinstance(publish.error, AirflowFailException)
    assert "sealed under another connection" in str(publish.error)


def test_a_handle_may_come_as_the_text_that_a_template_made_of_it(mstr_sandbox: Sandbox) -> None:
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))

    publish = perform(lambda: MstrPublishDataModelOperator(task_id="publish", instance=str(create.result)))

    assert publish.error is None
    assert len(mstr_sandbox.report().publishes) == 1


@pytest.mark.parametrize("call", ["login", "create_instance", "list_tables", "publish_status"])
def test_a_kill_breaks_the_refresh_off_wherever_it_is_and_closes_it(call: str, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_seconds=600.0)
    mstr_sandbox.add_fault(call, "slow_after", seconds=1.0)
    operator = MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL)
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    killer = threading.Thread(target=kill_after, args=(mstr_sandbox, call))
    killer.start()

    task = perform(lambda: operator)

    killer.join()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert isinstance(task.error, TaskKilledError)
    if call != "login":
        assert nothing_left(mstr_sandbox)
    stopped = ["cancelled"] if call == "publish_status" else []
    assert [publish.state for publish in mstr_sandbox.report().publishes] == stopped


def kill_after(sandbox: Sandbox, call: str) -> None:
    sandbox.wait_for(lambda report: report.requests.get(call, 0) > 0)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_kill_is_not_lost_where_airflow_suppresses_exceptions(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")

    class Comms:
        """Receives the secrets to mask, and brings the kill."""

        def send(self, message: object) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    mstr_sandbox.change(publish_seconds=600.0)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(), raising=False)
    operator = MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL, timeout=10)
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())

    task = perform(lambda: operator)

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert isinstance(task.error, TaskKilledError)
    assert nothing_left(mstr_sandbox)
    assert mstr_sandbox.report().publishes == ()


def test_a_kill_of_a_task_that_does_nothing_breaks_nothing(mstr_sandbox: Sandbox) -> None:
    operator = MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL)
    perform(lambda: operator)

    operator.on_kill()

    assert nothing_left(mstr_sandbox)


# The data model by its name.


@every_way
@pytest.mark.parametrize("name", ["Retail", " retail\n"], ids=repr)
def test_a_data_model_may_be_named(refresh: Way, name: str, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(None, data_model=name)

    assert refreshed.error is None
    assert refreshed.outcome["data_model_id"] == RETAIL
    for task in refreshed.tasks.values():
        assert task.xcoms["mstr_link"].endswith(f"/{RETAIL}")
    report = mstr_sandbox.report()
    assert (report.logins, report.requests["search"], report.requests["list_tables"]) == (1, 1, 1)
    assert nothing_left(mstr_sandbox)


@every_way
def test_a_data_model_given_by_its_id_is_not_searched_for(refresh: Way, mstr_sandbox: Sandbox) -> None:
    assert refresh(RETAIL).error is None
    assert "search" not in mstr_sandbox.report().requests


@every_way
@pytest.mark.parametrize("name", ["Retial", "Pipeline", "Pushed Targets"])
def test_a_name_that_no_data_model_of_the_project_bears_fails_for_good(
    refresh: Way, name: str, mstr_sandbox: Sandbox
) -> None:
    refreshed = refresh(None, data_model=name)

    assert isinstance(refreshed.error, AirflowFailException)
    assert isinstance(meaning(refreshed.error), errors.NotFound)
    assert f"no data model in the project is named '{name}'; " in str(refreshed.error)
    assert nothing_left(mstr_sandbox)
    assert "mstr_link" not in next(iter(refreshed.tasks.values())).xcoms


def test_the_link_is_there_as_soon_as_the_name_was_looked_up(mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault("create_instance", "no_privilege")

    task = perform(
        lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model="Retail", retries=0)
    )

    assert isinstance(task.error, AirflowFailException)
    assert task.xcoms["mstr_link"].endswith(f"/{RETAIL}")


def test_the_id_of_a_named_data_model_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    task = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model="Retail"))

    assert task.result["data_model_id"] == RETAIL
    assert f"Data model 'Retail' is {RETAIL}" in caplog.text


@pytest.mark.parametrize("kind", [MstrRefreshDataModelOperator, MstrCreateDataModelInstanceOperator])
def test_an_id_and_a_name_at_once_are_refused_when_the_dag_is_read(kind: type[Any]) -> None:
    with pytest.raises(errors.InvalidInput, match="either data_model_id or data_model"):
        kind(task_id="t", data_model_id=RETAIL, data_model="Retail")


def test_a_retry_knows_a_set_of_tables_in_whatever_order_it_comes() -> None:
    one, other = (
        MstrRefreshDataModelOperator(task_id="t", data_model_id=RETAIL, tables=tables)
        for tables in ({"b", "a", "c"}, {"c": 1, "b": 1, "a": 1}.keys())
    )

    assert one.task_arguments == other.task_arguments == (["a", "b", "c"], "replace")
