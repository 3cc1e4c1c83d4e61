# SPDX-License-Identifier: Apache-2.0
"""What only a real Airflow shows: its own scheduler, workers, triggerer, database and logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import needs
import pytest
from deployment import HANG_SECONDS
from models import LARGE, of_both_forms
from standalone import Standalone
from watching import publish_of

from airflow_provider_mstr.sandbox import DataModel, PublishReport, Report, Sandbox
from airflow_provider_mstr.sandbox.world import FINANCE, RETAIL, SUPPLY_CHAIN

pytestmark = pytest.mark.timeout(600)

# The examples that refresh Retail, one after the other, each with another DAG beside it.
OF_RETAIL = {
    "mstr_refresh_in_one_task": "mstr_refresh_model_and_cube",
    "mstr_refresh_in_steps": "large_in_one_task",
    "mstr_refresh_after_loads": "large_in_steps",
    "mstr_refresh_many": None,
}
TASKS = {
    "mstr_refresh_in_one_task": 1,
    "mstr_refresh_in_steps": 4,
    "mstr_refresh_after_loads": 7,
    "mstr_refresh_many": 3,
    "mstr_refresh_model_and_cube": 5,
}

Runs = Mapping[str, str]


@pytest.fixture(scope="module", autouse=True)
def result(sandbox: Sandbox) -> Iterator[None]:
    """Let publishes end by themselves, but not before the worker's own watch does."""
    usual = sandbox.settings.publish_seconds
    sandbox.change(publish_seconds=6)
    yield
    sandbox.change(publish_seconds=usual)
    sandbox.reset()


@pytest.fixture(scope="module")
def runs(airflow: Standalone, sandbox: Sandbox, result: None) -> Runs:
    """A run of each DAG, side by side, but for the publishes of one data model."""
    started: dict[str, str] = {}
    for before, (dag_id, beside) in enumerate(OF_RETAIL.items()):
        if dag_id == "mstr_refresh_many":
            sandbox.wait_for(lambda report: loads_of(FINANCE, report) == 1, timeout=HANG_SECONDS)
        started |= {each: airflow.trigger(each) for each in (dag_id, beside) if each}
        sandbox.wait_for(
            lambda report, before=before: loads_of(RETAIL, report) > before, timeout=HANG_SECONDS
        )
    return started


def publishes_of(data_model: DataModel, report: Report) -> list[PublishReport]:
    return [publish for publish in report.publishes if publish.data_model == data_model.name]


def loads_of(data_model: DataModel, report: Report) -> int:
    return sum(publish.state == "completed" for publish in publishes_of(data_model, report))


@pytest.mark.parametrize("dag_id", TASKS)
def test_an_example_runs_to_its_end(dag_id: str, runs: Runs, airflow: Standalone) -> None:
    run = airflow.ended(dag_id, runs[dag_id])

    instances = airflow.tasks(dag_id, runs[dag_id])
    assert {name: task["state"] for name, task in instances.items()} == dict.fromkeys(instances, "success")
    assert (run["state"], len(instances)) == ("success", TASKS[dag_id])


def test_data_models_of_5000_tables_are_refreshed_while_deferred(
    runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    for dag_id in of_both_forms("large"):
        assert airflow.ended(dag_id, runs[dag_id])["state"] == "success"
        publish = publish_of(dag_id, sandbox)
        assert (publish.state, len(publish.tables)) == ("completed", LARGE)


def test_the_runs_publish_once_each_and_leave_nothing(
    runs: Runs, airflow: Standalone, sandbox: Sandbox
) -> None:
    assert {airflow.ended(*run)["state"] for run in runs.items()} == {"success"}

    report = sandbox.report()
    assert (report.open_sessions, report.instances_open, report.rejected_calls_without_cookies) == (0, 0, 0)
    published = Counter((publish.data_model, publish.state) for publish in report.publishes)
    names = [RETAIL.name] * len(OF_RETAIL) + [FINANCE.name] * 2 + [SUPPLY_CHAIN.name, *of_both_forms("large")]
    assert published == Counter((name, "completed") for name in names)


def test_the_link_and_the_progress_are_on_the_task(runs: Runs, airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "mstr_refresh_in_one_task"
    airflow.ended(dag_id, runs[dag_id])
    task = (dag_id, runs[dag_id], "refresh_retail")

    links, log = airflow.links_of(*task), airflow.log_lines_of(*task)

    assert links == {"Open in Strategy": f"{sandbox.url}/app/library#/model/{RETAIL.id}"}
    assert [line for line in log if line.startswith("Table order_detail: completed")]
    assert [line for line in log if line.startswith("Pausing task as DEFERRED.")]
    (summary,) = (at for at, line in enumerate(log) if line.startswith("Refresh of Retail finished after"))
    assert {line.split()[2] for line in log[summary + 2 : summary + 6]} == {"finished"}


@pytest.fixture(scope="module")
def assets(airflow: Standalone, sandbox: Sandbox, runs: Runs) -> tuple[str, PublishReport]:
    """The run of the report that follows a refresh that follows its loads, and that refresh's publish."""
    refresh, report = "mstr_refresh_on_assets", "mstr_report_on_assets"
    airflow.wait_until(lambda: {refresh, report} <= set(known_dags(airflow)))
    for dag_id in (refresh, report):
        airflow.api("PATCH", f"dags/{dag_id}", {"is_paused": False})
    before = len(publishes_of(RETAIL, sandbox.report()))

    assert airflow.run("mstr_load_assets")["state"] == "success"

    for dag_id in (refresh, report):
        airflow.wait_until(lambda dag_id=dag_id: runs_of(airflow, dag_id) != [])
        (run_id,) = runs_of(airflow, dag_id)
        assert airflow.ended(dag_id, run_id)["state"] == "success"
    (publish,) = publishes_of(RETAIL, sandbox.report())[before:]
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


def runs_of(airflow: Standalone, dag_id: str) -> list[str]:
    return [run["dag_run_id"] for run in airflow.api("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]]
