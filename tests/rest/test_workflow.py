# SPDX-License-Identifier: Apache-2.0
"""The parts of a refresh: how each recovers, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from scripted import (
    CITY,
    GATEWAY_GONE,
    INSTANCE,
    INSTANCE_LOST,
    MODEL,
    MODEL_BUSY,
    PROJECT,
    PUBLISH_FAILED,
    PUBLISHED,
    SESSION_OVER,
    SESSIONS_FULL,
    TOKEN,
    YTD_DAY,
    KilledError,
    Played,
    Reply,
    an_instance,
    answer,
    created,
    empty,
    logged_in,
    play,
    published,
    refusal,
    table_list,
    table_row,
)

from airflow_provider_mstr.rest import errors, workflow
from airflow_provider_mstr.rest.evidence import Baseline
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Procedure, Request, Response
from airflow_provider_mstr.rest.publication import PublishStatus, State
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.tables import RefreshPolicy, TableChoice, TableRefresh
from airflow_provider_mstr.rest.workflow import (
    CLEANUP_PATIENCE,
    CONFIRMATIONS,
    CONFIRMING_PAUSE,
    LOST_ANSWER_LOOKS,
    Proof,
)

WHO = Credentials(login="administrator", password="correct horse")
BOTH = (YTD_DAY, CITY)
HTML = Response(200, (("Content-Type", "text/html"),), b"<html>maintenance</html>")

LOGIN = "POST /api/auth/login"
VERSION = "GET /api/status"
PROJECTS = "GET /api/projects"
CREATE = f"POST /api/dataModels/{MODEL}/instances"
LIST = f"GET /api/model/dataModels/{MODEL}/tables"
PUBLISH = f"POST /api/dataModels/{MODEL}/publish"
STATUS = f"GET /api/dataModels/{MODEL}/publishStatus"
DELETE = f"DELETE /api/dataModels/{MODEL}/instances/{INSTANCE}"
DELETE_SPARE = f"DELETE /api/dataModels/{MODEL}/instances/SPARE"
LOGOUT = "POST /api/auth/logout"
CUBE = "GET /api/cubes"


def instance_of(request: Request[Any]) -> str:
    return request.headers["X-MSTR-DataModelInstanceId"]


# open_instance


def opening(
    project: str = PROJECT, logged_in: Callable[[Session], object] = repr
) -> Procedure[DataModelInstance]:
    return workflow.open_instance(WHO, project, MODEL, logged_in)


def test_an_instance_is_opened_in_one_new_session() -> None:
    played = play(
        opening(),
        logged_in(Set_Cookie="JSESSIONID=j"),
        created(),
    )
    assert played.calls == [LOGIN, CREATE]
    assert (played.result.project_id, played.result.data_model_id) == (PROJECT, MODEL)
    assert played.result.instance_id == INSTANCE
    assert played.result.session.token == TOKEN
    assert [(cookie.name, cookie.value) for cookie in played.result.session.cookies] == [("JSESSIONID", "j")]


def test_a_project_may_be_named() -> None:
    projects = answer([{"id": PROJECT, "name": "Tutorial"}])
    played = play(opening("Tutorial"), logged_in(), projects, created())
    assert played.calls == [LOGIN, PROJECTS, CREATE]
    assert played.result.project_id == PROJECT


def test_a_data_model_may_be_named_and_its_id_is_told_before_anything_is_made_of_it() -> None:
    shown: list[str] = []
    retail = {"id": MODEL, "name": "Retail", "subtype": 779, "extType": 448}
    found = answer({"totalItems": 1, "result": [retail]})
    played = play(
        workflow.open_instance(WHO, PROJECT, "Retail", repr, found=shown.append),
        logged_in(),
        found,
        KilledError(),
        empty(),
    )
    assert played.calls == [LOGIN, "GET /api/searches/results", CREATE, LOGOUT]
    assert shown == [MODEL]


def test_the_version_is_asked_for_before_anything_depends_on_it() -> None:
    warned: list[str] = []
    opening = workflow.open_instance(WHO, "Tutorial", MODEL, repr, warn=warned.append)
    old = answer({"iServerVersion": "11.4.0600.0001"})
    played = play(opening, logged_in(), old, answer([{"id": PROJECT, "name": "Tutorial"}]), created())
    assert played.calls == [LOGIN, VERSION, PROJECTS, CREATE]
    assert played.result.instance_id == INSTANCE
    assert len(warned) == 1


def test_no_session_is_left_by_a_kill_while_the_version_is_asked_for() -> None:
    opening = workflow.open_instance(WHO, PROJECT, MODEL, repr, warn=repr)
    played = play(opening, logged_in(), KilledError(), empty())
    assert played.calls == [LOGIN, VERSION, LOGOUT]
    assert isinstance(played.error, KilledError)


@pytest.mark.parametrize(
    "reply",
    [
        SESSIONS_FULL,
        MODEL_BUSY,
        GATEWAY_GONE,
        HTML,
        refusal(404, "ERR004"),
        errors.CertificateRefused("no"),
        KilledError(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_no_session_is_left_where_creating_the_instance_fails(reply: Reply) -> None:
    played = play(opening(), logged_in(), reply, empty())
    assert played.calls == [LOGIN, CREATE, LOGOUT]
    assert played.error is not None
    if isinstance(reply, BaseException):
        assert played.error is reply
    assert played.requests[-1].headers["X-MSTR-AuthToken"] == TOKEN
    assert played.requests[-1].patience == CLEANUP_PATIENCE


def test_the_session_is_shown_before_anything_is_done_with_it() -> None:
    shown: list[Session] = []
    played = play(opening(logged_in=shown.append), logged_in(), KilledError(), empty())
    assert [session.token for session in shown] == [TOKEN]
    assert played.calls == [LOGIN, CREATE, LOGOUT]


def test_no_session_is_left_where_showing_it_fails() -> None:
    def refused(session: Session) -> None:
        raise errors.InvalidInput("no")

    played = play(opening(logged_in=refused), logged_in(), empty())
    assert played.calls == [LOGIN, LOGOUT]
    assert isinstance(played.error, errors.InvalidInput)


def test_no_session_is_left_where_the_project_is_unknown() -> None:
    played = play(opening("Nowhere"), logged_in(), answer([]), empty())
    assert played.calls == [LOGIN, PROJECTS, LOGOUT]
    assert type(played.error) is errors.NotFound


@pytest.mark.parametrize("goodbye", [GATEWAY_GONE, SESSION_OVER, refusal(500), HTML])
def test_a_logout_that_fails_does_not_hide_why_the_instance_could_not_be_made(goodbye: Response) -> None:
    played = play(opening(), logged_in(), SESSIONS_FULL, goodbye)
    assert type(played.error) is errors.SessionLimit


def test_a_failed_login_leaves_nothing_to_log_out_of() -> None:
    played = play(opening(), refusal(401, "ERR003"))
    assert played.calls == [LOGIN]
    assert type(played.error) is errors.AuthenticationRefused


# resolve_tables


def test_names_are_looked_up_in_the_model() -> None:
    choice = TableChoice.of({"ytd_day": "add"}, "replace")
    played = play(workflow.resolve_tables(an_instance(), choice), table_list(table_row(YTD_DAY, "ytd_day")))
    assert played.calls == [LIST]
    assert played.result == (TableRefresh(YTD_DAY, "ytd_day", RefreshPolicy.ADD),)


def test_ids_are_not_looked_up() -> None:
    played = play(workflow.resolve_tables(an_instance(), TableChoice.of([CITY], "replace")))
    assert played.result == (TableRefresh(CITY, CITY, RefreshPolicy.REPLACE),)


def test_an_unknown_table_names_the_model() -> None:
    played = play(
        workflow.resolve_tables(an_instance(), TableChoice.of(["x"], "add")), table_list(table_row("1", "y"))
    )
    assert type(played.error) is errors.NotFound
    assert f"data model {MODEL}" in played.error.what


# publish_once


def cube(status: int, updated: str = "01/02/2026 03:04:05") -> Response:
    return answer({"cubesInfos": [{"status": status, "lastUpdateTime": updated}]})


BEFORE = Baseline(readable=True, updated=datetime(2026, 1, 2, 3, 4, 5))
EARLIER = Baseline(readable=True, updated=datetime(2026, 1, 2, 3, 4, 4))
SHOWS_NO_LOAD = cube(2)


def publish(*replies: Reply, baseline: Baseline | None = None) -> Played:
    return play(workflow.publish_once(an_instance(), PUBLISHED, baseline), *replies)


def test_a_publish_that_is_accepted_is_sent_once() -> None:
    played = publish(empty())
    assert played.calls == [PUBLISH]
    assert played.result == an_instance()


def test_a_reaped_instance_is_replaced_in_the_same_session_and_published_with_once() -> None:
    played = publish(INSTANCE_LOST, created("SECOND"), empty())
    assert played.calls == [PUBLISH, CREATE, PUBLISH]
    assert [instance_of(played.requests[at]) for at in (0, 2)] == [INSTANCE, "SECOND"]
    assert played.result.instance_id == "SECOND"
    assert played.requests[0].body == played.requests[2].body


def test_a_second_instance_that_is_lost_too_is_an_error() -> None:
    played = publish(INSTANCE_LOST, created("SECOND"), INSTANCE_LOST)
    assert played.calls == [PUBLISH, CREATE, PUBLISH]
    assert type(played.error) is errors.InstanceLost


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (MODEL_BUSY, errors.ModelBusy),
        (SESSION_OVER, errors.SessionLost),
        (refusal(400, "ERR006", message="no publish workflow"), errors.NotPublishable),
        (refusal(500, "ERR002", -1), errors.RequestFailed),
        (refusal(403, "ERR014"), errors.NoPrivilege),
        (empty(429), errors.ServerUnavailable),
        (errors.ServerUnavailable("no connection", nothing_done=True), errors.ServerUnavailable),
        (KilledError(), KilledError),
    ],
)
def test_a_publish_that_was_refused_is_not_sent_again(reply: Reply, kind: type[BaseException]) -> None:
    played = publish(reply)
    assert played.calls == [PUBLISH]
    assert type(played.error) is kind


LOST = [GATEWAY_GONE, empty(503), HTML, errors.ServerUnavailable("the connection broke"), refusal(500)]


def lasting(reply: Response) -> list[Response]:
    """Return how often publishStatus must say so to be believed: a refusal may pass."""
    return [reply] * (CONFIRMATIONS if reply.status >= 400 else 1)


def not_begun(reply: Response) -> list[Response]:
    """Return what a server answers which refuses to tell of an instance that was never published."""
    looks = lasting(reply)
    return [*looks, created("SPARE"), *looks, empty(), *looks * LOST_ANSWER_LOOKS]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    "shows",
    [
        published(6),
        published(4, (YTD_DAY, "reserved")),
        published(1, (YTD_DAY, "completed")),
        published(-2147212544),
        published(0, (YTD_DAY, "reserved")),
        PUBLISH_FAILED,
        MODEL_BUSY,
    ],
)
def test_a_lost_answer_is_taken_for_good_where_the_status_shows_work(lost: Reply, shows: Response) -> None:
    played = publish(lost, *lasting(shows), created("SPARE"), published(0), empty())
    assert played.calls == [PUBLISH, *[STATUS] * len(lasting(shows)), CREATE, STATUS, DELETE_SPARE]
    assert played.result == an_instance()


def test_a_publish_that_was_refused_for_another_job_may_still_come_after_it() -> None:
    played = publish(GATEWAY_GONE, *lasting(MODEL_BUSY), created("SPARE"), *lasting(MODEL_BUSY), empty())
    assert played.calls.count(PUBLISH) == 1
    assert played.result == an_instance()


@pytest.mark.parametrize("blip", [PUBLISH_FAILED, MODEL_BUSY, INSTANCE_LOST, refusal(400)])
def test_a_refusal_that_passes_tells_nothing_of_the_publish(blip: Response) -> None:
    idle = published(1)
    looks = [idle, SHOWS_NO_LOAD] * LOST_ANSWER_LOOKS
    begun = [blip, idle, created("SPARE"), blip, blip, idle, empty(), SHOWS_NO_LOAD, *looks]
    played = publish(GATEWAY_GONE, *begun, empty(), created("SECOND"), empty(), baseline=BEFORE)
    assert played.calls.count(PUBLISH) == 2
    assert played.result.instance_id == "SECOND"


@pytest.mark.parametrize("idle", [published(0), published(1), published(1, message="result ready")])
def test_a_publish_that_was_not_taken_is_sent_once_more(idle: Response) -> None:
    looks = [idle, SHOWS_NO_LOAD] * LOST_ANSWER_LOOKS
    again = [empty(), created("SECOND"), empty()]
    played = publish(
        GATEWAY_GONE, idle, created("SPARE"), idle, empty(), SHOWS_NO_LOAD, *looks, *again, baseline=BEFORE
    )
    assert played.calls == [
        PUBLISH,
        STATUS,
        CREATE,
        STATUS,
        DELETE_SPARE,
        CUBE,
        *[STATUS, CUBE] * LOST_ANSWER_LOOKS,
        DELETE,
        CREATE,
        PUBLISH,
    ]
    asked = [instance_of(request) for request in played.requests if request.path.endswith("publishStatus")]
    assert asked == [INSTANCE, "SPARE", *[INSTANCE] * LOST_ANSWER_LOOKS]
    assert played.pauses == [workflow.LOST_ANSWER_PAUSE] * LOST_ANSWER_LOOKS
    assert instance_of(played.requests[-1]) == played.result.instance_id == "SECOND"


@pytest.mark.parametrize(
    ("baseline", "shown"),
    [
        (None, SHOWS_NO_LOAD),
        (Baseline(readable=False), SHOWS_NO_LOAD),
        (Baseline(readable=False), refusal(403, "ERR014")),
        (BEFORE, refusal(404, "ERR004")),
    ],
)
def test_where_nothing_can_tell_the_publish_is_not_sent_again(
    baseline: Baseline | None, shown: Response
) -> None:
    """The rule: publish is sent once. A server whose status tells nothing may have begun it all the same."""
    idle, cubes = published(1), [] if baseline is None else [shown]
    looks = [idle, *cubes] * LOST_ANSWER_LOOKS
    played = publish(GATEWAY_GONE, idle, created("SPARE"), idle, empty(), *cubes, *looks, baseline=baseline)
    assert played.calls.count(PUBLISH) == 1
    assert type(played.error) is errors.OutcomeUnknown


def test_a_publish_whose_instance_cannot_be_deleted_may_still_come_and_is_not_sent_again() -> None:
    played = publish(GATEWAY_GONE, *not_begun(INSTANCE_LOST), GATEWAY_GONE)
    assert played.calls.count(PUBLISH) == 1
    assert played.calls[-1] == DELETE
    assert type(played.error) is errors.ServerUnavailable


@pytest.mark.parametrize("late", range(LOST_ANSWER_LOOKS))
@pytest.mark.parametrize(
    "shows", [published(6), published(0, (YTD_DAY, "reserved")), MODEL_BUSY, PUBLISH_FAILED]
)
def test_work_that_shows_in_any_look_at_all_means_that_the_publish_was_taken(
    late: int, shows: Response
) -> None:
    """The rule: publish is sent once. A look that shows work must not be followed by another publish."""
    idle = published(1)
    replies = [GATEWAY_GONE, idle, created("SPARE"), idle, empty(), *[idle] * late, *lasting(shows)]
    played = publish(*replies)
    assert played.calls.count(PUBLISH) == 1
    assert played.result == an_instance()


@pytest.mark.parametrize(
    ("ours", "untouched"),
    [
        (published(1), published(0)),
        (published(0), published(1)),
        (published(0), INSTANCE_LOST),
        (published(1), refusal(404, "ERR004")),
        (published(1, message="result ready"), published(1)),
    ],
)
def test_a_status_that_differs_from_the_untouched_instances_is_the_publish(
    ours: Response, untouched: Response
) -> None:
    played = publish(GATEWAY_GONE, ours, created("SPARE"), *lasting(untouched), empty())
    assert played.calls == [PUBLISH, STATUS, CREATE, *[STATUS] * len(lasting(untouched)), DELETE_SPARE]
    assert played.result == an_instance()


@pytest.mark.parametrize("nothing", [INSTANCE_LOST, refusal(404, "ERR004"), refusal(400, "ERR001")])
def test_where_neither_instance_has_a_status_the_publish_was_not_taken(nothing: Response) -> None:
    played = publish(GATEWAY_GONE, *not_begun(nothing), empty(), created("SECOND"), empty())
    assert played.calls[-4:] == [STATUS, DELETE, CREATE, PUBLISH]
    assert played.result.instance_id == "SECOND"


def test_an_error_that_the_server_answers_of_any_instance_tells_nothing() -> None:
    played = publish(GATEWAY_GONE, *not_begun(PUBLISH_FAILED))
    assert played.calls.count(PUBLISH) == 1
    assert type(played.error) is errors.OutcomeUnknown


def test_a_publish_that_begins_late_is_seen_while_the_server_is_asked_again() -> None:
    looks = lasting(INSTANCE_LOST)
    asked = [*looks, created("SPARE"), *looks, empty(), *looks, published(6)]
    played = publish(errors.ServerUnavailable("no answer came in time"), *asked)
    assert played.calls.count(PUBLISH) == 1
    assert played.result == an_instance()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSION_OVER, errors.SessionLost),
        (GATEWAY_GONE, errors.ServerUnavailable),
        (HTML, errors.NotUnderstood),
        (refusal(403, "ERR014"), errors.NoPrivilege),
        (KilledError(), KilledError),
    ],
)
def test_where_nobody_can_be_asked_the_publish_is_not_sent_again(
    reply: Reply, kind: type[BaseException]
) -> None:
    played = publish(GATEWAY_GONE, reply)
    assert played.calls == [PUBLISH, STATUS]
    assert type(played.error) is kind


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSION_OVER, errors.SessionLost),
        (GATEWAY_GONE, errors.ServerUnavailable),
        (KilledError(), KilledError),
    ],
)
def test_the_untouched_instance_is_deleted_whatever_happens(reply: Reply, kind: type[BaseException]) -> None:
    played = publish(GATEWAY_GONE, published(1), created("SPARE"), reply, INSTANCE_LOST)
    assert played.calls == [PUBLISH, STATUS, CREATE, STATUS, DELETE_SPARE]
    assert type(played.error) is kind
    assert played.requests[-1].patience == CLEANUP_PATIENCE


def test_an_untouched_instance_that_cannot_be_deleted_is_left_to_the_session() -> None:
    played = publish(GATEWAY_GONE, published(1), created("SPARE"), published(0), refusal(500))
    assert played.result == an_instance()


@pytest.mark.parametrize("again", LOST)
def test_a_publish_whose_answer_is_lost_twice_is_not_sent_a_third_time(again: Reply) -> None:
    reaped, nothing = [INSTANCE_LOST, created("SECOND")], not_begun(INSTANCE_LOST)
    played = publish(GATEWAY_GONE, *nothing, *reaped, again, *nothing)
    assert played.calls.count(PUBLISH) == 2
    assert isinstance(played.error, errors.ServerUnavailable | errors.NotUnderstood)


def test_a_publish_that_the_cube_shows_not_to_be_taken_twice_is_not_sent_a_third_time() -> None:
    idle = published(0)
    nothing = [idle, created("SPARE"), idle, empty(), *[SHOWS_NO_LOAD, idle] * LOST_ANSWER_LOOKS]
    nothing.append(SHOWS_NO_LOAD)
    again = [empty(), created("SECOND"), GATEWAY_GONE]
    played = publish(GATEWAY_GONE, *nothing, *again, *nothing, baseline=BEFORE)
    assert played.calls.count(PUBLISH) == 2
    assert type(played.error) is errors.ServerUnavailable


def test_a_publish_whose_answer_is_lost_again_is_asked_about_again() -> None:
    reaped, taken = (
        [INSTANCE_LOST, created("SECOND")],
        [published(6), created("SPARE"), published(0), empty()],
    )
    played = publish(GATEWAY_GONE, *not_begun(INSTANCE_LOST), *reaped, GATEWAY_GONE, *taken)
    assert played.calls.count(PUBLISH) == 2
    assert played.result.instance_id == "SECOND"


def test_an_instance_reaped_before_the_lost_answer_is_replaced_before_publishing_again() -> None:
    played = publish(GATEWAY_GONE, *not_begun(INSTANCE_LOST), INSTANCE_LOST, created("SECOND"), empty())
    assert played.calls[-3:] == [DELETE, CREATE, PUBLISH]
    assert played.result.instance_id == "SECOND"


def test_a_lost_answer_after_a_reaped_instance_is_asked_about_in_the_new_one() -> None:
    asked = [published(6), created("SPARE"), published(0), empty()]
    played = publish(INSTANCE_LOST, created("SECOND"), GATEWAY_GONE, *asked)
    assert played.calls == [PUBLISH, CREATE, PUBLISH, STATUS, CREATE, STATUS, DELETE_SPARE]
    assert instance_of(played.requests[3]) == "SECOND"
    assert played.result.instance_id == "SECOND"


# look


def look(*replies: Reply, **more: Any) -> Played:
    return play(workflow.look(an_instance(), BOTH, **more), *replies)


def test_a_running_publish_is_looked_at_once() -> None:
    played = look(published(6))
    assert played.result == workflow.Look(State.RUNNING, PublishStatus(6))
    assert played.pauses == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_proven_finish_needs_no_second_look(number: int) -> None:
    played = look(published(number, (YTD_DAY, "completed"), (CITY, "loaded")))
    assert (played.result.state, played.result.proof) == (State.FINISHED, Proof.TABLES)
    assert len(played.requests) == 1


def test_a_finish_without_proof_is_seen_three_times_before_it_is_one() -> None:
    played = look(published(1), published(1), published(1))
    assert (played.result.state, played.result.proof) == (State.FINISHED, Proof.NONE)
    assert played.pauses == [CONFIRMING_PAUSE, CONFIRMING_PAUSE]
    assert CONFIRMING_PAUSE > 0


@pytest.mark.parametrize("shown", [cube(2), refusal(403, "ERR014")])
def test_a_finish_without_proof_counts_though_the_cube_cannot_be_compared(shown: Response) -> None:
    played = look(*[published(1), shown] * CONFIRMATIONS, baseline=Baseline(readable=False))
    assert (played.result.state, played.result.proof) == (State.FINISHED, Proof.NONE)


@pytest.mark.parametrize(
    ("shown", "state", "proof"),
    [
        (cube(2), State.FINISHED, Proof.CUBE),
        (cube(1, "01/02/2026 03:04:04"), State.RUNNING, Proof.NONE),
        (cube(2, "01/02/2026 03:04:04"), State.RUNNING, Proof.NONE),
    ],
    ids=["loaded since", "loading", "as before"],
)
def test_a_finish_without_proof_is_what_the_cube_shows(shown: Response, state: State, proof: Proof) -> None:
    played = look(published(1), shown, baseline=EARLIER)
    assert (played.result.state, played.result.proof) == (state, proof)
    assert played.result.doubted is (state is State.RUNNING)


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize(
    ("then", "state"),
    [
        (published(0), State.RUNNING),
        (published(1, (YTD_DAY, "reserved")), State.RUNNING),
        (published(-7), State.FAILED),
        (published(1, (YTD_DAY, "completed"), (CITY, "completed")), State.FINISHED),
        (MODEL_BUSY, State.RUNNING),
    ],
)
def test_a_finish_without_proof_gives_way_to_whatever_comes_after_it(
    before: int, then: Response, state: State
) -> None:
    played = look(*[published(1)] * before, then)
    assert (played.result.state, played.result.proof) == (state, Proof.TABLES)


def test_a_model_that_another_job_publishes_is_running() -> None:
    assert look(MODEL_BUSY).result == workflow.Look(State.RUNNING, None, busy=True)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (INSTANCE_LOST, errors.InstanceLost),
        (SESSION_OVER, errors.SessionLost),
        (GATEWAY_GONE, errors.ServerUnavailable),
        (HTML, errors.NotUnderstood),
    ],
)
def test_a_look_that_shows_nothing_says_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(look(reply).error) is kind


def test_a_failure_that_comes_as_an_error_of_the_server_counts_once_it_was_seen_often_enough() -> None:
    played = look(*[PUBLISH_FAILED] * CONFIRMATIONS)
    assert type(played.error) is errors.PublishFailed
    assert played.pauses == [CONFIRMING_PAUSE] * (CONFIRMATIONS - 1)


def test_an_error_of_the_server_is_no_failure_while_the_cube_shows_the_load() -> None:
    played = look(*[PUBLISH_FAILED] * CONFIRMATIONS, cube(1), baseline=BEFORE)
    assert played.result == workflow.Look(State.RUNNING, None)


def test_an_error_of_the_server_about_a_model_that_was_loaded_leaves_the_outcome_unknown() -> None:
    played = look(*[PUBLISH_FAILED] * CONFIRMATIONS, cube(2), baseline=EARLIER)
    assert type(played.error) is errors.OutcomeUnknown
    assert "updated since" in str(played.error)


@pytest.mark.parametrize("shown", [cube(2, "01/02/2026 03:04:04"), refusal(403, "ERR014")])
def test_an_error_of_the_server_that_nothing_speaks_against_is_the_failure(shown: Response) -> None:
    played = look(*[PUBLISH_FAILED] * CONFIRMATIONS, shown, baseline=EARLIER)
    assert type(played.error) is errors.PublishFailed


def test_an_error_of_the_server_that_passes_is_no_failure_of_the_publish() -> None:
    assert look(PUBLISH_FAILED, PUBLISH_FAILED, published(6)).result.state is State.RUNNING


@pytest.mark.parametrize("patience", [None, 7.0])
def test_every_look_has_the_patience_it_was_given(patience: float | None) -> None:
    played = look(published(1), published(1), published(1), patience=patience)
    assert [request.patience for request in played.requests] == [patience] * 3


# is_busy


@pytest.mark.parametrize(
    ("reply", "busy"),
    [
        (MODEL_BUSY, True),
        (published(6), False),
        (INSTANCE_LOST, False),
        (GATEWAY_GONE, False),
    ],
)
def test_a_model_is_busy_where_its_status_is_refused_for_another_job(reply: Response, busy: bool) -> None:
    played = play(workflow.is_busy(an_instance()), reply)
    assert played.result is busy
    assert [request.patience for request in played.requests] == [workflow.BUSY_PATIENCE]


# gave_way


RUNNING = UNTOUCHED = published(0)


@pytest.mark.parametrize(
    ("seen", "then", "gave_way"),
    [
        pytest.param(UNTOUCHED, [cube(2), *[UNTOUCHED, cube(2)] * LOST_ANSWER_LOOKS], True, id="idle"),
        pytest.param(UNTOUCHED, [cube(1)], False, id="the cube is being loaded"),
        pytest.param(UNTOUCHED, [cube(2, "01/02/2026 03:06:00")], False, id="the cube was loaded"),
        pytest.param(published(6), [], False, id="unlike an untouched one"),
    ],
)
def test_a_publish_gave_way_to_another_job_where_nothing_of_it_is_seen_any_more(
    seen: Response, then: list[Response], gave_way: bool
) -> None:
    replies = [cube(2), seen, seen, created("SPARE"), UNTOUCHED, empty(), *then]
    assert play(workflow.gave_way(an_instance(), BOTH), *replies).result is gave_way


@pytest.mark.parametrize(
    "replies",
    [
        [cube(2), *[published(1)] * CONFIRMATIONS],
        [cube(2), published(1, (YTD_DAY, "completed"), (CITY, "completed"))],
        [cube(2), MODEL_BUSY],
        [refusal(403, "ERR014"), RUNNING],
        [SESSION_OVER],
        [cube(2), INSTANCE_LOST],
        [cube(2), *[PUBLISH_FAILED] * CONFIRMATIONS],
    ],
)
def test_what_else_became_of_a_publish_that_met_another_job_is_for_the_watch(replies: list[Response]) -> None:
    assert play(workflow.gave_way(an_instance(), BOTH), *replies).result is False


# close


def test_closing_deletes_the_instance_and_then_the_session() -> None:
    played = play(workflow.close(an_instance()), empty(), empty())
    assert played.calls == [DELETE, LOGOUT]
    assert played.result is None
    assert [request.patience for request in played.requests] == [CLEANUP_PATIENCE] * 2
    assert "X-MSTR-ProjectID" not in played.requests[1].headers


def test_closing_a_session_without_an_instance_logs_out() -> None:
    played = play(workflow.close(an_instance(instance_id="")), empty())
    assert played.calls == [LOGOUT]
    assert played.result is None


@pytest.mark.parametrize("instance", [empty(), INSTANCE_LOST, refusal(404, "ERR004")])
@pytest.mark.parametrize("session", [empty(), SESSION_OVER, empty(401)])
def test_what_is_gone_already_is_as_good_as_closed(instance: Response, session: Response) -> None:
    played = play(workflow.close(an_instance()), instance, session)
    assert played.calls == [DELETE, LOGOUT]
    assert played.result is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSION_OVER, errors.SessionLost),
        (GATEWAY_GONE, errors.ServerUnavailable),
        (refusal(500, iserver_code=-1), errors.RequestFailed),
        (HTML, errors.NotUnderstood),
    ],
)
def test_an_instance_that_cannot_be_deleted_goes_with_its_session(
    reply: Response, kind: type[errors.MstrError]
) -> None:
    played = play(workflow.close(an_instance()), reply, empty())
    assert played.calls == [DELETE, LOGOUT]
    assert type(played.result) is kind


@pytest.mark.parametrize("replies", [[GATEWAY_GONE], [refusal(500, iserver_code=-1)] * 2, [HTML]])
def test_a_session_that_may_still_be_open_is_an_error(replies: list[Response]) -> None:
    assert isinstance(play(workflow.close(an_instance()), empty(), *replies).error, errors.MstrError)


def test_a_logout_that_the_server_fails_at_is_tried_once_more() -> None:
    played = play(workflow.close(an_instance()), empty(), refusal(500, iserver_code=-1), empty())
    assert played.calls == [DELETE, LOGOUT, LOGOUT]
    assert played.error is None


def test_a_kill_while_the_instance_is_deleted_still_closes_the_session() -> None:
    """The rule: a session is closed on every path, a kill among them."""
    killed = KilledError()
    played = play(workflow.close(an_instance()), killed, empty())
    assert played.calls == [DELETE, LOGOUT]
    assert played.error is killed
