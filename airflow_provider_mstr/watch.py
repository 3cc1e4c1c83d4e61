# SPDX-License-Identifier: Apache-2.0
"""Watching a publish until it ends: when to look, what to tell, when to give up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from airflow_provider_mstr.refresh import Ending, Refresh, RefreshOutcome, TableOutcome
from airflow_provider_mstr.rest import workflow
from airflow_provider_mstr.rest.codes import in_words
from airflow_provider_mstr.rest.errors import MstrError, PublishFailed, PublishTimedOut, ServerUnavailable
from airflow_provider_mstr.rest.protocol import Pause, Procedure, scrubbed
from airflow_provider_mstr.rest.publication import PublishStatus, State
from airflow_provider_mstr.rest.workflow import Look

DEFAULT_POLL_INTERVAL = 30.0

# Cold warehouses stretch a publish without a sign of life (strategy-rest-api.md 4).
DEFAULT_TIMEOUT = 2 * 60 * 60.0

# Pauses grow with the time that has passed, so that an end is noticed late in proportion only.
SHARE_OF_ELAPSED = 0.1
SHORTEST_PAUSE = 0.5
JITTER = 0.1

# Seconds of not being able to ask, after which the watch gives up; each good answer refills it.
PATIENCE = 300.0


@dataclass
class Watcher:
    """Follows one publish, and tells each change of a table's state once.

    :param refresh: the refresh that was published
    :param timeout: seconds that the publish may take, from the moment it was sent
    :param poll_interval: seconds of the longest pause between two looks
    :param clock: seconds since the epoch
    :param tell: takes a line for the log
    """

    refresh: Refresh
    timeout: float
    poll_interval: float
    clock: Callable[[], float]
    tell: Callable[[str], object]
    _words: dict[str, str] = field(default_factory=dict, init=False)
    _ended: dict[str, tuple[State, float]] = field(default_factory=dict, init=False)

    def end(self, first_pause: float = 0.0) -> Procedure[Ending]:
        """Look until the publish ends, and return its ending, whatever that is.

        :param first_pause: seconds to wait before the first look
        """
        yield Pause(min(first_pause, max(0.0, self.left)))
        ending = None
        while ending is None:
            ending = yield from self.end_within(self.timeout)
        return ending

    def end_within(self, seconds: float) -> Procedure[Ending | None]:
        """Look until the publish ends or some time has passed; return its ending, or None.

        :param seconds: seconds to go on looking; what begins within them is finished
        """
        until = self.clock() + seconds
        try:
            while (outcome := (yield from self.look())) is None:
                if self.left <= 0:
                    raise self.timed_out()
                pause = min(self._pause(), self.left)
                if self.clock() + pause > until:
                    return None
                yield Pause(pause)
        except MstrError as error:
            return self.ending(error)
        return Ending(outcome)

    def ending(self, error: MstrError) -> Ending:
        """Return the ending that an error makes of the refresh.

        :param error: why there will be no more looks
        """
        state = State.FAILED if isinstance(error, PublishFailed) else State.RUNNING
        return Ending(self.outcome(state, proven=False), error)

    def look(self) -> Procedure[RefreshOutcome | None]:
        """Look once, and return the outcome if the publish has ended."""
        try:
            seen = yield from workflow.look(
                self.refresh.instance, self.refresh.table_ids, min(PATIENCE, max(0.0, self.left))
            )
        except ServerUnavailable as error:
            if self.left > 0:
                raise
            raise self.timed_out(error) from None
        self._note(seen)
        if seen.state is State.FAILED and seen.status is not None:
            raise PublishFailed(
                f"the publish of {self.refresh.instance.model_name} failed: {self._reason(seen.status)}"
            )
        return self.outcome(State.FINISHED, proven=seen.proven) if seen.state is State.FINISHED else None

    @property
    def elapsed(self) -> float:
        """Seconds since the publish was sent."""
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
        unseen = (State.FINISHED if state is State.FINISHED else State.RUNNING), None
        tables = (
            TableOutcome(table.id, table.name, table.policy, *self._ended.get(table.id.upper(), unseen))
            for table in self.refresh.tables
        )
        instance = self.refresh.instance
        return RefreshOutcome(
            instance.project_id, instance.data_model_id, state, proven, self.elapsed, tuple(tables)
        )

    def timed_out(self, last: MstrError | None = None) -> PublishTimedOut:
        """Return the error of a publish that did not end in time.

        :param last: why the last look showed nothing, if it did not
        """
        waiting = [table.name for table in self.refresh.tables if table.id.upper() not in self._ended]
        still = f"still waiting for {_some(waiting)}" if waiting else "every table was seen loaded"
        unseen = f"; the last look failed: {last.what}" if last else ""
        model = self.refresh.instance.model_name
        return PublishTimedOut(
            f"the publish of {model} did not end within {self.timeout:g} s: {still}{unseen}"
        )

    def _pause(self) -> float:
        pause = max(SHORTEST_PAUSE, self.elapsed * SHARE_OF_ELAPSED)
        # Jitter spreads the polls of many refreshes; it needs no secrecy.
        return min(self.poll_interval, pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    def _reason(self, status: PublishStatus) -> str:
        names = {table.id.upper(): table.name for table in self.refresh.tables}
        tables = (
            f"table {names.get(table.id.upper(), table.id)} ended as {table.word}"
            + (f" ({table.error})" if table.error else "")
            for table in status.tables
            if table.state is State.FAILED
        )
        words = in_words(status.status)
        number = f"status {status.status}" + (f", {words}" if words else "")
        said = "; ".join(part for part in (number, status.message, *tables) if part)
        return scrubbed(said, self.refresh.instance.session.secrets)

    def _note(self, seen: Look) -> None:
        if seen.status is None:
            self._change("", "busy", "Another job is publishing this data model; waiting for it")
            return
        for line in self._changes(seen.status):
            self.tell(line)
        if seen.state is State.FINISHED and not seen.proven:
            self.tell("The server reports the publish as done, without proof for each table")

    def _changes(self, status: PublishStatus) -> Iterator[str]:
        listed = {table.id.upper(): table for table in status.tables}
        for table in self.refresh.tables:
            entry = listed.get(table.id.upper())
            if entry is None or self._words.get(table.id) == entry.word:
                continue
            self._words[table.id] = entry.word
            if entry.state is not State.RUNNING:
                self._ended[table.id.upper()] = entry.state, self.elapsed
            of_all = len(self.refresh.tables)
            left = of_all - len(self._ended)
            yield f"Table {table.name}: {entry.word} after {self.elapsed:.0f} s, {left} of {of_all} left"

    def _change(self, key: str, word: str, line: str) -> None:
        if self._words.get(key) != word:
            self._words[key] = word
            self.tell(line)


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
