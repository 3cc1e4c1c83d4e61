# SPDX-License-Identifier: Apache-2.0
"""For any response, each request returns a value or raises a MstrError."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from typing import Any

import pytest
from examples import JSON, ODD, holding, is_harmful, thorough
from hypothesis import example, given
from hypothesis import strategies as st
from scripted import MODEL, PROJECT, PUBLISHED, TOKEN, KilledError, a_session, an_instance

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints import server as about
from airflow_provider_mstr.rest.endpoints.auth import get_session_status, login, logout
from airflow_provider_mstr.rest.endpoints.cubes import get_cube
from airflow_provider_mstr.rest.endpoints.data_models import (
    Table,
    create_instance,
    delete_instance,
    get_publish_status,
    list_table_sources,
    list_tables,
    start_publish,
)
from airflow_provider_mstr.rest.endpoints.monitors import get_full_name, list_user_connections
from airflow_provider_mstr.rest.endpoints.projects import enter_project, find_project_id, list_projects
from airflow_provider_mstr.rest.endpoints.search import DATA_MODEL, find_object_id, list_objects
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.flow import Flow, Step, run_flow
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.publish_status import PublishStatus, Verdict, verdict
from airflow_provider_mstr.rest.responses import parse_response
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.rest.text import clean

COOKIE = "cookie-value-nobody-may-see"


def first_request(flow: Flow[Any]) -> Request[Any]:
    step = next(flow)
    assert isinstance(step, Request)
    return step


def flows_by_name() -> dict[str, Flow[Any]]:
    session = a_session(JSESSIONID=COOKIE)
    instance = an_instance(session)
    return {
        "login": login(Credentials(login="administrator", password=TOKEN)),
        "logout": logout(session),
        "sessions": get_session_status(session),
        "projects": list_projects(session),
        "project_id": find_project_id(session, "Tutorial"),
        "enter_project": enter_project(session, PROJECT),
        "list_data_models": list_objects(session, PROJECT, DATA_MODEL),
        "data_model_id": find_object_id(session, PROJECT, DATA_MODEL, "Retail"),
        "full_name": get_full_name(session),
        "user_connections": list_user_connections(session),
        "create_instance": create_instance(session, PROJECT, MODEL),
        "list_tables": list_tables(instance),
        "table_sources": list_table_sources(instance, 0, 50, 1.0),
        "version": about.server_version(session),
        "publish": start_publish(instance, PUBLISHED),
        "publish_status": get_publish_status(instance),
        "cube": get_cube(session, PROJECT, MODEL),
        "delete_instance": delete_instance(instance),
    }


REQUESTS = {name: first_request(flow) for name, flow in flows_by_name().items()}

CODES = st.sampled_from(["ERR001", "ERR004", "ERR006", "ERR009", "ERR0014", "8004cb0a", "ERR", "zz"])
NUMBERS = st.sampled_from([-2147072194, -2147468986, -2147212544, "-2147072486", 0, 1])
ERROR = holding(code=CODES, iServerCode=NUMBERS, message=st.just(f"no {TOKEN}, {COOKIE}"), ticketId=st.text())
ENTRY = holding(id=st.text(), status=st.text(), state=st.text(), errorCode=NUMBERS, errorMessage=st.text())
ROW = holding(information=holding(objectId=st.text(), name=st.text()))
HIT = holding(
    id=st.text(),
    name=st.just("Retail"),
    subtype=st.just(779),
    extType=st.just(448),
    viewMedia=st.integers(),
    ancestors=st.lists(holding(name=st.text()) | ODD, max_size=2),
    duration=st.integers(),
)
UPDATES = st.sampled_from(
    ["01/02/2026 03:04:05", "2026-01-02T03:04:05", "12/31/9999 23:59:59", "01/01/0001 00:00:00", "0"]
)
LIKELY_JSON = st.one_of(
    JSON,
    ERROR,
    holding(errors=st.lists(ERROR | ODD, max_size=3), ticketId=st.text()),
    holding(status=st.integers() | st.text(), tables=st.lists(ENTRY | ODD, max_size=4), message=st.text()),
    holding(total=st.integers(-2, 9), tables=st.lists(ROW | ODD, max_size=4), offset=st.integers()),
    st.lists(holding(id=st.text(), name=st.text()) | ODD, max_size=4),
    holding(totalItems=st.integers(-2, 9), result=st.lists(HIT | ODD, max_size=4)),
    holding(nodes=st.lists(holding(name=st.text(), status=st.just("running")) | ODD, max_size=3)),
    holding(totalFiltered=st.integers(-2, 9), userConnections=st.lists(HIT | ODD, max_size=4)),
    holding(cubesInfos=st.lists(holding(status=st.integers(), lastUpdateTime=UPDATES) | ODD, max_size=2)),
)
BODIES = st.binary(max_size=200) | LIKELY_JSON.map(lambda payload: json.dumps(payload).encode())
HEADER_NAMES = st.sampled_from(
    [
        "x-mstr-authtoken",
        "X-MSTR-DataModelInstanceId",
        "Set-Cookie",
        "Location",
        "Retry-After",
        "Date",
        "Content-Type",
        "",
    ]
)
DATES = st.sampled_from(
    [
        "Wed, 21 Oct 2026 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00",
        "Wed, 21 Oct 9999 23:59:59 -2359",
        "9" * 30,
    ]
)
HEADERS = st.lists(st.tuples(HEADER_NAMES, DATES | st.text(max_size=40)), max_size=6).map(tuple)
STATUSES = st.sampled_from([200, 204, 302, 400, 401, 403, 404, 429, 500, 502, 503]) | st.integers(0, 999)
RESPONSES = st.builds(Response, STATUSES, HEADERS, BODIES)


def outcome(name: str, response: Response) -> Any:
    try:
        return parse_response(REQUESTS[name], response)
    except MstrError as error:
        return error


@thorough
@given(name=st.sampled_from(sorted(REQUESTS)), response=RESPONSES)
def test_any_response_is_a_value_or_an_mstr_error(name: str, response: Response) -> None:
    made = outcome(name, response)
    if isinstance(made, MstrError):
        assert json.dumps(made.to_json())
        assert str(made)
    else:
        assert 200 <= response.status < 300


CODE_OR_TICKET = re.compile(r"\b(code|iServerCode|ticket)\b")


@thorough
@given(name=st.sampled_from(sorted(REQUESTS)), status=STATUSES, payload=LIKELY_JSON)
@example(name="publish", status=404, payload={"code": "ERR004", "message": "HTTP 404 Not Found"})
def test_the_codes_end_the_text_and_are_there_once(name: str, status: int, payload: Any) -> None:
    error = outcome(name, Response(status, (), json.dumps(payload).encode()))
    if not isinstance(error, MstrError):
        return
    reply = error.reply
    words = replace(error.reply, message=None)
    error.reply = words
    text = str(error)

    assert text.endswith(f" ({words})")
    own = text.removesuffix(f" ({words})")
    # Nobody looks for a code or a ticket that the server did not send.
    assert CODE_OR_TICKET.search(own) is None
    assert f"HTTP {status}" not in own
    assert ("ticket" in str(words)) is (reply.ticket is not None)
    assert not own.endswith(".")


def texts_of(value: Any) -> Iterator[str]:
    """Every text of a value, however deep inside."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        yield from texts_of([getattr(value, field.name) for field in fields(value)])
    elif isinstance(value, Mapping):
        yield from texts_of([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from texts_of(part)


# Calls that read only a number of the answer, or only its status.
WITHOUT_TEXTS = {"enter_project", "sessions"}

HARMFUL = st.sampled_from(
    ["a\nb", "\x1b[2J", "a\u202eb", "a\u200bb", "\ud800", "\x9b", "a\u2028b", "x" * 10**5, "ordinary", "1.2"]
)
HARMFUL_ENTRY = holding(
    id=HARMFUL,
    name=HARMFUL,
    status=HARMFUL,
    errorMessage=HARMFUL,
    information=holding(objectId=HARMFUL | st.just(MODEL), name=HARMFUL),
    ancestors=st.lists(holding(name=HARMFUL), max_size=2),
    username=HARMFUL,
    projectName=HARMFUL,
    physicalTable=st.builds(
        lambda source: {"pipeline": json.dumps({"rootTable": {"importSource": source}})},
        holding(dataSourceId=HARMFUL, namespace=HARMFUL, tableName=HARMFUL),
    ),
) | holding(id=st.just(MODEL), name=HARMFUL, status=HARMFUL, errorMessage=HARMFUL)
HARMFUL_ENTRIES = st.lists(HARMFUL_ENTRY, max_size=2)
HARMFUL_JSON = HARMFUL_ENTRIES | holding(
    code=HARMFUL,
    message=HARMFUL,
    ticketId=HARMFUL,
    status=st.just(1),
    tables=HARMFUL_ENTRIES,
    result=HARMFUL_ENTRIES,
    nodes=HARMFUL_ENTRIES,
    userConnections=HARMFUL_ENTRIES,
    information=holding(objectId=HARMFUL | st.just(MODEL), name=HARMFUL),
    fullName=HARMFUL,
    iServerVersion=HARMFUL,
)


@pytest.mark.parametrize("name", sorted(REQUESTS.keys() - WITHOUT_TEXTS))
@given(
    payload=HARMFUL_JSON,
    status=st.sampled_from([200, 400, 500]),
    header=HARMFUL,
    kind=HARMFUL,
)
def test_no_text_of_the_server_is_harmful_when_shown(
    name: str, payload: Any, status: int, header: str, kind: str
) -> None:
    headers = (
        ("X-MSTR-AuthToken", header),
        ("X-MSTR-DataModelInstanceId", header),
        ("Content-Type", kind),
        ("Location", f"https://{header}/"),
    )
    made = outcome(name, Response(status, headers, json.dumps(payload).encode()))
    texts = [str(made), *texts_of(made.reply)] if isinstance(made, MstrError) else texts_of(made)
    for text in texts:
        assert not is_harmful(text)
        # A token is only ever sent, and a header is not long.
        assert len(text) < 5000 or name == "login"


@pytest.mark.parametrize("name", REQUESTS)
@given(payload=LIKELY_JSON, status=STATUSES)
def test_no_secret_of_the_server_is_in_the_message(name: str, payload: Any, status: int) -> None:
    made = outcome(name, Response(status, (), json.dumps(payload).encode()))
    message = (made.reply.message or "") if isinstance(made, MstrError) else ""
    assert TOKEN not in message
    # There is no cookie to keep before the login.
    assert COOKIE not in message or name == "login"


@pytest.mark.parametrize("name", REQUESTS)
@given(data=st.data())
def test_a_flow_with_any_answers_ends_with_a_value_or_an_mstr_error(name: str, data: st.DataObject) -> None:
    requests: list[Step] = []

    def perform(step: Step) -> Any:
        assert isinstance(step, Request)
        requests.append(step)
        if len(requests) > 6:
            raise KilledError
        return parse_response(step, data.draw(RESPONSES))

    with suppress(MstrError, KilledError):
        run_flow(flows_by_name()[name], perform)


ANSWERS_OF_PUBLISH_STATUS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([0, 1, 6, "1"]) | ODD,
        "tables": st.lists(
            holding(id=st.sampled_from(["A", "b"]), status=st.sampled_from(["loaded", "error"])), max_size=3
        ),
    }
)


def read(name: str, payload: Any) -> Any:
    return parse_response(REQUESTS[name], Response(200, (), json.dumps(payload).encode()))


@thorough
@given(
    body=BODIES | ANSWERS_OF_PUBLISH_STATUS.map(json.dumps).map(str.encode),
    published=st.lists(st.sampled_from(["A", "B"]) | st.text(), max_size=3),
)
def test_any_publish_status_has_a_verdict_or_is_invalid(body: bytes, published: list[str]) -> None:
    try:
        status = parse_response(REQUESTS["publish_status"], Response(200, (), body))
    except errors.InvalidResponse:
        return
    assert isinstance(status, PublishStatus)
    assert type(status.status) is int
    assert all(type(table.id) is type(table.word) is type(table.error) is str for table in status.tables)
    assert isinstance(verdict(status, published), Verdict)


@given(payload=LIKELY_JSON)
@example(payload={"tables": [{"information": {"objectId": "a", "name": None}}], "total": True})
def test_a_page_of_tables_is_parsed_or_rejected(payload: Any) -> None:
    try:
        total, tables = read("list_tables", payload)
    except errors.InvalidResponse:
        return
    assert total is None or type(total) is int
    assert all(isinstance(table, Table) and type(table.name) is str for table in tables)


@given(payload=LIKELY_JSON)
def test_a_page_of_search_results_is_parsed_or_rejected(payload: Any) -> None:
    try:
        _, hits = read("list_data_models", payload)
    except errors.InvalidResponse:
        return
    for hit in hits:
        texts = (hit.id, hit.name, hit.serve_mode, *hit.kind, *hit.folder, str(hit))
        assert all(type(text) is str for text in texts)


@given(payload=LIKELY_JSON)
def test_projects_are_parsed_or_rejected(payload: Any) -> None:
    try:
        projects = read("projects", payload)
    except errors.InvalidResponse:
        assert not isinstance(payload, list) or payload
        return
    assert not payload or projects
    assert all(type(project.id) is type(project.name) is str for project in projects)


CUBES = st.lists(holding(status=st.integers(), lastUpdateTime=UPDATES) | ODD, min_size=1, max_size=1)


@given(payload=holding(cubesInfos=CUBES))
def test_a_cube_is_parsed_or_rejected(payload: Any) -> None:
    try:
        cube = read("cube", payload)
    except errors.InvalidResponse:
        return
    assert cube.updated is None or (isinstance(cube.updated, datetime) and cube.updated.tzinfo is None)
    assert type(cube.processing) is bool


@given(code=st.text(max_size=12) | CODES)
def test_any_error_code_is_parsed_and_reported(code: str) -> None:
    response = Response(500, (), json.dumps({"code": code}).encode())
    with pytest.raises(MstrError) as caught:
        parse_response(REQUESTS["publish"], response)
    assert (caught.value.reply.code is None) is (clean(code) == "")
