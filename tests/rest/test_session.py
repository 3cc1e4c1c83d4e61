# SPDX-License-Identifier: Apache-2.0
"""Who logs in, and a session that travels sealed."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.fernet import Fernet
from examples import JSON
from hypothesis import given
from hypothesis import strategies as st
from scripted import INSTANCE, MODEL, PROJECT, TOKEN, an_instance

from airflow_provider_mstr.rest.errors import HandleRefused
from airflow_provider_mstr.rest.session import Credentials, LoginMode, Seal, Session, _key

PASSWORD = "pass word-of-nobody"
SEAL = Seal(PASSWORD, "https://library.example.com 1 administrator")
WEEK = 604_800
COOKIES = {"JSESSIONID": "cookie-of-nobody", "library-ingress": "17|ab=="}


def test_the_login_modes_have_the_servers_numbers() -> None:
    assert {mode.name: int(mode) for mode in LoginMode} == {
        "STANDARD": 1,
        "GUEST": 8,
        "LDAP": 16,
        "API_TOKEN": 4096,
    }


@pytest.mark.parametrize(
    ("credentials", "body"),
    [
        (Credentials(LoginMode.STANDARD, "u", "p"), {"loginMode": 1, "username": "u", "password": "p"}),
        (Credentials(LoginMode.STANDARD, "u", ""), {"loginMode": 1, "username": "u", "password": ""}),
        (Credentials(LoginMode.LDAP, "u", "p"), {"loginMode": 16, "username": "u", "password": "p"}),
        (Credentials(LoginMode.API_TOKEN, "u", "t"), {"loginMode": 4096, "username": "t"}),
        (Credentials(LoginMode.GUEST, "u", "p"), {"loginMode": 8}),
    ],
)
def test_each_login_mode_has_its_body(credentials: Credentials, body: dict[str, Any]) -> None:
    assert credentials.login_body() == body
    assert type(credentials.login_body()["loginMode"]) is int


def test_a_session_without_cookies_sends_none() -> None:
    assert Session(TOKEN, {}).headers() == {"X-MSTR-AuthToken": TOKEN}


def test_a_session_sends_its_token_every_cookie_as_it_came_and_the_project() -> None:
    assert Session(TOKEN, {"a": '"q; x"', "b": "1=="}).headers(PROJECT) == {
        "X-MSTR-AuthToken": TOKEN,
        "Cookie": 'a="q; x"; b=1==',
        "X-MSTR-ProjectID": PROJECT,
    }


def test_an_answer_adds_replaces_and_takes_back_cookies() -> None:
    session = Session(TOKEN, {"old": "1", "gone": "2", "kept": "3"})
    session.renew({"old": "9", "gone": None, "new": "4", "never-there": None})
    assert session.cookies == {"old": "9", "kept": "3", "new": "4"}


def test_the_token_and_every_cookie_are_secrets_but_a_short_word_is_not() -> None:
    cookies = {"JSESSIONID": "01234567", "remember": "0123456", "none": ""}
    assert Session(TOKEN, cookies).secrets == {TOKEN, "01234567"}


@pytest.mark.parametrize(("password", "secrets"), [("", set()), ("abc", set()), ("abcd", {"abcd"})])
def test_a_password_is_a_secret_but_a_text_of_fewer_than_four_characters_is_not(
    password: str, secrets: set[str]
) -> None:
    assert Credentials(password=password).secrets == secrets


def test_a_sealed_session_opens_as_it_was() -> None:
    assert SEAL.open(SEAL.close(Session(TOKEN, dict(COOKIES)))) == Session(TOKEN, COOKIES)


@given(token=st.text(), cookies=st.dictionaries(st.text(), st.text(), max_size=4))
def test_every_session_survives_its_seal(token: str, cookies: dict[str, str]) -> None:
    assert SEAL.open(SEAL.close(Session(token, cookies))) == Session(token, cookies)


def test_a_sealed_session_is_plain_text_that_tells_nothing() -> None:
    sealed = SEAL.close(Session(TOKEN, dict(COOKIES)))
    assert sealed.isascii()
    assert json.loads(json.dumps(sealed)) == sealed
    assert not any(secret in sealed for secret in (TOKEN, PASSWORD, *COOKIES.values()))
    assert sealed != SEAL.close(Session(TOKEN, dict(COOKIES)))


@pytest.mark.parametrize(
    "other",
    [
        Seal("another password", SEAL.scope),
        Seal("", SEAL.scope),
        Seal(PASSWORD, "https://other.example.com 1 administrator"),
        Seal(PASSWORD, "https://library.example.com 16 administrator"),
        Seal(PASSWORD, "https://library.example.com 1 somebody"),
    ],
    ids=["password", "no password", "url", "login mode", "login"],
)
def test_a_session_does_not_open_under_another_connection(other: Seal) -> None:
    sealed = SEAL.close(Session(TOKEN, dict(COOKIES)))
    with pytest.raises(HandleRefused) as caught:
        other.open(sealed)
    assert not any(secret in str(caught.value) for secret in (sealed, TOKEN, PASSWORD))
    assert caught.value.__suppress_context__


@given(place=st.integers(0, 10_000), bit=st.integers(0, 6))
def test_a_session_altered_in_one_character_does_not_open(place: int, bit: int) -> None:
    sealed = SEAL.close(Session(TOKEN, dict(COOKIES))).rstrip("=")
    # The last character of base64 holds bits that say nothing.
    place %= len(sealed) - 1
    altered = sealed[:place] + chr(ord(sealed[place]) ^ 1 << bit) + sealed[place + 1 :]
    with pytest.raises(HandleRefused):
        SEAL.open(altered + "=" * (-len(altered) % 4))


@given(sealed=st.text() | st.binary().map(lambda raw: Fernet(_key("x", "y")).encrypt(raw).decode()))
def test_any_text_that_was_not_sealed_here_is_refused(sealed: str) -> None:
    with pytest.raises(HandleRefused):
        SEAL.open(sealed)


@given(plain=JSON.map(json.dumps).map(str.encode) | st.binary())
def test_anything_else_that_was_sealed_here_is_refused(plain: bytes) -> None:
    with pytest.raises(HandleRefused):
        SEAL.open(SEAL._fernet().encrypt(plain).decode())


@pytest.mark.parametrize(
    "said",
    [
        {"token": TOKEN},
        {"token": 7, "cookies": {}},
        {"token": TOKEN, "cookies": ["a"]},
        {"token": TOKEN, "cookies": {"a": 1}},
    ],
)
def test_a_session_of_another_form_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(HandleRefused):
        SEAL.open(SEAL._fernet().encrypt(json.dumps(said).encode()).decode())


@pytest.mark.parametrize(("age", "opens"), [(0, True), (WEEK - 60, True), (WEEK + 60, False)])
def test_a_sealed_session_opens_for_a_week(age: int, opens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fernet, encrypt_at_time = SEAL._fernet(), Fernet.encrypt_at_time
    sealed_at = int(time.time()) - age
    monkeypatch.setattr(Fernet, "encrypt", lambda self, data: encrypt_at_time(fernet, data, sealed_at))
    sealed = SEAL.close(Session(TOKEN, {}))
    if opens:
        assert SEAL.open(sealed) == Session(TOKEN, {})
    else:
        with pytest.raises(HandleRefused):
            SEAL.open(sealed)


def test_a_session_that_does_not_open_says_why_that_may_be() -> None:
    with pytest.raises(HandleRefused) as caught:
        SEAL.open("no seal")
    assert caught.value.what == (
        "the handle's session cannot be opened with this connection: it was sealed under another "
        "connection or password, is older than a week, or was altered"
    )


def test_a_connections_key_is_that_of_earlier_versions_whose_handles_are_still_under_way() -> None:
    assert _key(PASSWORD, "scope") == b"bLcMLRFQTLNS-hGVOsdimv0SgdQWF992CqSh42JpceI="


def test_nothing_secret_is_shown() -> None:
    session = Session(TOKEN, dict(COOKIES))
    shown = repr(
        [session, Credentials(LoginMode.LDAP, "administrator", PASSWORD), SEAL, an_instance(session)]
    )
    assert not any(secret in shown for secret in (TOKEN, PASSWORD, *COOKIES.values()))
    assert all(public in shown for public in ("administrator", SEAL.scope, PROJECT, MODEL, INSTANCE))
