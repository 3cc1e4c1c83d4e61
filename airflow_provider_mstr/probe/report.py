# SPDX-License-Identifier: Apache-2.0
"""Writes what a probe has seen as Markdown, for people and for issues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from airflow_provider_mstr import __version__
from airflow_provider_mstr.probe.facts import CubeSeen, Facts, LastUpdate, Poll, Span
from airflow_provider_mstr.probe.openapi import list_enums
from airflow_provider_mstr.probe.readings import find
from airflow_provider_mstr.probe.recorder import OPENAPI_PATH, Call, Recorder
from airflow_provider_mstr.probe.vocabulary import WORDS, Vocabulary

MAX_SPANS = 200
MAX_TABLES = 10
MAX_PLACES, MAX_FIELDS = 30, 60

_HEAD = """\
# Probe of a Strategy server

`airflow mstr probe` of airflow-provider-mstr {version} refreshed {what} once. This report
contains only codes, numbers, and words of Strategy: no names, ids, messages or secrets of the server.
"""


def write_report(facts: Facts, recorder: Recorder) -> str:
    """Return the report of a probe.

    :param facts: what the probe has seen
    :param recorder: the calls that it made
    """
    what = "a cube" if facts.is_cube else f"a data model with {facts.tables} tables"
    sections = (
        _HEAD.format(version=__version__, what=what),
        _section("Server", ("fact", "value"), _server(facts, recorder)),
        _section(
            "Readings",
            ("reading of docs/strategy-rest-api.md", "this server"),
            ((finding.reading, finding.result) for finding in find(facts)),
        ),
        _section(
            "Status over time",
            ("seconds", "polls", "status", "tables", "cube", "last update"),
            _timeline(facts, recorder.vocabulary),
        ),
        _section("Calls", ("call", "answer", "times", "slowest"), _calls(recorder.calls)),
        _section("Fields", ("answer", "fields"), _fields(recorder)),
        _section("Enums of openapi.json", ("enum", "values"), _enums(facts, recorder.vocabulary)),
    )
    return "\n".join(filter(None, sections))


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table below its title; an empty text if it has no rows."""
    lines = list(map(_row, rows))
    head = [f"## {title}", "", _row(columns), _row(["---"] * len(columns))]
    return "\n".join([*head, *lines]) + "\n" if lines else ""


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _server(facts: Facts, recorder: Recorder) -> Iterator[tuple[str, str]]:
    yield from (facts.versions or {"iServerVersion": "not readable"}).items()
    if facts.serve_mode:
        yield "serve mode", recorder.vocabulary.show(facts.serve_mode)
    yield "start", {True: "accepted", False: "refused", None: "no valid answer"}[facts.accepted]
    at = "" if facts.ended_at is None else f", after {facts.ended_at:.1f} s"
    yield "end", f"{facts.end}{at}"
    yield "last update", _last_update(facts)
    head = _problem(recorder, "/api/cubes/{id}", "HEAD")
    yield "status of the cube by HEAD", head if facts.head_status is None else str(facts.head_status)
    if facts.job_words is None:
        yield "list of jobs", _problem(recorder, "/api/v2/monitors/jobs")
    else:
        words = ", ".join(map(recorder.vocabulary.show, facts.job_words)) or "none of the object"
        yield "list of jobs", f"readable: {words}"
    monitor = _problem(recorder, "/api/monitors/caches/cubes")
    yield "rows in the monitor of caches", _readable(facts.rows_in_monitor, monitor)
    query = _problem(recorder, "/api/v2/cubes/{id}/instances", "POST")
    yield "rows by a query of the cube", _readable(facts.rows_by_query, query)
    yield "openapi.json", _problem(recorder, OPENAPI_PATH) if facts.openapi is None else "readable"


def _readable(has_rows: bool | None, problem: str) -> str:
    return problem if has_rows is None else "readable" if has_rows else "no number of rows"


def _problem(recorder: Recorder, path: str, method: str = "GET") -> str:
    call = recorder.last(method, path)
    return "not asked" if call is None else call.answer


def _last_update(facts: Facts) -> str:
    seen = [poll for poll in facts.polls if poll.cube.last_update is not LastUpdate.NOT_READABLE]
    if not seen:
        return LastUpdate.NOT_READABLE if facts.polls else "not asked"
    newer = next((poll.at for poll in seen if poll.cube.last_update is LastUpdate.NEWER), None)
    if newer is None:
        return f"does not change within {seen[-1].at:.1f} s"
    relative = "" if facts.ended_at is None else f", {newer - facts.ended_at:+.1f} s from the end"
    return f"changes at {newer:.1f} s{relative}"


def _timeline(facts: Facts, vocabulary: Vocabulary) -> Iterator[tuple[str, ...]]:
    if facts.before is not None:
        yield "before", "1", _status(facts.before, vocabulary), _tables(facts.before, vocabulary), "", ""
    spans = list(facts.spans())
    for span in islice(spans, MAX_SPANS):
        poll = span.poll
        yield (
            _seconds(span),
            str(span.count),
            _status(poll, vocabulary),
            _tables(poll, vocabulary),
            _cube(poll.cube),
            poll.cube.last_update,
        )
    if len(spans) > MAX_SPANS:
        yield "later", f"{len(spans) - MAX_SPANS} more rows", "", "", "", ""


def _seconds(span: Span) -> str:
    return f"{span.poll.at:.1f}" + (f" to {span.until:.1f}" if span.count > 1 else "")


def _status(poll: Poll, vocabulary: Vocabulary) -> str:
    if poll.error:
        return poll.error.answer
    if poll.job:
        return vocabulary.show(poll.job)
    if poll.status is None:
        return "not asked"
    number = f'"{poll.status}"' if poll.is_text else str(poll.status)
    message = poll.message.lower()
    return number + (f" {message if message in WORDS else 'with a message'}" if message else "")


def _tables(poll: Poll, vocabulary: Vocabulary) -> str:
    if poll.tables is None:
        return "no list"
    words = [(number, vocabulary.show(word) if word else "(no word)") for number, word in poll.tables]
    if len(words) > MAX_TABLES:
        return ", ".join(f"{count} {word}" for word, count in Counter(word for _, word in words).items())
    return ", ".join(f"{number} {word}" for number, word in words) or "empty list"


def _cube(cube: CubeSeen) -> str:
    if cube.processing is None:
        return "not readable"
    return f"{cube.status}{' processing' if cube.processing else ''}"


def _calls(calls: Sequence[Call]) -> Iterator[tuple[str, str, str, str]]:
    grouped: dict[tuple[str, str], list[float]] = {}
    for call in calls:
        grouped.setdefault((f"{call.method} {call.path}", call.answer), []).append(call.seconds)
    for (what, answer), seconds in grouped.items():
        yield what, answer, str(len(seconds)), f"{max(seconds):.2f} s"


def _fields(recorder: Recorder) -> Iterator[tuple[str, str]]:
    for place, names in islice(recorder.fields.items(), MAX_PLACES):
        call, path, *keys = place.split(" ")
        where = " ".join((call, path, *map(recorder.vocabulary.show, keys)))
        yield where, ", ".join(dict.fromkeys(map(recorder.vocabulary.show, islice(names, MAX_FIELDS))))


def _enums(facts: Facts, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    for name, values in list_enums(facts.openapi, vocabulary).items():
        yield name, ", ".join(values)
