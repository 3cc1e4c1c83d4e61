# SPDX-License-Identifier: Apache-2.0
"""Formats lists of names for messages, and compares names."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from airflow_provider_mstr.rest.text import clean

T = TypeVar("T")


def shorten(names: Sequence[str], most: int) -> str:
    """Return the first names, and the number of further ones.

    :param names: the names
    :param most: the maximum number of names
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def find_by_name(name: str, things: Iterable[T], name_of: Callable[[T], str]) -> list[T]:
    """Return the objects with a name: an exact match, else in another Unicode form, else ignoring case.

    :param name: the name
    :param things: the objects
    :param name_of: returns the name of an object
    """
    things = list(things)
    for form in (str, normalize, fold_case):
        wanted = form(clean(name))
        if found := [thing for thing in things if form(name_of(thing)) == wanted]:
            return found
    return []


def normalize(text: str) -> str:
    """Return a text in its composed Unicode form (NFC), which is usual for comparison.

    :param text: a text
    """
    return unicodedata.normalize("NFC", text)


def fold_case(text: str) -> str:
    """Return a text in the form for comparison that ignores case (Unicode Standard 3.13, D145).

    :param text: a text
    """
    return normalize(normalize(text).casefold())
