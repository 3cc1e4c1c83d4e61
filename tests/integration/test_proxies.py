# SPDX-License-Identifier: Apache-2.0
"""Proxies of the environment: HTTP, TLS and SOCKS ones, and what is wrong with one, with either driver."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from drivers import DRIVERS, Drive, ask
from hypothesis import given
from hypothesis import strategies as st
from misbehaving_server import MisbehavingServer, answer
from socks_server import ConnectRequest, SocksServer

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.rest.errors import (
    CertificateError,
    InvalidInput,
    MstrError,
    ProxyError,
    ServerUnavailable,
)
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.transport import proxies
from airflow_provider_mstr.transport.proxies import Proxy

SECRET = "proxy-secret"
PLAIN, SECURE = "http://strategy.invalid", "https://strategy.invalid"


@pytest.fixture(params=DRIVERS.values(), ids=DRIVERS.keys())
def drive(request: pytest.FixtureRequest) -> Drive:
    """Runs one flow, with either driver."""
    return request.param


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def at(url: str, **fields: Any) -> LibraryServer:
    return LibraryServer(url, Credentials(), **{"timeout": 5.0, **fields})


def refusal(drive: Drive, server: LibraryServer, **fields: Any) -> MstrError:
    with pytest.raises(MstrError) as caught:
        drive(server, ask(**fields))
    assert SECRET not in f"{caught.value}{caught.value!r}"
    return caught.value


# A malformed proxy URL fails at once, and the error has no secrets


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://:8080", "it has no host"),
        (f"http://user:{SECRET}@:8080", "it has no host"),
        ("proxy.example.com:port", "its port is not a number"),
        ("http://proxy.example.com:99999", "its port is not a number"),
        ("http://proxy.example.com:0", "its port is not a number"),
        ("http//proxy.example.com:3128", "a colon is missing"),
        ("http://https://proxy.example.com", "it has two schemes"),
        (f"http://user:{SECRET}#1@proxy.example.com:3128", "its port is not a number"),
        (f"http://user:a b{SECRET}@proxy.example.com", "it contains a space"),
        ("http://[::1", "it is not a URL"),
        ("http://proxy%2Eexample.com", "its host is not a host name"),
        ("http://proxy..example.com:3128", "its host is not a host name"),
        (f"http://{'a' * 64}.example.com:3128", "its host is not a host name"),
        ("'http://proxy.example.com:3128'", "write it without quotes"),
        ("ftp://proxy.example.com:21", "it begins with ftp://, which is not a proxy protocol"),
        ("socks://127.0.0.1:1080", "it begins with socks://"),
        (f"http://user:%E2%82%AC{SECRET}@proxy.example.com", "proxies do not accept"),
    ],
)
@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_an_invalid_proxy_url_is_rejected_with_the_name_of_its_variable(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, url: str, why: str, variable: str
) -> None:
    monkeypatch.setenv(variable, url)
    error = refusal(drive, at(SECURE), retry_for=20.0)
    assert isinstance(error, InvalidInput)
    assert f"the proxy URL in {variable} is malformed: " in str(error)
    assert why in str(error)


def test_a_malformed_proxy_that_is_not_used_is_ignored(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://:8080")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with MisbehavingServer() as server:
        assert drive(at(server.url), ask()) == {}


@given(st.text(alphabet="htps:/@[].%0819aé #?", max_size=25) | st.text(max_size=20))
def test_any_text_is_a_proxy_or_refused(text: str) -> None:
    try:
        proxy = proxies._parse("HTTP_PROXY", text)
    except InvalidInput:
        return
    assert proxies._parse("HTTP_PROXY", proxy.url) == proxy
    assert 0 < proxy.port < 65536


def test_a_proxy_shows_neither_its_password_nor_its_user() -> None:
    proxy = proxies._parse("HTTP_PROXY", f"http://user:{SECRET}@proxy.example.com:3128")
    assert str(proxy) == "http://proxy.example.com:3128 (HTTP_PROXY)"
    assert SECRET not in repr(proxy)
    assert SECRET in proxy.secrets


# HTTP proxies


@pytest.mark.parametrize("url", [PLAIN, SECURE])
@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("", "requires a user and a password: add them to"),
        (f"user:{SECRET}@", "rejects the user and password in"),
    ],
)
def test_a_407_is_the_proxys(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, url: str, login: str, words: str
) -> None:
    variable = "http_proxy" if url == PLAIN else "https_proxy"
    with MisbehavingServer(answer(407, b"", ("Proxy-Authenticate", "Basic realm=x"))) as proxy:
        monkeypatch.setenv(variable, f"http://{login}127.0.0.1:{proxy.port}")
        error = refusal(drive, at(url), retry_for=20.0)
    assert isinstance(error, ProxyError)
    assert not error.retryable
    assert f"the proxy http://127.0.0.1:{proxy.port} ({variable}) {words} {variable}" in str(error)
    assert "only Basic authentication is supported. After a change" in str(error)
    assert str(error).endswith("(HTTP 407)")
    assert len(proxy.heard) == 1


@pytest.mark.parametrize("status", [301, 400, 403, 404, 405, 501])
def test_a_tunnel_that_the_proxy_refuses_is_no_matter_of_waiting(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with MisbehavingServer(answer(status, b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        error = refusal(drive, at(SECURE), retry_for=20.0)
    assert isinstance(error, ProxyError)
    assert f"the proxy {proxy.url} (https_proxy) refuses to connect to the server" in str(error)
    assert "NO_PROXY" in str(error)
    assert f"HTTP {status}" in str(error)
    assert [(heard.method, heard.target) for heard in proxy.heard] == [("CONNECT", "strategy.invalid:443")]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_temporary_tunnel_failure_is_retried(
    drive: Drive,
    monkeypatch: pytest.MonkeyPatch,
    secure: MisbehavingServer,
    authority: Authority,
    status: int,
) -> None:
    with MisbehavingServer(answer(status, b""), lambda line: line.tunnel(secure.port)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        # Even a call that must not be repeated may be, because it did not reach the server.
        once = ask(method="POST", repeatable=False, retry_for=30.0)
        assert drive(at(secure.url, verify=str(authority.file)), once) == {}
    assert len(proxy.heard) == 2
    with MisbehavingServer(answer(status, b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        error = refusal(drive, at(SECURE))
    assert isinstance(error, ServerUnavailable)
    assert error.nothing_done
    assert f"the proxy {proxy.url} (https_proxy) cannot reach the server. " in str(error)
    assert str(error).endswith(f"(HTTP {status})")


FAULTS = {
    "silent": lambda line: line.stay_silent(),
    "closed": lambda line: line.close(),
    "reset": lambda line: line.reset(),
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a cut head": lambda line: (line.send(b"HTTP/1.1 200 OK\r\nX-A: b\r\n"), line.close()),
    "a tunnel to nothing": lambda line: (line.send(b"HTTP/1.1 200 OK\r\n\r\n"), line.close()),
    "a page": answer(200, b"<html>", ("Content-Type", "text/html")),
    "a refusal": answer(403, b"<html>", ("Content-Type", "text/html")),
    "not now": answer(503, b"<html>", ("Content-Type", "text/html")),
}


@pytest.mark.parametrize("url", [PLAIN, SECURE], ids=["plain", "tunnel"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_an_error_at_a_proxy_names_the_proxy_and_no_class(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, url: str, fault: Any
) -> None:
    with MisbehavingServer(fault) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url)
        error = str(refusal(drive, at(url, timeout=2.0), method="POST", repeatable=False, retry_for=2.0))
    assert f"proxy {proxy.url} (all_proxy)" in error
    assert not re.search(r"Error\b", error)


def test_a_proxy_with_an_international_name_is_named(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://pröxy.invalid:3128")
    error = refusal(drive, at(SECURE))
    proxy = "at the proxy http://xn--prxy-6qa.invalid:3128 (https_proxy)"
    assert f"{proxy}, the host name is unknown" in str(error)


def test_a_proxy_login_may_have_special_characters(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://us%40er:p%3Aa%2F%23%C3%BC@127.0.0.1:{proxy.port}")
        drive(at(PLAIN), ask())
    assert proxy.heard[0].header("Proxy-Authorization") == "Basic dXNAZXI6cDphLyP8"


def test_what_a_server_repeats_of_the_proxys_password_is_masked(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MisbehavingServer(answer(400, f'{{"code": "ERR001", "message": "{SECRET}"}}'.encode())) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:{proxy.port}")
        assert "***" in str(refusal(drive, at(PLAIN)))


# Proxies that use TLS


@pytest.mark.parametrize("tunnel", [False, True], ids=["plain", "tunnel"])
def test_a_proxy_may_use_tls(
    drive: Drive,
    monkeypatch: pytest.MonkeyPatch,
    secure: MisbehavingServer,
    authority: Authority,
    tunnel: bool,
) -> None:
    reply = (lambda line: line.tunnel(secure.port)) if tunnel else answer()
    with MisbehavingServer(reply, tls=authority.server()) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url)
        url = secure.url if tunnel else PLAIN
        assert drive(at(url, verify=str(authority.file)), ask()) == {}
    assert len(proxy.heard) == 1
    assert len(secure.heard) == tunnel


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_time_limit_holds_within_the_tls_of_a_proxy(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 600
    server = MisbehavingServer(lambda line: line.drip(head, 0.1), tls=authority.server())
    proxy = MisbehavingServer(lambda line: line.tunnel(server.port), tls=authority.server())
    with server, proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        secure = at(server.url, verify=str(authority.file), timeout=3.0)
        error = refusal(drive, secure, method="POST", repeatable=False, retry_for=3.0)
    assert str(error).startswith("could not ask: no answer within")


@pytest.mark.parametrize("url", [PLAIN, SECURE])
def test_a_certificate_of_the_proxy_that_is_not_trusted(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, authority: Authority, tmp_path: Path, url: str
) -> None:
    with MisbehavingServer(tls=authority.server()) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url)
        error = refusal(drive, at(url, verify=str(Authority(tmp_path).file)), retry_for=20.0)
    assert isinstance(error, CertificateError)
    assert f"the proxy {proxy.url} (all_proxy)'s certificate is not trusted" in str(error)


@pytest.fixture
def plain_only() -> Iterator[int]:
    """The port of a proxy that answers a TLS handshake as HTTP servers do."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                line.recv(65536)
                line.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                line.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.mark.parametrize("url", [PLAIN, SECURE])
def test_a_proxy_that_speaks_no_tls(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, plain_only: int, url: str
) -> None:
    monkeypatch.setenv("all_proxy", f"https://127.0.0.1:{plain_only}")
    error = refusal(drive, at(url), retry_for=20.0)
    assert isinstance(error, ProxyError)
    assert f"https://127.0.0.1:{plain_only} (all_proxy), this port does not use TLS" in str(error)
    assert "use http:// in all_proxy" in str(error)


# SOCKS proxies


@pytest.mark.parametrize(
    ("scheme", "version", "asked"),
    [
        ("socks5h", 5, "localhost"),
        ("socks5", 5, "127.0.0.1"),
        ("socks4a", 4, "localhost"),
        ("socks4", 4, "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
def test_a_socks_proxy_is_used(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, scheme: str, version: int, asked: str, variable: str
) -> None:
    with MisbehavingServer() as server, SocksServer(server.port) as proxy:
        monkeypatch.setenv(variable, f"{scheme}://127.0.0.1:{proxy.port}")
        assert drive(at(f"http://localhost:{server.port}/L"), ask()) == {}
    assert proxy.asked[0].version == version
    assert proxy.asked[0].host in (asked, "::1" if asked == "127.0.0.1" else asked)
    assert proxy.asked[0].port == server.port
    assert [heard.target for heard in server.heard] == ["/L/api/x"]
    assert server.heard[0].header("Host") == f"localhost:{server.port}"


def test_tls_and_time_limits_hold_behind_a_socks_proxy(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, secure: MisbehavingServer, authority: Authority
) -> None:
    with SocksServer(secure.port, login=("us@er", SECRET)) as proxy:
        monkeypatch.setenv("https_proxy", f"socks5h://us%40er:{SECRET}@127.0.0.1:{proxy.port}")
        assert drive(at(secure.url, verify=str(authority.file)), ask()) == {}
        assert isinstance(refusal(drive, at(secure.url, verify=True)), CertificateError)
    assert proxy.asked == [ConnectRequest(5, "127.0.0.1", secure.port)] * 2
    with MisbehavingServer(lambda line: line.stay_silent()) as silent, SocksServer(silent.port) as proxy:
        monkeypatch.setenv("http_proxy", f"socks5h://127.0.0.1:{proxy.port}")
        error = refusal(drive, at(PLAIN, timeout=1.5), method="POST", repeatable=False, retry_for=1.5)
    assert isinstance(error, ServerUnavailable)
    assert not error.nothing_done
    assert str(error).startswith("could not ask: no answer within")


@pytest.mark.parametrize("login", ["", "user:wrong-secret@"])
def test_a_socks_proxy_that_wants_another_login(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    with SocksServer(login=("user", SECRET)) as proxy:
        monkeypatch.setenv("https_proxy", f"socks5h://{login}127.0.0.1:{proxy.port}")
        error = refusal(drive, at(SECURE), retry_for=20.0)
    assert isinstance(error, ProxyError)
    words = "rejects the user and password" if login else "requires a user and a password"
    assert f"the proxy socks5h://127.0.0.1:{proxy.port} (https_proxy) {words}" in str(error)
    assert "wrong-secret" not in str(error)
    assert proxy.connections == 1


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (1, ServerUnavailable, "General SOCKS server failure"),
        (2, ProxyError, "refuses to connect to the server"),
        (4, ServerUnavailable, "the server cannot be reached: Host unreachable"),
        (5, ServerUnavailable, "Connection refused by destination host"),
        (8, ProxyError, "Address type not supported"),
    ],
)
def test_what_a_socks_proxy_refuses(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, reply: int, kind: type[MstrError], words: str
) -> None:
    with SocksServer(reply=reply) as proxy:
        monkeypatch.setenv("https_proxy", f"socks5h://127.0.0.1:{proxy.port}")
        error = refusal(drive, at(SECURE), method="POST", repeatable=False)
    assert type(error) is kind
    assert words in str(error)
    assert f"socks5h://127.0.0.1:{proxy.port} (https_proxy)" in str(error)
    assert kind is ProxyError or error.nothing_done  # type: ignore[attr-defined]


def test_a_socks_proxy_that_is_not_there(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    with SocksServer() as proxy:
        pass
    monkeypatch.setenv("https_proxy", f"socks5h://127.0.0.1:{proxy.port}")
    error = refusal(drive, at(SECURE))
    assert isinstance(error, ServerUnavailable)
    assert error.nothing_done
    where = f"at the proxy socks5h://127.0.0.1:{proxy.port} (https_proxy)"
    assert f"{where}, connection refused" in str(error)
    monkeypatch.setenv("https_proxy", "socks5h://version.invalid:1080")
    error = refusal(drive, at(SECURE))
    assert isinstance(error, ServerUnavailable)
    assert "socks5h://version.invalid:1080 (https_proxy), the host name is unknown" in str(error)


def test_a_server_that_speaks_no_socks(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer() as proxy:
        # An HTTP server waits for the end of a line, which SOCKS does not send.
        monkeypatch.setenv("http_proxy", f"socks5h://127.0.0.1:{proxy.port}")
        assert isinstance(refusal(drive, at(PLAIN, timeout=0.5)), ServerUnavailable)
    assert proxy.heard == []


def test_a_name_that_only_the_proxy_knows_is_looked_up_there(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MisbehavingServer() as server, SocksServer(server.port) as proxy:
        monkeypatch.setenv("http_proxy", f"socks5h://127.0.0.1:{proxy.port}")
        assert drive(at(PLAIN), ask()) == {}
        monkeypatch.setenv("http_proxy", f"socks5://127.0.0.1:{proxy.port}")
        error = refusal(drive, at(PLAIN))
    assert "the host name is unknown" in str(error)
    assert "socks5h" in str(error)


@pytest.mark.parametrize("scheme", ["socks4", "socks5h"])
def test_without_its_package_a_socks_proxy_is_rejected_at_once(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp_socks", None)
    with SocksServer() as proxy:
        monkeypatch.setenv("https_proxy", f"{scheme}://user:{SECRET}@127.0.0.1:{proxy.port}")
        error = refusal(drive, at(SECURE), retry_for=20.0)
    assert isinstance(error, InvalidInput)
    assert "pip install 'airflow-provider-mstr[socks]'" in str(error)
    assert proxy.connections == 0


def test_a_driver_keeps_to_the_proxy_of_its_server(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer() as server, SocksServer(server.port) as proxy:
        monkeypatch.setenv("http_proxy", f"socks5h://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert Proxy.for_url(server.url) is None
        drive(at(server.url), ask())
        drive(at(PLAIN), ask())
    assert proxy.connections == 1
    assert len(server.heard) == 2
