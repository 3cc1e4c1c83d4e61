# SPDX-License-Identifier: Apache-2.0
"""What is left on the server where a user, or Airflow, ends a deferred refresh before its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_home import EXAMPLE_DAGS, airflow_environment
from standalone import Standalone, free_port

from airflow_provider_mstr.sandbox import Report, Sandbox, Settings

pytestmark = pytest.mark.timeout(900)

IN_ONE_TASK = ("mstr_refresh_in_one_task", "refresh_retail")
BLOCKING = ("mstr_refresh_in_its_worker", "refresh_retail")
IN_STEPS = ("mstr_refresh_in_steps", "wait")

every_form = pytest.mark.parametrize(
    ("dag_id", "task_id"), [IN_ONE_TASK, IN_STEPS], ids=["one task", "in steps"]
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose publishes end only when they are told to."""
    with Sandbox(Settings(publish_seconds=3600)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def airflow(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A standalone Airflow with the example DAGs, and one whose refresh waits in its worker."""
    home, dags = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("dags")
    for example in EXAMPLE_DAGS.glob("*.py"):
        code = example.read_text()
        (dags / example.name).write_text(code)
        if IN_ONE_TASK[0] in code:
            blocking = code.replace(IN_ONE_TASK[0], BLOCKING[0]).replace(
                "deferrable=True", "deferrable=False"
            )
            (dags / "blocking.py").write_text(blocking)
    connection = sandbox.airflow_connection()
    with Standalone(airflow_environment(home, connection, dags=dags, port=free_port())) as airflow:
        yield airflow


@pytest.fixture(autouse=True)
def tidy(sandbox: Sandbox) -> Iterator[None]:
    """Leave nothing to the next test, not even of a test that failed."""
    yield
    sandbox.reset()


def deferred(airflow: Standalone, dag_id: str, task_id: str) -> str:
    """Start a run, and return it once its refresh waits in the triggerer."""
    run_id = airflow.trigger(dag_id)
    airflow.task_in(dag_id, run_id, task_id, "deferred", has_trigger=True)
    return run_id


def closed(report: Report) -> bool:
    return report.open_sessions == 0 and report.instances_open == 0


def begun_afresh(report: Report) -> bool:
    return report.publishes[0].state == "cancelled" and report.publishes[-1].state == "running"


@every_form
@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_a_deferred_refresh_stops_its_load(
    state: str, dag_id: str, task_id: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = deferred(airflow, dag_id, task_id)

    airflow.api("PATCH", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", {"new_state": state})

    report = sandbox.wait_for(closed, timeout=60)
    assert [publish.state for publish in report.publishes] == ["cancelled"]
    assert airflow.ended(dag_id, run_id)["state"] == state


@every_form
def test_marking_the_run_failed_stops_the_load(
    dag_id: str, task_id: str, airflow: Standalone, sandbox: Sandbox
) -> None:
    run_id = deferred(airflow, dag_id, task_id)

    airflow.api("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})

    report = sandbox.wait_for(closed, timeout=60)
    assert [publish.state for publish in report.publishes] == ["cancelled"]
    assert airflow.ended(dag_id, run_id)["state"] == "failed"


def test_marking_a_running_refresh_failed_stops_its_load(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id, task_id = BLOCKING
    run_id = airflow.trigger(dag_id)
    sandbox.wait_for(lambda report: report.requests.get("publish_status", 0) > 2, timeout=90)

    airflow.api("PATCH", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", {"new_state": "failed"})

    report = sandbox.wait_for(closed, timeout=60)
    assert [publish.state for publish in report.publishes] == ["cancelled"]
    assert report.logins == 1


def test_a_cleared_refresh_starts_afresh_and_the_old_load_is_stopped(
    airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id, task_id = IN_ONE_TASK
    run_id = deferred(airflow, dag_id, task_id)

    clear: dict[str, Any] = {
        "dry_run": False,
        "task_ids": [task_id],
        "dag_run_id": run_id,
        "only_failed": False,
    }
    airflow.api("POST", f"dags/{dag_id}/clearTaskInstances", clear)

    # Where the new attempt comes before the old load is stopped, its publish is refused and sent anew.
    report = sandbox.wait_for(begun_afresh, timeout=90)
    assert report.open_sessions == 1
    sandbox.finish_publishes()
    assert airflow.ended(dag_id, run_id)["state"] == "success"
    states = [publish.state for publish in sandbox.report().publishes]
    assert (states[0], states[-1], states.count("completed")) == ("cancelled", "completed", 1)
    assert closed(sandbox.report())


def test_no_secret_is_in_the_database_or_the_logs_after_kills(airflow: Standalone, sandbox: Sandbox) -> None:
    secrets = {secret.encode() for secret in sandbox.secrets()}

    files = [path for path in Path(airflow.home).rglob("*") if path.is_file()]
    found = {path.name for path in files for secret in secrets if secret in path.read_bytes()}

    assert len(secrets) > 4
    assert found == set()
