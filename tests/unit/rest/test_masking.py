# SPDX-License-Identifier: Apache-2.0
"""Secrets in what a server answers, in every form in which it may repeat them."""

from __future__ import annotations

import html
import json
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_mstr.rest.masking import Masker, passwords_among, secrets_among

SECRETS = [
    "nllmm5lpmkjdsj4d4etgdikc6c",
    "p@ss/w+rd&<of>=nobody;",
    "Größe-日本-😀-secret",
    "quote\"and\\back'slash",
    "100%41 sure it is",
    "17|ab==",
    "1234",
]


def hex_entities(text: str) -> str:
    return "".join(f"&#x{ord(character):X};" for character in text)


def as_base64(encode: Callable[[bytes], bytes], before: bytes, behind: bytes) -> Callable[[str], str]:
    return lambda text: encode(before + text.encode() + behind).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": quote,
    "whole url": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "lower url": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "twice url": lambda text: quote(quote(text, safe=""), safe=""),
    "html": html.escape,
    "html without quotes": lambda text: html.escape(text, quote=False),
    "entities": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "hex entities": hex_entities,
    "named entities": lambda text: text.replace("&", "&amp;").replace("/", "&sol;").replace("l", "&#108;"),
    "json": lambda text: json.dumps(text)[1:-1],
    "json slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "json escapes": lambda text: "".join(
        f"\\u{unit}" for unit in text.encode("utf-16-be").hex(" ", 2).upper().split()
    ),
    "html of json of url": lambda text: html.escape(json.dumps(quote(text, safe=""))),
    "base64": as_base64(b64encode, b"", b""),
    "base64 without padding": lambda text: b64encode(text.encode()).decode().rstrip("="),
    "lines of base64": lambda text: encodebytes(b"a" * 50 + text.encode() + b"b" * 50).decode(),
    "base64 of url": lambda text: b64encode(f"password={quote(text, safe='')}".encode()).decode(),
    "base64 of json": lambda text: b64encode(json.dumps({"password": text}).encode()).decode(),
    "base64 of html": lambda text: b64encode(f"<b>{html.escape(text)}</b>".encode()).decode(),
    "invisible characters": "\u200b".join,
    "soft hyphens": "\xad".join,
    "null characters": "\0".join,
    "url of base64": lambda text: quote(b64encode(text.encode()).decode(), safe=""),
}
FORMS |= {
    f"base64 of {len(before)} before and {len(behind)} behind, {encode.__name__}": as_base64(
        encode, before, behind
    )
    for encode in (b64encode, urlsafe_b64encode)
    for before in (b"", b"a", b"a:", b"user:")
    for behind in (b"", b"z", b"zz")
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: str, secret: str) -> None:
    shown = FORMS[form](secret)
    text, *rest = Masker([secret]).json({"key": [f"login {shown} is wrong", 7, None]})["key"]
    assert shown not in text
    assert secret not in text
    assert "***" in text
    assert rest == [7, None]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\u2028"])
def test_a_secret_that_is_broken_into_lines_is_masked(line_break: str) -> None:
    secret = "nllmm5lpmkjdsj4d4etgdikc6c"
    broken = secret[:9] + line_break + secret[9:]
    masker = Masker([secret])
    assert masker.text(f"token {broken}") == "***"
    assert masker.finds_in(json.dumps(broken))


@pytest.mark.parametrize("charset", [("latin-1", "utf-8"), ("utf-8", "latin-1")])
def test_a_secret_in_another_character_encoding_is_masked(charset: tuple[str, str]) -> None:
    secret, (written, read) = "Grün&Süß-secret", charset
    masker = Masker([secret])
    for shown in (
        quote(secret, safe="", encoding=written),
        b64encode(secret.encode(written)).decode(),
        secret.encode(written).decode(read, "replace"),
    ):
        assert masker.text(f"login {shown} is wrong") == "login *** is wrong"


def test_a_secret_with_half_of_a_surrogate_pair_is_masked() -> None:
    """aiohttp writes a byte of a header that is not UTF-8 as one."""
    secret = "secret-of-nobody-\udce4"
    masker = Masker([secret])
    assert masker.text(f"cookie {secret} is wrong") == "cookie *** is wrong"
    for data in (secret.encode(errors="surrogatepass"), json.dumps(secret).encode()):
        assert masker.text(f"cookie {b64encode(data).decode()} is wrong") == "cookie *** is wrong"


def test_a_part_of_a_secret_that_another_encoding_can_write_is_no_secret() -> None:
    assert Masker(["日本pass"]).text("wrong password") == "wrong password"


def test_a_number_that_is_a_secret_is_masked() -> None:
    masked = Masker(["12345678"]).json([12345678, 123456789, -12345678, True, None])
    assert masked == ["***", 123456789, -12345678, True, None]


def test_an_id_with_a_short_password_in_it_stays_as_it_is() -> None:
    object_id, token = "9F4772B837604551B4D312345ADC5598", "0123456789abcdef0123456789abcdef"
    assert Masker(["1234", token]).json([object_id, f"{object_id} 1234", token]) == [
        object_id,
        "9F4772B837604551B4D3***5ADC5598 ***",
        "***",
    ]


def test_a_key_that_is_the_password_stays_as_it_is() -> None:
    assert Masker(["status"]).json({"status": "status"}) == {"status": "***"}


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"lines of base64"}))
def test_only_the_word_with_an_encoded_secret_is_masked(form: str) -> None:
    shown = FORMS[form]("p@ss/w+rd&<of>=nobody;").strip('"')
    words = Masker(["p@ss/w+rd&<of>=nobody;"]).text(f"the login {shown} is wrong").split()
    assert (words[:2], words[3:]) == (["the", "login"], ["is", "wrong"])
    assert "***" in words[2]


def test_a_text_that_is_encoded_without_end_is_masked_whole() -> None:
    text = "a b"
    for _ in range(7):
        text = quote(text, safe="")
    assert Masker(["secret-of-nobody"]).text(f"{text} c") == "*** c"


@given(text=st.text(), secret=st.text(min_size=8))
def test_a_text_without_the_secret_stays_as_it_is(text: str, secret: str) -> None:
    assume(not Masker([secret]).finds_in(text))
    assert Masker([secret]).text(text) == text


# HTML cannot write a control character.
PASSWORDS = st.text(st.characters(exclude_categories=["C"]), min_size=8)


@given(before=st.text(), behind=st.text(), secret=PASSWORDS, form=st.sampled_from(sorted(FORMS)))
def test_no_text_shows_a_secret_after_it_was_masked(before: str, behind: str, secret: str, form: str) -> None:
    shown = FORMS[form](secret)
    assert shown not in Masker([secret]).text(f"{before} {shown} {behind}")


@pytest.mark.parametrize(
    "text", ["R&D", "100%", "C:\\temp", "a+b", "A &amp; B", "%zz", "&#xZZ;", "\\u12", "\\ud800"]
)
def test_a_text_that_is_like_an_encoded_one_stays_as_it_is(text: str) -> None:
    assert Masker(["secret-of-nobody"]).json([text]) == [text]


@pytest.mark.parametrize("other", ["aBCDEFGH", "xBBCDEFGH", "xyBBCDEFGH"])
def test_base64_of_another_text_that_ends_alike_stays_as_it_is(other: str) -> None:
    text = b64encode(other.encode()).decode()
    assert Masker(["ABCDEFGH"]).text(text) == text


@pytest.mark.parametrize("end", ["", "u", "u12", "n"])
def test_a_long_run_of_backslashes_is_searched_in_linear_time(end: str) -> None:
    """Where each backslash began a search of its own, this would take hours."""
    text = "\\" * 1_000_000 + end
    assert Masker(["secret-of-nobody"]).text(text) == text


def test_a_cookie_that_is_encoded_itself_is_masked_decoded_too() -> None:
    assert Masker(["%7Bcookie%20of%20nobody%7D"]).text("no {cookie of nobody}") == "no ***"
    assert Masker(["%61bcd", "%61bc"]).text("abcd and abc") == "*** and abc"


def test_without_secrets_nothing_is_masked() -> None:
    assert Masker([]).json({"a": ["b"]}) == {"a": ["b"]}


def test_secrets_are_the_long_values_without_quotes() -> None:
    values = ["true", '"in-quotes"', "01234567", "0123456", "", "X1234567"]
    assert secrets_among(values) == {"in-quotes", "01234567", "X1234567"}


@pytest.mark.parametrize(
    ("secret", "shown", "masked"),
    [
        ("secret-of-nobody", "a secret-of-nobody, b", "a ***, b"),
        ("abcd", "x abcd y", "x *** y"),
        ("a b c d e", "it is a+b+c+d+e.", "it is ***"),
    ],
)
def test_a_plain_secret_is_masked_alone_and_an_encoded_one_with_its_word(
    secret: str, shown: str, masked: str
) -> None:
    assert Masker([secret]).text(shown) == masked


def test_passwords_are_the_values_that_are_long_enough() -> None:
    assert passwords_among(["", "abc", "abcd", '"abc"']) == {"abcd", '"abc"'}
