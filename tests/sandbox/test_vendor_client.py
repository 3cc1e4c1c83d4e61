# SPDX-License-Identifier: Apache-2.0
"""Strategy's own client, mstrio-py, works with the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_mstr.sandbox import PublishFailure, Sandbox
from airflow_provider_mstr.sandbox.world import RETAIL, SALES_CUBE, SALES_UPDATE, TUTORIAL

connection_module = pytest.importorskip("mstrio.connection")

ADMINISTRATOR = {"username": "administrator", "password": "sandbox-password", "login_mode": 1}
API_TOKEN = {"api_token": "sandbox-api-token-5f0c9d", "login_mode": 4096}


@pytest.fixture(params=[ADMINISTRATOR, API_TOKEN], ids=["standard", "api token"])
def vendor(request: Any, sandbox: Sandbox) -> Iterator[Any]:
    with connection_module.Connection(
        sandbox.url, project_name=TUTORIAL.name, verbose=False, **request.param
    ) as connection:
        yield connection


def test_it_logs_in_and_reads_its_session(sandbox: Sandbox, vendor: Any) -> None:
    assert vendor.status()
    assert vendor.project_id == TUTORIAL.id
    assert vendor.user_full_name == "administrator"
    assert (vendor.iserver_version, vendor.timeout, vendor.working_set) == ("11.5.0800", 1800, 10)
    assert sandbox.report().logins == 1


def test_it_refreshes_a_data_model_and_closes_its_session(sandbox: Sandbox, vendor: Any) -> None:
    path = f"/api/dataModels/{RETAIL.id}"
    created = vendor.post(endpoint=f"{path}/instances")
    instance = {"X-MSTR-DataModelInstanceId": created.headers["X-MSTR-DataModelInstanceId"]}
    listed = vendor.get(endpoint=f"/api/model/dataModels/{RETAIL.id}/tables?offset=0&limit=-1").json()[
        "tables"
    ]
    tables = [{"id": row["information"]["objectId"], "refreshPolicy": "replace"} for row in listed]
    published = vendor.post(endpoint=f"{path}/publish", headers=instance, json={"tables": tables})
    seen = []
    while 1 not in seen:
        seen.append(vendor.get(endpoint=f"{path}/publishStatus", headers=instance).json()["status"])
        sandbox.advance(25)
    deleted = vendor.delete(endpoint=f"{path}/instances/{instance['X-MSTR-DataModelInstanceId']}")
    vendor.close()
    assert [created.status_code, published.status_code, deleted.status_code] == [204, 204, 204]
    assert seen == [0, 6, 6, 6, 1]
    report = sandbox.report()
    assert (report.logins, report.logouts, report.open_sessions, report.instances_open) == (1, 1, 0, 0)
    assert report.tables_loaded == {"Retail": {table.name: 1 for table in RETAIL.tables}}


def test_it_reads_the_state_of_the_cube(vendor: Any) -> None:
    cubes = pytest.importorskip("mstrio.api.cubes")
    processors = pytest.importorskip("mstrio.utils.response_processors.cubes")
    assert cubes.status(vendor, RETAIL.id).headers["X-MSTR-CubeStatus"] == "17510"
    assert processors.get_info(vendor, RETAIL.id)["lastUpdateTime"] == "01/01/2026 06:00:00"


def test_it_lists_the_user_connections(vendor: Any) -> None:
    connections = pytest.importorskip("mstrio.users_and_groups")
    listed = connections.UserConnections(vendor).list_connections()
    assert {row["username"] for row in listed} == {"administrator"}
    assert {row["project_name"] for row in listed} >= {""}


def test_it_reports_a_wrong_password(sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match="Login failed"):
        connection_module.Connection(sandbox.url, "administrator", "wrong", login_mode=1, verbose=False)
    assert sandbox.report().open_sessions == 0


def test_it_publishes_a_cube_and_reads_its_job(sandbox: Sandbox, vendor: Any) -> None:
    datasets = pytest.importorskip("mstrio.project_objects.datasets")
    cube = datasets.OlapCube.from_dict({"id": SALES_CUBE.id, "name": SALES_CUBE.name}, vendor)
    job = cube.publish()
    seen = []
    for seconds in (10, 90, 0):
        job.refresh_status()
        seen.append(job.status.value)
        sandbox.advance(seconds)
    assert seen == ["waiting_on_governor", "executing", "completed"]
    assert (job.object_id, job.project_name, job.error_message) == (SALES_CUBE.id, "Tutorial", None)
    assert sandbox.report().cubes_loaded == {"Sales Cube": 1}


def test_it_takes_a_failed_job_that_has_vanished_for_completed(sandbox: Sandbox, vendor: Any) -> None:
    datasets = pytest.importorskip("mstrio.project_objects.datasets")
    sandbox.change(publish_failure=PublishFailure("error"), ended_job_seconds=0)
    job = datasets.OlapCube.from_dict({"id": SALES_CUBE.id, "name": SALES_CUBE.name}, vendor).publish()
    job.refresh_status()
    sandbox.advance(100)
    job.refresh_status()
    assert job.status.value == "completed"
    assert sandbox.report().jobs[0].status == "error"


def test_it_runs_an_incremental_refresh_report_and_cancels_its_job(sandbox: Sandbox, vendor: Any) -> None:
    reports = pytest.importorskip("mstrio.project_objects.incremental_refresh_report")
    monitor = pytest.importorskip("mstrio.server.job_monitor")
    report = reports.IncrementalRefreshReport(vendor, id=SALES_UPDATE.id)
    assert (report.target_cube.object_id, report.refresh_type.value) == (SALES_CUBE.id, "update")
    job = report.execute(project_id=TUTORIAL.id)
    (listed,) = monitor.list_jobs(vendor, object_id=SALES_UPDATE.id)
    assert (listed.id, listed.object_name) == (job.id, "Sales Update")
    assert job.kill()
    job.refresh_status()
    assert job.status.value == "stopped"
    killed = monitor.kill_jobs(vendor, [job, "7:x"])
    assert [[each["id"] for each in part] for part in (killed.succeeded, killed.failed)] == [
        [job.id],
        ["7:x"],
    ]
    assert (sandbox.report().jobs_running, sandbox.report().cubes_loaded) == (0, {})
