# SPDX-License-Identifier: Apache-2.0
"""The flow of a probe: reads what there is to read, starts one refresh, and polls it until it ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import takewhile
from typing import TypeVar

from airflow_provider_mstr.probe import calls
from airflow_provider_mstr.probe.facts import CubeSeen, End, Facts, LastUpdate, Poll
from airflow_provider_mstr.probe.readings import is_failure
from airflow_provider_mstr.probe.recorder import Recorder
from airflow_provider_mstr.rest.codes import parse_number
from airflow_provider_mstr.rest.endpoints.cubes import Cube, get_cube
from airflow_provider_mstr.rest.endpoints.data_models import (
    DataModelInstance,
    TableRefresh,
    create_instance,
    delete_instance,
    get_publish_status,
    list_tables,
    start_publish,
)
from airflow_provider_mstr.rest.endpoints.jobs import cancel_job, get_job, publish_cube
from airflow_provider_mstr.rest.endpoints.projects import find_project_id
from airflow_provider_mstr.rest.endpoints.search import CUBE, DATA_MODEL, ObjectKind, find_object_id
from airflow_provider_mstr.rest.errors import InvalidResponse, MstrError, ServerUnavailable
from airflow_provider_mstr.rest.flow import Flow, Pause, with_retry_limit
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Session

T = TypeVar("T")

# Seconds that a call may take which a refresh does without; openapi.json has 6 MB.
CALL_SECONDS = 30.0

# Seconds between two polls: short at first, as the first answers of a publish are the open question.
MIN_PAUSE, MAX_PAUSE, SHARE_OF_ELAPSED = 0.5, 10.0, 0.05

# How many polls follow the end, and how many seconds apart: a number or the last update may change later.
POLLS_AFTER_END, PAUSE_AFTER_END = 4, 2.0

# Seconds for which nothing may change before the polls end without a plain end: if the load may have ended,
# and if it may wait for a cold warehouse.
QUIET_SECONDS = 60.0
LONG_QUIET_SECONDS = 15 * 60.0

# How often an error must come in a row to be the end.
REPETITIONS = 3

_UTC_DIFFERENCE = timedelta(minutes=10)
_JOB_ENDS = frozenset({"completed", "error", "stopped", "waiting_for_autoprompt"})


def open_probe(
    recorder: Recorder,
    session: Session,
    project: str,
    kind: ObjectKind,
    target: str,
    *,
    timeout: float,
    log: Callable[[str], object],
) -> Flow[Probe]:
    """Return the probe of an object.

    :param recorder: records its calls
    :param session: the session
    :param project: the project's id or name
    :param kind: a data model or a cube
    :param target: the object's id or name
    :param timeout: the seconds that the load may take
    :param log: logs a line
    """
    project_id = yield from find_project_id(session, project)
    object_id = yield from find_object_id(session, project_id, kind, target)
    probe_class = DataModelProbe if kind is DATA_MODEL else CubeProbe
    return probe_class(recorder, session, project_id, object_id, timeout, log)


@dataclass
class Probe(ABC):
    """One probe of an object.

    :param recorder: records its calls
    :param session: the session
    :param project_id: the project's id
    :param object_id: the object's id
    :param timeout: the seconds that the load may take
    :param log: logs a line
    """

    recorder: Recorder
    session: Session
    project_id: str
    object_id: str
    timeout: float
    log: Callable[[str], object]
    facts: Facts = field(default_factory=Facts)
    _started: float = field(default=0.0, init=False)
    _baseline: Cube | None = field(default=None, init=False)
    _nodes: list[str] = field(default_factory=list, init=False)

    def run(self) -> Flow[None]:
        """Read what there is to read, refresh once, and poll until the load ends."""
        yield from self._read_server()
        self._baseline = yield from self._try(get_cube(self.session, self.project_id, self.object_id))
        yield from self._start()
        if self.facts.accepted is False:
            self.facts.end = End.REFUSED
        else:
            yield from self._poll_until_end()
        yield from self._read_rows()

    @abstractmethod
    def close(self) -> Flow[None]:
        """Delete or cancel what the session holds; the session stays open."""

    @abstractmethod
    def _open(self) -> Flow[None]:
        """Create what the start needs."""

    @abstractmethod
    def _send(self) -> Flow[None]:
        """Send the start."""

    @abstractmethod
    def _poll_status(self) -> Flow[Poll]:
        """Ask for the status once."""

    def _end_of(self, poll: Poll) -> End | None:
        """Return the end that a poll shows plainly."""
        if poll.problem == "SessionExpired":
            return End.SESSION_LOST
        return End.UPDATED if poll.cube.is_loaded and not self._shows_running(poll) else None

    @staticmethod
    @abstractmethod
    def _shows_running(poll: Poll) -> bool:
        """Return whether the status shows a load that runs."""

    def _try(self, flow: Flow[T]) -> Flow[T | None]:
        """Run a flow whose failure is an observation too; return None then."""
        with suppress(MstrError):
            return (yield from with_retry_limit(flow, CALL_SECONDS, once=True))
        return None

    def _read_server(self) -> Flow[None]:
        self.facts.versions = (yield from self._try(calls.get_versions(self.session))) or {}
        self.facts.openapi = yield from self._try(calls.get_openapi(self.session))
        self._nodes = (yield from self._try(calls.list_nodes(self.session))) or []
        status = calls.get_cube_status(self.session, self.project_id, self.object_id)
        self.facts.head_status = yield from self._try(status)

    def _start(self) -> Flow[None]:
        """Start the refresh. A start without a valid answer may have started it."""
        is_sent = False
        try:
            yield from self._open()
            self.log("Starting the refresh")
            self._started, is_sent = self.recorder.clock(), True
            yield from self._send()
            self.facts.accepted = True
        except MstrError as error:
            is_lost = is_sent and isinstance(error, (ServerUnavailable, InvalidResponse))
            self.facts.accepted = None if is_lost else False
            self.log(str(error))

    def _poll_until_end(self) -> Flow[None]:
        facts = self.facts
        while True:
            facts.polls.append((yield from self._poll()))
            if len(facts.polls) == 1:
                yield from self._read_jobs()
            elapsed = self.recorder.clock() - self._started
            end = self._end(facts.polls, elapsed)
            if end is not None:
                break
            yield Pause(min(MAX_PAUSE, max(MIN_PAUSE, SHARE_OF_ELAPSED * elapsed)))
        facts.end, facts.ended_at = end, facts.polls[-1].at
        self.log(f"The polls have ended: {end}")
        for _ in range(0 if end in (End.SESSION_LOST, End.TIMEOUT) else POLLS_AFTER_END):
            yield Pause(PAUSE_AFTER_END)
            facts.polls.append((yield from self._poll()))

    def _poll(self) -> Flow[Poll]:
        poll = yield from self._poll_status()
        poll = replace(poll, at=self.recorder.clock() - self._started, cube=(yield from self._read_cube()))
        if not (self.facts.polls and poll.shows_the_same_as(self.facts.polls[-1])):
            self.log(f"{poll.at:.1f} s: {self._describe(poll)}")
        return poll

    def _describe(self, poll: Poll) -> str:
        answer = poll.error.answer if poll.error else ""
        status = answer or poll.job or f"status {poll.status}"
        return f"{status}, last update {poll.cube.last_update}"

    def _read_cube(self) -> Flow[CubeSeen]:
        cube = yield from self._try(get_cube(self.session, self.project_id, self.object_id))
        if cube is None:
            return CubeSeen()
        response = self.recorder.response
        update = LastUpdate.NOT_READABLE if self._baseline is None else LastUpdate.SAME
        if self._baseline is not None and cube.updated not in (None, self._baseline.updated):
            update = LastUpdate.NEWER
            if self.facts.is_utc is None and response and cube.updated:
                self.facts.is_utc = _is_utc(cube.updated, response.header("Date"))
        payload = response.json() if response else {}
        return CubeSeen(update, cube.processing, parse_number(payload["cubesInfos"][0].get("status")))

    def _end(self, polls: list[Poll], elapsed: float) -> End | None:
        poll = polls[-1]
        end = self._end_of(poll)
        if end is not None:
            return end
        if elapsed >= self.timeout:
            return End.TIMEOUT
        if poll.cube.processing or self._shows_running(poll):
            return None
        is_idle = poll.error is not None and poll.cube.processing is False
        may_have_ended = poll.status == 1 or self.facts.accepted is None or is_idle
        limit = QUIET_SECONDS if may_have_ended else LONG_QUIET_SECONDS
        return End.QUIET if self._quiet_seconds(polls) >= limit else None

    @staticmethod
    def _quiet_seconds(polls: list[Poll]) -> float:
        """Return for how long the polls have shown the same."""
        same = takewhile(polls[-1].shows_the_same_as, reversed(polls))
        return polls[-1].at - min(poll.at for poll in same)

    def _read_jobs(self) -> Flow[None]:
        for node in self._nodes or [""]:
            words = yield from self._try(calls.list_job_words(self.session, node, self.object_id))
            if words is not None:
                self.facts.job_words = [*(self.facts.job_words or []), *words]

    def _read_rows(self) -> Flow[None]:
        for node in self._nodes:
            cache = yield from self._try(
                calls.find_cache(self.session, node, self.project_id, self.object_id)
            )
            if cache is not None:
                has_rows = isinstance(cache.get("rowCount"), int)
                self.facts.rows_in_monitor = has_rows or bool(self.facts.rows_in_monitor)
        self.facts.rows_by_query = yield from self._try(
            calls.has_row_count(self.session, self.project_id, self.object_id)
        )

    def _failed_poll(self, error: MstrError) -> Poll:
        return Poll(error=replace(self.recorder.calls[-1], problem=type(error).__name__, seconds=0.0))

    def _repeats(self, poll: Poll) -> bool:
        """Return whether an error has come often enough in a row, while the cube shows no load."""
        last = [each.problem for each in self.facts.polls[-REPETITIONS:]]
        return last == [poll.problem] * REPETITIONS and not poll.cube.processing


@dataclass
class DataModelProbe(Probe):
    """One probe of a data model."""

    _instance: DataModelInstance = field(init=False)
    _tables: tuple[TableRefresh, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        self._instance = DataModelInstance(self.session, self.project_id, self.object_id)
        self.facts.kind = DATA_MODEL.name

    def close(self) -> Flow[None]:
        """Delete the instance."""
        if self._instance.instance_id:
            yield from self._try(delete_instance(self._instance))

    def _open(self) -> Flow[None]:
        ids = (self.session, self.project_id, self.object_id)
        self.facts.serve_mode = (yield from self._try(calls.get_serve_mode(*ids))) or ""
        self._instance = yield from create_instance(*ids)
        listed = yield from list_tables(self._instance)
        self._tables = tuple(TableRefresh(table.id, table.name, RefreshPolicy.REPLACE) for table in listed)
        self.facts.tables = len(listed)
        self.facts.before = yield from self._poll_status()

    def _send(self) -> Flow[None]:
        yield from start_publish(self._instance, self._tables)

    def _poll_status(self) -> Flow[Poll]:
        try:
            status = yield from with_retry_limit(get_publish_status(self._instance), CALL_SECONDS, once=True)
        except MstrError as error:
            return self._failed_poll(error)
        response = self.recorder.response
        payload = response.json() if response else {}
        words = self._numbered((table.id, table.word) for table in status.tables)
        return Poll(
            status=status.status,
            is_text=isinstance(payload.get("status"), str),
            tables=None if payload.get("tables") is None else words,
            message=status.message,
        )

    def _numbered(self, words: Iterable[tuple[str, str]]) -> tuple[tuple[int, str], ...]:
        numbers = {table.id.upper(): number for number, table in enumerate(self._tables, start=1)}
        numbered = [
            (numbers.get(table_id.upper(), len(numbers) + position), word)
            for position, (table_id, word) in enumerate(words, start=1)
        ]
        return tuple(sorted(numbered))

    def _end_of(self, poll: Poll) -> End | None:
        if State.FAILED in poll.states:
            return End.TABLE_FAILED
        if poll.states == {State.FINISHED} and len(poll.tables or ()) >= len(self._tables):
            return End.TABLES
        if poll.status is not None and is_failure(poll.status):
            return End.NUMBER
        if poll.problem in _ENDING_ERRORS and self._repeats(poll):
            return _ENDING_ERRORS[poll.problem]
        return super()._end_of(poll)

    @staticmethod
    def _shows_running(poll: Poll) -> bool:
        if poll.tables:
            return State.RUNNING in poll.states
        return poll.problem == "ModelBusy" or poll.status not in (None, 0, 1)


_ENDING_ERRORS = {"PublishFailed": End.ERROR, "InstanceExpired": End.INSTANCE_LOST}


@dataclass
class CubeProbe(Probe):
    """One probe of a cube."""

    _job_id: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.facts.kind = CUBE.name

    def close(self) -> Flow[None]:
        """Cancel the job, if it may still run."""
        if self._job_id and self.facts.end in (End.INTERRUPTED, End.TIMEOUT, End.QUIET):
            yield from self._try(cancel_job(self.session, self.project_id, self._job_id))

    def _open(self) -> Flow[None]:
        yield from ()

    def _send(self) -> Flow[None]:
        self._job_id = yield from publish_cube(self.session, self.project_id, self.object_id, "the cube")

    def _poll_status(self) -> Flow[Poll]:
        if not self._job_id:
            return Poll()
        job = get_job(self.session, self.project_id, self._job_id)
        try:
            status = yield from with_retry_limit(job, CALL_SECONDS, once=True)
        except MstrError as error:
            return self._failed_poll(error)
        return Poll(job=status.word)

    def _end_of(self, poll: Poll) -> End | None:
        if poll.job in _JOB_ENDS:
            return End.JOB
        if poll.problem not in ("", "NoPrivilege", "SessionExpired") and self._repeats(poll):
            return End.JOB_GONE
        return super()._end_of(poll)

    @staticmethod
    def _shows_running(poll: Poll) -> bool:
        return bool(poll.job) and poll.job not in _JOB_ENDS


def _is_utc(updated: datetime, date: str | None) -> bool | None:
    """Return whether a time without a zone is near the date of the response, which is in UTC."""
    try:
        now = parsedate_to_datetime(date or "").astimezone(UTC).replace(tzinfo=None)
    except (ValueError, TypeError, OverflowError):
        return None
    return abs(now - updated) < _UTC_DIFFERENCE
