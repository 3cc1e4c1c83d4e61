# SPDX-License-Identifier: Apache-2.0
"""Each request as the vendor's page shows it, and how its response is parsed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scripted import (
    CITY,
    GATEWAY_GONE,
    INSTANCE,
    MODEL,
    MODEL_NAME,
    PROJECT,
    PUBLISHED,
    SESSION_OVER,
    TOKEN,
    YTD_DAY,
    KilledError,
    a_session,
    an_instance,
    answer,
    created,
    empty,
    play,
    published,
    table_list,
    table_row,
)

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.auth import get_session_status, logout
from airflow_provider_mstr.rest.endpoints.cubes import Cube, get_cube
from airflow_provider_mstr.rest.endpoints.data_models import (
    DataModelInstance,
    Table,
    create_instance,
    delete_instance,
    get_publish_status,
    list_table_sources,
    list_tables,
    start_publish,
)
from airflow_provider_mstr.rest.endpoints.jobs import (
    JobStatus,
    cancel_job,
    get_job,
    publish_cube,
    run_incremental_refresh,
)
from airflow_provider_mstr.rest.endpoints.monitors import get_full_name
from airflow_provider_mstr.rest.endpoints.projects import (
    Project,
    enter_project,
    list_projects,
)
from airflow_provider_mstr.rest.endpoints.reports import (
    IncrementalRefreshReport,
    get_incremental_refresh_report,
)
from airflow_provider_mstr.rest.endpoints.search import get_object_name
from airflow_provider_mstr.rest.endpoints.sources import SourcePage
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.publish_status import PublishStatus, TableStatus
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.text import id_advice

AUTH = {"X-MSTR-AuthToken": TOKEN}
JOB_ID = "490:bm9kZQ=="
JOB_PATH = "/api/v2/monitors/jobs/490:bm9kZQ=="
IN_PROJECT = AUTH | {"X-MSTR-ProjectID": PROJECT}
WITH_INSTANCE = IN_PROJECT | {"X-MSTR-DataModelInstanceId": INSTANCE}
ROWS = (table_row(YTD_DAY, "ytd_day"), table_row(CITY, "city_mnth_sls"))
PASSWORD = "correct horse battery"

Call = Callable[[Session], Flow[Any]]

# Every call but the login: how it is made, what it sends, a good answer, and what it makes of it.
CALLS: dict[str, tuple[Call, dict[str, Any], Response, Any]] = {
    "logout": (
        logout,
        {"purpose": "log out", "method": "POST", "path": "/api/auth/logout", "headers": AUTH},
        empty(),
        None,
    ),
    "session_status": (
        get_session_status,
        {"purpose": "read the session's limits", "method": "GET", "path": "/api/sessions", "headers": AUTH},
        answer({"timeout": 1800}),
        {"timeout": 1800},
    ),
    "list_projects": (
        list_projects,
        {"purpose": "list the projects", "method": "GET", "path": "/api/projects", "headers": AUTH},
        answer([{"id": PROJECT, "name": "Tutorial", "status": 0}]),
        (Project(PROJECT, "Tutorial"),),
    ),
    "enter_project": (
        lambda session: enter_project(session, PROJECT),
        {
            "purpose": "enter the project",
            "method": "GET",
            "path": f"/api/objects/{PROJECT}",
            "query": {"type": "32"},
            "headers": IN_PROJECT,
        },
        answer({"id": PROJECT}),
        None,
    ),
    "full_name": (
        get_full_name,
        {
            "purpose": "read the user's name",
            "method": "GET",
            "path": "/api/sessions/userInfo",
            "headers": AUTH,
        },
        answer({"fullName": "Ann Lee"}),
        "Ann Lee",
    ),
    "cube": (
        lambda session: get_cube(session, PROJECT, MODEL),
        {
            "purpose": f"read the last update of cube {MODEL}",
            "method": "GET",
            "path": "/api/cubes",
            "query": {"id": MODEL},
            "headers": IN_PROJECT,
            "retry_for": 10.0,
        },
        answer({"cubesInfos": [{"status": 0, "cubeName": "Sales\n"}]}),
        Cube(None, processing=False, holds_rows=False, settled=True, name="Sales"),
    ),
    "object_name": (
        lambda session: get_object_name(session, PROJECT, MODEL),
        {
            "purpose": f"read the name of object {MODEL}",
            "method": "GET",
            "path": f"/api/objects/{MODEL}",
            "query": {"type": "3"},
            "headers": IN_PROJECT,
            "retry_for": 5.0,
        },
        answer({"name": "Sales\n"}),
        "Sales",
    ),
    "publish_cube": (
        lambda session: publish_cube(session, PROJECT, MODEL, "cube Sales"),
        {
            "purpose": "publish cube Sales",
            "object_advice": id_advice("cube_id", "cube"),
            "method": "POST",
            "path": f"/api/v2/cubes/{MODEL}",
            "headers": IN_PROJECT,
            "repeatable": False,
        },
        answer({"id": JOB_ID, "jobId": 490, "instanceId": INSTANCE}, 202),
        JOB_ID,
    ),
    "run_incremental_refresh": (
        lambda session: run_incremental_refresh(session, PROJECT, MODEL, "report Daily"),
        {
            "purpose": "run report Daily",
            "object_advice": id_advice("report_id", "incremental refresh report"),
            "method": "POST",
            "path": f"/api/incrementalRefresh/{MODEL}",
            "query": {"executionStage": "execute_data"},
            "headers": IN_PROJECT,
            "repeatable": False,
        },
        answer({"id": JOB_ID}, 202),
        JOB_ID,
    ),
    "get_incremental_refresh_report": (
        lambda session: get_incremental_refresh_report(session, PROJECT, MODEL),
        {
            "purpose": "read the incremental refresh report",
            "about": f"report {MODEL}",
            "object_advice": id_advice("report_id", "incremental refresh report"),
            "method": "GET",
            "path": f"/api/model/incrementalRefresh/{MODEL}",
            "headers": IN_PROJECT,
        },
        answer({"information": {"name": "Daily"}, "targetCube": {"objectId": "C1"}}),
        IncrementalRefreshReport("Daily", "C1"),
    ),
    "get_job": (
        lambda session: get_job(session, PROJECT, JOB_ID, 7.0),
        {
            "purpose": "read the status of the job",
            "about": f"job {JOB_ID}",
            "method": "GET",
            "path": JOB_PATH,
            "headers": IN_PROJECT,
            "retry_for": 7.0,
        },
        answer({"status": " Error ", "errorMessage": "no\nspace"}),
        JobStatus("error", "no space"),
    ),
    "cancel_job": (
        lambda session: cancel_job(session, PROJECT, JOB_ID, 7.0),
        {
            "purpose": "cancel the job",
            "about": f"job {JOB_ID}",
            "method": "DELETE",
            "path": JOB_PATH,
            "headers": IN_PROJECT,
            "retry_for": 7.0,
        },
        empty(),
        None,
    ),
    "table_sources": (
        lambda session: list_table_sources(an_instance(session), 20, 10, 5.0),
        {
            "purpose": f"read the sources of data model {MODEL_NAME}",
            "method": "GET",
            "path": f"/api/model/dataModels/{MODEL}/tables",
            "query": {"offset": "20", "limit": "10", "fields": "information,physicalTable"},
            "headers": IN_PROJECT,
            "repeatable": False,
            "retry_for": 5.0,
        },
        answer({"tables": []}),
        SourcePage(0, {}),
    ),
    "create_instance": (
        lambda session: create_instance(session, PROJECT, MODEL),
        {
            "purpose": "create an instance of the data model",
            "about": f"data model {MODEL}",
            "object_advice": id_advice("data_model_id", "data model"),
            "method": "POST",
            "path": f"/api/dataModels/{MODEL}/instances",
            "headers": IN_PROJECT,
        },
        created(),
        replace(an_instance(), data_model_name=""),
    ),
    "list_tables": (
        lambda session: list_tables(an_instance(session)),
        {
            "purpose": f"list the tables of data model {MODEL_NAME}",
            "method": "GET",
            "path": f"/api/model/dataModels/{MODEL}/tables",
            "query": {"offset": "0", "limit": "-1"},
            "headers": IN_PROJECT,
        },
        table_list(*ROWS),
        (Table(YTD_DAY, "ytd_day"), Table(CITY, "city_mnth_sls")),
    ),
    "publish": (
        lambda session: start_publish(an_instance(session), PUBLISHED),
        {
            "purpose": f"publish data model {MODEL_NAME}",
            "method": "POST",
            "path": f"/api/dataModels/{MODEL}/publish",
            "headers": WITH_INSTANCE,
            "body": {
                "tables": [
                    {"id": YTD_DAY, "refreshPolicy": "replace"},
                    {"id": CITY, "refreshPolicy": "upsert"},
                ]
            },
            "repeatable": False,
        },
        empty(),
        None,
    ),
    "publish_status": (
        lambda session: get_publish_status(an_instance(session)),
        {
            "purpose": f"read the publish status of data model {MODEL_NAME}",
            "method": "GET",
            "path": f"/api/dataModels/{MODEL}/publishStatus",
            "headers": WITH_INSTANCE,
        },
        published(1, (YTD_DAY, "completed")),
        PublishStatus(1, (TableStatus(YTD_DAY, "completed"),)),
    ),
    "delete_instance": (
        lambda session: delete_instance(an_instance(session)),
        {
            "purpose": f"delete the instance of data model {MODEL_NAME}",
            "method": "DELETE",
            "path": f"/api/dataModels/{MODEL}/instances/{INSTANCE}",
            "headers": WITH_INSTANCE,
        },
        empty(),
        None,
    ),
}


def values(session: Session) -> dict[str, str]:
    """Return the session's cookies by name."""
    return {cookie.name: cookie.value for cookie in session.cookies}


def session_of_a_test() -> Session:
    return a_session(JSESSIONID="jsession-cookie")


@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_made_as_the_api_has_it(name: str) -> None:
    call, sent, good, value = CALLS[name]
    played = play(call(session_of_a_test()), good)
    assert played.result == value
    (request,) = played.requests
    expected = {"query": {}, "body": None, "repeatable": True, "retry_for": None} | sent
    expected["timeout"] = expected["retry_for"]
    assert {key: getattr(request, key) for key in expected} == expected
    assert request.has_session
    assert request.secrets == {TOKEN, "jsession-cookie"}
    assert request.cookies == session_of_a_test().cookies


@pytest.mark.parametrize("name", CALLS)
def test_each_call_keeps_the_cookies_that_its_answer_renews(name: str) -> None:
    call, _, good, _ = CALLS[name]
    session = a_session(JSESSIONID="old", ingress="old", other="same")
    path = "Path=/MicroStrategyLibrary"
    cookies = (("Set-Cookie", f"JSESSIONID=new; {path}"), ("set-cookie", f"ingress=; {path}; Max-Age=0"))
    play(call(session), Response(good.status, good.headers + cookies, good.body))
    assert values(session) == {"JSESSIONID": "new", "other": "same"}


def test_every_page_of_a_list_is_asked_for_with_the_sessions_cookies() -> None:
    session = a_session(ingress="one")
    first = answer({"total": 2, "tables": [ROWS[0]]}, Set_Cookie="ingress=two; Path=/MicroStrategyLibrary")
    played = play(list_tables(an_instance(session)), first, answer({"total": 2, "tables": [ROWS[1]]}))
    assert [request.cookies is session.cookies for request in played.requests] == [True, True]
    assert values(session) == {"ingress": "two"}


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"logout"}))
def test_each_call_in_a_session_that_is_over_says_so(name: str) -> None:
    played = play(CALLS[name][0](session_of_a_test()), SESSION_OVER)
    assert type(played.error) is errors.SessionExpired


@pytest.mark.parametrize("name", CALLS)
def test_each_call_says_when_the_server_is_away(name: str) -> None:
    played = play(CALLS[name][0](session_of_a_test()), GATEWAY_GONE)
    assert type(played.error) is errors.ServerUnavailable
    assert played.error.what.startswith("could not ")


@pytest.mark.parametrize("name", CALLS)
def test_each_call_lets_a_kill_through(name: str) -> None:
    killed = KilledError()
    assert play(CALLS[name][0](session_of_a_test()), killed).error is killed


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"enter_project"}))
def test_each_call_answered_by_a_login_page_is_invalid(name: str) -> None:
    page = Response(200, (("Content-Type", "text/html"),), b"<html>log in</html>")
    assert type(play(CALLS[name][0](session_of_a_test()), page).error) is errors.InvalidResponse


@pytest.mark.parametrize("retry_for", [None, 20.0])
@pytest.mark.parametrize(
    ("call", "good"),
    [
        (delete_instance, empty()),
        (get_publish_status, published(1)),
        (lambda instance, retry_for: logout(instance.session, retry_for), empty()),
    ],
)
def test_the_seconds_for_which_a_call_is_retried_are_passed_on(
    call: Callable[[DataModelInstance, float | None], Flow[Any]], good: Response, retry_for: float | None
) -> None:
    assert play(call(an_instance(), retry_for), good).requests[0].retry_for == retry_for


@pytest.mark.parametrize("text", ["a/b", "a b?c#d", "../../x", "ä"])
def test_ids_cannot_break_out_of_the_path(text: str) -> None:
    instance = DataModelInstance(a_session(), PROJECT, text, text)
    calls = [
        play(create_instance(a_session(), PROJECT, text), SESSION_OVER),
        play(list_tables(instance), SESSION_OVER),
        play(start_publish(instance, PUBLISHED), SESSION_OVER),
        play(delete_instance(instance), SESSION_OVER),
        play(enter_project(a_session(), text), SESSION_OVER),
    ]
    paths = [call.requests[0].path for call in calls]
    assert [path.count("/") for path in paths] == [4, 5, 4, 5, 3]
    assert all(path.isascii() and not set(path) & set(" ?#") for path in paths)
