# SPDX-License-Identifier: Apache-2.0
"""What travels between the tasks of a refresh."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from examples import JSON, altered, thorough
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mstr.refresh import Ending, Refresh, RefreshHandle, RefreshOutcome, TableOutcome
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.cookies import Cookie, Cookies
from airflow_provider_mstr.rest.errors import HandleRefused, ServerReply
from airflow_provider_mstr.rest.evidence import Baseline, Cube
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.publication import State
from airflow_provider_mstr.rest.session import Seal, Session
from airflow_provider_mstr.rest.tables import RefreshPolicy, TableRefresh
from airflow_provider_mstr.rest.text import clean

TOKEN, COOKIE = "token-nobody-may-see", "cookie-nobody-may-see"
SEAL = Seal("correct horse", "https://library.example.com 1 administrator")
TABLES = (
    TableRefresh("A" * 32, "ytd_day", RefreshPolicy.REPLACE),
    TableRefresh("B" * 32, "Größe 日", RefreshPolicy.UPSERT),
)


def a_refresh(tables: tuple[TableRefresh, ...] = TABLES, published_at: float | None = 1.7e9) -> Refresh:
    cookie = Cookie("JSESSIONID", COOKIE, "library.example.com", "/MicroStrategyLibrary", 1.8e9)
    session = Session(TOKEN, Cookies([cookie]))
    return Refresh(DataModelInstance(session, "P1", "M1", "I1"), tables, published_at)


def a_handle(**changed: Any) -> dict[str, Any]:
    return RefreshHandle.of(a_refresh(), SEAL).to_json() | changed


# the handle


@pytest.mark.parametrize(
    "refresh",
    [
        a_refresh(),
        a_refresh((), None),
        a_refresh(published_at=1.7e9 + 0.123456),
        replace(a_refresh(), baseline=Baseline(True, datetime(2026, 1, 2, 3, 4, 5)), contested=True),
    ],
)
@pytest.mark.parametrize(
    "travel", [lambda said: said, lambda said: json.loads(json.dumps(said)), json.dumps, str]
)
def test_a_refresh_survives_every_way_between_two_tasks(refresh: Refresh, travel: Any) -> None:
    """As XCom, as JSON, and as the text that a template makes of a dict."""
    arrived = travel(RefreshHandle.of(refresh, SEAL).to_json())
    assert RefreshHandle.from_json(arrived).open(SEAL) == refresh


def test_a_handle_is_readable_but_for_its_session() -> None:
    handle = RefreshHandle.of(a_refresh(), SEAL)
    for shown in (json.dumps(handle.to_json(), ensure_ascii=False), repr(handle)):
        assert TOKEN not in shown
        assert COOKIE not in shown
        assert all(part in shown for part in ("P1", "M1", "I1", "ytd_day", "Größe 日", "upsert"))


def test_a_handle_does_not_open_under_another_connection() -> None:
    with pytest.raises(HandleRefused):
        RefreshHandle.from_json(a_handle()).open(Seal("another", SEAL.scope))


def test_the_published_tables_ids_are_told_in_order() -> None:
    assert a_refresh().table_ids == ("A" * 32, "B" * 32)


@pytest.mark.parametrize(
    "said",
    [None, "", "None", "null", "[]", "not a handle", 7, [], b"x", "{" * 100_000, "-" * 100_000 + "1", "\0"],
)
def test_what_is_no_handle_at_all_is_refused(said: Any) -> None:
    with pytest.raises(HandleRefused, match="not a whole handle"):
        RefreshHandle.from_json(said)


@pytest.mark.parametrize(
    "key", ["project_id", "data_model_id", "instance_id", "session", "tables", "published_at"]
)
def test_a_handle_that_lacks_a_part_is_refused(key: str) -> None:
    said = a_handle()
    del said[key]
    with pytest.raises(HandleRefused, match="not a whole handle"):
        RefreshHandle.from_json(said)


@pytest.mark.parametrize(
    "changed",
    [
        {"project_id": None},
        {"data_model_id": 7},
        {"instance_id": []},
        {"session": None},
        {"session": b"bytes"},
        {"tables": None},
        {"tables": 7},
        {"tables": "text"},
        {"tables": [None]},
        {"tables": [{}]},
        {"tables": [{"id": "A", "name": "a"}]},
        {"tables": [{"id": "A", "name": "a", "policy": "delete"}]},
        {"tables": [{"id": "A", "name": "a", "policy": []}]},
        {"tables": [{"id": "A\n", "name": "a", "policy": "add"}]},
        {"tables": [{"id": "A/../B", "name": "a", "policy": "add"}]},
        {"tables": [{"id": "..", "name": "a", "policy": "add"}]},
        {"tables": [{"id": "A", "name": "a\x1b[31m", "policy": "add"}]},
        {"tables": [{"id": "A", "name": "a\r\nb", "policy": "add"}]},
        {"published_at": "soon"},
        {"published_at": []},
        {"published_at": math.inf},
        {"published_at": math.nan},
        {"baseline": {}},
        {"baseline": {"readable": True}},
        {"baseline": {"readable": True, "updated": False}},
        {"baseline": {"readable": True, "updated": ""}},
        {"baseline": {"readable": True, "updated": "yesterday"}},
    ],
    ids=repr,
)
def test_a_handle_with_a_part_of_another_form_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(HandleRefused, match="not a whole handle"):
        RefreshHandle.from_json(a_handle(**changed))


@pytest.mark.parametrize("key", ["project_id", "data_model_id", "instance_id"])
@pytest.mark.parametrize(
    "value",
    [
        ".",
        "..",
        "...",
        "%2e%2e",
        "..%2F",
        "../..",
        "a/../b",
        "a/b",
        "/",
        "a\\b",
        "a%2fb",
        "a?b",
        "a#b",
        "a b",
        " ",
        "a\n",
        "\n",
        "a\r\nX-MSTR-AuthToken: b",
        "a\tb",
        "a\0",
        "a\x7f",
        "a\x85b",
        "a\u2028b",
        "\u202ea",
        "\ud800",
        "a" * 256,
    ],
)
def test_a_handle_whose_id_could_lead_elsewhere_is_refused(key: str, value: str) -> None:
    with pytest.raises(HandleRefused, match=f"handle's {key} is .*, which is not an id"):
        RefreshHandle.from_json(a_handle(**{key: value}))


@pytest.mark.parametrize(
    "value",
    [
        "CBE2C87449CEFFF7C089AEA0EE6BBA9C",
        "cbe2c874-49ce-fff7-c089-aea0ee6bba9c",
        "CBE2C874:2.node-1",
        "a..b",
        "Y2Fs+bA==",
        "",
    ],
)
def test_an_id_of_any_server_passes(value: str) -> None:
    handle = RefreshHandle.from_json(a_handle(instance_id=value, data_model_id=value, project_id=value))
    assert (handle.instance_id, handle.data_model_id, handle.project_id) == (value,) * 3


def test_a_handle_published_at_no_moment_in_time_is_refused() -> None:
    with pytest.raises(HandleRefused):
        RefreshHandle.from_json(a_handle(published_at=10**400))


def test_a_newer_handle_is_read_without_the_part_that_is_not_known() -> None:
    said = a_handle()
    assert RefreshHandle.from_json(said | {"planet": "Mars"}) == RefreshHandle.from_json(said)


# the outcome and the ending


OUTCOME = RefreshOutcome(
    "P1",
    "M1",
    State.FINISHED,
    proven=True,
    seconds=61.3,
    tables=(
        TableOutcome("A" * 32, "ytd_day", RefreshPolicy.REPLACE, State.FINISHED, 12.5),
        TableOutcome("B" * 32, "lu_store", RefreshPolicy.ADD, State.RUNNING, None),
    ),
)
ERRORS = [
    None,
    errors.PublishFailed("it failed", ServerReply(500, "ERR002", -2147212544, "stalled", "T1", 3.0)),
    errors.PublishTimedOut("too long"),
    errors.ServerUnavailable("away"),
]


def test_an_outcome_survives_json() -> None:
    assert RefreshOutcome.from_json(json.loads(json.dumps(OUTCOME.to_json()))) == OUTCOME


def test_an_outcome_reads_as_plain_words_and_numbers() -> None:
    assert OUTCOME.to_json() == {
        "project_id": "P1",
        "data_model_id": "M1",
        "state": "finished",
        "proven": True,
        "seconds": 61.3,
        "tables": [
            {"id": "A" * 32, "name": "ytd_day", "policy": "replace", "state": "finished", "seconds": 12.5},
            {"id": "B" * 32, "name": "lu_store", "policy": "add", "state": "running", "seconds": None},
        ],
    }
    assert {type(value) for value in OUTCOME.to_json().values()} == {str, bool, float, list}
    assert type(OUTCOME.to_json()["tables"][0]["state"]) is str


def test_seconds_are_told_to_a_tenth() -> None:
    table = TableOutcome("A", "a", RefreshPolicy.ADD, State.FAILED, 0.04)
    outcome = RefreshOutcome("P", "M", State.FAILED, proven=False, seconds=1.26, tables=(table,))
    assert (outcome.to_json()["seconds"], outcome.to_json()["tables"][0]["seconds"]) == (1.3, 0.0)


@pytest.mark.parametrize("error", ERRORS)
def test_an_ending_survives_json(error: errors.MstrError | None) -> None:
    again = Ending.from_json(json.loads(json.dumps(Ending(OUTCOME, error).to_json())))
    assert again.outcome == OUTCOME
    assert type(again.error) is type(error)
    assert str(again.error) == str(error)
    if error and again.error:
        assert again.error.reply == error.reply


TENTHS = st.integers(0, 10**7).map(lambda tenths: tenths / 10)
TABLE_OUTCOMES = st.builds(
    TableOutcome,
    st.text(),
    st.text(),
    st.sampled_from(RefreshPolicy),
    st.sampled_from(State),
    st.none() | TENTHS,
)
OUTCOMES = st.builds(
    RefreshOutcome,
    st.text(),
    st.text(),
    st.sampled_from(State),
    st.booleans(),
    TENTHS,
    st.lists(TABLE_OUTCOMES, max_size=3).map(tuple),
)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}|", fullmatch=True)
TABLE_IDS = st.text().filter(lambda text: text.isprintable() and "." not in text)
TABLE_REFRESHES = st.builds(TableRefresh, TABLE_IDS, st.text().map(clean), st.sampled_from(RefreshPolicy))


@given(outcome=OUTCOMES)
def test_every_outcome_survives_json(outcome: RefreshOutcome) -> None:
    assert RefreshOutcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


@given(
    ids=st.tuples(IDS, IDS, IDS),
    tables=st.lists(TABLE_REFRESHES, max_size=3).map(tuple),
    at=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_handle_survives_json_and_the_text_of_a_template(
    ids: tuple[str, str, str], tables: tuple[TableRefresh, ...], at: float | None
) -> None:
    handle = RefreshHandle(*ids, "sealed", tables, at)
    assert RefreshHandle.from_json(json.dumps(handle.to_json())) == handle
    assert RefreshHandle.from_json(str(handle.to_json())) == handle


HANDLE = a_handle(baseline=Baseline(True, datetime(2026, 1, 2, 3, 4, 5)).to_json())
LATER = Cube(datetime(2026, 1, 2, 3, 4, 6), processing=False)


@thorough
@given(
    said=st.one_of(
        altered(HANDLE),
        altered(HANDLE).map(json.dumps) | altered(HANDLE).map(str),
        JSON | JSON.map(json.dumps) | JSON.map(str),
        st.text() | st.binary(),
    )
)
def test_anything_is_a_handle_that_opens_or_is_refused(said: Any) -> None:
    try:
        handle = RefreshHandle.from_json(said)
        refresh = handle.open(SEAL)
    except HandleRefused:
        return
    assert json.loads(json.dumps(handle.to_json())) == handle.to_json()
    assert refresh.instance.session == a_refresh().instance.session
    assert {type(part) for table in refresh.tables for part in (table.id, table.name)} <= {str}
    assert refresh.baseline is None or refresh.baseline.outdated_by(LATER) in (True, False)


def test_a_handle_altered_in_no_part_is_whole() -> None:
    assert RefreshHandle.from_json(HANDLE).to_json() == HANDLE


@given(said=altered(OUTCOME.to_json()) | JSON | st.binary())
def test_anything_is_an_outcome_or_refused(said: Any) -> None:
    try:
        outcome = RefreshOutcome.from_json(said)
    except HandleRefused:
        return
    assert RefreshOutcome.from_json(outcome.to_json()).state is outcome.state


@given(said=altered(Ending(OUTCOME, ERRORS[1]).to_json()) | JSON | st.binary())
def test_anything_is_an_ending_or_refused(said: Any) -> None:
    try:
        ending = Ending.from_json(said)
    except HandleRefused:
        return
    assert json.dumps(ending.to_json())
    assert ending.error is None or str(ending.error)
