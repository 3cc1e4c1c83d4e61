# SPDX-License-Identifier: Apache-2.0
"""The enums of the server's own ``openapi.json`` that concern a refresh."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_mstr.probe.vocabulary import UNKNOWN_WORD, Vocabulary

MAX_ENUMS, MAX_VALUES, MAX_DEPTH = 30, 40, 40

_CONCERNS_REFRESH = re.compile(r"publish|refresh|job.?status|table.?status|executionstatus", re.IGNORECASE)
_KEYS = """
components schemas properties items content schema responses allOf oneOf anyOf parameters paths requestBody
application/json
"""

# What is between the names in a path of an OpenAPI document.
_STRUCTURE = frozenset(_KEYS.split())


def list_enums(document: Any, vocabulary: Vocabulary) -> dict[str, list[str]]:
    """Return the values of each enum that concerns a publish, a refresh or a job, by where it is.

    :param document: the JSON of ``openapi.json``
    :param vocabulary: what may be shown
    """
    found: dict[str, list[str]] = {}
    for place, values in _enums(document, ()):
        if len(found) == MAX_ENUMS:
            break
        # A key of "paths" is a path, whose last segment names the endpoint; a status code names nothing.
        names = (part.rpartition("/")[2] for part in place if part not in _STRUCTURE)
        name = ".".join(vocabulary.show(each) for each in names if not each.isdigit())
        if UNKNOWN_WORD not in name and _CONCERNS_REFRESH.search(name):
            found.setdefault(name, [_value(value, vocabulary) for value in values[:MAX_VALUES]])
    return found


def _value(value: Any, vocabulary: Vocabulary) -> str:
    return vocabulary.show(value) if isinstance(value, str) else str(value) if type(value) is int else "null"


def _enums(node: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    if len(place) > MAX_DEPTH:
        return
    if isinstance(node, list):
        for part in node:
            yield from _enums(part, (*place, "items"))
    elif isinstance(node, dict):
        values = node.get("enum")
        if isinstance(values, list):
            yield place, values
        for key, part in node.items():
            if key not in ("enum", "example", "examples"):
                yield from _enums(part, (*place, str(key)))
