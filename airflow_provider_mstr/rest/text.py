# SPDX-License-Identifier: Apache-2.0
"""Cleans text of the server where it is parsed, before a log, a terminal or a page shows it."""

from __future__ import annotations

import unicodedata
from typing import Any

from airflow_provider_mstr.rest.errors import NotUnderstood

MAX_NAME = 256
MAX_MESSAGE = 2000
MAX_ID = 256

# Control characters, invisible ones (zero width, direction of writing), and halves of a surrogate pair.
_HARMFUL = frozenset({"Cc", "Cf", "Cs"})


def clean(text: str, limit: int = MAX_NAME) -> str:
    """Return a text on one line, without control and invisible characters, and at most as long as the limit.

    Ordinary text comes back as it is. Compare a clean name only with another clean name.

    :param text: what a server sent, or what a user typed to be compared with it
    :param limit: the number of characters that the result has at most
    """
    shown = text[:limit]
    if not shown.isprintable():
        shown = "".join(map(_harmless, shown))
    return shown.strip() if len(text) <= limit else f"{shown[: limit - 1].strip()}…"


def object_id(value: Any, what: str) -> str:
    """Return an id unchanged, because requests contain it; refuse one that is not plain text.

    :param value: the id
    :param what: what has the id, for the error
    :raises NotUnderstood: if it is empty, too long, or has control characters
    """
    if not isinstance(value, str) or not value or len(value) > MAX_ID or not value.isprintable():
        raise NotUnderstood(f"{what} has an invalid id")
    return value


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace():
        return character if category == "Zs" else " "
    return "" if category in _HARMFUL else character
