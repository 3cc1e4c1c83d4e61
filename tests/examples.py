# SPDX-License-Identifier: Apache-2.0
"""How many examples hypothesis tries, and examples of what may come out of a network or an XCom."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# How long an example takes depends on what else the machine does.
_USUAL = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# For `make coverage` and `make mutation`, which are to tell the same each time, and soon.
_SPARING = settings(_USUAL, max_examples=20, derandomize=True)

usual = {"usual": _USUAL, "sparing": _SPARING}[os.environ.get("EXAMPLES", "usual")]

# For what reads the words of others: verdict, decipher, page loop, Library URL and handle.
thorough = settings(usual, max_examples=50 * usual.max_examples)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ODD = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


def is_harmful(text: str) -> bool:
    """Whether a text has line breaks, controls, invisible characters or halves of surrogate pairs."""
    return not {unicodedata.category(each) for each in text}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


def holding(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that hold any of these fields, each with a likely or an odd value."""
    return st.fixed_dictionaries({}, optional={name: values | ODD for name, values in fields.items()})


@st.composite
def altered(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """A whole thing of JSON of which a few parts, however deep inside, are replaced or lost."""
    said = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(said))
        if places:
            part, key = places[draw(st.integers(0, len(places) - 1))]
            if draw(st.booleans()):
                part[key] = draw(ODD)
            else:
                del part[key]
    return said


def _places(said: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(said) if isinstance(said, dict) else range(len(said)) if isinstance(said, list) else ()
    for key in keys:
        yield said, key
        yield from _places(said[key])
