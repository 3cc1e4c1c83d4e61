# SPDX-License-Identifier: Apache-2.0
"""Login and logout."""

from __future__ import annotations

import pytest
from scripted import GATEWAY_GONE, SESSION_OVER, TOKEN, a_session, answer, empty, logged_in, play, refusal

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.auth import (
    CLEANUP_RETRY_SECONDS,
    LOGOUT_PAUSE,
    close_session,
    login,
    logout,
)
from airflow_provider_mstr.rest.flow import Pause
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.session import Credentials, LoginMode, Session

PASSWORD = "correct horse battery"


def values(session: Session) -> dict[str, str]:
    """Return the session's cookies by name."""
    return {cookie.name: cookie.value for cookie in session.cookies}


def test_login_is_the_call_of_the_vendors_page() -> None:
    played = play(login(Credentials(login="administrator", password=PASSWORD)), logged_in())
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


def test_login_stores_every_cookie_except_the_expired_ones() -> None:
    headers = (
        ("x-mstr-authtoken", TOKEN),
        ("Set-Cookie", "JSESSIONID=one; Path=/MicroStrategyLibrary; HttpOnly"),
        ("Set-Cookie", "library-ingress=two; Max-Age=60"),
        ("Set-Cookie", "mstrRememberMe=x; Max-Age=0"),
    )
    played = play(login(Credentials(login="u", password="p")), Response(204, headers))
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
    message = f"Login failed for {credentials.password or '-'}."
    played = play(login(credentials), refusal(401, "ERR003", message=message))
    assert type(played.error) is errors.AuthenticationError
    assert played.error.what == f"could not log in as {who}: the server rejects the login"
    assert "for pass." not in str(played.error)
    assert "for token." not in str(played.error)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Response(401, (), b"<html>"), errors.AuthenticationError),
        (empty(), errors.InvalidResponse),
        (Response(200, (("Content-Type", "text/html"),), b"<html>log in</html>"), errors.InvalidResponse),
        (empty(302, Location="https://idp.example.com/saml"), errors.InvalidResponse),
        (Response(404, (), b"<html>"), errors.InvalidResponse),
        (refusal(500, "ERR001", -2147209056), errors.SessionLimit),
        (refusal(500, "ERR001", -2147216963), errors.AuthenticationError),
        (GATEWAY_GONE, errors.ServerUnavailable),
    ],
)
def test_a_login_that_fails_says_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(play(login(Credentials(login="u", password="p")), reply).error) is kind


def test_logout_names_no_project() -> None:
    played = play(logout(a_session()), empty())
    assert played.requests[0].headers == {"X-MSTR-AuthToken": TOKEN}


@pytest.mark.parametrize(
    "reply", [empty(), answer({}), SESSION_OVER, empty(401), Response(401, (), b"<html>")]
)
def test_a_session_that_is_over_is_as_good_as_logged_out(reply: Response) -> None:
    assert play(logout(a_session()), reply).result is None


def test_a_logout_that_is_refused_is_no_logout() -> None:
    assert type(play(logout(a_session()), refusal(500, "ERR001", -1)).error) is errors.RequestFailed


def test_a_session_is_closed_by_one_logout() -> None:
    played = play(close_session(a_session()), empty())
    assert (played.calls, played.pauses, played.result) == (["POST /api/auth/logout"], [], None)
    assert played.requests[0].retry_for == CLEANUP_RETRY_SECONDS


@pytest.mark.parametrize("second", [empty(), refusal(500, "ERR001", -2)])
def test_a_logout_at_which_the_server_failed_is_sent_once_more_after_a_pause(second: Response) -> None:
    played = play(close_session(a_session()), refusal(500, "ERR001", -1), second)
    first_request, pause, second_request = played.steps
    assert (pause, second_request) == (Pause(LOGOUT_PAUSE), first_request)
    assert (played.error is None) == (second.status == 204)


def test_a_rejected_login_names_what_is_probably_wrong_with_the_password() -> None:
    played = play(login(Credentials(login="u", password=f"{PASSWORD} ")), refusal(401, "ERR003"))
    assert type(played.error) is errors.AuthenticationError
    assert played.error.what == (
        "could not log in as u: the server rejects the login; the connection's password begins or ends with "
        "a space: remove it, unless it is part of the password"
    )
    assert (played.error.reply.status, played.error.reply.code) == (401, "ERR003")
