# SPDX-License-Identifier: Apache-2.0
"""The handle of a refresh: the job as JSON, between tasks and between attempts."""

from __future__ import annotations

import json
import math
import reprlib
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from examples import JSON, altered, thorough
from hypothesis import given
from hypothesis import strategies as st
from jobs import job_of

from airflow_provider_mstr.refresh.data_model import DataModelJob
from airflow_provider_mstr.refresh.kinds import load_job
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.rest.cookies import Cookie, Cookies
from airflow_provider_mstr.rest.endpoints.cubes import Cube
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh
from airflow_provider_mstr.rest.errors import InvalidHandle
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.text import clean

TOKEN, COOKIE = "token-nobody-may-see", "cookie-nobody-may-see"
SESSION = Session(
    TOKEN, Cookies([Cookie("JSESSIONID", COOKIE, "library.example.com", "/MicroStrategyLibrary", 1.8e9)])
)
SEAL = Seal("correct horse", "https://library.example.com 1 administrator")
TABLES = (
    TableRefresh("A" * 32, "ytd_day", RefreshPolicy.REPLACE),
    TableRefresh("B" * 32, "Größe 日", RefreshPolicy.UPSERT),
)
LAST_UPDATE = LastUpdate("P1", "M1", is_comparable=True, updated=datetime(2026, 1, 2, 3, 4, 5))


def a_job(**fields: Any) -> DataModelJob:
    instance = DataModelInstance(SESSION, "P1", "M1", "I1")
    return replace(job_of(instance, TABLES, 1.7e9), **fields)


def a_handle(**changed: Any) -> dict[str, Any]:
    return a_job(last_update=LAST_UPDATE).to_json(SEAL) | changed


@pytest.mark.parametrize(
    "job",
    [
        a_job(),
        a_job(tables=(), started_at=None),
        a_job(started_at=1.7e9 + 0.123456),
        a_job(last_update=LAST_UPDATE, concurrent_refresh=True),
        a_job(last_update=LastUpdate("P1", "M1")),
        a_job(last_update=LastUpdate("P1", "M1", is_comparable=True)),
    ],
)
@pytest.mark.parametrize(
    "convert", [lambda handle: handle, lambda handle: json.loads(json.dumps(handle)), json.dumps, str]
)
def test_a_job_survives_every_way_between_two_tasks(job: DataModelJob, convert: Any) -> None:
    """As XCom, as JSON, and as the text that a template makes of a dict."""
    assert load_job(convert(job.to_json(SEAL)), SEAL) == job


def test_a_handle_is_readable_except_for_its_session() -> None:
    job = a_job()
    handle = json.dumps(job.to_json(SEAL), ensure_ascii=False)
    for text in (handle, repr(job)):
        assert TOKEN not in text
        assert COOKIE not in text
        assert all(part in text for part in ("P1", "M1", "I1", "ytd_day", "Größe 日", "upsert"))


def test_a_handle_reads_as_plain_json() -> None:
    handle = a_handle()
    assert isinstance(handle.pop("session"), str)
    assert handle == {
        "kind": "data_model",
        "project_id": "P1",
        "project": "",
        "data_model_id": "M1",
        "name": "",
        "instance_id": "I1",
        "tables": [
            {"id": "A" * 32, "name": "ytd_day", "policy": "replace"},
            {"id": "B" * 32, "name": "Größe 日", "policy": "upsert"},
        ],
        "started_at": 1.7e9,
        "last_update": {"cube_id": "M1", "is_comparable": True, "updated": "2026-01-02T03:04:05"},
        "concurrent_refresh": False,
    }


def test_a_handle_does_not_load_under_another_connection() -> None:
    with pytest.raises(InvalidHandle, match="another connection"):
        load_job(a_handle(), Seal("another", SEAL.scope))


def test_a_job_without_its_start_is_the_same_job_otherwise() -> None:
    job = a_job(last_update=LAST_UPDATE, concurrent_refresh=True)
    assert job.without_start() == replace(job, started_at=None)


@pytest.mark.parametrize(
    ("policies", "adds_rows"), [((), False), (("replace", "upsert"), False), (("replace", "add"), True)]
)
def test_only_the_policy_add_adds_rows(policies: tuple[str, ...], adds_rows: bool) -> None:
    tables = tuple(TableRefresh("A", "a", RefreshPolicy(policy)) for policy in policies)
    assert a_job(tables=tables).adds_rows is adds_rows


@pytest.mark.parametrize(
    "handle",
    [None, "", "None", "null", "[]", "not a handle", 7, [], b"x", "{" * 100_000, "-" * 100_000 + "1", "\0"],
)
def test_anything_that_is_no_handle_is_rejected(handle: Any) -> None:
    with pytest.raises(InvalidHandle) as caught:
        load_job(handle, SEAL)
    assert caught.value.what == f"instance is {reprlib.repr(handle)}, not a handle of a refresh"


@pytest.mark.parametrize("kind", [None, "", "dashboard", "DATA_MODEL", [], {}, 7, True])
def test_a_handle_of_an_unknown_kind_is_rejected(kind: Any) -> None:
    with pytest.raises(InvalidHandle, match="not a handle of a refresh"):
        load_job(a_handle(kind=kind), SEAL)


@pytest.mark.parametrize("key", sorted(a_handle().keys()))
def test_a_handle_that_lacks_a_part_is_rejected(key: str) -> None:
    handle = a_handle()
    del handle[key]
    with pytest.raises(InvalidHandle) as caught:
        load_job(handle, SEAL)
    assert caught.value.what == f"instance is {reprlib.repr(handle)}, not a handle of a refresh"


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
        {"started_at": "soon"},
        {"started_at": []},
        {"started_at": math.inf},
        {"started_at": math.nan},
        {"last_update": {}},
        {"last_update": None},
        {"last_update": {"cube_id": "M1", "is_comparable": True}},
        {"last_update": {"is_comparable": True, "updated": None}},
        {"last_update": {"cube_id": "M1", "updated": None}},
        {"last_update": {"cube_id": 7, "is_comparable": True, "updated": None}},
        {"last_update": {"cube_id": [], "is_comparable": True, "updated": None}},
        {"last_update": {"cube_id": "M1", "is_comparable": True, "updated": False}},
        {"last_update": {"cube_id": "M1", "is_comparable": True, "updated": ""}},
        {"last_update": {"cube_id": "M1", "is_comparable": True, "updated": "yesterday"}},
    ],
)
def test_a_handle_with_a_part_of_another_form_is_rejected(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidHandle, match="not a handle of a refresh"):
        load_job(a_handle(**changed), SEAL)


@pytest.mark.parametrize("key", ["project_id", "data_model_id", "instance_id", "last_update"])
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
def test_a_handle_whose_id_could_lead_to_another_path_is_rejected(key: str, value: str) -> None:
    changed = LAST_UPDATE.to_json() | {"cube_id": value} if key == "last_update" else value
    with pytest.raises(InvalidHandle) as caught:
        load_job(a_handle(**{key: changed}), SEAL)
    assert caught.value.what == f"the handle's {key} is {reprlib.repr(value)}, which is not an id"


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
def test_an_id_of_any_server_is_accepted(value: str) -> None:
    handle = a_handle(instance_id=value, data_model_id=value, project_id=value)
    job = DataModelJob.from_json(handle, SEAL)
    assert (job.instance.instance_id, job.object_id, job.project_id) == (value,) * 3


def test_a_handle_that_was_started_at_no_moment_in_time_is_rejected() -> None:
    with pytest.raises(InvalidHandle):
        load_job(a_handle(started_at=10**400), SEAL)


def test_a_handle_of_a_newer_version_is_loaded_without_its_unknown_parts() -> None:
    handle = a_handle()
    assert load_job(handle | {"planet": "Mars"}, SEAL) == load_job(handle, SEAL)


IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}|", fullmatch=True)
TABLE_IDS = st.text().filter(lambda text: text.isprintable() and "." not in text)
TABLE_REFRESHES = st.builds(TableRefresh, TABLE_IDS, st.text().map(clean), st.sampled_from(RefreshPolicy))


@given(
    ids=st.tuples(IDS, IDS, IDS),
    tables=st.lists(TABLE_REFRESHES, max_size=3).map(tuple),
    at=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    updated=st.none() | st.datetimes(),
)
def test_every_job_survives_json_and_the_text_of_a_template(
    ids: tuple[str, str, str], tables: tuple[TableRefresh, ...], at: float | None, updated: datetime | None
) -> None:
    last_update = LastUpdate(*ids[:2], is_comparable=True, updated=updated) if ids[1] else NO_LAST_UPDATE
    job = job_of(DataModelInstance(SESSION, *ids), tables, at, last_update)
    handle = job.to_json(SEAL)
    assert load_job(json.dumps(handle), SEAL) == job
    assert load_job(str(handle), SEAL) == job


HANDLE = a_handle()
LATER = Cube(datetime(2026, 1, 2, 3, 4, 6), processing=False)


@thorough
@given(
    handle=st.one_of(
        altered(HANDLE),
        altered(HANDLE).map(json.dumps) | altered(HANDLE).map(str),
        JSON | JSON.map(json.dumps) | JSON.map(str),
        st.text() | st.binary(),
    )
)
def test_anything_is_a_handle_that_loads_or_is_rejected(handle: Any) -> None:
    try:
        job = load_job(handle, SEAL)
    except InvalidHandle:
        return
    again = job.to_json(SEAL)
    assert json.loads(json.dumps(again)) == again
    assert job.session == SESSION
    assert {type(part) for table in job.tables for part in (table.id, table.name)} <= {str}
    last_update = job.last_update
    is_older = last_update.updated is None or last_update.updated < datetime(2026, 1, 2, 3, 4, 6)
    assert last_update.is_older_than(LATER) is (last_update.is_comparable and is_older)


def test_a_loaded_job_has_the_handle_it_was_loaded_from() -> None:
    again = load_job(HANDLE, SEAL).to_json(SEAL)
    assert again | {"session": HANDLE["session"]} == HANDLE
