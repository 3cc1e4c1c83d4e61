# SPDX-License-Identifier: Apache-2.0
"""The end of a refresh as a person reads it: a few lines, however many tables there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from airflow_provider_mstr.refresh import RefreshOutcome, TableOutcome
from airflow_provider_mstr.rest.publication import State

MOST_TABLES = 20
WIDEST = 48

_FIRST = (State.FAILED, State.UNKNOWN, State.RUNNING, State.FINISHED)
_ENDED = {State.RUNNING: "not finished", State.UNKNOWN: "with unknown outcome"}


def lines(outcome: RefreshOutcome) -> Iterator[str]:
    """Return the lines that end a task's log: each table with its policy, state and seconds.

    What failed comes first and what took longest next; what is too much is counted.

    :param outcome: how the refresh ended
    """
    count = len(outcome.tables)
    ended = _ENDED.get(outcome.state, outcome.state)
    yield f"Refresh {ended} after {outcome.seconds:.1f} s, {count} table{'' if count == 1 else 's'}:"
    ordered = noteworthy(outcome.tables)
    rows = [("table", "policy", "state", "seconds"), *map(_row, ordered[:MOST_TABLES])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *words, seconds in rows:
        left = "  ".join(word.ljust(width) for word, width in zip(words, widths, strict=False))
        yield f"  {left}  {seconds.rjust(widths[-1])}"
    if rest := Counter(str(table.state) for table in ordered[MOST_TABLES:]):
        said = ", ".join(f"{many} {state}" for state, many in rest.items())
        yield f"  and {rest.total()} more: {said}"


def noteworthy(tables: Sequence[TableOutcome]) -> list[TableOutcome]:
    """Return the tables in the order in which they matter: failed, unfinished, then the slowest.

    :param tables: how each table's part of a refresh ended
    """
    return sorted(tables, key=lambda table: (_FIRST.index(table.state), -(table.seconds or 0.0)))


def _row(table: TableOutcome) -> tuple[str, str, str, str]:
    seconds = "-" if table.seconds is None else f"{table.seconds:.1f}"
    return _short(table.name), str(table.policy), str(table.state), seconds


def _short(name: str) -> str:
    plain = "".join(character if character.isprintable() else " " for character in name)
    return plain if len(plain) <= WIDEST else f"{plain[: WIDEST - 1]}…"
