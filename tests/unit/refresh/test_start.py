# SPDX-License-Identifier: Apache-2.0
"""A publish starts a load once, also if its answer is lost or another job loads the model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from jobs import job_of
from scripted import (
    CITY,
    GATEWAY_GONE,
    INSTANCE,
    INSTANCE_LOST,
    MODEL,
    MODEL_BUSY,
    MODEL_NAME,
    PROJECT,
    PUBLISH_FAILED,
    SESSION_OVER,
    SESSIONS_FULL,
    TOKEN,
    YTD_DAY,
    FakeClock,
    KilledError,
    Played,
    Reply,
    an_instance,
    answer,
    created,
    empty,
    published,
    refusal,
    serve,
)

from airflow_provider_mstr.refresh.data_model import MAX_SECONDS_TO_FIND_OUT, DataModelJob, DataModelSpec
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.refresh.options import WhenBusy
from airflow_provider_mstr.refresh.spec import StartContext
from airflow_provider_mstr.refresh.start import BUSY_PAUSE, CLOSE_SECONDS, IDLE_POLLS, start_job
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Credentials

HTML = Response(200, (("Content-Type", "text/html"),), b"<html>maintenance</html>")
LOST = [GATEWAY_GONE, empty(503), HTML, refusal(500), errors.ServerUnavailable("the connection was reset")]

PLAIN = [published(0), published(1), published(1, message="result ready")]
BEFORE, AFTER = "01/02/2026 03:04:05", "01/02/2026 03:05:00"
IDLE, PROCESSING = 2, 3
NEW_TOKEN = "a-second-token"


def cube(status: int = IDLE, updated: str = BEFORE) -> Response:
    return answer({"cubesInfos": [{"status": status, "lastUpdateTime": updated}]})


@dataclass
class Server:
    """Answers each call from a list of its own; the last answer of a list is repeated.

    :param after_login: the answers that replace others after a login
    :param seconds: how long an answer to a call takes, unless the request is given up before
    """

    answers: dict[str, list[Reply]]
    after_login: dict[str, list[Reply]]
    clock: FakeClock
    seconds: dict[str, float]
    sent_at: list[float] = field(default_factory=list)

    def __call__(self, request: Request[Any]) -> Reply:
        call = self._call(request)
        if call == "publish":
            self.sent_at.append(self.clock.now)
        if call == "login":
            self.answers |= self.after_login
        retry_for = math.inf if request.retry_for is None else request.retry_for
        self.clock.now += min(self.seconds.get(call, 0.0), retry_for)
        left = self.answers[call]
        return left.pop(0) if len(left) > 1 else left[0]

    @staticmethod
    def _call(request: Request[Any]) -> str:
        if request.method == "DELETE":
            return "delete"
        return request.path.rpartition("/")[2]


@dataclass
class Started:
    """How a start ended, and what it did."""

    played: Played
    server: Server
    lines: list[str]
    fields: list[dict[str, Any]]
    progress: list[tuple[Job, bool]]

    @property
    def job(self) -> DataModelJob:
        result = self.played.result
        assert isinstance(result, DataModelJob)
        return result

    @property
    def calls(self) -> list[str]:
        return [Server._call(request) for request in self.played.requests]


def start(
    *publishes: Reply,
    policy: str = "replace",
    verify_last_update: bool = True,
    when_busy: WhenBusy = WhenBusy.WAIT,
    timeout: float = 600.0,
    owns_session: bool = True,
    kind: type[DataModelSpec] = DataModelSpec,
    after_login: dict[str, list[Reply]] | None = None,
    seconds: dict[str, float] | None = None,
    **answers: list[Reply],
) -> Started:
    """Start a refresh of two tables; each keyword is the list of answers to one call."""
    clock = FakeClock()
    defaults: dict[str, list[Reply]] = {
        "publishStatus": [published(5)],
        "cubes": [cube()],
        "delete": [empty()],
        "logout": [empty()],
        "login": [empty(X_MSTR_AuthToken=NEW_TOKEN)],
        "instances": [created("SECOND")],
    }
    later = {"publishStatus": [published(5)], **(after_login or {})}
    server = Server({"publish": list(publishes), **defaults, **answers}, later, clock, seconds or {})
    lines: list[str] = []
    logged: list[dict[str, Any]] = []
    progress: list[tuple[Job, bool]] = []

    def log(line: str, **fields: Any) -> None:
        lines.append(line)
        logged.append(fields)

    def on_progress(job: Job, accepted: bool = False) -> None:
        progress.append((job, accepted))

    choice = TableChoice.of([YTD_DAY, CITY], policy)
    spec = kind(
        project=PROJECT,
        target=MODEL,
        choice=choice,
        verify_last_update=verify_last_update,
        when_busy=when_busy,
        timeout=timeout,
    )
    # A warning about the version belongs to the session that was opened first, so a start requests none.
    context = StartContext(
        Credentials(), clock, log, warn=log, on_progress=on_progress, owns_session=owns_session
    )
    played = serve(start_job(spec, job_of(an_instance()), context), server, clock)
    return Started(played, server, lines, logged, progress)


def test_a_publish_that_is_accepted_is_sent_once() -> None:
    started = start(empty())
    assert started.calls == ["cubes", "publish", "publishStatus"]
    assert started.job.instance == an_instance()
    updated = datetime(2026, 1, 2, 3, 4, 5)
    assert started.job.last_update == LastUpdate(PROJECT, MODEL, is_comparable=True, updated=updated)
    assert not started.job.concurrent_refresh
    assert [(job.started_at, accepted) for job, accepted in started.progress] == [
        (started.server.sent_at[0], False),
        (started.server.sent_at[0], True),
    ]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSION_OVER, errors.SessionExpired),
        (refusal(400, "ERR006", message="no publish workflow"), errors.NotPublishable),
        (refusal(500, "ERR002", -1), errors.RequestFailed),
        (refusal(403, "ERR014"), errors.NoPrivilege),
        (empty(429), errors.ServerUnavailable),
        (errors.ServerUnavailable("no connection", nothing_done=True), errors.ServerUnavailable),
        (KilledError(), KilledError),
    ],
)
def test_a_publish_that_is_refused_is_not_sent_again(reply: Reply, kind: type[BaseException]) -> None:
    started = start(reply)
    assert started.calls == ["cubes", "publish"]
    assert type(started.played.error) is kind


def test_an_instance_that_is_gone_is_replaced_once_in_the_same_session() -> None:
    started = start(INSTANCE_LOST, empty())
    assert started.calls.count("publish") == 2
    assert "login" not in started.calls
    assert started.job.instance.instance_id == "SECOND"


def test_a_second_instance_that_is_gone_too_is_an_error() -> None:
    started = start(INSTANCE_LOST, INSTANCE_LOST)
    assert started.calls.count("publish") == 2
    assert type(started.played.error) is errors.InstanceExpired


@pytest.mark.parametrize("owns_session", [True, False])
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    "status",
    [
        published(6),
        published(4, (YTD_DAY, "reserved")),
        published(0, (YTD_DAY, "reserved")),
        published(1, (YTD_DAY, "completed")),
        published(-2147212544),
        published(3),
    ],
)
@pytest.mark.parametrize("late", [0, 3])
def test_a_load_that_the_status_shows_belongs_to_the_lost_publish(
    late: int, status: Response, lost: Reply, owns_session: bool
) -> None:
    started = start(
        lost,
        owns_session=owns_session,
        verify_last_update=False,
        publishStatus=[*[published(0)] * late, status],
    )
    assert started.calls.count("publish") == 1
    assert started.job.instance.instance_id == INSTANCE
    assert started.job.started_at == started.server.sent_at[0] + late
    assert started.lines[-1] == "The load has started; waiting for it"


@pytest.mark.parametrize("owns_session", [True, False])
@pytest.mark.parametrize("shows", [cube(PROCESSING), cube(IDLE, AFTER)], ids=["processing", "updated"])
@pytest.mark.parametrize("status", [*PLAIN, PUBLISH_FAILED, INSTANCE_LOST, GATEWAY_GONE])
def test_a_load_that_the_cube_shows_belongs_to_the_lost_publish(
    status: Response, shows: Response, owns_session: bool
) -> None:
    started = start(
        GATEWAY_GONE, owns_session=owns_session, cubes=[cube(), cube(), shows], publishStatus=[status]
    )
    assert started.calls.count("publish") == 1
    assert started.job.instance.instance_id == INSTANCE


@pytest.mark.parametrize("owns_session", [True, False])
def test_a_start_that_the_server_denies_is_repeated_in_a_new_instance(owns_session: bool) -> None:
    started = start(
        GATEWAY_GONE, empty(), owns_session=owns_session, publishStatus=[refusal(400, "ERR001")] * 2
    )
    assert started.calls.count("publish") == 2
    assert started.calls.count("delete") == 1
    assert "logout" not in started.calls
    assert started.job.instance.instance_id == "SECOND"
    assert started.lines[-1] == "The load has not started; publishing again in a new instance"


def test_a_denial_that_is_not_repeated_shows_nothing() -> None:
    started = start(GATEWAY_GONE, publishStatus=[refusal(400, "ERR001"), published(6)])
    assert started.calls.count("publish") == 1
    assert started.job.instance.instance_id == INSTANCE


UNCLEAR = [*PLAIN, INSTANCE_LOST, PUBLISH_FAILED, MODEL_BUSY, SESSION_OVER, GATEWAY_GONE, HTML, refusal(403)]


@pytest.mark.parametrize("cubes", [cube(), refusal(403, "ERR014")], ids=["idle", "unreadable"])
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("status", UNCLEAR)
def test_if_nothing_shows_a_load_the_start_is_repeated_in_a_new_session(
    status: Response, lost: Reply, cubes: Response
) -> None:
    started = start(lost, empty(), publishStatus=[status], cubes=[cubes])
    assert started.calls.count("publish") == 2
    at = started.calls.index("logout")
    assert started.calls[at + 1 : at + 3] == ["login", "instances"]
    assert "publish" not in started.calls[started.calls.index("publish") + 1 : at]
    assert started.job.instance.instance_id == "SECOND"


def test_each_step_of_a_repeated_start_is_logged() -> None:
    lines = start(empty(503), empty(), publishStatus=[published(0)]).lines
    assert lines[1].startswith("could not publish data model")
    assert lines[2:] == [
        "The publish got no valid answer; checking whether the load has started",
        "Closing the session, which stops a load that may run; publishing again in a new session",
    ]


@pytest.mark.parametrize("status", UNCLEAR)
def test_a_repeated_start_is_decided_within_ten_seconds_and_has_all_of_its_timeout(status: Response) -> None:
    started = start(GATEWAY_GONE, empty(), timeout=1.0, publishStatus=[status])
    first, second = started.server.sent_at
    assert second - first <= 10
    assert started.job.started_at == second


@pytest.mark.parametrize("seconds", [3.0, 7.5, 60.0])
@pytest.mark.parametrize("calls", [["publishStatus"], ["cubes"], ["publishStatus", "cubes"]])
def test_slow_answers_do_not_delay_the_decision(calls: list[str], seconds: float) -> None:
    slow = dict.fromkeys(calls, seconds)
    started = start(empty(503), seconds=slow, publishStatus=[empty(503)], logout=[GATEWAY_GONE])
    requests = started.played.requests[started.calls.index("publish") + 1 : started.calls.index("logout")]
    # A driver repeats none of them, so each takes its retry_for at most.
    assert not any(request.repeatable for request in requests)
    assert started.server.clock.now - started.server.sent_at[0] <= 10


@pytest.mark.parametrize("replies", [[empty()], [empty(503)]], ids=["answered", "lost"])
def test_the_time_limit_counts_from_the_moment_at_which_the_load_is_known_to_have_started(
    replies: list[Reply],
) -> None:
    started = start(*replies, seconds={"publish": 50.0}, publishStatus=[published(5)])
    assert started.job.started_at == started.server.sent_at[0] + 50


def test_a_check_without_an_answer_takes_no_longer_than_the_time_to_find_out() -> None:
    started = start(GATEWAY_GONE, empty(), publishStatus=[published(0)])
    checks = [request for request in started.played.requests if request.path.endswith("publishStatus")]
    assert all(request.retry_for is not None for request in checks[:-1])
    assert max(request.retry_for or 0.0 for request in checks[:-1]) <= MAX_SECONDS_TO_FIND_OUT


@pytest.mark.parametrize("status", [*PLAIN, INSTANCE_LOST, PUBLISH_FAILED, SESSION_OVER, GATEWAY_GONE])
def test_a_step_whose_session_belongs_to_another_task_leaves_an_unclear_start_unknown(
    status: Response,
) -> None:
    started = start(GATEWAY_GONE, owns_session=False, publishStatus=[status])
    assert started.calls.count("publish") == 1
    assert "logout" not in started.calls
    assert type(started.played.error) is errors.OutcomeUnknown


@pytest.mark.parametrize("reply", [GATEWAY_GONE, refusal(403, "ERR014"), HTML])
def test_a_session_that_cannot_be_closed_leaves_an_unclear_start_unknown(reply: Response) -> None:
    started = start(GATEWAY_GONE, publishStatus=[published(0)], logout=[reply])
    assert started.calls.count("publish") == 1
    assert "login" not in started.calls
    assert type(started.played.error) is errors.OutcomeUnknown


def test_a_load_that_ends_while_its_session_is_closed_is_not_repeated() -> None:
    started = start(GATEWAY_GONE, publishStatus=[published(0)], after_login={"cubes": [cube(IDLE, AFTER)]})
    assert started.calls.count("publish") == 1
    assert type(started.played.error) is errors.OutcomeUnknown


@pytest.mark.parametrize(
    "shows", [cube(PROCESSING), refusal(403, "ERR014")], ids=["processing", "unreadable"]
)
def test_rows_are_not_added_by_a_second_start_if_the_first_may_run_on(shows: Response) -> None:
    started = start(GATEWAY_GONE, policy="add", publishStatus=[published(0)], after_login={"cubes": [shows]})
    assert started.calls.count("publish") == 1
    assert isinstance(started.played.error, errors.OutcomeUnknown)
    assert not started.played.error.retryable


@pytest.mark.parametrize("call", ["login", "instances"])
@pytest.mark.parametrize("reply", [GATEWAY_GONE, SESSIONS_FULL])
def test_a_session_that_cannot_be_replaced_leaves_an_unclear_start_unknown(
    reply: Response, call: str
) -> None:
    started = start(GATEWAY_GONE, policy="add", publishStatus=[published(0)], **{call: [reply]})
    assert isinstance(started.played.error, errors.OutcomeUnknown)
    assert not started.played.error.retryable


@pytest.mark.parametrize("call", ["login", "instances", "cubes"])
def test_an_unclear_start_stays_stored_until_the_cube_shows_that_nothing_was_loaded(call: str) -> None:
    killed: dict[str, list[Reply]] = {call: [KilledError()]}
    answers = {} if call == "cubes" else killed
    after_login = killed if call == "cubes" else {}
    started = start(empty(503), publishStatus=[published(0)], after_login=after_login, **answers)
    job, accepted = started.progress[-1]
    assert (job.started_at, accepted) == (started.server.sent_at[0], False)
    assert job.session.token == (NEW_TOKEN if call != "login" else TOKEN)


def test_rows_are_added_by_a_second_start_if_the_cube_shows_that_the_first_added_none() -> None:
    started = start(GATEWAY_GONE, empty(), policy="add", publishStatus=[published(0)])
    assert started.calls.count("publish") == 2


def test_rows_are_not_added_by_a_second_start_if_the_first_may_have_added_them() -> None:
    unreadable = refusal(403, "ERR014")
    started = start(GATEWAY_GONE, policy="add", publishStatus=[published(0)], cubes=[unreadable])
    assert started.calls.count("publish") == 1
    assert isinstance(started.played.error, errors.OutcomeUnknown)
    assert not started.played.error.retryable
    assert "could add them again" in str(started.played.error)


@pytest.mark.parametrize("lost", LOST)
def test_a_start_that_is_unclear_twice_is_not_repeated_again(lost: Reply) -> None:
    started = start(lost, lost, publishStatus=[published(0)], after_login={"publishStatus": [published(0)]})
    assert started.calls.count("publish") == 2
    assert type(started.played.error) is errors.OutcomeUnknown


@pytest.mark.parametrize("lost", LOST)
def test_a_start_that_the_server_denies_twice_is_the_error_of_the_publish(lost: Reply) -> None:
    started = start(lost, lost, publishStatus=[refusal(400, "ERR001")])
    assert started.calls.count("publish") == 2
    assert isinstance(started.played.error, errors.ServerUnavailable | errors.InvalidResponse)


# Another job


def test_a_publish_that_is_refused_for_another_job_is_sent_again_once_that_has_ended() -> None:
    started = start(MODEL_BUSY, MODEL_BUSY, empty())
    assert started.calls.count("publish") == 3
    assert started.played.pauses == [BUSY_PAUSE] * 2
    assert started.lines[1:] == [WAITING, WAIT_ENDED]
    assert started.fields[1:] == [{"busy": True}, {"busy": False}]
    assert started.job.started_at == started.server.sent_at[-1]


@pytest.mark.parametrize("replies", [[MODEL_BUSY], [empty()]], ids=["refused", "rejected later"])
def test_a_busy_model_fails_the_publish_at_once_if_when_busy_is_fail(replies: list[Reply]) -> None:
    started = start(*replies, when_busy=WhenBusy.FAIL, publishStatus=[MODEL_BUSY])
    assert type(started.played.error) is errors.ModelBusy
    assert started.played.error.advice == (
        'Set when_busy="wait" to wait for that job, or let only one task refresh this object.'
    )
    assert started.calls.count("publish") == 1
    assert started.played.pauses == []


def test_a_model_that_stays_busy_fails_the_publish_after_the_timeout() -> None:
    started = start(MODEL_BUSY, timeout=20.0)
    assert type(started.played.error) is errors.ModelBusy
    assert sum(started.played.pauses) == 20.0


def test_a_publish_that_was_rejected_for_a_job_which_has_ended_is_sent_again_in_a_new_instance() -> None:
    busy = [MODEL_BUSY] * 4
    shows = [cube(), cube(PROCESSING), cube(PROCESSING), cube(IDLE), cube(IDLE)]
    started = start(empty(), empty(), publishStatus=[*busy, published(5)], cubes=shows)
    assert started.calls.count("publish") == 2
    assert started.job.instance.instance_id == "SECOND"
    assert started.lines[-2:] == [
        WAIT_ENDED,
        "The server rejected the publish because of the other job; publishing again",
    ]


def test_a_publish_that_waits_for_another_job_is_marked_as_concurrent() -> None:
    started = start(empty(), publishStatus=[MODEL_BUSY, published(5)], cubes=[cube(), cube(PROCESSING)])
    assert started.calls.count("publish") == 1
    assert started.job.concurrent_refresh


def test_a_busy_model_whose_cube_cannot_be_read_is_left_to_the_poller() -> None:
    started = start(empty(), publishStatus=[MODEL_BUSY], cubes=[refusal(403, "ERR014")])
    assert started.calls.count("publish") == 1
    assert started.job.concurrent_refresh
    assert started.job.tables[0].policy is RefreshPolicy.REPLACE


WAITING = f"Another job is publishing data model {MODEL_NAME}; waiting for it"
WAIT_ENDED = "The other job has ended"


def test_a_publish_that_is_refused_for_another_job_is_stored_without_a_start() -> None:
    started = start(MODEL_BUSY, empty())
    first, second = started.server.sent_at
    assert [(job.started_at, accepted) for job, accepted in started.progress] == [
        (first, False),
        (None, False),
        (second, False),
        (second, True),
    ]


def test_the_last_update_is_that_before_the_publish_that_was_accepted() -> None:
    started = start(MODEL_BUSY, empty(), cubes=[cube(), cube(IDLE, AFTER)])
    assert started.job.last_update.updated == datetime(2026, 1, 2, 3, 5, 0)


def test_each_wait_for_another_job_is_logged_once() -> None:
    started = start(MODEL_BUSY, MODEL_BUSY, empty(), publishStatus=[MODEL_BUSY, published(5)])
    assert len(started.played.pauses) == 3
    assert started.lines[1:] == [WAITING, WAIT_ENDED] * 2


@pytest.mark.parametrize("timeout", [20.0, 21.0, 24.0])
def test_another_job_is_waited_for_until_the_timeout_has_passed(timeout: float) -> None:
    started = start(MODEL_BUSY, timeout=timeout)
    error = started.played.error
    assert isinstance(error, errors.ModelBusy)
    assert len(started.played.pauses) == math.ceil(timeout / BUSY_PAUSE)


def test_a_publish_that_waits_behind_another_job_fails_after_the_timeout() -> None:
    started = start(empty(), timeout=20.0, publishStatus=[MODEL_BUSY], cubes=[cube(PROCESSING)])
    error = started.played.error
    assert isinstance(error, errors.ModelBusy)
    assert str(error) == (
        f"another job is publishing data model {MODEL_NAME}; it did not end within 20 s. "
        "Increase timeout, or let only one task refresh this object."
    )
    assert (started.calls.count("publish"), sum(started.played.pauses)) == (1, 20.0)


@pytest.mark.parametrize("verify_last_update", [True, False])
def test_a_busy_model_whose_cube_cannot_be_read_fails_the_publish_if_when_busy_is_fail(
    verify_last_update: bool,
) -> None:
    started = start(
        empty(),
        when_busy=WhenBusy.FAIL,
        verify_last_update=verify_last_update,
        publishStatus=[MODEL_BUSY],
        cubes=[refusal(403, "ERR014")],
    )
    assert type(started.played.error) is errors.ModelBusy
    assert started.calls.count("publishStatus") == 1


def test_a_busy_model_whose_last_update_is_not_verified_is_left_to_the_poller() -> None:
    started = start(empty(), verify_last_update=False, publishStatus=[MODEL_BUSY])
    assert started.calls == ["publish", "publishStatus"]
    assert started.job.concurrent_refresh
    assert started.job.started_at == started.server.sent_at[0]
    assert started.job.last_update == NO_LAST_UPDATE
    assert started.played.pauses == []


@pytest.mark.parametrize(
    "shows",
    [
        [PROCESSING, IDLE, IDLE],
        [IDLE, IDLE],
        [IDLE, PROCESSING, IDLE, IDLE],
        [IDLE, PROCESSING, IDLE, PROCESSING, IDLE, IDLE],
    ],
)
def test_a_publish_is_sent_again_only_after_the_cube_was_idle_twice_in_a_row(shows: list[int]) -> None:
    """The publish was rejected; the last answer is about the second one."""
    busy = [MODEL_BUSY] * len(shows)
    started = start(
        empty(),
        empty(),
        publishStatus=[*busy, published(5)],
        cubes=[cube(), *[cube(status) for status in shows], cube()],
    )
    assert IDLE_POLLS == 2
    assert started.calls.count("publishStatus") == len(shows) + 1
    assert started.calls.count("publish") == started.calls.count("instances") + 1 == 2
    assert started.played.pauses == [BUSY_PAUSE] * (len(shows) - 1)
    assert started.job.instance.instance_id == "SECOND"
    assert not started.job.concurrent_refresh


def test_a_job_that_ends_while_its_cube_was_idle_once_leaves_the_publish_as_it_is() -> None:
    started = start(empty(), publishStatus=[MODEL_BUSY, published(5)], cubes=[cube(), cube(IDLE)])
    assert started.calls.count("publish") == 1
    assert started.job.concurrent_refresh


def test_a_load_that_runs_before_the_publish_makes_it_concurrent() -> None:
    started = start(empty(), cubes=[cube(PROCESSING)])
    assert started.job.concurrent_refresh
    assert started.played.pauses == []


@dataclass(frozen=True, kw_only=True)
class WaitingSpec(DataModelSpec):
    """A publish that must not be sent while the cube is loaded."""

    needs_idle_cube = True


def test_a_kind_that_waits_while_the_cube_is_processing_is_started_after_that() -> None:
    started = start(empty(), kind=WaitingSpec, cubes=[cube(PROCESSING), cube(PROCESSING), cube()])
    assert started.calls == ["cubes", "cubes", "cubes", "publish", "publishStatus"]
    assert started.played.pauses == [BUSY_PAUSE] * 2
    assert WAITING in started.lines
    assert not started.job.concurrent_refresh


def test_a_kind_that_waits_while_the_cube_is_processing_fails_if_when_busy_is_fail() -> None:
    started = start(empty(), kind=WaitingSpec, when_busy=WhenBusy.FAIL, cubes=[cube(PROCESSING)])
    assert started.calls == ["cubes"]
    assert isinstance(started.played.error, errors.ModelBusy)
    assert started.played.error.what == f"another job is publishing data model {MODEL_NAME}"


def test_the_logout_that_must_stop_a_load_is_retried_for_longer() -> None:
    started = start(empty(503), empty(), publishStatus=[published(0)])
    (logout,) = [request for request in started.played.requests if request.path.endswith("logout")]
    assert logout.retry_for == CLOSE_SECONDS
    assert logout.headers["X-MSTR-AuthToken"] == TOKEN


def test_the_reason_of_a_lost_publish_is_logged_with_the_answer_of_the_server() -> None:
    lines = start(refusal(500, message="out of memory"), publishStatus=[published(6)]).lines
    assert "out of memory" in lines[1]
    lines = start(errors.ServerUnavailable("the connection was reset"), publishStatus=[published(6)]).lines
    assert lines[1] == "the connection was reset"
