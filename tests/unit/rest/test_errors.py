# SPDX-License-Identifier: Apache-2.0
"""The texts of errors, and their JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.codes import ISERVER_CODES
from airflow_provider_mstr.rest.errors import MstrError, ServerReply

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MstrError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_json(kind: type[MstrError]) -> None:
    error = kind("it broke", ServerReply(500, "ERR001", -7, "no", "T1", 3.5))
    again = MstrError.from_json(json.loads(json.dumps(error.to_json())))
    assert type(again) is kind
    assert (again.what, again.reply, str(again)) == (error.what, error.reply, str(error))


def test_a_message_that_ends_as_a_sentence_gets_no_second_end() -> None:
    reply = errors.ServerReply(message="(The engine stalled.)")
    assert str(errors.PublishFailed("it failed", reply, advice="Fix it.")) == (
        "it failed. Server message: (The engine stalled.) Fix it."
    )


@pytest.mark.parametrize("nothing_done", [True, False])
def test_an_unavailable_server_keeps_its_class_in_json(nothing_done: bool) -> None:
    error = errors.ServerUnavailable("away", nothing_done=nothing_done)
    assert type(MstrError.from_json(error.to_json())) is errors.ServerUnavailable


@pytest.mark.parametrize(
    "data",
    [{}, {"error": "Nonsense"}, {"error": None, "what": None, "reply": None}, {"error": [], "reply": "text"}],
)
def test_an_unknown_error_becomes_an_invalid_response(data: dict[str, Any]) -> None:
    error = MstrError.from_json(data)
    assert type(error) is errors.InvalidResponse
    assert error.what == "an error without a message"
    assert error.reply == ServerReply()


def test_a_newer_reply_is_read_without_the_part_that_is_not_known() -> None:
    error = MstrError.from_json(
        {"error": "ModelBusy", "what": "busy", "reply": {"status": 500, "planet": "Mars"}}
    )
    assert error.reply == ServerReply(status=500)


def test_an_error_keeps_its_own_attributes_on_the_way_through_json() -> None:
    error = errors.PublishTimedOut("late")
    error.advice, error.retryable, error.may_answer_later = "Wait.", False, True
    again = MstrError.from_json(json.loads(json.dumps(error.to_json())))
    assert (again.advice, again.retryable, again.may_answer_later) == ("Wait.", False, True)


def test_only_an_error_that_says_so_is_sure_that_nothing_was_done_or_that_the_response_is_too_large() -> None:
    assert not errors.ServerUnavailable("away").nothing_done
    assert not errors.InvalidResponse("odd").too_large


def test_an_attribute_of_another_type_is_not_read() -> None:
    data = {"error": "ModelBusy", "advice": 7, "retryable": "no", "may_answer_later": None}
    error = MstrError.from_json(data)
    assert (error.advice, error.retryable, error.may_answer_later) == (errors.ModelBusy.advice, True, False)


def test_an_error_has_its_cause_the_servers_report_and_advice() -> None:
    error = errors.ModelBusy("could not publish", ServerReply(500, "ERR001", -2147072194, "in use", "T1"))
    assert str(error) == (
        f"could not publish. Server message: in use. {errors.ModelBusy.advice.rstrip('.')} "
        "(HTTP 500, code ERR001, iServerCode -2147072194, ticket T1)"
    )
    assert error.problem == (
        "could not publish. Server message: in use "
        "(HTTP 500, code ERR001, iServerCode -2147072194, ticket T1)"
    )


def test_an_error_without_reply_and_advice_has_only_its_cause() -> None:
    assert str(MstrError("it broke")) == "it broke"
    assert str(errors.InvalidInput("no table")) == "no table"
    assert str(ServerReply()) == ""
    assert str(MstrError("it broke", ServerReply(message="why"))) == "it broke. Server message: why"
    assert str(ServerReply(500, about="data model M")) == "data model M, HTTP 500"


CODE_OR_TICKET = re.compile(r"\b(code|iServerCode|ticket|HTTP)\b")


@pytest.mark.parametrize(
    "text",
    [
        *(kind("it broke") for kind in KINDS),
        *(known.advice for known in ISERVER_CODES.values()),
        *(known.message for known in ISERVER_CODES.values()),
    ],
    ids=str,
)
def test_no_text_mentions_a_code_or_ticket_without_a_reply(text: object) -> None:
    assert CODE_OR_TICKET.search(str(text)) is None


def test_a_sentence_ends_with_one_full_stop_before_the_next() -> None:
    error = errors.RequestFailed("it broke.", ServerReply(message="Out of memory."))
    assert str(error) == "it broke. Server message: Out of memory. " + errors.RequestFailed.advice


def test_an_error_can_have_advice_of_its_own() -> None:
    assert str(errors.NotFound("no table", advice="Correct it.")) == "no table. Correct it."
    assert str(errors.ServerUnavailable("away", advice="Wait.")) == "away. Wait."
    assert str(errors.InvalidResponse("odd", advice="Update.")) == "odd. Update."
    again = MstrError.from_json(errors.NotFound("no table", advice="Correct it.").to_json())
    assert again.advice == "Correct it."
    assert errors.NotFound("no table").advice == errors.NotFound.advice != ""


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        (errors.InvalidInput, False),
        (errors.CertificateError, False),
        (errors.ProxyError, False),
        (errors.AuthenticationError, False),
        (errors.NotPublishable, False),
        (errors.NotFound, False),
        (errors.NoPrivilege, False),
        (errors.InvalidRequest, False),
        (errors.InvalidHandle, False),
        (errors.SessionExpired, True),
        (errors.SessionLimit, True),
        (errors.InstanceExpired, True),
        (errors.ModelBusy, True),
        (errors.RequestFailed, True),
        (errors.ServerUnavailable, True),
    ],
)
def test_only_temporary_errors_are_retryable(kind: type[MstrError], retryable: bool) -> None:
    assert kind.retryable is retryable


def test_every_error_but_those_with_advice_in_their_text_advises() -> None:
    without = {MstrError, errors.InvalidInput, errors.CertificateError}
    assert {kind for kind in KINDS if not kind.advice} == without


def test_the_repr_of_an_error_has_its_class_and_what_failed() -> None:
    assert repr(errors.NotFound("no such model")) == "NotFound('no such model')"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("is it full?", "it failed. Server message: is it full? Fix it."),
        ("no index X.", "it failed. Server message: no index X. Fix it."),
    ],
)
def test_a_message_keeps_its_end(message: str, text: str) -> None:
    assert str(errors.PublishFailed("it failed", ServerReply(message=message), advice="Fix it.")) == text


def test_the_codes_follow_the_whole_advice() -> None:
    error = errors.PublishFailed("it failed", ServerReply(404), advice="Fix index X.")
    assert str(error) == "it failed. Fix index X (HTTP 404)"


def test_an_invalid_response_has_the_advice_of_its_class() -> None:
    assert errors.InvalidResponse("it failed").advice == errors.InvalidResponse.advice
