# SPDX-License-Identifier: Apache-2.0
"""What a server may tell of itself and of a project, and that nothing depends on it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    GATEWAY_GONE,
    PROJECT,
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

from airflow_provider_mstr.rest import about
from airflow_provider_mstr.rest.about import Version
from airflow_provider_mstr.rest.errors import ServerUnavailable

NO_ANSWER: dict[str, Reply] = {
    "401": SESSION_OVER,
    "403": refusal(403, "ERR014"),
    "404": empty(404),
    "502": GATEWAY_GONE,
    "nothing listens": ServerUnavailable("no", nothing_done=True),
    "an empty body": empty(200),
    "a list": answer([1]),
    "another object": answer({"else": 1}),
}

every_lack_of_an_answer = pytest.mark.parametrize("reply", NO_ANSWER.values(), ids=NO_ANSWER)


# Versions


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        ("11.5.0800.0250", (11, 5, 800, 250)),
        ("11.3.0300.10924", (11, 3, 300, 10924)),
        (" 11.6 ", (11, 6)),
        ("11", (11,)),
        ("11.5.0800-SNAPSHOT", (11, 5, 800)),
        ("11.5.x", (11, 5)),
    ],
)
def test_a_version_is_read_as_far_as_it_has_numbers(told: str, parts: tuple[int, ...]) -> None:
    version = Version.of(told)
    assert version is not None
    assert version.parts == parts
    assert str(version) in told


@pytest.mark.parametrize("told", [None, "", "unknown", "v11", ".5", 11.5, 11, True, [], {}])
def test_what_is_no_version_is_none(told: Any) -> None:
    assert Version.of(told) is None


@given(st.text() | st.from_regex(r"\d+(\.\d+)*"))
def test_any_text_is_a_version_or_none(told: str) -> None:
    version = Version.of(told)
    assert version is None or version.publishes is not bool(version.lack)


@pytest.mark.parametrize(
    "told", ["11.5.0800.0250", "11.5.0800", "11.5.0900", "11.6.0100", "12.0", "11.5", "11"]
)
def test_a_server_of_that_release_or_a_later_one_can_publish(told: str) -> None:
    version = Version.of(told)
    assert version is not None
    assert (version.publishes, version.lack) == (True, "")


@pytest.mark.parametrize("told", ["11.5.0799.9999", "11.3.0300.10924", "11.4", "10", "11.5.0"])
def test_an_older_server_lacks_publishing_and_the_words_name_the_release_that_has_it(told: str) -> None:
    version = Version.of(told)
    assert version is not None
    assert not version.publishes
    for word in (told, "11.5.0800", "Strategy ONE (August 2025)"):
        assert word in version.lack


# Asking


def test_the_version_is_asked_for_once_and_briefly_in_the_session() -> None:
    played = play(about.server_version(a_session()), answer({"iServerVersion": "11.5.0800.0250"}))
    (request,) = played.requests
    assert str(played.result) == "11.5.0800.0250"
    assert (request.method, request.path) == ("GET", "/api/status")
    assert request.patience == 0.0
    assert request.headers == {"X-MSTR-AuthToken": TOKEN}
    assert request.secrets == {TOKEN}


def test_a_cookie_that_comes_with_the_answer_is_kept() -> None:
    session = a_session(ingress="one")
    play(about.server_version(session), answer({}, Set_Cookie="ingress=two; Path=/MicroStrategyLibrary"))
    assert [cookie.value for cookie in session.cookies] == ["two"]


@pytest.mark.parametrize(
    "ask",
    [about.server_version, lambda session: about.sessions_per_user(session, PROJECT)],
    ids=["version", "sessions"],
)
@every_lack_of_an_answer
def test_what_a_server_does_not_tell_is_none(ask: Any, reply: Reply) -> None:
    assert play(ask(a_session()), reply).result is None


def test_a_kill_is_no_lack_of_an_answer() -> None:
    assert isinstance(play(about.server_version(a_session()), KilledError()).error, KilledError)


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"maxInteractiveSessionPerUser": {"value": 5}}, 5),
        ({"maxInteractiveSessionsPerUser": 20, "maxUserConnectionPerProject": {"value": 500}}, 20),
        ({"maxInteractiveSessionPerUser": {"value": -1}}, None),
        ({"maxInteractiveSessionPerUser": {"value": "many"}}, None),
        ({"maxInteractiveSessionPerUser": {"value": True}}, None),
        ({"maxInteractiveSessionPerUser": {}}, None),
        ({"maxUserConnectionPerProject": {"value": 500}}, None),
    ],
    ids=str,
)
def test_the_sessions_of_a_user_are_read_of_the_projects_settings(
    settings: dict[str, Any], most: int | None
) -> None:
    played = play(about.sessions_per_user(a_session(), PROJECT), answer(settings))
    assert (played.calls, played.result) == ([f"GET /api/v2/projects/{PROJECT}/settings"], most)


# Warning


@pytest.mark.parametrize(("told", "warnings"), [("11.5.0800.0250", 0), ("11.4.0600.0001", 1), (None, 0)])
def test_there_is_a_warning_where_the_server_is_known_to_be_too_old(told: str | None, warnings: int) -> None:
    warned: list[str] = []
    play(about.warn_of_version(a_session(), warned.append), answer({"iServerVersion": told}))
    assert len(warned) == warnings
    assert all("11.4.0600.0001" in words and "August 2025" in words for words in warned)


@every_lack_of_an_answer
def test_there_is_no_warning_of_what_is_not_known(reply: Reply) -> None:
    warned: list[str] = []
    assert play(about.warn_of_version(a_session(), warned.append), reply).error is None
    assert warned == []
