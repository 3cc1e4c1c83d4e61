# SPDX-License-Identifier: Apache-2.0
"""What is left on the server where a user ends a refresh before its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import needs
import pytest
from ahead import RunsAhead, dag_ids_of
from deployment import HANG_SECONDS
from models import MARKED_DEFERRED, MARKED_RUNNING, model_of, of_both_forms, task_of
from standalone import Standalone
from watching import clear, closed, deferred, is_polled, logouts_of, publish_of, running, sessions_of

from airflow_provider_mstr.sandbox import Report, Sandbox

pytestmark = pytest.mark.timeout(600)

# For these tests, nothing else may happen on the server: they come first.
alone = pytest.mark.usefixtures("tidy")

IN_ONE_TASK = ("mstr_refresh_in_one_task", "refresh_retail")
IN_STEPS = ("mstr_refresh_in_steps", "wait")


@alone
def test_marking_a_publish_failed_while_it_is_sent_stops_its_load(
    airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id, task_id = "deferred_in_steps", "publish"
    sandbox.add_fault("publish", "slow_after", seconds=25)
    run_id = airflow.trigger(dag_id)
    sandbox.wait_for(lambda report: len(report.publishes) == 1, timeout=HANG_SECONDS)

    airflow.mark(dag_id, run_id, task_id, "failed")

    sandbox.wait_for(closed, timeout=HANG_SECONDS)
    airflow.await_the_end_of_the_worker(dag_id, run_id, task_id)
    report = sandbox.wait_for(closed)
    assert [publish.state for publish in report.publishes] == ["cancelled"]
    assert report.logins == 1
    assert airflow.ended(dag_id, run_id)["state"] == "failed"


def assert_only_the_new_load_ends_well(
    airflow: Standalone, sandbox: Sandbox, dag_id: str, run_id: str
) -> None:
    # Where the new attempt comes before the old load is stopped, its publish is refused and sent anew.
    sandbox.wait_for(begun_afresh, timeout=HANG_SECONDS)
    sandbox.finish_publishes()
    assert airflow.ended(dag_id, run_id)["state"] == "success"
    report = sandbox.wait_for(closed, timeout=HANG_SECONDS)
    states = [publish.state for publish in report.publishes]
    assert (states[0], states[-1], states.count("completed")) == ("cancelled", "completed", 1)


def begun_afresh(report: Report) -> bool:
    states = report.publishes[0].state, report.publishes[-1].state
    return states == ("cancelled", "running") and report.open_sessions == 1


@alone
@needs.ON_KILL
@pytest.mark.parametrize(
    ("dag_id", "task_id", "task_ids"),
    [(*IN_ONE_TASK, ["refresh_retail"]), (*IN_STEPS, ["create", "publish", "wait", "delete"])],
    ids=["one task", "in steps"],
)
def test_a_cleared_refresh_starts_afresh_and_the_old_load_is_stopped(
    dag_id: str, task_id: str, task_ids: list[str], airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = deferred(airflow, dag_id, task_id)

    clear(airflow, dag_id, run_id, *task_ids)

    assert_only_the_new_load_ends_well(airflow, sandbox, dag_id, run_id)


@alone
@needs.CLEARING_ENDS_A_TASK
def test_a_refresh_cleared_while_it_runs_starts_afresh_and_the_old_load_is_stopped(
    airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id, task_id = "blocking", "refresh"
    run_id = running(airflow, sandbox, dag_id)

    clear(airflow, dag_id, run_id, task_id)

    assert_only_the_new_load_ends_well(airflow, sandbox, dag_id, run_id)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, airflow: Standalone, sandbox: Sandbox) -> Iterator[RunsAhead]:
    """A run for each of the tests below."""
    yield RunsAhead(airflow, dag_ids_of(request))
    sandbox.reset()


def mark(airflow: Standalone, dag_id: str, run_id: str) -> str:
    """Mark the task that waits or its run, as the DAG is named, and return the state."""
    _, what, state, *_ = dag_id.split("_")
    if what == "task":
        airflow.mark(dag_id, run_id, task_of(dag_id), state)
    else:
        airflow.api("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": state})
    return state


def assert_load_is_stopped(airflow: Standalone, sandbox: Sandbox, dag_id: str, run_id: str) -> None:
    sandbox.wait_for(lambda _: logouts_of(publish_of(dag_id, sandbox), sandbox) > 0, timeout=HANG_SECONDS)
    airflow.await_the_end_of_the_worker(dag_id, run_id, task_of(dag_id))
    publish = publish_of(dag_id, sandbox)
    assert (publish.state, logouts_of(publish, sandbox)) == ("cancelled", 1)
    assert len(sessions_of(model_of(dag_id), sandbox)) == 1


def forms(name: str) -> list[Any]:
    # In steps, the teardown stops the load where no trigger is told to.
    one, steps = of_both_forms(name)
    return [pytest.param(one, marks=needs.ON_KILL), steps]


@pytest.mark.parametrize("dag_id", [form for name in MARKED_DEFERRED for form in forms(name)])
def test_marking_a_deferred_refresh_or_its_run_stops_its_load(
    dag_id: str, runs: RunsAhead, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = runs.run_of(dag_id)
    airflow.task_in(dag_id, run_id, task_of(dag_id), "deferred", has_trigger=True)

    state = mark(airflow, dag_id, run_id)

    assert_load_is_stopped(airflow, sandbox, dag_id, run_id)
    assert airflow.ended(dag_id, run_id)["state"] == state


@pytest.mark.parametrize("dag_id", [form for name in MARKED_RUNNING for form in of_both_forms(name)])
def test_marking_a_running_refresh_or_its_run_stops_its_load(
    dag_id: str, runs: RunsAhead, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = runs.run_of(dag_id)
    sandbox.wait_for(lambda _: is_polled(dag_id, sandbox), timeout=HANG_SECONDS)

    state = mark(airflow, dag_id, run_id)

    assert_load_is_stopped(airflow, sandbox, dag_id, run_id)
    assert airflow.ended(dag_id, run_id)["state"] == state


def test_no_mark_leaves_a_session(runs: RunsAhead, airflow: Standalone, sandbox: Sandbox) -> None:
    assert {airflow.ended(*run)["state"] for run in runs.started.items()} <= {"failed", "success"}

    report = sandbox.wait_for(closed)
    assert (report.logins, len(report.publishes)) == (len(runs.started), len(runs.started))
