# SPDX-License-Identifier: Apache-2.0
"""How a line for a person shows a list, and how names are compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from airflow_provider_mstr.rest.text import clean

T = TypeVar("T")


def first_of(names: Sequence[str], most: int) -> str:
    """Return the first of some names, and how many more there are.

    :param names: the names
    :param most: how many to name
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def called(name: str, things: Iterable[T], name_of: Callable[[T], str]) -> list[T]:
    """Return the things that have a name: exactly, else in another Unicode form, else in any casing.

    :param name: the name
    :param things: where to look
    :param name_of: returns the name of a thing
    """
    things = list(things)
    for form in (str, composed, caseless):
        wanted = form(clean(name))
        if found := [thing for thing in things if form(name_of(thing)) == wanted]:
            return found
    return []


def composed(text: str) -> str:
    """Return a text in its composed Unicode form (NFC), the usual one to compare texts in.

    :param text: a text
    """
    return unicodedata.normalize("NFC", text)


def caseless(text: str) -> str:
    """Return a text in the form for comparison without regard to case (Unicode Standard 3.13, D145).

    :param text: a text
    """
    return composed(composed(text).casefold())
