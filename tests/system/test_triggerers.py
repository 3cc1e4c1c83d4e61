# SPDX-License-Identifier: Apache-2.0
"""What becomes of a load where not the refresh but its triggerer ends, or seems to."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping

import needs
import pytest
from deployment import HANG_SECONDS
from standalone import Standalone
from watching import closed

from airflow_provider_mstr.sandbox import Sandbox

pytestmark = [needs.TRIGGER_LOGS, pytest.mark.timeout(600)]

WAITS = {
    "deferred_in_one_task": "refresh",
    "deferred_in_steps": "wait",
    "deferred_mapped": "refresh/0",
}

Runs = Mapping[str, str]


@pytest.fixture
def runs(airflow: Standalone, sandbox: Sandbox) -> Iterator[Runs]:
    """A run of each form, deferred to the one triggerer that there is."""
    for other in airflow.triggerers[1:]:
        airflow.signal_triggerer(other, signal.SIGTERM)
    runs = {dag_id: airflow.trigger(dag_id) for dag_id in WAITS}
    for dag_id, run_id in runs.items():
        airflow.task_in(dag_id, run_id, WAITS[dag_id], "deferred", has_trigger=True)
    yield runs
    sandbox.reset()


def handed_over(airflow: Standalone, runs: Runs, job: int) -> None:
    """Wait until a triggerer runs every trigger."""
    for dag_id, run_id in runs.items():
        airflow.wait_until(lambda d=dag_id, r=run_id: waits_in(airflow, d, r, job))


def waits_in(airflow: Standalone, dag_id: str, run_id: str, job: int) -> bool:
    task = airflow.task_in(dag_id, run_id, WAITS[dag_id], "deferred", has_trigger=True)
    log = f"(ID {task['trigger']['id']}) starting"
    return bool(task["triggerer_job"]["id"] == job and log in trigger_log(airflow, dag_id, run_id, job))


def trigger_log(airflow: Standalone, dag_id: str, run_id: str, job: int) -> str:
    """Return what a triggerer has written about a wait."""
    folder = airflow.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
    return "".join(path.read_text() for path in folder.rglob(f"*.trigger.{job}.log"))


def assert_each_ends_well_with_its_first_publish(airflow: Standalone, sandbox: Sandbox, runs: Runs) -> None:
    report = sandbox.report()
    assert [publish.state for publish in report.publishes] == ["running"] * len(runs)
    sandbox.finish_publishes()
    assert {airflow.ended(*run)["state"] for run in runs.items()} == {"success"}
    report = sandbox.wait_for(closed, timeout=HANG_SECONDS)
    assert [publish.state for publish in report.publishes] == ["completed"] * len(runs)
    assert (report.logins, report.lost_sessions) == (len(runs), 0)
    tries = [airflow.tasks(*run).values() for run in runs.items()]
    assert {task["try_number"] for tasks in tries for task in tasks} == {1}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_another_triggerer_goes_on_where_one_has_ended(
    number: signal.Signals, runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    (first,), second = airflow.triggerers, airflow.start_triggerer()

    airflow.signal_triggerer(first, number)

    handed_over(airflow, runs, second)
    assert_each_ends_well_with_its_first_publish(airflow, sandbox, runs)


@needs.ON_KILL
def test_a_triggerer_that_wakes_up_to_find_its_waits_taken_over_stops_no_load(
    runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    (first,), second = airflow.triggerers, airflow.start_triggerer()
    airflow.signal_triggerer(first, signal.SIGSTOP)
    handed_over(airflow, runs, second)

    airflow.signal_triggerer(first, signal.SIGCONT)

    # Up to 3.3.2 Airflow takes this for a user's kill.
    for run in runs.items():
        airflow.wait_until(lambda r=run: "trigger completed" in trigger_log(airflow, *r, first))
        assert "invoking on_kill" in trigger_log(airflow, *run, first)
    assert_each_ends_well_with_its_first_publish(airflow, sandbox, runs)
