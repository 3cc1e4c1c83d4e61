# SPDX-License-Identifier: Apache-2.0
"""Whatever comes over the wire, each call yields a value or a MstrError and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import pytest
from examples import JSON, ODD, holding, is_harmful, thorough
from hypothesis import example, given
from hypothesis import strategies as st
from scripted import MODEL, PROJECT, PUBLISHED, TOKEN, a_session, an_instance

from airflow_provider_mstr.rest import about, errors, finding, procedures
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.protocol import Answer, Procedure, Request, Response, Run, decipher
from airflow_provider_mstr.rest.publication import PublishStatus, Verdict, verdict
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.rest.tables import Table
from airflow_provider_mstr.rest.text import clean

COOKIE = "cookie-value-nobody-may-see"


def first_request(procedure: Procedure[Any]) -> Request[Any]:
    step = Run(procedure).step
    assert isinstance(step, Request)
    return step


def procedures_by_name() -> dict[str, Procedure[Any]]:
    session = a_session(JSESSIONID=COOKIE)
    instance = an_instance(session)
    return {
        "login": procedures.login(Credentials(login="administrator", password=TOKEN)),
        "logout": procedures.logout(session),
        "sessions": procedures.session_status(session),
        "projects": procedures.list_projects(session),
        "project_id": procedures.project_id(session, "Tutorial"),
        "enter_project": procedures.enter_project(session, PROJECT),
        "data_model": procedures.data_model(session, PROJECT, MODEL),
        "list_data_models": finding.list_data_models(session, PROJECT),
        "data_model_id": finding.data_model_id(session, PROJECT, "Retail"),
        "full_name": finding.full_name(session),
        "user_connections": finding.user_connections(session),
        "create_instance": procedures.create_instance(session, PROJECT, MODEL),
        "list_tables": procedures.list_tables(instance),
        "table_sources": procedures.table_sources(instance, 0, 50, 1.0),
        "version": about.server_version(session),
        "publish": procedures.publish(instance, PUBLISHED),
        "publish_status": procedures.publish_status(instance),
        "cube": procedures.cube(session, PROJECT, MODEL),
        "delete_instance": procedures.delete_instance(instance),
    }


REQUESTS = {name: first_request(procedure) for name, procedure in procedures_by_name().items()}

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
    holding(information=holding(objectId=st.text(), name=st.text()), dataServeMode=st.text()),
    st.lists(holding(id=st.text(), name=st.text()) | ODD, max_size=4),
    holding(totalItems=st.integers(-2, 9), result=st.lists(HIT | ODD, max_size=4)),
    holding(nodes=st.lists(holding(name=st.text(), status=st.just("running")) | ODD, max_size=3)),
    holding(totalFiltered=st.integers(-2, 9), userConnections=st.lists(HIT | ODD, max_size=4)),
    holding(cubesInfos=st.lists(holding(status=st.integers(), lastUpdateTime=UPDATES) | ODD, max_size=2)),
)
BODIES = st.binary(max_size=200) | LIKELY_JSON.map(lambda said: json.dumps(said).encode())
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


def outcome(name: str, response: Response) -> Answer[Any] | MstrError:
    try:
        return decipher(REQUESTS[name], response)
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
        assert isinstance(made, Answer)


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
    dataServeMode=HARMFUL,
    fullName=HARMFUL,
    iServerVersion=HARMFUL,
)


@pytest.mark.parametrize("name", sorted(REQUESTS.keys() - WITHOUT_TEXTS))
@given(
    said=HARMFUL_JSON,
    status=st.sampled_from([200, 400, 500]),
    header=HARMFUL,
    kind=HARMFUL,
)
def test_no_text_of_the_server_can_harm_who_shows_it(
    name: str, said: Any, status: int, header: str, kind: str
) -> None:
    headers = (
        ("X-MSTR-AuthToken", header),
        ("X-MSTR-DataModelInstanceId", header),
        ("Content-Type", kind),
        ("Location", f"https://{header}/"),
    )
    made = outcome(name, Response(status, headers, json.dumps(said).encode()))
    texts = [str(made), *texts_of(made.reply)] if isinstance(made, MstrError) else texts_of(made.value)
    for text in texts:
        assert not is_harmful(text)
        # A token is only ever sent, and a header is not long.
        assert len(text) < 5000 or name == "login"


@pytest.mark.parametrize("name", REQUESTS)
@given(said=LIKELY_JSON, status=STATUSES)
def test_no_secret_that_the_server_repeats_gets_into_the_message(name: str, said: Any, status: int) -> None:
    made = outcome(name, Response(status, (), json.dumps(said).encode()))
    told = (made.reply.message or "") if isinstance(made, MstrError) else ""
    assert TOKEN not in told
    # There is no cookie to keep before the login.
    assert COOKIE not in told or name == "login"


@pytest.mark.parametrize("name", REQUESTS)
@given(data=st.data())
def test_any_answers_drive_a_whole_procedure_to_a_value_or_an_mstr_error(
    name: str, data: st.DataObject
) -> None:
    run = Run(procedures_by_name()[name])
    try:
        for _ in range(6):
            if run.step is None:
                break
            assert isinstance(run.step, Request)
            try:
                made: Any = decipher(run.step, data.draw(RESPONSES))
            except MstrError as error:
                made = error
            run.feed(made)
    except MstrError:
        pass


ANSWERS_OF_PUBLISH_STATUS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([0, 1, 6, "1"]) | ODD,
        "tables": st.lists(
            holding(id=st.sampled_from(["A", "b"]), status=st.sampled_from(["loaded", "error"])), max_size=3
        ),
    }
)


def read(name: str, said: Any) -> Any:
    return decipher(REQUESTS[name], Response(200, (), json.dumps(said).encode())).value


@thorough
@given(
    body=BODIES | ANSWERS_OF_PUBLISH_STATUS.map(json.dumps).map(str.encode),
    published=st.lists(st.sampled_from(["A", "B"]) | st.text(), max_size=3),
)
def test_any_answer_of_publish_status_comes_to_a_verdict_or_is_not_understood(
    body: bytes, published: list[str]
) -> None:
    try:
        status = decipher(REQUESTS["publish_status"], Response(200, (), body)).value
    except errors.NotUnderstood:
        return
    assert isinstance(status, PublishStatus)
    assert type(status.status) is int
    assert all(type(table.id) is type(table.word) is type(table.error) is str for table in status.tables)
    assert isinstance(verdict(status, published), Verdict)


@given(said=LIKELY_JSON)
@example(said={"tables": [{"information": {"objectId": "a", "name": None}}], "total": True})
def test_a_page_of_tables_is_read_to_tables_or_refused(said: Any) -> None:
    try:
        total, tables = read("list_tables", said)
    except errors.NotUnderstood:
        return
    assert total is None or type(total) is int
    assert all(isinstance(table, Table) and type(table.name) is str for table in tables)


@given(said=LIKELY_JSON)
def test_a_page_of_hits_is_read_to_hits_or_refused(said: Any) -> None:
    try:
        _, hits = read("list_data_models", said)
    except errors.NotUnderstood:
        return
    for hit in hits:
        told = (hit.id, hit.name, hit.serve_mode, *hit.kind, *hit.folder, str(hit))
        assert all(type(text) is str for text in told)


@given(said=LIKELY_JSON)
def test_projects_are_read_to_ids_and_names_or_refused(said: Any) -> None:
    try:
        projects = read("projects", said)
    except errors.NotUnderstood:
        assert not isinstance(said, list) or said
        return
    assert not said or projects
    assert all(type(project.id) is type(project.name) is str for project in projects)


CUBES = st.lists(holding(status=st.integers(), lastUpdateTime=UPDATES) | ODD, min_size=1, max_size=1)


@given(said=holding(cubesInfos=CUBES))
def test_a_cube_is_read_to_a_time_or_refused(said: Any) -> None:
    try:
        cube = read("cube", said)
    except errors.NotUnderstood:
        return
    assert cube.updated is None or (isinstance(cube.updated, datetime) and cube.updated.tzinfo is None)
    assert type(cube.processing) is bool


@given(code=st.text(max_size=12) | CODES)
def test_any_error_code_is_read_and_told_again(code: str) -> None:
    response = Response(500, (), json.dumps({"code": code}).encode())
    with pytest.raises(MstrError) as caught:
        decipher(REQUESTS["publish"], response)
    assert (caught.value.reply.code is None) is (clean(code) == "")
