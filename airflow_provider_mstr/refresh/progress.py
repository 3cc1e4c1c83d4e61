# SPDX-License-Identifier: Apache-2.0
"""Logs each change of a table's state once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from airflow_provider_mstr.refresh.job import Job, Log
from airflow_provider_mstr.refresh.result import TableResult
from airflow_provider_mstr.rest.endpoints.data_models import TableRefresh
from airflow_provider_mstr.rest.publish_status import State, TableStatus, state_of
from airflow_provider_mstr.rest.words import NAME_WIDTH, NAMES_IN_LINE, count, duration, fit, shorten

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
            self.log(fit(line), **self._fields(job, tables))
        if rest := changes[MAX_LINES:]:
            self.log(f"and {count(len(rest), 'more change')} of tables, in the same poll")

    def state(self, table: TableRefresh) -> State:
        """Return the state of a table.

        :param table: the table
        """
        return state_of(self._word(table))

    def result(self, table: TableRefresh, whole: State) -> TableResult:
        """Return the result of a table.

        :param table: the table
        :param whole: the state of the whole refresh
        """
        state = self.state(table)
        if state is not State.RUNNING:
            _, seconds = self.seen[table.id]
            return TableResult(table.id, table.name, table.policy, state, seconds)
        # If the server lists no tables, what holds for all is all that is known of each.
        state = State.RUNNING if whole is State.FAILED else whole
        return TableResult(table.id, table.name, table.policy, state, None)

    def _word(self, table: TableRefresh) -> str:
        """Return the last word seen for a table; empty if there is none."""
        return self.seen[table.id][0] if table.id in self.seen else ""

    def _fields(self, job: Job, tables: list[TableRefresh]) -> dict[str, str | float]:
        """Return which tables changed alike: one by its name, many by their positions in the job."""
        word, seconds = self.seen[tables[0].id]
        state = self.state(tables[0])
        which: dict[str, str | float] = {"table": _unique_name(job, tables[0])}
        if len(tables) > 1:  # pragma: no mutate - many are more than FEW_TABLES
            which = {"tables": _ranges([at for at, table in enumerate(job.tables, 1) if table in tables])}
        return which | {
            "state": fit(word, NAME_WIDTH) if state is State.RUNNING else str(state),
            "seconds": round(seconds, 1),
        }

    def _changes(
        self, job: Job, listed: Iterable[TableStatus], elapsed: float
    ) -> Iterator[tuple[str, list[TableRefresh]]]:
        """Store the state of each table, and return the lines to log: one for many that changed alike."""
        changes = self._changed(job, listed)
        left = sum(self.state(table) is State.RUNNING for table in job.tables)
        for word, changed in changes.items():
            few = len(changed) <= FEW_TABLES
            for tables in ([table] for table in changed) if few else (changed,):
                left -= sum(self.state(table) is State.RUNNING for table in tables)
                self.seen.update({table.id: (word, elapsed) for table in tables})
                left += sum(self.state(table) is State.RUNNING for table in tables)
                who, names = _names(tables)
                progress = f"{word} after {duration(round(elapsed))}, {left} of {len(job.tables)} left"
                yield f"{who}: {progress}{names}", tables

    def _changed(self, job: Job, listed: Iterable[TableStatus]) -> dict[str, list[TableRefresh]]:
        """Return the tables whose word differs from the last one seen, by that word."""
        ours = {table.id.upper(): table for table in job.tables}
        words = {entry.id.upper(): entry.word for entry in listed}
        changed: dict[str, list[TableRefresh]] = {}
        for table_id, word in words.items():
            table = ours.get(table_id)
            if table is not None and self._word(table) != word:
                changed.setdefault(word, []).append(table)
        return changed


def _names(tables: list[TableRefresh]) -> tuple[str, str]:
    """Return how a line names tables that changed alike: what it begins with, and what it ends with."""
    if len(tables) == 1:
        return f"Table {fit(tables[0].name, NAME_WIDTH)}", ""
    return count(len(tables), "table"), f": {shorten([table.name for table in tables], NAMES_IN_LINE)}"


def _unique_name(job: Job, table: TableRefresh) -> str:
    """Return what distinguishes a table from the others of its job: its name, else its id."""
    is_unique = sum(each.name == table.name for each in job.tables) == 1
    return table.name if is_unique else table.id


def _ranges(positions: list[int]) -> str:
    """Return ascending positions in a short form, such as ``1-37,40``."""
    ranges: list[list[int]] = []
    for position in positions:
        if ranges and position == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], position]
        else:
            ranges.append([position])
    return ",".join("-".join(map(str, each)) for each in ranges)
