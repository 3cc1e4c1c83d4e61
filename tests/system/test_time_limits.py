# SPDX-License-Identifier: Apache-2.0
"""What is left on the server, and what the task says, where a time limit ends a refresh."""

from __future__ import annotations

from collections.abc import Mapping

import needs
import pytest
from deployment import HANG_SECONDS
from models import LIMITED, LONG_REFRESH, of_both_forms
from standalone import Standalone
from watching import closed, logouts_of, publish_of, task_of

from airflow_provider_mstr.sandbox import Sandbox

pytestmark = [needs.PARALLEL, pytest.mark.timeout(600)]

Runs = Mapping[str, str]


@pytest.fixture(scope="module")
def limited_runs(airflow: Standalone) -> Mapping[str, str]:
    """A run of each DAG that a time limit ends, side by side, as most of what they do is to wait for it."""
    started = {dag_id: airflow.trigger(dag_id) for dag_id in of_both_forms("dagrun_timeout")}
    for dag_id, run_id in started.items():
        airflow.task_in(dag_id, run_id, task_of(dag_id), "deferred", has_trigger=True)
    for name in LIMITED:
        started |= {dag_id: airflow.trigger(dag_id) for dag_id in of_both_forms(name)}
    started["execution_timeout_deferred"] = airflow.trigger("execution_timeout_deferred")
    return started


def states(airflow: Standalone, dag_id: str, limited_runs: Runs) -> tuple[str, dict[str, str]]:
    """Return the state of a run once it has ended, and of its tasks."""
    run = airflow.ended(dag_id, limited_runs[dag_id])
    return run["state"], {
        name: task["state"] for name, task in airflow.tasks(dag_id, limited_runs[dag_id]).items()
    }


def assert_failed(dag_id: str, limited_runs: Runs, airflow: Standalone, limits: Sandbox, *lines: str) -> None:
    """Check that a refresh has failed, its load cancelled and closed once; wait for lines of its log."""
    run, tasks = states(airflow, dag_id, limited_runs)
    assert (run, tasks[task_of(dag_id)], tasks.get("delete", "success")) == ("failed", "failed", "success")
    publish = publish_of(dag_id, limits)
    assert (publish.state, logouts_of(publish, limits)) == ("cancelled", 1)
    task = (dag_id, limited_runs[dag_id], task_of(dag_id))
    # Airflow may write the end of a log after the run has ended.
    airflow.wait_until(lambda: all(line in airflow.log_of(*task) for line in lines))


@needs.ON_KILL
@pytest.mark.parametrize("dag_id", of_both_forms("dagrun_timeout"))
def test_dagrun_timeout_stops_a_deferred_load_though_no_teardown_runs(
    dag_id: str, limited_runs: Runs, airflow: Standalone, limits: Sandbox
) -> None:
    run, tasks = states(airflow, dag_id, limited_runs)

    # The first request of a triggerer's to Airflow makes it load Airflow's API, which takes its time.
    limits.wait_for(lambda _: logouts_of(publish_of(dag_id, limits), limits) > 0, timeout=HANG_SECONDS)
    assert publish_of(dag_id, limits).state == "cancelled"
    assert (run, tasks[task_of(dag_id)], tasks.get("delete", "skipped")) == ("failed", "skipped", "skipped")
    log = airflow.log_of(dag_id, limited_runs[dag_id], task_of(dag_id))
    assert "Cancelled by a user; stopping the load on the server" in log


@pytest.mark.parametrize("dag_id", [*of_both_forms("timeout_deferred"), *of_both_forms("timeout_blocking")])
def test_a_publish_that_takes_longer_than_timeout_is_cancelled_and_the_task_says_what_to_do(
    dag_id: str, limited_runs: Runs, airflow: Standalone, limits: Sandbox
) -> None:
    late = f"the load of data model {dag_id} did not end within 8 s: still waiting for"
    assert_failed(dag_id, limited_runs, airflow, limits, late, "Increase timeout if the load needs longer")


@pytest.mark.parametrize("dag_id", of_both_forms("execution_timeout_blocking"))
def test_execution_timeout_in_the_worker_stops_the_load(
    dag_id: str, limited_runs: Runs, airflow: Standalone, limits: Sandbox
) -> None:
    assert_failed(dag_id, limited_runs, airflow, limits, "AirflowTaskTimeout")


def test_execution_timeout_does_not_count_while_deferred(
    limited_runs: Runs, airflow: Standalone, limits: Sandbox
) -> None:
    dag_id = "execution_timeout_deferred"
    run, _ = states(airflow, dag_id, limited_runs)

    publish = publish_of(dag_id, limits)
    assert (run, publish.state, logouts_of(publish, limits)) == ("success", "completed", 1)
    path = f"dags/{dag_id}/dagRuns/{limited_runs[dag_id]}/taskInstances/refresh/xcomEntries/mstr_result"
    assert airflow.api("GET", f"{path}?deserialize=true")["value"]["seconds"] > LONG_REFRESH


@pytest.mark.parametrize("dag_id", of_both_forms("raising_trigger"))
def test_a_trigger_that_raises_leaves_no_load_behind(
    dag_id: str, limited_runs: Runs, airflow: Standalone, limits: Sandbox
) -> None:
    assert_failed(dag_id, limited_runs, airflow, limits, "TaskDeferralError", "nobody has thought of this")


@pytest.mark.parametrize("dag_id", of_both_forms("silent_trigger"))
def test_a_trigger_that_never_fires_is_given_up_and_leaves_no_load_behind(
    dag_id: str, limited_runs: Runs, airflow: Standalone, limits: Sandbox
) -> None:
    assert_failed(dag_id, limited_runs, airflow, limits, "Trigger timeout")


@needs.ON_KILL
def test_no_time_limit_leaves_a_session(limited_runs: Runs, airflow: Standalone, limits: Sandbox) -> None:
    for dag_id in limited_runs:
        states(airflow, dag_id, limited_runs)

    report = limits.wait_for(closed, timeout=HANG_SECONDS)
    assert (report.logins, len(report.publishes)) == (len(limited_runs), len(limited_runs))
