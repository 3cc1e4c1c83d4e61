# SPDX-License-Identifier: Apache-2.0
"""What an attempt of a task notes down, so that the next one finds its session and its publish.

Airflow 3.3 keeps such notes in its ``task_state_store``; where there is none, nothing is noted or found.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.publishing import has_load_started
from airflow_provider_mstr.refresh import Refresh, RefreshOutcome
from airflow_provider_mstr.rest import workflow
from airflow_provider_mstr.rest.errors import (
    HandleRefused,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    PublishTimedOut,
    ServerUnavailable,
    SessionLost,
)
from airflow_provider_mstr.rest.protocol import Procedure
from airflow_provider_mstr.watch import Watcher

NOTE_KEY = "mstr_refresh"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Series:
    """The attempts that Airflow makes of a task by itself; where a user clears it, another series begins.

    :param max_tries: Airflow's count of the attempts to make, which a clear raises
    :param clear_number: how often tasks of the run were cleared
    :param asked: a digest of what the task is to refresh
    """

    max_tries: int
    clear_number: int
    asked: str

    @classmethod
    def of(cls, context: Context, asked: tuple[Any, ...]) -> Series:
        """Return the series that an attempt belongs to.

        :param context: the task's context
        :param asked: what the task is to refresh
        """
        digest = hashlib.sha256(repr(asked).encode()).hexdigest()
        clear_number = getattr(context.get("dag_run"), "clear_number", None)
        return cls(context["ti"].max_tries, clear_number or 0, digest)


@dataclass(frozen=True, slots=True)
class Earlier:
    """The refresh that an earlier attempt has left open.

    :param refresh: the refresh; with a time of its publish only where that may be waited for
    :param taken: whether the server is known to have taken the publish
    """

    refresh: Refresh
    taken: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """The notes of a task.

    :param store: Airflow's ``task_state_store``; None where there is none
    :param series: the series that this attempt belongs to
    :param hook: the hook that seals the noted sessions
    """

    store: Any
    series: Series
    hook: MstrHook

    @classmethod
    def of(cls, context: Context, hook: MstrHook, *asked: Any) -> Ledger:
        """Return the ledger of a task.

        :param context: the task's context
        :param hook: the task's hook
        :param asked: what the task is to refresh
        """
        return cls(context.get("task_state_store"), Series.of(context, asked), hook)

    def note(self, refresh: Refresh, taken: bool = False) -> None:
        """Note how far this attempt has come.

        :param refresh: the refresh as it stands
        :param taken: whether the server is known to have taken its publish
        """
        self._write(refresh, taken=taken)

    def note_end(self, outcome: RefreshOutcome, refresh: Refresh | None = None) -> None:
        """Note that the refresh has ended well, as this attempt may be killed before Airflow knows.

        :param outcome: how it ended
        :param refresh: the refresh, as long as it is to be closed
        """
        self._write(refresh, taken=True, outcome=outcome.to_json())

    def forget(self) -> None:
        """Drop the note: nothing is left open."""
        if self.store is not None:
            with _tolerating_its_absence():
                self.store.delete(NOTE_KEY)

    def ended(self) -> RefreshOutcome | None:
        """Return how an earlier attempt of this series has seen the refresh ending well, or None."""
        note = self._read()
        if note is None or note.get("series") != asdict(self.series):
            return None
        try:
            return RefreshOutcome.from_json(note["outcome"])
        except (KeyError, HandleRefused):
            return None

    def earlier(self) -> Earlier | None:
        """Return what an earlier attempt has left open, or None."""
        note = self._read()
        if note is None or note.get("handle") is None:
            return None
        try:
            refresh = self.hook.refresh(note.get("handle"))
        except MstrError as error:
            log.warning("The session of an earlier attempt cannot be closed and will idle out: %s", error)
            return None
        if note.get("series") != asdict(self.series):
            refresh = replace(refresh, published_at=None)
        return Earlier(refresh, note.get("taken") is True)

    def _write(self, refresh: Refresh | None, **more: Any) -> None:
        if self.store is None:
            return
        handle = refresh and self.hook.handle(refresh).to_json()
        with _tolerating_its_absence():
            self.store.set(NOTE_KEY, {"series": asdict(self.series), "handle": handle} | more)

    def _read(self) -> Mapping[str, Any] | None:
        note: Any = None
        if self.store is not None:
            with _tolerating_its_absence():
                note = self.store.get(NOTE_KEY)
        return note if isinstance(note, Mapping) else None


def has_published(earlier: Earlier, clock: Callable[[], float]) -> Procedure[bool]:
    """Return whether the server has accepted the publish of an earlier attempt, if it shows that.

    :param earlier: what the earlier attempt has left open
    :param clock: seconds since the epoch
    :raises OutcomeUnknown: if nothing shows it and another publish could add rows twice
    """
    refresh = earlier.refresh
    if refresh.published_at is None or earlier.taken:
        return refresh.published_at is not None
    # A publish may be rejected for another job, so this attempt does not wait for it.
    if (yield from workflow.is_busy(refresh.instance)):
        return False
    try:
        has_started = yield from has_load_started(refresh, clock)
    except SessionLost:
        # The watch finds out whether it has loaded anything.
        return True
    if has_started is None and refresh.adds_rows:
        killed = ServerUnavailable("the attempt that published was killed before the answer came")
        raise refresh.start_unknown(killed)
    return has_started is True


def is_waited_for(earlier: Earlier, watcher: Watcher) -> Procedure[bool]:
    """Return whether the publish of an earlier attempt still runs, or has ended well.

    Whatever else has become of it, this attempt starts afresh.

    :param earlier: what the earlier attempt has left open
    :param watcher: the watcher of its publish
    :raises OutcomeUnknown: if the server does not answer, or another publish could add rows twice
    """
    try:
        if not (yield from has_published(earlier, watcher.clock)):
            return False
        watcher.tell("An earlier attempt of this task has started the load; waiting for it")
        ending = yield from watcher.end_within(0)
        if ending is not None and ending.error is not None:
            raise ending.error
    except (PublishFailed, PublishTimedOut, OutcomeUnknown) as error:
        if error.may_answer_later or not error.mended_by_time:
            raise
        watcher.tell(f"The load of an earlier attempt did not succeed: {error.what}")
        return False
    return True


@contextmanager
def _tolerating_its_absence() -> Iterator[None]:
    """Go on where Airflow does not keep a note: that makes a crash costly, but no refresh wrong."""
    try:
        yield
    except Exception as error:
        log.warning("Airflow's task_state_store could not be used: %s", error)
