# SPDX-License-Identifier: Apache-2.0
"""Login modes, the token and its cookies, and the end of a session."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox
from airflow_provider_mstr.sandbox.world import TUTORIAL

ADMINISTRATOR = DEFAULT_WORLD.users[0]
STANDARD = {"loginMode": 1, "username": ADMINISTRATOR.name, "password": ADMINISTRATOR.password}
LDAP = STANDARD | {"loginMode": 16}
API_TOKEN = {"loginMode": 4096, "username": ADMINISTRATOR.api_token}
GUEST = {"loginMode": 8}
COOKIES = ("JSESSIONID", "iSession", "mstrRememberMe", "library-ingress")


def assert_rejected(response: Any, status: int, code: str) -> None:
    assert response.status_code == status
    assert response.json()["code"] == code
    assert response.json()["ticketId"]


@pytest.mark.parametrize(
    "fields", [STANDARD, LDAP, API_TOKEN, GUEST], ids=["standard", "ldap", "token", "guest"]
)
@pytest.mark.parametrize("encoding", ["json", "data"])
def test_every_login_mode_accepts_json_and_form_bodies(
    sandbox: Sandbox, connect: Callable[[Sandbox], Any], fields: dict[str, Any], encoding: str
) -> None:
    response = connect(sandbox).call("POST", "/auth/login", **{encoding: fields})
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["X-MSTR-AuthToken"] in sandbox.secrets()
    assert sandbox.report().logins == 1


@pytest.mark.parametrize(
    "fields",
    [
        STANDARD | {"password": "wrong"},
        STANDARD | {"username": "nobody"},
        API_TOKEN | {"username": "wrong"},
        API_TOKEN | {"username": ""},
        STANDARD | {"loginMode": 1048576},
        {},
    ],
    ids=["password", "user", "token", "no token", "mode", "nothing"],
)
def test_wrong_credentials_are_rejected(
    sandbox: Sandbox, connect: Callable[[Sandbox], Any], fields: dict[str, Any]
) -> None:
    assert_rejected(connect(sandbox).call("POST", "/auth/login", json=fields), 401, "ERR003")
    report = sandbox.report()
    assert (report.logins, report.failed_logins) == (0, 1)


def test_a_guest_is_rejected_without_a_guest_user(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(replace(DEFAULT_WORLD, guest=None))
    assert_rejected(connect(sandbox).call("POST", "/auth/login", json=GUEST), 401, "ERR003")


def test_a_disabled_mode_is_rejected_and_not_listed(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    client = connect(serve(login_modes=(1,)))
    assert_rejected(client.call("POST", "/auth/login", json=API_TOKEN), 401, "ERR003")
    assert client.call("GET", "/config/authModes").json() == {"modes": [1]}


@pytest.mark.parametrize(
    "options",
    [{"data": "{"}, {"json": STANDARD | {"loginMode": "x"}}, {"json": STANDARD | {"workingSet": 2}}],
    ids=["no json", "no number", "working set too small"],
)
def test_an_invalid_login_body_is_invalid_input(
    sandbox: Sandbox, connect: Callable[[Sandbox], Any], options: dict[str, Any]
) -> None:
    assert_rejected(connect(sandbox).call("POST", "/auth/login", **options), 400, "ERR006")


def test_each_cookie_has_its_own_header(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection(sandbox.host, sandbox.port, timeout=60)
    connection.request(
        "POST",
        "/MicroStrategyLibrary/api/auth/login",
        '{"loginMode": 8}',
        {"Content-Type": "application/json"},
    )
    response = connection.getresponse()
    response.read()
    lines = response.headers.get_all("Set-Cookie")
    connection.close()
    assert [line.split("=")[0] for line in lines] == list(COOKIES)
    assert any("Expires=Thu, 31 Dec 2037" in line for line in lines)
    assert all("Path=/" in line and "Secure" not in line for line in lines)


def test_the_session_cookie_equals_the_token(client: Any) -> None:
    assert client.http.cookies["iSession"] == client.http.headers["X-MSTR-AuthToken"]


@pytest.mark.parametrize("case", ["title", "lower"])
def test_headers_have_the_case_of_the_settings(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any], case: str
) -> None:
    response = connect(serve(header_case=case)).call("POST", "/auth/login", json=STANDARD)
    expected = "X-MSTR-AuthToken" if case == "title" else "x-mstr-authtoken"
    assert expected in list(response.headers)


@pytest.mark.parametrize("missing", COOKIES)
def test_a_call_without_one_of_the_cookies_is_rejected(sandbox: Sandbox, client: Any, missing: str) -> None:
    del client.http.cookies[missing]
    response = client.call("GET", "/projects")
    assert_rejected(response, 401, "ERR009")
    assert "session has expired, please reauthenticate" in response.json()["message"]
    assert sandbox.report().rejected_calls_without_cookies == 1


def test_a_call_with_another_logins_cookies_is_rejected(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    other = connect(sandbox).log_in()
    client.http.cookies = other.http.cookies
    assert_rejected(client.call("GET", "/sessions"), 401, "ERR009")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/sessions"),
        ("PUT", "/sessions"),
        ("GET", "/sessions/userInfo"),
        ("GET", "/projects"),
        ("GET", "/projects/Tutorial"),
        ("GET", "/objects/9F4772B837604551B4D3CC916ADC5598?type=3"),
        ("GET", "/searches/results?name=Retail"),
        ("GET", "/monitors/iServer/nodes"),
        ("GET", "/monitors/userConnections?clusterNode=sandbox-iserver"),
        ("GET", "/cubes?id=9F4772B837604551B4D3CC916ADC5598"),
        ("GET", "/model/dataModels/9F4772B837604551B4D3CC916ADC5598"),
        ("GET", "/model/dataModels/9F4772B837604551B4D3CC916ADC5598/tables"),
        ("POST", "/dataModels/9F4772B837604551B4D3CC916ADC5598/instances"),
        ("POST", "/dataModels/9F4772B837604551B4D3CC916ADC5598/publish"),
        ("GET", "/dataModels/9F4772B837604551B4D3CC916ADC5598/publishStatus"),
        ("DELETE", "/dataModels/9F4772B837604551B4D3CC916ADC5598/instances/0"),
        ("POST", "/auth/logout"),
    ],
)
def test_a_call_without_a_token_is_rejected(sandbox: Sandbox, client: Any, method: str, path: str) -> None:
    del client.http.headers["X-MSTR-AuthToken"]
    assert_rejected(client.call(method, path), 401, "ERR009")


def test_status_needs_no_token(sandbox: Sandbox) -> None:
    body = requests.get(f"{sandbox.url}/api/status", timeout=60).json()
    assert body["iServerVersion"] == body["webVersion"] == "11.5.0800.0250"


def test_a_session_reports_its_limits_and_is_extended(client: Any) -> None:
    body = client.call("GET", "/sessions").json()
    assert (body["timeout"], body["workingSet"]) == (1800, 10)
    assert client.call("PUT", "/sessions").status_code == 204
    assert client.call("GET", "/sessions/userInfo").json()["fullName"] == ADMINISTRATOR.name


def test_logout_ends_only_its_own_session(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    other = connect(sandbox).log_in()
    assert client.log_out().status_code == 204
    assert_rejected(client.log_out(), 401, "ERR009")
    assert other.call("GET", "/sessions").status_code == 200
    report = sandbox.report()
    assert (report.logouts, report.open_sessions) == (1, 1)


def test_a_delete_of_the_login_is_not_a_logout(sandbox: Sandbox, client: Any) -> None:
    assert client.call("DELETE", "/auth/login").status_code == 404
    assert sandbox.report().open_sessions == 1


def test_an_idle_session_expires_and_a_used_one_does_not(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    used = connect(sandbox).log_in()
    sandbox.advance(1000)
    used.call("PUT", "/sessions")
    sandbox.advance(1000)
    assert_rejected(client.call("GET", "/sessions"), 401, "ERR009")
    assert used.call("GET", "/sessions").status_code == 200
    assert sandbox.report().expired_sessions == 1


def test_a_session_does_not_idle_out_while_its_publish_runs(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(publish_seconds=5000)
    client = connect(sandbox).log_in()
    instance = client.create_instance()
    client.publish(instance)
    sandbox.advance(4000)
    assert client.publish_status(instance).json()["status"] == 6


def test_a_user_has_a_limited_number_of_sessions_per_project(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(session_cap=2)
    first, second, third = (connect(sandbox).log_in() for _ in range(3))
    first.create_instance()
    second.create_instance()
    response = third.call("GET", f"/objects/{TUTORIAL.id}?type=3")
    assert_rejected(response, 500, "ERR001")
    assert response.json()["iServerCode"] == -2147072486
    modeling = third.list_tables()
    assert (modeling.status_code, modeling.json()["errors"][0]["code"]) == (500, "8004cb0a")
    assert third.call("GET", "/projects").status_code == 200
    first.log_out()
    assert third.list_tables().status_code == 200
    report = sandbox.report()
    assert report.max_sessions_seen == {"administrator/Tutorial": 2}
    assert report.refused_by_session_cap == 2


def test_sessions_count_by_user_and_by_project(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(session_cap=1)
    connect(sandbox).log_in().create_instance()
    analyst = connect(sandbox).log_in(DEFAULT_WORLD.users[1])
    assert analyst.list_tables().status_code == 200
    elsewhere = connect(sandbox).log_in()
    elsewhere.http.headers["X-MSTR-ProjectID"] = DEFAULT_WORLD.projects[1].id
    assert elsewhere.call("GET", "/searches/results?name=Pipeline").status_code == 200
    assert sandbox.report().max_sessions_seen == {
        "administrator/Tutorial": 1,
        "analyst/Tutorial": 1,
        "administrator/Sales": 1,
    }


def test_an_expired_session_does_not_count(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(session_cap=1)
    connect(sandbox).log_in().create_instance()
    sandbox.advance(1801)
    assert connect(sandbox).log_in().list_tables().status_code == 200
