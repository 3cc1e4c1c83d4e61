# SPDX-License-Identifier: Apache-2.0
"""Optional facts about the server and a project, on which nothing depends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    GATEWAY_GONE,
    SESSION_OVER,
    TOKEN,
    KilledError,
    Reply,
    a_session,
    answer,
    empty,
    play,
    refusal,
)

from airflow_provider_mstr.rest.endpoints import server as about
from airflow_provider_mstr.rest.endpoints.server import Version
from airflow_provider_mstr.rest.errors import ServerUnavailable

NO_ANSWER: dict[str, Reply] = {
    "401": SESSION_OVER,
    "403": refusal(403, "ERR014"),
    "404": empty(404),
    "502": GATEWAY_GONE,
    "nothing is_enabled": ServerUnavailable("no", nothing_done=True),
    "an empty body": empty(200),
    "a list": answer([1]),
    "another object": answer({"else": 1}),
}

every_lack_of_an_answer = pytest.mark.parametrize("reply", NO_ANSWER.values(), ids=NO_ANSWER)


# Versions


@pytest.mark.parametrize(
    ("version_text", "parts"),
    [
        ("11.5.0800.0250", (11, 5, 800, 250)),
        ("11.3.0300.10924", (11, 3, 300, 10924)),
        (" 11.6 ", (11, 6)),
        ("11", (11,)),
        ("11.5.0800-SNAPSHOT", (11, 5, 800)),
        ("11.5.x", (11, 5)),
    ],
)
def test_a_version_is_parsed_up_to_its_last_number(version_text: str, parts: tuple[int, ...]) -> None:
    version = Version.of(version_text)
    assert version is not None
    assert version.parts == parts
    assert str(version) in version_text


@pytest.mark.parametrize("text", [None, "", "unknown", "v11", "\u0661\u0661", ".5", 11.5, 11, True, [], {}])
def test_what_is_no_version_is_none(text: Any) -> None:
    assert Version.of(text) is None


@given(st.text() | st.from_regex(r"\d+(\.\d+)*"))
def test_any_text_is_a_version_or_none(version_text: str) -> None:
    version = Version.of(version_text)
    assert version is None or version.can_publish is not bool(version.problem)


@pytest.mark.parametrize(
    "version_text", ["11.5.0800.0250", "11.5.0800", "11.5.0900", "11.6.0100", "12.0", "11.5", "11"]
)
def test_a_server_of_that_release_or_a_later_one_can_publish(version_text: str) -> None:
    version = Version.of(version_text)
    assert version is not None
    assert (version.can_publish, version.problem) == (True, "")


@pytest.mark.parametrize("version_text", ["11.5.0799.9999", "11.3.0300.10924", "11.4", "10", "11.5.0"])
def test_an_older_server_cannot_publish_and_the_message_names_the_first_release(version_text: str) -> None:
    version = Version.of(version_text)
    assert version is not None
    assert not version.can_publish
    for word in (version_text, "11.5.0800", "Strategy ONE (August 2025)"):
        assert word in version.problem


# Asking


def test_the_version_is_requested_once_with_a_short_timeout() -> None:
    played = play(about.server_version(a_session()), answer({"iServerVersion": "11.5.0800.0250"}))
    (request,) = played.requests
    assert str(played.result) == "11.5.0800.0250"
    assert (request.method, request.path) == ("GET", "/api/status")
    assert (request.purpose, request.retry_for, request.timeout) == ("read the version", 0.0, 0.0)
    assert request.headers == {"X-MSTR-AuthToken": TOKEN}
    assert request.secrets == {TOKEN}


def test_a_cookie_of_the_answer_is_stored() -> None:
    session = a_session(ingress="one")
    play(about.server_version(session), answer({}, Set_Cookie="ingress=two; Path=/MicroStrategyLibrary"))
    assert [cookie.value for cookie in session.cookies] == ["two"]


@every_lack_of_an_answer
def test_what_a_server_does_not_tell_is_none(reply: Reply) -> None:
    assert play(about.server_version(a_session()), reply).result is None


def test_a_kill_is_no_lack_of_an_answer() -> None:
    assert isinstance(play(about.server_version(a_session()), KilledError()).error, KilledError)


# Warning


@pytest.mark.parametrize(
    ("version_text", "warnings"), [("11.5.0800.0250", 0), ("11.4.0600.0001", 1), (None, 0)]
)
def test_a_server_that_is_too_old_causes_a_warning(version_text: str | None, warnings: int) -> None:
    warned: list[str] = []
    play(about.warn_of_version(a_session(), warned.append), answer({"iServerVersion": version_text}))
    assert len(warned) == warnings
    assert all("11.4.0600.0001" in words and "August 2025" in words for words in warned)


@every_lack_of_an_answer
def test_there_is_no_warning_of_what_is_not_known(reply: Reply) -> None:
    warned: list[str] = []
    assert play(about.warn_of_version(a_session(), warned.append), reply).error is None
    assert warned == []
