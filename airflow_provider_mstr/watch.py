# SPDX-License-Identifier: Apache-2.0
"""Watching a publish until it ends: when to look, what to tell, when to give up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from airflow_provider_mstr import facts
from airflow_provider_mstr.refresh import (
    ADDED_ROWS_ADVICE,
    Ending,
    Refresh,
    RefreshOutcome,
    TableOutcome,
    table_json,
)
from airflow_provider_mstr.rest import procedures, workflow
from airflow_provider_mstr.rest.codes import in_words
from airflow_provider_mstr.rest.errors import (
    MstrError,
    NotUnderstood,
    OutcomeUnknown,
    PublishFailed,
    PublishTimedOut,
    ServerUnavailable,
    SessionLost,
)
from airflow_provider_mstr.rest.evidence import Baseline
from airflow_provider_mstr.rest.protocol import Pause, Procedure
from airflow_provider_mstr.rest.publication import PublishStatus, State, TableStatus
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.tables import RefreshPolicy, TableRefresh
from airflow_provider_mstr.rest.words import first_of
from airflow_provider_mstr.rest.workflow import Look, Proof

# Pauses grow with the time that has passed, so that an end is noticed late in proportion only; what spreads
# the polls of many refreshes shortens them, so that none is later than that.
SHARE_OF_ELAPSED = 0.1
SHORTEST_PAUSE = 0.5
JITTER = 0.1

# Seconds of not being able to ask, after which the watch gives up; each good answer refills it.
PATIENCE = 300.0

# Seconds between two looks at the cube, and of it lying idle until a lost publish is given up.
EVIDENCE_PAUSE = 2.0
LONGEST_IDLE = 60.0

# How many tables that change alike in one look are told one by one, and how many lines a look is told in.
FEW_TABLES = 5
MOST_LINES = 10

# How many of the tables that a publish still waits for, or that failed, its error names.
MOST_WAITING = 10
MOST_FAILED = 5

# Seconds that a kill may take to reach a task after a teardown has closed its session.
KILL_GRACE = 10.0

# The state of a refresh that ends with an error; with any other error, it may still be running.
_STATES = {PublishFailed: State.FAILED, OutcomeUnknown: State.UNKNOWN}

_UPDATED = "the data model was updated since the publish was sent, so that has ended well"


@dataclass
class Watcher:
    """Follows one publish, and tells each change of a table's state once.

    :param refresh: the refresh that was published
    :param timeout: seconds that the load may take, from the moment that the server has accepted the publish
    :param poll_interval: maximum seconds between two checks
    :param clock: seconds since the epoch
    :param tell: takes a line for the log
    :param seen: table id to the last word seen for it, and the seconds it took; an earlier watch's, where
        this one goes on from there
    :param credentials: who logs in to look for evidence where the session is lost
    :param answered: whether the session is known to have been alive since the publish

    ``looks`` counts how often the server was looked at.
    """

    refresh: Refresh
    timeout: float
    poll_interval: float
    credentials: Credentials
    clock: Callable[[], float]
    tell: Callable[[str], object]
    seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    answered: bool = True
    looks: int = field(default=0, init=False)
    _busy: bool = field(default=False, init=False)
    _doubted: bool = field(default=False, init=False)
    _ending: Ending | None = field(default=None, init=False)

    def end(self, first_pause: float = 0.0) -> Procedure[Ending]:
        """Look until the publish ends, and return its ending, whatever that is.

        :param first_pause: seconds to wait before the first look
        """
        yield Pause(min(first_pause, max(0.0, self.left)))
        ending = None
        while ending is None:
            ending = yield from self.end_within(self.timeout)
        return ending

    def end_within(self, seconds: float, patience: float | None = None) -> Procedure[Ending | None]:
        """Look until the publish ends or some time has passed; return its ending, or None.

        What has ended is not looked at again.

        :param seconds: seconds to go on looking; what begins within them is finished
        :param patience: seconds of asking a server that is away, where somebody else is to ask on, so that
            not to be answered is no ending
        """
        if self._ending is None:
            self._ending = yield from self._end_within(seconds, patience)
        return self._ending

    def ending(self, error: MstrError) -> Ending:
        """Return the ending that an error makes of the refresh.

        :param error: why there will be no more looks
        """
        state = next((state for kind, state in _STATES.items() if isinstance(error, kind)), State.RUNNING)
        outcome = self.outcome(state, proven=False)
        if error.mended_by_time and self._may_have_added(outcome):
            error.advice, error.mended_by_time = ADDED_ROWS_ADVICE, False
        return Ending(outcome, error)

    def _may_have_added(self, outcome: RefreshOutcome) -> bool:
        """Whether a retry could add rows twice: a table of a failed publish has to be seen loaded for it."""
        loaded = {State.FINISHED} if outcome.state is State.FAILED else set(State) - {State.FAILED}
        return any(table.policy is RefreshPolicy.ADD and table.state in loaded for table in outcome.tables)

    def look(self, patience: float | None = None) -> Procedure[RefreshOutcome | None]:
        """Look once, and return the outcome if the publish has ended.

        :param patience: seconds of asking a server that is away, if so many are left; None for as long as
            is worth while
        :raises PublishFailed: where the publish failed
        :raises OutcomeUnknown: where it has ended, and how can no longer be told
        :raises ServerUnavailable: where the server was away for too long
        """
        self.looks += 1
        left = max(0.0, self.left)
        patience = PATIENCE if patience is None else patience
        refresh = self.refresh
        try:
            seen = yield from workflow.look(
                refresh.instance, refresh.table_ids, min(patience, left), self.refresh.comparable
            )
        except (ServerUnavailable, NotUnderstood):
            if patience < left or self.left <= 0:
                raise
            # The server asks for more patience than is left, so the last look is a single one.
            yield Pause(self.left)
            return (yield from self.look(patience))
        except PublishFailed:
            raise
        except MstrError as lost:
            if isinstance(lost, OutcomeUnknown) or (isinstance(lost, SessionLost) and not self.answered):
                raise
            return (yield from self._by_evidence(lost))
        self.answered = True
        self._note(seen)
        if seen.state is State.FAILED and seen.status is not None:
            reason = self._reason(seen.status)
            raise PublishFailed(f"the publish of {refresh.instance.model_name} failed: {reason}")
        if seen.state is not State.FINISHED:
            return None
        proven = seen.proof is Proof.TABLES
        if self.refresh.contested and not proven:
            raise OutcomeUnknown(
                f"the server reports the end of a load of {refresh.instance.model_name}, but another job "
                "loaded it at the same time, so it is unknown which load has ended"
            )
        return self.outcome(State.FINISHED, proven=proven)

    @property
    def elapsed(self) -> float:
        """Seconds since the server has accepted the publish."""
        return self.clock() - (self.refresh.published_at or self.clock())

    @property
    def left(self) -> float:
        """Seconds until the publish has taken too long."""
        return self.timeout - self.elapsed

    def outcome(self, state: State, *, proven: bool) -> RefreshOutcome:
        """Return how the refresh stands.

        :param state: how it ended, or running where it is given up
        :param proven: whether each table was seen loaded
        """
        instance = self.refresh.instance
        tables = tuple(self._table_outcome(table, state) for table in self.refresh.tables)
        return RefreshOutcome(
            instance.project_id, instance.data_model_id, state, proven, self.elapsed, tables
        )

    def timed_out(self) -> MstrError:
        """Return the error of a publish that was not seen to end in time."""
        if self._doubted:
            return OutcomeUnknown(
                f"the server reports the publish of {self.refresh.instance.model_name} as done, but the data "
                f"model was not updated within {self.timeout:g} s; evidence=False takes the server's word"
            )
        waiting = [table.name for table in self.refresh.tables if self._state(table) is State.RUNNING]
        still = (
            f"still waiting for {first_of(waiting, MOST_WAITING)}"
            if waiting
            else "every table was seen loaded"
        )
        model = self.refresh.instance.model_name
        return PublishTimedOut(f"the publish of {model} did not end within {self.timeout:g} s: {still}")

    def _end_within(self, seconds: float, patience: float | None) -> Procedure[Ending | None]:
        until = self.clock() + seconds
        try:
            while (outcome := (yield from self.look(patience))) is None:
                if self.left <= 0:
                    raise self.timed_out()
                pause = min(self._pause(), self.left)
                if self.clock() + pause > until:
                    return None
                yield Pause(pause)
        except (ServerUnavailable, NotUnderstood) as error:
            return None if patience is not None else (yield from self._unanswered(error, until))
        except MstrError as error:
            return self.ending(error)
        return Ending(outcome)

    def _unanswered(self, error: MstrError, until: float) -> Procedure[Ending | None]:
        """Return the ending of a watch that was not answered, or None where it is to ask on later."""
        told = error.reply.retry_after or 0.0
        if not PATIENCE <= told < self.left:
            return (yield from self._unseen(error))
        if self.clock() + told <= until:
            yield Pause(told)
        return None

    def _unseen(self, error: MstrError) -> Procedure[Ending]:
        """Return the ending of a publish that can be asked for no more, and may have ended well unseen."""
        instance, baseline = self.refresh.instance, self.refresh.comparable
        if baseline is not None and baseline.readable:
            try:
                cube = yield from workflow.cube_of(instance)
            except SessionLost:
                cube = None
            if baseline.outdated_by(cube):
                self.tell(f"{error.what}; but {_UPDATED}")
                return Ending(self.outcome(State.FINISHED, proven=False))
        unknown = self.refresh.end_unknown(error)
        unknown.may_answer_later = self.left > 0
        return self.ending(unknown)

    def _by_evidence(self, lost: MstrError) -> Procedure[RefreshOutcome]:
        """Return the outcome that the model's cube shows, where publishStatus can be asked no more.

        :raises OutcomeUnknown: where the cube does not show a load, or not in time
        """
        baseline, instance = self.refresh.comparable, self.refresh.instance
        unknown = self.refresh.end_unknown(lost)
        if baseline is None or not baseline.readable:
            raise unknown
        self.tell(f"{lost.what}; looking for the data model's last update instead")
        session = instance.session
        try:
            if isinstance(lost, SessionLost):
                yield Pause(min(KILL_GRACE, max(0.0, self.left)))
                session = yield from procedures.login(self.credentials)
            yield from self._until_updated(baseline, session, unknown)
        except OutcomeUnknown:
            raise
        except MstrError as error:
            raise unknown from error
        finally:
            if session is not instance.session:
                yield from workflow.attempt(procedures.logout(session, workflow.CLEANUP_PATIENCE))
        self.tell(_UPDATED)
        return self.outcome(State.FINISHED, proven=False)

    def _until_updated(self, baseline: Baseline, session: Session, unknown: MstrError) -> Procedure[None]:
        idle_since: float | None = None
        while True:
            cube = yield from workflow.cube_of(self.refresh.instance, session)
            if baseline.outdated_by(cube):
                return
            idle = cube is None or not cube.processing
            idle_since = (idle_since or self.clock()) if idle else None
            if self.left <= 0 or (idle_since is not None and self.clock() - idle_since > LONGEST_IDLE):
                raise unknown
            yield Pause(min(max(self._pause(), EVIDENCE_PAUSE), max(0.0, self.left)))

    def _pause(self) -> float:
        pause = min(self.poll_interval, max(SHORTEST_PAUSE, self.elapsed * SHARE_OF_ELAPSED))
        # Nobody gains from foreseeing it, so this chance needs no secrecy.
        return pause * random.uniform(1 - JITTER, 1)  # noqa: S311

    def _reason(self, status: PublishStatus) -> str:
        names = {table.id.upper(): table.name for table in self.refresh.tables}
        failed = [table for table in status.tables if table.state is State.FAILED]
        tables = [
            f"table {names.get(table.id.upper(), table.id)} ended as {table.word}"
            + (f" ({table.error})" if table.error else "")
            for table in failed[:MOST_FAILED]
        ]
        if len(failed) > MOST_FAILED:
            tables.append(f"{len(failed) - MOST_FAILED} more tables failed")
        words = in_words(status.status)
        number = f"status {status.status}" + (f", {words}" if words else "")
        return "; ".join(part for part in (number, status.message, *tables) if part)

    def _note(self, seen: Look) -> None:
        if seen.busy and not self._busy:
            self.tell("Another job is publishing this data model; waiting for it")
        if seen.doubted and not self._doubted:
            self.tell(
                "The server reports the publish as done, but the data model's last update does not show it "
                "yet; waiting for that"
            )
        self._busy, self._doubted = seen.busy, seen.doubted
        if seen.busy:
            self.refresh = replace(self.refresh, contested=True)
        self._tell_changes(seen.status.tables if seen.status else ())
        if seen.state is State.FINISHED and seen.proof is Proof.CUBE:
            self.tell("The publish is done: the data model was updated since it was sent")
        if seen.state is State.FINISHED and seen.proof is Proof.NONE:
            self.tell("The server reports the publish as done, without proof for each table")

    def _tell_changes(self, listed: Iterable[TableStatus]) -> None:
        changes = list(self._changes(listed))
        for line, tables in changes[:MOST_LINES]:
            with self._facts(tables):
                self.tell(line)
        if rest := changes[MOST_LINES:]:
            with self._facts([table for _, tables in rest for table in tables]):
                self.tell(f"and {len(rest)} more changes of tables, in the same look")

    def _facts(self, tables: Sequence[TableRefresh]) -> AbstractContextManager[None]:
        """Keep beside a line what it says of tables."""
        stands = [
            table_json(table) | {"state": str(self._state(table)), "word": word, "seconds": round(seconds, 1)}
            for table in tables
            for word, seconds in (self.seen[table.id],)
        ]
        return facts.beside(tables=stands, published_at=self.refresh.published_at)

    def _changes(self, listed: Iterable[TableStatus]) -> Iterator[tuple[str, list[TableRefresh]]]:
        """Note how each table stands, and return what is to be told: many that changed alike as one line."""
        changes = self._changed(listed)
        left = sum(self._state(table) is State.RUNNING for table in self.refresh.tables) if changes else 0
        for word, changed in changes.items():
            few = len(changed) <= FEW_TABLES
            for tables in ([table] for table in changed) if few else (changed,):
                left -= sum(self._state(table) is State.RUNNING for table in tables)
                self.seen.update({table.id: (word, self.elapsed) for table in tables})
                left += sum(self._state(table) is State.RUNNING for table in tables)
                who, names = _called(tables)
                after = f"{word} after {self.elapsed:.0f} s, {left} of {len(self.refresh.tables)} left"
                yield f"{who}: {after}{names}", tables

    def _changed(self, listed: Iterable[TableStatus]) -> dict[str, list[TableRefresh]]:
        """Return the tables whose word differs from the last one seen, by that word."""
        ours = {table.id.upper(): table for table in self.refresh.tables}
        words = {entry.id.upper(): entry.word for entry in listed}
        changed: dict[str, list[TableRefresh]] = {}
        for table_id, word in words.items():
            table = ours.get(table_id)
            if table is not None and self.seen.get(table.id, ("", 0.0))[0] != word:
                changed.setdefault(word, []).append(table)
        return changed

    def _state(self, table: TableRefresh) -> State:
        word, _ = self.seen.get(table.id, ("", 0.0))
        return TableStatus(table.id, word).state

    def _table_outcome(self, table: TableRefresh, whole: State) -> TableOutcome:
        state, (_, seconds) = self._state(table), self.seen.get(table.id, ("", 0.0))
        if state is not State.RUNNING:
            return TableOutcome(table.id, table.name, table.policy, state, seconds)
        # Where the server lists no tables, what holds for all is all that is known of each.
        state = State.RUNNING if whole is State.FAILED else whole
        return TableOutcome(table.id, table.name, table.policy, state, None)


def _called(tables: list[TableRefresh]) -> tuple[str, str]:
    """Return how a line calls tables that changed alike: what it begins with, and what it ends with."""
    if len(tables) == 1:
        return f"Table {tables[0].name}", ""
    return f"{len(tables)} tables", f": {first_of([table.name for table in tables], 3)}"
