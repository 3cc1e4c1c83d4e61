# SPDX-License-Identifier: Apache-2.0
"""The cube of a data model, and whether its last update can be compared."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from scripted import MODEL, PROJECT, Played, a_session, answer, play

from airflow_provider_mstr.rest.endpoints.cubes import Cube, get_cube
from airflow_provider_mstr.rest.errors import InvalidResponse

UPDATED = datetime(2026, 1, 2, 3, 4, 5)


def read(*cubes: Any, **headers: str) -> Played:
    return play(get_cube(a_session(), PROJECT, MODEL), answer({"cubesInfos": list(cubes)}, **headers))


@pytest.mark.parametrize(
    "text", ["01/02/2026 03:04:05", "2026-01-02T03:04:05", "2026-01-02T03:04:05.000+0000"]
)
def test_the_last_update_is_read_in_each_format(text: str) -> None:
    assert read({"status": 2, "lastUpdateTime": text}).result == Cube(UPDATED, False, True, True)


@pytest.mark.parametrize("text", [None, ""])
def test_a_cube_may_have_no_last_update(text: Any) -> None:
    assert read({"status": 0, "lastUpdateTime": text}).result == Cube(None, False, False, True)


@pytest.mark.parametrize("text", ["yesterday", 7, "13/02/2026 03:04:05"])
def test_a_last_update_that_is_not_a_time_is_invalid(text: Any) -> None:
    error = read({"lastUpdateTime": text}).error
    assert isinstance(error, InvalidResponse)
    assert error.what.endswith("unexpected response format: the cube's last update is not a time")


@pytest.mark.parametrize("listed", [None, {}, [], [None], ["x"], [{}, {}]])
def test_a_response_without_exactly_one_cube_is_invalid(listed: Any) -> None:
    error = play(get_cube(a_session(), PROJECT, MODEL), answer({"cubesInfos": listed})).error
    assert isinstance(error, InvalidResponse)
    assert error.what.endswith("unexpected response format: not exactly one cube")


@pytest.mark.parametrize(
    ("status", "processing", "holds_rows", "settled"),
    [
        (0, False, False, True),
        (1, True, False, False),
        (2, False, True, False),
        (3, True, False, False),
        (64, False, True, False),
        (None, False, False, False),
        ("1", True, False, False),
        ("17510", False, True, False),
        ("loaded", False, False, False),
    ],
)
def test_the_bits_of_the_status_are_read(
    status: Any, processing: bool, holds_rows: bool, settled: bool
) -> None:
    assert read({"status": status}).result == Cube(None, processing, holds_rows, settled)


@pytest.mark.parametrize(
    ("age", "settled"),
    [
        (timedelta(seconds=0), False),
        (timedelta(seconds=3), False),
        (timedelta(seconds=4), True),
        (timedelta(minutes=15, seconds=-4), True),
        (timedelta(minutes=15, seconds=-3), False),
        (timedelta(minutes=15, seconds=-1), False),
        (timedelta(hours=-5, seconds=2), False),
        (timedelta(hours=-5, seconds=60), True),
        (timedelta(hours=15), False),
        (timedelta(hours=15, seconds=1), True),
        (timedelta(hours=-15), False),
        (timedelta(hours=-15, seconds=-1), True),
    ],
    ids=str,
)
def test_an_update_is_settled_unless_it_may_be_of_the_last_seconds_in_some_time_zone(
    age: timedelta, settled: bool
) -> None:
    cube = {"status": 2, "lastUpdateTime": "01/02/2026 03:04:05"}
    assert read(cube, Date=format_datetime(UPDATED + age)).result.settled is settled


@pytest.mark.parametrize("headers", [{}, {"Date": "today"}, {"Date": "Wed, 99 Oct 2026 07:28:30 GMT"}])
def test_an_update_is_settled_if_the_server_does_not_tell_its_time(headers: dict[str, str]) -> None:
    assert read({"status": 2, "lastUpdateTime": "01/02/2026 03:04:05"}, **headers).result.settled
