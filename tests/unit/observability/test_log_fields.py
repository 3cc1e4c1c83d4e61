# SPDX-License-Identifier: Apache-2.0
"""The fields of the log lines of a refresh in Airflow 3's log."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jobs import job_of

from airflow_provider_mstr.observability.log_fields import log_fields, with_fields
from airflow_provider_mstr.refresh.data_model import DataModelSpec
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.progress import MAX_LINES
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh
from airflow_provider_mstr.rest.flow import Pause, Step, run_flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.responses import parse_response
from airflow_provider_mstr.rest.session import Credentials, Session

contextvars = pytest.importorskip("structlog.contextvars")

STARTED_AT = 1_700_000_000.0
TABLES = tuple(TableRefresh(f"{number:02}", f"t{number}", RefreshPolicy.ADD) for number in range(20))
INSTANCE = DataModelInstance(Session("token"), "P1", "M1", "I1")

Lines = list[tuple[str, dict[str, Any]]]


def current_fields() -> dict[str, Any]:
    """Return the fields that Airflow's log would add to a line that is logged now."""
    return dict(contextvars.get_contextvars().get("mstr", {}))


def log_to(lines: Lines) -> Callable[..., None]:
    """Return a log that stores each line with its fields."""
    return with_fields(lambda line: lines.append((line, current_fields())))


def test_fields_are_added_to_the_lines_of_the_block_and_no_others() -> None:
    with log_fields(tables=["a"]):
        assert current_fields() == {"tables": ["a"]}

    assert current_fields() == {}


def test_a_line_without_fields_has_none() -> None:
    lines: Lines = []

    log_to(lines)("a line")

    assert lines == [("a line", {})]
    with log_fields():
        assert "mstr" not in contextvars.get_contextvars()


@pytest.fixture
def lines() -> Lines:
    """Each line that a poller logs about twenty tables, with its fields."""
    lines: Lines = []
    clock = itertools.count(STARTED_AT).__next__
    job = job_of(INSTANCE, TABLES, STARTED_AT)
    answers = _answers()

    def perform(step: Step) -> Any:
        return None if isinstance(step, Pause) else parse_response(step, next(answers))

    run_flow(Poller(job, 600.0, 10.0, Credentials(), clock, log_to(lines)).wait(), perform)
    return lines


def _answers() -> Iterator[Response]:
    # Each table with a word of its own has a line of its own, and the last poll logs all in one.
    apart = ",".join(f'{{"id": "{table.id}", "status": "word {table.id}"}}' for table in TABLES)
    loaded = ",".join(f'{{"id": "{table.id}", "status": "loaded"}}' for table in TABLES)
    yield Response(200, (), f'{{"status": 6, "tables": [{apart}]}}'.encode())
    yield Response(200, (), f'{{"status": 1, "tables": [{loaded}]}}'.encode())


def test_the_line_of_a_change_has_the_state_of_its_table(lines: Lines) -> None:
    line, fields = lines[0]

    assert line.startswith("Table t0: word 00 after")
    assert fields["started_at"] == STARTED_AT
    (table,) = fields["tables"]
    seconds = table.pop("seconds")
    assert 0 < seconds < 600
    assert table == {"id": "00", "name": "t0", "policy": "add", "state": "running", "word": "word 00"}


def test_the_line_that_counts_changes_has_their_tables(lines: Lines) -> None:
    line, fields = lines[MAX_LINES]

    assert line.startswith("and 10 more changes")
    assert [table["name"] for table in fields["tables"]] == [f"t{number}" for number in range(10, 20)]


def test_the_one_line_of_many_tables_that_end_alike_has_them_all(lines: Lines) -> None:
    line, fields = lines[-1]

    assert line.startswith("20 tables: loaded")
    assert {table["state"] for table in fields["tables"]} == {"finished"}
    assert len(fields["tables"]) == len(TABLES)


def test_the_line_that_announces_a_publish_has_its_tables() -> None:
    lines: Lines = []
    table = TableRefresh("A" * 32, "A" * 32, RefreshPolicy.UPSERT)
    DataModelSpec().log_start(job_of(INSTANCE, (table,)), log_to(lines))

    ((line, fields),) = lines
    assert line.startswith("Publishing 1 tables")
    assert fields == {"tables": [{"id": "A" * 32, "name": "A" * 32, "policy": "upsert"}]}
