# SPDX-License-Identifier: Apache-2.0
"""Incremental refresh reports: answers of another form."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import PROJECT, Played, a_session, answer, play

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.reports import get_incremental_refresh_report


def get(payload: dict[str, Any]) -> Played:
    return play(get_incremental_refresh_report(a_session(), PROJECT, "R"), answer(payload))


@pytest.mark.parametrize("cube", [None, {}, "C", ["C"]])
def test_a_report_needs_a_target_cube(cube: Any) -> None:
    error = get({"information": {"name": "Daily"}, "targetCube": cube}).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == (
        "could not read the incremental refresh report: "
        "unexpected response format: the report has no target cube"
    )


@pytest.mark.parametrize("information", [None, {}, "Daily", {"name": None}])
def test_a_report_needs_no_name(information: Any) -> None:
    report = get({"information": information, "targetCube": {"objectId": "C"}}).result
    assert (report.name, report.target_cube_id) == ("", "C")


def test_the_id_of_a_target_cube_is_checked() -> None:
    error = get({"targetCube": {"objectId": "a\nb"}}).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what.endswith("the target cube has an invalid id")
