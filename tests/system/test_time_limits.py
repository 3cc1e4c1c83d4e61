# SPDX-License-Identifier: Apache-2.0
"""What is left on the server, and what the task says, where a time limit ends a refresh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import needs
import pytest
from models import LONG_REFRESH, of_both_forms, task_of
from standalone import Standalone
from watching import closed, logouts_of, publish_of

from airflow_provider_mstr.sandbox import Sandbox

pytestmark = [needs.PARALLEL, pytest.mark.timeout(600)]

Runs = Mapping[str, str]


@pytest.fixture(scope="module")
def runs(airflow: Standalone, sandbox: Sandbox) -> Iterator[Runs]:
    """A run of each DAG, all side by side, as most of what they do is to wait for their limit."""
    started = {dag_id: airflow.trigger(dag_id) for dag_id in of_both_forms("dagrun_timeout")}
    for dag_id, run_id in started.items():
        airflow.task_in(dag_id, run_id, task_of(dag_id), "deferred", has_trigger=True)
    for name in ("timeout_deferred", "timeout_blocking", "execution_timeout_blocking"):
        started |= {dag_id: airflow.trigger(dag_id) for dag_id in of_both_forms(name)}
    for name in ("raising_trigger", "silent_trigger"):
        started |= {dag_id: airflow.trigger(dag_id) for dag_id in of_both_forms(name)}
    started["execution_timeout_deferred"] = airflow.trigger("execution_timeout_deferred")
    yield started
    sandbox.reset()


def states(airflow: Standalone, dag_id: str, runs: Runs) -> tuple[str, dict[str, str]]:
    """Return the state of a run once it has ended, and of its tasks."""
    run = airflow.ended(dag_id, runs[dag_id])
    return run["state"], {name: task["state"] for name, task in airflow.tasks(dag_id, runs[dag_id]).items()}


def assert_failed(dag_id: str, runs: Runs, airflow: Standalone, sandbox: Sandbox, *lines: str) -> None:
    """Check that a refresh has failed, its load cancelled and closed once; wait for lines of its log."""
    run, tasks = states(airflow, dag_id, runs)
    assert (run, tasks[task_of(dag_id)], tasks.get("delete", "success")) == ("failed", "failed", "success")
    publish = publish_of(dag_id, sandbox)
    assert (publish.state, logouts_of(publish, sandbox)) == ("cancelled", 1)
    task = (dag_id, runs[dag_id], task_of(dag_id))
    # Airflow may write the end of a log after the run has ended.
    airflow.wait_until(lambda: all(line in airflow.log_of(*task) for line in lines))


@needs.ON_KILL
@pytest.mark.parametrize("dag_id", of_both_forms("dagrun_timeout"))
def test_dagrun_timeout_stops_a_deferred_load_though_no_teardown_runs(
    dag_id: str, runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    run, tasks = states(airflow, dag_id, runs)

    # The first request of a triggerer's to Airflow makes it load Airflow's API, which takes its time.
    sandbox.wait_for(lambda _: logouts_of(publish_of(dag_id, sandbox), sandbox) > 0, timeout=120)
    assert publish_of(dag_id, sandbox).state == "cancelled"
    assert (run, tasks[task_of(dag_id)], tasks.get("delete", "skipped")) == ("failed", "skipped", "skipped")
    log = airflow.log_of(dag_id, runs[dag_id], task_of(dag_id))
    assert "Cancelled by a user; stopping the load on the server" in log


@pytest.mark.parametrize("dag_id", [*of_both_forms("timeout_deferred"), *of_both_forms("timeout_blocking")])
def test_a_publish_that_takes_longer_than_timeout_is_cancelled_and_the_task_says_what_to_do(
    dag_id: str, runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    late = f"the load of data model {dag_id} did not end within 8 s: still waiting for"
    assert_failed(dag_id, runs, airflow, sandbox, late, "Increase timeout if the load needs longer")


@pytest.mark.parametrize("dag_id", of_both_forms("execution_timeout_blocking"))
def test_execution_timeout_in_the_worker_stops_the_load(
    dag_id: str, runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    assert_failed(dag_id, runs, airflow, sandbox, "AirflowTaskTimeout")


def test_execution_timeout_does_not_count_while_deferred(
    runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id = "execution_timeout_deferred"
    run, _ = states(airflow, dag_id, runs)

    publish = publish_of(dag_id, sandbox)
    assert (run, publish.state, logouts_of(publish, sandbox)) == ("success", "completed", 1)
    path = f"dags/{dag_id}/dagRuns/{runs[dag_id]}/taskInstances/refresh/xcomEntries/mstr_result"
    assert airflow.api("GET", f"{path}?deserialize=true")["value"]["seconds"] > LONG_REFRESH


@pytest.mark.parametrize("dag_id", of_both_forms("raising_trigger"))
def test_a_trigger_that_raises_leaves_no_load_behind(
    dag_id: str, runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    assert_failed(dag_id, runs, airflow, sandbox, "TaskDeferralError", "nobody has thought of this")


@pytest.mark.parametrize("dag_id", of_both_forms("silent_trigger"))
def test_a_trigger_that_never_fires_is_given_up_and_leaves_no_load_behind(
    dag_id: str, runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    assert_failed(dag_id, runs, airflow, sandbox, "Trigger timeout")


@needs.ON_KILL
def test_no_time_limit_leaves_a_session(runs: Runs, airflow: Standalone, sandbox: Sandbox) -> None:
    for dag_id in runs:
        states(airflow, dag_id, runs)

    report = sandbox.wait_for(closed, timeout=30)
    assert (report.logins, len(report.publishes)) == (len(runs), len(runs))
