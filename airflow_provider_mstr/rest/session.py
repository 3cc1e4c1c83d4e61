# SPDX-License-Identifier: Apache-2.0
"""Who logs in, what a login yields, and how a session travels without being readable on the way."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Any

from airflow_provider_mstr.rest.errors import HandleRefused

TOKEN_HEADER = "X-MSTR-AuthToken"  # noqa: S105 - the name of a header
PROJECT_HEADER = "X-MSTR-ProjectID"

SEAL_LIFETIME = 7 * 24 * 60 * 60


class LoginMode(IntEnum):
    """How a login proves who it is (docs/strategy-rest-api.md 1.2)."""

    STANDARD = 1
    GUEST = 8
    LDAP = 16
    API_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login needs.

    :param mode: the login mode
    :param login: the user name; unused by guests and API tokens
    :param password: the password, or the API token
    """

    mode: LoginMode = LoginMode.STANDARD
    login: str = ""
    password: str = field(default="", repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be shown; a text of fewer characters would garble everything that is."""
        # A server may repeat the password without the blanks around it.
        return frozenset(text for text in (self.password, self.password.strip()) if len(text) >= 4)

    @property
    def oddity(self) -> str:
        """What around the password is likely no part of it, in words; it is sent nevertheless."""
        password = self.password
        for place, character in (("begins", password[:1]), ("ends", password[-1:])):
            if character.isspace():
                what = "a line break" if character in "\r\n" else "a blank"
                return f"the connection's password {place} with {what}: remove it, unless it belongs there"
        return ""

    def login_body(self) -> dict[str, Any]:
        """Return the body of the login request; an API token goes where the user name does (1.2)."""
        mode = {"loginMode": int(self.mode)}
        if self.mode is LoginMode.GUEST:
            return mode
        if self.mode is LoginMode.API_TOKEN:
            return mode | {"username": self.password}
        return mode | {"username": self.login, "password": self.password}


@dataclass(frozen=True, slots=True)
class Session:
    """A login: its token and all its cookies, every one of which each later call must carry (1.4).

    :param token: the value of ``X-MSTR-AuthToken``
    :param cookies: name to value; the one part that lives, as a load balancer may renew its own
    """

    token: str = field(repr=False)
    cookies: dict[str, str] = field(repr=False)

    def headers(self, project_id: str | None = None) -> dict[str, str]:
        """Return the headers that make a call part of this session.

        :param project_id: the project the call is about; None for calls about no project
        """
        headers = {TOKEN_HEADER: self.token}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if project_id is not None:
            headers[PROJECT_HEADER] = project_id
        return headers

    def renew(self, cookies: Mapping[str, str | None]) -> None:
        """Keep what an answer said of the session's cookies.

        :param cookies: name to value, None for a cookie that was taken back
        """
        for name, value in cookies.items():
            if value is None:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be shown: the token and every cookie, but for words such as "true"."""
        return frozenset(value for value in (self.token, *self.cookies.values()) if len(value) >= 8)


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes a session unreadable to all who could not log in themselves.

    :param secret: the connection's own secret, from which the key is derived
    :param scope: what else tells one connection from another, such as its URL and login
    """

    secret: str = field(repr=False)
    scope: str

    def close(self, session: Session) -> str:
        """Return the session as ciphertext.

        :param session: the session to hide
        """
        plain = json.dumps({"token": session.token, "cookies": session.cookies})
        return str(self._fernet().encrypt(plain.encode()).decode())

    def open(self, sealed: str) -> Session:
        """Return the session that was sealed.

        :param sealed: what :meth:`close` returned, at most a week ago
        :raises HandleRefused: where it was sealed with another secret, altered, or is too old
        """
        from cryptography.fernet import InvalidToken

        try:
            return _session(json.loads(self._fernet().decrypt(sealed.encode(), ttl=SEAL_LIFETIME)))
        except (InvalidToken, ValueError, TypeError, KeyError, RecursionError):
            raise HandleRefused(
                "the handle's session cannot be opened with this connection: it was sealed under another "
                "connection or password, is older than a week, or was altered"
            ) from None

    def _fernet(self) -> Any:
        from cryptography.fernet import Fernet

        return Fernet(_key(self.secret, self.scope))


def _session(said: Any) -> Session:
    session = Session(said["token"], dict(said["cookies"]))
    if not all(isinstance(part, str) for part in (session.token, *session.cookies.values())):
        raise TypeError
    return session


@lru_cache(maxsize=64)
def _key(secret: str, scope: str) -> bytes:
    # scrypt, so that a guessable password is not guessed fast from a stolen ciphertext.
    derived = hashlib.scrypt(secret.encode(), salt=scope.encode(), n=2**14, r=8, p=1, dklen=32)
    return urlsafe_b64encode(derived)
