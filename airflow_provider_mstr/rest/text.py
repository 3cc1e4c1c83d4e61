# SPDX-License-Identifier: Apache-2.0
"""Cleans texts and ids of the server, so that they are safe in logs and requests."""

from __future__ import annotations

import unicodedata
from typing import Any
from urllib.parse import quote

from airflow_provider_mstr.rest.errors import InvalidResponse

_HEX = frozenset("0123456789abcdefABCDEF")
ID_LENGTH = 32


def is_id(text: str) -> bool:
    """Return whether a text has the form of a Strategy object id: 32 hexadecimal digits.

    :param text: a name or an id
    """
    return len(text) == ID_LENGTH and _HEX.issuperset(text)


MAX_NAME = 256
MAX_MESSAGE = 2000
MAX_ID = 256

# Control characters, invisible ones (zero width, text direction), and halves of a surrogate pair.
_HARMFUL = frozenset({"Cc", "Cf", "Cs"})


def clean(text: str, limit: int = MAX_NAME) -> str:
    """Return a text on one line, without control and invisible characters, and at most as long as the limit.

    Ordinary text does not change. Compare a clean name only with another clean name.

    :param text: text of a server, or user input to compare with it
    :param limit: the maximum length of the result
    """
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(map(_harmless, shown))
    return shown.strip() if len(text) <= limit else f"{shown[: limit - 1].strip()}…"


def object_id(value: Any, what: str) -> str:
    """Check an id and return it unchanged, because requests contain it.

    :param value: the id
    :param what: the name of the object, for the error
    :raises InvalidResponse: if it is empty, too long, or has control characters
    """
    if not isinstance(value, str) or not value or len(value) > MAX_ID or not value.isprintable():
        raise InvalidResponse(f"{what} has an invalid id")
    return value


def id_advice(argument: str, kind: str) -> str:
    """Return what to do if the server finds no object of the right kind with an id.

    :param argument: the argument of a task that has the id
    :param kind: the kind of object
    """
    article = "an" if kind[0] in "aeiou" else "a"
    return (
        f"Check that {argument} is the id of {article} {kind}, and not of another kind of object, in this "
        "project (project_id of the task, or the schema of the Airflow connection)."
    )


def path_segment(text: str) -> str:
    """Return a text as one segment of a URL's path.

    :param text: an id
    """
    # Clients of the vendor send these as they are, and a proxy may reject or change an escape.
    return quote(text, safe=":=")


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace():
        return character if category == "Zs" else " "
    return "" if category in _HARMFUL else character
