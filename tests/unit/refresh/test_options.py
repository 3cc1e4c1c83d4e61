# SPDX-License-Identifier: Apache-2.0
"""Options, as people type them."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_mstr.refresh.options import MOST, WhenBusy, positive_seconds
from airflow_provider_mstr.rest.errors import InvalidInput


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        (30, 30.0),
        (0.5, 0.5),
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("1e3", 1000.0),
        (Decimal("2.5"), 2.5),
        (timedelta(minutes=2), 120.0),
        (timedelta(milliseconds=1), 0.001),
    ],
)
def test_a_span_may_be_a_number_its_text_or_a_timedelta(typed: Any, seconds: float) -> None:
    assert positive_seconds("timeout", typed) == seconds
    assert type(positive_seconds("timeout", typed)) is float


@pytest.mark.parametrize(
    "typed",
    [
        0,
        -1,
        0.0,
        "0",
        "-5",
        timedelta(0),
        timedelta(seconds=-1),
        math.inf,
        -math.inf,
        math.nan,
        "inf",
        "nan",
        "1e999",
        True,
        False,
        None,
        "",
        "soon",
        "30s",
        [],
        [30],
        {},
        b"x",
        1j,
    ],
    ids=repr,
)
def test_what_is_no_positive_finite_span_is_refused_by_its_name(typed: Any) -> None:
    error = r"the connection's timeout is .*, which is not a positive number of seconds"
    with pytest.raises(InvalidInput, match=error):
        positive_seconds("the connection's timeout", typed)


def test_a_number_too_large_for_a_span_is_refused() -> None:
    with pytest.raises(InvalidInput):
        positive_seconds("timeout", 10**400)


@pytest.mark.parametrize("typed", [1e20, "1e9", timedelta(days=367), timedelta.max], ids=repr)
def test_a_span_of_more_than_a_year_is_refused(typed: Any) -> None:
    with pytest.raises(InvalidInput, match="more than a year"):
        positive_seconds("timeout", typed)


def test_a_year_is_a_span() -> None:
    assert positive_seconds("timeout", timedelta(days=365)) == 365 * 86400.0
    assert positive_seconds("timeout", MOST) == 366 * 86400.0


def test_an_option_is_one_of_its_choices() -> None:
    assert WhenBusy.of("fail") is WhenBusy.FAIL
    with pytest.raises(InvalidInput) as caught:
        WhenBusy.of("never")
    assert caught.value.what == "when_busy is 'never'; it must be one of: wait, fail"


@given(
    typed=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.timedeltas()
    | st.decimals()
    | st.lists(st.integers())
)
@example(typed=Decimal("sNaN"))
def test_anything_is_a_positive_span_of_a_year_at_most_or_refused(typed: Any) -> None:
    try:
        seconds = positive_seconds("timeout", typed)
    except InvalidInput:
        return
    assert type(seconds) is float
    assert 0 < seconds <= MOST.total_seconds()
