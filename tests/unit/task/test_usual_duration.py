# SPDX-License-Identifier: Apache-2.0
"""How long a task usually takes, from what Airflow stores of its last runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_mstr.task.usual_duration import MAX_RUNS, usual_duration

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Previous:
    """A run of the task before, as Airflow returns it."""

    duration: float | None
    logical_date: datetime | None


@dataclass
class TaskInstance:
    """A task instance of an Airflow that returns the runs before, newest first."""

    runs: list[Previous]
    map_index: int = -1
    requests: list[dict[str, Any]] = field(default_factory=list)

    def get_previous_ti(self, **query: Any) -> Previous | None:
        self.requests.append(query)
        before = query["logical_date"]
        older = [run for run in self.runs if before is None or run.logical_date < before]  # type: ignore[operator]
        return older[0] if older else None


def usual(*durations: float | None) -> float | None:
    runs = [Previous(seconds, NOW - timedelta(days=at)) for at, seconds in enumerate(durations)]
    return usual_duration({"ti": TaskInstance(runs)})  # type: ignore[typeddict-item]


def test_the_median_of_the_last_runs_is_usual() -> None:
    assert usual(10.0, 900.0, 20.0) == 20.0


def test_only_the_last_runs_count() -> None:
    assert usual(*[10.0] * MAX_RUNS, *[900.0] * 20) == 10.0


def test_a_run_without_a_duration_does_not_count() -> None:
    assert usual(None, 30.0) == 30.0


def test_a_task_without_a_run_has_no_usual_duration() -> None:
    assert usual() is None


def test_runs_without_a_logical_date_end_the_search() -> None:
    ti = TaskInstance([Previous(10.0, None)])
    assert usual_duration({"ti": ti}) == 10.0  # type: ignore[typeddict-item]
    assert len(ti.requests) == 1


def test_only_successes_of_the_same_map_index_are_requested() -> None:
    ti = TaskInstance([], map_index=3)
    usual_duration({"ti": ti})  # type: ignore[typeddict-item]
    assert ti.requests == [{"state": "success", "logical_date": None, "map_index": 3}]


def test_an_airflow_that_does_not_know_the_last_runs_fails_nothing() -> None:
    assert usual_duration({"ti": object()}) is None  # type: ignore[typeddict-item]


def test_an_airflow_that_does_not_answer_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **query: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(TaskInstance, "get_previous_ti", fail)
    assert usual(10.0) is None
