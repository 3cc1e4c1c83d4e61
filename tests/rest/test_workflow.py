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


# look


def cube(status: int, updated: str = "01/02/2026 03:04:05") -> Response:
    return answer({"cubesInfos": [{"status": status, "lastUpdateTime": updated}]})


BEFORE = Baseline(readable=True, updated=datetime(2026, 1, 2, 3, 4, 5))
EARLIER = Baseline(readable=True, updated=datetime(2026, 1, 2, 3, 4, 4))


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
