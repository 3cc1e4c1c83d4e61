# SPDX-License-Identifier: Apache-2.0
"""Credentials, the session that a login returns, and requests in a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

from airflow_provider_mstr.rest.cookies import Cookies
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.masking import passwords_among, secrets_among
from airflow_provider_mstr.rest.messages import TOKEN_HEADER, Request, Response

T = TypeVar("T")


def session_request(
    session: Session,
    purpose: str,
    method: str,
    path: str,
    parse: Callable[[Response], T],
    project_id: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    retry_for: float | None = None,
    **more: Any,
) -> Flow[T]:
    """Send a request in a session and return its value.

    :param session: the session
    :param purpose: the purpose of the request, which completes "could not ..."
    :param method: the HTTP method
    :param path: below the Library URL
    :param parse: returns the value of a successful response
    :param project_id: the project of the request, None if it has none
    :param headers: headers besides those of the session
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    :param more: further fields of :class:`Request`
    """
    answer: T = yield Request(
        purpose=purpose,
        method=method,
        path=path,
        parse=parse,
        headers=session.headers(project_id) | dict(headers or {}),
        cookies=session.cookies,
        secrets=session.secrets,
        has_session=True,
        retry_for=retry_for,
        timeout=retry_for,
        **more,
    )
    return answer


PROJECT_HEADER = "X-MSTR-ProjectID"


class LoginMode(IntEnum):
    """The login mode (docs/strategy-rest-api.md 1.2)."""

    STANDARD = 1
    GUEST = 8
    LDAP = 16
    API_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a login.

    :param mode: the login mode
    :param login: the user name; unused by guests and API tokens
    :param password: the password, or the API token
    """

    mode: LoginMode = LoginMode.STANDARD
    login: str = ""
    password: str = field(default="", repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """The password, unless it is too short to mask."""
        # A server may repeat the password without the spaces around it.
        return passwords_among([self.password, self.password.strip()])

    @property
    def password_problem(self) -> str:
        """What in the password is probably a mistake, empty if nothing; it is sent nevertheless."""
        password = self.password
        if "\r" in password or "\n" in password:
            what = "contains a line break"
        elif password.endswith("\\n"):
            what = "ends with \\n, which may be a line break"
        elif password != password.strip():
            what = "begins or ends with a space"
        elif not password.isprintable():
            what = "contains an invisible character"
        elif len(password) > 1 and password[0] == password[-1] and password[0] in "'\"":
            what = "is in quotes"
        else:
            return ""
        return f"the connection's password {what}: remove it, unless it is part of the password"

    def login_body(self) -> dict[str, Any]:
        """Return the body of the login request; an API token is sent as the user name (1.2)."""
        mode = {"loginMode": int(self.mode)}
        if self.mode is LoginMode.GUEST:
            return mode
        if self.mode is LoginMode.API_TOKEN:
            return mode | {"username": self.password}
        return mode | {"username": self.login, "password": self.password}


@dataclass(frozen=True, slots=True)
class Session:
    """A session: its token and all its cookies, which every later request must carry (1.4).

    :param token: the value of ``X-MSTR-AuthToken``
    :param cookies: the cookies, which each response may renew
    """

    token: str = field(repr=False)
    cookies: Cookies = field(default_factory=Cookies, repr=False)

    def headers(self, project_id: str | None = None) -> dict[str, str]:
        """Return the headers of a request in this session, except its cookies.

        :param project_id: the project of the request, None if it has none
        """
        project = {} if project_id is None else {PROJECT_HEADER: project_id}
        return {TOKEN_HEADER: self.token} | project

    @property
    def secrets(self) -> frozenset[str]:
        """The token and every cookie, except short values such as "true"."""
        return secrets_among([self.token]) | self.cookies.secrets
