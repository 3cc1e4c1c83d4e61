# SPDX-License-Identifier: Apache-2.0
"""What was seen of a run, and how it is reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_mstr.sandbox import Report


@dataclass(frozen=True)
class Kill:
    """A part of Airflow that was killed.

    :param part: which
    :param tasks: how many tasks it had
    :param running: how many of these had a publish that ran
    :param took: seconds until the server was asked again, for each of those
    """

    part: str
    tasks: int
    running: int
    took: tuple[float, ...]


@dataclass(frozen=True)
class Seen:
    """What was seen of a run.

    :param refreshes: how many there were
    :param state: the run's
    :param seconds: how long it took
    :param kills: what was killed
    :param tries: the number of the last attempt of each task
    :param said: what the tasks have logged
    :param report: the server's, in the end
    :param traces: the files and tables in which a secret stands
    :param left: the processes that were left
    """

    refreshes: int
    state: str
    seconds: float
    kills: tuple[Kill, ...]
    tries: tuple[int, ...]
    output: str
    report: Report
    traces: frozenset[str] = frozenset()
    left: Sequence[str] = ()

    def to_markdown(self) -> str:
        """Return the figures as a table."""
        return "\n".join(
            f"| {what} | {figure} |" for what, figure in (("", ""), ("---", "---"), *self._rows())
        )

    def _rows(self) -> Iterator[tuple[str, object]]:
        report = self.report
        yield "refreshes", self.refreshes
        yield "seconds in all", round(self.seconds)
        yield "publishes", len(report.publishes)
        yield "sessions at most", max(report.max_sessions_seen.values())
        yield "requests refused because of the session limit", report.refused_by_session_cap
        yield "logins", report.logins
        tries = sorted(Counter(self.tries).items())
        yield "tasks by attempts", ", ".join(f"{tasks} with {number}" for number, tasks in tries)
        yield (
            "running publishes continued by a retry",
            self.output.count("has started the load; waiting for it"),
        )
        yield "ends reported by a retry", self.output.count("has completed the load; reporting its result")
        for kill in self.kills:
            yield f"tasks of the {kill.part}", f"{kill.tasks}, {kill.running} of them with a running publish"
            took = ", ".join(f"{seconds:.0f}" for seconds in sorted(kill.took))
            yield f"seconds until the {kill.part}'s publishes went on", took
