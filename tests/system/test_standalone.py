# SPDX-License-Identifier: Apache-2.0
"""What only a real Airflow shows: its own scheduler, workers, triggerer, database and logs."""

from __future__ import annotations

from collections.abc import Iterator

import needs
import pytest
from models import LARGE, of_both_forms
from standalone import Standalone
from watching import publish_of

from airflow_provider_mstr.sandbox import PublishReport, Sandbox

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("tidy")]


@pytest.fixture(scope="module", autouse=True)
def result(sandbox: Sandbox) -> Iterator[None]:
    """Let publishes end by themselves, but not before the worker's own watch does."""
    usual = sandbox.settings.publish_seconds
    sandbox.change(publish_seconds=6)
    yield
    sandbox.change(publish_seconds=usual)


@pytest.mark.parametrize(
    ("dag_id", "tasks"),
    [
        ("mstr_refresh_in_one_task", 1),
        ("mstr_refresh_in_steps", 4),
        ("mstr_refresh_after_loads", 7),
        ("mstr_refresh_many", 3),
        ("mstr_refresh_model_and_cube", 5),
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


@pytest.fixture(scope="module")
def assets(airflow: Standalone, sandbox: Sandbox) -> tuple[str, PublishReport]:
    """The run of the report that follows a refresh that follows its loads, and that refresh's publish."""
    refresh, report = "mstr_refresh_on_assets", "mstr_report_on_assets"
    airflow.wait_until(lambda: {refresh, report} <= set(known_dags(airflow)))
    for dag_id in (refresh, report):
        airflow.api("PATCH", f"dags/{dag_id}", {"is_paused": False})

    assert airflow.run("mstr_load_assets")["state"] == "success"

    for dag_id in (refresh, report):
        airflow.wait_until(lambda dag_id=dag_id: runs(airflow, dag_id) != [])
        (run_id,) = runs(airflow, dag_id)
        assert airflow.ended(dag_id, run_id)["state"] == "success"
    (publish,) = sandbox.report().publishes
    return run_id, publish


def test_loads_lead_to_a_refresh_by_its_assets(assets: tuple[str, PublishReport]) -> None:
    _, publish = assets

    assert {table.name for table in publish.tables} == {"lu_store", "ytd_day"}


@needs.ASSETS
def test_that_refresh_leads_to_a_report_of_its_result(
    assets: tuple[str, PublishReport], airflow: Standalone
) -> None:
    run_id, _ = assets

    task = f"dags/mstr_report_on_assets/dagRuns/{run_id}/taskInstances/report"
    (message,) = airflow.api("GET", f"{task}/xcomEntries/return_value?deserialize=true")["value"]

    assert message.startswith("2 tables loaded in ")


def known_dags(airflow: Standalone) -> list[str]:
    return [dag["dag_id"] for dag in airflow.api("GET", "dags?limit=100")["dags"]]


def runs(airflow: Standalone, dag_id: str) -> list[str]:
    return [run["dag_run_id"] for run in airflow.api("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]]


def test_data_models_of_5000_tables_are_refreshed_while_deferred(
    airflow: Standalone, sandbox: Sandbox
) -> None:
    started = {dag_id: airflow.trigger(dag_id) for dag_id in of_both_forms("large")}

    for dag_id, run_id in started.items():
        assert airflow.ended(dag_id, run_id)["state"] == "success"
        publish = publish_of(dag_id, sandbox)
        assert (publish.state, len(publish.tables)) == ("completed", LARGE)
    assert sandbox.report().open_sessions == 0


def test_the_link_and_the_progress_are_on_the_task(airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "mstr_refresh_in_one_task"
    run = airflow.run(dag_id)
    task = (dag_id, run["dag_run_id"], "refresh_retail")

    links, log = airflow.links_of(*task), airflow.log_lines_of(*task)

    model = "9F4772B837604551B4D3CC916ADC5598"
    assert links == {"Open in Strategy": f"{sandbox.url}/app/library#/model/{model}"}
    assert [line for line in log if line.startswith("Table order_detail: completed")]
    assert [line for line in log if line.startswith("Pausing task as DEFERRED.")]
    (summary,) = (at for at, line in enumerate(log) if line.startswith("Refresh of Retail finished after"))
    assert {line.split()[2] for line in log[summary + 2 : summary + 6]} == {"finished"}
