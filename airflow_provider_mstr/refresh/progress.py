# SPDX-License-Identifier: Apache-2.0
"""Logs each change of a table's state once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_mstr.refresh.job import Job, Log
from airflow_provider_mstr.refresh.result import TableResult, table_json
from airflow_provider_mstr.rest.endpoints.data_models import TableRefresh
from airflow_provider_mstr.rest.publish_status import State, TableStatus
from airflow_provider_mstr.rest.words import shorten

# How many tables that change alike in one poll are logged one by one, and how many lines a poll logs.
FEW_TABLES = 5
MAX_LINES = 10


@dataclass
class TableProgress:
    """The state of each table of a job.

    :param log: logs a line
    :param seen: table id to the last word seen for it, and the seconds it took; that of an earlier wait, if
        this one continues it
    """

    log: Log
    seen: dict[str, tuple[str, float]] = field(default_factory=dict)

    def update(self, job: Job, listed: Iterable[TableStatus], elapsed: float) -> None:
        """Log what has changed.

        :param job: the job
        :param listed: the tables that the server lists
        :param elapsed: seconds since the start
        """
        changes = list(self._changes(job, listed, elapsed))
        for line, tables in changes[:MAX_LINES]:
            self.log(line, **self._fields(job, tables))
        if rest := changes[MAX_LINES:]:
            fields = self._fields(job, [table for _, tables in rest for table in tables])
            self.log(f"and {len(rest)} more changes of tables, in the same poll", **fields)

    def state(self, table: TableRefresh) -> State:
        """Return the state of a table.

        :param table: the table
        """
        word, _ = self.seen.get(table.id, ("", 0.0))
        return TableStatus(table.id, word).state

    def result(self, table: TableRefresh, whole: State) -> TableResult:
        """Return the result of a table.

        :param table: the table
        :param whole: the state of the whole refresh
        """
        state, (_, seconds) = self.state(table), self.seen.get(table.id, ("", 0.0))
        if state is not State.RUNNING:
            return TableResult(table.id, table.name, table.policy, state, seconds)
        # If the server lists no tables, what holds for all is all that is known of each.
        state = State.RUNNING if whole is State.FAILED else whole
        return TableResult(table.id, table.name, table.policy, state, None)

    def _fields(self, job: Job, tables: Sequence[TableRefresh]) -> dict[str, Any]:
        states = [
            table_json(table) | {"state": str(self.state(table)), "word": word, "seconds": round(seconds, 1)}
            for table in tables
            for word, seconds in (self.seen[table.id],)
        ]
        return {"tables": states, "started_at": job.started_at}

    def _changes(
        self, job: Job, listed: Iterable[TableStatus], elapsed: float
    ) -> Iterator[tuple[str, list[TableRefresh]]]:
        """Store the state of each table, and return the lines to log: one for many that changed alike."""
        changes = self._changed(job, listed)
        left = sum(self.state(table) is State.RUNNING for table in job.tables) if changes else 0
        for word, changed in changes.items():
            few = len(changed) <= FEW_TABLES
            for tables in ([table] for table in changed) if few else (changed,):
                left -= sum(self.state(table) is State.RUNNING for table in tables)
                self.seen.update({table.id: (word, elapsed) for table in tables})
                left += sum(self.state(table) is State.RUNNING for table in tables)
                who, names = _names(tables)
                yield f"{who}: {word} after {elapsed:.0f} s, {left} of {len(job.tables)} left{names}", tables

    def _changed(self, job: Job, listed: Iterable[TableStatus]) -> dict[str, list[TableRefresh]]:
        """Return the tables whose word differs from the last one seen, by that word."""
        ours = {table.id.upper(): table for table in job.tables}
        words = {entry.id.upper(): entry.word for entry in listed}
        changed: dict[str, list[TableRefresh]] = {}
        for table_id, word in words.items():
            table = ours.get(table_id)
            if table is not None and self.seen.get(table.id, ("", 0.0))[0] != word:
                changed.setdefault(word, []).append(table)
        return changed


def _names(tables: list[TableRefresh]) -> tuple[str, str]:
    """Return how a line names tables that changed alike: what it begins with, and what it ends with."""
    if len(tables) == 1:
        return f"Table {tables[0].name}", ""
    return f"{len(tables)} tables", f": {shorten([table.name for table in tables], 3)}"
