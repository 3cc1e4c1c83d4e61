# SPDX-License-Identifier: Apache-2.0
"""What is left on the server where a user ends a refresh before its time."""

from __future__ import annotations

import needs
import pytest
from deployment import HANG_SECONDS
from standalone import Standalone
from watching import clear, closed, deferred, running

from airflow_provider_mstr.sandbox import Report, Sandbox

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("tidy")]

IN_ONE_TASK = ("mstr_refresh_in_one_task", "refresh_retail")
IN_STEPS = ("mstr_refresh_in_steps", "wait")
BLOCKING = ("blocking_in_one_task", "refresh")
BLOCKING_IN_STEPS = ("blocking_in_steps", "wait")

ids = ["one task", "in steps"]
# In steps, the teardown stops the load where no trigger is told to.
deferred_forms = [pytest.param(*IN_ONE_TASK, marks=needs.ON_KILL), IN_STEPS]
every_form = pytest.mark.parametrize(("dag_id", "task_id"), deferred_forms, ids=ids)
every_blocking_form = pytest.mark.parametrize(("dag_id", "task_id"), [BLOCKING, BLOCKING_IN_STEPS], ids=ids)
every_end = pytest.mark.parametrize("state", ["failed", "success"])


def assert_load_is_stopped(
    airflow: Standalone, sandbox: Sandbox, dag_id: str, run_id: str, task_id: str
) -> None:
    sandbox.wait_for(closed, timeout=HANG_SECONDS)
    airflow.await_the_end_of_the_worker(dag_id, run_id, task_id)
    report = sandbox.wait_for(closed)
    assert [publish.state for publish in report.publishes] == ["cancelled"]
    assert report.logins == 1


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


@every_form
@every_end
def test_marking_a_deferred_refresh_stops_its_load(
    state: str, dag_id: str, task_id: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = deferred(airflow, dag_id, task_id)

    airflow.mark(dag_id, run_id, task_id, state)

    assert_load_is_stopped(airflow, sandbox, dag_id, run_id, task_id)
    assert airflow.ended(dag_id, run_id)["state"] == state


@every_form
@every_end
def test_marking_the_run_of_a_deferred_refresh_stops_its_load(
    state: str, dag_id: str, task_id: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = deferred(airflow, dag_id, task_id)

    airflow.api("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": state})

    assert_load_is_stopped(airflow, sandbox, dag_id, run_id, task_id)
    assert airflow.ended(dag_id, run_id)["state"] == state


@every_blocking_form
@every_end
def test_marking_a_running_refresh_stops_its_load(
    state: str, dag_id: str, task_id: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = running(airflow, sandbox, dag_id)

    airflow.mark(dag_id, run_id, task_id, state)

    assert_load_is_stopped(airflow, sandbox, dag_id, run_id, task_id)
    assert airflow.ended(dag_id, run_id)["state"] == state


@every_blocking_form
def test_marking_the_run_of_a_running_refresh_failed_stops_its_load(
    dag_id: str, task_id: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = running(airflow, sandbox, dag_id)

    airflow.api("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})

    assert_load_is_stopped(airflow, sandbox, dag_id, run_id, task_id)
    assert airflow.ended(dag_id, run_id)["state"] == "failed"


def test_marking_a_publish_failed_while_it_is_sent_stops_its_load(
    airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id, task_id = "deferred_in_steps", "publish"
    sandbox.add_fault("publish", "slow_after", seconds=25)
    run_id = airflow.trigger(dag_id)
    sandbox.wait_for(lambda report: len(report.publishes) == 1, timeout=HANG_SECONDS)

    airflow.mark(dag_id, run_id, task_id, "failed")

    assert_load_is_stopped(airflow, sandbox, dag_id, run_id, task_id)
    assert airflow.ended(dag_id, run_id)["state"] == "failed"


@needs.ON_KILL
@pytest.mark.parametrize(
    ("dag_id", "task_id", "task_ids"),
    [(*IN_ONE_TASK, ["refresh_retail"]), (*IN_STEPS, ["create", "publish", "wait", "delete"])],
    ids=ids,
)
def test_a_cleared_refresh_starts_afresh_and_the_old_load_is_stopped(
    dag_id: str, task_id: str, task_ids: list[str], airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = deferred(airflow, dag_id, task_id)

    clear(airflow, dag_id, run_id, *task_ids)

    assert_only_the_new_load_ends_well(airflow, sandbox, dag_id, run_id)


@needs.CLEARING_ENDS_A_TASK
def test_a_refresh_cleared_while_it_runs_starts_afresh_and_the_old_load_is_stopped(
    airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id, task_id = BLOCKING
    run_id = running(airflow, sandbox, dag_id)

    clear(airflow, dag_id, run_id, task_id)

    assert_only_the_new_load_ends_well(airflow, sandbox, dag_id, run_id)
