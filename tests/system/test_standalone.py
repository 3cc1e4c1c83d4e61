# SPDX-License-Identifier: Apache-2.0
"""What only a real Airflow shows: its own scheduler, workers, triggerer, database and logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import traces
from airflow_home import airflow_environment
from standalone import Standalone, free_port

from airflow_provider_mstr.sandbox import Sandbox, Settings

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose publishes outlive the worker's own watch."""
    with Sandbox(Settings(publish_seconds=6)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def airflow(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A standalone Airflow with the example DAGs."""
    home = tmp_path_factory.mktemp("airflow")
    with Standalone(airflow_environment(home, sandbox.airflow_connection(), port=free_port())) as airflow:
        yield airflow


@pytest.mark.parametrize(
    ("dag_id", "tasks"),
    [
        ("mstr_refresh_in_one_task", 1),
        ("mstr_refresh_in_steps", 4),
        ("mstr_refresh_after_loads", 7),
        ("mstr_refresh_many", 3),
    ],
)
def test_an_example_runs_to_its_end_and_leaves_nothing(
    dag_id: str, tasks: int, airflow: Standalone, sandbox: Sandbox
) -> None:
    before = len(sandbox.report().publishes)

    run = airflow.run(dag_id)

    instances = airflow.tasks(dag_id, run["dag_run_id"])
    assert {name: task["state"] for name, task in instances.items()} == dict.fromkeys(instances, "success")
    assert (run["state"], len(instances)) == ("success", tasks)
    report = sandbox.report()
    assert (report.open_sessions, report.instances_open, report.rejected_calls_without_cookies) == (0, 0, 0)
    assert [publish.state for publish in report.publishes[before:]] == ["completed"] * (
        3 if dag_id == "mstr_refresh_many" else 1
    )


def test_the_link_and_the_progress_are_on_the_task(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "mstr_refresh_in_one_task"
    run = airflow.run(dag_id)
    task = f"dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances/refresh_retail"

    links = airflow.api("GET", f"{task}/links")["extra_links"]
    log = [line.get("event", "") for line in airflow.api("GET", f"{task}/logs/1")["content"]]

    model = "9F4772B837604551B4D3CC916ADC5598"
    assert links == {"Strategy data model": f"{sandbox.url}/app/library#/model/{model}"}
    assert [line for line in log if line.startswith("Table order_detail: completed")]
    assert "Pausing task as DEFERRED. " in log


def test_no_secret_is_in_the_database_or_the_logs(airflow: Standalone, sandbox: Sandbox) -> None:
    airflow.run("mstr_refresh_in_steps")

    assert len(sandbox.secrets()) > 4
    assert traces.of_secrets(airflow, sandbox.secrets()) == set()
