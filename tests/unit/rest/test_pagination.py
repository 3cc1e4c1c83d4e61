# SPDX-License-Identifier: Apache-2.0
"""The list of a model's tables, from servers that page as they please."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from examples import JSON, ODD, thorough
from hypothesis import given
from hypothesis import strategies as st
from scripted import MODEL_NAME, Played, an_instance, answer, play, refusal, serve, table_row

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.data_models import Table, list_tables
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.pagination import MAX_PAGES, PAGE_SIZE


@dataclass
class PagingServer:
    """A server with some tables, and its own mind about pages.

    ``cap`` is its longest page, ``all_cap`` the same where it is asked for all at once, unless it
    ``refuses_all``; ``total`` makes what it says of the number of its tables, out of the true number.
    """

    tables: list[str]
    cap: int = 10_000
    all_cap: int = 10_000
    ignores_offset: bool = False
    refuses_all: bool = False
    total: Callable[[int], Any] = lambda true: true
    queries: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, request: Request[Any]) -> Response:
        offset, limit = (int(request.query[name]) for name in ("offset", "limit"))
        self.queries.append((offset, limit))
        if self.refuses_all and limit < 0:
            return refusal(400, "ERR006")
        begin = 0 if self.ignores_offset else offset
        most = self.all_cap if limit < 0 else min(limit, self.cap)
        rows = [table_row(name, f"table {name}") for name in self.tables[begin : begin + most]]
        payload = {"offset": offset, "limit": limit, "tables": rows, "total": self.total(len(self.tables))}
        return answer({key: value for key, value in payload.items() if value is not ...})

    def listed(self) -> Played:
        return serve(list_tables(an_instance()), self)


def ids(count: int) -> list[str]:
    return [f"T{number}" for number in range(count)]


def names(played: Played) -> list[str]:
    return [table.id for table in played.result]


def test_one_request_is_enough_if_the_server_returns_all() -> None:
    server = PagingServer(ids(1500))
    assert names(server.listed()) == ids(1500)
    assert server.queries == [(0, -1)]


def test_a_model_without_tables_has_none() -> None:
    server = PagingServer([])
    assert server.listed().result == ()
    assert server.queries == [(0, -1)]


def test_a_server_with_a_page_limit_is_asked_for_the_next_page() -> None:
    server = PagingServer(ids(1200), cap=500, all_cap=500)
    assert names(server.listed()) == ids(1200)
    assert server.queries == [(0, -1), (500, PAGE_SIZE), (1000, PAGE_SIZE)]


def test_a_server_that_ignores_minus_one_is_asked_page_by_page() -> None:
    server = PagingServer(ids(3), cap=2, all_cap=0)
    assert names(server.listed()) == ids(3)


def test_a_server_that_rejects_minus_one_is_asked_page_by_page() -> None:
    server = PagingServer(ids(3), cap=2, refuses_all=True)
    assert names(server.listed()) == ids(3)
    assert server.queries == [(0, -1), (0, PAGE_SIZE), (2, PAGE_SIZE)]


def test_a_server_that_rejects_a_page_is_not_asked_again() -> None:
    played = play(list_tables(an_instance()), refusal(400, "ERR006"), refusal(400, "ERR006"))
    assert type(played.error) is errors.InvalidRequest


def test_without_a_total_pages_are_requested_until_one_has_no_new_rows() -> None:
    server = PagingServer(ids(7), cap=3, all_cap=3, total=lambda _: ...)
    assert names(server.listed()) == ids(7)


@pytest.mark.parametrize("total", [None, "7", True, 7.0, []])
def test_a_total_that_is_no_number_counts_as_missing(total: Any) -> None:
    server = PagingServer(ids(7), cap=3, all_cap=3, total=lambda _: total)
    assert names(server.listed()) == ids(7)


def test_a_list_with_missing_tables_is_an_invalid_response() -> None:
    played = PagingServer(ids(5), total=lambda true: true + 1).listed()
    assert type(played.error) is errors.InvalidResponse
    assert "is incomplete: 5 of 6" in played.error.what


def test_a_list_that_ignores_the_offset_is_an_invalid_response() -> None:
    played = PagingServer(ids(5), cap=2, all_cap=2, ignores_offset=True).listed()
    assert type(played.error) is errors.InvalidResponse


def test_a_server_that_ignores_the_offset_but_gives_all_is_believed() -> None:
    server = PagingServer(ids(5), ignores_offset=True, total=lambda _: ...)
    assert names(server.listed()) == ids(5)


def test_the_number_of_pages_is_limited() -> None:
    served = 0

    def endless(request: Request[Any]) -> Response:
        nonlocal served
        served += 1
        return answer({"tables": [table_row(f"T{served}", "t")]})

    played = serve(list_tables(an_instance()), endless)
    assert isinstance(played.error, errors.InvalidResponse)
    assert played.error.what == f"the tables of data model {MODEL_NAME} have more than {MAX_PAGES} pages"
    assert served == MAX_PAGES


def test_a_table_without_a_name_is_called_by_its_id() -> None:
    rows = [{"information": {"objectId": "A"}}, {"information": {"objectId": "B", "name": None}}]
    played = play(list_tables(an_instance()), answer({"total": 2, "tables": rows}))
    assert played.result == (Table("A", "A"), Table("B", "B"))


@pytest.mark.parametrize("payload", [{}, {"tables": None}, {"tables": {}}])
def test_a_page_without_a_list_is_invalid(payload: Any) -> None:
    played = play(list_tables(an_instance()), answer(payload))
    assert isinstance(played.error, errors.InvalidResponse)
    assert played.error.what == (
        f"could not list the tables of data model {MODEL_NAME}: unexpected response format: no list of tables"
    )


@pytest.mark.parametrize(
    "payload",
    [
        {"tables": [None]},
        {"tables": [{}]},
        {"tables": [{"information": {"objectId": 7}}]},
        {"tables": [{"information": "A"}]},
        [],
    ],
)
def test_tables_with_an_unexpected_format_are_rejected(payload: Any) -> None:
    played = play(list_tables(an_instance()), answer(payload))
    assert type(played.error) is errors.InvalidResponse


HONEST = st.just(lambda true: true)
TOTALS = st.sampled_from(
    [lambda true: true, lambda _: ..., lambda _: "7", lambda true: true + 3, lambda _: 10**9]
)
CAPS = st.integers(1, 9) | st.just(10_000)


@given(
    tables=st.lists(st.sampled_from(ids(30)), max_size=30),
    cap=CAPS,
    all_cap=st.integers(0, 9) | st.just(10_000),
    ignores_offset=st.booleans(),
    total=TOTALS | st.integers(-3, 40).map(lambda payload: lambda _: payload),
)
def test_any_server_is_done_with_after_few_calls(
    tables: list[str], cap: int, all_cap: int, ignores_offset: bool, total: Callable[[int], Any]
) -> None:
    server = PagingServer(tables, cap, all_cap, ignores_offset, total)
    played = server.listed()
    assert len(server.queries) <= len(set(tables)) + 3
    if played.error is None:
        assert len(set(names(played))) == len(names(played))
        assert set(names(played)) <= set(tables)
    else:
        assert type(played.error) is errors.InvalidResponse


@given(
    count=st.integers(0, 30),
    cap=CAPS,
    all_cap=st.integers(0, 9) | st.just(10_000),
    ignores_offset=st.booleans(),
    total=HONEST | st.integers(0, 9).map(lambda more: lambda true: true + more),
)
def test_a_list_with_a_correct_total_is_complete_or_rejected(
    count: int, cap: int, all_cap: int, ignores_offset: bool, total: Callable[[int], Any]
) -> None:
    played = PagingServer(ids(count), cap, all_cap, ignores_offset, total).listed()
    if played.error is None:
        assert names(played) == ids(count)
    else:
        assert type(played.error) is errors.InvalidResponse


@given(count=st.integers(0, 30), cap=CAPS, all_cap=st.integers(0, 9) | st.just(10_000), total=TOTALS)
def test_a_list_with_a_correct_offset_is_complete_or_rejected(
    count: int, cap: int, all_cap: int, total: Callable[[int], Any]
) -> None:
    played = PagingServer(ids(count), cap, all_cap, total=total).listed()
    if played.error is None:
        assert names(played) == ids(count)
    else:
        assert type(played.error) is errors.InvalidResponse


@given(tables=st.lists(st.sampled_from(ids(6)), max_size=12), cap=CAPS, all_cap=st.integers(0, 9))
def test_a_list_with_duplicates_is_complete_or_rejected(tables: list[str], cap: int, all_cap: int) -> None:
    played = PagingServer(tables, cap, all_cap).listed()
    if played.error is None:
        assert set(names(played)) == set(tables)
    else:
        assert type(played.error) is errors.InvalidResponse


ROWS = st.sampled_from([table_row(name, name) for name in ids(4)])
ODD_ROWS = st.sampled_from([None, {}, [], table_row("", ""), {"information": {"objectId": 7}}]) | ODD
TOLD = st.integers(-1, 5) | ODD
ANSWERS = st.one_of(
    st.builds(lambda rows: answer({"tables": rows}), st.lists(ROWS, max_size=3)),
    st.builds(lambda rows, total: answer({"tables": rows, "total": total}), st.lists(ROWS, max_size=3), TOLD),
    st.builds(lambda rows: answer({"tables": rows}), st.lists(ROWS | ODD_ROWS, max_size=3)),
    st.builds(answer, JSON),
    st.builds(Response, st.sampled_from([200, 302, 404, 503]), st.just(()), st.binary(max_size=9)),
)


@thorough
@given(answers=st.lists(ANSWERS, min_size=1, max_size=4))
def test_any_answers_end_the_list_with_just_the_tables_they_held(answers: list[Response]) -> None:
    served: list[Response] = []

    def next_answer(request: Request[Any]) -> Response:
        served.append(answers[min(len(served), len(answers) - 1)])
        return served[-1]

    played = serve(list_tables(an_instance()), next_answer)

    # The last answer goes on for ever, and holds nothing new the second time.
    assert len(served) <= len(answers) + 2
    if played.error is None:
        held = [row["information"]["objectId"] for page in served for row in page.json()["tables"]]
        assert names(played) == list(dict.fromkeys(held))
        assert {type(name) for name in names(played)} <= {str}
        total = served[-1].json().get("total")
        assert type(total) is not int or len(names(played)) >= total
    else:
        assert isinstance(played.error, errors.MstrError)
