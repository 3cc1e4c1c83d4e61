# SPDX-License-Identifier: Apache-2.0
"""Who logs in, what a login yields, and how a session travels without being readable on the way."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from typing import Any

from airflow_provider_mstr.rest.cookies import Cookies
from airflow_provider_mstr.rest.errors import HandleRefused
from airflow_provider_mstr.rest.masking import passwords_among, secrets_among

TOKEN_HEADER = "X-MSTR-AuthToken"  # noqa: S105 - the name of a header
PROJECT_HEADER = "X-MSTR-ProjectID"

SEAL_LIFETIME = 7 * 24 * 60 * 60

# How many seconds the clocks of two machines may differ before a handle is refused for its age.
MAX_CLOCK_DIFFERENCE = 10 * 60

# What OWASP recommends for scrypt; one derivation takes 64 MB.
SCRYPT_COST = 2**16
SCRYPT_BLOCK_SIZE = 8
SCRYPT_PARALLELISM = 2

_derivation = threading.Lock()


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
        """What must never be shown: the password, unless it is too short."""
        # A server may repeat the password without the blanks around it.
        return passwords_among([self.password, self.password.strip()])

    @property
    def oddity(self) -> str:
        """What in the password is probably no part of it, in words; it is sent nevertheless."""
        password = self.password
        if "\r" in password or "\n" in password:
            what = "contains a line break"
        elif password.endswith("\\n"):
            what = "ends with \\n, which may stand for a line break"
        elif password != password.strip():
            what = "begins or ends with a blank"
        elif not password.isprintable():
            what = "contains an invisible character"
        elif len(password) > 1 and password[0] == password[-1] and password[0] in "'\"":
            what = "is in quotes"
        else:
            return ""
        return f"the connection's password {what}: remove that, unless it belongs there"

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
    :param cookies: the cookies, which each answer may renew
    """

    token: str = field(repr=False)
    cookies: Cookies = field(default_factory=Cookies, repr=False)

    def headers(self, project_id: str | None = None) -> dict[str, str]:
        """Return the headers that make a call part of this session, except its cookies.

        :param project_id: the project the call is about; None for calls about no project
        """
        project = {} if project_id is None else {PROJECT_HEADER: project_id}
        return {TOKEN_HEADER: self.token} | project

    @property
    def secrets(self) -> frozenset[str]:
        """What must never be shown: the token and every cookie, but for words such as "true"."""
        return secrets_among([self.token]) | self.cookies.secrets


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
        plain = json.dumps({"token": session.token, "cookies": session.cookies.to_json()})
        return str(self._fernet().encrypt(plain.encode()).decode())

    def open(self, sealed: str) -> Session:
        """Return the session that was sealed.

        :param sealed: what :meth:`close` returned, at most a week ago
        :raises HandleRefused: if it was sealed with another secret, altered, too long ago, or in the future
        """
        from cryptography.fernet import InvalidToken

        fernet = self._fernet()
        try:
            session = _session(json.loads(fernet.decrypt(sealed.encode())))
            sealed_at = fernet.extract_timestamp(sealed.encode())
        except (InvalidToken, ValueError, TypeError, KeyError, RecursionError):
            raise HandleRefused(
                "the handle's session cannot be opened with this connection: it was sealed under another "
                "connection or password, or was altered"
            ) from None
        _check_age(sealed_at, time.time())
        return session

    def _fernet(self) -> Any:
        from cryptography.fernet import Fernet

        return Fernet(_key(self.secret, self.scope))


def _session(said: Any) -> Session:
    if not isinstance(said["token"], str):
        raise TypeError
    return Session(said["token"], Cookies.from_json(said["cookies"]))


def _check_age(sealed_at: float, now: float) -> None:
    """Refuse a handle that is too old, or that another clock sealed in the future.

    Fernet's own check allows a difference of one minute, and does not name the clocks.
    """
    age = now - sealed_at
    if -MAX_CLOCK_DIFFERENCE <= age <= SEAL_LIFETIME + MAX_CLOCK_DIFFERENCE:
        return
    clocks = (
        f"the handle's session was sealed at {_utc(sealed_at)} by the clock of the machine that sealed it, "
        f"but the clock of this machine shows {_utc(now)}"
    )
    if age < 0:
        raise HandleRefused(
            f"{clocks}, which is {-age / 60:.0f} minutes behind: set the clocks of both machines, for "
            "example with NTP"
        )
    raise HandleRefused(
        f"{clocks}: a handle is valid for a week; if it is not that old, set the clocks of both machines, "
        "for example with NTP"
    )


def _utc(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _key(secret: str, scope: str) -> bytes:
    # Many threads may need the same key at once, and each derivation takes 64 MB.
    with _derivation:
        return _derived_key(secret, scope)


@lru_cache(maxsize=64)
def _derived_key(secret: str, scope: str) -> bytes:
    # scrypt, so that a guessable password is not guessed fast from a stolen ciphertext.
    memory = 128 * SCRYPT_BLOCK_SIZE * (SCRYPT_COST + SCRYPT_PARALLELISM + 2)
    derived = hashlib.scrypt(
        secret.encode(),
        salt=scope.encode(),
        n=SCRYPT_COST,
        r=SCRYPT_BLOCK_SIZE,
        p=SCRYPT_PARALLELISM,
        maxmem=memory,
        dklen=32,
    )
    return urlsafe_b64encode(derived)
