# SPDX-License-Identifier: Apache-2.0
"""Which readings of docs/strategy-rest-api.md a refresh matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_mstr.probe import readings
from airflow_provider_mstr.probe.facts import CubeSeen, End, Facts, LastUpdate, Poll
from airflow_provider_mstr.probe.readings import READINGS, Result, find
from airflow_provider_mstr.probe.recorder import Call

PAGE = (Path(__file__).parents[3] / "docs" / "strategy-rest-api.md").read_text()

MATCHES, CONTRADICTS, OPEN = Result.MATCHES, Result.CONTRADICTS, Result.OPEN

WORDS = {"r": "reserved", "s": "schema_comparison_completed", "c": "completed", "l": "loaded", "e": "error"}
IDLE, LOADING, NEWER, HIDDEN = (
    CubeSeen(LastUpdate.SAME, processing=False, status=2),
    CubeSeen(LastUpdate.SAME, processing=True, status=3),
    CubeSeen(LastUpdate.NEWER, processing=False, status=2),
    CubeSeen(),
)

Seen = tuple[int | None, str | None, CubeSeen]


def poll(status: int | None, words: str | None = None, cube: CubeSeen = HIDDEN) -> Poll:
    """A poll of two tables, each with the initial of its word."""
    tables = None if words is None else tuple(enumerate((WORDS[each] for each in words), start=1))
    return Poll(status=status, tables=tables, cube=cube)


def failed(status: int | None, problem: str, cube: CubeSeen = HIDDEN) -> Poll:
    """A poll whose answer is an error."""
    return Poll(error=Call("GET", "/api", status, problem=problem), cube=cube)


def seen(*polls: Poll, end: End = End.TABLES, before: Poll | None = None) -> Facts:
    timed = [replace(each, at=float(at)) for at, each in enumerate(polls)]
    return Facts(tables=2, polls=timed, end=end, before=before, ended_at=float(len(timed) - 1))


def results(facts: Facts, *wanted: str) -> Sequence[Result]:
    found = {finding.reading: finding.result for finding in find(facts)}
    return [found[reading] for reading in wanted]


NUMBERS = (readings.RESULT_READY, readings.ALL_LOADED, readings.EARLY)

# The polls, and whether they match: 1 is the end; 0 is the end; 1 comes before the end
STORIES: dict[str, tuple[list[Poll], list[Result]]] = {
    "1 is the end, by the tables": (
        [poll(0, "rr"), poll(6, "cs"), poll(1, "cc")],
        [MATCHES, CONTRADICTS, CONTRADICTS],
    ),
    "0 is the end, by the tables": (
        [poll(1, "rr"), poll(1, "lr"), poll(0, "ll")],
        [CONTRADICTS, MATCHES, MATCHES],
    ),
    "the number is always 1": ([poll(1, "rr"), poll(1, "cc")], [CONTRADICTS, CONTRADICTS, MATCHES]),
    "the number is always 0": ([poll(0, "rr"), poll(0, "cc")], [CONTRADICTS, CONTRADICTS, CONTRADICTS]),
    "the number follows the tables": (
        [poll(6, "rr"), poll(6, "cc"), poll(1, "cc")],
        [MATCHES, CONTRADICTS, CONTRADICTS],
    ),
    "1 is the end, by the cube": (
        [poll(0, cube=LOADING), poll(6, cube=LOADING), poll(1, cube=NEWER), poll(1, cube=NEWER)],
        [MATCHES, CONTRADICTS, CONTRADICTS],
    ),
    "0 is the end, by the cube": (
        [poll(1, cube=LOADING), poll(1, cube=LOADING), poll(0, "", NEWER), poll(0, "", NEWER)],
        [CONTRADICTS, MATCHES, MATCHES],
    ),
    "1 comes first, and again at the end": (
        [poll(1, cube=IDLE), poll(6, cube=LOADING), poll(6, cube=LOADING), poll(1, cube=NEWER)],
        [OPEN, OPEN, MATCHES],
    ),
    "the cube was read after the number, so it shows nothing": (
        [poll(6, cube=IDLE), poll(6, cube=NEWER)],
        [OPEN, OPEN, OPEN],
    ),
    "nothing but numbers": ([poll(0), poll(6), poll(1), poll(1)], [OPEN, OPEN, OPEN]),
    "fewer tables than were published": ([poll(0, "r"), poll(1, "c")], [OPEN, CONTRADICTS, CONTRADICTS]),
    "only the end": ([poll(1, "cc")], [MATCHES, CONTRADICTS, OPEN]),
    "nothing at all": ([], [OPEN, OPEN, OPEN]),
}


@pytest.mark.parametrize("story", STORIES)
def test_tables_or_the_cube_tell_which_number_is_the_end(story: str) -> None:
    polls, expected = STORIES[story]
    assert results(seen(*polls), *NUMBERS) == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (poll(-2147418587, "cr"), [MATCHES, CONTRADICTS, CONTRADICTS]),
        (poll(3), [MATCHES, CONTRADICTS, CONTRADICTS]),
        (failed(500, "PublishFailed"), [CONTRADICTS, MATCHES, CONTRADICTS]),
        (poll(1, "ce"), [CONTRADICTS, CONTRADICTS, MATCHES]),
        (poll(1, "cc"), [OPEN, OPEN, OPEN]),
    ],
    ids=["negative", "3", "HTTP 500", "table", "no failure"],
)
def test_a_failure_is_found_where_it_is(last: Poll, expected: list[Result]) -> None:
    facts = seen(poll(6, "rr"), last)
    assert results(facts, readings.NEGATIVE, readings.HTTP_500, readings.FAILED_TABLE) == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (poll(1), MATCHES),
        (poll(0, ""), CONTRADICTS),
        (failed(400, "InvalidRequest"), CONTRADICTS),
        (failed(None, "ServerUnavailable"), OPEN),
        (None, OPEN),
    ],
)
def test_the_answer_before_the_publish_is_judged(before: Poll | None, expected: Result) -> None:
    assert results(seen(poll(1, "cc"), before=before), readings.UNPUBLISHED) == [expected]


LOST = failed(404, "InstanceExpired")


def test_an_instance_that_is_lost_before_the_end_contradicts_its_reading() -> None:
    lost = seen(poll(6, "rr"), LOST, end=End.INSTANCE_LOST)
    after_the_end = replace(seen(poll(6, "rr"), poll(1, "cc"), LOST), ended_at=1.0)

    assert results(lost, readings.INSTANCE) == [CONTRADICTS]
    assert results(after_the_end, readings.INSTANCE) == [MATCHES]
    assert results(seen(poll(6, "rr"), end=End.TIMEOUT), readings.INSTANCE) == [OPEN]


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        ([poll(6, "rr", LOADING), poll(1, "cc", NEWER)], [MATCHES, MATCHES, MATCHES]),
        ([poll(6, "rr", IDLE), poll(1, "cc", IDLE)], [MATCHES, CONTRADICTS, CONTRADICTS]),
        ([poll(6, "rr"), poll(1, "cc")], [CONTRADICTS, OPEN, OPEN]),
        ([], [OPEN, OPEN, OPEN]),
    ],
    ids=["as documented", "the cube shows nothing", "not readable", "nothing"],
)
def test_the_cube_is_judged(polls: list[Poll], expected: list[Result]) -> None:
    wanted = (readings.CUBE_READABLE, readings.PROCESSING, readings.LAST_UPDATE)
    assert results(seen(*polls), *wanted) == expected


def test_the_zone_of_the_last_update_is_judged() -> None:
    facts = [replace(seen(poll(1, "cc")), is_utc=is_utc) for is_utc in (True, False, None)]
    assert [results(each, readings.UTC) for each in facts] == [[MATCHES], [CONTRADICTS], [OPEN]]


def job(word: str) -> Poll:
    return Poll(job=word, cube=LOADING)


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        ([job("executing"), job("completed")], [MATCHES, MATCHES]),
        ([job("executing"), failed(404, "NotFound", LOADING)], [MATCHES, CONTRADICTS]),
        ([failed(403, "NoPrivilege", LOADING)], [CONTRADICTS, OPEN]),
        ([job("executing")], [MATCHES, OPEN]),
    ],
    ids=["stays", "gone", "no privilege", "runs"],
)
def test_the_job_of_a_cube_is_judged(polls: list[Poll], expected: list[Result]) -> None:
    facts = replace(seen(*polls), kind="cube")
    assert results(facts, readings.JOB_READABLE, readings.JOB_STAYS) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["reserved", "Completed"], MATCHES), (["reserved", "merging"], CONTRADICTS), ([], OPEN)],
)
def test_words_that_the_package_does_not_know_are_found(words: list[str], expected: Result) -> None:
    of_tables = seen(*(Poll(status=6, tables=((1, word),)) for word in words))
    of_job = replace(seen(*(job(word.lower()) for word in words)), kind="cube")
    assert results(of_tables, readings.TABLE_WORDS) == [expected]
    assert results(of_job, readings.JOB_WORDS) == [expected]


def test_the_page_lists_every_reading() -> None:
    for reading in READINGS:
        assert f"| {reading} |" in PAGE
