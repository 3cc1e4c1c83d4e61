# SPDX-License-Identifier: Apache-2.0
"""The end of a refresh for a person: a few lines, however many tables there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from airflow_provider_mstr.refresh.result import RefreshResult, TableResult
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.words import NAME_WIDTH, count, duration, fit

MOST_TABLES = 20

_FIRST = (State.FAILED, State.UNKNOWN, State.RUNNING, State.FINISHED)
_ENDED = {State.RUNNING: "not finished", State.UNKNOWN: "with unknown outcome"}


def lines(result: RefreshResult) -> Iterator[str]:
    """Return the lines that end a task's log: each table with its policy, state and seconds.

    What failed comes first and what took longest next; what is too much is counted.

    :param result: how the refresh ended
    """
    ended = _ENDED.get(result.state, result.state)
    tables = f", {count(len(result.tables), 'table')}:" if result.tables else ""
    yield f"Refresh of {fit(result.name, NAME_WIDTH)} {ended} after {duration(result.seconds)}{tables}"
    if not result.tables:
        return
    ordered = noteworthy(result.tables)
    rows = [("table", "policy", "state", "seconds"), *map(_row, ordered[:MOST_TABLES])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *words, seconds in rows:
        left = "  ".join(word.ljust(width) for word, width in zip(words, widths, strict=False))
        yield f"  {left}  {seconds.rjust(widths[-1])}"
    if rest := Counter(str(table.state) for table in ordered[MOST_TABLES:]):
        counts = ", ".join(f"{many} {state}" for state, many in rest.items())
        yield f"  and {rest.total()} more: {counts}"


def noteworthy(tables: Sequence[TableResult]) -> list[TableResult]:
    """Return the tables in the order in which they matter: failed, unfinished, then the slowest.

    :param tables: how each table's part of a refresh ended
    """
    return sorted(tables, key=lambda table: (_FIRST.index(table.state), -(table.seconds or 0.0)))


def _row(table: TableResult) -> tuple[str, str, str, str]:
    seconds = "-" if table.seconds is None else f"{table.seconds:.1f}"
    return fit(table.name, NAME_WIDTH), str(table.policy), str(table.state), seconds
