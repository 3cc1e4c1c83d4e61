# SPDX-License-Identifier: Apache-2.0
"""Who logs in, and a session that travels sealed."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import quick_keys
from cryptography.fernet import Fernet
from examples import JSON
from hypothesis import given
from hypothesis import strategies as st
from scripted import INSTANCE, MODEL, PROJECT, TOKEN, an_instance, some_cookies

from airflow_provider_mstr.refresh import sealing
from airflow_provider_mstr.refresh.sealing import Seal, _check_age, _key
from airflow_provider_mstr.rest.cookies import Cookie, Cookies
from airflow_provider_mstr.rest.errors import InvalidHandle
from airflow_provider_mstr.rest.session import Credentials, LoginMode, Session

PASSWORD = "pass word-of-nobody"
SEAL = Seal(PASSWORD, "https://library.example.com 1 administrator")
WEEK = 604_800
UTC = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"
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


def test_a_session_sends_its_token_and_the_project() -> None:
    session = Session(TOKEN, some_cookies(COOKIES))
    assert session.headers() == {"X-MSTR-AuthToken": TOKEN}
    assert session.headers(PROJECT) == {"X-MSTR-AuthToken": TOKEN, "X-MSTR-ProjectID": PROJECT}


def test_the_token_and_every_cookie_are_secrets_but_a_short_word_is_not() -> None:
    cookies = {"JSESSIONID": "01234567", "remember": "0123456", "none": "", "quoted": '"in-quotes"'}
    assert Session(TOKEN, some_cookies(cookies)).secrets == {TOKEN, "01234567", "in-quotes"}


@pytest.mark.parametrize(("password", "secrets"), [("", set()), ("abc", set()), ("abcd", {"abcd"})])
def test_a_password_is_a_secret_but_a_text_of_fewer_than_four_characters_is_not(
    password: str, secrets: set[str]
) -> None:
    assert Credentials(password=password).secrets == secrets


def a_session() -> Session:
    return Session(TOKEN, some_cookies(COOKIES))


def test_a_sealed_session_opens_as_it_was() -> None:
    assert SEAL.open(SEAL.close(a_session())) == a_session()


TEXT = st.text(max_size=20)
COOKIE = st.builds(Cookie, TEXT, TEXT, TEXT, TEXT, st.none() | st.floats(allow_nan=False))


@given(token=st.text(), cookies=st.lists(COOKIE, max_size=4).map(Cookies))
def test_every_session_survives_its_seal(token: str, cookies: Cookies) -> None:
    assert SEAL.open(SEAL.close(Session(token, cookies))) == Session(token, cookies)


def test_a_sealed_session_is_plain_text_without_a_secret() -> None:
    sealed = SEAL.close(a_session())
    assert sealed.isascii()
    assert json.loads(json.dumps(sealed)) == sealed
    assert not any(secret in sealed for secret in (TOKEN, PASSWORD, *COOKIES.values()))
    assert sealed != SEAL.close(a_session())


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
    sealed = SEAL.close(a_session())
    with pytest.raises(InvalidHandle) as caught:
        other.open(sealed)
    assert not any(secret in str(caught.value) for secret in (sealed, TOKEN, PASSWORD))
    assert caught.value.__suppress_context__


@given(place=st.integers(0, 10_000), bit=st.integers(0, 6))
def test_a_session_altered_in_one_character_does_not_open(place: int, bit: int) -> None:
    sealed = SEAL.close(a_session()).rstrip("=")
    # The last character of base64 holds bits that say nothing.
    place %= len(sealed) - 1
    altered = sealed[:place] + chr(ord(sealed[place]) ^ 1 << bit) + sealed[place + 1 :]
    with pytest.raises(InvalidHandle):
        SEAL.open(altered + "=" * (-len(altered) % 4))


@given(sealed=st.text() | st.binary().map(lambda raw: Fernet(_key("x", "y")).encrypt(raw).decode()))
def test_any_text_that_was_not_sealed_here_is_rejected(sealed: str) -> None:
    with pytest.raises(InvalidHandle):
        SEAL.open(sealed)


@given(plain=JSON.map(json.dumps).map(str.encode) | st.binary())
def test_anything_else_that_was_sealed_here_is_rejected(plain: bytes) -> None:
    with pytest.raises(InvalidHandle):
        SEAL.open(SEAL._fernet().encrypt(plain).decode())


@pytest.mark.parametrize(
    "payload",
    [
        {"token": TOKEN},
        {"token": 7, "cookies": []},
        {"token": TOKEN, "cookies": None},
        {"token": TOKEN, "cookies": ["a"]},
        {"token": TOKEN, "cookies": {"a": 1}},
        {"token": TOKEN, "cookies": [["name", "value", "domain", "path"]]},
        {"token": TOKEN, "cookies": [["name", "value", "domain", 7, None]]},
        {"token": TOKEN, "cookies": [["name", "value", "domain", "path", "soon"]]},
    ],
)
def test_a_session_of_another_form_is_rejected(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidHandle):
        SEAL.open(SEAL._fernet().encrypt(json.dumps(payload).encode()).decode())


MINUTE = 60.0


def sealed_before(seconds: float) -> str:
    """Return a session that a machine whose clock shows another time has sealed."""
    plain = SEAL._fernet().decrypt(SEAL.close(a_session()).encode())
    return SEAL._fernet().encrypt_at_time(plain, int(time.time() - seconds)).decode()


@pytest.mark.parametrize("age", [0, 90, -90, -5 * MINUTE, -9 * MINUTE, WEEK - MINUTE, WEEK + 5 * MINUTE])
def test_a_sealed_session_opens_for_a_week_though_clocks_differ_by_minutes(age: float) -> None:
    assert SEAL.open(sealed_before(age)) == a_session()


def test_a_session_sealed_in_the_future_names_the_clocks() -> None:
    with pytest.raises(InvalidHandle) as caught:
        SEAL.open(sealed_before(-90 * MINUTE))
    assert re.fullmatch(
        rf"the handle's session was sealed at {UTC} by the clock of the machine that sealed it, but the "
        rf"clock of this machine shows {UTC}, which is 90 minutes behind: set the clocks of both machines, "
        "for example with NTP",
        caught.value.what,
    )


def test_a_session_sealed_more_than_a_week_ago_names_its_age_and_the_clocks() -> None:
    with pytest.raises(InvalidHandle) as caught:
        SEAL.open(sealed_before(WEEK + 30 * MINUTE))
    assert re.fullmatch(
        rf"the handle's session was sealed at {UTC} by the clock of the machine that sealed it, but the "
        rf"clock of this machine shows {UTC}: a handle is valid for a week; if it is not that old, set the "
        "clocks of both machines, for example with NTP",
        caught.value.what,
    )


@pytest.mark.parametrize("age", [-10 * MINUTE, WEEK + 10 * MINUTE])
def test_a_session_opens_up_to_the_limits(age: float) -> None:
    _check_age(-age, 0)
    for beyond in (age - 1, age + 1):
        if not -10 * MINUTE <= beyond <= WEEK + 10 * MINUTE:
            with pytest.raises(InvalidHandle):
                _check_age(-beyond, 0)


def test_the_clocks_are_shown_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "IST-5:30")
        time.tzset()
        with pytest.raises(InvalidHandle, match=r"sealed at 1970-01-01 00:00:00 UTC"):
            _check_age(0, 2 * WEEK)
    time.tzset()


FOREIGN = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()


@pytest.mark.parametrize("sealed", ["no seal", FOREIGN], ids=["no seal", "foreign"])
def test_a_session_of_another_connection_says_so_and_nothing_of_clocks(sealed: str) -> None:
    with pytest.raises(InvalidHandle) as caught:
        SEAL.open(sealed)
    assert caught.value.what == (
        "the handle's session cannot be opened with this connection: it was sealed under another "
        "connection or password, or was altered"
    )


@pytest.fixture
def slow_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a key cost what it costs outside of tests."""
    monkeypatch.setattr(sealing, "SCRYPT_COST", quick_keys.SCRYPT_COST)


@pytest.mark.usefixtures("slow_keys")
def test_a_key_is_derived_as_owasp_recommends() -> None:
    derived = hashlib.scrypt(b"p", salt=b"s", n=65536, r=8, p=2, maxmem=2**27, dklen=32)
    assert _key("p", "s") == urlsafe_b64encode(derived)


@pytest.mark.usefixtures("slow_keys")
def test_threads_that_ask_for_a_key_at_once_derive_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    derivations, together, scrypt = [], threading.Barrier(4), hashlib.scrypt
    secret = uuid4().hex  # no earlier run in this process has derived its key

    def counted(password: bytes, **how: Any) -> bytes:
        derivations.append(password)
        return scrypt(password, **how)

    def ask(_: int) -> bytes:
        together.wait()
        return _key(secret, "s")

    monkeypatch.setattr(hashlib, "scrypt", counted)
    with ThreadPoolExecutor(4) as threads:
        keys = set(threads.map(ask, range(4)))
    assert (len(keys), derivations) == (1, [secret.encode()])


def test_nothing_secret_is_shown() -> None:
    session = a_session()
    shown = repr(
        [session, Credentials(LoginMode.LDAP, "administrator", PASSWORD), SEAL, an_instance(session)]
    )
    assert not any(secret in shown for secret in (TOKEN, PASSWORD, *COOKIES.values()))
    assert all(public in shown for public in ("administrator", SEAL.scope, PROJECT, MODEL, INSTANCE))
