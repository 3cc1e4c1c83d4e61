# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from airflow_home import EXAMPLE_DAGS
from airflow_parts import dags_of
from example_runs import run_example, shown_error, states

from airflow_provider_mstr.sandbox import Sandbox


def loaded(sandbox: Sandbox) -> list[dict[str, str]]:
    """Return the tables that each publish loaded, with their policies; nothing else may be left."""
    report = sandbox.report()
    assert (report.open_sessions, report.instances_open, report.rejected_calls_without_cookies) == (0, 0, 0)
    assert report.logins == report.logouts == len(report.publishes)
    assert all(publish.state == "completed" for publish in report.publishes)
    return [{table.name: table.refresh_policy for table in publish.tables} for publish in report.publishes]


@pytest.mark.mstr_sandbox(publish_seconds=4)
def test_the_refresh_in_one_task_defers_and_succeeds(mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    seen = states("mstr_refresh_in_one_task", mstr_sandbox, tmp_path)

    assert seen == [("refresh_retail", "running")] * 2 + [("refresh_retail", "success")]
    assert [len(tables) for tables in loaded(mstr_sandbox)] == [4]


@pytest.mark.long
@pytest.mark.mstr_sandbox(publish_seconds=2)
def test_the_refresh_in_steps_ends_with_its_teardown(mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    seen = states("mstr_refresh_in_steps", mstr_sandbox, tmp_path)

    succeeded = [task for task, state in seen if state == "success"]
    assert succeeded == ["create", "publish", "wait", "delete"]
    assert [len(tables) for tables in loaded(mstr_sandbox)] == [4]


@pytest.mark.long
@pytest.mark.mstr_sandbox(publish_seconds=2)
def test_the_refresh_after_loads_publishes_just_the_tables_they_fed(
    mstr_sandbox: Sandbox, tmp_path: Path
) -> None:
    seen = states("mstr_refresh_after_loads", mstr_sandbox, tmp_path)

    succeeded = [task for task, state in seen if state == "success"]
    assert set(succeeded[:2]) == {"load_stores", "load_sales"}
    assert set(succeeded[5:]) == {"refresh_retail.delete", "report"}
    assert loaded(mstr_sandbox) == [{"lu_store": "upsert", "ytd_day": "replace"}]


@pytest.mark.long
@pytest.mark.mstr_sandbox(publish_seconds=1)
def test_objects_are_refreshed_by_their_names(mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    seen = states("mstr_refresh_by_name", mstr_sandbox, tmp_path)

    succeeded = {task for task, state in seen if state == "success"}
    assert succeeded == {"refresh_retail", "refresh_sales_cube", "update_sales_cube"}
    report = mstr_sandbox.report()
    assert [publish.data_model for publish in report.publishes] == ["Retail"]
    assert report.cubes_loaded == {"Sales Cube": 2}
    assert (report.open_sessions, report.instances_open, report.jobs_running) == (0, 0, 0)


@pytest.mark.long
@pytest.mark.mstr_sandbox(publish_seconds=1)
def test_the_mapped_refresh_refreshes_each_data_model(mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    states("mstr_refresh_many", mstr_sandbox, tmp_path)

    assert len(loaded(mstr_sandbox)) == 3
    models = {publish.data_model for publish in mstr_sandbox.report().publishes}
    assert models == {"Retail", "Finance", "Supply Chain"}


@pytest.mark.long
@pytest.mark.mstr_sandbox(publish_seconds=1)
def test_the_refresh_on_assets_publishes_just_the_tables_whose_loads_it_waits_for(
    mstr_sandbox: Sandbox, tmp_path: Path
) -> None:
    states("mstr_refresh_on_assets", mstr_sandbox, tmp_path)

    assert loaded(mstr_sandbox) == [{"lu_store": "upsert", "ytd_day": "replace"}]


def test_the_data_model_and_the_cube_follow_both_loads_in_parallel() -> None:
    dag = dags_of(str(EXAMPLE_DAGS))["mstr_refresh_model_and_cube"]

    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream["refresh_finance"] == upstream["refresh_sales_cube"] == {"load_ledger", "load_sales"}
    assert upstream["report"] == {"refresh_finance", "refresh_sales_cube"}


@pytest.mark.long
@pytest.mark.mstr_sandbox(publish_seconds=4)
def test_the_data_model_and_the_cube_are_both_loaded(mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    seen = states("mstr_refresh_model_and_cube", mstr_sandbox, tmp_path)

    assert seen[-1] == ("report", "success")
    report = mstr_sandbox.report()
    assert [publish.data_model for publish in report.publishes] == ["Finance"]
    assert report.cubes_loaded == {"Sales Cube": 1}
    assert (report.open_sessions, report.instances_open, report.jobs_running) == (0, 0, 0)


@pytest.mark.long
@pytest.mark.parametrize("dag_id", ["mstr_load_assets", "mstr_report_on_assets"])
def test_what_stands_before_and_after_that_refresh_can_be_run_by_hand(
    dag_id: str, mstr_sandbox: Sandbox, tmp_path: Path
) -> None:
    seen = states(dag_id, mstr_sandbox, tmp_path)

    assert {state for _, state in seen} == {"running", "success"}
    assert mstr_sandbox.report().logins == 0


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("no_privilege", "AirflowFailException"),
        pytest.param("session_lost", "SessionExpired", marks=pytest.mark.long),
    ],
)
def test_a_failed_task_shows_its_sentence_once_and_few_frames(
    fault: str, name: str, mstr_sandbox: Sandbox, tmp_path: Path
) -> None:
    mstr_sandbox.add_fault("create_instance", fault)

    shown = shown_error(run_example("mstr_refresh_in_one_task", mstr_sandbox, tmp_path))

    (line,) = shown.lines
    assert f"{name}: could not create an instance of the data model: the " in line
    ours = [Path(file).name for file in shown.files if "airflow_provider_mstr" in file]
    assert ours == ["data_model.py", "refresh.py", "failures.py"]
    # The others are Airflow's own.
    assert len(shown.files) < 12
