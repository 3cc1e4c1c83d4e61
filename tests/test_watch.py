# SPDX-License-Identifier: Apache-2.0
"""Watching a publish: when to look, what to tell, when to give up."""

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

from airflow_provider_mstr import watch
from airflow_provider_mstr.refresh import Ending, Refresh
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.evidence import Baseline
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Pause, Procedure, Request, Response, Run, decipher
from airflow_provider_mstr.rest.publication import State
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.tables import RefreshPolicy, TableRefresh
from airflow_provider_mstr.rest.workflow import CONFIRMATIONS, CONFIRMING_PAUSE
from airflow_provider_mstr.watch import (
    JITTER,
    MOST_LINES,
    PATIENCE,
    SHARE_OF_ELAPSED,
    SHORTEST_PAUSE,
    Watcher,
)

TOKEN = "token-nobody-may-see"
PUBLISHED_AT = 1_700_000_000.0
TABLES = (
    TableRefresh("A1", "ytd_day", RefreshPolicy.REPLACE),
    TableRefresh("B2", "lu_store", RefreshPolicy.ADD),
)


class Clock:
    """Seconds that pass only when the watcher pauses, or an answer takes its time."""

    def __init__(self) -> None:
        self.now = PUBLISHED_AT

    def __call__(self) -> float:
        return self.now


@dataclass
class Watch:
    """A watcher with a clock and answers of its own, and what it did."""

    answers: Iterator[Response | MstrError]
    timeout: float = 100.0
    poll_interval: float = 10.0
    seconds_per_answer: float = 0.0
    tables: tuple[TableRefresh, ...] = TABLES
    published_at: float | None = PUBLISHED_AT
    baseline: Baseline | None = None
    clock: Clock = field(default_factory=Clock)
    lines: list[str] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    patience: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        instance = DataModelInstance(Session(TOKEN), "P1", "M1", "I1")
        refresh = Refresh(instance, self.tables, self.published_at, self.baseline)
        self.watcher = Watcher(
            refresh, self.timeout, self.poll_interval, Credentials(login="etl"), self.clock, self.lines.append
        )

    def run(self, procedure: Procedure[Any]) -> Any:
        run = Run(procedure)
        while run.step is not None:
            run.feed(self._outcome(run.step))
        return run.result

    def ending(self, first_pause: float = 0.0) -> Ending:
        ended = self.run(self.watcher.end(first_pause))
        assert isinstance(ended, Ending)
        return ended

    @property
    def elapsed(self) -> float:
        return self.clock.now - PUBLISHED_AT

    def _outcome(self, step: Request[Any] | Pause) -> Any:
        if isinstance(step, Pause):
            assert step.seconds >= 0
            self.pauses.append(step.seconds)
            self.clock.now += step.seconds
            return None
        self.looks.append(self.elapsed)
        self.patience.append(step.patience)
        self.clock.now += self.seconds_per_answer
        answer = next(self.answers)
        if isinstance(answer, MstrError):
            return answer
        try:
            return decipher(step, answer)
        except MstrError as error:
            return error


def said(status: int, message: str = "", **tables: str | dict[str, Any]) -> Response:
    """Return an answer of publishStatus, tables by their id."""
    listed = [
        {"id": table} | (word if isinstance(word, dict) else {"status": word})
        for table, word in tables.items()
    ]
    return Response(200, (), json.dumps({"status": status, "tables": listed, "message": message}).encode())


def refused(status: int, iserver_code: int) -> Response:
    return Response(
        status, (), json.dumps({"code": "ERR001", "iServerCode": iserver_code, "message": "no"}).encode()
    )


RUNNING = said(6)
LOADED = said(1, A1="completed", B2="completed")
BUSY = refused(500, -2147072194)
AWAY = Response(502)
PLAIN = Response(200, (), b'{"status": 1}')


def watching(*answers: Response | MstrError, then: Response | None = None, **how: Any) -> Watch:
    more: Iterable[Response] = repeat(then) if then is not None else ()
    return Watch(chain(answers, more), **how)


# when to look


def test_a_publish_that_has_ended_is_seen_at_the_first_look() -> None:
    watched = watching(LOADED)
    assert watched.ending().error is None
    assert watched.looks == [0.0]


@pytest.mark.parametrize(
    ("first_pause", "timeout", "looked"), [(0.0, 100.0, 0.0), (3.0, 100.0, 3.0), (30.0, 4.0, 4.0)]
)
def test_the_first_look_comes_after_the_first_pause_or_at_the_deadline(
    first_pause: float, timeout: float, looked: float
) -> None:
    watched = watching(LOADED, timeout=timeout)
    watched.ending(first_pause)
    assert watched.looks == [looked]


def test_a_publish_that_is_past_its_deadline_already_is_looked_at_without_a_pause() -> None:
    watched = watching(LOADED, timeout=10.0)
    watched.clock.now += 60.0
    assert watched.ending(5.0).error is None
    assert watched.pauses == [0.0]


@pytest.mark.parametrize("corner", [1 - JITTER, 1 - JITTER / 2, 1.0])
def test_pauses_grow_with_the_time_that_has_passed_up_to_the_poll_interval(
    corner: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.random, "uniform", lambda low, high: corner)
    watched = watching(*[RUNNING] * 80, LOADED, timeout=1000.0, poll_interval=10.0)
    watched.ending()
    pauses = watched.pauses[1:]
    assert pauses[0] == pytest.approx(SHORTEST_PAUSE * corner)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(10.0 * corner)
    for looked, pause in zip(watched.looks, pauses, strict=False):
        assert pause == pytest.approx(min(10.0, max(SHORTEST_PAUSE, looked * SHARE_OF_ELAPSED)) * corner)


def test_the_jitter_shortens_every_pause_the_longest_too_and_differs() -> None:
    watched = watching(*[RUNNING] * 200, LOADED, timeout=10_000.0, poll_interval=30.0)
    watched.ending()
    shares = {True: set[float](), False: set[float]()}
    for looked, pause in zip(watched.looks, watched.pauses[1:], strict=False):
        plain = min(30.0, max(SHORTEST_PAUSE, looked * SHARE_OF_ELAPSED))
        assert plain * (1 - JITTER) <= pause <= plain
        shares[plain == 30.0].add(round(pause / plain, 4))
    assert all(len(each) > 5 for each in shares.values())


def test_a_poll_interval_below_the_shortest_pause_is_kept() -> None:
    watched = watching(*[RUNNING] * 20, LOADED, poll_interval=0.1)
    watched.ending()
    assert all(0.1 * (1 - JITTER) <= pause <= 0.1 for pause in watched.pauses[1:])


def test_each_look_has_the_patience_that_the_deadline_leaves_up_to_its_most() -> None:
    watched = watching(then=RUNNING, timeout=PATIENCE + 200.0, poll_interval=30.0)
    watched.ending()
    assert watched.patience[0] == PATIENCE
    for looked, patience in zip(watched.looks, watched.patience, strict=True):
        assert patience == pytest.approx(max(0.0, min(PATIENCE, watched.timeout - looked)))
    assert watched.patience[-1] == 0.0


# giving up


def test_one_look_comes_at_the_deadline_and_then_the_publish_has_timed_out() -> None:
    watched = watching(then=RUNNING, timeout=64.0)
    ending = watched.ending()
    assert type(ending.error) is errors.PublishTimedOut
    assert watched.looks[-1] == 64.0
    assert watched.looks[-2] < 64.0
    assert ending.outcome.state is State.RUNNING
    assert ending.outcome.seconds == 64.0
    assert not ending.outcome.proven


def test_an_end_that_shows_at_the_deadline_is_no_timeout() -> None:
    probe = watching(then=RUNNING, timeout=64.0, poll_interval=8.0)
    probe.ending()

    class AtTheDeadline(Iterator[Response]):
        def __next__(self) -> Response:
            return LOADED if watched.elapsed >= 64.0 else RUNNING

    watched = Watch(AtTheDeadline(), timeout=64.0, poll_interval=8.0)
    assert watched.ending().error is None
    assert watched.looks[-1] == 64.0


def test_a_timeout_names_the_tables_it_still_waits_for() -> None:
    error = watching(then=said(6, A1="completed", B2="reserved"), timeout=8.0).ending().error
    assert type(error) is errors.PublishTimedOut
    assert error.what == "the publish of data model M1 did not end within 8 s: still waiting for lu_store"


def test_a_timeout_with_every_table_loaded_says_so() -> None:
    error = watching(then=said(6, A1="completed", B2="loaded"), timeout=8.0).ending().error
    assert "every table was seen loaded" in str(error)


def test_a_timeout_names_only_some_of_very_many_tables() -> None:
    tables = tuple(TableRefresh(f"T{at}", f"table{at:02d}", RefreshPolicy.ADD) for at in range(14))
    error = watching(then=RUNNING, timeout=8.0, tables=tables).ending().error
    assert "table09 and 4 more" in str(error)
    assert "table10" not in str(error)


def test_a_failure_of_very_many_tables_names_only_some() -> None:
    tables = tuple(TableRefresh(f"T{at}", f"table{at:02d}", RefreshPolicy.REPLACE) for at in range(5000))
    failed = {table.id: {"status": "error", "errorMessage": "x" * 2000} for table in tables}
    error = watching(said(5, **failed), tables=tables).ending().error
    assert type(error) is errors.PublishFailed
    assert "table04 ended as error" in str(error)
    assert "4995 more tables failed" in str(error)
    assert len(str(error)) < 12_000


def test_where_the_last_look_fails_at_the_deadline_the_outcome_is_unknown() -> None:
    class AwayAtTheEnd(Iterator[Response]):
        def __next__(self) -> Response:
            return AWAY if watched.elapsed >= 8.0 else RUNNING

    watched = Watch(AwayAtTheEnd(), timeout=8.0)
    error = watched.ending().error
    assert type(error) is errors.OutcomeUnknown
    assert error.what == (
        "could not ask for the publish status of data model M1, "
        "so it is unknown how the load of data model M1 ends"
    )


def test_a_server_that_is_away_until_the_deadline_leaves_the_outcome_unknown() -> None:
    ending = watching(AWAY, timeout=8.0, seconds_per_answer=9.0).ending()
    assert type(ending.error) is errors.OutcomeUnknown
    assert not ending.error.may_answer_later
    assert ending.outcome.state is State.UNKNOWN


def away_for(seconds: float) -> Response:
    return Response(503, (("Retry-After", f"{seconds:.0f}"),))


def test_a_server_that_says_when_it_will_be_back_is_asked_again_then() -> None:
    watched = watching(away_for(2 * PATIENCE), LOADED, timeout=4 * PATIENCE)
    assert watched.ending().error is None
    assert watched.looks == [0.0, 2 * PATIENCE]


def test_a_server_that_will_be_back_too_late_is_not_waited_for() -> None:
    watched = watching(away_for(2 * PATIENCE), timeout=1.5 * PATIENCE)
    assert type(watched.ending().error) is errors.OutcomeUnknown
    assert watched.looks == [0.0]


def test_looking_for_no_time_does_not_wait_for_a_server_to_be_back() -> None:
    watched = watching(away_for(2 * PATIENCE), timeout=4 * PATIENCE)
    assert watched.run(watched.watcher.end_within(0)) is None
    assert watched.pauses == []


@pytest.mark.parametrize(
    ("answer", "may_answer_later", "is_retried"),
    [
        (AWAY, True, True),
        (Response(200, (), b"<html>"), True, True),
        (errors.ServerUnavailable("the connection is refused"), True, True),
        (refused(404, -2147468986), False, True),
        (Response(401), False, True),
        (refused(500, -2147213784), False, False),
        (errors.CertificateRefused("the certificate has expired"), False, False),
    ],
)
def test_what_prevents_the_next_poll_leaves_the_end_of_the_load_unknown(
    answer: Response | MstrError, may_answer_later: bool, is_retried: bool
) -> None:
    ending = watching(RUNNING, answer, timeout=PATIENCE * 2, tables=REPLACED).ending()
    assert type(ending.error) is errors.OutcomeUnknown
    assert ending.error.what.endswith("so it is unknown how the load of data model M1 ends")
    assert (ending.error.may_answer_later, ending.error.mended_by_time) == (may_answer_later, is_retried)
    assert (ending.outcome.state, ending.outcome.proven) == (State.UNKNOWN, False)


def test_an_unknown_end_says_which_privilege_or_setting_prevents_the_poll() -> None:
    error = watching(RUNNING, refused(500, -2147213784), timeout=8.0, tables=REPLACED).ending().error
    assert str(error).endswith(errors.NoPrivilege.advice)


ADDED, REPLACED = (
    (TableRefresh("A1", "ytd_day", policy), TableRefresh("B2", "city", RefreshPolicy.REPLACE))
    for policy in (RefreshPolicy.ADD, RefreshPolicy.REPLACE)
)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([RUNNING, AWAY], errors.OutcomeUnknown),
        ([RUNNING, Response(401)], errors.OutcomeUnknown),
        ([RUNNING] * 200, errors.PublishTimedOut),
        ([said(5, A1="completed"), said(-1, A1="completed", B2="error")], errors.PublishFailed),
    ],
)
def test_no_retry_follows_where_it_could_add_rows_twice(
    answers: list[Response], kind: type[MstrError]
) -> None:
    added = watching(*answers, timeout=PATIENCE * 2, tables=ADDED).ending().error
    replaced = watching(*answers, timeout=PATIENCE * 2, tables=REPLACED).ending().error
    assert type(added) is type(replaced) is kind
    assert (added.mended_by_time, replaced.mended_by_time) == (False, True)
    assert "could add them again" in str(added)
    assert "could add them again" not in str(replaced)


@pytest.mark.parametrize(
    "failed", [said(-1), said(-1, A1="reserved", B2="error"), said(5, A1="error", B2="completed")]
)
def test_a_failed_publish_that_added_no_rows_is_retried(failed: Response) -> None:
    error = watching(failed, tables=ADDED).ending().error
    assert type(error) is errors.PublishFailed
    assert error.mended_by_time


@given(
    timeout=st.integers(1, 400).map(float),
    poll_interval=st.integers(1, 64).map(float),
    slow=st.sampled_from([0.0, 0.25, 7.0]),
)
def test_every_watch_of_a_publish_that_never_ends_is_over_soon_after_its_deadline(
    timeout: float, poll_interval: float, slow: float
) -> None:
    watched = watching(then=RUNNING, timeout=timeout, poll_interval=poll_interval, seconds_per_answer=slow)
    ending = watched.ending()
    assert type(ending.error) is errors.PublishTimedOut
    assert timeout - 0.001 <= watched.elapsed <= timeout + 2 * slow + 0.001
    assert all(later > earlier for earlier, later in pairwise(watched.looks))


# how it ends


def test_a_proven_end_tells_when_each_table_was_seen_loaded() -> None:
    watched = watching(said(6, A1="reserved"), said(6, A1="completed", B2="reserved"), LOADED)
    ending = watched.ending(1.0)
    assert ending.error is None
    assert (ending.outcome.state, ending.outcome.proven) == (State.FINISHED, True)
    assert [table.state for table in ending.outcome.tables] == [State.FINISHED, State.FINISHED]
    assert [table.seconds for table in ending.outcome.tables] == watched.looks[1:]
    assert [(table.id, table.name, table.policy) for table in ending.outcome.tables] == [
        ("A1", "ytd_day", RefreshPolicy.REPLACE),
        ("B2", "lu_store", RefreshPolicy.ADD),
    ]
    assert (ending.outcome.project_id, ending.outcome.data_model_id) == ("P1", "M1")
    assert ending.outcome.seconds == watched.looks[-1]


def test_an_end_without_proof_is_confirmed_first_and_then_told_as_unproven() -> None:
    watched = watching(said(1), said(1), said(1))
    ending = watched.ending()
    assert ending.error is None
    assert (ending.outcome.state, ending.outcome.proven) == (State.FINISHED, False)
    assert [(table.state, table.seconds) for table in ending.outcome.tables] == [(State.FINISHED, None)] * 2
    assert watched.pauses == [0.0, CONFIRMING_PAUSE, CONFIRMING_PAUSE]
    assert watched.lines == ["The server reports the publish as done, without proof for each table"]


def test_an_end_without_proof_that_is_not_confirmed_is_watched_further() -> None:
    watched = watching(said(1), said(1), RUNNING, said(1), LOADED)
    ending = watched.ending()
    assert (ending.error, ending.outcome.proven) == (None, True)


def test_a_tables_id_counts_in_any_casing() -> None:
    ending = watching(said(1, a1="completed", b2="completed")).ending()
    assert [table.seconds for table in ending.outcome.tables] == [0.0, 0.0]


def test_a_failure_names_its_tables_the_number_and_the_servers_words() -> None:
    broken = {"status": "schema_comparison_error", "errorCode": -7, "errorMessage": "column gone"}
    answer = said(-2147212544, "stalled", A1="completed", b2=broken, X9="load_failed")
    ending = watching(answer).ending()
    assert type(ending.error) is errors.PublishFailed
    assert ending.error.what == (
        "the publish of data model M1 failed: "
        "status -2147212544, the query engine gave up: look at data types and the engine's health; stalled; "
        "table lu_store ended as schema_comparison_error (-7: column gone); table X9 ended as load_failed"
    )
    assert (ending.outcome.state, ending.outcome.proven) == (State.FAILED, False)
    assert [table.state for table in ending.outcome.tables] == [State.FINISHED, State.FAILED]


def test_a_failure_of_which_nothing_is_known_tells_its_number() -> None:
    error = watching(said(-12345)).ending().error
    assert isinstance(error, errors.PublishFailed)
    assert error.what == "the publish of data model M1 failed: status -12345"


def test_a_failure_that_comes_as_an_error_of_the_server_fails_the_refresh() -> None:
    ending = watching(*[refused(500, -2147205488)] * CONFIRMATIONS).ending()
    assert type(ending.error) is errors.PublishFailed
    assert ending.outcome.state is State.FAILED
    assert ending.error.reply.iserver_code == -2147205488


def test_a_failure_masks_secrets_that_the_server_repeats() -> None:
    broken = {"status": "error", "errorMessage": f"token {TOKEN} refused"}
    error = watching(said(-1, f"session {TOKEN}", A1=broken)).ending().error
    assert TOKEN not in str(error)
    assert str(error).count("***") == 2


def test_a_progress_line_masks_secrets_that_the_server_repeats() -> None:
    watched = watching(said(6, A1=f"waiting for {TOKEN}"), LOADED)
    watched.ending()
    assert TOKEN not in "".join(watched.lines)


# what is told


def test_each_change_of_a_table_is_told_once() -> None:
    reserved = said(4, A1="reserved", B2="reserved")
    watched = watching(
        RUNNING, reserved, reserved, said(5, A1="completed", B2="reserved"), said(5, A1="completed"), LOADED
    )
    watched.ending(1.0)
    words = [line.split(" after ")[0] for line in watched.lines]
    assert words == [
        "Table ytd_day: reserved",
        "Table lu_store: reserved",
        "Table ytd_day: completed",
        "Table lu_store: completed",
    ]
    left = [line.split(", ")[1] for line in watched.lines]
    assert left == ["2 of 2 left", "2 of 2 left", "1 of 2 left", "0 of 2 left"]


def test_a_progress_line_tells_the_seconds_since_the_publish() -> None:
    watched = watching(LOADED)
    watched.clock.now += 72.4
    watched.ending()
    assert watched.lines[0] == "Table ytd_day: completed after 72 s, 1 of 2 left"


def many(count: int) -> tuple[TableRefresh, ...]:
    return tuple(TableRefresh(f"T{at}", f"table_{at:03}", RefreshPolicy.ADD) for at in range(count))


def every(tables: Iterable[TableRefresh], word: str) -> dict[str, str]:
    return {table.id: word for table in tables}


def test_tables_that_change_alike_in_one_look_are_one_line_where_they_are_many() -> None:
    tables = many(200)
    first, second = tables[:50], tables[50:]
    watched = watching(
        said(6, **every(tables, "reserved")),
        said(6, **every(first, "completed"), **every(second, "reserved")),
        said(1, **every(tables, "completed")),
        tables=tables,
    )

    assert [table.state for table in watched.ending().outcome.tables] == [State.FINISHED] * 200
    assert [line.partition(" after ")[0] for line in watched.lines] == [
        "200 tables: reserved",
        "50 tables: completed",
        "150 tables: completed",
    ]
    assert [line.partition(", ")[2] for line in watched.lines] == [
        "200 of 200 left: table_000, table_001, table_002 and 197 more",
        "150 of 200 left: table_000, table_001, table_002 and 47 more",
        "0 of 200 left: table_050, table_051, table_052 and 147 more",
    ]


def test_a_table_that_ends_otherwise_than_the_many_keeps_its_own_line() -> None:
    tables = many(20)
    watched = watching(said(6, **every(tables, "completed") | {"T7": "error"}), tables=tables)
    watched.ending()
    assert [line.partition(" after ")[0] for line in watched.lines] == [
        "19 tables: completed",
        "Table table_007: error",
    ]


@given(st.lists(st.text(max_size=3), min_size=1, max_size=80))
def test_no_look_is_told_in_more_than_a_few_lines(words: list[str]) -> None:
    tables = many(len(words))
    listed = {table.id: word for table, word in zip(tables, words, strict=True)}
    watched = watching(said(6, **listed), said(-1), tables=tables)
    watched.run(watched.watcher.end_within(0.0))
    assert len(watched.lines) <= MOST_LINES + 1


def test_looks_are_counted() -> None:
    watched = watching(RUNNING, RUNNING, LOADED)
    watched.ending()
    assert watched.watcher.looks == len(watched.looks) == 3


def test_tables_that_were_not_published_are_not_told() -> None:
    watched = watching(said(6, X9="reserved"), LOADED)
    watched.ending()
    assert not any("X9" in line for line in watched.lines)


def test_a_table_that_runs_again_after_its_end_is_waited_for_again() -> None:
    """An instance may first show the words of an earlier publish."""
    error = (
        watching(said(4, A1="completed"), then=said(4, A1="reserved", B2="completed"), timeout=8.0)
        .ending()
        .error
    )
    assert "still waiting for ytd_day" in str(error)


def test_a_model_that_another_job_publishes_is_waited_for_and_told_once() -> None:
    watched = watching(BUSY, BUSY, BUSY, LOADED)
    assert watched.ending().error is None
    assert [line for line in watched.lines if "Another job" in line] == [
        "Another job is publishing this data model; waiting for it"
    ]


def cube(updated: str) -> Response:
    return Response(200, (), json.dumps({"cubesInfos": [{"status": 2, "lastUpdateTime": updated}]}).encode())


STALE, FRESH = cube("01/02/2026 03:04:05"), cube("01/02/2026 03:05:00")
BASELINE = Baseline(True, datetime(2026, 1, 2, 3, 4, 5))


def test_an_end_that_the_cube_does_not_show_yet_is_waited_for_and_told_once() -> None:
    watched = watching(PLAIN, STALE, PLAIN, STALE, PLAIN, FRESH, baseline=BASELINE)
    assert watched.ending().error is None
    assert sum("does not show it yet" in line for line in watched.lines) == 1


def test_an_end_that_the_cube_never_shows_is_unknown_and_says_what_to_do() -> None:
    watched = Watch(cycle([PLAIN, STALE]), timeout=8.0, baseline=BASELINE)
    error = watched.ending().error
    assert type(error) is errors.OutcomeUnknown
    assert "evidence=False" in str(error)


def test_a_lost_session_gives_a_kill_time_to_come_before_another_is_opened() -> None:
    begun = [Response(401), Response(204, (("X-MSTR-AuthToken", "another"),)), FRESH, Response(204)]
    watched = watching(*begun, baseline=BASELINE)
    assert watched.ending().error is None
    assert watched.looks[:2] == [0.0, watch.KILL_GRACE]


def test_a_model_that_is_busy_again_is_told_again() -> None:
    watched = watching(BUSY, RUNNING, BUSY, LOADED)
    watched.ending()
    assert sum("Another job" in line for line in watched.lines) == 2


def test_a_model_that_stays_busy_until_the_deadline_is_a_timeout() -> None:
    ending = watching(then=BUSY, timeout=20.0).ending()
    assert type(ending.error) is errors.PublishTimedOut
    assert ending.outcome.state is State.RUNNING


# looking for a while


def test_looking_for_a_while_returns_nothing_while_the_publish_runs() -> None:
    watched = watching(then=RUNNING, timeout=1000.0)
    assert watched.run(watched.watcher.end_within(20.0)) is None
    assert watched.looks[0] == 0.0
    assert 10.0 < watched.elapsed <= 20.0


def test_looking_for_no_time_is_one_look() -> None:
    watched = watching(then=RUNNING)
    assert watched.run(watched.watcher.end_within(0.0)) is None
    assert (watched.looks, watched.pauses) == ([0.0], [])


@pytest.mark.parametrize(
    ("last", "error"),
    [(LOADED, type(None)), (said(-1), errors.PublishFailed), (Response(401), errors.OutcomeUnknown)],
)
def test_looking_for_a_while_returns_the_ending_where_there_is_one(last: Response, error: type[Any]) -> None:
    watched = watching(RUNNING, RUNNING, last)
    ending = watched.run(watched.watcher.end_within(50.0))
    assert type(ending.error) is error


@pytest.mark.parametrize("patience", [0.0, 3.0])
@pytest.mark.parametrize("answer", [AWAY, Response(200, (), b"<html>")])
def test_looking_with_less_patience_leaves_a_server_that_is_away_to_the_next_watch(
    patience: float, answer: Response
) -> None:
    watched = watching(RUNNING, answer)
    assert watched.run(watched.watcher.end_within(50.0, patience)) is None
    assert watched.patience == [patience, patience]


def test_looking_with_less_patience_still_ends_with_what_is_no_question_of_patience() -> None:
    watched = watching(RUNNING, Response(401))
    assert type(watched.run(watched.watcher.end_within(50.0, 3.0)).error) is errors.OutcomeUnknown


def test_a_later_watch_goes_on_from_what_an_earlier_one_saw() -> None:
    first = watching(then=said(4, A1="completed", B2="reserved"))
    first.clock.now += 7.0
    assert first.run(first.watcher.end_within(0.0)) is None
    second = watching(LOADED)
    second.watcher.seen.update(json.loads(json.dumps(first.watcher.seen)))
    second.clock.now += 60.0
    ending = second.ending()
    assert [line.split(" after ")[0] for line in second.lines] == ["Table lu_store: completed"]
    assert [table.seconds for table in ending.outcome.tables] == [7.0, 60.0]


def test_looking_for_a_while_past_the_deadline_is_a_timeout() -> None:
    watched = watching(then=RUNNING, timeout=16.0)
    ending = watched.run(watched.watcher.end_within(600.0))
    assert type(ending.error) is errors.PublishTimedOut


def test_what_was_told_in_one_while_is_not_told_again_in_the_next() -> None:
    watched = watching(then=said(4, A1="reserved"), timeout=1000.0)
    watched.run(watched.watcher.end_within(5.0))
    watched.run(watched.watcher.end_within(5.0))
    assert len(watched.lines) == 1


# the parts


def test_time_counts_from_the_publish_whoever_watches() -> None:
    watched = watching(timeout=100.0)
    watched.clock.now += 30.0
    assert (watched.watcher.elapsed, watched.watcher.left) == (30.0, 70.0)


def test_a_refresh_that_was_not_published_has_no_time_behind_it() -> None:
    watched = watching(published_at=None)
    watched.clock.now += 30.0
    assert (watched.watcher.elapsed, watched.watcher.left) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (errors.PublishFailed("x"), State.FAILED),
        (errors.PublishTimedOut("x"), State.RUNNING),
        (errors.SessionLost("x"), State.RUNNING),
    ],
)
def test_only_a_failed_publish_makes_a_failed_outcome(error: MstrError, state: State) -> None:
    ending = watching().watcher.ending(error)
    assert (ending.outcome.state, ending.outcome.proven, ending.error) == (state, False, error)


LOOKS: list[Callable[[], Response]] = [
    lambda: RUNNING,
    lambda: BUSY,
    lambda: said(0),
    lambda: said(1),
    lambda: said(0, A1="completed"),
    lambda: said(6, A1="completed", B2="reserved"),
    lambda: said(1, A1="loaded", B2="?"),
]


@given(looks=st.lists(st.sampled_from(LOOKS), max_size=30), data=st.data())
def test_no_story_ends_well_without_proof_or_three_looks_in_a_row_that_say_so(
    looks: list[Callable[[], Response]], data: st.DataObject
) -> None:
    served: list[Response] = []

    def serving() -> Iterator[Response]:
        for make in looks:
            served.append(make())
            yield served[-1]
        while True:
            served.append(said(-1))
            yield served[-1]

    ending = Watch(serving(), timeout=10_000.0).ending()
    if ending.error is None:
        assert not ending.outcome.proven
        assert [json.loads(answer.body).get("status") for answer in served[-3:]] == [1, 1, 1]
        assert BUSY not in served
    else:
        unknown = errors.OutcomeUnknown if BUSY in served else errors.PublishFailed
        assert type(ending.error) in (unknown, errors.PublishFailed)


def test_a_done_without_proof_is_no_success_where_another_job_was_seen() -> None:
    ending = watching(BUSY, then=said(1)).ending()

    assert isinstance(ending.error, errors.OutcomeUnknown)
    assert "another job" in str(ending.error)


def test_a_proven_finish_is_one_though_another_job_was_seen() -> None:
    assert watching(BUSY, RUNNING, LOADED).ending().error is None
