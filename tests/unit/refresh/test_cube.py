# SPDX-License-Identifier: Apache-2.0
"""The refresh of a cube: the verdict of its job, a lost answer to its start, its end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from scripted import (
    GATEWAY_GONE,
    NOW,
    PROJECT,
    SESSION_OVER,
    FakeClock,
    Played,
    Reply,
    a_session,
    answer,
    empty,
    logged_in,
    play,
    refusal,
    serve,
)

from airflow_provider_mstr.refresh.cube import (
    CANCEL_RETRY_SECONDS,
    CONFIRMATION_PAUSE,
    FIND_OUT_PAUSE,
    MAX_SECONDS_TO_FIND_OUT,
    CubeJob,
    CubeSpec,
)
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.last_update import LastUpdate
from airflow_provider_mstr.refresh.options import WhenBusy
from airflow_provider_mstr.refresh.poller import MAX_IDLE_SECONDS, Poller
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.refresh.spec import StartContext
from airflow_provider_mstr.refresh.start import BUSY_PAUSE, SETTLE_PAUSE, start_job
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.session import Credentials

CUBE = "C" * 32
JOB_ID = "490:bm9kZQ=="
BEFORE, AFTER = "01/02/2026 03:04:05", "01/02/2026 03:05:00"
IDLE, PROCESSING = 2, 3
LAST_UPDATE = LastUpdate(PROJECT, CUBE, is_comparable=True, updated=datetime(2026, 1, 2, 3, 4, 5))

GONE = refusal(404, "ERR004")
GONE_AS_500 = refusal(500)
NO_PRIVILEGE = refusal(403, "ERR014", -2147213784)


def cube(status: int = IDLE, updated: str = BEFORE, **headers: str) -> Response:
    return answer(
        {"cubesInfos": [{"cubeName": "Sales", "status": status, "lastUpdateTime": updated}]}, **headers
    )


def job(word: str, message: str = "") -> Response:
    return answer({"id": JOB_ID, "status": word, "errorMessage": message})


def a_job(**changes: Any) -> CubeJob:
    loading = CubeJob(
        a_session(), PROJECT, CUBE, "Sales", started_at=NOW, last_update=LAST_UPDATE, job_id=JOB_ID
    )
    return replace(loading, **changes)


@dataclass
class Server:
    """Answers each call from a list of its own; the last answer of a list is repeated."""

    answers: dict[str, list[Reply]]
    calls: list[str] = field(default_factory=list)

    def __call__(self, request: Request[Any]) -> Reply:
        call = _call(request)
        self.calls.append(call)
        left = self.answers[call]
        return left.pop(0) if len(left) > 1 else left[0]


def _call(request: Request[Any]) -> str:
    if "/monitors/jobs/" in request.path:
        return "job" if request.method == "GET" else "cancel"
    last = request.path.rsplit("/", 1)[1]
    return "publish" if last == CUBE and request.method == "POST" else last


@dataclass
class Ended:
    result: RefreshResult
    job: Job
    calls: list[str]
    lines: list[str]
    seconds: float


def wait(loading: CubeJob, **answers: list[Reply]) -> Ended:
    """Poll a job until it ends; each keyword is the list of answers to one call."""
    clock, lines = FakeClock(), []
    server = Server({"cubes": [cube()], "login": [logged_in()], "logout": [empty()]} | answers)

    def log(line: str, **fields: Any) -> None:
        lines.append(line)

    poller = Poller(loading, 600.0, 30.0, Credentials(), clock, log)
    result = serve(poller.wait(), server, clock).result
    return Ended(result, poller.job, server.calls, lines, clock.now - NOW)


# The verdict


def test_a_completed_job_is_a_success() -> None:
    ended = wait(a_job(), job=[job("waiting_on_governor"), job("executing"), job("completed")])
    assert ended.result.state is State.FINISHED
    assert ended.calls == ["job", "job", "job"]
    assert ended.lines == [
        "The load of cube Sales: waiting_on_governor after 0 s",
        "The load of cube Sales: executing after 0 s",
        "The load of cube Sales: completed after 1 s",
    ]
    assert ended.result.to_json() | {"seconds": 0} == {
        "kind": "cube",
        "project_id": PROJECT,
        "project": PROJECT,
        "cube_id": CUBE,
        "name": "Sales",
        "state": "finished",
        "tables_confirmed": False,
        "seconds": 0,
        "tables": [],
    }


@pytest.mark.parametrize("word", ["error", "stopped", "ERROR"])
def test_a_job_that_fails_while_it_is_listed_fails_with_the_servers_text(word: str) -> None:
    ended = wait(a_job(), job=[job("executing"), job(word, "(QueryEngine encountered error.)")])
    error = ended.result.error
    assert (ended.result.state, type(error)) == (State.FAILED, errors.PublishFailed)
    assert error is not None
    assert error.what == (
        f"the load of cube Sales failed: the job ended as {word.lower()}: (QueryEngine encountered error.)"
    )
    assert error.retryable
    assert error.advice.startswith("Fix the cube or its source")
    assert "cubes" not in ended.calls


def test_a_failed_job_without_a_text_says_so() -> None:
    error = wait(a_job(), job=[job("stopped")]).result.error
    assert error is not None
    assert error.what.endswith("the job ended as stopped: the server reports no reason")


def test_a_prompt_fails_at_once_and_no_retry_follows() -> None:
    ended = wait(a_job(), job=[job("waiting_for_autoprompt")])
    error = ended.result.error
    assert isinstance(error, errors.PublishFailed)
    assert not error.retryable
    assert error.what == (
        "the load of cube Sales failed: it waits for an answer to a prompt, which nobody gives"
    )
    assert "prompt" in error.advice
    assert ended.calls == ["job"]
    assert isinstance(ended.job, CubeJob)
    assert ended.job.job_id == JOB_ID


@pytest.mark.parametrize("word", ["canceling", "cache_ready", "a word of a later version", "loading_prompt"])
def test_any_other_word_means_that_the_job_runs(word: str) -> None:
    ended = wait(a_job(), job=[job(word), job("completed")])
    assert ended.calls == ["job", "job"]
    assert ended.result.state is State.FINISHED


@pytest.mark.parametrize("payload", [{}, {"status": 7}, {"status": ""}, {"status": None}])
def test_an_answer_without_a_status_is_not_understood(payload: dict[str, Any]) -> None:
    assert isinstance(play(a_job().poll(0.0), answer(payload), answer(payload)).error, errors.InvalidResponse)


def test_a_job_that_is_gone_was_successful_if_the_cube_was_updated() -> None:
    ended = wait(a_job(), job=[job("executing"), GONE], cubes=[cube(updated=AFTER)])
    assert ended.result.state is State.FINISHED
    assert ended.calls == ["job", "job", "cubes"]
    assert ended.lines[1:] == [
        "the server no longer lists the job that loads cube Sales",
        "Checking the last update instead",
        "cube Sales: the last update shows that the load was successful",
    ]


def test_a_job_that_is_gone_while_the_cube_is_loaded_is_waited_for() -> None:
    cubes = [*[cube(PROCESSING)] * 40, cube(updated=AFTER)]
    ended = wait(a_job(), job=[GONE], cubes=cubes)
    assert ended.result.state is State.FINISHED
    assert ended.seconds > MAX_IDLE_SECONDS


@pytest.mark.parametrize("cubes", [cube(), empty(404), cube(updated="")], ids=["old", "unreadable", "none"])
def test_a_job_that_is_gone_without_an_update_is_unknown_and_never_a_success(cubes: Reply) -> None:
    ended = wait(a_job(), job=[GONE], cubes=[cubes])
    error = ended.result.error
    assert (ended.result.state, type(error)) == (State.UNKNOWN, errors.OutcomeUnknown)
    assert error is not None
    assert error.retryable
    assert error.reply.status == 404
    assert MAX_IDLE_SECONDS < ended.seconds < 2 * MAX_IDLE_SECONDS


@pytest.mark.parametrize("changes", [{"last_update": LAST_UPDATE.without_comparison()}])
def test_a_job_that_is_gone_is_unknown_at_once_if_nothing_can_be_compared(changes: dict[str, Any]) -> None:
    ended = wait(a_job(**changes), job=[GONE], cubes=[cube(updated=AFTER)])
    assert ended.result.state is State.UNKNOWN
    assert ended.calls == ["job"]


def test_some_servers_report_a_job_that_is_gone_as_error_500() -> None:
    ended = wait(a_job(), job=[GONE_AS_500], cubes=[cube(updated=AFTER)])
    assert ended.result.state is State.FINISHED
    assert ended.seconds < CONFIRMATION_PAUSE


@pytest.mark.parametrize("reply", [GONE_AS_500, refusal(500, "ERR001", -2147072488)])
def test_an_error_500_that_lasts_while_the_cube_is_readable_means_that_the_job_is_gone(reply: Reply) -> None:
    ended = wait(a_job(), job=[reply])
    assert ended.result.state is State.UNKNOWN
    assert ended.calls[:6] == ["job", "cubes"] * 3


def test_an_error_500_that_passes_is_no_end() -> None:
    ended = wait(a_job(), job=[GONE_AS_500, GONE_AS_500, job("executing"), job("completed")])
    assert ended.result.state is State.FINISHED
    assert ended.calls == ["job", "cubes", "job", "cubes", "job", "job"]


def test_an_error_500_of_a_server_that_cannot_read_the_cube_either_is_retried() -> None:
    played = play(a_job().poll(60.0), GONE_AS_500, GONE_AS_500, job("executing"))
    assert played.result.state is State.RUNNING
    assert [request.retry_for for request in played.requests if _call(request) == "job"][-1] == 60.0
    assert [request.repeatable for request in played.requests if _call(request) == "job"] == [False, True]


def test_a_gateway_that_fails_is_retried() -> None:
    played = play(a_job().poll(60.0), GATEWAY_GONE, job("executing"))
    assert played.result.state is State.RUNNING
    assert [(request.repeatable, request.retry_for) for request in played.requests] == [
        (False, 60.0),
        (True, 60.0),
    ]


def test_a_user_who_may_not_read_jobs_learns_the_end_from_the_cube() -> None:
    cubes = [cube(PROCESSING), cube(PROCESSING), cube(updated=AFTER)]
    ended = wait(a_job(), job=[NO_PRIVILEGE], cubes=cubes)
    assert ended.result.state is State.FINISHED
    assert ended.calls == ["job", "cubes", "cubes", "cubes"]


def test_a_user_who_may_not_read_jobs_does_not_take_a_failure_for_a_success() -> None:
    ended = wait(a_job(), job=[NO_PRIVILEGE], cubes=[cube(PROCESSING), cube()])
    error = ended.result.error
    assert isinstance(error, errors.OutcomeUnknown)
    assert "privilege" in error.advice


def test_a_lost_session_is_followed_by_another_that_checks_the_cube() -> None:
    ended = wait(a_job(), job=[job("executing"), SESSION_OVER], cubes=[cube(updated=AFTER)])
    assert ended.result.state is State.FINISHED
    assert ended.calls == ["job", "job", "login", "cubes", "logout"]


# The end


def test_a_job_that_may_run_is_cancelled_before_the_logout() -> None:
    played = play(a_job().close(), empty(), empty())
    assert [_call(request) for request in played.requests] == ["cancel", "logout"]
    cancel, _ = played.requests
    assert cancel.headers["X-MSTR-ProjectID"] == PROJECT
    assert cancel.retry_for == CANCEL_RETRY_SECONDS
    assert played.result is None


def test_a_job_that_has_ended_is_not_cancelled() -> None:
    ended = wait(a_job(), job=[job("completed")])
    assert ended.job == a_job(job_id="")
    played = play(ended.job.close(), empty())
    assert [_call(request) for request in played.requests] == ["logout"]
    assert played.result is None


@pytest.mark.parametrize("reply", [GONE, answer({"jobs": []})])
def test_a_job_that_is_gone_or_an_answer_with_a_body_is_no_problem_of_the_cancellation(reply: Reply) -> None:
    assert play(a_job().close(), reply, empty()).result is None


@pytest.mark.parametrize("reply", [NO_PRIVILEGE, GATEWAY_GONE, SESSION_OVER])
def test_a_job_that_cannot_be_cancelled_ends_with_its_session(reply: Reply) -> None:
    played = play(a_job().close(), reply, empty())
    assert isinstance(played.result, errors.MstrError)
    assert _call(played.requests[-1]) == "logout"


# The start


def test_a_cube_is_found_by_its_name_in_its_project() -> None:
    projects = answer([{"id": PROJECT, "name": "Tutorial"}])
    found = answer({"totalItems": 1, "result": [{"id": CUBE, "name": "Sales", "subtype": 776}]})
    opening = CubeSpec(project="Tutorial", target="Sales").open(
        StartContext(Credentials(), FakeClock(), lambda line, **fields: None)
    )
    played = play(opening, logged_in(), projects, found, answer({"totalItems": 0, "result": []}))
    assert played.calls[2:] == ["GET /api/searches/results"] * 2
    assert {request.headers["X-MSTR-ProjectID"] for request in played.requests[2:]} == {PROJECT}
    opened = played.result
    assert (opened.object_id, opened.object_name, opened.project_name) == (CUBE, "Sales", "Tutorial")


@dataclass
class Started:
    played: Played
    calls: list[str]
    lines: list[str]
    progress: list[tuple[Job, bool]]
    seconds: float


def start(
    when_busy: WhenBusy = WhenBusy.WAIT, *, verify_last_update: bool = True, **answers: list[Reply]
) -> Started:
    clock, lines, progress = FakeClock(), [], []
    defaults: dict[str, list[Reply]] = {
        "publish": [answer({"id": JOB_ID, "jobId": 490}, 202)],
        "cubes": [cube()],
        "login": [logged_in()],
        "logout": [empty()],
    }
    server = Server(defaults | answers)

    def log(line: str, **fields: Any) -> None:
        lines.append(line)

    def on_progress(job: Job, accepted: bool = False) -> None:
        progress.append((job, accepted))

    spec = CubeSpec(project=PROJECT, target=CUBE, when_busy=when_busy, verify_last_update=verify_last_update)
    context = StartContext(Credentials(), clock, log, on_progress=on_progress)
    played = serve(start_job(spec, CubeJob(a_session(), PROJECT, CUBE), context), server, clock)
    return Started(played, server.calls, lines, progress, clock.now - NOW)


def test_a_cube_is_started_once_and_polled_by_the_id_of_its_job() -> None:
    started = start()
    assert started.calls == ["cubes", "publish"]
    publish = started.played.requests[1]
    assert (publish.purpose, publish.headers["X-MSTR-ProjectID"]) == ("publish cube Sales", PROJECT)
    assert started.played.result == a_job()
    assert started.lines == ["Publishing cube Sales"]
    assert [accepted for _, accepted in started.progress] == [False, True]


NAMELESS = answer({"cubesInfos": [{"status": IDLE, "lastUpdateTime": BEFORE}]})


def test_the_name_of_a_cube_that_is_listed_without_one_is_requested() -> None:
    started = start(cubes=[NAMELESS], **{CUBE: [answer({"name": "Sales"})]})
    assert started.calls == ["cubes", CUBE, "publish"]
    request = started.played.requests[1]
    assert (request.path, request.headers["X-MSTR-ProjectID"]) == (f"/api/objects/{CUBE}", PROJECT)
    assert started.lines == ["Publishing cube Sales"]


def test_a_cube_whose_name_is_not_readable_is_named_by_its_id() -> None:
    started = start(cubes=[NAMELESS], **{CUBE: [NO_PRIVILEGE]})
    assert started.lines == [f"Publishing cube {CUBE}"]
    assert started.played.result.job_id == JOB_ID


def test_a_start_waits_while_another_job_loads_the_cube() -> None:
    started = start(cubes=[cube(PROCESSING), cube(PROCESSING), cube()])
    assert started.calls == ["cubes", "cubes", "cubes", "publish"]
    assert started.seconds == 2 * BUSY_PAUSE
    assert started.lines == [
        "Another job is publishing cube Sales; waiting for it",
        "The other job has ended",
        "Publishing cube Sales",
    ]


def test_a_start_fails_if_another_job_loads_the_cube_and_when_busy_says_so() -> None:
    started = start(WhenBusy.FAIL, cubes=[cube(PROCESSING)])
    assert isinstance(started.played.error, errors.ModelBusy)
    assert "publish" not in started.calls


@pytest.mark.parametrize("verify_last_update", [True, False])
def test_a_busy_cube_is_noticed_whether_or_not_its_last_update_is_verified(verify_last_update: bool) -> None:
    started = start(WhenBusy.FAIL, verify_last_update=verify_last_update, cubes=[cube(PROCESSING)])
    assert isinstance(started.played.error, errors.ModelBusy)


def test_without_verification_nothing_is_compared() -> None:
    assert not start(verify_last_update=False).played.result.last_update.is_comparable


def test_an_update_of_this_very_second_is_waited_for_so_that_the_next_differs() -> None:
    date = "Fri, 02 Jan 2026 03:04:06 GMT"
    started = start(cubes=[cube(Date=date), cube()])
    assert started.calls == ["cubes", "cubes", "publish"]
    assert started.seconds == SETTLE_PAUSE
    assert started.played.result.last_update.is_comparable


LOST = [
    GATEWAY_GONE,
    answer({}),
    answer({"jobId": 490}),
    errors.ServerUnavailable("the connection was reset"),
]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("shown", [cube(PROCESSING), cube(updated=AFTER)])
def test_a_lost_answer_is_no_loss_if_the_cube_shows_the_load(lost: Reply, shown: Reply) -> None:
    started = start(publish=[lost], cubes=[cube(), cube(), shown])
    assert started.calls == ["cubes", "publish", "cubes", "cubes"]
    assert started.played.result.job_id == ""
    assert started.played.result.started_at is not None


def test_a_load_whose_job_is_not_known_is_waited_for_by_its_cube() -> None:
    ended = wait(a_job(job_id=""), cubes=[cube(PROCESSING), cube(updated=AFTER)])
    assert ended.result.state is State.FINISHED
    assert ended.calls == ["cubes", "cubes"]
    assert ended.lines[:2] == [
        "the job that loads cube Sales is not known",
        "Checking the last update instead",
    ]


def test_a_start_without_an_answer_is_unknown_once_the_cube_has_shown_nothing_for_some_seconds() -> None:
    clock = FakeClock()
    played = serve(a_job(job_id="").has_started(clock), Server({"cubes": [cube()]}), clock)
    assert played.result is None
    assert played.pauses == [FIND_OUT_PAUSE] * int(MAX_SECONDS_TO_FIND_OUT / FIND_OUT_PAUSE)


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_answer_that_nothing_explains_closes_the_session_and_starts_once_more(lost: Reply) -> None:
    started = start(publish=[lost, answer({"id": "second"}, 202)])
    assert [call for call in started.calls if call != "cubes"] == ["publish", "logout", "login", "publish"]
    assert started.played.result.job_id == "second"


def test_a_start_that_is_lost_twice_is_unknown() -> None:
    started = start(publish=[GATEWAY_GONE])
    assert isinstance(started.played.error, errors.OutcomeUnknown)
    assert started.calls.count("publish") == 2


def test_a_cube_that_is_refused_is_not_started_again() -> None:
    started = start(publish=[NO_PRIVILEGE])
    assert isinstance(started.played.error, errors.NoPrivilege)
    assert started.calls == ["cubes", "publish"]
