# SPDX-License-Identifier: Apache-2.0
"""What publishStatus says, and the verdict on it."""

from __future__ import annotations

from typing import Any

import pytest
from examples import thorough
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_mstr.rest.errors import NotUnderstood
from airflow_provider_mstr.rest.publication import PublishStatus, State, TableStatus, Verdict, verdict

RUNNING = Verdict(State.RUNNING)
FINISHED = Verdict(State.FINISHED)
UNPROVEN = Verdict(State.FINISHED, proven=False)
FAILED = Verdict(State.FAILED)


def seen(status: int, *tables: tuple[str, str]) -> PublishStatus:
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
def test_a_tables_word_is_good_bad_or_not_yet_the_end(word: str, state: State) -> None:
    assert TableStatus("A", word).state is state


# reading


def test_a_status_may_be_alone() -> None:
    assert PublishStatus.of({"status": 1}) == PublishStatus(1)
    assert PublishStatus.of({"status": 1, "tables": None}) == PublishStatus(1)
    assert PublishStatus.of({"status": 1, "tables": []}) == PublishStatus(1)


@pytest.mark.parametrize(("said", "number"), [("1", 1), ("-2147212544", -2147212544), (" 6 ", 6), (0, 0)])
def test_the_number_may_come_as_text(said: Any, number: int) -> None:
    assert PublishStatus.of({"status": said}).status == number


@pytest.mark.parametrize(
    "said",
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
def test_a_status_of_another_form_is_not_understood(said: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        PublishStatus.of(said)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"status": None}, "publishStatus has no number for its status"),
        ({"status": 1, "tables": {}}, "publishStatus lists its tables in an unknown form"),
        ({"status": 1, "tables": ["A"]}, "publishStatus lists a table in an unknown form"),
    ],
)
def test_what_is_not_understood_is_named(said: dict[str, Any], what: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        PublishStatus.of(said)
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
        ({"id": "A", "status": "error", "errorCode": -7}, TableStatus("A", "error", "-7")),
        ({"id": "A", "status": "error", "errorCode": 0}, TableStatus("A", "error")),
        ({"id": "A", "status": "error", "errorMessage": "why"}, TableStatus("A", "error", "why")),
        (
            {"id": "A", "status": "error", "errorCode": -7, "message": "why"},
            TableStatus("A", "error", "-7: why"),
        ),
    ],
)
def test_a_tables_entry_is_read_in_every_spelling(entry: dict[str, Any], table: TableStatus) -> None:
    assert PublishStatus.of({"status": 6, "tables": [entry]}).tables == (table,)


@pytest.mark.parametrize("key", ["message", "errorMessage"])
def test_the_servers_text_is_kept(key: str) -> None:
    assert PublishStatus.of({"status": -1, key: "column gone"}).message == "column gone"


# the verdict, by the rule of docs/strategy-rest-api.md 3.5


@pytest.mark.parametrize("number", [-1, -2147212544, -2147418587, 2, 3])
def test_negative_numbers_a_prompt_and_an_error_message_are_failures(number: int) -> None:
    assert verdict(seen(number), ["A"]) == FAILED
    assert verdict(seen(number, ("A", "completed")), ["A"]) == FAILED


def test_status_one_without_tables_is_a_finish_to_be_confirmed() -> None:
    assert verdict(seen(1), ["A", "B"]) == UNPROVEN


def test_status_zero_without_tables_is_running() -> None:
    assert verdict(seen(0), ["A", "B"]) == RUNNING


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("word", ["completed", "loaded"])
def test_every_table_loaded_is_a_proven_finish_under_both_readings_of_the_number(
    number: int, word: str
) -> None:
    assert verdict(seen(number, ("A", word), ("B", word)), ["A", "B"]) == FINISHED


@pytest.mark.parametrize("number", [0, 1, 4, 6, 14])
def test_a_table_that_is_not_done_keeps_the_publish_running_whatever_the_number(number: int) -> None:
    assert verdict(seen(number, ("A", "completed"), ("B", "reserved")), ["A", "B"]) == RUNNING


@pytest.mark.parametrize("number", [0, 1, 6])
def test_a_failed_table_fails_the_publish_though_the_number_says_otherwise(number: int) -> None:
    assert verdict(seen(number, ("A", "completed"), ("B", "schema_comparison_error")), ["A", "B"]) == FAILED


def test_status_one_with_some_tables_unlisted_is_to_be_confirmed() -> None:
    assert verdict(seen(1, ("A", "completed")), ["A", "B"]) == UNPROVEN


def test_status_zero_with_some_tables_unlisted_is_running() -> None:
    assert verdict(seen(0, ("A", "completed")), ["A", "B"]) == RUNNING


@pytest.mark.parametrize(
    "number", [4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 26, 999]
)
def test_every_other_positive_number_is_running_even_with_all_tables_loaded(number: int) -> None:
    assert verdict(seen(number), ["A"]) == RUNNING
    assert verdict(seen(number, ("A", "completed")), ["A"]) == RUNNING


def test_a_tables_id_counts_in_any_casing() -> None:
    assert verdict(seen(1, ("abc", "completed")), ["ABC"]) == FINISHED
    assert verdict(seen(0, ("abc", "reserved"), ("X", "completed")), ["ABC"]) == RUNNING


def test_a_table_of_the_model_that_was_not_published_holds_nothing_up() -> None:
    assert verdict(seen(1, ("A", "completed"), ("X", "reserved")), ["A"]) == FINISHED


def test_a_table_listed_twice_is_done_when_both_entries_are() -> None:
    assert verdict(seen(1, ("A", "completed"), ("A", "reserved")), ["A"]) == RUNNING


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("listed", [("X",), ("X", "Y")])
def test_enough_loaded_tables_under_other_ids_are_a_finish_to_be_confirmed(
    number: int, listed: tuple[str, ...]
) -> None:
    assert verdict(seen(number, *((table, "completed") for table in listed)), ["A"]) == UNPROVEN


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
    assert verdict(seen(0, *((table, "completed") for table in listed)), published) == RUNNING


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
def test_a_verdict_says_no_more_than_the_server_did(status: PublishStatus, published: list[str]) -> None:
    found = verdict(status, published)

    listed = [(table.id.upper(), table.state) for table in status.tables]
    ours = {table_id.upper() for table_id in published}
    bad = status.status < 0 or status.status in (2, 3) or State.FAILED in [state for _, state in listed]
    assert (found.state is State.FAILED) is bad
    if found.state is State.FINISHED:
        assert status.status in (0, 1)
        assert State.RUNNING not in [state for table_id, state in listed if table_id in ours]
        every = bool(listed) and ours <= {table_id for table_id, _ in listed}
        assert found.proven is every
        # Zero alone is no finish: only a list that may be of every table, under other ids, makes it one.
        assert every or status.status == 1 or not ours & {table_id for table_id, _ in listed}
    else:
        assert found.proven


@given(status=ANY_STATUSES, published=ANY_PUBLISHED, which=st.integers(0, 4))
def test_a_table_that_gets_further_takes_nothing_back(
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
def test_one_failed_table_more_turns_every_status_into_a_failure(
    status: PublishStatus, published: list[str], bad: TableStatus, place: int
) -> None:
    tables = (*status.tables[:place], bad, *status.tables[place:])
    assert verdict(PublishStatus(status.status, tables), published) == FAILED


GOOD = st.lists(st.builds(TableStatus, IDS, st.sampled_from(["completed", "loaded"])), max_size=5).map(tuple)


@given(good=GOOD, published=PUBLISHED, which=st.integers(0, 4))
def test_one_published_table_that_still_runs_takes_back_every_finish(
    good: tuple[TableStatus, ...], published: list[str], which: int
) -> None:
    assert verdict(PublishStatus(1, good), published).state is State.FINISHED
    running = TableStatus(published[which % len(published)], "reserved")
    assert verdict(PublishStatus(1, (*good, running)), published) == RUNNING


@given(status=STATUSES, published=PUBLISHED, order=st.randoms())
def test_the_order_and_casing_of_tables_do_not_matter(
    status: PublishStatus, published: list[str], order: Any
) -> None:
    tables = [TableStatus(table.id.swapcase(), table.word.upper()) for table in status.tables]
    order.shuffle(tables)
    assert verdict(PublishStatus(status.status, tuple(tables)), published) == verdict(status, published)
