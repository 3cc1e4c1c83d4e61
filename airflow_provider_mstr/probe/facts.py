# SPDX-License-Identifier: Apache-2.0
"""What a probe has seen of one refresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from airflow_provider_mstr.probe.recorder import Call
from airflow_provider_mstr.rest.endpoints.search import CUBE, DATA_MODEL
from airflow_provider_mstr.rest.publish_status import State, state_of


class LastUpdate(StrEnum):
    """What the cube's last update shows, compared with the one before the start."""

    SAME = "same"
    NEWER = "newer"
    NOT_READABLE = "not readable"


class End(StrEnum):
    """Why the polls ended."""

    TABLES = "every table is loaded"
    TABLE_FAILED = "a table has failed"
    NUMBER = "publishStatus is a failure"
    ERROR = "publishStatus answers with an error"
    UPDATED = "the last update is newer, and the cube is idle"
    JOB = "the job has ended"
    JOB_GONE = "the job is gone"
    QUIET = "nothing changes any more"
    INSTANCE_LOST = "the instance is lost"
    SESSION_LOST = "the session is lost"
    TIMEOUT = "the timeout has passed"
    REFUSED = "the server refused the start"
    INTERRUPTED = "the probe was interrupted"


# The ends that are those of the load.
SHOWN_ENDS = frozenset({End.TABLES, End.TABLE_FAILED, End.NUMBER, End.ERROR, End.UPDATED, End.JOB})


@dataclass(frozen=True)
class CubeSeen:
    """A cube, as one poll shows it.

    :param status: its status bits; None if they are no number
    :param processing: whether the bit "processing" is set; None if the cube is not readable
    """

    last_update: LastUpdate = LastUpdate.NOT_READABLE
    processing: bool | None = None
    status: int | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether the cube shows that a load has ended since the start."""
        return self.last_update is LastUpdate.NEWER and not self.processing


@dataclass(frozen=True)
class Poll:
    """One poll of a refresh: its status, and then its cube.

    :param at: the seconds since the start was sent
    :param status: the number of publishStatus
    :param is_text: whether the number is a text
    :param tables: the word of each table, by the table's number; None if there is no list of tables
    :param job: the word of a cube's job
    :param message: the message of publishStatus; empty if there is none
    :param error: the call, if its answer is an error
    """

    at: float = 0.0
    status: int | None = None
    is_text: bool = False
    tables: tuple[tuple[int, str], ...] | None = None
    job: str = ""
    message: str = ""
    error: Call | None = None
    cube: CubeSeen = CubeSeen()

    @property
    def problem(self) -> str:
        """The class of the error; empty if there is none."""
        return self.error.problem if self.error else ""

    @property
    def states(self) -> set[State]:
        """The states of its tables."""
        return {state_of(word) for _, word in self.tables or ()}

    def shows_the_same_as(self, other: Poll) -> bool:
        """Return whether only the time differs.

        :param other: another poll
        """
        return replace(self, at=0.0) == replace(other, at=0.0)


@dataclass(frozen=True)
class Span:
    """Polls in a row that show the same.

    :param poll: the first one
    :param until: the seconds of the last one
    :param count: how many there are
    """

    poll: Poll
    until: float
    count: int = 1


@dataclass
class Facts:
    """What a probe has seen.

    :param kind: ``data model`` or ``cube``
    :param versions: the versions of the server, by the name of their field
    :param serve_mode: the data model's serve mode
    :param head_status: the status bits of the cube by ``HEAD``; None if they are not readable
    :param tables: how many tables were published
    :param before: the poll before the start
    :param polls: the polls after the start
    :param accepted: whether the server accepted the start; None if that is not known
    :param end: why the polls ended
    :param ended_at: the seconds since the start was sent
    :param is_utc: whether the new last update is in UTC; None if that is not known
    :param job_words: the words of the object's jobs in the list of jobs; None if the list is not readable
    :param rows_in_monitor: whether the monitor of caches shows the number of rows; None if it is not readable
    :param rows_by_query: whether a query of the cube shows the number of rows; None if it fails
    :param openapi: the JSON of ``openapi.json``; None if it is not readable
    """

    kind: str = DATA_MODEL.name
    versions: dict[str, str] = field(default_factory=dict)
    serve_mode: str = ""
    head_status: int | None = None
    tables: int = 0
    before: Poll | None = None
    polls: list[Poll] = field(default_factory=list)
    accepted: bool | None = None
    end: End = End.INTERRUPTED
    ended_at: float | None = None
    is_utc: bool | None = None
    job_words: list[str] | None = None
    rows_in_monitor: bool | None = None
    rows_by_query: bool | None = None
    openapi: Any = None

    @property
    def is_cube(self) -> bool:
        """Whether the object is a cube."""
        return self.kind == CUBE.name

    def spans(self) -> Iterator[Span]:
        """Return the polls after the start, those in a row that show the same as one."""
        span: Span | None = None
        for poll in self.polls:
            if span is not None and poll.shows_the_same_as(span.poll):
                span = replace(span, until=poll.at, count=span.count + 1)
                continue
            if span is not None:
                yield span
            span = Span(poll, poll.at)
        if span is not None:
            yield span
