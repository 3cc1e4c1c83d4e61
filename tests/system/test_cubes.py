# SPDX-License-Identifier: Apache-2.0
"""Cubes in a real Airflow: its own workers, triggerer and retries."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile

import needs
import pytest
from deployment import HANG_SECONDS
from models import CUBES, REPORTS
from standalone import Standalone
from watching import deferred, logouts_from, sessions_of

from airflow_provider_mstr.sandbox import JobReport, PublishFailure, Sandbox

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("lost_run")]

TASK = "refresh"
FAILURE = PublishFailure("error", message="(The warehouse is down.)")
IDS = {each.name: each.id for each in (*CUBES, *REPORTS)}


@pytest.fixture(scope="module")
def lost_run(airflow: Standalone, sandbox: Sandbox) -> Iterator[str]:
    """A run whose job has failed and vanished: beside the tests, it waits a minute for its cube's update."""
    dag_id, usual = "cube_lost", sandbox.settings
    sandbox.change(ended_job_seconds=0, publish_failure=FAILURE)
    run_id = deferred(airflow, dag_id, TASK)
    before = len(sandbox.requests)
    sandbox.finish_publishes()
    sandbox.wait_for(lambda _: is_missed(dag_id, sandbox, before), timeout=HANG_SECONDS)
    sandbox.change(ended_job_seconds=usual.ended_job_seconds, publish_failure=usual.publish_failure)
    yield run_id
    sandbox.reset()


@pytest.fixture(autouse=True)
def settings(lost_run: str, sandbox: Sandbox) -> Iterator[None]:
    """Restore the settings that a test changes."""
    usual = sandbox.settings
    yield
    sandbox.change(publish_failure=usual.publish_failure, ended_job_seconds=usual.ended_job_seconds)


def is_missed(dag_id: str, sandbox: Sandbox, before: int) -> bool:
    """Return whether, after so many requests, the job was asked for, and then its cube."""
    (job,) = jobs_of(dag_id, sandbox)
    later = dropwhile(lambda request: not request.path.endswith(job.id), sandbox.requests[before:])
    return any(request.query.get("id") == job.cube_id for request in later)


def jobs_of(dag_id: str, sandbox: Sandbox) -> list[JobReport]:
    return [job for job in sandbox.report().jobs if job.object == dag_id]


def states(dag_id: str, sandbox: Sandbox) -> list[str]:
    return [job.status for job in jobs_of(dag_id, sandbox)]


def requests_for(call: str, dag_id: str, sandbox: Sandbox) -> int:
    """Return how often a call has come for the jobs of a DAG."""
    jobs = {job.id for job in jobs_of(dag_id, sandbox)}
    return sum(each.call == call and each.path.rpartition("/")[2] in jobs for each in sandbox.requests)


def await_polls(dag_id: str, sandbox: Sandbox, times: int) -> None:
    sandbox.wait_for(lambda _: requests_for("get_job", dag_id, sandbox) >= times, timeout=HANG_SECONDS)


def running(airflow: Standalone, sandbox: Sandbox, dag_id: str) -> str:
    """Start a run, and return it once a worker polls its job."""
    run_id = airflow.trigger(dag_id)
    await_polls(dag_id, sandbox, 2)
    return run_id


def end(airflow: Standalone, sandbox: Sandbox, dag_id: str, run_id: str) -> str:
    """Let the job end, and return the state of the run; check that it leaves nothing on the server."""
    sandbox.finish_publishes()
    state = airflow.ended(dag_id, run_id)["state"]
    assert_one_job_and_session(dag_id, sandbox)
    return str(state)


def assert_one_job_and_session(dag_id: str, sandbox: Sandbox) -> None:
    """Check that a DAG has loaded its object once, in one session; wait for the logout of that."""
    (session,) = sessions_of(IDS[dag_id], sandbox)
    sandbox.wait_for(lambda _: logouts_from(session, sandbox) > 0, timeout=HANG_SECONDS)
    assert (logouts_from(session, sandbox), len(jobs_of(dag_id, sandbox))) == (1, 1)


def test_a_deferred_cube_is_refreshed(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "cube_deferred"
    run_id = deferred(airflow, dag_id, TASK)

    assert end(airflow, sandbox, dag_id, run_id) == "success"

    (job,) = jobs_of(dag_id, sandbox)
    assert job.status == "completed"
    (link,) = airflow.links_of(dag_id, run_id, TASK).values()
    assert link.endswith(f"/{job.cube_id}")
    log = airflow.log_lines_of(dag_id, run_id, TASK)
    assert [line for line in log if line.startswith(f"Refresh of {dag_id} finished after")]


def test_a_report_is_run_by_a_worker(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "report_blocking"
    run_id = running(airflow, sandbox, dag_id)

    assert end(airflow, sandbox, dag_id, run_id) == "success"

    (job,) = jobs_of(dag_id, sandbox)
    assert (job.object, job.cube, job.status) == (dag_id, "cube_blocking", "completed")


def test_a_job_that_fails_fails_its_task(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.change(publish_failure=FAILURE)
    dag_id = "cube_blocking"
    run_id = running(airflow, sandbox, dag_id)

    assert end(airflow, sandbox, dag_id, run_id) == "failed"

    assert states(dag_id, sandbox) == ["error"]
    assert "(The warehouse is down.)" in airflow.log_of(dag_id, run_id, TASK)


def test_a_job_that_completes_and_vanishes_is_a_success(airflow: Standalone, sandbox: Sandbox) -> None:
    sandbox.change(ended_job_seconds=0)
    dag_id = "cube_gone"
    run_id = deferred(airflow, dag_id, TASK)

    assert end(airflow, sandbox, dag_id, run_id) == "success"

    assert states(dag_id, sandbox) == ["completed"]


@needs.TASK_STATE_STORE
def test_a_retry_continues_the_job_of_a_worker_that_was_killed(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "cube_retried"
    run_id = running(airflow, sandbox, dag_id)

    airflow.kill_worker(dag_id, run_id, TASK)

    # One more may be the last of the worker that was killed.
    await_polls(dag_id, sandbox, requests_for("get_job", dag_id, sandbox) + 2)
    assert end(airflow, sandbox, dag_id, run_id) == "success"
    assert states(dag_id, sandbox) == ["completed"]
    assert airflow.tasks(dag_id, run_id)[TASK]["try_number"] == 2


@needs.ON_KILL
def test_marking_a_deferred_cube_failed_cancels_its_job(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "cube_marked"
    run_id = deferred(airflow, dag_id, TASK)

    airflow.mark(dag_id, run_id, TASK, "failed")

    assert_one_job_and_session(dag_id, sandbox)
    assert airflow.ended(dag_id, run_id)["state"] == "failed"
    assert requests_for("cancel_job", dag_id, sandbox) == 1
    assert states(dag_id, sandbox) == ["stopped"]


def test_a_job_that_fails_and_vanishes_is_no_success(
    lost_run: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id = "cube_lost"

    assert airflow.ended(dag_id, lost_run)["state"] == "failed"

    assert_one_job_and_session(dag_id, sandbox)
    assert states(dag_id, sandbox) == ["error"]
    assert "so it is unknown how the load ends" in airflow.log_of(dag_id, lost_run, TASK)


def test_no_refresh_leaves_a_session_or_a_job(sandbox: Sandbox) -> None:
    report = sandbox.report()

    assert (report.open_sessions, report.jobs_running, report.logins) == (0, 0, len(report.jobs))
