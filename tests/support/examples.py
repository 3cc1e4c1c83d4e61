# SPDX-License-Identifier: Apache-2.0
"""Hypothesis: few examples by default, many in CI; and examples of what a network or an XCom may hold."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# An example has no time limit: how long it takes depends on the load of the machine.
_BOTH = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", _BOTH, max_examples=25, derandomize=True)
settings.register_profile("ci", _BOTH, max_examples=100, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# For tests of code that parses others' data: verdict, parse_response, page loop, Library URL and handle.
thorough = settings(max_examples=10 * settings.default.max_examples)

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
    output = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(output))
        if places:
            part, key = places[draw(st.integers(0, len(places) - 1))]
            if draw(st.booleans()):
                part[key] = draw(ODD)
            else:
                del part[key]
    return output


def _places(output: Any) -> Iterator[tuple[Any, Any]]:
    keys = (
        list(output) if isinstance(output, dict) else range(len(output)) if isinstance(output, list) else ()
    )
    for key in keys:
        yield output, key
        yield from _places(output[key])
