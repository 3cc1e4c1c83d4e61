# SPDX-License-Identifier: Apache-2.0
"""The refresh of a data model: how each part recovers, and what it leaves open."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from jobs import job_of
from scripted import (
    CITY,
    GATEWAY_GONE,
    INSTANCE,
    INSTANCE_LOST,
    MODEL,
    MODEL_BUSY,
    MODEL_NAME,
    NOW,
    PROJECT,
    PUBLISH_FAILED,
    PUBLISHED,
    SESSION_OVER,
    SESSIONS_FULL,
    TOKEN,
    YTD_DAY,
    FakeClock,
    KilledError,
    Played,
    Reply,
    an_instance,
    answer,
    created,
    empty,
    logged_in,
    play,
    published,
    refusal,
    table_list,
    table_row,
)

from airflow_provider_mstr.refresh.data_model import (
    BUSY_RETRY_SECONDS,
    CONFIRMATION_PAUSE,
    CONFIRMATIONS,
    FIND_OUT_PAUSE,
    MAX_SECONDS_TO_FIND_OUT,
    MAX_SOURCES_PAGES,
    SOURCES_PAGE_SIZE,
    DataModelJob,
    DataModelSpec,
    resolve_tables,
)
from airflow_provider_mstr.refresh.job import Job, PollResult
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.refresh.spec import StartContext
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.auth import CLEANUP_RETRY_SECONDS, LOGOUT_PAUSE
from airflow_provider_mstr.rest.endpoints.data_models import TableRefresh
from airflow_provider_mstr.rest.endpoints.sources import Source
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.publish_status import State, TableStatus
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.words import MAX_LINE

WHO = Credentials(login="administrator", password="correct horse")
HTML = Response(200, (("Content-Type", "text/html"),), b"<html>maintenance</html>")

LOGIN = "POST /api/auth/login"
VERSION = "GET /api/status"
PROJECTS = "GET /api/projects"
CREATE = f"POST /api/dataModels/{MODEL}/instances"
LIST = f"GET /api/model/dataModels/{MODEL}/tables"
DELETE = f"DELETE /api/dataModels/{MODEL}/instances/{INSTANCE}"
LOGOUT = "POST /api/auth/logout"


def a_job(**fields: Any) -> DataModelJob:
    """Return the job of a publish that was accepted."""
    return job_of(an_instance(), PUBLISHED, NOW, **fields)


# open


def ignore_log(line: str, **fields: Any) -> None:
    """Log nothing."""


def opening(project: str = PROJECT, data_model: str = MODEL, **context: Any) -> Flow[DataModelJob]:
    return DataModelSpec(project=project, target=data_model).open(
        StartContext(WHO, lambda: NOW, ignore_log, **context)
    )


def test_a_job_is_opened_in_one_new_session() -> None:
    played = play(
        opening(),
        logged_in(Set_Cookie="JSESSIONID=j"),
        created(),
    )
    assert played.calls == [LOGIN, CREATE]
    job = played.result
    assert (job.project_id, job.object_id, job.instance.instance_id) == (PROJECT, MODEL, INSTANCE)
    assert job.session.token == TOKEN
    assert [(cookie.name, cookie.value) for cookie in job.session.cookies] == [("JSESSIONID", "j")]
    assert (job.tables, job.started_at, job.last_update) == ((), None, NO_LAST_UPDATE)


def test_a_project_may_be_named() -> None:
    projects = answer([{"id": PROJECT, "name": "Tutorial"}])
    played = play(opening("Tutorial"), logged_in(), projects, created())
    assert played.calls == [LOGIN, PROJECTS, CREATE]
    assert played.result.project_id == PROJECT


def test_a_data_model_may_be_named_and_its_id_is_shown_before_its_instance_is_created() -> None:
    shown: list[Job] = []
    retail = {"id": MODEL, "name": "Retail", "subtype": 779, "extType": 448}
    found = answer({"totalItems": 1, "result": [retail]})
    played = play(
        opening(data_model="Retail", on_found=shown.append),
        logged_in(),
        found,
        KilledError(),
        empty(),
    )
    assert played.calls == [LOGIN, "GET /api/searches/results", CREATE, LOGOUT]
    assert played.requests[1].headers["X-MSTR-ProjectID"] == PROJECT
    assert [(job.object_id, job.object_name) for job in shown] == [(MODEL, "Retail")]


def test_the_version_is_requested_before_the_instance_is_created() -> None:
    warned: list[str] = []
    old = answer({"iServerVersion": "11.4.0600.0001"})
    projects = answer([{"id": PROJECT, "name": "Tutorial"}])
    played = play(opening("Tutorial", warn=warned.append), logged_in(), projects, old, created())
    assert played.calls == [LOGIN, PROJECTS, VERSION, CREATE]
    assert played.result.instance.instance_id == INSTANCE
    assert len(warned) == 1


def test_no_session_is_left_open_by_a_kill_during_the_version_request() -> None:
    played = play(opening(warn=repr), logged_in(), KilledError(), empty())
    assert played.calls == [LOGIN, VERSION, LOGOUT]
    assert isinstance(played.error, KilledError)


@pytest.mark.parametrize(
    "reply",
    [
        SESSIONS_FULL,
        MODEL_BUSY,
        GATEWAY_GONE,
        HTML,
        refusal(404, "ERR004"),
        errors.CertificateError("no"),
        KilledError(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_no_session_is_left_open_if_creating_the_instance_fails(reply: Reply) -> None:
    played = play(opening(), logged_in(), reply, empty())
    assert played.calls == [LOGIN, CREATE, LOGOUT]
    assert played.error is not None
    if isinstance(reply, BaseException):
        assert played.error is reply
    assert played.requests[-1].headers["X-MSTR-AuthToken"] == TOKEN
    assert played.requests[-1].retry_for == CLEANUP_RETRY_SECONDS


def test_the_session_is_stored_before_it_is_used() -> None:
    stored: list[Job] = []
    played = play(opening(on_progress=stored.append), logged_in(), KilledError(), empty())
    (job,) = stored
    assert (job.session.token, job.project_id, job.object_id) == (TOKEN, "", "")
    assert not job.is_open
    assert played.calls == [LOGIN, CREATE, LOGOUT]


def test_the_instance_is_stored_once_it_is_created() -> None:
    stored: list[Job] = []
    played = play(opening(on_progress=stored.append), logged_in(), created())
    assert [job.is_open for job in stored] == [False, True]
    assert stored[-1] == played.result


def test_the_id_of_a_named_data_model_is_logged() -> None:
    lines: list[str] = []
    found = answer(
        {"totalItems": 1, "result": [{"id": MODEL, "name": "Retail", "subtype": 779, "extType": 448}]}
    )

    def log(line: str, **fields: Any) -> None:
        lines.append(line)

    context = StartContext(WHO, lambda: NOW, log)
    play(DataModelSpec(project=PROJECT, target="Retail").open(context), logged_in(), found, created())
    play(DataModelSpec(project=PROJECT, target=MODEL).open(context), logged_in(), created())
    assert lines == [f"Data model 'Retail' is {MODEL}"]


def test_a_reopened_job_is_the_same_job_in_a_new_instance_of_a_new_session() -> None:
    spec = DataModelSpec(project="Tutorial", target="Retail")
    job = a_job(last_update=NOT_COMPARABLE)
    login = empty(X_MSTR_AuthToken="another-token")
    played = play(spec.reopen(job, StartContext(WHO, lambda: NOW, ignore_log)), login, created("NEW"))
    assert played.calls == [LOGIN, CREATE]
    assert played.result == job_of(played.result.instance, PUBLISHED, NOW, NOT_COMPARABLE)
    assert played.result.session.token == "another-token"
    assert played.result.instance.instance_id == "NEW"


def test_no_session_is_left_open_if_storing_it_fails() -> None:
    def reject(job: Job, accepted: bool = False) -> None:
        raise errors.InvalidInput("no")

    played = play(opening(on_progress=reject), logged_in(), empty())
    assert played.calls == [LOGIN, LOGOUT]
    assert isinstance(played.error, errors.InvalidInput)


def test_no_session_is_left_open_if_the_project_is_unknown() -> None:
    played = play(opening("Nowhere"), logged_in(), answer([]), empty())
    assert played.calls == [LOGIN, PROJECTS, LOGOUT]
    assert type(played.error) is errors.NotFound


@pytest.mark.parametrize("reply", [GATEWAY_GONE, SESSION_OVER, refusal(500), HTML])
def test_a_failed_logout_does_not_hide_why_creating_the_instance_failed(reply: Response) -> None:
    played = play(opening(), logged_in(), SESSIONS_FULL, reply)
    assert type(played.error) is errors.SessionLimit


def test_after_a_failed_login_there_is_no_logout() -> None:
    played = play(opening(), refusal(401, "ERR003"))
    assert played.calls == [LOGIN]
    assert type(played.error) is errors.AuthenticationError


# resolve_tables


def test_table_names_are_looked_up_in_the_model() -> None:
    choice = TableChoice.of({"ytd_day": "add"}, "replace")
    played = play(resolve_tables(an_instance(), choice), table_list(table_row(YTD_DAY, "ytd_day")))
    assert played.calls == [LIST]
    assert played.result == (TableRefresh(YTD_DAY, "ytd_day", RefreshPolicy.ADD),)


def prepared(tables: Any) -> tuple[Played, list[tuple[str, dict[str, Any]]]]:
    """Return a prepared job, and what was logged."""
    logged: list[tuple[str, dict[str, Any]]] = []

    def log(line: str, **fields: Any) -> None:
        logged.append((line, fields))

    spec = DataModelSpec(project=PROJECT, target=MODEL, choice=TableChoice.of(tables, "replace"))
    played = play(spec.prepare(job_of(an_instance())))
    spec.log_start(played.result, log)
    return played, logged


def test_the_tables_to_publish_are_logged_with_their_policies() -> None:
    played, logged = prepared({YTD_DAY: "add", CITY: None})
    tables = (
        TableRefresh(YTD_DAY, YTD_DAY, RefreshPolicy.ADD),
        TableRefresh(CITY, CITY, RefreshPolicy.REPLACE),
    )
    assert played.result == job_of(an_instance(), tables)
    line = f"Publishing 2 tables of data model {MODEL_NAME}: {YTD_DAY} (add), {CITY}"
    assert logged == [(f"{line[: MAX_LINE - 1]}…", {})]


def test_the_line_about_very_many_tables_names_few() -> None:
    tables = tuple(TableRefresh(str(at), f"t{at}", RefreshPolicy.ADD) for at in range(25))
    logged: list[str] = []
    DataModelSpec().log_start(job_of(an_instance(), tables), lambda line, **fields: logged.append(line))
    assert logged == [f"Publishing 25 tables of data model {MODEL_NAME} (add): t0, t1, t2 and 22 more"]


def test_a_renewed_job_has_a_new_instance_in_the_same_session() -> None:
    played = play(
        DataModelSpec(project=PROJECT, target=MODEL).renew(a_job(last_update=EARLIER)),
        empty(),
        created("NEW"),
    )
    assert played.calls == [DELETE, CREATE]
    assert played.result == job_of(an_instance(instance_id="NEW"), PUBLISHED, NOW, EARLIER)
    assert played.requests[0].retry_for == CLEANUP_RETRY_SECONDS
    assert {request.headers["X-MSTR-ProjectID"] for request in played.requests} == {PROJECT}


def test_a_job_in_another_session_is_the_same_job_otherwise() -> None:
    session = an_instance().session
    assert a_job().in_session(session) == a_job()
    other = a_job().in_session(Session("another"))
    assert (other.session.token, other.instance.instance_id, other.tables) == ("another", INSTANCE, PUBLISHED)


# list_sources


def sources_page(**sources: str | None) -> Response:
    """Return a page of table definitions: the name of each source by the id of its table."""
    tables = []
    for table_id, name in sources.items():
        part = {
            "type": "source",
            "importSource": {"dataSourceId": "DS", "namespace": "dw", "tableName": name},
        }
        pipeline = json.dumps({"rootTable": {"children": [part]}})
        tables.append({"information": {"objectId": table_id}, "physicalTable": {"pipeline": pipeline}})
    return answer({"tables": tables})


def list_sources(*replies: Reply, tables: str = "aB", turns: int = 99) -> Played:
    """List the sources of tables whose ids have one letter each, while there are turns left."""
    left = iter(range(turns))
    published_tables = tuple(TableRefresh(each, each, RefreshPolicy.REPLACE) for each in tables)
    job = job_of(an_instance(), published_tables)
    return play(job.list_sources(lambda: next(left, None) is not None, 7.0), *replies)


SALES, STORES = Source("DS", "dw", "sales"), Source("DS", "dw", "stores")


def test_the_sources_of_the_published_tables_are_listed_once_each_in_any_casing() -> None:
    played = list_sources(sources_page(A="sales", X="other", b="stores"))
    assert played.result == (SALES, STORES)
    (request,) = played.requests
    assert (request.query["offset"], request.query["limit"]) == ("0", str(SOURCES_PAGE_SIZE))
    assert request.retry_for == 7.0
    assert list_sources(sources_page(A="sales", B="sales")).result == (SALES,)


def test_pages_are_requested_until_the_sources_of_every_published_table_are_known() -> None:
    played = list_sources(sources_page(X="x", A="sales"), sources_page(Y="y"), sources_page(B="stores"))
    assert played.result == (SALES, STORES)
    assert [request.query["offset"] for request in played.requests] == ["0", "2", "3"]


@pytest.mark.parametrize("reply", [sources_page(), sources_page(B=None), GATEWAY_GONE, HTML, SESSION_OVER])
def test_sources_are_listed_as_far_as_the_server_answers(reply: Response) -> None:
    assert list_sources(sources_page(A="sales"), reply).result == (SALES,)


def test_no_more_sources_are_requested_once_there_is_no_time_or_after_the_last_page() -> None:
    assert list_sources(sources_page(A="sales"), turns=1).result == (SALES,)
    assert list_sources(turns=0).result == ()
    assert list_sources(tables="").result == ()
    assert list_sources(*[sources_page(X="x")] * MAX_SOURCES_PAGES).result == ()


def test_table_ids_are_not_looked_up() -> None:
    played = play(resolve_tables(an_instance(), TableChoice.of([CITY], "replace")))
    assert played.result == (TableRefresh(CITY, CITY, RefreshPolicy.REPLACE),)


def test_an_unknown_table_names_the_model() -> None:
    played = play(
        resolve_tables(an_instance(), TableChoice.of(["x"], "add")), table_list(table_row("1", "y"))
    )
    assert type(played.error) is errors.NotFound
    assert f"data model {MODEL_NAME}" in played.error.what


# poll


def cube(status: int, updated: str = "01/02/2026 03:04:05") -> Response:
    return answer({"cubesInfos": [{"status": status, "lastUpdateTime": updated}]})


UNCHANGED = LastUpdate(PROJECT, MODEL, is_comparable=True, updated=datetime(2026, 1, 2, 3, 4, 5))
EARLIER = LastUpdate(PROJECT, MODEL, is_comparable=True, updated=datetime(2026, 1, 2, 3, 4, 4))
NOT_COMPARABLE = LastUpdate(PROJECT, MODEL)


def poll(*replies: Reply, retry_for: float = 300.0, **fields: Any) -> Played:
    return play(a_job(**fields).poll(retry_for), *replies)


def shown(played: Played) -> tuple[State, bool]:
    return played.result.state, played.result.tables_confirmed


def test_a_running_publish_is_requested_once() -> None:
    played = poll(published(6))
    assert played.result == PollResult(State.RUNNING, a_job())
    assert played.pauses == []


def test_the_tables_are_those_that_the_server_lists() -> None:
    result = poll(published(6, (YTD_DAY, "reserved"))).result
    assert result.tables == (TableStatus(YTD_DAY, "reserved"),)


@pytest.mark.parametrize("number", [0, 1])
def test_a_finish_that_the_tables_confirm_counts_at_once(number: int) -> None:
    played = poll(published(number, (YTD_DAY, "completed"), (CITY, "loaded")))
    assert shown(played) == (State.FINISHED, True)
    assert len(played.requests) == 1


def test_a_finish_that_the_tables_do_not_confirm_counts_once_it_was_seen_three_times() -> None:
    played = poll(published(1), published(1), published(1))
    assert shown(played) == (State.FINISHED, False)
    assert played.result.message == (
        "The server reports the publish as done, but does not report each table as loaded"
    )
    assert played.pauses == [CONFIRMATION_PAUSE, CONFIRMATION_PAUSE]
    assert CONFIRMATION_PAUSE > 0


@pytest.mark.parametrize("reply", [cube(2), refusal(403, "ERR014")])
def test_an_unconfirmed_finish_counts_if_the_cube_cannot_be_compared(reply: Response) -> None:
    played = poll(*[published(1), reply] * CONFIRMATIONS, last_update=NOT_COMPARABLE)
    assert shown(played) == (State.FINISHED, False)


@pytest.mark.parametrize(
    ("reply", "state", "message"),
    [
        (cube(2), State.FINISHED, "The publish is done: the data model was updated since it was sent"),
        (cube(1, "01/02/2026 03:04:04"), State.RUNNING, ""),
        (cube(2, "01/02/2026 03:04:04"), State.RUNNING, ""),
    ],
    ids=["updated since", "loading", "as before"],
)
def test_an_unconfirmed_finish_is_what_the_cube_shows(reply: Response, state: State, message: str) -> None:
    played = poll(published(1), reply, last_update=EARLIER)
    assert shown(played) == (state, False)
    assert played.result.message == message
    assert played.result.is_unconfirmed is (state is State.RUNNING)


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (published(0), State.RUNNING),
        (published(1, (YTD_DAY, "reserved")), State.RUNNING),
        (published(-7), State.FAILED),
        (published(1, (YTD_DAY, "completed"), (CITY, "completed")), State.FINISHED),
        (MODEL_BUSY, State.RUNNING),
    ],
)
def test_an_unconfirmed_finish_is_replaced_by_any_other_status_after_it(
    before: int, reply: Response, state: State
) -> None:
    played = poll(*[published(1)] * before, reply)
    assert shown(played) == (state, state is State.FINISHED)
    assert not played.result.is_unconfirmed


def test_a_model_that_another_job_publishes_is_running() -> None:
    waiting = PollResult(State.RUNNING, a_job(concurrent_refresh=True), is_waiting=True)
    assert poll(MODEL_BUSY).result == waiting


def test_an_unconfirmed_finish_beside_another_job_is_unknown() -> None:
    played = poll(*[published(1)] * CONFIRMATIONS, concurrent_refresh=True)
    assert type(played.error) is errors.OutcomeUnknown
    assert played.error.what == (
        f"the server reports the end of a load of data model {MODEL_NAME}, but another job "
        "loaded it at the same time, so it is unknown which load has ended"
    )


def test_a_newer_last_update_beside_another_job_confirms_nothing() -> None:
    replies = [published(1), cube(2)] * CONFIRMATIONS
    played = poll(*replies, last_update=EARLIER, concurrent_refresh=True)
    assert type(played.error) is errors.OutcomeUnknown


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (INSTANCE_LOST, errors.InstanceExpired),
        (SESSION_OVER, errors.SessionExpired),
        (GATEWAY_GONE, errors.ServerUnavailable),
        (HTML, errors.InvalidResponse),
    ],
)
def test_a_poll_without_a_status_raises_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(poll(reply).error) is kind


def test_an_error_that_stands_for_a_failure_counts_once_it_was_seen_three_times() -> None:
    played = poll(*[PUBLISH_FAILED] * CONFIRMATIONS)
    assert type(played.error) is errors.PublishFailed
    assert played.pauses == [CONFIRMATION_PAUSE] * (CONFIRMATIONS - 1)


def test_such_an_error_is_no_failure_while_the_cube_shows_the_load() -> None:
    played = poll(*[PUBLISH_FAILED] * CONFIRMATIONS, cube(1), last_update=UNCHANGED)
    assert played.result == PollResult(State.RUNNING, a_job(last_update=UNCHANGED))


def test_such_an_error_about_a_model_that_was_updated_leaves_the_outcome_unknown() -> None:
    played = poll(*[PUBLISH_FAILED] * CONFIRMATIONS, cube(2), last_update=EARLIER)
    assert type(played.error) is errors.OutcomeUnknown
    assert played.error.what == (
        f"it is unknown how the load of data model {MODEL_NAME} ended: the server answers with an error, "
        "but the data model was updated since the publish was sent"
    )
    assert played.error.reply.iserver_code == -2147212544


@pytest.mark.parametrize("reply", [cube(2, "01/02/2026 03:04:04"), refusal(403, "ERR014")])
def test_such_an_error_is_the_failure_if_the_cube_shows_no_load(reply: Response) -> None:
    played = poll(*[PUBLISH_FAILED] * CONFIRMATIONS, reply, last_update=EARLIER)
    assert type(played.error) is errors.PublishFailed


def test_such_an_error_that_does_not_last_is_no_failure() -> None:
    assert poll(PUBLISH_FAILED, PUBLISH_FAILED, published(6)).result.state is State.RUNNING


@pytest.mark.parametrize("retry_for", [0.0, 7.0])
def test_every_request_of_a_poll_is_retried_for_the_same_time(retry_for: float) -> None:
    played = poll(published(1), published(1), published(1), retry_for=retry_for)
    assert [request.retry_for for request in played.requests] == [retry_for] * 3


def test_such_an_error_is_no_failure_while_a_load_runs_beside_another_job() -> None:
    fields = {"last_update": EARLIER, "concurrent_refresh": True}
    played = poll(*[PUBLISH_FAILED] * CONFIRMATIONS, cube(3), **fields)
    assert played.result == PollResult(State.RUNNING, a_job(**fields))


def test_a_failed_load_has_no_message_of_a_table_that_did_not_fail() -> None:
    played = poll(published(-7, (YTD_DAY, "error"), (CITY, "completed")))
    failure = played.result.failure
    assert failure.what.endswith("failed: table ytd_day ended as error")
    assert (
        failure.advice == "Fix table ytd_day in the model or its source, or ask the Strategy administrator."
    )


@pytest.mark.parametrize(
    ("failed", "more"), [(5, ""), (6, "; 1 more table failed"), (8, "; 3 more tables failed")]
)
def test_a_failure_names_five_tables_and_counts_the_others(failed: int, more: str) -> None:
    failure = poll(published(-7, *[(f"T{at}", "error") for at in range(failed)])).result.failure
    assert failure.what.endswith(f"; table T4 ended as error{more}")
    assert failure.advice.startswith("Fix tables T0, T1, T2, T3, T4")
    assert (f"T4 and {failed - 5} more in the model" in failure.advice) is (failed > 5)


# has_started


@pytest.mark.parametrize(
    ("replies", "has_started", "seconds"),
    [
        ([published(6)], True, 0.0),
        ([published(0), published(6)], True, FIND_OUT_PAUSE),
        ([refusal(400), refusal(400)], False, FIND_OUT_PAUSE),
        ([refusal(400), published(0), refusal(400), refusal(400)], False, 3 * FIND_OUT_PAUSE),
        ([published(0)] * 9, None, MAX_SECONDS_TO_FIND_OUT),
        ([GATEWAY_GONE] * 9, None, MAX_SECONDS_TO_FIND_OUT),
    ],
)
def test_what_the_status_shows_of_a_start(
    replies: list[Reply], has_started: bool | None, seconds: float
) -> None:
    clock = FakeClock()
    played = play(a_job().has_started(clock), *replies, clock=clock)
    assert played.result is has_started
    assert clock.now - NOW == seconds


def test_each_check_of_a_start_is_one_request_of_the_time_that_is_left() -> None:
    clock = FakeClock()
    played = play(
        a_job(last_update=EARLIER).has_started(clock), *[published(0), cube(2, "")] * 9, clock=clock
    )
    assert played.result is None
    assert not any(request.repeatable for request in played.requests)
    left = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0]
    assert [request.retry_for for request in played.requests[::2]] == left
    assert [request.retry_for for request in played.requests[1::2]] == left


@pytest.mark.parametrize(
    ("reply", "has_started"),
    [(cube(3, "01/02/2026 03:04:04"), True), (cube(2), True), (cube(2, "01/02/2026 03:04:04"), None)],
    ids=["loading", "updated since", "as before"],
)
def test_what_the_cube_shows_of_a_start(reply: Response, has_started: bool | None) -> None:
    clock = FakeClock()
    replies = [published(0), reply] * (1 if has_started else 9)
    played = play(a_job(last_update=EARLIER).has_started(clock), *replies, clock=clock)
    assert played.result is has_started


def test_the_cube_shows_nothing_of_a_start_beside_another_job() -> None:
    clock = FakeClock()
    job = a_job(last_update=EARLIER, concurrent_refresh=True)
    played = play(job.has_started(clock), *[published(0)] * 9, clock=clock)
    assert played.result is None


def test_a_session_that_is_over_shows_nothing_of_a_start() -> None:
    assert type(play(a_job().has_started(FakeClock()), SESSION_OVER).error) is errors.SessionExpired


# is_busy


@pytest.mark.parametrize(
    ("reply", "busy"),
    [
        (MODEL_BUSY, True),
        (published(6), False),
        (INSTANCE_LOST, False),
        (GATEWAY_GONE, False),
    ],
)
def test_a_model_is_busy_if_publish_status_names_another_job(reply: Response, busy: bool) -> None:
    played = play(a_job().is_busy(), reply)
    assert played.result is busy
    assert [request.retry_for for request in played.requests] == [BUSY_RETRY_SECONDS]


# close


def test_closing_deletes_the_instance_and_then_the_session() -> None:
    played = play(a_job().close(), empty(), empty())
    assert played.calls == [DELETE, LOGOUT]
    assert played.result is None
    assert [request.retry_for for request in played.requests] == [CLEANUP_RETRY_SECONDS] * 2
    assert "X-MSTR-ProjectID" not in played.requests[1].headers


def test_closing_a_session_without_an_instance_logs_out() -> None:
    played = play(job_of(an_instance(instance_id="")).close(), empty())
    assert played.calls == [LOGOUT]
    assert played.result is None


@pytest.mark.parametrize("instance", [empty(), INSTANCE_LOST, refusal(404, "ERR004")])
@pytest.mark.parametrize("session", [empty(), SESSION_OVER, empty(401)])
def test_what_is_already_gone_counts_as_closed(instance: Response, session: Response) -> None:
    played = play(a_job().close(), instance, session)
    assert played.calls == [DELETE, LOGOUT]
    assert played.result is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSION_OVER, errors.SessionExpired),
        (GATEWAY_GONE, errors.ServerUnavailable),
        (refusal(500, iserver_code=-1), errors.RequestFailed),
        (HTML, errors.InvalidResponse),
    ],
)
def test_an_instance_that_cannot_be_deleted_is_closed_with_its_session(
    reply: Response, kind: type[errors.MstrError]
) -> None:
    played = play(a_job().close(), reply, empty())
    assert played.calls == [DELETE, LOGOUT]
    assert type(played.result) is kind


@pytest.mark.parametrize("replies", [[GATEWAY_GONE], [refusal(500, iserver_code=-1)] * 2, [HTML]])
def test_a_session_that_may_still_be_open_is_an_error(replies: list[Response]) -> None:
    assert isinstance(play(a_job().close(), empty(), *replies).error, errors.MstrError)


def test_a_logout_at_which_the_server_fails_is_sent_once_more() -> None:
    played = play(a_job().close(), empty(), refusal(500, iserver_code=-1), empty())
    assert played.calls == [DELETE, LOGOUT, LOGOUT]
    assert played.error is None
    assert played.pauses == [LOGOUT_PAUSE]
    assert [request.retry_for for request in played.requests] == [CLEANUP_RETRY_SECONDS] * 3
    assert {request.headers["X-MSTR-AuthToken"] for request in played.requests} == {TOKEN}


def test_a_kill_during_the_deletion_of_the_instance_still_closes_the_session() -> None:
    """The session is closed on every path, also after a kill."""
    killed = KilledError()
    played = play(a_job().close(), killed, empty())
    assert played.calls == [DELETE, LOGOUT]
    assert played.error is killed


def test_an_unknown_start_names_the_cause_and_the_load() -> None:
    job = a_job()
    lost = errors.ServerUnavailable("no answer")
    text = f"no answer, so it is unknown whether the load of {job.name} has started"
    assert job.start_unknown(lost).what == text
