# SPDX-License-Identifier: Apache-2.0
"""What only a real Airflow shows: its own scheduler, workers, triggerer, database and logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from standalone import Standalone

from airflow_provider_mstr.sandbox import Sandbox

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def tidy(sandbox: Sandbox) -> Iterator[None]:
    """Let publishes end by themselves, but not before the worker's own watch does."""
    usual = sandbox.settings.publish_seconds
    sandbox.change(publish_seconds=6)
    yield
    sandbox.change(publish_seconds=usual)
    sandbox.reset()


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
    run = airflow.run(dag_id)

    instances = airflow.tasks(dag_id, run["dag_run_id"])
    assert {name: task["state"] for name, task in instances.items()} == dict.fromkeys(instances, "success")
    assert (run["state"], len(instances)) == ("success", tasks)
    report = sandbox.report()
    assert (report.open_sessions, report.instances_open, report.rejected_calls_without_cookies) == (0, 0, 0)
    assert [publish.state for publish in report.publishes] == ["completed"] * (
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
