# SPDX-License-Identifier: Apache-2.0
"""Cubes in a real Airflow: its own workers, triggerer and retries."""

from __future__ import annotations

from collections.abc import Iterator

import needs
import pytest
from moments import asked
from standalone import Standalone
from watching import deferred

from airflow_provider_mstr.sandbox import PublishFailure, Report, Sandbox

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("tidy")]

TASK = "refresh"


@pytest.fixture(autouse=True)
def settings(sandbox: Sandbox) -> Iterator[None]:
    """Restore the settings that a test changes."""
    usual = sandbox.settings
    yield
    sandbox.change(publish_failure=usual.publish_failure, ended_job_seconds=usual.ended_job_seconds)


def running(airflow: Standalone, sandbox: Sandbox, dag_id: str) -> str:
    """Start a run, and return it once a worker polls its job."""
    run_id = airflow.trigger(dag_id)
    sandbox.wait_for(asked("get_job", 2), timeout=120)
    return run_id


def end(airflow: Standalone, sandbox: Sandbox, dag_id: str, run_id: str) -> str:
    """Let the job end, and return the state of the run; check that it leaves nothing on the server."""
    sandbox.finish_publishes()
    state = airflow.ended(dag_id, run_id)["state"]
    report = sandbox.wait_for(closed, timeout=60)
    assert (report.logins, len(report.jobs)) == (1, 1)
    return str(state)


def closed(report: Report) -> bool:
    return report.open_sessions == 0 and report.jobs_running == 0


def states(sandbox: Sandbox) -> list[str]:
    return [job.status for job in sandbox.report().jobs]


def test_a_deferred_cube_is_refreshed(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "cube_deferred"
    run_id = deferred(airflow, dag_id, TASK)

    assert end(airflow, sandbox, dag_id, run_id) == "success"

    assert states(sandbox) == ["completed"]
    job = sandbox.report().jobs[0]
    (link,) = airflow.links_of(dag_id, run_id, TASK).values()
    assert link.endswith(f"/{job.cube_id}")
    log = airflow.log_lines_of(dag_id, run_id, TASK)
    assert [line for line in log if line.startswith(f"Refresh of {dag_id} finished after")]


def test_a_report_is_run_by_a_worker(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "report_blocking"
    run_id = running(airflow, sandbox, dag_id)

    assert end(airflow, sandbox, dag_id, run_id) == "success"

    (job,) = sandbox.report().jobs
    assert (job.object, job.cube, job.status) == (dag_id, "cube_blocking", "completed")


def test_a_job_that_fails_fails_its_task(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.change(publish_failure=PublishFailure("error", message="(The warehouse is down.)"))
    dag_id = "cube_blocking"
    run_id = running(airflow, sandbox, dag_id)

    assert end(airflow, sandbox, dag_id, run_id) == "failed"

    assert states(sandbox) == ["error"]
    assert "(The warehouse is down.)" in airflow.log_of(dag_id, run_id, TASK)


def test_a_job_that_completes_and_vanishes_is_a_success(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.change(ended_job_seconds=0)
    dag_id = "cube_deferred"
    run_id = deferred(airflow, dag_id, TASK)

    assert end(airflow, sandbox, dag_id, run_id) == "success"

    assert states(sandbox) == ["completed"]


def test_a_job_that_fails_and_vanishes_is_no_success(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.change(
        ended_job_seconds=0, publish_failure=PublishFailure("error", message="(The warehouse is down.)")
    )
    dag_id = "cube_deferred"
    run_id = deferred(airflow, dag_id, TASK)

    assert end(airflow, sandbox, dag_id, run_id) == "failed"

    assert states(sandbox) == ["error"]
    assert "so it is unknown how the load ends" in airflow.log_of(dag_id, run_id, TASK)


@needs.TASK_STATE_STORE
def test_a_retry_continues_the_job_of_a_worker_that_was_killed(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "cube_retried"
    run_id = running(airflow, sandbox, dag_id)

    airflow.kill_worker(dag_id, run_id, TASK)

    # One more may be the last of the worker that was killed.
    polls = sandbox.report().requests["get_job"] + 2
    sandbox.wait_for(asked("get_job", polls), timeout=120)
    assert end(airflow, sandbox, dag_id, run_id) == "success"
    assert states(sandbox) == ["completed"]
    assert airflow.tasks(dag_id, run_id)[TASK]["try_number"] == 2


@needs.ON_KILL
def test_marking_a_deferred_cube_failed_cancels_its_job(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "cube_deferred"
    run_id = deferred(airflow, dag_id, TASK)

    airflow.mark(dag_id, run_id, TASK, "failed")

    sandbox.wait_for(closed, timeout=120)
    assert airflow.ended(dag_id, run_id)["state"] == "failed"
    report = sandbox.report()
    assert (report.requests["cancel_job"], report.logins, states(sandbox)) == (1, 1, ["stopped"])
