# SPDX-License-Identifier: Apache-2.0
"""The run of an incremental refresh report, which is verified by its target cube."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from scripted import NOW, PROJECT, FakeClock, a_session, answer, empty, logged_in, play, refusal

from airflow_provider_mstr.refresh.kinds import load_job
from airflow_provider_mstr.refresh.last_update import LastUpdate
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.report import ReportJob, ReportSpec
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.refresh.spec import StartContext
from airflow_provider_mstr.refresh.start import start_job
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.session import Credentials

REPORT, CUBE = "D" * 32, "C" * 32
DEFINITION = answer(
    {
        "information": {"objectId": REPORT, "name": "Yesterday"},
        "targetCube": {"objectId": CUBE, "subType": "report_cube", "name": "Sales"},
        "refreshType": "update",
    }
)


def cube(updated: str = "01/02/2026 03:04:05") -> Any:
    return answer({"cubesInfos": [{"cubeName": "Sales", "status": 2, "lastUpdateTime": updated}]})


def ignore(line: str, **fields: Any) -> None:
    pass


def a_job() -> ReportJob:
    updated = LastUpdate(PROJECT, CUBE, is_comparable=True, updated=datetime(2026, 1, 2, 3, 4, 5))
    return ReportJob(
        a_session(),
        PROJECT,
        REPORT,
        "Yesterday",
        started_at=NOW,
        last_update=updated,
        job_id="1:node",
        target_cube_id=CUBE,
    )


def test_a_report_is_opened_with_its_name_and_target_cube() -> None:
    spec = ReportSpec(project=PROJECT, target=REPORT)
    played = play(spec.open(StartContext(Credentials(), FakeClock(), ignore)), logged_in(), DEFINITION)
    assert played.calls == ["POST /api/auth/login", f"GET /api/model/incrementalRefresh/{REPORT}"]
    job = played.result
    assert (job.object_id, job.object_name, job.cube_id) == (REPORT, "Yesterday", CUBE)
    assert job.name == "incremental refresh report Yesterday"


def test_a_report_is_found_by_its_name_in_its_project() -> None:
    found = answer({"totalItems": 1, "result": [{"id": REPORT, "name": "Yesterday", "subtype": 777}]})
    spec = ReportSpec(project=PROJECT, target="Yesterday")
    opening = spec.open(StartContext(Credentials(), FakeClock(), ignore))
    none = answer({"totalItems": 0, "result": []})
    played = play(opening, logged_in(), found, none, DEFINITION)
    assert {request.headers["X-MSTR-ProjectID"] for request in played.requests[1:]} == {PROJECT}
    assert played.result.object_id == REPORT


def test_a_report_without_a_target_cube_is_not_run() -> None:
    spec = ReportSpec(project=PROJECT, target=REPORT)
    played = play(
        spec.open(StartContext(Credentials(), FakeClock(), ignore)), logged_in(), answer({}), empty()
    )
    assert isinstance(played.error, errors.InvalidResponse)
    assert played.calls[-1] == "POST /api/auth/logout"


def test_a_report_is_run_and_its_target_cube_compared() -> None:
    clock = FakeClock()
    job = ReportJob(a_session(), PROJECT, REPORT, "Yesterday", target_cube_id=CUBE)
    started = play(
        start_job(ReportSpec(), job, StartContext(Credentials(), clock, ignore)),
        cube(),
        answer({"id": "1:node"}, 202),
        clock=clock,
    )
    assert started.calls == ["GET /api/cubes", f"POST /api/incrementalRefresh/{REPORT}"]
    read, run = started.requests
    assert (read.query, run.query) == ({"id": CUBE}, {"executionStage": "execute_data"})
    assert run.purpose == "run incremental refresh report Yesterday"
    assert run.headers["X-MSTR-ProjectID"] == PROJECT
    assert started.result == a_job()


def test_the_result_of_a_report_names_its_cube() -> None:
    clock = FakeClock()
    poller = Poller(a_job(), 600.0, 30.0, Credentials(), clock, ignore)
    result = play(poller.wait(), refusal(404, "ERR004"), cube("01/02/2026 03:05:00"), clock=clock).result
    data = result.to_json()
    assert (data["kind"], data["report_id"], data["cube_id"]) == ("report", REPORT, CUBE)
    assert (data["name"], data["state"]) == ("Yesterday", "finished")


def test_a_report_survives_its_handle() -> None:
    seal = Seal("secret", "scope")
    assert load_job(a_job().to_json(seal), seal) == a_job()
