# SPDX-License-Identifier: Apache-2.0
"""What publishStatus answers, and the verdict on it."""

from __future__ import annotations

from typing import Any

import pytest
from examples import thorough
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.publish_status import PublishStatus, State, TableStatus, Verdict, verdict

RUNNING = Verdict(State.RUNNING)
CONFIRMED = Verdict(State.FINISHED, tables_confirmed=True)
UNCONFIRMED = Verdict(State.FINISHED, tables_confirmed=False)
FAILED = Verdict(State.FAILED)


def status_of(status: int, *tables: tuple[str, str]) -> PublishStatus:
    return PublishStatus(status, tuple(TableStatus(table, word) for table, word in tables))


# one table's word


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("completed", State.FINISHED),
        ("loaded", State.FINISHED),
        (" Completed ", State.FINISHED),
        ("LOADED", State.FINISHED),
        ("error", State.FAILED),
        ("schema_comparison_error", State.FAILED),
        ("load_failed", State.FAILED),
        ("Failed", State.FAILED),
        ("cancelled", State.FAILED),
        ("canceled", State.FAILED),
        ("canceling", State.FAILED),
        ("reserved", State.RUNNING),
        ("schema_comparison_completed", State.RUNNING),
        ("not_completed", State.RUNNING),
        ("errors_none", State.RUNNING),
        ("a word of next year", State.RUNNING),
        ("1", State.RUNNING),
        ("", State.RUNNING),
    ],
)
def test_the_word_of_a_table_means_finished_failed_or_running(word: str, state: State) -> None:
    assert TableStatus("A", word).state is state


# reading


def test_a_status_without_tables_is_valid() -> None:
    assert PublishStatus.of({"status": 1}) == PublishStatus(1)
    assert PublishStatus.of({"status": 1, "tables": None}) == PublishStatus(1)
    assert PublishStatus.of({"status": 1, "tables": []}) == PublishStatus(1)


@pytest.mark.parametrize(("data", "number"), [("1", 1), ("-2147212544", -2147212544), (" 6 ", 6), (0, 0)])
def test_the_number_may_be_text(data: Any, number: int) -> None:
    assert PublishStatus.of({"status": data}).status == number


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"status": None},
        {"status": "result ready"},
        {"status": ""},
        {"status": True},
        {"status": 1.5},
        {"status": [1]},
        {"status": {"status": 1}},
        {"status": "9" * 5000},
        {"code": "ERR001"},
        {"status": 1, "tables": {}},
        {"status": 1, "tables": "completed"},
        {"status": 1, "tables": 0},
        {"status": 1, "tables": ["A"]},
        {"status": 1, "tables": [None]},
        {"status": 1, "tables": [["id", "A"]]},
    ],
)
def test_a_status_of_another_form_is_invalid(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidResponse):
        PublishStatus.of(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"status": None}, "unexpected response format: the status of publishStatus is not a number"),
        ({"status": 1, "tables": {}}, "unexpected response format: publishStatus has no list of tables"),
        (
            {"status": 1, "tables": ["A"]},
            "unexpected response format: publishStatus lists a table that is not an object",
        ),
    ],
)
def test_the_error_names_what_is_invalid(data: dict[str, Any], what: str) -> None:
    with pytest.raises(InvalidResponse) as caught:
        PublishStatus.of(data)
    assert caught.value.what == what


@pytest.mark.parametrize(
    ("entry", "table"),
    [
        ({"id": "A", "status": "loaded"}, TableStatus("A", "loaded")),
        ({"tableId": "A", "state": "loaded"}, TableStatus("A", "loaded")),
        ({"objectId": "A", "status": "", "state": "loaded"}, TableStatus("A", "loaded")),
        ({}, TableStatus("", "")),
        ({"id": None, "status": {"word": "loaded"}}, TableStatus("", "")),
        ({"id": "A", "status": 4}, TableStatus("A", "4")),
        ({"id": "A", "status": "error", "errorCode": -7}, TableStatus("A", "error", code="-7")),
        ({"id": "A", "status": "error", "errorCode": 0}, TableStatus("A", "error")),
        ({"id": "A", "status": "error", "errorMessage": "why"}, TableStatus("A", "error", "why")),
        (
            {"id": "A", "status": "error", "errorCode": -7, "message": "why"},
            TableStatus("A", "error", "why", "-7"),
        ),
    ],
)
def test_every_spelling_of_a_table_entry_is_read(entry: dict[str, Any], table: TableStatus) -> None:
    assert PublishStatus.of({"status": 6, "tables": [entry]}).tables == (table,)


def test_long_messages_are_cut() -> None:
    payload = {
        "status": -1,
        "message": "x" * 3000,
        "tables": [{"id": "A", "status": "error", "message": "y" * 3000}],
    }

    status = PublishStatus.of(payload)

    assert (len(status.message), len(status.tables[0].error)) == (2000, 2000)


def test_a_table_with_an_invalid_id_is_refused_by_what_it_is() -> None:
    with pytest.raises(InvalidResponse, match=r"a table of publishStatus has an invalid id"):
        PublishStatus.of({"status": 1, "tables": [{"id": "A\n"}]})


@pytest.mark.parametrize("key", ["message", "errorMessage"])
def test_the_text_of_the_server_is_read(key: str) -> None:
    assert PublishStatus.of({"status": -1, key: "column gone"}).message == "column gone"


# the verdict, by the rule of docs/strategy-rest-api.md 3.5


@pytest.mark.parametrize("number", [-1, -2147212544, -2147418587, 2, 3])
def test_negative_numbers_a_prompt_and_an_error_message_are_failures(number: int) -> None:
    assert verdict(status_of(number), ["A"]) == FAILED
    assert verdict(status_of(number, ("A", "completed")), ["A"]) == FAILED


def test_status_one_without_tables_is_a_finish_to_be_confirmed() -> None:
    assert verdict(status_of(1), ["A", "B"]) == UNCONFIRMED


def test_status_zero_without_tables_is_running() -> None:
    assert verdict(status_of(0), ["A", "B"]) == RUNNING


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("word", ["completed", "loaded"])
def test_every_table_loaded_is_a_confirmed_finish_under_both_readings_of_the_number(
    number: int, word: str
) -> None:
    assert verdict(status_of(number, ("A", word), ("B", word)), ["A", "B"]) == CONFIRMED


@pytest.mark.parametrize("number", [0, 1, 4, 6, 14])
def test_while_one_table_is_not_loaded_the_publish_runs_under_any_number(number: int) -> None:
    assert verdict(status_of(number, ("A", "completed"), ("B", "reserved")), ["A", "B"]) == RUNNING


@pytest.mark.parametrize("number", [0, 1, 6])
def test_a_failed_table_fails_the_publish_under_any_number(number: int) -> None:
    assert (
        verdict(status_of(number, ("A", "completed"), ("B", "schema_comparison_error")), ["A", "B"]) == FAILED
    )


def test_status_one_with_some_tables_unlisted_is_to_be_confirmed() -> None:
    assert verdict(status_of(1, ("A", "completed")), ["A", "B"]) == UNCONFIRMED


def test_status_zero_with_some_tables_unlisted_is_running() -> None:
    assert verdict(status_of(0, ("A", "completed")), ["A", "B"]) == RUNNING


@pytest.mark.parametrize(
    "number", [4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 26, 999]
)
def test_every_other_positive_number_is_running_even_with_all_tables_loaded(number: int) -> None:
    assert verdict(status_of(number), ["A"]) == RUNNING
    assert verdict(status_of(number, ("A", "completed")), ["A"]) == RUNNING


def test_the_id_of_a_table_matches_in_any_casing() -> None:
    assert verdict(status_of(1, ("abc", "completed")), ["ABC"]) == CONFIRMED
    assert verdict(status_of(0, ("abc", "reserved"), ("X", "completed")), ["ABC"]) == RUNNING


def test_a_table_that_was_not_published_does_not_matter() -> None:
    assert verdict(status_of(1, ("A", "completed"), ("X", "reserved")), ["A"]) == CONFIRMED


def test_a_table_listed_twice_is_loaded_when_both_entries_are() -> None:
    assert verdict(status_of(1, ("A", "completed"), ("A", "reserved")), ["A"]) == RUNNING


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("listed", [("X",), ("X", "Y")])
def test_enough_loaded_tables_under_other_ids_are_a_finish_to_be_confirmed(
    number: int, listed: tuple[str, ...]
) -> None:
    assert verdict(status_of(number, *((table, "completed") for table in listed)), ["A"]) == UNCONFIRMED


@pytest.mark.parametrize(
    ("listed", "published"),
    [
        (("X",), ("A", "B")),
        (("A", "A"), ("A", "B")),
        (("a", "a"), ("A", "B")),
        (("A", "A"), ("a", "b")),
        ((), ()),
    ],
    ids=["too few", "one twice", "one twice in small letters", "published in small letters", "none"],
)
def test_status_zero_with_a_list_that_cannot_be_of_every_table_is_running(
    listed: tuple[str, ...], published: tuple[str, ...]
) -> None:
    assert verdict(status_of(0, *((table, "completed") for table in listed)), published) == RUNNING


IDS = st.sampled_from(["A", "a", "B", "C", "D"])
WORDS = st.sampled_from(
    [
        "completed",
        "loaded",
        "reserved",
        "schema_comparison_completed",
        "schema_comparison_error",
        "cancelled",
        "?",
    ]
)
TABLES = st.lists(st.builds(TableStatus, IDS, WORDS), max_size=5).map(tuple)
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 6, -1, -2147212544]) | st.integers(-(2**31), 2**31)
STATUSES = st.builds(PublishStatus, NUMBERS, TABLES)
PUBLISHED = st.lists(IDS, min_size=1, max_size=4, unique_by=str.upper)


ANY_STATUSES = st.builds(
    PublishStatus,
    NUMBERS,
    st.lists(st.builds(TableStatus, IDS | st.text(max_size=2), WORDS | st.text(max_size=9)), max_size=4).map(
        tuple
    ),
)
ANY_PUBLISHED = st.lists(IDS | st.text(max_size=2), max_size=3)


@thorough
@given(status=ANY_STATUSES, published=ANY_PUBLISHED)
def test_a_verdict_follows_from_what_the_server_reports(status: PublishStatus, published: list[str]) -> None:
    found = verdict(status, published)

    listed = [(table.id.upper(), table.state) for table in status.tables]
    ours = {table_id.upper() for table_id in published}
    bad = status.status < 0 or status.status in (2, 3) or State.FAILED in [state for _, state in listed]
    assert (found.state is State.FAILED) is bad
    if found.state is State.FINISHED:
        assert status.status in (0, 1)
        assert State.RUNNING not in [state for table_id, state in listed if table_id in ours]
        every = bool(listed) and ours <= {table_id for table_id, _ in listed}
        assert found.tables_confirmed is every
        # Zero alone is no finish: only a list that may be of every table, under other ids, makes it one.
        assert every or status.status == 1 or not ours & {table_id for table_id, _ in listed}
    else:
        assert not found.tables_confirmed


@given(status=ANY_STATUSES, published=ANY_PUBLISHED, which=st.integers(0, 4))
def test_a_table_that_becomes_loaded_changes_no_finish(
    status: PublishStatus, published: list[str], which: int
) -> None:
    assume(status.tables)
    which %= len(status.tables)
    further = TableStatus(status.tables[which].id, "loaded")
    tables = (*status.tables[:which], further, *status.tables[which + 1 :])
    before, after = verdict(status, published), verdict(PublishStatus(status.status, tables), published)

    if before.state is State.FINISHED:
        assert after == before
    if before.state is State.RUNNING:
        assert after.state is not State.FAILED


BAD = st.builds(
    TableStatus, IDS, st.sampled_from(["error", "schema_comparison_error", "load_failed", "cancelled"])
)


@given(status=STATUSES, published=PUBLISHED, bad=BAD, place=st.integers(0, 5))
def test_one_more_failed_table_turns_every_status_into_a_failure(
    status: PublishStatus, published: list[str], bad: TableStatus, place: int
) -> None:
    tables = (*status.tables[:place], bad, *status.tables[place:])
    assert verdict(PublishStatus(status.status, tables), published) == FAILED


GOOD = st.lists(st.builds(TableStatus, IDS, st.sampled_from(["completed", "loaded"])), max_size=5).map(tuple)


@given(good=GOOD, published=PUBLISHED, which=st.integers(0, 4))
def test_one_published_table_that_still_runs_turns_every_finish_into_running(
    good: tuple[TableStatus, ...], published: list[str], which: int
) -> None:
    assert verdict(PublishStatus(1, good), published).state is State.FINISHED
    running = TableStatus(published[which % len(published)], "reserved")
    assert verdict(PublishStatus(1, (*good, running)), published) == RUNNING


@given(status=STATUSES, published=PUBLISHED, order=st.randoms())
def test_the_order_and_case_of_tables_do_not_matter(
    status: PublishStatus, published: list[str], order: Any
) -> None:
    tables = [TableStatus(table.id.swapcase(), table.word.upper()) for table in status.tables]
    order.shuffle(tables)
    assert verdict(PublishStatus(status.status, tuple(tables)), published) == verdict(status, published)
