# SPDX-License-Identifier: Apache-2.0
"""The log lines about the tables of a job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import job_of

from airflow_provider_mstr.refresh.data_model import DataModelJob
from airflow_provider_mstr.refresh.progress import FEW_TABLES, MAX_LINES, TableProgress
from airflow_provider_mstr.refresh.result import TableResult
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh
from airflow_provider_mstr.rest.publish_status import State, TableStatus
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.words import MAX_LINE, NAME_WIDTH


def a_job(count: int) -> DataModelJob:
    tables = tuple(TableRefresh(f"T{at}", f"table_{at:03}", RefreshPolicy.ADD) for at in range(count))
    return job_of(DataModelInstance(Session("token"), "P1", "M1", "I1"), tables, 1.7e9)


def words(tables: Iterable[TableRefresh], word: str) -> dict[str, str]:
    return {table.id: word for table in tables}


def lines_of(job: DataModelJob, *polls: dict[str, str]) -> list[str]:
    """Return the lines that are logged about these words of the tables, one poll every ten seconds."""
    lines: list[str] = []
    progress = TableProgress(lambda line, **fields: lines.append(line))
    for number, listed in enumerate(polls):
        progress.update(job, [TableStatus(*entry) for entry in listed.items()], 10.0 * number)
    return lines


def test_each_change_of_a_table_is_logged_once() -> None:
    reserved = {"T0": "reserved", "T1": "reserved"}
    loaded = {"T0": "completed", "T1": "completed"}
    assert lines_of(a_job(2), {}, reserved, reserved, reserved | {"T0": "completed"}, loaded, loaded) == [
        "Table table_000: reserved after 10 s, 2 of 2 left",
        "Table table_001: reserved after 10 s, 2 of 2 left",
        "Table table_000: completed after 30 s, 1 of 2 left",
        "Table table_001: completed after 40 s, 0 of 2 left",
    ]


def test_a_line_has_the_states_of_its_tables_as_fields() -> None:
    logged: list[dict[str, Any]] = []
    job = a_job(2)
    TableProgress(lambda line, **fields: logged.append(fields)).update(
        job, [TableStatus("T1", "completed")], 12.345
    )
    assert logged == [{"table": "table_001", "state": "finished", "seconds": 12.3}]


def fields_of(job: DataModelJob, listed: dict[str, str]) -> list[dict[str, Any]]:
    """Return the fields of the lines about the words of one poll."""
    logged: list[dict[str, Any]] = []
    progress = TableProgress(lambda line, **fields: logged.append(fields))
    progress.update(job, [TableStatus(*entry) for entry in listed.items()], 12.345)
    return logged


def test_a_table_that_runs_has_the_servers_word_as_its_state() -> None:
    assert fields_of(a_job(1), {"T0": "loading"}) == [
        {"table": "table_000", "state": "loading", "seconds": 12.3}
    ]


def test_a_line_about_many_tables_has_their_positions() -> None:
    job = a_job(20)
    listed = words(job.tables, "completed") | {"T3": "error", "T5": "loading", "T19": "loading"}
    assert fields_of(job, listed) == [
        {"tables": "1-3,5,7-19", "state": "finished", "seconds": 12.3},
        {"table": "table_003", "state": "failed", "seconds": 12.3},
        {"table": "table_005", "state": "loading", "seconds": 12.3},
        {"table": "table_019", "state": "loading", "seconds": 12.3},
    ]


def test_a_poll_with_very_many_words_counts_the_rest() -> None:
    job = a_job(MAX_LINES + 3)
    lines = lines_of(job, {table.id: f"word {table.id}" for table in job.tables})
    assert lines[MAX_LINES:] == ["and 3 more changes of tables, in the same poll"]


def test_long_names_and_words_are_cut() -> None:
    job = a_job(1)
    job = replace(job, tables=tuple(replace(table, name="n" * 80) for table in job.tables))
    (line,) = lines_of(job, {"T0": "loading"})
    assert line == f"Table {'n' * (NAME_WIDTH - 1)}…: loading after 0 s, 1 of 1 left"
    (fields,) = fields_of(job, {"T0": "w" * 80})
    assert fields["state"] == f"{'w' * (NAME_WIDTH - 1)}…"


def test_tables_of_the_same_name_are_distinguished_by_their_ids() -> None:
    job = a_job(2)
    twins = replace(job, tables=tuple(replace(table, name="twin") for table in job.tables))
    assert [fields["table"] for fields in fields_of(twins, words(job.tables, "loading"))] == ["T0", "T1"]


@given(st.text(), st.text(), st.integers(1, 30))
def test_no_line_is_longer_than_a_log_shows(name: str, word: str, count: int) -> None:
    job = a_job(count)
    job = replace(job, tables=tuple(replace(table, name=name) for table in job.tables))
    for line in lines_of(job, words(job.tables, word)):
        assert len(line) <= MAX_LINE
        assert line.isprintable()


def test_a_table_without_a_word_has_not_changed() -> None:
    assert lines_of(a_job(1), {"T0": ""}) == []


def test_a_table_that_a_later_poll_does_not_list_stays_as_it_was() -> None:
    assert len(lines_of(a_job(2), {"T0": "completed", "T1": "reserved"}, {"T0": "completed"}, {})) == 2


def test_many_tables_that_change_alike_in_one_poll_are_one_line() -> None:
    job = a_job(200)
    first, second = job.tables[:50], job.tables[50:]
    assert lines_of(
        job,
        words(job.tables, "reserved"),
        words(first, "completed") | words(second, "reserved"),
        words(job.tables, "completed"),
    ) == [
        "200 tables: reserved after 0 s, 200 of 200 left: table_000, table_001, table_002 and 197 more",
        "50 tables: completed after 10 s, 150 of 200 left: table_000, table_001, table_002 and 47 more",
        "150 tables: completed after 20 s, 0 of 200 left: table_050, table_051, table_052 and 147 more",
    ]


def test_few_tables_that_change_alike_in_one_poll_have_a_line_each() -> None:
    job = a_job(FEW_TABLES)
    assert len(lines_of(job, words(job.tables, "reserved"))) == FEW_TABLES


def test_a_table_that_ends_unlike_the_others_has_its_own_line() -> None:
    job = a_job(20)
    lines = lines_of(job, words(job.tables, "completed") | {"T7": "error"})
    assert [line.partition(" after ")[0] for line in lines] == [
        "19 tables: completed",
        "Table table_007: error",
    ]


@given(st.lists(st.text(max_size=3), min_size=1, max_size=80))
def test_no_poll_logs_more_than_a_few_lines(states: list[str]) -> None:
    job = a_job(len(states))
    listed = {table.id: word for table, word in zip(job.tables, states, strict=True)}
    assert len(lines_of(job, listed)) <= MAX_LINES + 1


def test_tables_that_were_not_published_are_not_logged() -> None:
    assert lines_of(a_job(1), {"X9": "reserved"}) == []


def test_every_table_of_a_line_counts_in_the_result() -> None:
    job = a_job(200)
    progress = TableProgress(lambda line, **fields: None)
    progress.update(job, [TableStatus(table.id, "completed") for table in job.tables], 12.0)
    results = [progress.result(table, State.FINISHED) for table in job.tables]
    assert {(result.state, result.seconds) for result in results} == {(State.FINISHED, 12.0)}


@pytest.mark.parametrize(
    ("whole", "state"),
    [
        (State.FINISHED, State.FINISHED),
        (State.UNKNOWN, State.UNKNOWN),
        (State.RUNNING, State.RUNNING),
        (State.FAILED, State.RUNNING),
    ],
)
def test_a_table_that_was_not_seen_ended_has_the_state_of_the_refresh_unless_that_has_failed(
    whole: State, state: State
) -> None:
    (table,) = a_job(1).tables
    progress = TableProgress(lambda line, **fields: None)
    assert progress.result(table, whole) == TableResult("T0", "table_000", RefreshPolicy.ADD, state, None)
