# SPDX-License-Identifier: Apache-2.0
"""Loads of cubes, and their jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from airflow_provider_mstr.sandbox import (
    DEFAULT_WORLD,
    Cube,
    IncrementalRefreshReport,
    PublishFailure,
    Sandbox,
    User,
)
from airflow_provider_mstr.sandbox.world import (
    CUSTOMER_CUBE,
    PUSHED_TARGETS,
    REGION_CUBE,
    RETAIL,
    SALES_CUBE,
    SALES_UPDATE,
    TUTORIAL,
)

ANALYST = DEFAULT_WORLD.users[1]
UNKNOWN_ID = "0" * 32
JOBS = "/v2/monitors/jobs"


def publish(client: Any, cube: Cube = SALES_CUBE) -> str:
    """Start a load, and return the id of its job."""
    response = client.call("POST", f"/v2/cubes/{cube.id}")
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def run(client: Any, report: IncrementalRefreshReport = SALES_UPDATE, stage: str = "execute_data") -> Any:
    return client.call("POST", f"/incrementalRefresh/{report.id}?executionStage={stage}")


def status(client: Any, job: str) -> Any:
    response = client.call("GET", f"{JOBS}/{job}")
    return response.json()["status"] if response.status_code == 200 else response.status_code


def info(client: Any, cube: Cube = SALES_CUBE) -> Any:
    (found,) = client.call("GET", f"/cubes?id={cube.id}").json()["cubesInfos"]
    return found


def failing(cube: Cube = SALES_CUBE) -> Any:
    return replace(DEFAULT_WORLD, cubes=(replace(cube, failure="(The warehouse is down.)"),))


def assert_rejected(response: Any, status: int, code: str, iserver_code: int | None = None) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json().get("iServerCode") == iserver_code


# Starts


def test_a_start_returns_the_id_of_a_job_with_its_node(sandbox: Sandbox, client: Any) -> None:
    for response in (client.call("POST", f"/v2/cubes/{SALES_CUBE.id}"), run(client)):
        body = response.json()
        assert response.status_code == 202
        assert body["id"] == f"{body['jobId']}:c2FuZGJveC1pc2VydmVy"
        assert len(body["instanceId"]) == 32
    assert [job.object for job in sandbox.report().jobs] == ["Sales Cube", "Sales Update"]


def test_a_server_may_leave_the_instance_out(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    client = connect(serve(cube_instance_ids=False)).log_in()
    body = client.call("POST", f"/v2/cubes/{SALES_CUBE.id}").json()
    assert set(body) == {"id", "jobId"}


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v2/cubes", RETAIL.id),
        ("/v2/cubes", PUSHED_TARGETS.id),
        ("/v2/cubes", SALES_UPDATE.id),
        ("/incrementalRefresh", SALES_CUBE.id),
        ("/incrementalRefresh", RETAIL.id),
    ],
)
def test_only_cubes_and_reports_are_started(sandbox: Sandbox, client: Any, path: str, wrong: str) -> None:
    assert_rejected(client.call("POST", f"{path}/{wrong}"), 500, "ERR001", -2147467259)
    assert_rejected(client.call("POST", f"{path}/{UNKNOWN_ID}"), 404, "ERR004", -2147216373)
    assert sandbox.report().jobs == ()


def test_a_cube_is_no_data_model(client: Any) -> None:
    assert_rejected(client.call("POST", f"/dataModels/{SALES_CUBE.id}/instances"), 400, "ERR006")
    response = client.call("GET", f"/model/dataModels/{CUSTOMER_CUBE.id}")
    assert response.json()["errors"][0]["code"] == "8004e457"


def test_a_start_needs_the_project_and_the_privilege(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    analyst = connect(sandbox).log_in(ANALYST)
    for response in (analyst.call("POST", f"/v2/cubes/{SALES_CUBE.id}"), run(analyst)):
        assert_rejected(response, 403, "ERR014", -2147213784)
    del client.http.headers["X-MSTR-ProjectID"]
    for response in (client.call("POST", f"/v2/cubes/{SALES_CUBE.id}"), run(client)):
        assert_rejected(response, 400, "ERR005")


def test_a_report_has_a_target_cube_and_a_refresh_type(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    report = IncrementalRefreshReport.named("Delta", CUSTOMER_CUBE, "replace")
    orphan = replace(report, id=UNKNOWN_ID, cube_id=UNKNOWN_ID)
    client = connect(serve(replace(DEFAULT_WORLD, reports=(report, orphan)))).log_in()
    body = client.call("GET", f"/model/incrementalRefresh/{report.id}").json()
    assert body["information"]["name"] == "Delta"
    assert body["targetCube"] == {
        "objectId": CUSTOMER_CUBE.id,
        "subType": "report_cube",
        "name": "Customer Cube",
    }
    assert body["refreshType"] == "replace"
    response = client.call("GET", f"/model/incrementalRefresh/{orphan.id}")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (404, "8004140b")
    assert client.call("GET", f"/model/incrementalRefresh/{SALES_CUBE.id}").status_code == 500


# Progress


def test_a_job_waits_executes_and_completes(sandbox: Sandbox, client: Any) -> None:
    job = publish(client)
    seen = [status(client, job)]
    for seconds in (10, 89, 1):
        sandbox.advance(seconds)
        seen.append(status(client, job))
    assert seen == ["waiting_on_governor", "executing", "executing", "completed"]


def test_a_job_has_its_object_and_times(sandbox: Sandbox, client: Any) -> None:
    job = publish(client)
    sandbox.advance(30)
    body = client.call("GET", f"{JOBS}/{job}").json()
    assert (body["id"], body["objectId"], body["objectType"]) == (job, SALES_CUBE.id, "cube")
    assert (body["user"], body["projectName"], body["elapsedTime"]) == ("administrator", "Tutorial", 30_000)
    assert body["creationTime"].endswith("+0000")
    assert "errorMessage" not in body


def test_a_failed_job_has_an_error_message_and_loads_nothing(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(failing(), publish_seconds=100, ended_job_seconds=200)
    client = connect(sandbox).log_in()
    before = info(client)
    jobs = [publish(client), run(client).json()["id"]]
    sandbox.advance(200)
    for job in jobs:
        body = client.call("GET", f"{JOBS}/{job}").json()
        assert (body["status"], body["errorMessage"]) == ("error", "(The warehouse is down.)")
        assert body["errorTime"].endswith("+0000")
    assert info(client) == before
    assert sandbox.report().cubes_loaded == {}


@pytest.mark.parametrize(("table", "expected"), [(None, "error"), ("ytd_day", "completed")])
def test_a_failure_of_all_publishes_is_one_of_a_cube_without_a_table(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any], table: str | None, expected: str
) -> None:
    client = connect(serve(publish_seconds=0, publish_failure=PublishFailure("error", table))).log_in()
    assert status(client, publish(client)) == expected


def test_a_prompted_cube_waits_for_an_answer(sandbox: Sandbox, client: Any) -> None:
    job = publish(client, REGION_CUBE)
    sandbox.advance(1000)
    sandbox.finish_publishes()
    assert status(client, job) == "waiting_for_autoprompt"
    assert info(client, REGION_CUBE)["status"] == 0


def test_a_cube_can_have_its_own_duration(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    cube = Cube.named("Fast", publish_seconds=10)
    sandbox = serve(replace(DEFAULT_WORLD, cubes=(cube,)), publish_seconds=100)
    client = connect(sandbox).log_in()
    job = publish(client, cube)
    sandbox.advance(10)
    assert status(client, job) == "completed"


# The cube


@pytest.mark.parametrize("report", [False, True])
def test_a_completed_job_changes_the_last_update(sandbox: Sandbox, client: Any, report: bool) -> None:
    before = info(client)
    assert (before["cubeName"], before["status"]) == ("Sales Cube", 17510)
    run(client) if report else publish(client)
    assert info(client) == before | {"status": 17511}
    sandbox.advance(100)
    after = info(client)
    assert after["status"] == 17510
    assert after["lastUpdateTime"] != before["lastUpdateTime"] == "01/01/2026 06:00:00"
    assert sandbox.report().cubes_loaded == {"Sales Cube": 1}


def test_the_first_load_sets_the_status(sandbox: Sandbox, client: Any) -> None:
    assert info(client, CUSTOMER_CUBE)["status"] == 0
    publish(client, CUSTOMER_CUBE)
    assert info(client, CUSTOMER_CUBE)["status"] == 1
    sandbox.advance(100)
    head = client.call("HEAD", f"/cubes/{CUSTOMER_CUBE.id}")
    assert head.headers["X-MSTR-CubeStatus"] == "17510"


def test_resolving_prompts_loads_nothing(sandbox: Sandbox, client: Any) -> None:
    before = info(client)
    job = run(client, stage="resolve_prompts").json()["id"]
    assert info(client) == before
    sandbox.advance(100)
    assert (status(client, job), info(client)) == ("completed", before)
    assert_rejected(run(client, stage="all"), 400, "ERR006")


def test_one_call_reads_several_cubes_and_data_models(client: Any) -> None:
    for ids in (f"id={SALES_CUBE.id},{RETAIL.id}", f"id={SALES_CUBE.id}&id={RETAIL.id}"):
        rows = client.call("GET", f"/cubes?{ids}").json()["cubesInfos"]
        assert [(row["id"], row["cubeName"]) for row in rows] == [
            (SALES_CUBE.id, "Sales Cube"),
            (RETAIL.id, "Retail"),
        ]
    assert client.call("GET", f"/cubes?id={SALES_CUBE.id},{SALES_UPDATE.id}").status_code == 404


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("type=776", ["Sales Cube", "Region Cube"]),
        ("type=777", ["Sales Update"]),
        ("type=779&name=c&pattern=1", ["Customer Cube"]),
        ("type=776&type=777&name=Sales", ["Sales Cube", "Sales Update"]),
        ("type=776,779&name=Customer%20Cube&pattern=2", ["Customer Cube"]),
    ],
)
def test_search_finds_objects_by_subtype(client: Any, query: str, names: list[str]) -> None:
    hits = client.call("GET", f"/searches/results?{query}").json()["result"]
    assert [hit["name"] for hit in hits] == names
    assert all(hit["extType"] != 448 for hit in hits)


def test_a_cube_and_a_report_are_objects(client: Any) -> None:
    subtypes = [
        client.call("GET", f"/objects/{each.id}?type=3").json()["subtype"]
        for each in (SALES_CUBE, CUSTOMER_CUBE, SALES_UPDATE)
    ]
    assert subtypes == [776, 779, 777]


# Two loads of one cube


def test_the_second_load_waits_for_the_first(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    first, second = publish(client), publish(connect(sandbox).log_in())
    sandbox.advance(50)
    assert [status(client, job) for job in (first, second)] == ["executing", "waiting_on_governor"]
    sandbox.advance(50)
    assert [status(client, job) for job in (first, second)] == ["completed", "waiting_on_governor"]
    sandbox.advance(99)
    assert status(client, second) == "executing"
    sandbox.advance(1)
    assert status(client, second) == "completed"
    report = sandbox.report()
    assert (report.cubes_started, report.cubes_loaded) == ({"Sales Cube": 2}, {"Sales Cube": 2})


def test_the_second_load_starts_once_the_first_is_stopped(sandbox: Sandbox, client: Any) -> None:
    first, second = publish(client), run(client).json()["id"]
    client.call("DELETE", f"{JOBS}/{first}")
    sandbox.advance(10)
    assert status(client, second) == "executing"
    sandbox.advance(90)
    assert status(client, second) == "completed"


def test_loads_of_two_cubes_do_not_wait(sandbox: Sandbox, client: Any) -> None:
    jobs = [publish(client), publish(client, CUSTOMER_CUBE)]
    sandbox.advance(100)
    assert [status(client, job) for job in jobs] == ["completed", "completed"]


# The end of a job


def test_a_job_is_found_by_its_id_only(client: Any) -> None:
    job = publish(client)
    assert_rejected(client.call("GET", f"{JOBS}/{job.partition(':')[0]}"), 404, "ERR004")


@pytest.mark.parametrize(("ended_job_status", "code"), [(404, "ERR004"), (500, "ERR001")])
def test_an_ended_job_vanishes(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any], ended_job_status: int, code: str
) -> None:
    sandbox = serve(publish_seconds=100, ended_job_seconds=60, ended_job_status=ended_job_status)
    client = connect(sandbox).log_in()
    job = publish(client)
    sandbox.advance(159)
    assert status(client, job) == "completed"
    sandbox.advance(1)
    for method in ("GET", "DELETE"):
        assert_rejected(client.call(method, f"{JOBS}/{job}"), ended_job_status, code)
    assert sandbox.report().jobs[0].status == "completed"


def test_an_ended_job_can_vanish_at_once(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(publish_seconds=100, ended_job_seconds=0)
    client = connect(sandbox).log_in()
    job = publish(client)
    sandbox.advance(99)
    assert status(client, job) == "executing"
    sandbox.advance(1)
    assert status(client, job) == 404


def test_a_cancelled_job_is_stopped_and_loads_nothing(sandbox: Sandbox, client: Any) -> None:
    before, job = info(client), publish(client)
    sandbox.advance(50)
    for _ in range(2):
        response = client.call("DELETE", f"{JOBS}/{job}")
        assert (response.status_code, response.content) == (204, b"")
        sandbox.advance(1)
    assert (status(client, job), info(client)) == ("stopped", before)
    assert sandbox.report().jobs_running == 0


def test_several_jobs_are_cancelled_at_once(sandbox: Sandbox, client: Any) -> None:
    jobs = [publish(client), publish(client, REGION_CUBE)]

    def cancel(ids: Any) -> Any:
        return client.call("POST", "/v2/monitors/cancelJobs", json={"jobIds": ids})

    partly = cancel([jobs[0], "7:x"])
    assert (partly.status_code, [each["status"] for each in partly.json()["jobCancellationStatus"]]) == (
        207,
        [204, 404],
    )
    assert cancel(jobs).status_code == 200
    assert [status(client, job) for job in jobs] == ["stopped", "stopped"]
    assert_rejected(cancel([]), 400, "ERR006")
    assert_rejected(client.call("POST", "/v2/monitors/cancelJobs"), 400, "ERR006")


def test_logout_stops_the_jobs_of_its_session_only(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    other = connect(sandbox).log_in()
    jobs = [publish(client), publish(client, REGION_CUBE), publish(other, CUSTOMER_CUBE)]
    client.log_out()
    assert [status(other, job) for job in jobs] == ["stopped", "stopped", "waiting_on_governor"]
    sandbox.advance(100)
    report = sandbox.report()
    assert report.cubes_loaded == {"Customer Cube": 1}
    assert [job.status for job in report.jobs] == ["stopped", "stopped", "completed"]


def test_a_running_job_keeps_its_session_and_a_prompt_does_not(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(publish_seconds=1000, session_idle_seconds=100)
    busy, idle = connect(sandbox).log_in(), connect(sandbox).log_in()
    publish(busy)
    publish(idle, REGION_CUBE)
    sandbox.advance(101)
    report = sandbox.report()
    assert (report.open_sessions, report.expired_sessions, report.jobs_running) == (1, 1, 1)
    assert [job.status for job in report.jobs] == ["executing", "stopped"]


# The monitor


def test_a_list_of_jobs_has_filters(sandbox: Sandbox, client: Any) -> None:
    jobs = [publish(client), publish(client, CUSTOMER_CUBE), run(client).json()["id"]]
    sandbox.advance(50)

    def listed(query: str) -> list[str]:
        rows = client.call("GET", f"{JOBS}?nodeName=sandbox-iserver{query}").json()["jobs"]
        return [row["id"] for row in rows]

    assert listed("") == jobs
    assert listed("&status=executing") == jobs[:2]
    assert listed(f"&objectId={CUSTOMER_CUBE.id}") == jobs[1:2]
    assert listed("&objectType=report&projectName=Tutorial") == jobs[2:]
    assert_rejected(client.call("GET", JOBS), 400, "ERR006")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{JOBS}/%s", None),
        ("DELETE", f"{JOBS}/%s", None),
        ("GET", f"{JOBS}?nodeName=sandbox-iserver&id=%s", None),
        ("POST", "/v2/monitors/cancelJobs", {"jobIds": ["7:x"]}),
    ],
)
def test_jobs_need_a_privilege(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any], method: str, path: str, body: Any
) -> None:
    publisher = User("publisher", "secret", can_monitor=False)
    sandbox = serve(replace(DEFAULT_WORLD, users=(publisher,)), publish_seconds=100)
    client = connect(sandbox).log_in(publisher)
    job = publish(client)
    path = path % job if "%s" in path else path
    assert_rejected(client.call(method, path, json=body), 403, "ERR014", -2147213784)
    assert sandbox.report().jobs_running == 1


def test_a_user_connection_counts_its_jobs(client: Any) -> None:
    publish(client)
    publish(client, REGION_CUBE)
    rows = client.call("GET", "/monitors/userConnections?clusterNode=sandbox-iserver").json()
    (within,) = (row for row in rows["userConnections"] if row["projectId"] == TUTORIAL.id)
    assert within["openJobsCount"] == 2


# Control


def control(sandbox: Sandbox, path: str, body: Any = None) -> requests.Response:
    return requests.post(f"{sandbox.origin}/sandbox/{path}", json=body, timeout=60)


def test_another_job_loads_a_cube(sandbox: Sandbox, client: Any) -> None:
    other = sandbox.start_load("Sales Cube")
    ours = publish(client)
    assert info(client)["status"] == 17511
    sandbox.finish_load(other)
    assert [status(client, job) for job in (other, ours)] == ["completed", "waiting_on_governor"]
    report = sandbox.report()
    assert [job.user for job in report.jobs] == ["scheduler", "administrator"]
    assert (report.cubes_started, report.jobs_running) == ({"Sales Cube": 1}, 1)


def test_another_job_is_started_and_finished_over_http(sandbox: Sandbox, client: Any) -> None:
    started = control(sandbox, "loads", {"cube": SALES_CUBE.id})
    job = started.json()["job"]
    assert (started.status_code, status(client, job)) == (201, "waiting_on_governor")
    assert control(sandbox, f"loads/{job}/finish").status_code == 204
    assert status(client, job) == "completed"
    for response in (
        control(sandbox, "loads", {"cube": "Nothing"}),
        control(sandbox, "loads", {}),
        control(sandbox, "loads/7/finish"),
    ):
        assert (response.status_code, bool(response.text)) == (400, True)


def test_a_load_that_waits_finishes_when_the_first_ends(sandbox: Sandbox, client: Any) -> None:
    other, ours = sandbox.start_load("Sales Cube"), publish(client)
    sandbox.finish_load(ours)
    assert status(client, ours) == "waiting_on_governor"
    sandbox.finish_load(other)
    assert status(client, ours) == "completed"


def test_finishing_publishes_finishes_jobs(sandbox: Sandbox, client: Any) -> None:
    publish(client)
    run(client)
    sandbox.finish_publishes()
    assert [job.status for job in sandbox.report().jobs] == ["completed", "completed"]
    assert sandbox.report().jobs[0].ended_at is not None


def test_waiting_ends_with_a_job_that_is_not_polled(connect: Callable[[Sandbox], Any]) -> None:
    with Sandbox() as sandbox:
        publish(connect(sandbox).log_in())
        report = sandbox.wait_for(lambda report: bool(report.cubes_loaded), timeout=60)
    assert report.jobs[0].status == "completed"


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        ("publish_cube", "POST", f"/v2/cubes/{SALES_CUBE.id}"),
        ("run_incremental_refresh", "POST", f"/incrementalRefresh/{SALES_UPDATE.id}"),
        ("get_incremental_refresh", "GET", f"/model/incrementalRefresh/{SALES_UPDATE.id}"),
        ("get_job", "GET", f"{JOBS}/1:x"),
        ("cancel_job", "DELETE", f"{JOBS}/1:x"),
        ("cancel_jobs", "POST", "/v2/monitors/cancelJobs"),
        ("list_jobs", "GET", JOBS),
    ],
)
def test_the_calls_have_faults(sandbox: Sandbox, client: Any, call: str, method: str, path: str) -> None:
    sandbox.add_fault(call, "status", status=429)
    assert client.call(method, path).status_code == 429
    report = sandbox.report()
    assert (report.requests[call], report.jobs) == (1, ())


@pytest.mark.parametrize(("kind", "started"), [("lost_before", 0), ("lost_after", 1)])
def test_the_answer_to_a_start_is_lost_before_or_after_it(
    sandbox: Sandbox, client: Any, kind: str, started: int
) -> None:
    sandbox.add_fault("publish_cube", kind)
    with pytest.raises(requests.ConnectionError, match="reset"):
        client.call("POST", f"/v2/cubes/{SALES_CUBE.id}")
    assert len(sandbox.report().jobs) == started


def test_invalid_cubes_and_reports_are_rejected() -> None:
    with pytest.raises(ValueError, match="subtype must be one of"):
        Cube.named("Odd", subtype=777)
    with pytest.raises(ValueError, match="448"):
        Cube.named("Odd", subtype=779, ext_type=448)
    with pytest.raises(ValueError, match="refresh_type must be one of"):
        IncrementalRefreshReport.named("Odd", SALES_CUBE, "merge")
