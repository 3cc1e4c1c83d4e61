# SPDX-License-Identifier: Apache-2.0
"""What stands beside the lines of a refresh in Airflow 3's log."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_mstr.arguments import WhenBusy
from airflow_provider_mstr.facts import beside
from airflow_provider_mstr.publishing import Publisher
from airflow_provider_mstr.refresh import Refresh
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Pause, Response, Run, decipher
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.tables import RefreshPolicy, TableChoice, TableRefresh
from airflow_provider_mstr.watch import MOST_LINES, Watcher

contextvars = pytest.importorskip("structlog.contextvars")

PUBLISHED_AT = 1_700_000_000.0
TABLES = tuple(TableRefresh(f"{number:02}", f"t{number}", RefreshPolicy.ADD) for number in range(20))


def facts() -> dict[str, Any]:
    """Return what Airflow's log would have beside a line that is told now."""
    return dict(contextvars.get_contextvars().get("mstr", {}))


def test_facts_stand_beside_the_lines_of_the_block_and_no_others() -> None:
    with beside(tables=["a"]):
        assert facts() == {"tables": ["a"]}

    assert facts() == {}


@pytest.fixture
def told() -> list[tuple[str, dict[str, Any]]]:
    """Each line that a watch tells of twenty tables, and what stands beside it."""
    lines: list[tuple[str, dict[str, Any]]] = []
    clock = itertools.count(PUBLISHED_AT).__next__
    refresh = Refresh(DataModelInstance(Session("token"), "P1", "M1", "I1"), TABLES, PUBLISHED_AT)
    watcher = Watcher(refresh, 600.0, 10.0, Credentials(), clock, lambda line: lines.append((line, facts())))
    run = Run(watcher.end())
    answers = _answers()
    while run.step is not None:
        run.feed(None if isinstance(run.step, Pause) else decipher(run.step, next(answers)))
    return lines


def _answers() -> Iterator[Response]:
    # Each table by a word of its own is a line of its own, and the last look tells all in one.
    apart = ",".join(f'{{"id": "{table.id}", "status": "word {table.id}"}}' for table in TABLES)
    loaded = ",".join(f'{{"id": "{table.id}", "status": "loaded"}}' for table in TABLES)
    yield Response(200, (), f'{{"status": 6, "tables": [{apart}]}}'.encode())
    yield Response(200, (), f'{{"status": 1, "tables": [{loaded}]}}'.encode())


def test_a_change_of_a_table_stands_beside_the_line_that_tells_it(
    told: list[tuple[str, dict[str, Any]]],
) -> None:
    line, beside_it = told[0]

    assert line.startswith("Table t0: word 00 after")
    assert beside_it["published_at"] == PUBLISHED_AT
    (table,) = beside_it["tables"]
    seconds = table.pop("seconds")
    assert 0 < seconds < 600
    assert table == {"id": "00", "name": "t0", "policy": "add", "state": "running", "word": "word 00"}


def test_changes_that_are_only_counted_stand_beside_the_count(told: list[tuple[str, dict[str, Any]]]) -> None:
    line, beside_it = told[MOST_LINES]

    assert line.startswith("and 10 more changes")
    assert [table["name"] for table in beside_it["tables"]] == [f"t{number}" for number in range(10, 20)]


def test_many_tables_that_end_alike_stand_beside_their_one_line(
    told: list[tuple[str, dict[str, Any]]],
) -> None:
    line, beside_it = told[-1]

    assert line.startswith("20 tables: loaded")
    assert {table["state"] for table in beside_it["tables"]} == {"finished"}
    assert len(beside_it["tables"]) == len(TABLES)


def test_the_tables_of_a_publish_stand_beside_the_line_that_announces_it() -> None:
    lines: list[tuple[str, dict[str, Any]]] = []
    publisher = Publisher(
        TableChoice.of(["A" * 32], "upsert"),
        evidence=False,
        when_busy=WhenBusy.FAIL,
        timeout=600.0,
        clock=lambda: PUBLISHED_AT,
        tell=lambda line: lines.append((line, facts())),
    )
    instance = DataModelInstance(Session("token"), "P1", "M1", "I1")

    Run(publisher.publish(Refresh(instance)))

    ((line, beside_it),) = lines
    assert line.startswith("Publishing 1 tables")
    assert beside_it == {"tables": [{"id": "A" * 32, "name": "A" * 32, "policy": "upsert"}]}
