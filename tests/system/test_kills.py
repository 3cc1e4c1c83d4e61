# SPDX-License-Identifier: Apache-2.0
"""What is left on the server where a user ends a refresh before its time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import needs
import pytest
from ahead import RunsAhead, dag_ids_of
from deployment import HANG_SECONDS
from models import MARKED_DEFERRED, MARKED_RUNNING, model_of, of_both_forms, task_of
from standalone import Standalone
from watching import clear, closed, is_polled, logouts_from, logouts_of, publish_of, sessions_of

from airflow_provider_mstr.sandbox import Sandbox

pytestmark = pytest.mark.timeout(600)

Runs = Mapping[str, str]


@pytest.mark.usefixtures("tidy")
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
    # In steps, the trigger and the teardown may both close the session at the same moment.
    logouts = {1, 2} if dag_id.endswith("in_steps") else {1}
    assert publish.state == "cancelled"
    assert logouts_of(publish, sandbox) in logouts
    assert len(sessions_of(model_of(dag_id), sandbox)) == 1


def forms(name: str) -> list[Any]:
    # In steps, the teardown stops the load if Airflow does not notify the trigger.
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


@pytest.fixture(scope="module")
def cleared(request: pytest.FixtureRequest, airflow: Standalone, sandbox: Sandbox) -> Iterator[Runs]:
    """A run for each of the tests below, side by side, whose tasks are cleared, and whose new load ends."""
    started = {dag_id: airflow.trigger(dag_id) for dag_id in dag_ids_of(request)}
    for dag_id, run_id in started.items():
        if dag_id == "blocking":
            sandbox.wait_for(lambda _, dag_id=dag_id: is_polled(dag_id, sandbox), timeout=HANG_SECONDS)
        else:
            airflow.task_in(dag_id, run_id, task_of(dag_id), "deferred", has_trigger=True)
    for dag_id, run_id in started.items():
        clear(airflow, dag_id, run_id, *airflow.tasks(dag_id, run_id))
    for dag_id in started:
        # Where the new attempt comes before the old load is stopped, its publish is refused and sent anew.
        sandbox.wait_for(lambda _, dag_id=dag_id: is_begun_afresh(dag_id, sandbox), timeout=HANG_SECONDS)
    sandbox.finish_publishes()
    yield started
    sandbox.reset()


def is_begun_afresh(dag_id: str, sandbox: Sandbox) -> bool:
    states = states_of(dag_id, sandbox)
    return (states[0], states[-1], len(open_sessions_of(dag_id, sandbox))) == ("cancelled", "running", 1)


def states_of(dag_id: str, sandbox: Sandbox) -> list[str]:
    return [publish.state for publish in sandbox.report().publishes if publish.data_model == dag_id]


def open_sessions_of(dag_id: str, sandbox: Sandbox) -> list[str]:
    used = sessions_of(model_of(dag_id), sandbox)
    return [session for session in used if logouts_from(session, sandbox) == 0]


@pytest.mark.parametrize(
    "dag_id",
    [
        pytest.param("deferred_in_one_task", marks=needs.ON_KILL),
        pytest.param("deferred_in_steps", marks=needs.ON_KILL),
        pytest.param("blocking", marks=needs.CLEARING_ENDS_A_TASK),
    ],
)
def test_a_cleared_refresh_starts_afresh_and_the_old_load_is_stopped(
    dag_id: str, cleared: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    assert airflow.ended(dag_id, cleared[dag_id])["state"] == "success"

    sandbox.wait_for(closed, timeout=HANG_SECONDS)
    states = states_of(dag_id, sandbox)
    assert (states[0], states[-1], states.count("completed")) == ("cancelled", "completed", 1)
