# SPDX-License-Identifier: Apache-2.0
"""Messages of network errors, the same with both drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from misbehaving_server import MisbehavingServer, answer

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.rest import retry
from airflow_provider_mstr.rest.endpoints.auth import login
from airflow_provider_mstr.rest.errors import MstrError, ServerUnavailable
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.sandbox import Sandbox
from airflow_provider_mstr.transport.async_driver import AsyncDriver
from airflow_provider_mstr.transport.sync_driver import SyncDriver

Fail = Callable[..., MstrError]


@pytest.fixture(params=["requests", "aiohttp"])
def fail(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Logs in where that cannot succeed, and returns the error."""
    monkeypatch.setattr(retry, "MAX_RETRY_SECONDS", 0.0)

    def run(server: LibraryServer) -> Session:
        flow = login(server.credentials)
        if request.param == "requests":
            return SyncDriver(server).run(flow)
        return asyncio.run(AsyncDriver(server).run(flow))

    def log_in(url: str, timeout: float = 5.0) -> MstrError:
        who = Credentials(login="etl", password="a-password")
        with pytest.raises(MstrError) as caught:
            run(LibraryServer(url, who, timeout=timeout))
        return caught.value

    return log_in


@pytest.fixture
def silent() -> Iterator[MisbehavingServer]:
    """A server that takes every connection and never answers."""
    with MisbehavingServer(lambda line: line.stay_silent()) as server:
        yield server


def unused_url() -> str:
    with MisbehavingServer() as gone:
        return gone.url


def test_a_host_that_is_not_found(fail: Fail) -> None:
    error = fail("http://strategy.invalid")
    assert error.what == "could not log in as etl: the host name is unknown"
    assert error.advice.startswith("Correct the host of the Airflow connection")


def test_a_connection_that_is_refused(fail: Fail) -> None:
    error = fail(unused_url())
    assert "connection refused: no server listens on this host and port" in error.what
    assert "that this machine can reach the Library server" in str(error)


def test_an_answer_that_does_not_come(fail: Fail, silent: MisbehavingServer) -> None:
    error = fail(silent.url, timeout=1.0)
    assert error.what.endswith("no answer within 1 s")
    assert error.advice.startswith("If the server needs longer, increase timeout")


def test_a_proxy_that_is_not_there(fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = unused_url()
    monkeypatch.setenv("http_proxy", proxy)
    error = fail("http://strategy.invalid")
    assert f"at the proxy {proxy}" in error.what
    assert "(http_proxy), connection refused" in error.what
    # The connection's host is not the cause.
    assert error.advice == "Check the proxy in http_proxy, or add the host to NO_PROXY."


def test_a_server_without_tls(fail: Fail, mstr_sandbox: Sandbox) -> None:
    error = fail(mstr_sandbox.url.replace("http:", "https:"))
    assert isinstance(error, ServerUnavailable)
    assert "this port does not use TLS" in error.what


@pytest.mark.parametrize(
    "reply",
    [
        answer(400, b"The plain HTTP request was sent to HTTPS port", ("Content-Type", "text/html")),
        answer(301, b"", ("Location", "https://127.0.0.1/MicroStrategyLibrary/api/auth/login")),
        answer(403, b"<h2>403.4 SSL is required</h2>", ("Content-Type", "text/html")),
        answer(426, b"", ("Upgrade", "TLS/1.2")),
        b"\x15\x03\x03\x00\x02\x02\x0a\r\n",
    ],
    ids=["bad request", "redirect", "forbidden", "upgrade", "alert of TLS"],
)
def test_a_server_that_wants_tls(fail: Fail, reply: bytes) -> None:
    with MisbehavingServer(reply) as server:
        assert "if the server uses TLS, the Library URL must begin with https" in fail(server.url).what


def test_a_plain_server_that_answers_otherwise_has_no_hint_of_tls(fail: Fail) -> None:
    with MisbehavingServer(answer(404, b"<html>", ("Content-Type", "text/html"))) as server:
        assert "TLS" not in fail(server.url).what


def test_a_broken_connection_has_the_message_of_the_system(fail: Fail) -> None:
    with MisbehavingServer(lambda line: line.reset()) as server:
        error = fail(server.url)
        assert "reset by peer" in error.what
        assert "proxies and firewalls before it" in error.advice
