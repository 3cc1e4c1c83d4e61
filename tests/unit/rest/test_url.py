# SPDX-License-Identifier: Apache-2.0
"""The Library URL from any URL that a user pastes."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from examples import thorough
from hypothesis import assume, example, given
from hypothesis import strategies as st

from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.url import is_this_machine, library_url

LIBRARY = "https://demo.microstrategy.com/MicroStrategyLibrary"


@pytest.mark.parametrize(
    "pasted",
    [
        LIBRARY,
        f"{LIBRARY}/",
        f"{LIBRARY}///",
        f"  {LIBRARY}\n",
        f"{LIBRARY}/api",
        f"{LIBRARY}/api/",
        f"{LIBRARY}/API/auth/login",
        f"{LIBRARY}/api-docs",
        f"{LIBRARY}/api-docs/index.html?visibility=all#/Authentication",
        f"{LIBRARY}/app",
        f"{LIBRARY}/app/B7CA92F04B9FAE8D941C3E9B7E0CD754/9F47/K53--K46",
        f"{LIBRARY}/app/library#/model/9F4772B837604551B4D3CC916ADC5598",
        f"{LIBRARY}/app/config/0123",
        f"{LIBRARY}/auth/ui/loginPage",
        f"{LIBRARY}/static/x.js",
        f"{LIBRARY}/servlet/mstrWeb?x=1",
        f"{LIBRARY}?x=1",
        f"{LIBRARY}#/model",
        "demo.microstrategy.com/MicroStrategyLibrary",
        "//demo.microstrategy.com/MicroStrategyLibrary",
        "/demo.microstrategy.com/MicroStrategyLibrary",
        "HTTPS://Demo.MicroStrategy.COM/MicroStrategyLibrary/app",
        "https://demo.microstrategy.com:/MicroStrategyLibrary",
        "demo.microstrategy.com//MicroStrategyLibrary//app//",
        f"{LIBRARY};jsessionid=0A1B.node1",
        f"{LIBRARY}/;jsessionid=0A1B",
        f"{LIBRARY};jsessionid=0A1B/app;a=b/library",
        f"{LIBRARY}%3Bjsessionid=0A1B",
        f"{LIBRARY}/index.html",
        f"{LIBRARY}/index.jsp?x=1",
        f"{LIBRARY}/app/library/home",
        f"{LIBRARY}/api/library",
        f"{LIBRARY}/static/js/library.js",
        f"{LIBRARY}/admin",
        f"{LIBRARY}/./app/../api",
        f"{LIBRARY}.",
        f"{LIBRARY}%20",
        f"<{LIBRARY}/app>",
        f'"{LIBRARY}"',
        f"({LIBRARY}/app)",
        f"{LIBRARY},",
        f"\u201c{LIBRARY}\u201d",
        f"\u200b{LIBRARY}\ufeff",
        "https%3A%2F%2Fdemo.microstrategy.com%2FMicroStrategyLibrary",
        "https://demo.microstrategy.com./MicroStrategyLibrary",
    ],
)
def test_every_address_of_the_library_gives_its_plain_url(pasted: str) -> None:
    assert library_url(pasted) == LIBRARY


@pytest.mark.parametrize(
    "pasted",
    [
        "demo.microstrategy.com/MicroStrategyLibrary/app?next=https://elsewhere.example.com/",
        "demo.microstrategy.com/MicroStrategyLibrary#https://elsewhere.example.com/",
        "https://demo.microstrategy.com/MicroStrategyLibrary/app?next=http://elsewhere.example.com/",
    ],
)
def test_another_url_in_the_query_or_fragment_is_no_scheme(pasted: str) -> None:
    assert library_url(pasted) == LIBRARY


@pytest.mark.parametrize(
    ("pasted", "port", "url"),
    [
        ("http://library.example.com", None, "http://library.example.com"),
        ("library.example.com", None, "https://library.example.com"),
        ("library.example.com", 8443, "https://library.example.com:8443"),
        ("library.example.com:8080/L", None, "https://library.example.com:8080/L"),
        ("library.example.com:8080/L", 8443, "https://library.example.com:8080/L"),
        ("https://library.example.com/L", 443, "https://library.example.com:443/L"),
        ("localhost:8080", None, "http://localhost:8080"),
        ("localhost/MicroStrategyLibrary", 8080, "http://localhost:8080/MicroStrategyLibrary"),
        ("https://localhost:8080", None, "https://localhost:8080"),
        ("127.0.0.1:8080", None, "http://127.0.0.1:8080"),
        ("sandbox.localhost:1", None, "http://sandbox.localhost:1"),
        ("10.0.0.7", None, "https://10.0.0.7"),
        ("[::1]:8080/L", None, "http://[::1]:8080/L"),
        ("https://[2001:DB8::1]/L/app", None, "https://[2001:db8::1]/L"),
        ("library", None, "https://library"),
        ("my_host-1.example.com", None, "https://my_host-1.example.com"),
        ("https://h/one/two/api/three", None, "https://h/one/two"),
        ("https://h/a%20b/app", None, "https://h/a%20b"),
        ("https://h/Bibliothèque", None, "https://h/Biblioth%C3%A8que"),
        ("https://h/application", None, "https://h/application"),
        ("https://h/api/auth/login", None, "https://h"),
        ("https://h/app/library#/home", None, "https://h"),
        ("https://h/index.html;jsessionid=1", None, "https://h"),
        ("https://h/strategy/index.html", None, "https://h/strategy"),
        ("https://h/strategy;jsessionid=1/api/auth/login", None, "https://h/strategy"),
        ("https://h/a/../../L", None, "https://h/L"),
        ("https://h/X/BOX", None, "https://h/X/BOX"),
        ("Xl.example.com/L", None, "https://xl.example.com/L"),
        ("a" * 63 + ".example.com", None, "https://" + "a" * 63 + ".example.com"),
        ("https://h:1/L", None, "https://h:1/L"),
        ("https://h:65535/L", None, "https://h:65535/L"),
        ("::1", 8080, "http://[::1]:8080"),
        ("2001:DB8::1/L/app", None, "https://[2001:db8::1]/L"),
        ("https://bücher.example/L", None, "https://xn--bcher-kva.example/L"),
        ("\uff2cibrary\u3002example.com", None, "https://library.example.com"),
    ],
)
def test_hosts_ports_schemes_and_paths(pasted: str, port: int | None, url: str) -> None:
    assert library_url(pasted, port) == url


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "   ",
        "/",
        "//",
        "https://",
        "https:///MicroStrategyLibrary",
        "https://host name/L",
        "https://ho\tst",
        "https://host/a\nb",
        "https://ho\x00st",
        "ftp://library.example.com",
        "jdbc:mstr://library.example.com",
        "mstr://library.example.com",
        "https://library.example.com:port",
        "https://library.example.com:70000",
        "https://library.example.com:-1",
        "https://[::1",
        "https://[nonsense]/",
        "https://library!.example.com",
        "https://exa%6Dple.com",
        "https://admin:secret@library.example.com",
        "admin@library.example.com",
        "https:\\\\library.example.com",
        "https:/library.example.com",
        "http//library.example.com",
        "https://https://library.example.com",
        "\ud800.example.com",
        "https://ex℀mple.com",
        "https://library..example.com",
        f"https://{'a' * 64}.example.com",
    ],
)
def test_an_invalid_url_is_rejected(pasted: str) -> None:
    with pytest.raises(InvalidInput):
        library_url(pasted)


@pytest.mark.parametrize(
    ("pasted", "what"),
    [
        ("", "the connection has no host: enter the Library URL there"),
        ("/", "the connection's host is not a URL: it has no valid host name"),
        ("ho st", "the connection's host contains a space or a control character: remove it"),
        ("ho\x00st", "the connection's host contains a space or a control character: remove it"),
        ("https://[::1", "the connection's host is not a URL"),
        ("https://h!", "the connection's host is not a URL: it has no valid host name"),
        ("h..h", "the connection's host is not a URL: its host name has an empty or too long part"),
        ("a" * 64, "the connection's host is not a URL: its host name has an empty or too long part"),
        ("http//h", "the connection's host is not a URL: write https:// once, before the host name"),
        (
            "https://https://h",
            "the connection's host is not a URL: write https:// once, before the host name",
        ),
        ("h:port", "the Library URL's port is not a number between 1 and 65535"),
        ("ftp://h", "the Library URL begins with ftp://; it must begin with https:// or http://"),
        ("u@h", "the Library URL contains a login: enter login and password in their own fields"),
    ],
)
def test_a_refusal_names_the_problem(pasted: str, what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        library_url(pasted)
    assert caught.value.what == what


PREFIXES = ("", "/api/bi", "/app", "/auth", "/static/a b", "/library-gateway/api", "/gw/v1.2")
CONTEXTS = ("MicroStrategyLibrary", "MicroStrategyLibraryStd", "strategylibrary-2", "My StrategyLibrary")
INNER = (
    "",
    "app",
    "app/library",
    "app/config/0123",
    "api",
    "api/auth/login",
    "api/library",
    "api/v2/library/x",
    "api-docs/index.html",
    "auth/ui/loginPage",
    "static/library/library.js",
    "servlet/mstrWeb",
    "index.html",
)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("inner", INNER)
def test_an_address_under_a_prefix_gives_its_plain_url(prefix: str, context: str, inner: str) -> None:
    base = f"https://gw.example.com{quote(f'{prefix}/{context}')}"
    assert library_url(f"{base}/{inner}") == base


SEGMENT = st.text(alphabet="abcAPI019-_.~é ;=", max_size=8)


@thorough
@given(
    prefix=st.sampled_from(PREFIXES),
    context=st.sampled_from(CONTEXTS),
    inner=st.sampled_from(INNER),
    deeper=st.lists(SEGMENT, max_size=3),
    session=st.sampled_from(["", ";jsessionid=0A1B.node-1", ";a=b;c=d"]),
    tail=st.sampled_from(["", "?next=/app/library", "#/model/MicroStrategyLibrary", "?a#/b/../c"]),
)
def test_any_url_of_the_library_gives_the_library_url(
    prefix: str, context: str, inner: str, deeper: list[str], session: str, tail: str
) -> None:
    base = f"https://gw.example.com:8443{quote(f'{prefix}/{context}')}"
    path = quote("/".join([inner, *(deeper if inner else [])]), safe="/;=")
    # A path that climbs out of the Library is the only one that is not inside it.
    assume(".." not in path)
    assert library_url(f"{base}{session}/{path}{session}{tail}") == base
    assert library_url(base) == base


@given(
    prefix=st.sampled_from(PREFIXES),
    context=st.sampled_from(["Library", "bi-library", "LIBRARY"]),
    inner=st.sampled_from(INNER),
)
def test_a_context_may_have_another_name_with_library(prefix: str, context: str, inner: str) -> None:
    assume("library" not in prefix)
    base = f"https://gw.example.com{quote(f'{prefix}/{context}')}"
    assert library_url(f"{base}/{inner}") == base


def test_a_host_name_that_has_no_ascii_form_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        library_url("https://é" + "x" * 70 + ".example.com")
    assert caught.value.what == "the connection's host is not a URL: its host name is invalid"


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/one;p=1/MicroStrategyLibrary;q=2/app", "/one/MicroStrategyLibrary"),
        ("/. ./MicroStrategyLibrary", "/MicroStrategyLibrary"),
        ("/ one. /MicroStrategyLibrary", "/one/MicroStrategyLibrary"),
    ],
)
def test_parameters_blanks_and_dots_of_a_segment_are_removed(path: str, plain: str) -> None:
    assert library_url(f"https://library.example.com{quote(path, safe='/;=')}") == (
        f"https://library.example.com{plain}"
    )


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_an_invalid_port_field_is_rejected_too(port: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        library_url("library.example.com", port)
    assert caught.value.what == f"the port {port} is not a number between 1 and 65535"


@pytest.mark.parametrize(
    "pasted",
    [
        "https://admin:hunter2@library.example.com/",
        "admin:hunter2@library.example.com",
        "ftp://admin:hunter2@library.example.com",
        "admin:hunter2@library.example.com/app?next=https://elsewhere.example.com",
        "https://admin:hunter2@library.example.com:port/",
        "https://admin:hunter2@/",
    ],
)
def test_a_login_in_the_url_is_not_repeated(pasted: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        library_url(pasted)
    assert "hunter2" not in str(caught.value)


URL_LIKE = st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            ["http", "https", "://", "/", ":", "@", "[", "]", "::1", "%2F", "%25", "?", "#", "app", "."]
        )
        | st.text(max_size=6),
        max_size=9,
    ),
)
PATHS = st.lists(st.text(max_size=8), max_size=4).map("/".join)


PASTED = st.one_of(
    st.text(max_size=30),
    st.binary(max_size=30).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    URL_LIKE,
    st.builds("https://host/{}".format, PATHS),
)


@thorough
@given(pasted=PASTED, port=st.none() | st.integers(-1, 70000))
@example("https://İ.example.com", None)
@example("https://ẞ.example.com", None)
@example("https://h/%2541/%2f/%00", None)
@example("https://[v1.a:b]/", None)
@example("https://h/. /;x/%2e%2e;/a", None)
@example("https://h/%3B/%20./api", None)
@example("https%3A%2F%2Fh%252Fapp", None)
def test_any_text_gives_a_normalized_url_or_is_rejected(pasted: str, port: int | None) -> None:
    try:
        url = library_url(pasted, port)
    except InvalidInput:
        return
    assert library_url(url) == library_url(url, port) == url
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert (parts.username, parts.password, parts.query, parts.fragment) == (None, None, "", "")
    assert not url.endswith("/")
    assert not any(character.isspace() for character in url)
    assert url.isprintable()


@pytest.mark.parametrize(
    ("host", "this"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("notlocalhost", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("::2", False),
        ("", False),
    ],
)
def test_only_loopback_names_are_this_machine(host: str, this: bool) -> None:
    assert is_this_machine(host) is this
