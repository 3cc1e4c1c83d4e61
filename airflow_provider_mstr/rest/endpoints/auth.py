# SPDX-License-Identifier: Apache-2.0
"""Login, logout, and the session's limits."""

from __future__ import annotations

from airflow_provider_mstr.rest.cookies import Cookies
from airflow_provider_mstr.rest.errors import (
    AuthenticationError,
    RequestFailed,
    SessionExpired,
)
from airflow_provider_mstr.rest.flow import Flow, Pause
from airflow_provider_mstr.rest.messages import TOKEN_HEADER, Request, Response
from airflow_provider_mstr.rest.responses import expect_empty, json_object, required_header
from airflow_provider_mstr.rest.session import Credentials, Session, session_request

# Seconds for which cleaning up is retried; the session times out later.
CLEANUP_RETRY_SECONDS = 20.0

# Seconds after which a logout at which the server failed is sent once more.
LOGOUT_PAUSE = 2.0


def login(credentials: Credentials) -> Flow[Session]:
    """Log in (``POST /api/auth/login``).

    It is sent again if its answer is lost; the extra session expires.

    :param credentials: the credentials
    :return: the new session
    :raises AuthenticationError: if the server rejects them
    """
    cookies = Cookies()
    request = Request(
        purpose=f"log in as {credentials.login or credentials.mode.name.lower()}",
        method="POST",
        path="/api/auth/login",
        parse=required_header(TOKEN_HEADER),
        body=credentials.login_body(),
        cookies=cookies,
        secrets=credentials.secrets,
    )
    try:
        token: str = yield request
    except AuthenticationError as error:
        if credentials.password_problem:
            error.what += f"; {credentials.password_problem}"
        raise
    return Session(token, cookies)


def logout(session: Session, retry_for: float | None = None) -> Flow[None]:
    """Close the session (``POST /api/auth/logout``), which cancels a publish that still runs in it (2).

    The request has no project (1.5). A session that has already expired is no error.

    :param session: the session to close
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    """
    try:
        yield from session_request(
            session, "log out", "POST", "/api/auth/logout", expect_empty, retry_for=retry_for
        )
    except SessionExpired:
        return


def get_session_status(session: Session) -> Flow[dict[str, int]]:
    """Return the session's limits (``GET /api/sessions``), not in a project (1.6).

    :param session: the session
    :raises SessionExpired: if it has expired
    """
    return (
        yield from session_request(session, "read the session's limits", "GET", "/api/sessions", _numbers)
    )


def _numbers(response: Response) -> dict[str, int]:
    return {name: value for name, value in json_object(response).items() if type(value) is int}


def close_session(session: Session) -> Flow[None]:
    """Log out; once more if the server failed at it, because nothing else may close the session later.

    :param session: the session to close
    """
    try:
        yield from logout(session, CLEANUP_RETRY_SECONDS)
    except RequestFailed:
        yield Pause(LOGOUT_PAUSE)
        yield from logout(session, CLEANUP_RETRY_SECONDS)
