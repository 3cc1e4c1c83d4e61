# SPDX-License-Identifier: Apache-2.0
"""What an error tells, and how it travels from the triggerer to a worker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.errors import MstrError, ServerReply

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MstrError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_through_json(kind: type[MstrError]) -> None:
    error = kind("it broke", ServerReply(500, "ERR001", -7, "said", "T1", 3.5))
    again = MstrError.from_json(json.loads(json.dumps(error.to_json())))
    assert type(again) is kind
    assert (again.what, again.reply, str(again)) == (error.what, error.reply, str(error))


@pytest.mark.parametrize("nothing_done", [True, False])
def test_a_travelled_server_away_still_knows_its_kind(nothing_done: bool) -> None:
    error = errors.ServerUnavailable("away", nothing_done=nothing_done)
    assert type(MstrError.from_json(error.to_json())) is errors.ServerUnavailable


@pytest.mark.parametrize(
    "data",
    [{}, {"error": "Nonsense"}, {"error": None, "what": None, "reply": None}, {"error": [], "reply": "text"}],
)
def test_an_error_that_cannot_be_made_out_is_not_understood(data: dict[str, Any]) -> None:
    error = MstrError.from_json(data)
    assert type(error) is errors.NotUnderstood
    assert error.what == "an error without a text"
    assert error.reply == ServerReply()


def test_a_newer_reply_is_read_without_the_part_that_is_not_known() -> None:
    error = MstrError.from_json(
        {"error": "ModelBusy", "what": "busy", "reply": {"status": 500, "planet": "Mars"}}
    )
    assert error.reply == ServerReply(status=500)


def test_an_error_tells_what_happened_what_the_server_said_and_what_to_do() -> None:
    error = errors.ModelBusy("could not publish", ServerReply(500, "ERR001", -2147072194, "in use", "T1"))
    assert str(error) == (
        "could not publish (the server said: in use; "
        "HTTP 500, code ERR001, iServerCode -2147072194, ticket T1). " + errors.ModelBusy.advice
    )


def test_an_error_without_a_reply_or_advice_tells_just_what_happened() -> None:
    assert str(MstrError("it broke")) == "it broke"
    assert str(errors.InvalidInput("no table")) == "no table"
    assert str(ServerReply()) == ""
    assert str(ServerReply(message="why")) == "the server said: why"


@pytest.mark.parametrize(
    ("kind", "mended"),
    [
        (errors.InvalidInput, False),
        (errors.CertificateRefused, False),
        (errors.ProxyError, False),
        (errors.AuthenticationRefused, False),
        (errors.NotPublishable, False),
        (errors.NotFound, False),
        (errors.NoPrivilege, False),
        (errors.InvalidRequest, False),
        (errors.HandleRefused, False),
        (errors.SessionLost, True),
        (errors.SessionLimit, True),
        (errors.InstanceLost, True),
        (errors.ModelBusy, True),
        (errors.RequestFailed, True),
        (errors.ServerUnavailable, True),
    ],
)
def test_only_what_time_can_mend_is_left_to_retries(kind: type[MstrError], mended: bool) -> None:
    assert kind.mended_by_time is mended


def test_every_error_but_those_with_advice_in_their_text_advises() -> None:
    without = {MstrError, errors.InvalidInput, errors.CertificateRefused}
    assert {kind for kind in KINDS if not kind.advice} == without
