# SPDX-License-Identifier: Apache-2.0
"""Cookies as a browser stores and sends them, and where the API needs more than that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mstr.rest.cookies import Cookies

LIBRARY = "https://library.example.com/MicroStrategyLibrary"
GATEWAY = "https://gateway.example.com/api/bi/MicroStrategyLibrary"
NOW = 1_800_000_000.0
MINUTE = 60.0
YEAR_99999 = "Expires=Fri, 31 Dec 99999 23:59:59 GMT"


def cookies(*lines: str, url: str = LIBRARY, date: str | None = None) -> Cookies:
    """Return what is stored of these ``Set-Cookie`` lines."""
    stored = Cookies()
    stored.store(url, lines, NOW, date)
    return stored


def sent(
    *lines: str,
    url: str = LIBRARY,
    path: str = "/api/dataModels/A/publishStatus",
    later: float = 0.0,
    date: str | None = None,
) -> str:
    """Return the ``Cookie`` header that follows these lines."""
    return cookies(*lines, url=url, date=date).header(url, path, NOW + later)


def test_a_cookie_without_a_name_does_not_affect_the_next_one() -> None:
    assert sent("=x", "a=1") == "a=1"


# name, path and domain


def test_cookies_of_one_name_at_two_paths_are_both_sent_the_longer_path_first() -> None:
    proxy, library = "JSESSIONID=a; Path=/", "JSESSIONID=b; Path=/MicroStrategyLibrary"
    assert sent(proxy, library) == sent(library, proxy) == "JSESSIONID=b; JSESSIONID=a"


def test_cookies_with_paths_of_one_length_are_sent_in_the_order_in_which_they_were_set() -> None:
    assert sent("b=1; Path=/", "a=2; Path=/", "c=3; Path=/", "b=4; Path=/") == "b=4; a=2; c=3"


def test_a_cookie_of_the_same_name_path_and_domain_replaces_the_first() -> None:
    assert sent("a=1; Path=/", "a=2; path=/; HttpOnly") == "a=2"
    assert sent("a=1; Domain=example.com", "a=2; domain=.EXAMPLE.com") == "a=2"


def test_a_cookie_of_the_host_and_one_of_the_domain_above_it_are_two() -> None:
    assert sent("a=1", "a=2; Domain=example.com") == "a=1; a=2"


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("/", True),
        ("/MicroStrategyLibrary", True),
        ("/MicroStrategyLibrary/", True),
        ("/MicroStrategyLibrary/api", True),
        ("/MicroStrategyLibrary/api/dataModels/A/publishStatus", True),
        ("/MicroStrategyLibrary/api/auth", False),
        ("/MicroStrategyLib", False),
        ("/MicroStrategyLibrary2", False),
        ("/microstrategylibrary", False),
        ("/portal", False),
        ("/api", False),
    ],
)
def test_a_path_decides_between_cookies_of_one_name(path: str, matches: bool) -> None:
    names = sent("a=other; Path=/", f"a=this; Path={path}").split("; ")
    # The path "/" is the first cookie's own.
    assert ("a=this" in names) is matches
    assert ("a=other" in names) is (path != "/")


@pytest.mark.parametrize("path", ["/portal", "/MicroStrategyLibrary/api/auth"])
def test_a_cookie_whose_path_does_not_match_is_sent_where_no_other_of_its_name_is(path: str) -> None:
    assert sent(f"a=1; Path={path}") == "a=1"
    assert sent(f"a=1; Path={path}", "b=2; Path=/") == "a=1; b=2"


@pytest.mark.parametrize("line", ["a=1", "a=1; Path", "a=1; Path=", "a=1; Path=relative", 'a=1; Path="/x"'])
def test_a_cookie_without_a_usable_path_belongs_to_the_whole_library(line: str) -> None:
    assert sent(line, "a=2; Path=/") == "a=1; a=2"
    assert sent("a=2; Path=/", line, "b=3; Path=/MicroStrategyLibrary/api") == "b=3; a=1; a=2"
    assert sent("a=0", line) == "a=1"


@pytest.mark.parametrize("url", [LIBRARY, GATEWAY])
def test_a_cookie_without_a_path_does_not_replace_one_of_the_library(url: str) -> None:
    proxy, library = "J=a; HttpOnly", "J=b; Path=/MicroStrategyLibrary"
    assert sent(proxy, library, url=url) == sent(library, proxy, url=url) == "J=b; J=a"
    assert sent(proxy, library, "J=; Max-Age=0", url=url) == "J=b"


def test_a_library_without_a_path_of_its_own_has_cookies_of_the_whole_host() -> None:
    assert sent("a=1", "a=2; Path=/", "b=3; Path=/api", url="https://library.example.com") == "b=3; a=2; a=1"
    assert sent("a=1; Path=/portal", "a=2; Path=/", url="https://library.example.com") == "a=2"


@pytest.mark.parametrize("path", ["/MicroStrategyLibrary", "/bi/MicroStrategyLibrary", "/api/bi"])
def test_behind_a_gateway_that_adds_a_prefix_the_librarys_cookie_still_comes_first(path: str) -> None:
    assert sent("J=gateway; Path=/", f"J=library; Path={path}", url=GATEWAY) == "J=library; J=gateway"


def test_a_path_is_compared_in_plain_spelling() -> None:
    url = "https://library.example.com/Gr%C3%B6%C3%9Fe%20A"
    assert sent("a=1; Path=/Größe A", "a=2; Path=/", "a=3; Path=/Gr%C3%B6%C3%9Fe%20A", url=url) == "a=3; a=2"


@pytest.mark.parametrize(
    ("host", "domain", "stored"),
    [
        ("library.example.com", "library.example.com", True),
        ("library.example.com", ".example.com", True),
        ("library.example.com", "EXAMPLE.com", True),
        ("library.example.com", "", True),
        ("library.example.com", ".", True),
        ("n1.example.com", "example.com", True),
        ("library.example.com.", "library.example.com", True),
        ("library.example.com", "other.example.com", False),
        ("library.example.com", "a.library.example.com", False),
        ("library.example.com", "ample.com", False),
        ("library.example.com", "example.org", False),
        ("n1.box", "N1.BOX", True),
        ("library", "library", True),
        ("localhost", "localhost", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.1", False),
        ("[::1]", "::1", True),
        (f"{'a' * 64}.example.com", "example.com", True),
        ("bücher.example.com", "xn--bcher-kva.example.com", True),
    ],
)
def test_a_cookie_for_another_domain_is_not_stored(host: str, domain: str, stored: bool) -> None:
    url = f"https://{host}:8443/MicroStrategyLibrary"
    assert sent(f"a=1; Domain={domain}", url=url) == ("a=1" if stored else "")


@pytest.mark.parametrize("url", ["https://127.0.0.1/L", "http://127.0.0.1/L", "http://library.example.com/L"])
def test_a_secure_cookie_is_sent_as_the_token_is(url: str) -> None:
    assert sent("a=1; Path=/L; Secure; HttpOnly; SameSite=Strict", url=url) == "a=1"


# the end of a cookie


@pytest.mark.parametrize(
    "end",
    [
        "Max-Age=0",
        "max-age=-1",
        "MAX-AGE = 0",
        "Max-Age=0; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "expires=Thu, 01-Jan-1970 00:00:10 GMT",
        "Expires=Thu, 01-Jan-70 00:00:00 GMT",
        "Expires=Sat, 01 Jan 1900 00:00:00 GMT",
        "Expires=Fri, 15 Jan 2027 07:59:59 GMT",
    ],
)
def test_an_answer_deletes_the_cookie_of_that_name_path_and_domain(end: str) -> None:
    other = "a=0; Path=/"
    assert sent("a=1", other, f"a=; {end}") == "a=0"
    assert sent(other, f"a=; {end}") == "a=0"
    assert sent(other, f"a=; {end}; Path=/") == ""
    assert sent("a=1", "a=2; Domain=example.com", f"a=; Domain=example.com; {end}") == "a=1"


@pytest.mark.parametrize(
    "end",
    [
        "Max-Age=90",
        "Max-Age=90; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "Expires=Fri, 15 Jan 2027 08:01:30 GMT",
        "Expires=Friday, 15-Jan-27 08:01:30 GMT",
        "Expires=Fri Jan 15 08:01:30 2027",
    ],
)
def test_a_cookie_is_sent_until_it_expires(end: str) -> None:
    assert sent(f"a=1; {end}", later=89.0) == "a=1"
    assert sent(f"a=1; {end}", later=90.0) == ""


@pytest.mark.parametrize("age", ["", "Max-Age=", "Max-Age", "Max-Age=soon"])
@pytest.mark.parametrize("end", ["", "Expires", "Expires=", "Expires=0", "Expires=never", YEAR_99999])
def test_a_cookie_without_a_usable_end_lives_as_long_as_the_session(age: str, end: str) -> None:
    (cookie,) = cookies(f"a=1; {age}; {end}")
    assert cookie.expires is None


@pytest.mark.parametrize("end", [f"Max-Age={'9' * 5000}", "Expires=Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_cookie_lives_longer_than_a_browser_lets_it(end: str) -> None:
    (cookie,) = cookies(f"a=1; {end}")
    assert cookie.expires == NOW + 400 * 24 * 60 * MINUTE


@pytest.mark.parametrize("hour", ["06", "08", "10"])
def test_an_end_is_a_time_of_the_servers_clock(hour: str) -> None:
    """The clock of this machine shows 8 o'clock."""
    date, end = f"Fri, 15 Jan 2027 {hour}:00:00 GMT", f"Fri, 15 Jan 2027 {hour}:01:00 GMT"
    line = f"a=1; Expires={end}"
    assert sent(line, date=date, later=59.0) == "a=1"
    assert sent(line, date=date, later=61.0) == ""


# values


@pytest.mark.parametrize(
    "pair",
    [
        "a=",
        "a=1==",
        "a=x=y&z",
        "a=b,c d",
        'a="quoted, \\"odd\\" value"',
        "a=%7Braw%7D",
        "a=Zoë 日本",
        "a='",
        "__Host-a=1",
        "__Secure-a=1",
        "$Version=1",
        "a b=c",
        "Path=/x",
    ],
)
def test_a_name_and_a_value_go_back_as_they_came(pair: str) -> None:
    assert sent(f"{pair}; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Secure; Version=1") == pair
    assert sent(f"  {pair}  ;path=/") == pair


def test_the_first_equals_sign_ends_the_name() -> None:
    (cookie,) = cookies("a=x=y; Path=/p=q")
    assert (cookie.name, cookie.value, cookie.path) == ("a", "x=y", "/p=q")


@pytest.mark.parametrize("line", ["", "; Path=/", "=", "=1", " = 1; Path=/"])
def test_a_line_without_a_name_sets_no_cookie(line: str) -> None:
    assert sent("b=2", line) == "b=2"


@pytest.mark.parametrize("pair", ["a=1\x01", "a=\x7f", "a\x1f=1", "a=1\x002", "a=\n"])
def test_a_cookie_with_a_control_character_is_not_stored(pair: str) -> None:
    assert sent("a=0", f"{pair}2; Path=/") == "a=0"
    assert sent("a=1\t2; Path=/") == "a=1\t2"


@pytest.mark.parametrize("attributes", ["Port; Version; Comment; Discard", "Partitioned; =; ;;", "a=3"])
def test_unknown_attributes_do_no_harm(attributes: str) -> None:
    assert sent(f"a=1; {attributes}") == "a=1"


def test_many_cookies_are_all_sent() -> None:
    lines = [f"name{number}=value{number}; Path=/" for number in range(200)]
    assert sent(*lines) == "; ".join(f"name{number}=value{number}" for number in range(200))


PARTS = [
    *("a=1", "b=", "=", "", "Path=/", "Path=/portal", "Domain=example.com", "Domain=x.org", "Max-Age=0"),
    *("Max-Age", "Expires=Wed, 21 Oct 2099 07:28:00 GMT", "Expires=", "Version=1", "Secure"),
]
LINE = st.text(max_size=40) | st.lists(st.sampled_from(PARTS), max_size=5).map("; ".join)
URLS = st.sampled_from([LIBRARY, GATEWAY, "http://[::1]"])


@given(lines=st.lists(LINE, max_size=6), date=st.text(max_size=40), url=URLS)
def test_any_lines_leave_cookies_that_survive_json(lines: list[str], date: str, url: str) -> None:
    stored = Cookies()
    stored.store(url, lines, NOW, date)
    again = Cookies.from_json(json.loads(json.dumps(stored.to_json())))
    assert again == stored
    header = again.header(url, "/api/x", NOW)
    assert all(f"{cookie.name}=" in header for cookie in stored)


@pytest.mark.parametrize("data", [None, 7, ["abcd"], [["a", "b", "c", "d", "e"]], [[1, "b", "c", "d", None]]])
def test_invalid_cookies_are_rejected(data: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Cookies.from_json(data)


@pytest.mark.parametrize("part", range(5))
def test_a_part_of_a_cookie_of_another_type_is_refused(part: int) -> None:
    cookie: list[Any] = ["a", "1", "library.example.com", "/", None]
    cookie[part] = 7
    with pytest.raises(TypeError, match=r"^not a cookie$"):
        Cookies.from_json([cookie])


def test_cookies_survive_json() -> None:
    stored = cookies("a=1; Path=/x; Domain=example.com; Max-Age=60", "b=2")
    again = Cookies.from_json(json.loads(json.dumps(stored.to_json())))
    assert again == stored
    assert [cookie.expires for cookie in again] == [NOW + MINUTE, None]


def test_cookies_are_equal_to_the_same_cookies_only() -> None:
    assert cookies("a=1") != cookies("a=2")
    assert cookies("a=1") != list(cookies("a=1"))


def test_no_value_is_shown() -> None:
    assert "nobody" not in repr(cookies("a=nobody-may-see"))
    assert "a" in repr(cookies("a=nobody-may-see"))
