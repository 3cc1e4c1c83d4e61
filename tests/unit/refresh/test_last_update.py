# SPDX-License-Identifier: Apache-2.0
"""The last update of a cube before and after a load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scripted import MODEL, PROJECT, SESSION_OVER, TOKEN, a_session, answer, empty, play, refusal

from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.cubes import Cube
from airflow_provider_mstr.rest.messages import Response

AT = datetime(2026, 1, 2, 3, 4, 5)
SECOND = timedelta(seconds=1)
LOADED_BEFORE = LastUpdate(PROJECT, MODEL, is_comparable=True, updated=AT)
NEVER_LOADED = LastUpdate(PROJECT, MODEL, is_comparable=True)
NOT_COMPARABLE = LastUpdate(PROJECT, MODEL)


def cube(updated: datetime | None, *, holds_rows: bool = False, settled: bool = True) -> Cube:
    return Cube(updated, processing=False, holds_rows=holds_rows, settled=settled)


@pytest.mark.parametrize(
    ("before", "now", "is_older"),
    [
        (LOADED_BEFORE, cube(AT + SECOND), True),
        (LOADED_BEFORE, cube(AT), False),
        (LOADED_BEFORE, cube(AT - SECOND, holds_rows=True), False),
        (LOADED_BEFORE, cube(None, holds_rows=True), False),
        (LOADED_BEFORE, None, False),
        (NEVER_LOADED, cube(AT), True),
        (NEVER_LOADED, cube(None, holds_rows=True), True),
        (NEVER_LOADED, cube(None), False),
        (NEVER_LOADED, None, False),
        (NOT_COMPARABLE, cube(AT, holds_rows=True), False),
        (LOADED_BEFORE.without_comparison(), cube(AT + SECOND), False),
        (NO_LAST_UPDATE, cube(AT, holds_rows=True), False),
    ],
)
def test_only_a_later_update_or_the_first_load_is_newer(
    before: LastUpdate, now: Cube | None, is_older: bool
) -> None:
    assert before.is_older_than(now) is is_older


@pytest.mark.parametrize("before", [NOT_COMPARABLE, LOADED_BEFORE])
@pytest.mark.parametrize(
    ("shown", "last_update"),
    [
        (cube(AT + SECOND), LastUpdate(PROJECT, MODEL, is_comparable=True, updated=AT + SECOND)),
        (cube(None), NEVER_LOADED),
        (cube(AT, settled=False), NOT_COMPARABLE),
        (None, NOT_COMPARABLE),
    ],
    ids=["loaded", "never loaded", "just loaded", "unreadable"],
)
def test_only_a_cube_whose_next_load_shows_is_comparable(
    before: LastUpdate, shown: Cube | None, last_update: LastUpdate
) -> None:
    assert before.at(shown) == last_update


def test_a_last_update_without_comparison_has_no_time_but_its_cube() -> None:
    assert LOADED_BEFORE.without_comparison() == NOT_COMPARABLE


def test_the_cube_is_read_in_its_project_and_in_the_session() -> None:
    reply = answer({"cubesInfos": [{"status": 2, "lastUpdateTime": "01/02/2026 03:04:05"}]})
    played = play(NOT_COMPARABLE.read(a_session()), reply)
    assert played.result == cube(AT, holds_rows=True)
    (request,) = played.requests
    assert (request.path, dict(request.query)) == ("/api/cubes", {"id": MODEL})
    assert request.headers["X-MSTR-ProjectID"] == PROJECT
    assert request.headers["X-MSTR-AuthToken"] == TOKEN


@pytest.mark.parametrize("reply", [refusal(403, "ERR014"), empty(503), empty(200)])
def test_a_cube_that_cannot_be_read_shows_nothing(reply: Response) -> None:
    assert play(LOADED_BEFORE.read(a_session()), reply).result is None


def test_a_session_that_is_over_shows_when_the_cube_is_read() -> None:
    assert type(play(LOADED_BEFORE.read(a_session()), SESSION_OVER).error) is errors.SessionExpired


def test_without_a_cube_nothing_is_read() -> None:
    assert play(NO_LAST_UPDATE.read(a_session())).result is None


@pytest.mark.parametrize("last_update", [LOADED_BEFORE, NEVER_LOADED, NOT_COMPARABLE, NO_LAST_UPDATE])
def test_a_last_update_survives_json(last_update: LastUpdate) -> None:
    assert LastUpdate.from_json(last_update.to_json(), PROJECT) == last_update


def test_a_last_update_with_a_zone_is_compared_without_it() -> None:
    data = LOADED_BEFORE.to_json() | {"updated": AT.replace(tzinfo=UTC).isoformat()}
    assert LastUpdate.from_json(data, PROJECT) == LOADED_BEFORE


def test_a_last_update_is_comparable_only_if_its_json_is_true() -> None:
    data = LOADED_BEFORE.to_json() | {"is_comparable": 1}
    assert LastUpdate.from_json(data, PROJECT).is_comparable is False
