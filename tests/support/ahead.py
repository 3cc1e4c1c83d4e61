# SPDX-License-Identifier: Apache-2.0
"""Starts the runs of the next tests, too, so that they begin while a test waits for its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import needs
import pytest
from standalone import Standalone

# With the run of the test itself, these are the tasks that Airflow runs at once: none waits for a worker.
AHEAD = 3 if needs.RUNS_TASKS_SIDE_BY_SIDE else 0


@dataclass(frozen=True)
class RunsAhead:
    """The runs of some tests, each of a DAG of its own.

    :param airflow: the Airflow that runs them
    :param dag_ids: the DAGs, in the order of the tests
    """

    airflow: Standalone
    dag_ids: Sequence[str]
    started: dict[str, str] = field(default_factory=dict)

    def run_of(self, dag_id: str) -> str:
        """Return the run of a test, and start those of the next tests.

        :param dag_id: the DAG of the test
        """
        for each in self.dag_ids[: self.dag_ids.index(dag_id) + 1 + AHEAD]:
            if each not in self.started:
                self.started[each] = self.airflow.trigger(each)
        return self.started[dag_id]


def dag_ids_of(request: pytest.FixtureRequest) -> list[str]:
    """Return the parameter ``dag_id`` of each test that a fixture of a module is for, but of those skipped.

    :param request: the fixture's
    """
    tests = [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and request.fixturename in item.fixturenames
        and not any(mark.args[0] for mark in item.iter_markers("skipif"))
    ]
    return [str(test.callspec.params["dag_id"]) for test in tests if hasattr(test, "callspec")]
