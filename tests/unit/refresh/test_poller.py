# SPDX-License-Identifier: Apache-2.0
"""Polling a job: when to poll, what to log, when to give up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, cycle, pairwise, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import job_of
from scripted import MAX_STEPS

from airflow_provider_mstr.refresh import poller as poller_module
from airflow_provider_mstr.refresh.cube import CubeJob
from airflow_provider_mstr.refresh.data_model import CONFIRMATION_PAUSE, CONFIRMATIONS
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.refresh.poller import (
    CLEANUP_RETRY_SECONDS,
    JITTER,
    KILL_SECONDS,
    LAST_UPDATE_PAUSE,
    MAX_IDLE_SECONDS,
    MAX_RETRY_SECONDS,
    MIN_PAUSE,
    SHARE_OF_ELAPSED,
    Poller,
)
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.flow import Flow, Pause, run_flow
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.responses import parse_response
from airflow_provider_mstr.rest.session import Credentials, Session

TOKEN = "token-nobody-may-see"
STARTED_AT = 1_700_000_000.0
TABLES = (
    TableRefresh("A1", "ytd_day", RefreshPolicy.REPLACE),
    TableRefresh("B2", "lu_store", RefreshPolicy.ADD),
)


class Clock:
    """Seconds that pass only when the poller pauses, or an answer takes its time."""

    def __init__(self) -> None:
        self.now = STARTED_AT

    def __call__(self) -> float:
        return self.now


@dataclass
class Polling:
    """A poller with a clock and answers of its own, and what it did."""

    answers: Iterator[Response | MstrError]
    timeout: float = 100.0
    poll_interval: float = 10.0
    seconds_per_answer: float = 0.0
    tables: tuple[TableRefresh, ...] = TABLES
    started_at: float | None = STARTED_AT
    last_update: LastUpdate = NO_LAST_UPDATE
    clock: Clock = field(default_factory=Clock)
    lines: list[str] = field(default_factory=list)
    fields: list[dict[str, Any]] = field(default_factory=list)
    poll_times: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    retry_for: list[float | None] = field(default_factory=list)
    requests: list[Request[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        instance = DataModelInstance(Session(TOKEN), "P1", "M1", "I1")
        job = job_of(instance, self.tables, self.started_at, self.last_update)
        self.poller = Poller(
            job, self.timeout, self.poll_interval, Credentials(login="etl"), self.clock, self._log
        )

    def run(self, flow: Flow[Any]) -> Any:
        return run_flow(flow, self._answer)

    def result(self, first_pause: float = 0.0) -> RefreshResult:
        result = self.run(self.poller.wait(first_pause))
        assert isinstance(result, RefreshResult)
        return result

    @property
    def elapsed(self) -> float:
        return self.clock.now - STARTED_AT

    def _log(self, line: str, **fields: Any) -> None:
        self.lines.append(line)
        self.fields.append(fields)

    def _answer(self, step: Request[Any] | Pause) -> Any:
        if isinstance(step, Pause):
            assert step.seconds >= 0
            self.pauses.append(step.seconds)
            assert len(self.pauses) <= MAX_STEPS, "the poller does not end"
            self.clock.now += step.seconds
            return None
        self.poll_times.append(self.elapsed)
        self.retry_for.append(step.retry_for)
        self.requests.append(step)
        assert len(self.requests) <= MAX_STEPS, "the poller does not end"
        self.clock.now += self.seconds_per_answer
        answer = next(self.answers)
        if isinstance(answer, MstrError):
            raise answer
        return parse_response(step, answer)


def status_of(status: int, message: str = "", **tables: str | dict[str, Any]) -> Response:
    """Return an answer of publishStatus, tables by their id."""
    listed = [
        {"id": table} | (word if isinstance(word, dict) else {"status": word})
        for table, word in tables.items()
    ]
    return Response(200, (), json.dumps({"status": status, "tables": listed, "message": message}).encode())


def error_of(status: int, iserver_code: int) -> Response:
    return Response(
        status, (), json.dumps({"code": "ERR001", "iServerCode": iserver_code, "message": "no"}).encode()
    )


def job_status(word: str) -> Response:
    """Return an answer of the job monitor."""
    return Response(200, (), json.dumps({"status": word}).encode())


CUBE_JOB = CubeJob(Session(TOKEN), "P1", "C1", "Sales Cube", started_at=STARTED_AT, job_id="J1")
RUNNING = status_of(6)
LOADED = status_of(1, A1="completed", B2="completed")
BUSY = error_of(500, -2147072194)
UNAVAILABLE = Response(502)
DONE = Response(200, (), b'{"status": 1}')


def polling_with(*answers: Response | MstrError, then: Response | None = None, **settings: Any) -> Polling:
    more: Iterable[Response] = repeat(then) if then is not None else ()
    return Polling(chain(answers, more), **settings)


# when to poll


def test_the_first_poll_shows_a_publish_that_has_ended() -> None:
    polling = polling_with(LOADED)
    assert polling.result().error is None
    assert polling.poll_times == [0.0]


def test_a_wait_without_a_first_pause_polls_at_once() -> None:
    polling = polling_with(LOADED)
    polling.run(polling.poller.wait())
    assert polling.poll_times == [0.0]


@pytest.mark.parametrize(
    ("first_pause", "timeout", "polled"), [(0.0, 100.0, 0.0), (3.0, 100.0, 3.0), (30.0, 4.0, 30.0)]
)
def test_the_first_poll_is_after_the_first_pause_also_beyond_the_deadline(
    first_pause: float, timeout: float, polled: float
) -> None:
    polling = polling_with(LOADED, timeout=timeout)
    polling.result(first_pause)
    assert polling.poll_times == [polled]


def test_a_publish_past_its_deadline_is_polled_once_more_after_the_first_pause() -> None:
    polling = polling_with(LOADED, timeout=10.0)
    polling.clock.now += 60.0
    assert polling.result(5.0).error is None
    assert (polling.pauses, len(polling.poll_times)) == ([5.0], 1)


@pytest.mark.parametrize("corner", [1 - JITTER, 1 - JITTER / 2, 1.0])
def test_pauses_grow_with_the_elapsed_time_up_to_the_poll_interval(
    corner: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller_module.random, "uniform", lambda low, high: corner)
    polling = polling_with(*[RUNNING] * 80, LOADED, timeout=1000.0, poll_interval=10.0)
    polling.result()
    pauses = polling.pauses[1:]
    assert pauses[0] == pytest.approx(MIN_PAUSE * corner)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(10.0 * corner)
    for polled, pause in zip(polling.poll_times, pauses, strict=False):
        assert pause == pytest.approx(min(10.0, max(MIN_PAUSE, polled * SHARE_OF_ELAPSED)) * corner)


def test_the_jitter_shortens_each_pause_by_another_share() -> None:
    polling = polling_with(*[RUNNING] * 200, LOADED, timeout=10_000.0, poll_interval=30.0)
    polling.result()
    shares = {True: set[float](), False: set[float]()}
    for polled, pause in zip(polling.poll_times, polling.pauses[1:], strict=False):
        plain = min(30.0, max(MIN_PAUSE, polled * SHARE_OF_ELAPSED))
        assert plain * (1 - JITTER) <= pause <= plain
        shares[plain == 30.0].add(round(pause / plain, 4))
    assert all(len(each) > 5 for each in shares.values())


def test_a_poll_interval_below_the_minimum_pause_is_used() -> None:
    polling = polling_with(*[RUNNING] * 20, LOADED, poll_interval=0.1)
    polling.result()
    assert all(0.1 * (1 - JITTER) <= pause <= 0.1 for pause in polling.pauses[1:])


def test_each_poll_is_retried_for_the_time_that_is_left_up_to_the_maximum() -> None:
    polling = polling_with(then=RUNNING, timeout=MAX_RETRY_SECONDS + 200.0, poll_interval=30.0)
    polling.result()
    assert polling.retry_for[0] == MAX_RETRY_SECONDS
    for polled, retry_for in zip(polling.poll_times, polling.retry_for, strict=True):
        assert retry_for == pytest.approx(max(0.0, min(MAX_RETRY_SECONDS, polling.timeout - polled)))
    assert polling.retry_for[-1] == 0.0


# giving up


def test_after_a_last_poll_at_the_deadline_the_publish_has_timed_out() -> None:
    polling = polling_with(then=RUNNING, timeout=64.0)
    result = polling.result()
    assert type(result.error) is errors.PublishTimedOut
    assert polling.poll_times[-1] == 64.0
    assert polling.poll_times[-2] < 64.0
    assert result.state is State.RUNNING
    assert result.seconds == 64.0
    assert not result.tables_confirmed


def test_an_end_that_the_last_poll_shows_is_no_timeout() -> None:

    class AtTheDeadline(Iterator[Response]):
        def __next__(self) -> Response:
            return LOADED if polling.elapsed >= 64.0 else RUNNING

    polling = Polling(AtTheDeadline(), timeout=64.0, poll_interval=8.0)
    assert polling.result().error is None
    assert polling.poll_times[-1] == 64.0


def test_a_timeout_names_the_tables_that_still_load() -> None:
    error = polling_with(then=status_of(6, A1="completed", B2="reserved"), timeout=8.0).result().error
    assert type(error) is errors.PublishTimedOut
    assert error.what == "the load of data model M1 did not end within 8 s: still waiting for lu_store"


def test_a_timeout_with_every_table_loaded_reports_that() -> None:
    error = polling_with(then=status_of(6, A1="completed", B2="loaded"), timeout=8.0).result().error
    assert type(error) is errors.PublishTimedOut
    assert error.what.endswith(" within 8 s: every table was loaded")


def test_a_timeout_names_no_table_if_there_is_none() -> None:
    error = polling_with(then=RUNNING, timeout=8.0, tables=()).result().error
    assert isinstance(error, errors.PublishTimedOut)
    assert error.what == "the load of data model M1 did not end within 8 s"


def test_a_timeout_names_the_status_of_the_job() -> None:
    polling = polling_with(then=job_status("executing"), timeout=8.0)
    polling.poller.job = CUBE_JOB
    error = polling.result().error
    assert isinstance(error, errors.PublishTimedOut)
    assert error.what == "the load of cube Sales Cube did not end within 8 s: its job is executing"


def test_a_timeout_names_only_some_of_very_many_tables() -> None:
    tables = tuple(TableRefresh(f"T{at}", f"table{at:02d}", RefreshPolicy.ADD) for at in range(14))
    error = polling_with(then=RUNNING, timeout=8.0, tables=tables).result().error
    assert "table09 and 4 more" in str(error)
    assert "table10" not in str(error)


def test_a_failure_of_very_many_tables_names_only_some() -> None:
    tables = tuple(TableRefresh(f"T{at}", f"table{at:02d}", RefreshPolicy.REPLACE) for at in range(5000))
    failed = {table.id: {"status": "error", "errorMessage": "x" * 2000} for table in tables}
    error = polling_with(status_of(5, **failed), tables=tables).result().error
    assert type(error) is errors.PublishFailed
    assert "table04 ended as error" in str(error)
    assert "4995 more tables failed" in str(error)
    assert len(str(error)) < 12_000


def test_if_the_last_poll_fails_the_outcome_is_unknown() -> None:
    class UnavailableAtTheEnd(Iterator[Response]):
        def __next__(self) -> Response:
            return UNAVAILABLE if polling.elapsed >= 8.0 else RUNNING

    polling = Polling(UnavailableAtTheEnd(), timeout=8.0)
    error = polling.result().error
    assert type(error) is errors.OutcomeUnknown
    assert error.what == (
        "could not read the publish status of data model M1: a proxy received an invalid answer from the "
        "server, so it is unknown how the load ends"
    )


def test_a_server_that_is_unavailable_until_the_deadline_leaves_the_outcome_unknown() -> None:
    result = polling_with(UNAVAILABLE, timeout=8.0, seconds_per_answer=9.0).result()
    assert type(result.error) is errors.OutcomeUnknown
    assert not result.error.may_answer_later
    assert result.state is State.UNKNOWN


@pytest.mark.parametrize("timeout", [1.0, MAX_RETRY_SECONDS])
def test_a_server_that_is_unavailable_shortly_before_the_deadline_is_polled_again_at_it(
    timeout: float,
) -> None:
    polling = polling_with(UNAVAILABLE, LOADED, timeout=timeout)
    assert polling.result().error is None
    assert (polling.poll_times, polling.retry_for) == ([0.0, timeout], [timeout, 0.0])


def test_a_server_that_is_unavailable_for_the_maximum_retry_time_is_not_polled_again() -> None:
    polling = polling_with(UNAVAILABLE, timeout=MAX_RETRY_SECONDS + 0.5)
    assert type(polling.result().error) is errors.OutcomeUnknown
    assert polling.poll_times == [0.0]


@pytest.mark.parametrize(("left", "may_answer_later"), [(0.5, True), (0.0, False)])
def test_a_server_may_answer_later_only_before_the_deadline(left: float, may_answer_later: bool) -> None:
    seconds = MAX_RETRY_SECONDS + 1.0
    error = polling_with(UNAVAILABLE, timeout=seconds + left, seconds_per_answer=seconds).result().error
    assert isinstance(error, errors.OutcomeUnknown)
    assert error.may_answer_later is may_answer_later


def unavailable_for(seconds: float) -> Response:
    return Response(503, (("Retry-After", f"{seconds:.0f}"),))


@pytest.mark.parametrize("retry_after", [MAX_RETRY_SECONDS, 2 * MAX_RETRY_SECONDS])
def test_a_server_is_polled_again_after_its_retry_after(retry_after: float) -> None:
    polling = polling_with(unavailable_for(retry_after), LOADED, timeout=4 * MAX_RETRY_SECONDS)
    assert polling.result().error is None
    assert polling.poll_times == [0.0, retry_after]


@pytest.mark.parametrize("timeout", [1.5 * MAX_RETRY_SECONDS, 2 * MAX_RETRY_SECONDS])
def test_a_retry_after_up_to_the_deadline_is_not_waited_for(timeout: float) -> None:
    polling = polling_with(unavailable_for(2 * MAX_RETRY_SECONDS), timeout=timeout)
    assert type(polling.result().error) is errors.OutcomeUnknown
    assert polling.poll_times == [0.0]


@pytest.mark.parametrize(("seconds", "pauses"), [(599.0, []), (600.0, [600.0])])
def test_a_retry_after_is_waited_for_within_the_seconds_to_poll(seconds: float, pauses: list[float]) -> None:
    polling = polling_with(unavailable_for(600.0), timeout=4 * MAX_RETRY_SECONDS)
    assert polling.run(polling.poller.wait_for(seconds)) is None
    assert polling.pauses == pauses


def test_waiting_for_zero_seconds_does_not_wait_for_a_retry_after() -> None:
    polling = polling_with(unavailable_for(2 * MAX_RETRY_SECONDS), timeout=4 * MAX_RETRY_SECONDS)
    assert polling.run(polling.poller.wait_for(0)) is None
    assert polling.pauses == []


@pytest.mark.parametrize(
    ("answer", "may_answer_later", "is_retried"),
    [
        (UNAVAILABLE, True, True),
        (Response(200, (), b"<html>"), True, True),
        (errors.ServerUnavailable("the connection is refused"), True, True),
        (error_of(404, -2147468986), False, True),
        (Response(401), False, True),
        (error_of(500, -2147213784), False, False),
        (errors.CertificateError("the certificate has expired"), False, False),
    ],
)
def test_what_prevents_the_next_poll_leaves_the_end_of_the_load_unknown(
    answer: Response | MstrError, may_answer_later: bool, is_retried: bool
) -> None:
    result = polling_with(RUNNING, answer, timeout=MAX_RETRY_SECONDS * 2, tables=REPLACED).result()
    assert type(result.error) is errors.OutcomeUnknown
    # The text names the data model once.
    assert "so it is unknown how the load" in result.error.what
    assert result.error.what.count("data model M1") == 1
    assert (result.error.may_answer_later, result.error.retryable) == (may_answer_later, is_retried)
    assert (result.state, result.tables_confirmed) == (State.UNKNOWN, False)


def test_an_unknown_end_names_the_privilege_or_setting_that_prevents_the_poll() -> None:
    error = polling_with(RUNNING, error_of(500, -2147213784), timeout=8.0, tables=REPLACED).result().error
    assert isinstance(error, errors.OutcomeUnknown)
    assert errors.NoPrivilege.advice.rstrip(".") in str(error)
    assert error.reply.iserver_code == -2147213784


ADDED, REPLACED = (
    (TableRefresh("A1", "ytd_day", policy), TableRefresh("B2", "city", RefreshPolicy.REPLACE))
    for policy in (RefreshPolicy.ADD, RefreshPolicy.REPLACE)
)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([RUNNING, UNAVAILABLE], errors.OutcomeUnknown),
        ([RUNNING, Response(401)], errors.OutcomeUnknown),
        ([RUNNING] * 200, errors.PublishTimedOut),
        ([status_of(5, A1="completed"), status_of(-1, A1="completed", B2="error")], errors.PublishFailed),
    ],
)
def test_no_retry_follows_if_it_could_add_rows_twice(answers: list[Response], kind: type[MstrError]) -> None:
    added = polling_with(*answers, timeout=MAX_RETRY_SECONDS * 2, tables=ADDED).result().error
    replaced = polling_with(*answers, timeout=MAX_RETRY_SECONDS * 2, tables=REPLACED).result().error
    assert type(added) is type(replaced) is kind
    assert (added.retryable, replaced.retryable) == (False, True)
    assert "could add them again" in str(added)
    assert "could add them again" not in str(replaced)


@pytest.mark.parametrize(
    "failed",
    [status_of(-1), status_of(-1, A1="reserved", B2="error"), status_of(5, A1="error", B2="completed")],
)
def test_a_failed_publish_that_added_no_rows_is_retried(failed: Response) -> None:
    error = polling_with(failed, tables=ADDED).result().error
    assert type(error) is errors.PublishFailed
    assert error.retryable


@given(
    timeout=st.integers(1, 400).map(float),
    poll_interval=st.integers(1, 64).map(float),
    slow=st.sampled_from([0.0, 0.25, 7.0]),
)
def test_waiting_for_a_publish_that_never_ends_stops_soon_after_the_deadline(
    timeout: float, poll_interval: float, slow: float
) -> None:
    polling = polling_with(
        then=RUNNING, timeout=timeout, poll_interval=poll_interval, seconds_per_answer=slow
    )
    result = polling.result()
    assert type(result.error) is errors.PublishTimedOut
    assert timeout - 0.001 <= polling.elapsed <= timeout + 2 * slow + 0.001
    assert all(later > earlier for earlier, later in pairwise(polling.poll_times))


# how it ends


def test_a_confirmed_end_reports_when_each_table_was_seen_loaded() -> None:
    polling = polling_with(status_of(6, A1="reserved"), status_of(6, A1="completed", B2="reserved"), LOADED)
    result = polling.result(1.0)
    assert result.error is None
    assert (result.state, result.tables_confirmed) == (State.FINISHED, True)
    assert [table.state for table in result.tables] == [State.FINISHED, State.FINISHED]
    assert [table.seconds for table in result.tables] == polling.poll_times[1:]
    assert [(table.id, table.name, table.policy) for table in result.tables] == [
        ("A1", "ytd_day", RefreshPolicy.REPLACE),
        ("B2", "lu_store", RefreshPolicy.ADD),
    ]
    assert (result.kind, result.project_id, result.object_id) == ("data_model", "P1", "M1")
    assert result.seconds == polling.poll_times[-1]


def test_an_end_that_the_tables_do_not_confirm_is_polled_again_and_reported_as_unconfirmed() -> None:
    polling = polling_with(status_of(1), status_of(1), status_of(1))
    result = polling.result()
    assert result.error is None
    assert (result.state, result.tables_confirmed) == (State.FINISHED, False)
    assert [(table.state, table.seconds) for table in result.tables] == [(State.FINISHED, None)] * 2
    assert polling.pauses == [0.0, CONFIRMATION_PAUSE, CONFIRMATION_PAUSE]
    assert polling.lines == [
        "The server reports the publish as done, but does not report each table as loaded"
    ]


def test_an_end_that_is_not_seen_again_is_polled_further() -> None:
    polling = polling_with(status_of(1), status_of(1), RUNNING, status_of(1), LOADED)
    result = polling.result()
    assert (result.error, result.tables_confirmed) == (None, True)


def test_the_id_of_a_table_matches_in_any_casing() -> None:
    result = polling_with(status_of(1, a1="completed", b2="completed")).result()
    assert [table.seconds for table in result.tables] == [0.0, 0.0]


def test_a_failure_names_its_tables_the_number_and_the_message_of_the_server() -> None:
    broken = {"status": "schema_comparison_error", "errorCode": -7, "errorMessage": "column gone"}
    answer = status_of(-2147212544, "stalled", A1="completed", b2=broken, X9="load_failed")
    result = polling_with(answer).result()
    assert type(result.error) is errors.PublishFailed
    assert result.error.what == (
        "the load of data model M1 failed: "
        "the query engine failed: check the data types and the state of the engine; "
        "table lu_store ended as schema_comparison_error: column gone; table X9 ended as load_failed"
    )
    assert str(result.error) == (
        f"{result.error.what}. Server message: stalled. Fix tables lu_store, X9 in the model or its source, "
        "or ask the Strategy administrator (code -7, iServerCode -2147212544)"
    )
    assert (result.state, result.tables_confirmed) == (State.FAILED, False)
    assert [table.state for table in result.tables] == [State.FINISHED, State.FAILED]


def test_a_failure_without_details_reports_its_number() -> None:
    error = polling_with(status_of(-12345)).result().error
    assert isinstance(error, errors.PublishFailed)
    assert str(error) == (
        "the load of data model M1 failed: the server reports status -12345 without a reason. "
        "Fix the data model or its source, or ask the Strategy administrator (iServerCode -12345)"
    )


def test_a_failure_with_only_a_message_of_the_server_does_not_claim_that_there_is_no_reason() -> None:
    error = polling_with(status_of(3, "stalled")).result().error
    assert str(error).startswith(
        "the load of data model M1 failed: the server reports status 3. Server message: stalled. "
    )


def test_a_code_of_the_whole_load_is_not_repeated_for_its_table() -> None:
    broken = {"status": "error", "errorCode": -2147212544}
    error = polling_with(status_of(-2147212544, A1=broken)).result().error
    assert str(error).endswith("(iServerCode -2147212544)")


def test_a_known_code_of_a_table_is_explained() -> None:
    error = polling_with(status_of(1, A1={"status": "error", "errorCode": -2147205488})).result().error
    assert isinstance(error, errors.PublishFailed)
    assert error.what.endswith("table ytd_day ended as error: a row governor of the project was exceeded")
    assert str(error).endswith("(code -2147205488)")


def test_an_error_of_the_server_that_stands_for_a_failure_fails_the_refresh() -> None:
    result = polling_with(*[error_of(500, -2147205488)] * CONFIRMATIONS).result()
    assert type(result.error) is errors.PublishFailed
    assert result.state is State.FAILED
    assert result.error.reply.iserver_code == -2147205488


def test_a_failure_masks_secrets_that_the_server_repeats() -> None:
    broken = {"status": "error", "errorMessage": f"token {TOKEN} refused"}
    error = polling_with(status_of(-1, f"session {TOKEN}", A1=broken)).result().error
    assert TOKEN not in str(error)
    assert str(error).count("***") == 2


def test_a_progress_line_masks_secrets_that_the_server_repeats() -> None:
    polling = polling_with(status_of(6, A1=f"waiting for {TOKEN}"), LOADED)
    polling.result()
    assert TOKEN not in "".join(polling.lines)


# what is logged


def test_a_change_of_a_table_is_logged_with_the_seconds_since_the_start() -> None:
    polling = polling_with(LOADED)
    polling.clock.now += 72.4
    polling.result()
    assert polling.lines == [
        "Table ytd_day: completed after 1 min 12 s, 1 of 2 left",
        "Table lu_store: completed after 1 min 12 s, 0 of 2 left",
    ]


def test_polls_are_counted() -> None:
    polling = polling_with(RUNNING, RUNNING, LOADED)
    polling.result()
    assert polling.poller.poll_count == len(polling.poll_times) == 3


def test_a_table_that_runs_again_after_its_end_is_waited_for_again() -> None:
    """An instance may first show the states of an earlier publish."""
    error = (
        polling_with(
            status_of(4, A1="completed"), then=status_of(4, A1="reserved", B2="completed"), timeout=8.0
        )
        .result()
        .error
    )
    assert "still waiting for ytd_day" in str(error)


def test_a_model_that_another_job_publishes_is_waited_for_and_logged_once() -> None:
    polling = polling_with(BUSY, BUSY, BUSY, LOADED)
    assert polling.result().error is None
    assert [line for line in polling.lines if "Another job" in line] == [
        "Another job is publishing data model M1; waiting for it"
    ]


def test_each_status_of_a_job_is_logged_once_with_fields() -> None:
    polling = polling_with(*map(job_status, ("executing", "executing", "loading_data", "completed")))
    polling.poller.job = CUBE_JOB
    assert polling.result().error is None
    words = ["executing", "loading_data", "completed"]
    assert [line.partition(" after ")[0] for line in polling.lines] == [
        f"The load of cube Sales Cube: {word}" for word in words
    ]
    assert [fields["state"] for fields in polling.fields] == words
    assert [fields["seconds"] for fields in polling.fields] == [
        round(at, 1) for at in (polling.poll_times[0], polling.poll_times[2], polling.poll_times[3])
    ]


def cube(updated: str) -> Response:
    return Response(200, (), json.dumps({"cubesInfos": [{"status": 2, "lastUpdateTime": updated}]}).encode())


STALE, FRESH = cube("01/02/2026 03:04:05"), cube("01/02/2026 03:05:00")
BEFORE = LastUpdate("P1", "M1", is_comparable=True, updated=datetime(2026, 1, 2, 3, 4, 5))


def test_an_end_that_the_last_update_does_not_show_yet_is_waited_for_and_logged_once() -> None:
    polling = polling_with(*[DONE, STALE] * 3, DONE, FRESH, last_update=BEFORE)
    assert polling.result().error is None
    assert polling.lines == [
        "The server reports the publish as done, but the last update does not show it yet; waiting for that",
        "The publish is done: the data model was updated since it was sent",
    ]


def test_an_end_that_the_last_update_never_shows_is_unknown_and_has_advice() -> None:
    polling = Polling(cycle([DONE, STALE]), timeout=8.0, last_update=BEFORE)
    error = polling.result().error
    assert type(error) is errors.OutcomeUnknown
    assert "verify_last_update=False" in str(error)


NEW_TOKEN = "token-of-another-session"
SESSION_LOST, INSTANCE_LOST = Response(401), error_of(404, -2147468986)
LOGGED_IN = Response(204, (("X-MSTR-AuthToken", NEW_TOKEN),))
PROCESSING = Response(200, (), b'{"cubesInfos": [{"status": 3, "lastUpdateTime": "01/02/2026 03:04:05"}]}')
UNREADABLE = error_of(403, -1)
SHOWN = "the last update shows that the load was successful"


def sent(polling: Polling) -> list[tuple[str, str | None]]:
    """Return the last part of each path, and the token that was sent to it."""
    return [
        (request.path.split("?")[0].rpartition("/")[2], request.headers.get("X-MSTR-AuthToken"))
        for request in polling.requests
    ]


@pytest.mark.parametrize("logged_out", [Response(204), UNAVAILABLE])
def test_after_a_lost_session_the_cube_is_read_in_a_new_one_which_is_closed(logged_out: Response) -> None:
    polling = polling_with(SESSION_LOST, LOGGED_IN, FRESH, logged_out, last_update=BEFORE)
    result = polling.result()
    assert (result.state, result.error, result.tables_confirmed) == (State.FINISHED, None, False)
    assert sent(polling) == [
        ("publishStatus", TOKEN),
        ("login", None),
        ("cubes", NEW_TOKEN),
        ("logout", NEW_TOKEN),
    ]
    assert polling.retry_for[-1] == CLEANUP_RETRY_SECONDS
    assert polling.lines[1:] == ["Checking the last update instead", f"data model M1: {SHOWN}"]


@pytest.mark.parametrize(("timeout", "pause"), [(100.0, KILL_SECONDS), (5.0, 5.0), (0.5, 0.5)])
def test_after_a_lost_session_the_new_login_waits_for_a_kill_up_to_the_deadline(
    timeout: float, pause: float
) -> None:
    polling = polling_with(SESSION_LOST, LOGGED_IN, FRESH, Response(204), last_update=BEFORE, timeout=timeout)
    assert polling.result().error is None
    assert polling.pauses == [0.0, pause]


def test_after_a_session_lost_at_the_deadline_the_new_login_does_not_wait() -> None:
    polling = polling_with(
        SESSION_LOST, LOGGED_IN, FRESH, Response(204), last_update=BEFORE, timeout=5.0, seconds_per_answer=6.0
    )
    assert polling.result().error is None
    assert polling.pauses == [0.0, 0.0]


def test_after_a_lost_instance_the_cube_is_read_at_once_in_the_open_session() -> None:
    polling = polling_with(INSTANCE_LOST, FRESH, last_update=BEFORE)
    assert polling.result().state is State.FINISHED
    assert sent(polling) == [("publishStatus", TOKEN), ("cubes", TOKEN)]
    assert polling.pauses == [0.0]


def after_a_lost_instance(cubes: Iterable[Response], **settings: Any) -> Polling:
    """Return a poller whose publish is lost at once, and which reads the cube every two seconds."""
    settings = {"timeout": 1000.0, "poll_interval": LAST_UPDATE_PAUSE, **settings}
    return Polling(chain([INSTANCE_LOST], cubes), last_update=BEFORE, **settings)


@pytest.mark.parametrize("shows", [STALE, UNREADABLE], ids=["idle", "unreadable"])
def test_a_lost_load_is_given_up_once_the_cube_was_idle_for_longer_than_the_maximum(shows: Response) -> None:
    polling = after_a_lost_instance(repeat(shows))
    assert type(polling.result().error) is errors.OutcomeUnknown
    assert polling.elapsed == MAX_IDLE_SECONDS + LAST_UPDATE_PAUSE
    assert polling.pauses[1:] == [LAST_UPDATE_PAUSE] * 31


def test_a_cube_that_is_idle_between_two_loads_is_idle_from_the_last_one_on() -> None:
    polling = after_a_lost_instance(chain([STALE] * 20, [PROCESSING], repeat(STALE)))
    assert type(polling.result().error) is errors.OutcomeUnknown
    idle_since = 21 * LAST_UPDATE_PAUSE
    assert polling.elapsed == idle_since + MAX_IDLE_SECONDS + LAST_UPDATE_PAUSE


def test_a_cube_that_is_updated_after_a_long_load_is_a_success() -> None:
    polling = after_a_lost_instance(chain([PROCESSING] * 100, [FRESH]))
    assert polling.result().error is None
    assert polling.elapsed == 100 * LAST_UPDATE_PAUSE


def test_a_lost_load_is_given_up_after_a_last_check_at_the_deadline() -> None:
    polling = after_a_lost_instance(repeat(PROCESSING), timeout=100.5)
    assert type(polling.result().error) is errors.OutcomeUnknown
    assert polling.poll_times[-2:] == [100.0, 100.5]


def test_a_lost_load_is_checked_as_often_as_one_that_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module.random, "uniform", lambda low, high: high)
    polling = after_a_lost_instance(repeat(PROCESSING), poll_interval=10.0, timeout=300.0)
    polling.result()
    for checked, pause in zip(polling.poll_times[1:-2], polling.pauses[1:], strict=False):
        assert pause == pytest.approx(min(10.0, max(LAST_UPDATE_PAUSE, checked * SHARE_OF_ELAPSED)))


@pytest.mark.parametrize("login", [SESSION_LOST, UNAVAILABLE])
def test_after_a_failed_login_the_end_of_a_lost_load_is_unknown(login: Response) -> None:
    polling = polling_with(SESSION_LOST, login, last_update=BEFORE)
    assert type(polling.result().error) is errors.OutcomeUnknown
    assert [name for name, _ in sent(polling)] == ["publishStatus", "login"]


def test_a_lost_load_without_a_comparison_is_not_checked() -> None:
    polling = polling_with(INSTANCE_LOST, last_update=LastUpdate("P1", "M1"))
    assert type(polling.result().error) is errors.OutcomeUnknown


def test_a_load_beside_another_job_is_not_checked_after_it_is_lost() -> None:
    polling = polling_with(BUSY, INSTANCE_LOST, last_update=BEFORE)
    assert type(polling.result().error) is errors.OutcomeUnknown


def test_a_server_that_does_not_answer_is_no_failure_if_the_cube_shows_the_load() -> None:
    polling = polling_with(UNAVAILABLE, FRESH, last_update=BEFORE, timeout=2 * MAX_RETRY_SECONDS)
    result = polling.result()
    assert (result.state, result.error, result.tables_confirmed) == (State.FINISHED, None, False)
    assert sent(polling) == [("publishStatus", TOKEN), ("cubes", TOKEN)]
    assert polling.lines == [
        "could not read the publish status of data model M1: a proxy received an invalid answer from the "
        "server",
        f"data model M1: {SHOWN}",
    ]


@pytest.mark.parametrize("shows", [STALE, PROCESSING, UNREADABLE, SESSION_LOST, UNAVAILABLE])
def test_a_server_that_does_not_answer_leaves_the_outcome_unknown_if_the_cube_shows_no_load(
    shows: Response,
) -> None:
    polling = polling_with(UNAVAILABLE, shows, last_update=BEFORE, timeout=2 * MAX_RETRY_SECONDS)
    result = polling.result()
    assert type(result.error) is errors.OutcomeUnknown
    assert result.state is State.UNKNOWN


def test_a_model_that_is_busy_again_is_logged_again() -> None:
    polling = polling_with(BUSY, RUNNING, BUSY, LOADED)
    polling.result()
    assert sum("Another job" in line for line in polling.lines) == 2


def test_a_model_that_stays_busy_until_the_deadline_is_a_timeout() -> None:
    result = polling_with(then=BUSY, timeout=20.0).result()
    assert type(result.error) is errors.PublishTimedOut
    assert result.state is State.RUNNING


# waiting for some seconds


def test_waiting_for_some_seconds_returns_nothing_while_the_publish_runs() -> None:
    polling = polling_with(then=RUNNING, timeout=1000.0)
    assert polling.run(polling.poller.wait_for(20.0)) is None
    assert polling.poll_times[0] == 0.0
    assert 10.0 < polling.elapsed <= 20.0


def test_waiting_for_zero_seconds_is_one_poll() -> None:
    polling = polling_with(then=RUNNING)
    assert polling.run(polling.poller.wait_for(0.0)) is None
    assert (polling.poll_times, polling.pauses) == ([0.0], [])


def test_a_poll_that_begins_at_the_end_of_the_wait_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module.random, "uniform", lambda low, high: high)
    polling = polling_with(then=RUNNING)
    assert polling.run(polling.poller.wait_for(MIN_PAUSE)) is None
    assert polling.poll_times == [0.0, MIN_PAUSE]


@pytest.mark.parametrize(
    ("last", "error"),
    [(LOADED, type(None)), (status_of(-1), errors.PublishFailed), (Response(401), errors.OutcomeUnknown)],
)
def test_waiting_for_some_seconds_returns_the_result_if_there_is_one(
    last: Response, error: type[Any]
) -> None:
    polling = polling_with(RUNNING, RUNNING, last)
    result = polling.run(polling.poller.wait_for(50.0))
    assert type(result.error) is error


@pytest.mark.parametrize("retry_for", [0.0, 3.0])
@pytest.mark.parametrize("answer", [UNAVAILABLE, Response(200, (), b"<html>")])
def test_with_a_retry_limit_an_unavailable_server_is_left_to_the_next_poller(
    retry_for: float, answer: Response
) -> None:
    polling = polling_with(RUNNING, answer)
    assert polling.run(polling.poller.wait_for(50.0, retry_for)) is None
    assert polling.retry_for == [retry_for, retry_for]


def test_with_a_retry_limit_an_error_that_no_retry_helps_still_ends_the_wait() -> None:
    polling = polling_with(RUNNING, Response(401))
    assert type(polling.run(polling.poller.wait_for(50.0, 3.0)).error) is errors.OutcomeUnknown


def test_a_later_poller_continues_from_what_an_earlier_one_has_seen() -> None:
    first = polling_with(then=status_of(4, A1="completed", B2="reserved"))
    first.clock.now += 7.0
    assert first.run(first.poller.wait_for(0.0)) is None
    second = polling_with(LOADED)
    second.poller.seen.update(json.loads(json.dumps(first.poller.seen)))
    second.clock.now += 60.0
    result = second.result()
    assert [line.split(" after ")[0] for line in second.lines] == ["Table lu_store: completed"]
    assert [table.seconds for table in result.tables] == [7.0, 60.0]


def test_waiting_beyond_the_deadline_is_a_timeout() -> None:
    polling = polling_with(then=RUNNING, timeout=16.0)
    result = polling.run(polling.poller.wait_for(600.0))
    assert type(result.error) is errors.PublishTimedOut


def test_what_one_wait_has_logged_the_next_does_not_log_again() -> None:
    polling = polling_with(then=status_of(4, A1="reserved"), timeout=1000.0)
    polling.run(polling.poller.wait_for(5.0))
    polling.run(polling.poller.wait_for(5.0))
    assert len(polling.lines) == 1


# the parts


def test_the_time_counts_from_the_start_of_the_job() -> None:
    polling = polling_with(timeout=100.0)
    polling.clock.now += 30.0
    assert (polling.poller.elapsed, polling.poller.left) == (30.0, 70.0)


def test_a_job_that_was_not_started_has_no_elapsed_time() -> None:
    polling = polling_with(started_at=None)
    polling.clock.now += 30.0
    assert (polling.poller.elapsed, polling.poller.left) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (errors.PublishFailed("x"), State.FAILED),
        (errors.PublishTimedOut("x"), State.RUNNING),
        (errors.SessionExpired("x"), State.RUNNING),
    ],
)
def test_only_a_failed_publish_has_a_failed_result(error: MstrError, state: State) -> None:
    result = polling_with().poller.failure(error)
    assert (result.state, result.tables_confirmed, result.error) == (state, False, error)


STATUSES: list[Callable[[], Response]] = [
    lambda: RUNNING,
    lambda: BUSY,
    lambda: status_of(0),
    lambda: status_of(1),
    lambda: status_of(0, A1="completed"),
    lambda: status_of(6, A1="completed", B2="reserved"),
    lambda: status_of(1, A1="loaded", B2="?"),
]


@given(statuses=st.lists(st.sampled_from(STATUSES), max_size=30), data=st.data())
def test_no_refresh_succeeds_without_confirmation_or_three_polls_in_a_row_that_show_its_end(
    statuses: list[Callable[[], Response]], data: st.DataObject
) -> None:
    served: list[Response] = []

    def serving() -> Iterator[Response]:
        for make in statuses:
            served.append(make())
            yield served[-1]
        while True:
            served.append(status_of(-1))
            yield served[-1]

    result = Polling(serving(), timeout=10_000.0).result()
    assert not result.tables_confirmed
    if [json.loads(answer.body).get("status") for answer in served[-3:]] != [1, 1, 1]:
        assert type(result.error) is errors.PublishFailed
    elif BUSY in served:
        assert type(result.error) is errors.OutcomeUnknown
    else:
        assert result.error is None


def test_an_unconfirmed_end_is_no_success_if_another_job_was_seen() -> None:
    result = polling_with(BUSY, then=status_of(1)).result()

    assert isinstance(result.error, errors.OutcomeUnknown)
    assert "another job" in str(result.error)


def test_a_confirmed_end_is_a_success_although_another_job_was_seen() -> None:
    assert polling_with(BUSY, RUNNING, LOADED).result().error is None
