# SPDX-License-Identifier: Apache-2.0
"""Each call as the vendor's page has it, and how its answer is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scripted import (
    CITY,
    GATEWAY_GONE,
    INSTANCE,
    INSTANCE_LOST,
    MODEL,
    MODEL_BUSY,
    PROJECT,
    PUBLISHED,
    SESSION_OVER,
    SESSIONS_FULL,
    TOKEN,
    YTD_DAY,
    KilledError,
    a_session,
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

from airflow_provider_mstr.rest import errors, procedures
from airflow_provider_mstr.rest.procedures import DataModel, DataModelInstance, Project
from airflow_provider_mstr.rest.protocol import Procedure, Response
from airflow_provider_mstr.rest.publication import PublishStatus, TableStatus
from airflow_provider_mstr.rest.session import Credentials, LoginMode, Session
from airflow_provider_mstr.rest.tables import Table

AUTH = {"X-MSTR-AuthToken": TOKEN}
IN_PROJECT = AUTH | {"X-MSTR-ProjectID": PROJECT}
WITH_INSTANCE = IN_PROJECT | {"X-MSTR-DataModelInstanceId": INSTANCE}
ROWS = (table_row(YTD_DAY, "ytd_day"), table_row(CITY, "city_mnth_sls"))
PASSWORD = "correct horse battery"

Call = Callable[[Session], Procedure[Any]]

# Every call but the login: how it is made, what it sends, a good answer, and what it makes of it.
CALLS: dict[str, tuple[Call, dict[str, Any], Response, Any]] = {
    "logout": (
        procedures.logout,
        {"method": "POST", "path": "/api/auth/logout", "headers": AUTH},
        empty(),
        None,
    ),
    "session_status": (
        procedures.session_status,
        {"method": "GET", "path": "/api/sessions", "headers": AUTH},
        answer({"timeout": 1800}),
        {"timeout": 1800},
    ),
    "list_projects": (
        procedures.list_projects,
        {"method": "GET", "path": "/api/projects", "headers": AUTH},
        answer([{"id": PROJECT, "name": "Tutorial", "status": 0}]),
        (Project(PROJECT, "Tutorial"),),
    ),
    "enter_project": (
        lambda session: procedures.enter_project(session, PROJECT),
        {
            "method": "GET",
            "path": f"/api/objects/{PROJECT}",
            "query": {"type": "32"},
            "headers": IN_PROJECT,
        },
        answer({"id": PROJECT}),
        None,
    ),
    "data_model": (
        lambda session: procedures.data_model(session, PROJECT, MODEL),
        {"method": "GET", "path": f"/api/model/dataModels/{MODEL}", "headers": IN_PROJECT},
        answer({"information": {"objectId": MODEL, "name": "Retail"}, "dataServeMode": "in_memory"}),
        DataModel(MODEL, "Retail", "in_memory"),
    ),
    "create_instance": (
        lambda session: procedures.create_instance(session, PROJECT, MODEL),
        {"method": "POST", "path": f"/api/dataModels/{MODEL}/instances", "headers": IN_PROJECT},
        created(),
        an_instance(),
    ),
    "list_tables": (
        lambda session: procedures.list_tables(an_instance(session)),
        {
            "method": "GET",
            "path": f"/api/model/dataModels/{MODEL}/tables",
            "query": {"offset": "0", "limit": "-1"},
            "headers": IN_PROJECT,
        },
        table_list(*ROWS),
        (Table(YTD_DAY, "ytd_day"), Table(CITY, "city_mnth_sls")),
    ),
    "publish": (
        lambda session: procedures.publish(an_instance(session), PUBLISHED),
        {
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
        lambda session: procedures.publish_status(an_instance(session)),
        {"method": "GET", "path": f"/api/dataModels/{MODEL}/publishStatus", "headers": WITH_INSTANCE},
        published(1, (YTD_DAY, "completed")),
        PublishStatus(1, (TableStatus(YTD_DAY, "completed"),)),
    ),
    "delete_instance": (
        lambda session: procedures.delete_instance(an_instance(session)),
        {
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


def test_login_is_the_call_of_the_vendors_page() -> None:
    played = play(procedures.login(Credentials(login="administrator", password=PASSWORD)), logged_in())
    request = played.requests[0]
    assert (request.method, request.path, request.query, request.headers) == (
        "POST",
        "/api/auth/login",
        {},
        {},
    )
    assert request.body == {"loginMode": 1, "username": "administrator", "password": PASSWORD}
    assert (request.has_session, request.repeatable) == (False, True)
    assert request.secrets == {PASSWORD}
    assert played.result == Session(TOKEN)


def test_login_keeps_every_cookie_and_drops_those_taken_back() -> None:
    headers = (
        ("x-mstr-authtoken", TOKEN),
        ("Set-Cookie", "JSESSIONID=one; Path=/MicroStrategyLibrary; HttpOnly"),
        ("Set-Cookie", "library-ingress=two; Max-Age=60"),
        ("Set-Cookie", "mstrRememberMe=x; Max-Age=0"),
    )
    played = play(procedures.login(Credentials(login="u", password="p")), Response(204, headers))
    assert played.result.token == TOKEN
    assert values(played.result) == {"JSESSIONID": "one", "library-ingress": "two"}


@pytest.mark.parametrize(
    ("credentials", "who"),
    [
        (Credentials(LoginMode.LDAP, "jane", "pass"), "jane"),
        (Credentials(LoginMode.GUEST), "guest"),
        (Credentials(LoginMode.API_TOKEN, "", "token"), "api_token"),
    ],
)
def test_a_refused_login_says_who_and_never_with_what(credentials: Credentials, who: str) -> None:
    said = f"Login failed for {credentials.password or '-'}."
    played = play(procedures.login(credentials), refusal(401, "ERR003", message=said))
    assert type(played.error) is errors.AuthenticationRefused
    assert played.error.what == f"could not log in as {who}"
    assert "for pass." not in str(played.error)
    assert "for token." not in str(played.error)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Response(401, (), b"<html>"), errors.AuthenticationRefused),
        (empty(), errors.NotUnderstood),
        (Response(200, (("Content-Type", "text/html"),), b"<html>log in</html>"), errors.NotUnderstood),
        (empty(302, Location="https://idp.example.com/saml"), errors.NotUnderstood),
        (Response(404, (), b"<html>"), errors.NotUnderstood),
        (refusal(500, "ERR001", -2147209056), errors.SessionLimit),
        (refusal(500, "ERR001", -2147216963), errors.AuthenticationRefused),
        (GATEWAY_GONE, errors.ServerUnavailable),
    ],
)
def test_a_login_that_fails_says_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(play(procedures.login(Credentials(login="u", password="p")), reply).error) is kind


@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_made_as_the_api_has_it(name: str) -> None:
    call, sent, good, value = CALLS[name]
    played = play(call(session_of_a_test()), good)
    assert played.result == value
    (request,) = played.requests
    expected = {"query": {}, "body": None, "repeatable": True, "patience": None} | sent
    assert {key: getattr(request, key) for key in expected} == expected
    assert request.has_session
    assert request.secrets == {TOKEN, "jsession-cookie"}
    assert request.cookies == session_of_a_test().cookies


@pytest.mark.parametrize("name", CALLS)
def test_each_call_keeps_the_cookies_that_its_answer_renews(name: str) -> None:
    call, _, good, _ = CALLS[name]
    session = a_session(JSESSIONID="old", ingress="old", kept="kept")
    path = "Path=/MicroStrategyLibrary"
    cookies = (("Set-Cookie", f"JSESSIONID=new; {path}"), ("set-cookie", f"ingress=; {path}; Max-Age=0"))
    play(call(session), Response(good.status, good.headers + cookies, good.body))
    assert values(session) == {"JSESSIONID": "new", "kept": "kept"}


def test_every_page_of_a_list_is_asked_for_with_the_sessions_cookies() -> None:
    session = a_session(ingress="one")
    first = answer({"total": 2, "tables": [ROWS[0]]}, Set_Cookie="ingress=two; Path=/MicroStrategyLibrary")
    played = play(
        procedures.list_tables(an_instance(session)), first, answer({"total": 2, "tables": [ROWS[1]]})
    )
    assert [request.cookies is session.cookies for request in played.requests] == [True, True]
    assert values(session) == {"ingress": "two"}


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"logout"}))
def test_each_call_in_a_session_that_is_over_says_so(name: str) -> None:
    played = play(CALLS[name][0](session_of_a_test()), SESSION_OVER)
    assert type(played.error) is errors.SessionLost


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
def test_each_call_answered_by_a_login_page_is_not_understood(name: str) -> None:
    page = Response(200, (("Content-Type", "text/html"),), b"<html>log in</html>")
    assert type(play(CALLS[name][0](session_of_a_test()), page).error) is errors.NotUnderstood


@pytest.mark.parametrize("patience", [None, 20.0])
@pytest.mark.parametrize(
    ("call", "good"),
    [
        (procedures.delete_instance, empty()),
        (procedures.publish_status, published(1)),
        (lambda instance, patience: procedures.logout(instance.session, patience), empty()),
    ],
)
def test_the_patience_with_a_server_that_is_away_is_passed_on(
    call: Callable[[DataModelInstance, float | None], Procedure[Any]], good: Response, patience: float | None
) -> None:
    assert play(call(an_instance(), patience), good).requests[0].patience == patience


@pytest.mark.parametrize("text", ["a/b", "a b?c#d", "../../x", "ä"])
def test_ids_cannot_break_out_of_the_path(text: str) -> None:
    instance = DataModelInstance(a_session(), PROJECT, text, text)
    calls = [
        play(procedures.data_model(a_session(), PROJECT, text), SESSION_OVER),
        play(procedures.create_instance(a_session(), PROJECT, text), SESSION_OVER),
        play(procedures.list_tables(instance), SESSION_OVER),
        play(procedures.publish(instance, PUBLISHED), SESSION_OVER),
        play(procedures.delete_instance(instance), SESSION_OVER),
        play(procedures.enter_project(a_session(), text), SESSION_OVER),
    ]
    paths = [call.requests[0].path for call in calls]
    assert [path.count("/") for path in paths] == [4, 4, 5, 4, 5, 3]
    assert all(path.isascii() and not set(path) & set(" ?#") for path in paths)


# logout


def test_logout_names_no_project() -> None:
    played = play(procedures.logout(a_session()), empty())
    assert played.requests[0].headers == {"X-MSTR-AuthToken": TOKEN}


@pytest.mark.parametrize(
    "reply", [empty(), answer({}), SESSION_OVER, empty(401), Response(401, (), b"<html>")]
)
def test_a_session_that_is_over_is_as_good_as_logged_out(reply: Response) -> None:
    assert play(procedures.logout(a_session()), reply).result is None


def test_a_logout_that_is_refused_is_no_logout() -> None:
    assert (
        type(play(procedures.logout(a_session()), refusal(500, "ERR001", -1)).error) is errors.RequestFailed
    )


# projects


PROJECTS = answer(
    [
        {"id": "1" * 32, "name": "Sales"},
        {"id": "2" * 32, "name": "SALES"},
        {"id": "3" * 32, "name": "Tutorial"},
        {"id": "4" * 32, "name": "Twin"},
        {"id": "5" * 32, "name": "Twin"},
        {"name": "no id"},
        "odd",
    ]
)


@pytest.mark.parametrize(
    ("name", "project"),
    [("Tutorial", "3" * 32), ("tutorial", "3" * 32), ("Sales", "1" * 32), ("SALES", "2" * 32)],
)
def test_a_projects_name_becomes_its_id(name: str, project: str) -> None:
    assert play(procedures.project_id(a_session(), name), PROJECTS).result == project


@pytest.mark.parametrize("project", [PROJECT, PROJECT.lower()])
def test_a_projects_id_is_taken_without_asking(project: str) -> None:
    assert play(procedures.project_id(a_session(), project)).result == project


@pytest.mark.parametrize(("name", "count"), [("Nowhere", "no"), ("sales", "2"), ("Twin", "2")])
def test_a_name_of_no_project_or_several_is_refused_with_those_there_are(name: str, count: str) -> None:
    error = play(procedures.project_id(a_session(), name), PROJECTS).error
    assert type(error) is errors.NotFound
    assert error.what.startswith(f"{count} projects are called '{name}'")
    assert "Tutorial" in error.what


def test_where_no_project_is_to_be_seen_that_is_said() -> None:
    error = play(procedures.project_id(a_session(), "x"), answer([])).error
    assert "the user may see none" in str(error)


@pytest.mark.parametrize("said", [{}, {"projects": []}, None, 7, ["odd", {"else": True}]])
def test_projects_of_another_form_are_not_understood(said: Any) -> None:
    assert type(play(procedures.list_projects(a_session()), answer(said)).error) is errors.NotUnderstood


NO_SUCH_PAGE = Response(404, (("Content-Type", "text/html"),), b"<html>")


@pytest.mark.parametrize(
    "reply", [answer({"id": "x"}), refusal(404, "ERR004"), refusal(404, "ERR004", -2147216373), NO_SUCH_PAGE]
)
def test_any_answer_about_the_object_means_that_the_project_was_entered(reply: Response) -> None:
    assert play(procedures.enter_project(a_session(), PROJECT), reply).result is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSIONS_FULL, errors.SessionLimit),
        (refusal(404, "ERR001", -2147209151), errors.NotFound),
        (refusal(500, "ERR001", -2147209177), errors.NotFound),
        (refusal(403, "ERR017", -2147214578), errors.NoPrivilege),
    ],
)
def test_a_project_that_cannot_be_entered_says_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(play(procedures.enter_project(a_session(), PROJECT), reply).error) is kind


@pytest.mark.parametrize(
    "reply",
    [
        empty(302, Location="https://idp.example.com/"),
        Response(200, (("Content-Type", "text/html"),), b"<html>"),
        answer([]),
    ],
)
def test_a_redirect_or_a_page_of_a_proxy_is_no_answer_from_within_the_project(reply: Response) -> None:
    assert type(play(procedures.enter_project(a_session(), PROJECT), reply).error) is errors.NotUnderstood


# the data model


@pytest.mark.parametrize(
    "said", [{}, {"information": None}, {"information": []}, {"information": {"name": "x"}}, []]
)
def test_a_data_model_of_another_form_is_not_understood(said: Any) -> None:
    played = play(procedures.data_model(a_session(), PROJECT, MODEL), answer(said))
    assert type(played.error) is errors.NotUnderstood


def test_a_data_model_may_lack_name_and_serve_mode() -> None:
    played = play(
        procedures.data_model(a_session(), PROJECT, MODEL), answer({"information": {"objectId": "A"}})
    )
    assert played.result == DataModel("A", "", "")


def test_an_object_that_is_no_mosaic_model_cannot_be_published() -> None:
    reply = answer({"errors": [{"code": "8004e457", "message": "not emma"}]}, 400)
    played = play(procedures.data_model(a_session(), PROJECT, MODEL), reply)
    assert type(played.error) is errors.NotPublishable


def test_an_instance_knows_its_session_project_and_model() -> None:
    session = a_session()
    instance = play(procedures.create_instance(session, PROJECT, MODEL), created("NEW")).result
    assert instance == DataModelInstance(session, PROJECT, MODEL, "NEW")
    assert instance.session is session


@pytest.mark.parametrize(
    "reply", [empty(), empty(X_MSTR_DataModelInstanceId=" "), answer({"instanceId": "X"}, 200)]
)
def test_an_instance_without_its_header_is_not_understood(reply: Response) -> None:
    played = play(procedures.create_instance(a_session(), PROJECT, MODEL), reply)
    assert type(played.error) is errors.NotUnderstood


# publish and its status


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(400, "ERR006", message="no publish workflow"), errors.NotPublishable),
        (refusal(400, "ERR006", message="tableRefreshSettings cannot be null"), errors.InvalidRequest),
        (MODEL_BUSY, errors.ModelBusy),
        (INSTANCE_LOST, errors.InstanceLost),
        (refusal(403, "ERR014", -2147213784), errors.NoPrivilege),
        (refusal(500, "ERR002", -2147212544), errors.RequestFailed),
        (answer({"code": "ERR001"}), errors.NotUnderstood),
    ],
)
def test_a_publish_that_is_refused_says_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(play(procedures.publish(an_instance(), PUBLISHED), reply).error) is kind


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(500, "ERR002", -2147212544), errors.PublishFailed),
        (refusal(500, "ERR001", -2147205488), errors.PublishFailed),
        (refusal(500, "ERR001", -1), errors.PublishFailed),
        (refusal(500, "ERR001"), errors.ServerUnavailable),
        (empty(500), errors.ServerUnavailable),
        (Response(500, (), b"<html>"), errors.ServerUnavailable),
        (refusal(503, "ERR001", -1), errors.ServerUnavailable),
        (refusal(500, "ERR001", -2147468903), errors.ServerUnavailable),
        (MODEL_BUSY, errors.ModelBusy),
        (INSTANCE_LOST, errors.InstanceLost),
        (refusal(404, "ERR004"), errors.InstanceLost),
        (refusal(404, "ERR001", -2147209151), errors.NotFound),
        (answer({"tables": []}), errors.NotUnderstood),
    ],
)
def test_a_status_that_is_refused_tells_failure_from_not_being_able_to_ask(
    reply: Response, kind: type[errors.MstrError]
) -> None:
    assert type(play(procedures.publish_status(an_instance()), reply).error) is kind


def test_a_status_that_is_the_number_of_a_busy_model_is_one() -> None:
    played = play(procedures.publish_status(an_instance()), answer({"status": -2147072194}))
    assert type(played.error) is errors.ModelBusy


def test_a_publish_that_failed_names_the_model_and_keeps_what_the_server_said() -> None:
    error = play(
        procedures.publish_status(an_instance()), refusal(500, "ERR002", -2147212544, "stalled")
    ).error
    assert isinstance(error, errors.PublishFailed)
    assert error.what == f"the publish of data model {MODEL} failed"
    assert (error.reply.message, error.reply.iserver_code, error.reply.ticket) == (
        "stalled",
        -2147212544,
        "ticket-1",
    )


@pytest.mark.parametrize("reply", [empty(), answer({}), INSTANCE_LOST, refusal(404, "ERR004")])
def test_an_instance_that_is_gone_is_as_good_as_deleted(reply: Response) -> None:
    assert play(procedures.delete_instance(an_instance()), reply).result is None


def test_a_delete_that_is_refused_is_no_delete() -> None:
    played = play(procedures.delete_instance(an_instance()), refusal(500, "ERR001", -1))
    assert type(played.error) is errors.RequestFailed
