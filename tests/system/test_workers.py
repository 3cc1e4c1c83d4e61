# SPDX-License-Identifier: Apache-2.0
"""What becomes of a refresh whose worker is killed, where Airflow tries it again."""

from __future__ import annotations

import needs
import pytest
from deployment import HANG_SECONDS
from moments import asked
from standalone import Standalone
from watching import clear, closed, running

from airflow_provider_mstr.sandbox import Sandbox

pytestmark = [needs.TASK_STATE_STORE, pytest.mark.timeout(600), pytest.mark.usefixtures("tidy")]

IN_ONE_TASK = ("retried_blocking", "refresh")
DEFERRABLE = ("retried_deferrable", "refresh")
IN_STEPS = ("retried_in_steps", "refresh_data_model.publish")

every_form = pytest.mark.parametrize(
    ("dag_id", "task_id"), [IN_ONE_TASK, DEFERRABLE, IN_STEPS], ids=["blocking", "deferrable", "in steps"]
)


def assert_ends_well(airflow: Standalone, sandbox: Sandbox, dag_id: str, run_id: str, logins: int) -> None:
    """Check that one publish was sent in all, and that it is the one which the run reports."""
    sandbox.wait_for(lambda report: len(report.publishes) == 1, timeout=HANG_SECONDS)
    sandbox.finish_publishes()
    assert airflow.ended(dag_id, run_id)["state"] == "success"
    report = sandbox.wait_for(closed, timeout=HANG_SECONDS)
    assert [publish.state for publish in report.publishes] == ["completed"]
    assert report.logins == logins
    assert max(task["try_number"] for task in airflow.tasks(dag_id, run_id).values()) > 1


def await_the_polls_of_the_retry(sandbox: Sandbox) -> None:
    # One more may be the last of the worker that was killed.
    looks = sandbox.report().requests["publish_status"] + 2
    sandbox.wait_for(asked("publish_status", looks), timeout=HANG_SECONDS)


def test_a_worker_killed_before_the_publish_leaves_no_session(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id, task_id = IN_ONE_TASK
    sandbox.add_fault("list_tables", "slow_before", seconds=60)
    run_id = airflow.trigger(dag_id)
    sandbox.wait_for(asked("list_tables"), timeout=HANG_SECONDS)

    airflow.kill_worker(dag_id, run_id, task_id)

    assert_ends_well(airflow, sandbox, dag_id, run_id, logins=2)


@every_form
@pytest.mark.parametrize("fault", ["slow_before", "slow_after"])
def test_a_worker_killed_during_the_publish_leaves_one_publish(
    fault: str, dag_id: str, task_id: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    sandbox.add_fault("publish", fault, seconds=60)
    run_id = airflow.trigger(dag_id)
    sandbox.wait_for(asked("publish"), timeout=HANG_SECONDS)
    sandbox.wait_for(lambda report: len(report.publishes) == (fault == "slow_after"), timeout=HANG_SECONDS)

    airflow.kill_worker(dag_id, run_id, task_id)

    adopts = fault == "slow_after" or dag_id == IN_STEPS[0]
    assert_ends_well(airflow, sandbox, dag_id, run_id, logins=1 if adopts else 2)


@pytest.mark.parametrize("with_supervisor", [False, True], ids=["task alone", "with its supervisor"])
def test_a_worker_killed_after_the_publish_leaves_it_to_the_retry(
    with_supervisor: bool, airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id, task_id = IN_ONE_TASK
    run_id = running(airflow, sandbox, dag_id)

    airflow.kill_worker(dag_id, run_id, task_id, with_supervisor=with_supervisor)

    # Without a supervisor, Airflow misses the worker only when its heartbeat has been missing for a while.
    await_the_polls_of_the_retry(sandbox)
    assert_ends_well(airflow, sandbox, dag_id, run_id, logins=1)
    assert "An earlier attempt of this task has started the load" in airflow.log_of(
        dag_id, run_id, task_id, attempt=2
    )


def test_a_killed_refresh_that_a_user_clears_starts_afresh(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id, task_id = "killed", "refresh"
    run_id = running(airflow, sandbox, dag_id)
    airflow.kill_worker(dag_id, run_id, task_id)
    assert airflow.ended(dag_id, run_id)["state"] == "failed"
    assert [publish.state for publish in sandbox.report().publishes] == ["running"]

    clear(airflow, dag_id, run_id, task_id)

    report = sandbox.wait_for(lambda report: len(report.publishes) == 2, timeout=HANG_SECONDS)
    assert [publish.state for publish in report.publishes] == ["cancelled", "running"]
    sandbox.finish_publishes()
    assert airflow.ended(dag_id, run_id)["state"] == "success"
    report = sandbox.wait_for(closed, timeout=HANG_SECONDS)
    assert (report.logins, [publish.state for publish in report.publishes]) == (2, ["cancelled", "completed"])
