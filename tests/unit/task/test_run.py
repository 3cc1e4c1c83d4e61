# SPDX-License-Identifier: Apache-2.0
"""What a running task does with its job: close it, push its result, store what a retry needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, TaskDeferred
from jobs import job_of
from scripted import (
    CITY,
    GATEWAY_GONE,
    MODEL,
    NOW,
    PROJECT,
    PUBLISHED,
    YTD_DAY,
    Reply,
    a_session,
    an_instance,
    answer,
    empty,
    published,
    refusal,
)
from scripted_library import FINISHED, RUNNING, MemoryStore, ScriptedLibrary
from workers import OutletEvents, TaskInstance, perform

from airflow_provider_mstr.assets import data_model_asset
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.observability import lineage, summary
from airflow_provider_mstr.observability.lineage import DatasetId, Lineage
from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.refresh.data_model import DataModelJob, DataModelSpec
from airflow_provider_mstr.refresh.result import RefreshResult, TableResult, table_json
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.task.attempts import STORE_KEY
from airflow_provider_mstr.task.failures import TaskKilledError
from airflow_provider_mstr.task.refresh import HANDLE_KEY, WORKER_SECONDS, OpenRun, RefreshRun, StartRun
from airflow_provider_mstr.task.run import LINEAGE_KEY, LOAD_KEY, RESULT_KEY, TaskRun

JOB = job_of(an_instance(), PUBLISHED, NOW)
SUCCESS = RefreshResult("data_model", "P1", "M1", State.FINISHED, True, 1.0, (), cube_id="M1")
UNCLOSED = refusal(403, "ERR003")


def a_task(**arguments: Any) -> Any:
    return MstrRefreshDataModelOperator(task_id="refresh", data_model_id=MODEL, **arguments)


class Run:
    """A run of a task, with what Airflow stores of it."""

    def __init__(self, kind: Callable[..., Any] = TaskRun, **more: Any) -> None:
        self.data = MemoryStore()
        self.ti = TaskInstance("refresh")
        context: Any = {"ti": self.ti, "task_state_store": self.data, "outlet_events": OutletEvents()}
        self.run = kind(a_task(), context, **more)


@pytest.fixture
def task_run(library: ScriptedLibrary) -> Run:
    return Run(timeout=100.0, poll_interval=30.0)


@pytest.fixture
def refresh_run(library: ScriptedLibrary) -> Run:
    return Run(RefreshRun, timeout=100.0, poll_interval=30.0, arguments=("M1",))


# Every task


def test_a_job_that_is_closed_is_deleted_and_logged_out(task_run: Run, library: ScriptedLibrary) -> None:
    assert task_run.run.close(JOB) is True
    assert library.calls == ["delete", "logout"]


def test_a_job_that_cannot_be_closed_is_a_warning(task_run: Run, library: ScriptedLibrary) -> None:
    library.script(logout=UNCLOSED)
    log = task_run.run.log = Mock()
    assert task_run.run.close(JOB) is False
    ((text, error),) = (call.args for call in log.warning.mock_calls)
    assert text == "%s; the session will time out"
    assert str(error).startswith("could not ")


def test_the_poller_has_the_arguments_of_the_run(task_run: Run, library: ScriptedLibrary) -> None:
    poller = task_run.run.poller(JOB)
    library.clock.now += 40
    assert (poller.job, poller.timeout, poller.poll_interval, poller.left) == (JOB, 100.0, 30.0, 60.0)
    assert poller.credentials.login == "administrator"
    assert poller.has_answered is True


def test_a_success_is_pushed_and_returned(task_run: Run) -> None:
    assert task_run.run.conclude(SUCCESS) == SUCCESS.to_json()
    assert task_run.ti.xcoms == {RESULT_KEY: SUCCESS.to_json()}
    assert task_run.run.task.result is SUCCESS


def test_what_is_loaded_is_pushed_without_its_session(task_run: Run) -> None:
    job = replace(JOB, object_name="Sales")
    task_run.run.push_load(job)
    assert task_run.ti.xcoms == {
        LOAD_KEY: {
            "kind": "data_model",
            "data_model_id": MODEL,
            "name": "Sales",
            "project_id": PROJECT,
            "project": "",
            "tables": [table_json(table) for table in PUBLISHED],
            "started_at": NOW,
        }
    }


def test_the_name_becomes_a_rendered_field_that_selects_nothing(task_run: Run) -> None:
    task = task_run.run.task
    before = task.object_arguments
    task_run.run.push_load(replace(JOB, object_name="Sales"))
    assert (task.data_model, task.data_model_id) == ("Sales", MODEL)
    assert task.object_arguments == before
    task_run.run.conclude(replace(SUCCESS, name="Sales 2"))
    assert task.data_model == "Sales 2"


def test_a_name_that_airflow_could_render_is_no_rendered_field(task_run: Run) -> None:
    task_run.run.push_load(replace(JOB, object_name="{{ 7 * 7 }}"))
    assert task_run.run.task.data_model is None


def test_the_usual_duration_is_logged_before_the_load(task_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    contextvars = pytest.importorskip("structlog.contextvars")
    logged: list[tuple[str, Any]] = []
    task_run.run.log = Mock()
    task_run.run.log.info = lambda text, value: logged.append((text % value, contextvars.get_contextvars()))
    task_run.run.log_usual_duration()
    assert logged == []
    monkeypatch.setattr("airflow_provider_mstr.task.run.usual_duration", lambda context: 240.26)
    task_run.run.log_usual_duration()
    assert logged == [("This task usually takes 4 min", {"usual_seconds": 240.3})]


def test_a_result_is_logged_with_its_fields(task_run: Run) -> None:
    contextvars = pytest.importorskip("structlog.contextvars")
    table = TableResult(YTD_DAY, "ytd_day", RefreshPolicy.REPLACE, State.FINISHED, 1.0)
    result = replace(SUCCESS, tables=(table,), seconds=1.26)
    logged: list[tuple[str, Any]] = []
    task_run.run.log = Mock()
    task_run.run.log.info = lambda line: logged.append((line, dict(contextvars.get_contextvars())))
    task_run.run.conclude(result)
    heading, *rows = summary.lines(result)
    fields = {"refresh": "ended", "state": "finished", "seconds": 1.3}
    assert logged == [(heading, fields), *[(row, {}) for row in rows]]


def test_the_event_of_an_outlet_carries_the_success(task_run: Run) -> None:
    outlet = data_model_asset(MODEL)
    task_run.run.task.outlets = [outlet]
    task_run.run.conclude(replace(SUCCESS, object_id=MODEL, cube_id=MODEL))
    extra = task_run.run.context["outlet_events"][outlet].extra
    assert extra == {"refresh": replace(SUCCESS, object_id=MODEL, cube_id=MODEL).to_json()}


def test_a_failure_is_pushed_and_raised(task_run: Run) -> None:
    error = errors.PublishFailed("no")
    failure = RefreshResult("data_model", "P1", "M1", State.FAILED, False, 1.0, (), error)
    with pytest.raises(errors.PublishFailed) as caught:
        task_run.run.conclude(failure)
    assert caught.value is error
    assert task_run.ti.xcoms == {RESULT_KEY: failure.to_json()}
    assert task_run.run.task.result is failure


def test_an_unknown_start_has_a_result(task_run: Run) -> None:
    task_run.run.job = JOB
    error = errors.OutcomeUnknown("no")
    with pytest.raises(errors.OutcomeUnknown) as caught, task_run.run.concluding():
        raise error
    assert caught.value is error
    assert task_run.ti.xcoms[RESULT_KEY]["state"] == "unknown"


@pytest.mark.parametrize(
    ("job", "error"), [(None, errors.OutcomeUnknown("no")), (JOB, errors.PublishFailed("no"))], ids=repr
)
def test_another_error_has_no_result_of_its_own(
    job: DataModelJob | None, error: errors.MstrError, task_run: Run
) -> None:
    task_run.run.job = job
    with pytest.raises(errors.MstrError) as caught, task_run.run.concluding():
        raise error
    assert caught.value is error
    assert RESULT_KEY not in task_run.ti.xcoms


def test_no_link_is_pushed_without_the_id_of_the_data_model(task_run: Run) -> None:
    task_run.run.link_to(job_of(an_instance()))
    assert task_run.ti.xcoms.pop("mstr_link").endswith(f"/{MODEL}")
    unknown = job_of(an_instance().__class__(a_session(), "", "", ""))
    task_run.run.link_to(unknown)
    assert task_run.ti.xcoms == {}


def test_the_polls_and_retries_of_a_run_are_counted(
    task_run: Run, library: ScriptedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[Any, int, int]] = []
    monkeypatch.setattr(
        "airflow_provider_mstr.observability.metrics.polled", lambda *counts: counted.append(counts)
    )
    library.script(publishStatus=[RUNNING, GATEWAY_GONE, RUNNING, RUNNING, FINISHED])
    poller = task_run.run.poller(JOB)
    assert task_run.run.poll(poller, poller.wait_for(0)) is None
    assert task_run.run.poll(poller, poller.wait_for(0)) is None
    assert task_run.run.poll(poller, poller.wait()).state is State.FINISHED
    event = SUCCESS.to_event() | {"polls": 5, "retries": 2}
    assert task_run.run.parse_event(event) == SUCCESS
    assert task_run.run.parse_event(SUCCESS.to_event()) == SUCCESS
    polls = [(poller.job, 1, 0), (poller.job, 1, 1), (poller.job, 2, 0)]
    assert counted == [*polls, (SUCCESS, 5, 2), (SUCCESS, 0, 0)]


# OpenLineage

LINEAGE = Lineage(
    DatasetId("mstr://library.example.com", f"{PROJECT}/{MODEL}"), (DatasetId("mstr://source", "sales"),)
)
MODEL_ONLY = Lineage(LINEAGE.output)


@pytest.fixture
def openlineage(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenLineage, enabled for operators."""
    monkeypatch.setattr(lineage, "is_enabled", lambda operator: isinstance(operator, BaseOperator))


def has_read_sources(library: ScriptedLibrary) -> bool:
    return any("fields" in request.query for request in library.requests)


@pytest.mark.parametrize("sources", [False, True])
@pytest.mark.parametrize("as_handle", [False, True])
def test_the_lineage_is_read_from_a_job_or_its_handle(
    as_handle: bool, sources: bool, task_run: Run, library: ScriptedLibrary, openlineage: None
) -> None:
    run = task_run.run
    run.read_lineage(run.hook.handle(JOB) if as_handle else JOB, sources=sources)
    assert run.task.lineage == MODEL_ONLY
    assert has_read_sources(library) is sources


def test_no_lineage_is_read_unless_openlineage_is_enabled(
    task_run: Run, library: ScriptedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "is_enabled", lambda operator: False)
    task_run.ti.xcoms[LINEAGE_KEY] = LINEAGE.to_json()
    task_run.run.read_lineage(JOB, sources=True)
    task_run.run.pull_lineage()
    assert (library.calls, task_run.run.task.lineage) == ([], None)


def test_a_lineage_that_cannot_be_read_is_a_warning(task_run: Run, openlineage: None) -> None:
    log = task_run.run.log = Mock()
    task_run.run.read_lineage({}, sources=True)
    ((text, error),) = (call.args for call in log.warning.mock_calls)
    assert text == "OpenLineage does not receive what this task loads: %s"
    assert isinstance(error, errors.InvalidHandle)


def test_the_lineage_is_stored_until_the_task_resumes(task_run: Run, openlineage: None) -> None:
    run = task_run.run
    run.push_lineage()
    run.pull_lineage()
    assert (task_run.ti.xcoms, run.task.lineage) == ({}, None)
    run.task.lineage = LINEAGE
    run.push_lineage()
    assert task_run.ti.xcoms == {LINEAGE_KEY: LINEAGE.to_json()}
    run.task.lineage = None
    run.pull_lineage()
    assert run.task.lineage == LINEAGE


# A whole refresh: what is closed and what is stored, depending on how it ends

STORED, STORED_SUCCESS, WITHOUT_START, SUCCESS_AND_JOB = "job", "success", "job without start", "both"


def stored(run: Run) -> str | None:
    """Return what is stored."""
    data = run.data.data.get(STORE_KEY)
    if data is None:
        return None
    handle, is_success = data["handle"], "success" in data
    if handle is None:
        assert is_success
        return STORED_SUCCESS
    if is_success:
        return SUCCESS_AND_JOB
    return STORED if handle["started_at"] is not None else WITHOUT_START


def later_answer() -> errors.MstrError:
    error = errors.OutcomeUnknown("no answer")
    error.may_answer_later = True
    return error


ENDS: list[tuple[Callable[[], BaseException], Reply, str | None]] = [
    (lambda: errors.PublishFailed("no"), empty(), None),
    (lambda: errors.PublishFailed("no"), UNCLOSED, WITHOUT_START),
    (lambda: errors.OutcomeUnknown("no"), empty(), None),
    (lambda: errors.OutcomeUnknown("no"), UNCLOSED, WITHOUT_START),
    (later_answer, empty(), None),
    (later_answer, UNCLOSED, STORED),
    (lambda: RuntimeError("no"), empty(), None),
    (lambda: RuntimeError("no"), UNCLOSED, WITHOUT_START),
    (lambda: KeyboardInterrupt(), empty(), None),
    (lambda: KeyboardInterrupt(), UNCLOSED, WITHOUT_START),
    (lambda: TaskKilledError("no"), empty(), STORED),
    (lambda: TaskKilledError("no"), UNCLOSED, STORED),
]


@pytest.mark.parametrize(("make_error", "logout", "left"), ENDS)
def test_a_refresh_that_an_error_ends_is_closed(
    make_error: Callable[[], BaseException],
    logout: Reply,
    left: str | None,
    refresh_run: Run,
    library: ScriptedLibrary,
) -> None:
    library.script(logout=logout)
    run = refresh_run.run
    run.job = JOB
    run.store.save(JOB, True)
    error = make_error()
    with pytest.raises(type(error)) as caught, run._closing():
        raise error
    assert caught.value is error
    assert library.calls == ["delete", "logout"]
    assert stored(refresh_run) == left
    assert run.job is None


@pytest.mark.parametrize("make_error", [lambda: RuntimeError("no"), later_answer])
@pytest.mark.parametrize("closes", [False, True])
def test_an_error_after_the_success_leaves_no_success(
    closes: bool, make_error: Callable[[], BaseException], refresh_run: Run, library: ScriptedLibrary
) -> None:
    library.script(logout=empty() if closes else UNCLOSED)
    run = refresh_run.run
    run.job = JOB
    error = make_error()

    def succeed_and_raise() -> None:
        with run._closing():
            run.conclude(SUCCESS)
            assert stored(refresh_run) == SUCCESS_AND_JOB
            raise error

    with pytest.raises(type(error)):
        succeed_and_raise()
    may_continue = not closes and isinstance(error, errors.MstrError)
    assert stored(refresh_run) == (None if closes else SUCCESS_AND_JOB if may_continue else WITHOUT_START)


@pytest.mark.parametrize(("logout", "left"), [(empty(), STORED_SUCCESS), (UNCLOSED, SUCCESS_AND_JOB)])
def test_a_successful_refresh_stores_its_success_and_the_job_until_it_is_closed(
    logout: Reply, left: str, refresh_run: Run, library: ScriptedLibrary
) -> None:
    library.script(logout=logout)
    run = refresh_run.run
    run.job = JOB
    with run._closing():
        run.conclude(SUCCESS)
        assert library.calls == []
        assert stored(refresh_run) == SUCCESS_AND_JOB
    assert library.calls == ["delete", "logout"]
    assert stored(refresh_run) == left


def test_a_success_that_the_trigger_has_closed_stays_stored(
    refresh_run: Run, library: ScriptedLibrary
) -> None:
    with refresh_run.run._closing():
        refresh_run.run.conclude(SUCCESS)
    assert (library.calls, stored(refresh_run)) == ([], STORED_SUCCESS)


@pytest.mark.parametrize(("logout", "left"), [(empty(), None), (UNCLOSED, WITHOUT_START)])
def test_without_error_and_success_the_job_is_only_closed(
    logout: Reply, left: str | None, refresh_run: Run, library: ScriptedLibrary
) -> None:
    library.script(logout=logout)
    run = refresh_run.run
    run.job = JOB
    run.store.save(JOB, True)
    with run._closing():
        pass
    assert stored(refresh_run) == left


def test_a_failure_that_the_trigger_has_closed_leaves_nothing_stored(
    refresh_run: Run, library: ScriptedLibrary
) -> None:
    refresh_run.run.store.save(JOB, True)
    with pytest.raises(errors.PublishFailed), refresh_run.run._closing():
        raise errors.PublishFailed("no")
    assert (library.calls, stored(refresh_run)) == ([], None)


def test_a_deferral_closes_nothing(refresh_run: Run, library: ScriptedLibrary) -> None:
    run = refresh_run.run
    run.job = JOB
    run.store.save(JOB, True)
    deferral: Any = TaskDeferred(trigger=None, method_name="execute_complete")
    with pytest.raises(TaskDeferred), run._closing():
        raise deferral
    assert (library.calls, run.job, stored(refresh_run)) == ([], JOB, STORED)


def test_a_job_is_closed_once(refresh_run: Run, library: ScriptedLibrary) -> None:
    run = refresh_run.run
    run.job = JOB
    run._close()
    run._close()
    assert library.calls == ["delete", "logout"]


# Attempts after a kill


def test_the_arguments_of_a_task_limit_which_attempts_share_a_job(library: ScriptedLibrary) -> None:
    first, same, other = (Run(RefreshRun, arguments=each).run.store for each in [("M1",), ("M1",), ("M2",)])
    assert first.scope == same.scope != other.scope


def refresh(library: ScriptedLibrary, store: MemoryStore, **arguments: Any) -> Any:
    ti = TaskInstance("refresh")
    return perform(lambda: a_task(**arguments), ti=ti, task_state_store=store)


def test_a_retry_continues_the_load_of_a_killed_attempt(refresh_run: Run, library: ScriptedLibrary) -> None:
    store = killed(library, RUNNING)
    library.script(publishStatus=[RUNNING, FINISHED])

    retry = refresh(library, store)
    assert retry.result["state"] == "finished"
    assert library.calls == ["publishStatus", "publishStatus", "delete", "logout"]
    assert retry.xcoms["mstr_link"].endswith(f"/{MODEL}")


def test_a_retry_closes_a_load_that_has_failed_and_starts_another(library: ScriptedLibrary) -> None:
    store = killed(library, RUNNING)
    library.script(publishStatus=[*[refusal(500, "ERR002", -2147212544)] * 3, RUNNING, FINISHED])

    retry = refresh(library, store)

    assert retry.result["state"] == "finished"
    assert library.calls.index("logout") < library.calls.index("login")
    assert library.calls.count("publish") == 1


def test_a_retry_repeats_a_success_and_closes_what_is_left(library: ScriptedLibrary) -> None:
    store = MemoryStore()
    library.script(logout=[UNCLOSED, empty()])
    first = refresh(library, store)
    library.requests.clear()

    retry = refresh(library, store)
    again = refresh(library, store)

    assert first.result == retry.result == again.result
    assert library.calls == ["delete", "logout"]


def test_a_success_that_is_repeated_is_logged(refresh_run: Run, library: ScriptedLibrary) -> None:
    run = refresh_run.run
    run.store.save_success(SUCCESS)
    log = run.log = Mock()
    assert run.execute(Mock(), defers=False) == SUCCESS.to_json()
    assert log.info.mock_calls[0].args == (
        "An earlier attempt of this task has completed the load; reporting its result",
    )


def killed(library: ScriptedLibrary, status: Reply) -> MemoryStore:
    """Return what an attempt leaves stored that is killed while it polls."""
    store = MemoryStore()
    library.script(publishStatus=[status, status, KeyboardInterrupt()], logout=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        refresh(library, store)
    library.requests.clear()
    library.script(logout=empty())
    return store


# Deferral


@pytest.mark.parametrize(
    "status", [[RUNNING], [RUNNING, GATEWAY_GONE]], ids=["running", "unavailable meanwhile"]
)
def test_a_load_that_the_worker_does_not_see_ended_is_left_to_the_trigger(
    status: list[Reply], library: ScriptedLibrary, openlineage: None
) -> None:
    library.script(publishStatus=[RUNNING, *status])
    performed = perform(lambda: a_task(deferrable=True), triggerer=False)
    assert (performed.error, performed.result) == (None, None)
    assert performed.deferral is not None
    assert library.clock.now - NOW < 2 * WORKER_SECONDS
    job = MstrHook().load_job(performed.xcoms[HANDLE_KEY])
    assert job.started_at == NOW
    assert performed.xcoms[LINEAGE_KEY] == MODEL_ONLY.to_json()
    assert has_read_sources(library)
    assert performed.deferral.trigger.serialize()[1]["closes"] is True


def test_a_blocking_task_reads_the_sources_too(library: ScriptedLibrary, openlineage: None) -> None:
    assert perform(a_task).result["state"] == "finished"
    assert has_read_sources(library)


def test_a_blocking_task_waits_for_a_load_of_any_length(library: ScriptedLibrary) -> None:
    library.script(publishStatus=[*[RUNNING] * 20, FINISHED])
    performed = perform(a_task, triggerer=False)
    assert performed.deferral is None
    assert performed.result["state"] == "finished"
    assert library.clock.now - NOW > WORKER_SECONDS


def test_the_link_is_put_on_a_task_that_refreshes(library: ScriptedLibrary) -> None:
    assert perform(a_task).xcoms["mstr_link"].endswith(f"/{MODEL}")


def test_the_link_is_put_on_a_task_as_soon_as_its_data_model_is_found(library: ScriptedLibrary) -> None:
    model = {"id": MODEL, "name": "Sales", "subtype": 779, "extType": 448}
    library.script(results=answer({"totalItems": 1, "result": [model]}), instances=refusal(403))
    performed = perform(lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model="Sales"))
    assert performed.error is not None
    assert library.calls == ["login", "results", "status", "instances", "logout"]
    assert performed.xcoms["mstr_link"].endswith(f"/{MODEL}")


# After the triggerer


def event(handle: Any = None, result: RefreshResult = SUCCESS) -> dict[str, Any]:
    return result.to_event() | {"handle": handle, "polls": 1, "retries": 0}


def test_the_job_that_a_trigger_has_closed_is_not_closed_again(
    refresh_run: Run, library: ScriptedLibrary
) -> None:
    refresh_run.ti.xcoms[HANDLE_KEY] = refresh_run.run.hook.handle(JOB)
    assert refresh_run.run.complete(event()) == SUCCESS.to_json()
    assert library.calls == []


def test_the_job_that_a_trigger_could_not_close_is_closed(refresh_run: Run, library: ScriptedLibrary) -> None:
    assert refresh_run.run.complete(event(refresh_run.run.hook.handle(JOB))) == SUCCESS.to_json()
    assert library.calls == ["delete", "logout"]


@pytest.mark.parametrize("nothing", [None, "text", []], ids=repr)
def test_without_a_result_of_the_trigger_the_job_is_closed(
    nothing: Any, refresh_run: Run, library: ScriptedLibrary
) -> None:
    refresh_run.ti.xcoms[HANDLE_KEY] = refresh_run.run.hook.handle(JOB)
    with pytest.raises(errors.InvalidHandle):
        refresh_run.run.complete(nothing)
    assert library.calls == ["delete", "logout"]


def test_a_wait_that_failed_has_an_unknown_result_and_closes_the_job(
    refresh_run: Run, library: ScriptedLibrary
) -> None:
    refresh_run.ti.xcoms[HANDLE_KEY] = refresh_run.run.hook.handle(JOB)

    def resume() -> None:
        raise RuntimeError("Trigger failure")

    with pytest.raises(errors.OutcomeUnknown, match=r"\(RuntimeError: Trigger failure\)"):
        refresh_run.run.fail(resume)
    assert refresh_run.ti.xcoms[RESULT_KEY]["state"] == "unknown"
    assert library.calls == ["delete", "logout"]


def test_a_wait_that_failed_without_a_job_has_an_unknown_result_too(
    refresh_run: Run, library: ScriptedLibrary
) -> None:
    def resume() -> None:
        raise RuntimeError("Trigger failure")

    with pytest.raises(errors.OutcomeUnknown, match=r"Trigger failure.* unknown how the load ends"):
        refresh_run.run.fail(resume)
    assert (library.calls, RESULT_KEY in refresh_run.ti.xcoms) == ([], False)


def test_a_handle_that_does_not_load_is_a_warning(refresh_run: Run, library: ScriptedLibrary) -> None:
    log = refresh_run.run.log = Mock()
    refresh_run.run.complete(event({"session": "altered"}))
    ((text, error),) = (call.args for call in log.warning.mock_calls)
    assert text == "%s; the session will time out"
    assert "not a handle of a refresh" in error
    assert library.calls == []


# A start in the session of another task

SPEC = DataModelSpec(project=PROJECT, target=MODEL, choice=TableChoice.of([YTD_DAY, CITY], "replace"))
OPENED = job_of(an_instance())


@pytest.fixture
def start_run(library: ScriptedLibrary) -> Run:
    return Run(StartRun, timeout=100.0, arguments=("M1",))


def test_a_start_publishes_in_the_session_of_another_task(
    start_run: Run, library: ScriptedLibrary, openlineage: None
) -> None:
    hook = start_run.run.hook
    started = hook.load_job(start_run.run.execute(SPEC, hook.handle(OPENED)))
    assert library.calls == ["cubes", "publish", "publishStatus", "tables"]
    assert (started.session.token, started.started_at) == (OPENED.session.token, NOW)
    assert stored(start_run) == STORED
    assert start_run.data.data[STORE_KEY]["accepted"] is True
    assert start_run.run.task.lineage == MODEL_ONLY
    assert has_read_sources(library)


def test_an_unclear_start_leaves_the_session_to_the_other_task(
    start_run: Run, library: ScriptedLibrary
) -> None:
    library.script(publish=GATEWAY_GONE, publishStatus=published(0))
    with pytest.raises(errors.OutcomeUnknown):
        start_run.run.execute(SPEC, start_run.run.hook.handle(OPENED))
    assert library.calls.count("publish") == 1
    assert "logout" not in library.calls
    assert start_run.ti.xcoms[RESULT_KEY]["state"] == "unknown"
    assert start_run.data.data[STORE_KEY]["accepted"] is False


def test_a_start_of_an_earlier_attempt_is_continued(start_run: Run, library: ScriptedLibrary) -> None:
    library.script(publishStatus=RUNNING)
    run = start_run.run
    run.store.save(JOB)
    log = run.log = Mock()
    assert run.hook.load_job(run.execute(SPEC, run.hook.handle(OPENED))) == JOB
    assert library.calls == ["publishStatus", "publishStatus"]
    assert run.job == JOB
    assert [call.args for call in log.info.mock_calls] == [
        ("An earlier attempt of this task has started the load",)
    ]


@pytest.mark.parametrize(
    "earlier",
    [OPENED, JOB.in_session(Session("of an earlier login"))],
    ids=["not started", "another session"],
)
def test_what_an_earlier_attempt_has_not_started_in_the_session_is_started(
    earlier: DataModelJob, start_run: Run, library: ScriptedLibrary
) -> None:
    start_run.run.store.save(earlier, accepted=True)
    start_run.run.execute(SPEC, start_run.run.hook.handle(OPENED))
    assert library.calls == ["cubes", "publish", "publishStatus"]


# A task that only opens


def test_opening_closes_what_an_earlier_attempt_has_opened(library: ScriptedLibrary) -> None:
    opening = Run(OpenRun)
    opening.run.store.save(JOB)
    opened = opening.run.hook.load_job(opening.run.execute(SPEC))
    assert library.calls == ["delete", "logout", "login", "status", "instances"]
    assert opened == job_of(replace(an_instance(a_session()), data_model_name=""))
    assert opening.ti.xcoms["mstr_link"].endswith(f"/{MODEL}")
    assert stored(opening) == WITHOUT_START
