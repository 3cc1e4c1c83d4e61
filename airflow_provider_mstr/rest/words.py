# SPDX-License-Identifier: Apache-2.0
"""Formats lists of names for messages, and compares names."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

from airflow_provider_mstr.rest.text import clean

T = TypeVar("T")

# How many names a message lists.
MAX_NAMES = 20


def shorten(names: Sequence[str], most: int) -> str:
    """Return the first names, and the number of further ones.

    :param names: the names
    :param most: the maximum number of names
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 table" or "2 tables".

    :param number: the number
    :param noun: the noun in the singular
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def suggest(name: str, names: Iterable[str]) -> str:
    """Return the names that are similar to one that does not exist; if none is, the first names.

    :param name: the name
    :param names: the names that exist
    """
    known = {fold_case(each): each for each in sorted(names)}
    if similar := get_close_matches(fold_case(name), known):
        return f"similar names: {', '.join(known[each] for each in similar)}"
    existing = shorten(list(known.values()), MAX_NAMES)
    return f"the existing names are: {existing}" if existing else "there is none that the user can see"


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
