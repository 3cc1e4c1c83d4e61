# SPDX-License-Identifier: Apache-2.0
"""The I-Server's numbers: which meaning each has, and what it says in words.

From docs/strategy-rest-api.md 1.7, 1.9, 2 and 4. A code without a class of its own says why something failed,
not what a caller should do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.errors import MstrError


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a code.

    :param words: what it says, for a person
    :param meaning: the error it always amounts to; None where that depends on the call
    """

    words: str
    meaning: type[MstrError] | None = None


def signed(hexadecimal: int) -> int:
    """Return an HRESULT as the signed number that the I-Server writes.

    :param hexadecimal: the code as it stands in hexadecimal tables
    """
    return hexadecimal - (1 << 32)


def number_of(value: Any) -> int | None:
    """Return a code or status of the I-Server; None if it is not a number, or has more than 32 bits.

    :param value: a number, or a number as text, as one endpoint sends it (3.5)
    """
    try:
        number = int(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < 1 << 32 else None


NO_SUCH_OBJECT = -2147216373
MODEL_BUSY = -2147072194

ISERVER_CODES: Mapping[int, Known] = {
    -2147072486: Known("the user has too many sessions in the project", errors.SessionLimit),
    signed(0x8004CB0A): Known("the user has too many sessions in the project", errors.SessionLimit),
    -2147209056: Known("the server has too many users", errors.SessionLimit),
    -2147468986: Known("the data model instance is not in this session", errors.InstanceLost),
    MODEL_BUSY: Known("the data model is being published by another job", errors.ModelBusy),
    signed(0x800438F4): Known("the I-Server session is invalid", errors.SessionLost),
    signed(0x800430A5): Known("the user's login has expired", errors.SessionLost),
    signed(0x80043705): Known("the I-Server connection failed", errors.SessionLost),
    signed(0x80004003): Known("the session is not logged in to the project", errors.SessionLost),
    -2147216959: Known("login or password are wrong", errors.AuthenticationRefused),
    -2147216960: Known("the password must be changed", errors.AuthenticationRefused),
    -2147216963: Known("the password has expired", errors.AuthenticationRefused),
    -2147216965: Known("the user is disabled", errors.AuthenticationRefused),
    -2147213784: Known("the user lacks a privilege", errors.NoPrivilege),
    -2147214578: Known("the user has no access to the project", errors.NoPrivilege),
    -2147214568: Known("the user has no access to the object", errors.NoPrivilege),
    signed(0x8004CB09): Known("the user lacks the privilege to use Mosaic Studio", errors.NoPrivilege),
    NO_SUCH_OBJECT: Known("no object has this id", errors.NotFound),
    -2147209151: Known("the project is on no node of the server", errors.NotFound),
    -2147209183: Known("the project is offline", errors.NotFound),
    -2147209177: Known("the project is not loaded", errors.NotFound),
    -2147209192: Known("the project is idle", errors.NotFound),
    signed(0x8004E457): Known("this is not a Mosaic data model", errors.NotPublishable),
    -2147468903: Known("the result is not ready", errors.ServerUnavailable),
    -2147206497: Known("the request took the server too long", errors.ServerUnavailable),
    -2147072488: Known("the data model was never published"),
    -2147072542: Known("the data model is offline"),
    -2147212544: Known("the query engine gave up: look at data types and the engine's health"),
    -2147418587: Known("the load stopped with some tables left"),
    -2147467259: Known("the server gave no reason"),
    -2147205488: Known("a row governor of the project was exceeded"),
}


def in_words(code: int | None) -> str | None:
    """Return what a code says, or None where it is not known.

    :param code: an iServerCode, or a negative publish status
    """
    known = ISERVER_CODES.get(code or 0)
    return known.words if known else None
