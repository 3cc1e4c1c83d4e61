# SPDX-License-Identifier: Apache-2.0
"""The result of a refresh as JSON, and as the event of a trigger."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from examples import JSON, altered
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mstr.refresh.result import RefreshResult, TableResult
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.errors import InvalidHandle, ServerReply
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy

KIND = "data_model"
RESULT = RefreshResult(
    KIND,
    "P1",
    "M1",
    State.FINISHED,
    tables_confirmed=True,
    seconds=61.3,
    tables=(
        TableResult("A" * 32, "ytd_day", RefreshPolicy.REPLACE, State.FINISHED, 12.5),
        TableResult("B" * 32, "lu_store", RefreshPolicy.ADD, State.RUNNING, None),
    ),
    name="Sales",
    project="Tutorial",
    cube_id="M1",
)
ERRORS = [
    None,
    errors.PublishFailed("it failed", ServerReply(500, "ERR002", -2147212544, "stalled", "T1", 3.0)),
    errors.PublishTimedOut("it took too long"),
    errors.ServerUnavailable("the server is unavailable"),
]


def test_a_result_survives_json() -> None:
    assert RefreshResult.from_json(json.loads(json.dumps(RESULT.to_json()))) == RESULT


def test_a_result_reads_as_plain_json() -> None:
    data = RESULT.to_json()
    assert data == {
        "kind": "data_model",
        "project_id": "P1",
        "project": "Tutorial",
        "data_model_id": "M1",
        "name": "Sales",
        "state": "finished",
        "tables_confirmed": True,
        "seconds": 61.3,
        "tables": [
            {"id": "A" * 32, "name": "ytd_day", "policy": "replace", "state": "finished", "seconds": 12.5},
            {"id": "B" * 32, "name": "lu_store", "policy": "add", "state": "running", "seconds": None},
        ],
    }
    assert {type(value) for value in data.values()} == {str, bool, float, list}
    assert type(data["tables"][0]["state"]) is str


def test_seconds_are_rounded_to_a_tenth() -> None:
    table = TableResult("A", "a", RefreshPolicy.ADD, State.FAILED, 0.04)
    data = replace(RESULT, seconds=1.26, tables=(table,)).to_json()
    assert (data["seconds"], data["tables"][0]["seconds"]) == (1.3, 0.0)


@pytest.mark.parametrize("error", ERRORS)
def test_an_event_has_the_result_and_its_error(error: errors.MstrError | None) -> None:
    event = replace(RESULT, error=error).to_event()
    again = RefreshResult.from_event(json.loads(json.dumps(event)))
    assert replace(again, error=None) == RESULT
    assert type(again.error) is type(error)
    assert str(again.error) == str(error)
    if error and again.error:
        assert again.error.reply == error.reply


TENTHS = st.integers(0, 10**7).map(lambda tenths: tenths / 10)
TABLE_RESULTS = st.builds(
    TableResult,
    st.text(),
    st.text(),
    st.sampled_from(RefreshPolicy),
    st.sampled_from(State),
    st.none() | TENTHS,
)
RESULTS = st.builds(
    RefreshResult,
    st.just(KIND),
    st.text(),
    st.text(),
    st.sampled_from(State),
    st.booleans(),
    TENTHS,
    st.lists(TABLE_RESULTS, max_size=3).map(tuple),
    name=st.text(),
    project=st.text(),
    cube_id=st.text(),
)


@given(result=RESULTS)
def test_every_result_survives_json(result: RefreshResult) -> None:
    assert RefreshResult.from_json(json.loads(json.dumps(result.to_json()))) == result


@given(data=altered(RESULT.to_json()) | JSON | st.binary())
def test_anything_is_a_result_or_rejected(data: Any) -> None:
    try:
        result = RefreshResult.from_json(data)
    except InvalidHandle:
        return
    assert RefreshResult.from_json(result.to_json()).state is result.state


@given(data=altered(replace(RESULT, error=ERRORS[1]).to_event()) | JSON | st.binary())
def test_anything_is_an_event_or_rejected(data: Any) -> None:
    try:
        result = RefreshResult.from_event(data)
    except InvalidHandle:
        return
    assert json.dumps(result.to_event())
    assert result.error is None or str(result.error)


def test_an_incomplete_result_or_event_is_named_as_such() -> None:
    with pytest.raises(InvalidHandle) as raised:
        RefreshResult.from_json({})
    assert raised.value.what == "this is not a complete result of a refresh"
    with pytest.raises(InvalidHandle) as raised:
        RefreshResult.from_event({})
    assert raised.value.what == "this is not a complete event of a refresh"


@pytest.mark.parametrize("tables_confirmed", [False, 1, "true"])
def test_tables_are_confirmed_only_if_the_json_is_true(tables_confirmed: Any) -> None:
    data = RESULT.to_json() | {"tables_confirmed": tables_confirmed}
    assert RefreshResult.from_json(data).tables_confirmed is False


@pytest.mark.parametrize("key", ["result", "seconds"])
def test_seconds_that_are_not_finite_are_rejected(key: str) -> None:
    data = RESULT.to_json()
    changed = data if key == "result" else data["tables"][0]
    changed["seconds"] = float("inf")
    with pytest.raises(InvalidHandle):
        RefreshResult.from_json(data)
