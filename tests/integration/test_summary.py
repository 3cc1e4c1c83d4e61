# SPDX-License-Identifier: Apache-2.0
"""The end of a task's log: readable for four tables, and for thousands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workers import Way, every_way

from airflow_provider_mstr.observability.summary import MOST_TABLES, lines
from airflow_provider_mstr.refresh.result import RefreshResult, TableResult
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.words import NAME_WIDTH
from airflow_provider_mstr.sandbox import PublishFailure

RETAIL = "9F4772B837604551B4D3CC916ADC5598"


def table(
    name: str,
    state: State = State.FINISHED,
    seconds: float | None = 1.0,
    policy: RefreshPolicy = RefreshPolicy.REPLACE,
) -> TableResult:
    return TableResult(name, name, policy, state, seconds)


def lines_of(*tables: TableResult, state: State = State.FINISHED) -> list[str]:
    return list(lines(RefreshResult("data_model", "P1", "M1", state, True, 72.43, tables, name="Sales")))


def test_each_table_is_a_line_the_slowest_first() -> None:
    assert lines_of(
        table("ytd_day", seconds=9.04),
        table("lu_store", seconds=61.2, policy=RefreshPolicy.UPSERT),
        table("order_detail", seconds=None),
    ) == [
        "Refresh of Sales finished after 1 min 12 s, 3 tables:",
        "  table         policy   state     seconds",
        "  lu_store      upsert   finished     61.2",
        "  ytd_day       replace  finished      9.0",
        "  order_detail  replace  finished        -",
    ]


def test_what_failed_comes_first_and_what_did_not_end_next() -> None:
    ended = lines_of(
        table("slow", seconds=60.0),
        table("unseen", State.RUNNING, None),
        table("broken", State.FAILED, 2.0),
        state=State.FAILED,
    )
    assert ended[0] == "Refresh of Sales failed after 1 min 12 s, 3 tables:"
    assert [line.split()[0] for line in ended[2:]] == ["broken", "unseen", "slow"]


def test_a_refresh_that_was_not_seen_ending_was_given_up() -> None:
    ended = lines_of(table("unseen", State.RUNNING, None), state=State.RUNNING)
    assert ended[0] == "Refresh of Sales not finished after 1 min 12 s, 1 table:"


def test_of_hundreds_of_tables_the_rest_is_counted() -> None:
    loaded = [table(f"table_{number:03}", seconds=float(number)) for number in range(190)]
    ended = lines_of(*loaded, *(table(f"late_{number}", State.RUNNING, None) for number in range(25)))

    assert len(ended) == MOST_TABLES + 3
    assert ended[-1] == "  and 195 more: 5 running, 190 finished"


def test_one_table_is_no_plural() -> None:
    assert lines_of(table("ytd_day"))[0].endswith("1 table:")


Summaries = Callable[[], list[list[list[str]]]]


@pytest.fixture
def summaries(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Summaries:
    """Tells the words of each summary in a task's log, which Airflow 3 prints and Airflow 2 logs."""

    def tables_of() -> list[list[list[str]]]:
        printed = [line.partition("]")[2] for line in capsys.readouterr().out.splitlines()]
        rows = [line.split() for line in (*printed, *caplog.messages)]
        return [rows[at : at + 6] for at, words in enumerate(rows) if words[:1] == ["Refresh"]]

    return tables_of


@given(st.lists(st.text(min_size=1), min_size=1, max_size=60))
def test_every_line_is_one_line_of_bounded_width_and_all_are_aligned(names: list[str]) -> None:
    ended = lines_of(*map(table, names))

    rows = ended[1 : 2 + MOST_TABLES]
    assert len({len(row) for row in rows}) == 1
    assert all(len(line.splitlines()) == 1 and len(line) < NAME_WIDTH + 40 for line in ended)


@every_way
@pytest.mark.usefixtures("mstr_connection", "brisk")
def test_it_ends_the_log_of_every_way_once(refresh: Way, summaries: Summaries) -> None:
    assert refresh(RETAIL).error is None

    (summary,) = summaries()
    assert summary[0][:4] == ["Refresh", "of", "Retail", "finished"]
    assert summary[1][:4] == ["table", "policy", "state", "seconds"]
    assert {row[0] for row in summary[2:6]} == {"ytd_day", "city_mnth_sls", "lu_store", "order_detail"}


@every_way
@pytest.mark.usefixtures("mstr_connection", "brisk")
@pytest.mark.mstr_sandbox(publish_failure=PublishFailure("error", "lu_store"))
def test_a_failure_is_told_as_well_and_names_its_table_first(refresh: Way, summaries: Summaries) -> None:
    assert refresh(RETAIL).error is not None

    (summary,) = summaries()
    assert summary[0][:4] == ["Refresh", "of", "Retail", "failed"]
    assert summary[2][:3] == ["lu_store", "replace", "failed"]
