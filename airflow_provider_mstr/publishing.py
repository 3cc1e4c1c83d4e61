# SPDX-License-Identifier: Apache-2.0
"""Starting a publish: which tables, after whom, and with what to compare its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_provider_mstr import facts
from airflow_provider_mstr.arguments import WhenBusy
from airflow_provider_mstr.refresh import Note, Refresh, table_json, unnoted
from airflow_provider_mstr.rest import procedures, workflow
from airflow_provider_mstr.rest.errors import (
    InstanceLost,
    InvalidRequest,
    ModelBusy,
    MstrError,
    NotUnderstood,
    ServerUnavailable,
    SessionLost,
)
from airflow_provider_mstr.rest.evidence import Baseline
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Pause, Procedure, hurried
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.tables import TableChoice
from airflow_provider_mstr.rest.words import first_of

# A model that another job published is free once its cube was seen idle so often, so many seconds apart.
IDLE_LOOKS = 2
BUSY_PAUSE = 5.0

# Seconds to find out whether a publish without an answer has started a load, and between two checks.
MAX_SECONDS_TO_FIND_OUT = 8.0
FIND_OUT_PAUSE = 1.0

# Seconds for which the logout of a session is retried if its load must stop.
CLOSE_SECONDS = 60.0

_MOST_NAMES = 20

Reopen = Callable[[DataModelInstance, Callable[[Session], object]], Procedure[DataModelInstance]]


@dataclass(frozen=True)
class Publisher:
    """Publishes tables of a data model, once, as soon as no other job does.

    :param choice: the tables and their policies
    :param evidence: whether to read the model's last update if publishStatus does not show the end of a load
    :param when_busy: what to do where another job publishes the model
    :param timeout: seconds to wait for that other job
    :param clock: seconds since the epoch
    :param tell: takes a line for the log
    :param note: takes down how far the publish has come
    :param reopen: opens an instance in a new session, which it passes on as soon as it is open; None where
        the session belongs to another task
    """

    choice: TableChoice
    evidence: bool
    when_busy: WhenBusy
    timeout: float
    clock: Callable[[], float]
    tell: Callable[[str], object]
    note: Note = unnoted
    reopen: Reopen | None = None

    def publish(self, refresh: Refresh) -> Procedure[Refresh]:
        """Publish, and return the refresh as it then stands.

        :param refresh: a refresh that was opened
        :raises ModelBusy: where another job publishes the model, and goes on for too long
        :raises OutcomeUnknown: if nothing shows whether the load has started
        """
        refresh = replace(refresh, tables=(yield from workflow.resolve_tables(refresh.instance, self.choice)))
        self._announce(refresh)
        queue = _Queue(self, self.clock() + self.timeout)
        while True:
            try:
                refresh = yield from self._start(refresh)
            except ModelBusy as busy:
                self.note(replace(refresh, published_at=None))
                yield from queue.wait(busy)
                continue
            published = yield from self._unless_rejected(refresh, queue)
            if published is not None:
                self.note(published, taken=True)
                return published
            self.tell("The other job has ended; publishing again")
            refresh = replace(refresh, instance=(yield from workflow.another(refresh.instance)))

    def _announce(self, refresh: Refresh) -> None:
        tables = refresh.tables
        names = first_of([f"{table.name} ({table.policy})" for table in tables], _MOST_NAMES)
        with facts.beside(tables=[table_json(table) for table in tables]):
            self.tell(f"Publishing {len(tables)} tables of {refresh.instance.model_name}: {names}")

    def _start(self, refresh: Refresh) -> Procedure[Refresh]:
        """Start the load, and return its refresh; start once more if the first start did nothing.

        :raises OutcomeUnknown: if nothing shows whether the load has started
        """
        for is_last in (False, True):
            refresh = yield from self._compared(refresh)
            self.note(refresh)
            lost = yield from _send(refresh)
            if lost is None:
                break
            was_refused = isinstance(lost, InstanceLost)
            has_started = False if was_refused else (yield from self._find_out(refresh, lost))
            if has_started:
                break
            if is_last:
                raise lost if has_started is False else refresh.start_unknown(lost)
            new = self._new_instance(refresh) if has_started is False else self._new_session(refresh, lost)
            refresh = yield from new
        # A slow server may begin long after the request was sent.
        return replace(refresh, published_at=self.clock())

    def _compared(self, refresh: Refresh) -> Procedure[Refresh]:
        """Return the refresh as it is to be published, with what its end is to be compared with."""
        cube = (yield from workflow.cube_of(refresh.instance)) if self.evidence else None
        return replace(
            refresh,
            published_at=self.clock(),
            baseline=Baseline.of(cube) if self.evidence else None,
            contested=cube is not None and cube.processing,
        )

    def _find_out(self, refresh: Refresh, lost: MstrError) -> Procedure[bool | None]:
        reason = f"{lost.what} ({lost.reply})" if str(lost.reply) else lost.what
        self.tell(f"The publish got no valid answer: {reason}. Checking whether the load has started")
        try:
            has_started = yield from has_load_started(refresh, self.clock)
        except SessionLost:
            has_started = None
        if has_started:
            self.tell("The load has started; waiting for it")
        return has_started

    def _new_instance(self, refresh: Refresh) -> Procedure[Refresh]:
        """Return the refresh in a new instance; without the old one, a start that arrives late fails."""
        self.tell("The load has not started; publishing again in a new instance")
        yield from procedures.delete_instance(refresh.instance, workflow.CLEANUP_PATIENCE)
        return replace(refresh, instance=(yield from workflow.another(refresh.instance)))

    def _new_session(self, refresh: Refresh, lost: MstrError) -> Procedure[Refresh]:
        """Close the session, which stops all that runs in it, and return the refresh in a new one.

        :raises OutcomeUnknown: if the session cannot be closed, or a load may have ended in it
        """
        baseline = refresh.baseline
        is_comparable = baseline is not None and baseline.readable
        if self.reopen is None or (refresh.adds_rows and not is_comparable):
            raise refresh.start_unknown(lost)
        self.tell(
            "Nothing shows whether the load has started; closing the session, which stops it, "
            "and publishing again in a new session"
        )
        first = refresh

        def note(session: Session) -> None:
            # Until the cube has shown that nothing was loaded, a later attempt must know of the publish.
            self.note(replace(first, instance=replace(first.instance, session=session)))

        try:
            yield from procedures.logout(first.instance.session, CLOSE_SECONDS)
            refresh = replace(first, instance=(yield from self.reopen(first.instance, note)))
            cube = yield from workflow.cube_of(refresh.instance)
        except MstrError as error:
            raise first.start_unknown(error) from error
        is_unclear = refresh.adds_rows and (cube is None or cube.processing)
        if is_unclear or (baseline is not None and baseline.outdated_by(cube)):
            raise refresh.start_unknown(lost)
        return refresh

    def _unless_rejected(self, refresh: Refresh, queue: _Queue) -> Procedure[Refresh | None]:
        """Return what was published; None if it was rejected for another job, which has ended."""
        instance, idle = refresh.instance, 0
        while (yield from workflow.is_busy(instance)):
            refresh = replace(refresh, contested=True)
            cube = (yield from workflow.cube_of(instance)) if self.evidence else None
            if cube is None and self.when_busy is WhenBusy.WAIT:
                # Only the watch can see whether this publish waits for the other job or was rejected for it.
                break
            idle = idle + 1 if cube is not None and not cube.processing else 0
            if idle == IDLE_LOOKS:
                return None
            yield from queue.wait(ModelBusy(f"another job is publishing {instance.model_name}"))
        return refresh


def has_load_started(refresh: Refresh, clock: Callable[[], float]) -> Procedure[bool | None]:
    """Return whether a publish without an answer has started a load; None if nothing shows it.

    What publishStatus answers about an instance that was never published is not documented, so a plain
    status shows nothing. An error shows nothing either, because it may be about another job. If the server
    refuses the request itself twice, nothing was published. The cube shows a load that runs or has ended,
    unless another job loads it.

    :param refresh: the refresh that was published
    :param clock: seconds since the epoch
    :raises SessionLost: if its session is over
    """
    until = clock() + MAX_SECONDS_TO_FIND_OUT

    def left() -> float:
        return max(1.0, until - clock())

    previous: bool | None = None
    while True:
        status_shows = yield from hurried(_status_shows_load(refresh.instance), left(), once=True)
        if status_shows or (status_shows is False and previous is False):
            return status_shows
        previous = status_shows
        if (yield from hurried(_cube_shows_load(refresh), left(), once=True)):
            return True
        if clock() >= until:
            return None
        yield Pause(FIND_OUT_PAUSE)


def _send(refresh: Refresh) -> Procedure[MstrError | None]:
    """Publish, and return None, or the error if the instance is gone or no valid answer came."""
    try:
        yield from procedures.publish(refresh.instance, refresh.tables)
    except (InstanceLost, NotUnderstood) as error:
        return error
    except ServerUnavailable as error:
        if error.nothing_done:
            raise
        return error
    return None


def _status_shows_load(instance: DataModelInstance) -> Procedure[bool | None]:
    try:
        return True if (yield from procedures.publish_status(instance)).shows_load else None
    except SessionLost:
        raise
    except MstrError as error:
        return False if isinstance(error, InvalidRequest) else None


def _cube_shows_load(refresh: Refresh) -> Procedure[bool]:
    if refresh.baseline is None or refresh.contested:
        return False
    cube = yield from workflow.cube_of(refresh.instance)
    return cube is not None and (cube.processing or refresh.baseline.outdated_by(cube))


@dataclass
class _Queue:
    """The wait for another job, which is told once.

    :param publisher: who waits
    :param until: when it has waited for too long
    """

    publisher: Publisher
    until: float
    _told: bool = field(default=False, init=False)

    def wait(self, busy: ModelBusy) -> Procedure[None]:
        """Wait for a while.

        :param busy: the error to raise where there is no more waiting
        """
        if self.publisher.when_busy is WhenBusy.FAIL or self.publisher.clock() >= self.until:
            raise busy
        if not self._told:
            self.publisher.tell("Another job is publishing this data model; waiting for it")
        self._told = True
        yield Pause(BUSY_PAUSE)
