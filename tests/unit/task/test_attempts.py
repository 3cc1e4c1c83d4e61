# SPDX-License-Identifier: Apache-2.0
"""What an attempt stores, and what the next attempt does with it."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from jobs import job_of
from scripted import (
    CITY,
    MODEL_BUSY,
    NOW,
    PUBLISH_FAILED,
    PUBLISHED,
    SESSION_OVER,
    TOKEN,
    YTD_DAY,
    FakeClock,
    Played,
    Reply,
    an_instance,
    play,
    published,
    refusal,
    serve,
)
from scripted_library import FINISHED, RUNNING, MemoryStore
from workers import DagRun, TaskInstance

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh.data_model import DataModelJob
from airflow_provider_mstr.refresh.last_update import LastUpdate
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.result import RefreshResult, TableResult
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.data_models import TableRefresh
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.task.attempts import (
    STORE_KEY,
    AttemptScope,
    AttemptStore,
    PreviousAttempt,
    can_continue,
    has_started,
)

ADDED = (TableRefresh(YTD_DAY, "ytd_day", RefreshPolicy.ADD), PUBLISHED[1])
RESULT = RefreshResult(
    "data_model",
    "P1",
    "M1",
    State.FINISHED,
    tables_confirmed=True,
    seconds=12.5,
    tables=(TableResult(CITY, "city", RefreshPolicy.UPSERT, State.FINISHED, 3.0),),
)
REJECTED = refusal(400, "ERR006")


def a_job(tables: tuple[TableRefresh, ...] = PUBLISHED, started_at: float | None = NOW) -> DataModelJob:
    return job_of(an_instance(), tables, started_at)


# Whether the start of an earlier attempt was accepted


def started(job: DataModelJob, *replies: Reply, accepted: bool = False) -> Played:
    clock = FakeClock()
    return play(has_started(PreviousAttempt(job, accepted), clock), *replies, clock=clock)


def unseen_start(job: DataModelJob) -> Played:
    """Ask for a start of which the server never shows anything."""
    clock = FakeClock()
    return serve(has_started(PreviousAttempt(job, was_accepted=False), clock), lambda _: published(0), clock)


@pytest.mark.parametrize("accepted", [False, True])
def test_without_a_start_nothing_has_started(accepted: bool) -> None:
    assert started(a_job(started_at=None), accepted=accepted).result is False


def test_an_accepted_start_needs_no_request() -> None:
    assert started(a_job(), accepted=True).result is True


def test_a_start_has_not_started_if_another_job_loads_the_model() -> None:
    played = started(a_job(ADDED), MODEL_BUSY)
    assert (played.result, len(played.requests)) == (False, 1)


@pytest.mark.parametrize("tables", [PUBLISHED, ADDED], ids=["replace", "add"])
def test_a_load_that_the_status_shows_has_started(tables: tuple[TableRefresh, ...]) -> None:
    assert started(a_job(tables), RUNNING, RUNNING).result is True


@pytest.mark.parametrize("tables", [PUBLISHED, ADDED], ids=["replace", "add"])
def test_a_start_that_the_server_never_received_has_not_started(tables: tuple[TableRefresh, ...]) -> None:
    assert started(a_job(tables), REJECTED, REJECTED, REJECTED).result is False


@pytest.mark.parametrize("tables", [PUBLISHED, ADDED], ids=["replace", "add"])
def test_a_start_in_a_session_that_is_over_is_left_to_the_poller(tables: tuple[TableRefresh, ...]) -> None:
    assert started(a_job(tables), SESSION_OVER, SESSION_OVER).result is True


def test_a_start_that_nothing_shows_is_sent_again_if_that_adds_no_rows() -> None:
    assert unseen_start(a_job()).result is False


def test_a_start_that_nothing_shows_is_unknown_if_another_could_add_rows_twice() -> None:
    played = unseen_start(a_job(ADDED))
    assert isinstance(played.error, errors.OutcomeUnknown)
    assert played.error.retryable is False
    assert played.error.what.startswith("the attempt that published was killed before the answer came, so ")
    assert "whether the load" in played.error.what


# Whether an attempt continues the load of an earlier one


class Continued:
    """How an attempt went on with the job of an earlier one."""

    def __init__(
        self,
        *replies: Reply,
        job: DataModelJob | None = None,
        accepted: bool = True,
        timeout: float = 600.0,
        elapsed: float = 10.0,
    ) -> None:
        clock = FakeClock(NOW + elapsed)
        left = list(replies)
        self.lines: list[str] = []

        def log(line: str, **fields: Any) -> None:
            self.lines.append(line)

        job = job or a_job()
        poller = Poller(job, timeout, 30.0, Credentials(), clock, log)
        self.played = serve(
            can_continue(PreviousAttempt(job, accepted), poller),
            lambda request: left.pop(0) if len(left) > 1 else left[0],
            clock,
        )
        self.polls = poller.poll_count


WAITING = "An earlier attempt of this task has started the load; waiting for it"


@pytest.mark.parametrize("status", [RUNNING, FINISHED], ids=["running", "finished"])
def test_a_load_that_runs_or_was_successful_is_continued(status: Reply) -> None:
    continued = Continued(status)
    assert continued.played.result is True
    assert continued.lines[0] == WAITING
    assert (continued.polls, len(continued.played.requests)) == (1, 1)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_job_without_a_start_is_not_continued(accepted: bool) -> None:
    continued = Continued(FINISHED, job=a_job(started_at=None), accepted=accepted)
    assert (continued.played.result, continued.lines, continued.polls) == (False, [], 0)


def test_a_start_that_was_not_accepted_is_checked_first() -> None:
    continued = Continued(MODEL_BUSY, accepted=False)
    assert (continued.played.result, continued.lines, continued.polls) == (False, [], 0)


def test_a_failed_load_is_started_again() -> None:
    continued = Continued(PUBLISH_FAILED)
    assert continued.played.result is False
    assert continued.lines[-1].startswith("The load of an earlier attempt was not successful")


def test_a_load_that_has_timed_out_is_started_again() -> None:
    continued = Continued(RUNNING, timeout=600.0, elapsed=601.0)
    assert continued.played.result is False
    assert "did not end within 600 s" in continued.lines[-2]


def test_a_load_that_may_have_added_rows_is_not_started_again() -> None:
    continued = Continued(RUNNING, job=a_job(ADDED), timeout=600.0, elapsed=601.0)
    assert isinstance(continued.played.error, errors.PublishTimedOut)
    assert continued.played.error.retryable is False


def test_a_load_of_which_nothing_can_be_seen_is_started_again() -> None:
    continued = Continued(refusal(404, "ERR004", -2147468986))
    assert continued.played.result is False
    assert "it is unknown how the load" in continued.lines[-2]


def test_a_server_that_does_not_answer_leaves_the_load_to_a_later_attempt() -> None:
    continued = Continued(errors.ServerUnavailable("the connection was reset"), timeout=7200.0)
    assert isinstance(continued.played.error, errors.OutcomeUnknown)
    assert continued.played.error.may_answer_later is True
    assert continued.played.error.retryable is True


def test_a_server_that_does_not_answer_until_the_timeout_ends_the_wait() -> None:
    continued = Continued(errors.ServerUnavailable("the connection was reset"), timeout=600.0, elapsed=601.0)
    assert continued.played.result is False


def test_an_unknown_start_that_could_add_rows_twice_is_raised() -> None:
    continued = Continued(published(0), job=a_job(ADDED), accepted=False)
    assert isinstance(continued.played.error, errors.OutcomeUnknown)
    assert "whether the load" in continued.played.error.what


# The scope of attempts


NOT_CLEARED = DagRun()


def scope(*arguments: Any, max_tries: int = 2, dag_run: Any = NOT_CLEARED) -> AttemptScope:
    context: Any = {"ti": TaskInstance("refresh", max_tries=max_tries), "dag_run": dag_run}
    return AttemptScope.of(context, arguments)


def test_the_attempts_that_airflow_makes_by_itself_have_the_same_scope() -> None:
    assert scope("M1", None, ["a"]) == scope("M1", None, ["a"])


@pytest.mark.parametrize(
    "other",
    [
        scope("M1", max_tries=3),
        scope("M1", dag_run=DagRun(1)),
        scope("M2"),
        scope("M1", None),
        scope(),
    ],
    ids=["max_tries", "clear_number", "value", "more", "fewer"],
)
def test_a_clear_and_other_arguments_have_another_scope(other: AttemptScope) -> None:
    assert other != scope("M1")


@pytest.mark.parametrize("dag_run", [None, SimpleNamespace(), SimpleNamespace(clear_number=None)])
def test_a_run_that_counts_no_clears_has_none(dag_run: Any) -> None:
    assert scope("M1", dag_run=dag_run).clear_number == 0


# What is stored

pytestmark = pytest.mark.usefixtures("library")


def store_of(
    data: MemoryStore | None, *arguments: Any, clear_number: int = 0, max_tries: int = 2
) -> AttemptStore:
    context: Any = {
        "ti": TaskInstance("refresh", max_tries=max_tries),
        "dag_run": DagRun(clear_number),
        "task_state_store": data,
    }
    return AttemptStore.of(context, MstrHook(), *arguments)


@pytest.mark.parametrize("accepted", [False, True])
def test_the_next_attempt_finds_the_job_as_it_was(accepted: bool) -> None:
    data = MemoryStore()
    job = job_of(an_instance(), PUBLISHED, NOW, LastUpdate("P1", "M1", is_comparable=True))
    store_of(data, "M1").save(job_of(an_instance(), PUBLISHED, NOW), accepted)
    assert store_of(data, "M1").previous() == PreviousAttempt(a_job(), accepted)
    store_of(data, "M1").save(job, accepted=accepted)
    previous = store_of(data, "M1").previous()
    assert previous is not None
    assert previous.job.started_at == NOW
    assert previous.job.last_update.is_comparable is True


def test_a_start_is_not_accepted_unless_that_is_stored() -> None:
    data = MemoryStore()
    store_of(data).save(a_job())
    previous = store_of(data).previous()
    assert previous is not None
    assert previous.was_accepted is False
    data.data[STORE_KEY]["accepted"] = "false"
    previous = store_of(data).previous()
    assert previous is not None
    assert previous.was_accepted is False


OTHER_SCOPES = pytest.mark.parametrize(
    ("model", "later"),
    [("M1", {"clear_number": 1}), ("M1", {"max_tries": 3}), ("M2", {})],
    ids=["clear", "tries", "other"],
)


@OTHER_SCOPES
def test_the_job_of_another_scope_is_found_only_to_close_it(model: str, later: dict[str, int]) -> None:
    data = MemoryStore()
    store_of(data, "M1").save(a_job(), accepted=True)
    previous = store_of(data, model, **later).previous()
    assert previous is not None
    assert (previous.job.started_at, previous.job.session.token) == (None, TOKEN)


def test_the_stored_session_is_sealed() -> None:
    data = MemoryStore()
    store_of(data).save(a_job())
    assert TOKEN not in str(data.data)
    assert "jsession-cookie" not in str(data.data)


def test_a_job_that_cannot_be_loaded_is_left_to_its_timeout(caplog: pytest.LogCaptureFixture) -> None:
    data = MemoryStore()
    store_of(data).save(a_job())
    data.data[STORE_KEY]["handle"]["session"] = "tampered"
    assert store_of(data).previous() is None
    # An older Airflow logs that it retrieves the connection, too.
    (record,) = (each for each in caplog.records if each.levelname == "WARNING")
    assert record.msg == "%s; the session of an earlier attempt will time out"
    assert "cannot be opened with this connection" in record.args[0]


@pytest.mark.parametrize("stored", [None, "text", [], {}, {"handle": None}], ids=repr)
def test_without_a_stored_job_there_is_no_previous_attempt(
    stored: Any, caplog: pytest.LogCaptureFixture
) -> None:
    data = MemoryStore()
    data.data[STORE_KEY] = stored
    assert store_of(data).previous() is None
    assert store_of(data).success() is None
    assert caplog.text == ""


@pytest.mark.parametrize("with_job", [False, True])
def test_a_success_is_found_by_the_next_attempt(with_job: bool) -> None:
    data = MemoryStore()
    store_of(data, "M1").save_success(RESULT, a_job() if with_job else None)
    assert store_of(data, "M1").success() == RESULT
    expected = PreviousAttempt(a_job(), was_accepted=True) if with_job else None
    assert store_of(data, "M1").previous() == expected


@OTHER_SCOPES
def test_a_success_of_another_scope_is_not_repeated(model: str, later: dict[str, int]) -> None:
    data = MemoryStore()
    store_of(data, "M1").save_success(RESULT)
    assert store_of(data, model, **later).success() is None


@pytest.mark.parametrize("broken", [None, {}, {"kind": "data_model"}, {"kind": "x", "result": {}}, 1])
def test_a_success_that_cannot_be_read_is_none(broken: Any) -> None:
    data = MemoryStore()
    store_of(data).save_success(RESULT)
    data.data[STORE_KEY]["success"] = broken
    assert store_of(data).success() is None


def test_a_job_that_is_stored_later_replaces_the_success() -> None:
    data = MemoryStore()
    store_of(data).save_success(RESULT)
    store_of(data).save(a_job())
    assert store_of(data).success() is None


def test_clear_leaves_nothing() -> None:
    data = MemoryStore()
    store_of(data).save(a_job())
    store_of(data).clear()
    assert data.data == {}


def test_without_a_store_nothing_is_stored_or_found(caplog: pytest.LogCaptureFixture) -> None:
    store = store_of(None)
    store.save(a_job())
    store.save_success(RESULT, a_job())
    store.clear()
    assert (store.previous(), store.success(), caplog.text) == (None, None, "")


class BrokenStore(MemoryStore):
    """A store that Airflow does not answer."""

    def get(self, key: str) -> Any:
        raise RuntimeError("no answer")

    def set(self, key: str, value: Any) -> None:
        raise RuntimeError("no answer")

    def delete(self, key: str) -> None:
        raise RuntimeError("no answer")


@pytest.mark.parametrize("method", ["save", "save_success", "clear", "previous", "success"])
def test_a_store_that_does_not_answer_is_a_warning(method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    arguments = {"save": [a_job()], "save_success": [RESULT]}.get(method, [])
    assert getattr(store_of(BrokenStore()), method)(*arguments) is None
    assert caplog.messages == ["Airflow's task_state_store could not be used: no answer"]
