# SPDX-License-Identifier: Apache-2.0
"""The error codes of the I-Server: the message and the error class of each.

From docs/strategy-rest-api.md 1.7, 1.9, 2 and 4. A code without an error class explains why something failed,
not what a caller should do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.errors import MstrError


@dataclass(frozen=True, slots=True)
class KnownCode:
    """A documented code.

    :param message: what it means, for a user
    :param error_class: the error that it always causes; None if that depends on the request
    :param advice: what to do; empty for the advice of the error
    """

    message: str
    error_class: type[MstrError] | None = None
    advice: str = ""


def to_signed(hexadecimal: int) -> int:
    """Return an HRESULT as the signed number that the I-Server writes.

    :param hexadecimal: the code as hexadecimal tables list it
    """
    return hexadecimal - (1 << 32)


def parse_number(value: Any) -> int | None:
    """Return a code or status of the I-Server; None if it is not a number, or has more than 32 bits.

    :param value: a number, or a number as text, as one endpoint returns it (3.5)
    """
    try:
        number = int(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < 1 << 32 else None


_ENABLE_USER = "Ask the Strategy administrator to enable the user."
LOAD_PROJECT = "Ask the Strategy administrator to load the project."
_CHECK_PROJECT = (
    "Ask the Strategy administrator to load the project. If it is given by its id, check the id first "
    "(project_id of the task, or the schema of the Airflow connection)."
)
_LOG_IN_ONCE = (
    "Log in to Strategy Library as this user, change the password, and enter the new one in the Airflow "
    "connection."
)
_TOO_MANY_USERS = (
    "Wait until other users log out, or ask the Strategy administrator to raise the maximum number of users."
)

NO_SUCH_OBJECT = -2147216373
MODEL_BUSY = -2147072194
UNSPECIFIED = -2147467259

ISERVER_CODES: Mapping[int, KnownCode] = {
    -2147072486: KnownCode("the user has too many sessions in the project", errors.SessionLimit),
    to_signed(0x8004CB0A): KnownCode("the user has too many sessions in the project", errors.SessionLimit),
    -2147209056: KnownCode("the server has too many users", errors.SessionLimit, _TOO_MANY_USERS),
    -2147468986: KnownCode("the data model instance is not in this session", errors.InstanceExpired),
    MODEL_BUSY: KnownCode("the data model is being published by another job", errors.ModelBusy),
    to_signed(0x800438F4): KnownCode("the I-Server session is invalid", errors.SessionExpired),
    to_signed(0x800430A5): KnownCode("the user's login has expired", errors.SessionExpired),
    to_signed(0x80043705): KnownCode("the I-Server connection failed", errors.SessionExpired),
    to_signed(0x80004003): KnownCode("the session is not logged in to the project", errors.SessionExpired),
    -2147216959: KnownCode("login or password is wrong", errors.AuthenticationError),
    -2147216960: KnownCode("the password must be changed", errors.AuthenticationError, _LOG_IN_ONCE),
    -2147216963: KnownCode("the password has expired", errors.AuthenticationError, _LOG_IN_ONCE),
    -2147216965: KnownCode("the user is disabled", errors.AuthenticationError, _ENABLE_USER),
    -2147213784: KnownCode("the user lacks a privilege", errors.NoPrivilege),
    -2147214578: KnownCode("the user has no access to the project", errors.NoPrivilege),
    -2147214568: KnownCode("the user has no access to the object", errors.NoPrivilege),
    to_signed(0x8004CB09): KnownCode("the user lacks the privilege to use Mosaic Studio", errors.NoPrivilege),
    NO_SUCH_OBJECT: KnownCode("no object has this id", errors.NotFound),
    -2147209151: KnownCode(
        "the project is not loaded, or no project has this id", errors.NotFound, _CHECK_PROJECT
    ),
    -2147209183: KnownCode("the project is offline", errors.NotFound, LOAD_PROJECT),
    -2147209177: KnownCode("the project is not loaded", errors.NotFound, LOAD_PROJECT),
    -2147209192: KnownCode("the project is idle", errors.NotFound, LOAD_PROJECT),
    to_signed(0x8004E457): KnownCode("this is not a Mosaic data model", errors.NotPublishable),
    -2147468903: KnownCode("the result is not ready", errors.ServerUnavailable),
    -2147206497: KnownCode("the request timed out on the server", errors.ServerUnavailable),
    -2147072488: KnownCode("the data model was never published"),
    -2147072542: KnownCode("the data model is offline"),
    -2147212544: KnownCode("the query engine failed: check the data types and the state of the engine"),
    -2147418587: KnownCode("the load stopped before all tables were loaded"),
    UNSPECIFIED: KnownCode("the server gave no reason"),
    -2147205488: KnownCode("a row governor of the project was exceeded"),
}


def code_message(code: int | None, server_message: str | None = None) -> str | None:
    """Return the message of a code, None if the code is not documented or the server's message says more.

    :param code: an iServerCode, or a negative publish status
    :param server_message: the server's own message
    """
    known = ISERVER_CODES.get(code or 0)
    return known.message if known and not (code == UNSPECIFIED and server_message) else None
