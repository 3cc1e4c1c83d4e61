# SPDX-License-Identifier: Apache-2.0
"""Formats lists of names for messages, and compares names."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

from airflow_provider_mstr.rest.text import clean

T = TypeVar("T")

# Columns of a log line, and of a name in it.
MAX_LINE = 100
NAME_WIDTH = 48

# How many names a log line lists, and an error.
NAMES_IN_LINE = 3
MAX_NAMES = 20


def count(number: int, noun: str) -> str:
    """Return a number with a noun, such as ``1 table`` or ``2 tables``.

    :param number: the number
    :param noun: the noun, singular
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def fit(text: str, width: int = MAX_LINE) -> str:
    """Return a text as one line that is not too long.

    :param text: a text
    :param width: the maximum number of characters
    """
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"


def duration(seconds: float) -> str:
    """Return a duration in its one or two largest units, such as ``9.1 s`` or ``1 h 2 min``.

    :param seconds: the duration
    """
    if seconds < 9.95:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else rest, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def shorten(names: Sequence[str], most: int) -> str:
    """Return the first names, and the number of further ones.

    :param names: the names
    :param most: the maximum number of names
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
