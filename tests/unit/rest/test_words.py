# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mstr.rest.words import MAX_LINE, count, duration, find_by_name, fit, shorten, suggest


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["b", "a"], "b, a"),
        (["a", "b", "c"], "a, b and 1 more"),
        (list("abcde"), "a, b and 3 more"),
    ],
)
def test_the_first_names_are_listed_in_order_and_the_rest_is_counted(names: list[str], expected: str) -> None:
    assert shorten(names, 2) == expected


@pytest.mark.parametrize(("number", "text"), [(0, "0 tables"), (1, "1 table"), (2, "2 tables")])
def test_one_thing_is_counted_in_the_singular(number: int, text: str) -> None:
    assert count(number, "table") == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["Retail", "Sales"], "similar names: Retail"),
        (["RETAILS", "Sales"], "similar names: RETAILS"),
        (["b", "a"], "the existing names are: a, b"),
        ([f"{number:02}" for number in range(21)], f"{', '.join(f'{n:02}' for n in range(20))} and 1 more"),
        ([], "there is none that the user can see"),
    ],
)
def test_similar_names_come_before_a_list_of_all(names: list[str], text: str) -> None:
    assert suggest("retial", iter(names)).endswith(text)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Sales", ["Sales"]),
        ("sales", ["Sales", "SALES"]),
        ("Köln", ["Köln"]),
        ("Ko\u0308ln", ["Köln"]),
        ("KO\u0308LN", ["Köln"]),
        ("Sa\nles 2", []),
        ("Sales\n", ["Sales"]),
    ],
)
def test_an_exact_name_comes_before_another_unicode_form_and_another_case(
    name: str, found: list[str]
) -> None:
    assert find_by_name(name, iter(["Sales", "SALES", "Köln"]), str) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (10.4, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (72.4, "1 min 12 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
    ],
)
def test_a_duration_has_its_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.text())
def test_a_text_fits_into_a_line(text: str) -> None:
    line = fit(text)
    assert line.isprintable()
    assert len(line) == min(len(text), MAX_LINE)


def test_a_text_that_is_too_long_ends_with_an_ellipsis() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("abcd", 4) == "abcd"


def test_what_cannot_be_printed_is_a_blank() -> None:
    assert fit("a\nb\x1b") == "a b "


def test_similar_names_are_suggested() -> None:
    assert suggest("Salez", ["Sales", "Sale", "Stock"]) == "similar names: Sale, Sales"
