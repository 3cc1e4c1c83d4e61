# SPDX-License-Identifier: Apache-2.0
"""Which readings of docs/strategy-rest-api.md a refresh matches, and which it contradicts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from airflow_provider_mstr.probe.facts import SHOWN_ENDS, Facts, LastUpdate, Poll
from airflow_provider_mstr.probe.vocabulary import WORDS
from airflow_provider_mstr.rest.publish_status import State

RESULT_READY = "3.1 1 is the end of a load"
NEGATIVE = "3.1 a failure is 2, 3 or a negative number"
ALL_LOADED = "3.2 0 is the end of a load, and 1 is running"
HTTP_500 = "3.2 a failure comes as HTTP 500"
FAILED_TABLE = "3.4 a failure is the word of a table"
TABLES = "3.4 publishStatus lists the tables"
COMPLETED = "3.4 a loaded table is completed"
LOADED = "3.4 a loaded table is loaded"
EARLY = "3.5 1 comes before the load has ended"
UNPUBLISHED = "3.5 1 comes before the publish is sent"
TABLE_WORDS = "3.4 the words of the tables are known"
INSTANCE = "2 the instance answers until the load has ended"
CUBE_READABLE = "7.4 the cube is readable"
PROCESSING = "7.4 bit 1 of the cube is set while it loads"
LAST_UPDATE = "7.4 the last update is newer once the load has ended"
UTC = "7.4 the last update is in UTC"
JOB_READABLE = "13.1 the job is readable"
JOB_WORDS = "13.1 the words of the job are known"
JOB_STAYS = "13.1 the monitor still shows a job that has ended"

OF_DATA_MODELS = (
    RESULT_READY,
    ALL_LOADED,
    EARLY,
    UNPUBLISHED,
    NEGATIVE,
    HTTP_500,
    FAILED_TABLE,
    TABLES,
    COMPLETED,
    LOADED,
    TABLE_WORDS,
    INSTANCE,
)
OF_CUBES = (JOB_READABLE, JOB_WORDS, JOB_STAYS)
OF_BOTH = (CUBE_READABLE, PROCESSING, LAST_UPDATE, UTC)
READINGS = (*OF_DATA_MODELS, *OF_CUBES, *OF_BOTH)

_END, _ALL_LOADED, _JOB_ENDED = 1, 0, frozenset({"completed", "error", "stopped"})
_FAILURES = frozenset({2, 3})
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR})


class Result(StrEnum):
    """Whether a refresh matches a reading."""

    MATCHES = "matches"
    CONTRADICTS = "contradicts"
    OPEN = "not seen"


class Phase(StrEnum):
    """What a load does during a poll, as anything but the number shows it."""

    RUNNING = "running"
    LOADED = "loaded"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """Whether a refresh matches a reading.

    :param reading: the section and the text of the reading
    """

    reading: str
    result: Result


def find(facts: Facts) -> list[Finding]:
    """Return what a refresh shows about each reading of its kind.

    :param facts: what the probe has seen
    """
    own = OF_CUBES if facts.is_cube else OF_DATA_MODELS
    results = _cube_results(facts) | (_job_results(facts) if facts.is_cube else _publish_results(facts))
    return [Finding(reading, results[reading]) for reading in (*own, *OF_BOTH)]


def _publish_results(facts: Facts) -> dict[str, Result]:
    phases = list(_phases(facts))
    running = {poll.status for poll, phase in phases if phase is Phase.RUNNING} - {None}
    loaded = [poll.status for poll, phase in phases if phase is Phase.LOADED and poll.status is not None]
    last = loaded[-1] if loaded else None
    answered = [poll for poll in facts.polls if poll.status is not None]
    words = {word.lower() for poll in facts.polls for _, word in poll.tables or ()}
    before = facts.before.status if facts.before else None
    until = facts.ended_at
    is_lost = any(
        poll.problem == "InstanceExpired" for poll in facts.polls if until is None or poll.at <= until
    )
    return {
        RESULT_READY: _judge_end(_END, running, last),
        ALL_LOADED: _judge_end(_ALL_LOADED, running, last),
        EARLY: _judge(_END in running or _is_followed(answered), bool(running)),
        UNPUBLISHED: _judge(before == _END, _has_answer(facts.before)),
        **_failure_results(facts, phases),
        TABLES: _judge(any(poll.tables for poll in answered), bool(answered)),
        COMPLETED: _judge("completed" in words, "loaded" in words),
        LOADED: _judge("loaded" in words, "completed" in words),
        TABLE_WORDS: _judge_words(words),
        INSTANCE: _judge(facts.end in SHOWN_ENDS and not is_lost, is_lost),
    }


def _failure_results(facts: Facts, phases: list[tuple[Poll, Phase | None]]) -> dict[str, Result]:
    numbers = [poll.status for poll in facts.polls if poll.status is not None and is_failure(poll.status)]
    as_500 = any(poll.problem == "PublishFailed" for poll in facts.polls)
    by_table = any(phase is Phase.FAILED for _, phase in phases)
    has_failed = bool(numbers) or as_500 or by_table
    shown = {NEGATIVE: bool(numbers), HTTP_500: as_500, FAILED_TABLE: by_table}
    return {reading: _judge(matches, has_failed) for reading, matches in shown.items()}


def _job_results(facts: Facts) -> dict[str, Result]:
    words = {poll.job for poll in facts.polls if poll.job}
    is_gone = any(poll.error is not None and poll.error.status in _GONE for poll in facts.polls)
    last = next((poll for poll in reversed(facts.polls) if poll.job or poll.error), None)
    stays = last is not None and last.job.lower() in _JOB_ENDED
    return {
        JOB_READABLE: _judge(bool(words), any(poll.problem == "NoPrivilege" for poll in facts.polls)),
        JOB_WORDS: _judge_words(words),
        JOB_STAYS: _judge(stays and not is_gone, is_gone),
    }


def _cube_results(facts: Facts) -> dict[str, Result]:
    cubes = [poll.cube for poll in facts.polls]
    readable = [cube for cube in cubes if cube.processing is not None]
    updates = [cube.last_update for cube in cubes if cube.last_update is not LastUpdate.NOT_READABLE]
    has_loaded = any(phase is Phase.LOADED for _, phase in _phases(facts))
    has_run = any(phase is Phase.RUNNING for _, phase in _phases(facts))
    newer = bool(updates) and updates[-1] is LastUpdate.NEWER
    return {
        CUBE_READABLE: _judge(bool(readable), bool(cubes)),
        PROCESSING: _judge(any(cube.processing for cube in readable), bool(readable) and has_run),
        LAST_UPDATE: _judge(newer, bool(updates) and has_loaded),
        UTC: _judge(facts.is_utc is True, facts.is_utc is False),
    }


def is_failure(status: int) -> bool:
    """Return whether a number of publishStatus is a failure (3.1).

    :param status: the number
    """
    return status < 0 or status in _FAILURES


def _judge_end(number: int, running: Collection[int | None], last: int | None) -> Result:
    """Return whether a number is the end: it comes last once the load has ended, and never while it runs."""
    is_other = last is not None and last != number
    return _judge(last == number and number not in running, number in running or is_other)


def _judge(matches: bool, contradicts: bool) -> Result:
    return Result.MATCHES if matches else Result.CONTRADICTS if contradicts else Result.OPEN


def _judge_words(words: set[str]) -> Result:
    return _judge(bool(words) and words <= WORDS, not words <= WORDS)


def _phases(facts: Facts) -> Iterator[tuple[Poll, Phase | None]]:
    previous: Poll | None = None
    for poll in facts.polls:
        yield poll, _phase(poll, previous, facts.tables)
        previous = poll


def _phase(poll: Poll, previous: Poll | None, published: int) -> Phase | None:
    """Return what the load does; the tables show it in the same answer as the number, and the cube beside it.

    A poll reads the cube after the number. So only what the previous poll showed too, or already, was so
    when the number was read.
    """
    if poll.job:
        return _JOB_PHASES.get(poll.job.lower(), Phase.RUNNING)
    if poll.tables:
        return _phase_of_tables(poll, published)
    if previous is None:
        return None
    if previous.cube.processing and poll.cube.processing:
        return Phase.RUNNING
    return Phase.LOADED if previous.cube.is_loaded and poll.cube.is_loaded else None


_JOB_PHASES = {"completed": Phase.LOADED, "error": Phase.FAILED, "stopped": Phase.FAILED}


def _phase_of_tables(poll: Poll, published: int) -> Phase | None:
    if State.FAILED in poll.states:
        return Phase.FAILED
    if State.RUNNING in poll.states:
        return Phase.RUNNING
    return Phase.LOADED if len(poll.tables or ()) >= published else None


def _is_followed(answered: list[Poll]) -> bool:
    """Return whether another number that is no failure follows 1."""
    numbers = [poll.status for poll in answered]
    after = numbers[numbers.index(_END) :] if _END in numbers else []
    return any(number != _END and number is not None and not is_failure(number) for number in after)


def _has_answer(poll: Poll | None) -> bool:
    return poll is not None and (poll.error is None or poll.error.status is not None)
