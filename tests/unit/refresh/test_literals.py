# SPDX-License-Identifier: Apache-2.0
"""Rendered arguments: values that became text in a template, and text that became values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_mstr.refresh.literals import (
    Blank,
    advice_for,
    as_text,
    is_blank,
    is_empty,
    mark_blanks,
    parse_literal,
    text_of,
)
from airflow_provider_mstr.rest.errors import InvalidInput

TEMPLATE = "{{ params.x }}"

# Text that is no literal of Python, for each way in which Python says so.
NO_LITERALS = {
    "name": "name",
    "open": "(",
    "null character": "\0",
    "unhashable key": "{[]: 1}",
    "many signs": "-" * 100_000 + "1",
    "many brackets": "(" * 100_000,
}


def is_same(value: Any, expected: Any) -> bool:
    """Whether two values are equal, of the same type and with the same parts."""
    return repr(value) == repr(expected)


@pytest.mark.parametrize(
    ("value", "written", "text"),
    [
        (2024, "2024", "2024"),
        (16, "0x10", "0x10"),
        (1.5, "1.50", "1.50"),
        ([1, 2], "[1,2]", "[1,2]"),
        (None, "None", "None"),
        (2024, TEMPLATE, "2024"),
        (0, TEMPLATE, "0"),
        (2024, None, "2024"),
        (1, "1.0", "1"),
        (1, "2", "1"),
        (" a ", TEMPLATE, " a "),
        ("16", "0x10", "16"),
        (True, TEMPLATE, True),
        (True, "1", True),
        (None, TEMPLATE, None),
        (b"x", TEMPLATE, b"x"),
        (1.5, TEMPLATE, 1.5),
        (-1, TEMPLATE, -1),
        (1 - 2**63, TEMPLATE, 1 - 2**63),
        (-(2**63), TEMPLATE, Decimal(-(2**63))),
        (2.0**63, TEMPLATE, Decimal(2**63)),
        (2**64, TEMPLATE, str(2**64)),
        ([16, 1.5], ["0x10", TEMPLATE], ["0x10", 1.5]),
        ((16, 17), ("0x10", TEMPLATE), ("0x10", "17")),
        ([16, 17], ["0x10"], ["0x10", "17"]),
        ([16], TEMPLATE, ["16"]),
        ({"a": 16, 2: 17}, {"a": "0x10", "b": "0x11"}, {"a": "0x10", "2": "17"}),
        ({1: 16}, {1: "0x10"}, {"1": "0x10"}),
        ({"a": [16]}, {"a": ["0x10"]}, {"a": ["0x10"]}),
        ({"0": 16}, "0x10", {"0": "16"}),
    ],
)
def test_native_rendering_is_undone(value: Any, written: Any, text: Any) -> None:
    assert is_same(as_text(value, written), text)


@pytest.mark.parametrize("written", NO_LITERALS.values(), ids=NO_LITERALS.keys())
def test_a_text_that_is_no_literal_was_not_evaluated(written: str) -> None:
    assert as_text(5, written) == "5"


@pytest.mark.parametrize(("digits", "text"), [(1, "7"), (4, "0007")])
def test_a_number_regains_the_zeros_at_its_beginning(digits: int, text: str) -> None:
    assert as_text(7, TEMPLATE, digits) == text_of(7, digits) == text


@pytest.mark.parametrize(
    ("value", "written", "marked"),
    [
        (None, None, None),
        (None, TEMPLATE, Blank(None)),
        ("", "", ""),
        ("".join([" ", " "]), "  ", "  "),
        ("", TEMPLATE, Blank("")),
        (" ", None, Blank(" ")),
        ("None", "None", "None"),
        ("None", TEMPLATE, Blank("None")),
        (" null ", TEMPLATE, Blank(" null ")),
        ("None", None, "None"),
        ("none", TEMPLATE, "none"),
        ("name", TEMPLATE, "name"),
        (0, TEMPLATE, 0),
        ({"a": None, "b": None}, {"a": TEMPLATE, "b": None}, {"a": Blank(None), "b": None}),
        ({"a": "x"}, {"a": TEMPLATE}, {"a": "x"}),
        ({1: None}, {1: TEMPLATE}, {1: Blank(None)}),
        ({"a": None}, TEMPLATE, {"a": None}),
        ([None, "x"], [TEMPLATE, "x"], [Blank(None), "x"]),
        ((None,), (TEMPLATE,), [Blank(None)]),
        ([None], TEMPLATE, [None]),
        ((None,), TEMPLATE, (None,)),
        ([[None]], [[TEMPLATE]], [[Blank(None)]]),
    ],
)
def test_a_value_that_a_template_made_of_nothing_is_blank(value: Any, written: Any, marked: Any) -> None:
    result = mark_blanks(value, written)
    assert result == marked
    assert is_same(result, marked)


def test_a_blank_reads_as_what_it_was() -> None:
    assert [repr(Blank(value)) for value in (None, "", "null")] == ["None", "''", "'null'"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", "a"),
        (7, "7"),
        (0, "0"),
        (-1, ""),
        (10**255 - 1, "9" * 255),
        (10**255, ""),
        (True, ""),
        (1.5, ""),
        (None, ""),
        (["a"], ""),
    ],
)
def test_only_text_and_whole_numbers_are_an_id_or_a_name(value: Any, text: str) -> None:
    assert text_of(value) == text


NATIVE = (
    ". If the DAG sets render_template_as_native_obj, Airflow turns text into Python values: "
    "write the template in quotes, \"'{{ ... }}'\", or pass the value as text"
)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (Blank(""), ". Check the template or the task that it comes from"),
        (None, ""),
        ("", ""),
        ("x", ""),
        (1.5, NATIVE),
        ([], NATIVE),
    ],
)
def test_the_advice_names_where_a_value_that_is_no_text_comes_from(value: Any, advice: str) -> None:
    assert advice_for(value) == advice


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": null}', {"a": None}),
        ("{'a': None}", {"a": None}),
        (" {'a': {'b': (1, 2)}}\n", {"a": {"b": (1, 2)}}),
        ("[1, true]", [1, True]),
        ("[1, True]", [1, True]),
        ("{1, 1}", {1}),
        ("'x'", "x"),
        ("7", 7),
        ("{'a': 1, **{'b': 2}}", None),
        ("{'a': x}", None),
        ("1 + 1", None),
        ("", None),
    ],
)
def test_a_text_is_read_as_json_or_as_a_literal_of_python(text: str, value: Any) -> None:
    assert is_same(parse_literal(text), value)


@pytest.mark.parametrize("text", NO_LITERALS.values(), ids=NO_LITERALS.keys())
def test_a_text_that_is_neither_has_no_value(text: str) -> None:
    assert parse_literal(text) is None


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "{'a': 1, 'a': 2}"])
def test_the_pairs_of_a_mapping_may_be_refused(text: str) -> None:
    def refuse(pairs: list[tuple[str, Any]]) -> Any:
        raise InvalidInput(f"{pairs}")

    assert parse_literal(text) == {"a": 2}
    with pytest.raises(InvalidInput) as caught:
        parse_literal(text, refuse)
    assert caught.value.what == "[('a', 1), ('a', 2)]"


@pytest.mark.parametrize(
    ("value", "blank", "empty"),
    [
        (None, True, False),
        (Blank("x"), True, False),
        ("", True, True),
        (" ", True, True),
        (" None ", True, False),
        ("NULL", True, False),
        ("x", False, False),
        (0, False, False),
        ([], False, False),
    ],
    ids=repr,
)
def test_what_is_blank_or_empty(value: Any, blank: bool, empty: bool) -> None:
    assert (is_blank(value), is_empty(value)) == (blank, empty)
