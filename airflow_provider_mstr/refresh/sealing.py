# SPDX-License-Identifier: Apache-2.0
"""Encrypts a session, so that Airflow stores nothing that others could log in with."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from airflow_provider_mstr.rest.cookies import Cookies
from airflow_provider_mstr.rest.errors import InvalidHandle
from airflow_provider_mstr.rest.session import Session

SEAL_LIFETIME = 7 * 24 * 60 * 60

# How many seconds the clocks of two machines may differ before a handle is refused for its age.
MAX_CLOCK_DIFFERENCE = 10 * 60

# What OWASP recommends for scrypt; one derivation takes 64 MB.
SCRYPT_COST = 2**16

SCRYPT_BLOCK_SIZE = 8
SCRYPT_PARALLELISM = 2
_derivation = threading.Lock()


@dataclass(frozen=True, slots=True)
class Seal:
    """Makes a session unreadable to all who could not log in themselves.

    :param secret: the connection's own secret, from which the key is derived
    :param scope: what else identifies a connection, such as its URL and login
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
        :raises InvalidHandle: if it was sealed with another secret, altered, too long ago, or in the future
        """
        from cryptography.fernet import InvalidToken

        fernet = self._fernet()
        try:
            session = _session(json.loads(fernet.decrypt(sealed.encode())))
            sealed_at = fernet.extract_timestamp(sealed.encode())
        except (InvalidToken, ValueError, TypeError, KeyError, RecursionError):
            raise InvalidHandle(
                "the handle's session cannot be opened with this connection: it was sealed under another "
                "connection or password, or was altered"
            ) from None
        _check_age(sealed_at, time.time())
        return session

    def _fernet(self) -> Any:
        from cryptography.fernet import Fernet

        return Fernet(_key(self.secret, self.scope))


def _session(data: Any) -> Session:
    if not isinstance(data["token"], str):
        raise TypeError
    return Session(data["token"], Cookies.from_json(data["cookies"]))


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
        raise InvalidHandle(
            f"{clocks}, which is {-age / 60:.0f} minutes behind: set the clocks of both machines, for "
            "example with NTP"
        )
    raise InvalidHandle(
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
