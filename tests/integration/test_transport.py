# SPDX-License-Identifier: Apache-2.0
"""Both drivers over real HTTP: against the sandbox, and against servers that misbehave byte by byte."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import re
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import tenacity
from certificates import Authority
from drivers import Drive, ask, at, refusal
from drivers import with_aiohttp as _with_aiohttp
from drivers import with_requests as _with_requests
from event_loops import HANG_SECONDS, answer_while_the_loop_runs, let_the_loop_run, sleepers, until
from jobs import job_of
from misbehaving_server import Line, MisbehavingServer, Reply, answer

from airflow_provider_mstr.refresh.data_model import DataModelJob, DataModelSpec
from airflow_provider_mstr.refresh.spec import StartContext
from airflow_provider_mstr.refresh.start import start_job
from airflow_provider_mstr.rest import retry
from airflow_provider_mstr.rest.endpoints.auth import get_session_status, login, logout
from airflow_provider_mstr.rest.endpoints.data_models import (
    DataModelInstance,
    RefreshPolicy,
    TableRefresh,
    create_instance,
    delete_instance,
    get_publish_status,
    start_publish,
)
from airflow_provider_mstr.rest.errors import (
    AuthenticationError,
    CertificateError,
    InvalidInput,
    InvalidResponse,
    MstrError,
    ServerUnavailable,
)
from airflow_provider_mstr.rest.flow import Flow, Pause, attempt
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.url import library_url
from airflow_provider_mstr.sandbox import Sandbox, Settings
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, FINANCE, RETAIL, SUPPLY_CHAIN, TUTORIAL
from airflow_provider_mstr.transport import base_driver, outage, settings
from airflow_provider_mstr.transport.async_driver import AsyncDriver
from airflow_provider_mstr.transport.sync_driver import SyncDriver

ADMINISTRATOR = DEFAULT_WORLD.users[0]
CREDENTIALS = Credentials(login=ADMINISTRATOR.name, password=ADMINISTRATOR.password)
ONE_TABLE = (TableRefresh(RETAIL.tables[0].id, RETAIL.tables[0].name, RefreshPolicy.REPLACE),)
TOKEN = ("X-MSTR-AuthToken", "token-of-a-raw-server")


@pytest.fixture(params=[_with_requests, _with_aiohttp], ids=["requests", "aiohttp"])
def drive(request: pytest.FixtureRequest) -> Drive:
    """Runs one flow, with either driver."""
    return request.param


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away proxies, CA files and logins that the machine has for other purposes."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Settings(publish_seconds=0.3)) as running:
        yield running


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send again almost at once, where the pause is not what is tested."""
    monkeypatch.setattr(retry, "_backoff", tenacity.wait_fixed(0.05))


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port where connections are neither accepted nor refused."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with suppress(TimeoutError):
            while True:
                probe = waiting.enter_context(socket.socket())
                probe.settimeout(0.5)
                probe.connect(listener.getsockname())
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_turn(*steps: Flow[Any] | Pause | threading.Semaphore) -> Flow[list[Any]]:
    results = []
    for step in steps:
        if isinstance(step, Pause):
            yield step
        elif isinstance(step, threading.Semaphore):
            assert step.acquire(timeout=HANG_SECONDS)
            # The client has to notice it, too.
            yield Pause(0.05)
        else:
            results.append((yield from step))
    return results


def opened(session: Session | None = None) -> Flow[DataModelInstance]:
    session = session or (yield from login(CREDENTIALS))
    return (yield from create_instance(session, TUTORIAL.id, RETAIL.id))


def open_job(project: str, data_model_id: str) -> Flow[DataModelJob]:
    """Log in and create an instance; nothing stores the session."""
    return DataModelSpec(project=project, target=data_model_id).open(context())


def context() -> StartContext:
    return StartContext(CREDENTIALS, time.time, lambda line, **fields: None)


def whole_refresh(data_model_id: str = RETAIL.id) -> Flow[State]:
    job = yield from open_job(TUTORIAL.name, data_model_id)
    job = yield from start_job(DataModelSpec(verify_last_update=False), job, context())
    for _ in range(100):
        polled = yield from job.poll(5.0)
        if polled.state is not State.RUNNING:
            break
        yield Pause(0.05)
    assert (yield from job.close()) is None
    return polled.state


@pytest.fixture
def pauses(caplog: pytest.LogCaptureFixture) -> Callable[[], list[float]]:
    """Returns the seconds before each retry, from the log."""
    caplog.set_level(logging.DEBUG, retry.log.name)

    def logged_pauses() -> list[float]:
        lines = re.findall(r"^.*Retrying in ([0-9.]+) s", caplog.text, re.MULTILINE)
        return [float(seconds) for seconds in lines]

    return logged_pauses


# A whole refresh, and what each of its calls carries


def test_a_whole_refresh_finishes_and_leaves_nothing_open(drive: Drive, sandbox: Sandbox) -> None:
    assert drive(at(sandbox.url), whole_refresh()) is State.FINISHED
    report = sandbox.report()
    assert report.tables_loaded == {"Retail": {table.name: 1 for table in RETAIL.tables}}
    assert (report.logins, report.logouts, report.open_sessions) == (1, 1, 0)
    assert (report.instances_created, report.instances_deleted, report.instances_open) == (1, 1, 0)
    assert report.rejected_calls_without_cookies == 0


def test_token_and_every_cookie_are_on_each_call_after_the_login(drive: Drive, sandbox: Sandbox) -> None:
    drive(at(sandbox.url), whole_refresh())
    login, *later = sandbox.requests
    assert not login.cookies
    assert "x-mstr-authtoken" not in login.headers
    assert {request.call for request in later} >= {"create_instance", "publish", "publish_status", "logout"}
    assert {request.headers["x-mstr-authtoken"] for request in later} == {later[0].cookies["iSession"]}
    names = {"JSESSIONID", "iSession", "mstrRememberMe", "library-ingress"}
    assert all(request.cookies.keys() == names for request in later)


def test_the_logout_names_no_project(drive: Drive, sandbox: Sandbox) -> None:
    drive(at(sandbox.url), whole_refresh())
    *_, create, logout = (each for each in sandbox.requests if each.call in ("create_instance", "logout"))
    assert create.headers["x-mstr-projectid"] == TUTORIAL.id
    assert "x-mstr-projectid" not in logout.headers


def test_the_login_is_sent_as_json_and_asks_for_json(drive: Drive, sandbox: Sandbox) -> None:
    drive(at(sandbox.url), login(CREDENTIALS))
    sent = sandbox.requests[0]
    assert json.loads(sent.body) == {
        "loginMode": 1,
        "username": ADMINISTRATOR.name,
        "password": ADMINISTRATOR.password,
    }
    assert sent.headers["content-type"] == sent.headers["accept"] == "application/json"
    assert sent.headers["user-agent"].startswith("airflow-provider-mstr/")


def test_headers_of_the_connection_are_on_each_call_once(drive: Drive, sandbox: Sandbox) -> None:
    headers = {"X-Gateway-Key": "a-gateway-key", "user-agent": "gateway-client/1"}
    drive(at(sandbox.url, headers=headers), whole_refresh())
    assert {request.headers["x-gateway-key"] for request in sandbox.requests} == {"a-gateway-key"}
    assert {request.headers["user-agent"] for request in sandbox.requests} == {"gateway-client/1"}


def test_a_header_of_the_connection_replaces_ours_of_that_name(drive: Drive) -> None:
    with MisbehavingServer() as server:
        drive(at(server.url, headers={"USER-AGENT": "gateway-client/1"}), ask())
    sent = [value for name, value in server.heard[0].headers if name.lower() == "user-agent"]
    assert sent == ["gateway-client/1"]


def test_what_a_gateway_repeats_of_its_header_is_masked(drive: Drive) -> None:
    body = json.dumps({"code": "ERR001", "message": "no subscription a-gateway-key"}).encode()
    with MisbehavingServer(answer(400, body)) as server:
        error = refusal(drive, at(server.url, headers={"X-Gateway-Key": "a-gateway-key"}), ask())
    assert "no subscription ***" in str(error)
    assert "a-gateway-key" not in f"{error}{error!r}"


def logged_in_calls(calls: int = 1) -> Flow[Session]:
    """Log in, and make so many calls in the session."""
    session = yield from login(CREDENTIALS)
    for _ in range(calls):
        yield from attempt(get_session_status(session))
    return session


def cookies_sent(server: MisbehavingServer) -> list[str | None]:
    return [heard.header("Cookie") for heard in server.heard]


def test_cookies_of_one_name_are_distinguished_by_their_paths(drive: Drive) -> None:
    proxy, library = "JSESSIONID=a; Path=/", "JSESSIONID=b; Path=/MicroStrategyLibrary; HttpOnly; Secure"
    replies = answer(204, b"", TOKEN, ("Set-Cookie", proxy), ("Set-Cookie", library)), answer()
    with MisbehavingServer(*replies) as server:
        drive(at(f"{server.url}/MicroStrategyLibrary"), logged_in_calls())
    assert cookies_sent(server) == [None, "JSESSIONID=b; JSESSIONID=a"]


def test_each_answer_renews_adds_and_deletes_cookies(drive: Drive) -> None:
    replies = (
        answer(204, b"", TOKEN, ("Set-Cookie", "one=1"), ("Set-Cookie", "two=2; Domain=other.example.com")),
        answer(200, b"{}", ("Set-Cookie", "one=a=b"), ("set-cookie", "three=3; Path=/portal")),
        answer(404, b'{"code": "ERR004"}', ("Set-Cookie", "one=c")),
        answer(200, b"{}", ("Set-Cookie", "three=; Path=/portal; Max-Age=0")),
        answer(200, b"{}"),
    )
    with MisbehavingServer(*replies) as server:
        session = drive(at(server.url), logged_in_calls(4))
    assert cookies_sent(server) == [None, "one=1", "three=3; one=a=b", "three=3; one=c", "one=c"]
    assert [cookie.value for cookie in session.cookies] == ["c"]


@pytest.mark.usefixtures("soon")
def test_a_request_that_is_sent_again_brings_the_cookie_that_its_first_answer_set(drive: Drive) -> None:
    replies = (
        answer(204, b"", TOKEN, ("Set-Cookie", "node=1")),
        answer(503, b"", ("Set-Cookie", "node=2")),
        answer(),
    )
    with MisbehavingServer(*replies) as server:
        drive(at(server.url), logged_in_calls())
    assert cookies_sent(server) == [None, "node=1", "node=2"]


def test_the_library_behind_a_gateway_that_adds_a_prefix_gets_its_cookie(drive: Drive) -> None:
    cookie = ("Set-Cookie", "JSESSIONID=b; Path=/MicroStrategyLibrary")
    with MisbehavingServer(answer(204, b"", TOKEN, cookie), answer()) as server:
        drive(at(f"{server.url}/api/bi/MicroStrategyLibrary"), logged_in_calls())
    assert cookies_sent(server) == [None, "JSESSIONID=b"]


@pytest.mark.parametrize("driver", ["requests", "aiohttp"])
def test_a_driver_registers_each_secret_before_it_can_be_logged_and_not_without_end(driver: str) -> None:
    """The server renews a cookie in each answer."""
    renewed = [answer(200, b"{}", ("Set-Cookie", f"node=cookie-{number:04}")) for number in range(60)]
    registered = registered_by(driver, [answer(204, b"", TOKEN), *renewed], logged_in_calls(60))
    assert registered[:3] == [ADMINISTRATOR.password, TOKEN[1], "cookie-0000"]
    assert len(registered) == len(set(registered)) == base_driver.MAX_SECRETS + 1


@pytest.mark.parametrize("driver", ["requests", "aiohttp"])
def test_a_driver_registers_the_token_of_a_second_login_after_many_renewed_cookies(driver: str) -> None:
    def logged_in_twice() -> Flow[None]:
        yield from logged_in_calls(60)
        yield from logged_in_calls(1)

    renewed = [answer(200, b"{}", ("Set-Cookie", f"node=cookie-{number:04}")) for number in range(60)]
    second = [answer(204, b"", ("X-MSTR-AuthToken", "second-token-of-nobody")), answer()]
    registered = registered_by(driver, [answer(204, b"", TOKEN), *renewed, *second], logged_in_twice())
    assert registered[-1] == "second-token-of-nobody"


def registered_by(driver: str, replies: list[bytes], flow: Flow[Any]) -> list[str]:
    """Return the secrets that a driver registers, in their order."""
    registered: list[str] = []

    async def aregister(secrets: list[str]) -> None:
        registered.extend(secrets)

    with MisbehavingServer(*replies) as server:
        if driver == "requests":
            with SyncDriver(at(server.url), registered.extend) as running:
                running.run(flow)
        else:
            asyncio.run(AsyncDriver(at(server.url), aregister).run(flow))
    return registered


def test_two_sessions_through_one_driver_do_not_mix(drive: Drive, sandbox: Sandbox) -> None:
    def two() -> Flow[tuple[Session, Session]]:
        first = yield from login(CREDENTIALS)
        second = yield from login(CREDENTIALS)
        for session in (first, second, first):
            yield from get_session_status(session)
        yield from logout(first)
        yield from get_session_status(second)
        return first, second

    first, second = drive(at(sandbox.url), two())
    assert first.token != second.token
    carried = [dict(request.cookies) for request in sandbox.requests]
    assert carried[:2] == [{}, {}]
    expected = (first, second, first, first, second)
    assert carried[2:] == [{cookie.name: cookie.value for cookie in each.cookies} for each in expected]
    assert sandbox.report().open_sessions == 1


def test_nothing_of_a_session_stays_in_the_client_of_requests(sandbox: Sandbox) -> None:
    with SyncDriver(at(sandbox.url)) as driver:
        session = driver.run(login(CREDENTIALS))
        assert len(list(session.cookies)) == 4
        assert list(driver._client.cookies) == []
        assert not any(secret in str(driver._client.headers) for secret in session.secrets)
        driver.run(logout(session))


def test_a_driver_runs_many_flows_over_one_connection(drive: Drive) -> None:
    with MisbehavingServer() as server:
        drive(at(server.url), in_turn(ask(), ask(method="POST", body={"a": "ü"}), ask(query={"q": "a b&c"})))
    assert server.connections == 1
    assert [heard.target for heard in server.heard] == ["/api/x", "/api/x", "/api/x?q=a+b%26c"]
    assert json.loads(server.heard[1].body) == {"a": "ü"}


def test_a_post_without_a_body_says_so(drive: Drive) -> None:
    with MisbehavingServer() as server:
        drive(at(server.url), ask(method="POST"))
    assert server.heard[0].header("Content-Length") == "0"


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_not_followed_and_the_error_names_the_host(
    drive: Drive, status: int, method: str
) -> None:
    with MisbehavingServer() as elsewhere:
        reply = answer(status, b"", ("Location", f"http://localhost:{elsewhere.port}/login?next=%2Fapi"))
        with MisbehavingServer(reply) as server:
            error = refusal(drive, at(server.url), ask(method=method, body={"a": 1}))
    assert isinstance(error, InvalidResponse)
    assert "redirects to localhost" in str(error)
    assert (elsewhere.connections, len(server.heard)) == (0, 1)


@pytest.mark.usefixtures("soon")
def test_a_login_does_not_follow_a_redirect(drive: Drive, sandbox: Sandbox) -> None:
    with MisbehavingServer() as elsewhere:
        sandbox.add_fault(
            "login", "redirect", times=None, location=f"http://localhost:{elsewhere.port}/api/auth/login"
        )
        error = refusal(drive, at(sandbox.url), login(CREDENTIALS))
    assert "redirects to localhost" in str(error)
    assert ADMINISTRATOR.password not in str(error)
    assert elsewhere.connections == 0


@pytest.mark.parametrize("location", ["/MicroStrategyLibrary/auth/login", "login.jsp", "../../auth/ui/login"])
def test_a_redirect_within_the_server_names_no_host(drive: Drive, location: str) -> None:
    with MisbehavingServer(answer(302, b"", ("Location", location))) as server:
        error = refusal(drive, at(server.url), ask())
    assert "redirects to another path" in str(error)
    assert len(server.heard) == 1


# A server that cannot be reached did nothing


def test_a_refused_connection_did_nothing(drive: Drive) -> None:
    error = refusal(drive, at(f"http://127.0.0.1:{free_port()}"), ask())
    assert isinstance(error, ServerUnavailable)
    assert error.nothing_done
    assert "could not ask" in str(error)


def test_an_unknown_host_name_did_nothing(drive: Drive) -> None:
    error = refusal(drive, at("http://strategy.invalid"), ask())
    assert isinstance(error, ServerUnavailable)
    assert error.nothing_done


@pytest.mark.parametrize("host", ["strategy..invalid", f"{'a' * 64}.invalid"])
def test_an_impossible_host_name_is_an_mstr_error(drive: Drive, host: str) -> None:
    with pytest.raises(MstrError):
        drive(at(library_url(host)), ask())


# Linux itself gives up after two minutes.
@pytest.mark.timeout(100)
@pytest.mark.parametrize("limit", [1.0, 3600.0])
def test_a_connection_that_times_out_did_nothing(
    drive: Drive, black_hole: int, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    monkeypatch.setattr(settings, "CONNECT_TIMEOUT", 0.5)
    monkeypatch.setattr(retry, "MAX_RETRY_SECONDS", 0.0)
    error = refusal(drive, at(f"http://127.0.0.1:{black_hole}", timeout=limit), ask(retry_for=None))
    assert isinstance(error, ServerUnavailable)
    assert error.nothing_done


# A request whose answer is incomplete may have had an effect


def _reset(line: Line) -> None:
    line.reset()


def _close(line: Line) -> None:
    line.close()


def _silence(line: Line) -> None:
    line.stay_silent()


def _part_then(end: Callable[[Line], None], *headers: tuple[str, str]) -> Callable[[Line], None]:
    def reply(line: Line) -> None:
        part = b'c\r\n{"status": 1\r\n' if headers else b'{"status": 1'
        line.send(answer(200, part, *(headers or (("Content-Length", "400"),))))
        time.sleep(0.05)
        end(line)

    return reply


def _without_end(again: bytes, *first: bytes) -> Callable[[Line], None]:
    """Send the first bytes at once, and then these again and again, byte by byte."""

    def reply(line: Line) -> None:
        line.send(b"".join(first))
        line.drip(cycle(again), 0.1)

    return reply


LIMIT = 0.5

# A block of one byte, stored as it is, of which a zipped body may hold any number.
STORED = b"\x00\x01\x00\xfe\xffx"

# Only a limit on the whole answer ends any of these: each byte comes soon, or none comes at all.
UNENDING: dict[str, Reply] = {
    "body": _without_end(b"x", answer(200, b"", ("Content-Length", "999999"))),
    "body that stops": lambda line: [line.send(answer(200, b"{", ("Content-Length", "999"))), _silence(line)],
    "body of chunks": _without_end(b"1\r\nx\r\n", answer(200, b"", ("Transfer-Encoding", "chunked"))),
    "size of a chunk": _without_end(b"0", answer(200, b"", ("Transfer-Encoding", "chunked"))),
    "trailers": _without_end(b"A: b\r\n", answer(200, b"2\r\n{}\r\n0\r\n", ("Transfer-Encoding", "chunked"))),
    "body to the end of the connection": _without_end(b"x", b"HTTP/1.0 200 OK\r\n\r\n"),
    "zipped body": _without_end(
        STORED,
        answer(200, b"", ("Content-Encoding", "gzip"), ("Content-Length", "999999")),
        gzip.compress(b"")[:10],
    ),
    "head": _without_end(b"x", b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "list of headers": _without_end(b"A: " + b"b" * 100 + b"\r\n", b"HTTP/1.1 200 OK\r\n"),
    "silence": _silence,
}


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(_reset, id="reset before the answer"),
        pytest.param(_close, id="closed before the answer"),
        pytest.param(_part_then(_reset), id="reset within the body"),
        pytest.param(_part_then(_close), id="body shorter than its length"),
        pytest.param(
            _part_then(_close, ("Transfer-Encoding", "chunked")), id="body of chunks without its end"
        ),
        pytest.param(b"HTTP/1.1 2", id="not even a status"),
    ],
)
def test_a_request_whose_answer_is_lost_may_have_had_an_effect(drive: Drive, reply: Reply) -> None:
    with MisbehavingServer(reply) as server:
        once = ask(method="POST", repeatable=False, retry_for=10.0)
        error = refusal(drive, at(server.url, timeout=1.0), once)
    assert isinstance(error, ServerUnavailable)
    assert not error.nothing_done
    assert len(server.heard) == 1


@pytest.mark.parametrize("reply", UNENDING.values(), ids=UNENDING.keys())
def test_an_endless_answer_times_out(drive: Drive, reply: Reply) -> None:
    with MisbehavingServer(reply) as server:
        once = ask(method="POST", repeatable=False, retry_for=10.0)
        error = refusal(drive, at(server.url, timeout=LIMIT), once)
    assert isinstance(error, ServerUnavailable)
    assert error.what == "could not ask: no answer within 0.5 s"
    assert not error.nothing_done
    assert len(server.heard) == 1


@pytest.mark.parametrize("part", ["head", "body"])
@pytest.mark.parametrize("way", ["TLS", "proxy", "tunnel"])
def test_the_time_limit_holds_on_every_way_to_the_server(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, authority: Authority, way: str, part: str
) -> None:
    server = MisbehavingServer(UNENDING[part], tls=None if way == "proxy" else authority.server())
    proxy = server if way == "proxy" else MisbehavingServer(lambda line: line.tunnel(server.port))
    once = ask(method="POST", repeatable=False, retry_for=10.0)
    with server, proxy if way == "tunnel" else nullcontext():
        if way != "TLS":
            monkeypatch.setenv("http_proxy" if way == "proxy" else "https_proxy", proxy.url)
        # The limit holds for the handshake of TLS, too.
        error = refusal(drive, at(server.url, timeout=3 * LIMIT, verify=str(authority.file)), once)
    assert isinstance(error, ServerUnavailable)
    assert not error.nothing_done
    assert len(server.heard) == 1


def test_a_slow_call_does_not_shorten_the_time_of_the_next(drive: Drive) -> None:
    def slow(line: Line) -> None:
        time.sleep(1.2)
        line.send(answer())

    with MisbehavingServer(slow) as server:
        first, second = ask(retry_for=2.0), ask(retry_for=2.0)
        assert drive(at(server.url, timeout=2.0), in_turn(first, Pause(1.0), second)) == [{}] * 2
    assert (server.connections, len(server.heard)) == (1, 2)


def test_a_request_that_is_not_repeatable_is_not_repeated_on_a_persistent_connection(drive: Drive) -> None:
    with MisbehavingServer(answer(), _close, answer()) as server:
        error = refusal(drive, at(server.url), in_turn(ask(), ask(method="POST", repeatable=False)))
    assert isinstance(error, ServerUnavailable)
    assert not error.nothing_done
    assert len(server.heard) == 2


# What is sent again, and for how long


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "status", "status": status} for status in (408, 429, 500, 502, 503, 504)),
        {"kind": "lost_before"},
        {"kind": "lost_after"},
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
@pytest.mark.usefixtures("soon")
def test_a_get_is_sent_again(drive: Drive, sandbox: Sandbox, fault: dict[str, Any]) -> None:
    sandbox.add_fault("sessions", **fault)

    def calls() -> Flow[dict[str, Any]]:
        session = yield from login(CREDENTIALS)
        return (yield from get_session_status(session))

    assert drive(at(sandbox.url), calls())["timeout"] == 1800
    assert sandbox.report().requests["sessions"] == 2


@pytest.mark.parametrize("call", ["login", "create_instance", "delete_instance"])
@pytest.mark.usefixtures("soon")
def test_a_login_an_instance_and_its_deletion_are_sent_again(
    drive: Drive, sandbox: Sandbox, call: str
) -> None:
    sandbox.add_fault(call, "lost_after")

    def calls() -> Flow[None]:
        instance = yield from opened()
        yield from delete_instance(instance)

    drive(at(sandbox.url), calls())
    assert sandbox.report().requests[call] == 2


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ({"kind": "status", "status": 503}, 0),
        ({"kind": "status", "status": 500}, 0),
        ({"kind": "lost_before"}, 0),
        ({"kind": "lost_after"}, 1),
        ({"kind": "garbled"}, 1),
    ],
    ids=str,
)
def test_a_publish_that_may_have_been_accepted_is_sent_once(
    drive: Drive, sandbox: Sandbox, fault: dict[str, Any], accepted: int
) -> None:
    sandbox.add_fault("publish", **fault)

    def calls() -> Flow[None]:
        instance = yield from opened()
        yield from start_publish(instance, ONE_TABLE)

    error = refusal(drive, at(sandbox.url), calls())
    assert isinstance(error, (ServerUnavailable, InvalidResponse))
    assert not getattr(error, "nothing_done", False)
    report = sandbox.report()
    assert (report.requests["publish"], len(report.publishes)) == (1, accepted)


@pytest.mark.usefixtures("soon")
def test_a_publish_that_the_server_was_too_busy_for_is_sent_again(drive: Drive, sandbox: Sandbox) -> None:
    sandbox.add_fault("publish", "status", status=429)

    def calls() -> Flow[None]:
        instance = yield from opened()
        yield from start_publish(instance, ONE_TABLE)

    drive(at(sandbox.url), calls())
    report = sandbox.report()
    assert (report.requests["publish"], len(report.publishes)) == (2, 1)


@pytest.mark.usefixtures("soon")
def test_a_request_that_is_not_repeatable_is_sent_again_after_a_refused_connection(drive: Drive) -> None:
    port = free_port()
    serving: list[MisbehavingServer] = []

    def listen() -> None:
        serving.append(MisbehavingServer(port=port).__enter__())

    late = threading.Timer(0.3, listen)
    late.start()
    try:
        drive(at(f"http://127.0.0.1:{port}"), ask(method="POST", repeatable=False, retry_for=60.0))
    finally:
        late.join()
        serving[0].__exit__(None, None, None)
    assert len(serving[0].heard) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_rejected_request_is_not_sent_again(drive: Drive, status: int) -> None:
    body = json.dumps({"code": "ERR001", "message": "no"}).encode()
    with MisbehavingServer(answer(status, body)) as server:
        error = refusal(drive, at(server.url), ask(retry_for=10.0))
    assert not isinstance(error, (ServerUnavailable, InvalidResponse))
    assert len(server.heard) == 1


INVALID_RESPONSES = {
    "page": answer(200, b"<html>Please sign in</html>", ("Content-Type", "text/html")),
    "page that is not found": answer(404, b"<html>Not Found</html>", ("Content-Type", "text/html")),
    "half an answer": answer(200, b'{"status":'),
    "redirect": answer(302, b"", ("Location", "https://sso.example.com/")),
}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("reply", INVALID_RESPONSES.values(), ids=INVALID_RESPONSES.keys())
def test_a_request_with_invalid_responses_is_sent_three_times(drive: Drive, reply: Reply) -> None:
    with MisbehavingServer(reply) as server:
        error = refusal(drive, at(server.url), ask(retry_for=None))
    assert isinstance(error, InvalidResponse)
    assert len(server.heard) == 3


@pytest.mark.usefixtures("soon")
def test_a_request_with_its_own_retry_time_is_sent_again_after_many_invalid_responses(drive: Drive) -> None:
    invalid = [answer(200, b"{")] * (retry.MAX_INVALID_RESPONSES + 2)
    with MisbehavingServer(*invalid, answer(200, b'{"status": 1}')) as server:
        assert drive(at(server.url), ask(retry_for=60.0)) == {"status": 1}
    assert len(server.heard) == len(invalid) + 1


def test_a_request_that_is_not_repeatable_is_not_sent_again_after_an_invalid_response(drive: Drive) -> None:
    with MisbehavingServer(answer(200, b"{")) as server:
        error = refusal(drive, at(server.url), ask(method="POST", repeatable=False, retry_for=None))
    assert isinstance(error, InvalidResponse)
    assert len(server.heard) == 1


@pytest.mark.usefixtures("soon")
def test_a_valid_response_after_an_invalid_one_is_returned(drive: Drive) -> None:
    with MisbehavingServer(answer(200, b"{"), answer(200, b'{"status": 1}')) as server:
        assert drive(at(server.url), ask(retry_for=30.0)) == {"status": 1}
    assert len(server.heard) == 2


@pytest.mark.usefixtures("soon")
def test_an_outage_does_not_count_as_an_invalid_response(drive: Drive) -> None:
    away, invalid = answer(503, b""), answer(200, b"{")
    with MisbehavingServer(away, away, invalid, invalid, answer(200, b'{"status": 1}')) as server:
        assert drive(at(server.url), ask(retry_for=None)) == {"status": 1}
    assert len(server.heard) == 5


def test_retry_after_is_respected(drive: Drive, pauses: Callable[[], list[float]]) -> None:
    with MisbehavingServer(answer(503, b"", ("Retry-After", "2")), answer()) as server:
        begun = time.monotonic()
        drive(at(server.url), ask(retry_for=60.0))
        assert time.monotonic() - begun >= 2.0
    assert (pauses(), len(server.heard)) == ([2.0], 2)


def test_a_retry_after_beyond_the_retry_time_ends_the_retries_at_once(
    drive: Drive, pauses: Callable[[], list[float]]
) -> None:
    with MisbehavingServer(answer(503, b"", ("Retry-After", "3600"))) as server:
        error = refusal(drive, at(server.url), ask(retry_for=5.0))
    assert error.reply.retry_after == 3600
    assert (pauses(), len(server.heard)) == ([], 1)


def test_the_retry_time_bounds_the_retries(drive: Drive, pauses: Callable[[], list[float]]) -> None:
    with MisbehavingServer(answer(503, b"")) as server:
        error = refusal(drive, at(server.url), ask(retry_for=4.0))
    assert isinstance(error, ServerUnavailable)
    assert error.reply.status == 503
    # The first pause is of one second at most.
    assert 0.0 < sum(pauses()) <= 4.0
    assert len(server.heard) == len(pauses()) + 1


def test_the_timeout_of_a_request_bounds_the_wait_for_its_answer(drive: Drive) -> None:
    with MisbehavingServer(_silence) as server:
        error = refusal(drive, at(server.url, timeout=3600.0), ask(retry_for=0.0, timeout=1.0))
    assert isinstance(error, ServerUnavailable)
    assert len(server.heard) == 1


def test_without_a_retry_time_there_is_one_attempt(drive: Drive) -> None:
    with MisbehavingServer(answer(503, b"")) as server:
        refusal(drive, at(server.url), ask(retry_for=0.0))
    assert len(server.heard) == 1


def test_each_retry_is_a_warning_without_secrets(
    drive: Drive, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    echo = json.dumps({"message": f"no room for {ADMINISTRATOR.name}:{ADMINISTRATOR.password}"})
    sandbox.add_fault("login", "status", status=503, body=echo)
    sandbox.add_fault("create_instance", "lost_after")
    caplog.set_level(logging.DEBUG)
    drive(at(sandbox.url), opened())
    logged = [record for record in caplog.records if record.name == outage.__name__]
    assert [record.levelno for record in logged] == [logging.WARNING] * 4
    first, first_end, second, second_end = [record.getMessage() for record in logged]
    assert first.startswith("the server is unavailable; ")
    assert "connection" in second
    assert all("; retrying since" in line for line in (first, second))
    assert all(line.startswith("The server answers again, after") for line in (first_end, second_end))
    assert not [secret for secret in sandbox.secrets() if secret in caplog.text]


# Certificates


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificate_verification_can_be_disabled(drive: Drive, secure: MisbehavingServer) -> None:
    assert drive(at(secure.url, verify=False), ask()) == {}


def test_a_certificate_is_checked_with_the_ca_file_of_the_connection(
    drive: Drive, secure: MisbehavingServer, authority: Authority
) -> None:
    assert drive(at(secure.url, verify=str(authority.file)), in_turn(ask(), ask())) == [{}, {}]
    assert secure.connections == 1


def test_a_certificate_that_is_not_trusted_is_rejected_and_not_tried_again(
    drive: Drive, secure: MisbehavingServer
) -> None:
    error = refusal(drive, at(secure.url, verify=True), ask(retry_for=20.0))
    assert isinstance(error, CertificateError)
    assert not error.retryable
    assert "verify" in str(error)
    assert (secure.connections, secure.heard) == (1, [])


def test_a_certificate_for_another_host_is_rejected(drive: Drive, authority: Authority) -> None:
    with MisbehavingServer(tls=authority.server("127.0.0.2")) as server:
        error = refusal(drive, at(server.url, verify=str(authority.file)), ask(retry_for=20.0))
    assert isinstance(error, CertificateError)
    assert (server.connections, server.heard) == (1, [])


def test_a_ca_file_that_does_not_exist_is_invalid_input(
    drive: Drive, secure: MisbehavingServer, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pem"
    error = refusal(drive, at(secure.url, verify=str(missing)), ask())
    assert isinstance(error, InvalidInput)
    assert str(missing) in str(error)
    assert secure.connections == 0


def test_a_ca_file_that_holds_no_certificate_is_no_matter_of_waiting(
    drive: Drive, secure: MisbehavingServer, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("this is no certificate\n")
    error = refusal(drive, at(secure.url, verify=str(empty)), ask(retry_for=2.0))
    assert not error.retryable


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_ca_file_of_the_environment_is_honoured(
    drive: Drive,
    secure: MisbehavingServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(authority.file))
    assert drive(at(secure.url, verify=True), ask()) == {}


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_ca_file_of_the_environment_does_not_turn_an_unchecked_certificate_into_a_checked_one(
    drive: Drive, secure: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert drive(at(secure.url, verify=False), ask()) == {}


def test_https_to_a_server_that_speaks_http_is_unavailable(drive: Drive, sandbox: Sandbox) -> None:
    error = refusal(drive, at(sandbox.origin.replace("http:", "https:")), ask())
    assert isinstance(error, ServerUnavailable)


# Proxies and logins that the machine knows of


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with MisbehavingServer() as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert drive(at("http://strategy.invalid/Library"), ask(query={"a": "b"})) == {}
    assert [(heard.method, heard.target) for heard in proxy.heard] == [
        ("GET", "http://strategy.invalid/Library/api/x?a=b")
    ]


def test_a_proxy_without_a_scheme_is_used(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer() as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        assert drive(at("http://strategy.invalid"), ask()) == {}
    assert len(proxy.heard) == 1


def test_a_proxy_with_a_login_gets_it_and_no_error_shows_it(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MisbehavingServer(answer(), answer(407, b"")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:proxy-secret@127.0.0.1:{proxy.port}")
        error = refusal(drive, at("http://strategy.invalid"), in_turn(ask(), ask()))
    monkeypatch.setenv("http_proxy", f"http://user:proxy-secret@127.0.0.1:{free_port()}")
    refused = refusal(drive, at("http://strategy.invalid"), ask())
    assert proxy.heard[0].header("Proxy-Authorization") == "Basic dXNlcjpwcm94eS1zZWNyZXQ="
    assert "proxy-secret" not in f"{error}{error!r}{refused}{refused!r}"


def test_https_goes_through_a_tunnel_of_the_proxy_and_is_checked_there(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, secure: MisbehavingServer, authority: Authority
) -> None:
    with MisbehavingServer(lambda line: line.tunnel(secure.port)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert drive(at(secure.url, verify=str(authority.file)), ask()) == {}
        error = refusal(drive, at(secure.url, verify=True), ask())
    assert isinstance(error, CertificateError)
    assert [(heard.method, heard.target) for heard in proxy.heard] == [
        ("CONNECT", f"127.0.0.1:{secure.port}")
    ] * 2
    assert [heard.target for heard in secure.heard] == ["/api/x"]


def test_a_proxy_that_cannot_be_reached_did_nothing(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    error = refusal(drive, at("http://strategy.invalid"), ask())
    assert isinstance(error, ServerUnavailable)
    assert error.nothing_done


@pytest.mark.parametrize("end", [_reset, _close], ids=["reset", "closed"])
@pytest.mark.parametrize("tunnel", [False, True], ids=["plain", "tunnel"])
def test_a_request_whose_answer_a_proxy_loses_may_have_had_an_effect(
    drive: Drive,
    monkeypatch: pytest.MonkeyPatch,
    authority: Authority,
    end: Callable[[Line], None],
    tunnel: bool,
) -> None:
    reached = MisbehavingServer(end, tls=authority.server() if tunnel else None)
    once = ask(method="POST", repeatable=False, retry_for=3.0)
    with reached, MisbehavingServer(lambda line: line.tunnel(reached.port)) as relay:
        monkeypatch.setenv(*(("https_proxy", relay.url) if tunnel else ("http_proxy", reached.url)))
        url = reached.url if tunnel else "http://strategy.invalid"
        error = refusal(drive, at(url, verify=str(authority.file)), once)
    assert isinstance(error, ServerUnavailable)
    assert len(reached.heard) == 1
    assert not error.nothing_done


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_is_honoured(drive: Drive, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with MisbehavingServer() as proxy, MisbehavingServer() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("all_proxy", proxy.url)
        monkeypatch.setenv(variable, "example.com,127.0.0.1")
        drive(at(server.url), ask())
    assert (proxy.connections, len(server.heard)) == (0, 1)


@pytest.mark.parametrize("place", ["home", "NETRC"])
def test_a_netrc_is_ignored(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login any password one\n")
    netrc.chmod(0o600)
    if place == "NETRC":
        monkeypatch.setenv("NETRC", str(netrc))
    with MisbehavingServer() as server:
        drive(at(server.url), ask())
    assert server.heard[0].header("Authorization") is None


# Servers with habits of their own


@pytest.mark.parametrize("case", ["title", "lower"])
def test_header_names_ignore_case(drive: Drive, case: str) -> None:
    with Sandbox(Settings(publish_seconds=0.1, header_case=case)) as sandbox:
        assert drive(at(sandbox.url), whole_refresh()) is State.FINISHED


BODY = json.dumps({"tables": ["ü" * 100] * 100}).encode()


def _chunked(data: bytes, size: int) -> bytes:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _in_pieces(data: bytes, size: int) -> Callable[[Line], None]:
    def reply(line: Line) -> None:
        for start in range(0, len(data), size):
            line.send(data[start : start + size])
            time.sleep(0.002)

    return reply


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(200, BODY), id="plain"),
        pytest.param(answer(200, gzip.compress(BODY), ("Content-Encoding", "gzip")), id="zipped"),
        pytest.param(
            _in_pieces(answer(200, gzip.compress(BODY), ("Content-Encoding", "gzip")), 7),
            id="zipped, in small pieces",
        ),
        pytest.param(
            answer(
                200,
                gzip.compress(BODY[:500]) + gzip.compress(BODY[500:]),
                ("Content-Encoding", "gzip"),
            ),
            id="zipped in two members",
        ),
        pytest.param(answer(200, _chunked(BODY, 100), ("Transfer-Encoding", "chunked")), id="in many chunks"),
        pytest.param(
            _in_pieces(answer(200, _chunked(BODY, 999), ("Transfer-Encoding", "chunked")), 333),
            id="in chunks, in pieces",
        ),
        pytest.param(
            answer(
                200,
                _chunked(gzip.compress(BODY), 3),
                ("Transfer-Encoding", "chunked"),
                ("Content-Encoding", "gzip"),
            ),
            id="zipped in chunks",
        ),
        pytest.param(answer(200, BODY, ("content-LENGTH", str(len(BODY)))), id="other case"),
        pytest.param(answer(200, BODY, ("Content-Type", "text/plain")), id="other type"),
    ],
)
def test_a_body_is_read_completely_and_the_connection_stays_open(drive: Drive, reply: Reply) -> None:
    calls = in_turn(ask(retry_for=HANG_SECONDS), ask(retry_for=HANG_SECONDS))
    with MisbehavingServer(reply) as server:
        assert drive(at(server.url, timeout=HANG_SECONDS), calls) == [json.loads(BODY)] * 2
    assert (server.connections, len(server.heard)) == (1, 2)


@pytest.mark.parametrize("length", [True, False], ids=["with a length", "to the end"])
def test_http_1_0_is_supported(drive: Drive, length: bool) -> None:
    headers = () if length else (("Transfer-Encoding", "identity"),)

    def reply(line: Line) -> None:
        line.send(answer(200, BODY, *headers, version="1.0"))
        line.close()

    with MisbehavingServer(reply) as server:
        assert drive(at(server.url), in_turn(ask(), ask())) == [json.loads(BODY)] * 2
    assert server.connections == 2


def test_a_connection_closed_between_two_calls_is_made_anew(drive: Drive) -> None:
    def answer_and_hang_up(line: Line) -> None:
        line.send(answer())
        line.close()

    with MisbehavingServer(answer_and_hang_up) as server:
        once = ask(method="POST", repeatable=False)
        gone = server.hung_up
        assert drive(at(server.url), in_turn(ask(), gone, ask(), gone, once)) == [{}] * 3
    assert server.connections == 3


@pytest.mark.usefixtures("soon")
def test_a_get_on_a_closed_persistent_connection_recovers(drive: Drive) -> None:
    with MisbehavingServer(answer(), _close, answer(200, b'{"status": 1}')) as server:
        assert drive(at(server.url), in_turn(ask(), ask(retry_for=10.0))) == [{}, {"status": 1}]
    assert [heard.connection for heard in server.heard] == [1, 1, 2]


@pytest.mark.parametrize("raw", ["Zo\xc3\xab =", "\xe6\x97\xa5", "plain"])
def test_a_cookie_goes_back_as_it_came_through_either_driver(drive: Drive, raw: str) -> None:
    other = _with_aiohttp if drive is _with_requests else _with_requests
    replies = answer(204, b"", TOKEN, ("Set-Cookie", f"name={raw}; Path=/")), answer()
    with MisbehavingServer(*replies) as server:
        session = drive(at(server.url), login(CREDENTIALS))
        drive(at(server.url), get_session_status(session))
        other(at(server.url), get_session_status(session))
    assert cookies_sent(server) == [None, f"name={raw}", f"name={raw}"]


def test_a_session_opened_with_one_driver_goes_on_in_the_other(drive: Drive, sandbox: Sandbox) -> None:
    other = _with_aiohttp if drive is _with_requests else _with_requests
    instance = drive(at(sandbox.url), opened())
    other(at(sandbox.url), start_publish(instance, ONE_TABLE))
    sandbox.finish_publishes()
    status = drive(at(sandbox.url), get_publish_status(instance))
    assert [table.state for table in status.tables] == [State.FINISHED]
    assert other(at(sandbox.url), job_of(instance).close()) is None
    assert sandbox.report().open_sessions == 0


def test_a_refused_login_names_no_secret(drive: Drive, sandbox: Sandbox) -> None:
    wrong = Credentials(login="administrator", password="not-the-password")
    error = refusal(drive, at(sandbox.url), login(wrong))
    assert isinstance(error, AuthenticationError)
    assert "not-the-password" not in f"{error}{error!r}"


@pytest.mark.usefixtures("soon")
def test_an_unknown_path_of_the_server_is_not_the_library(drive: Drive, sandbox: Sandbox) -> None:
    error = refusal(drive, at(f"{sandbox.origin}/Elsewhere"), login(CREDENTIALS))
    assert isinstance(error, InvalidResponse)
    assert "MicroStrategyLibrary" in str(error)


# Interruptions


class Interruption(BaseException):
    """What a signal raises in a worker."""


def test_an_interrupted_opening_logs_out_in_a_worker(sandbox: Sandbox) -> None:
    sandbox.add_fault("create_instance", "slow_after", seconds=10)

    def interrupt(*_: object) -> None:
        raise Interruption

    before = signal.signal(signal.SIGALRM, interrupt)
    threading.Thread(target=_alarm_at, args=(sandbox, "create_instance"), daemon=True).start()
    try:
        with pytest.raises(Interruption):
            _with_requests(at(sandbox.url), open_job(TUTORIAL.id, RETAIL.id))
    finally:
        signal.signal(signal.SIGALRM, before)
    report = sandbox.report()
    assert (report.logins, report.logouts, report.open_sessions) == (1, 1, 0)


def _alarm_at(sandbox: Sandbox, call: str) -> None:
    sandbox.wait_for(lambda report: call in report.requests)
    time.sleep(0.1)
    signal.setitimer(signal.ITIMER_REAL, 0.001)


async def _until(sandbox: Sandbox, call: str) -> None:
    await asyncio.to_thread(sandbox.wait_for, lambda report: call in report.requests)


async def test_a_cancelled_opening_logs_out_on_the_event_loop(sandbox: Sandbox) -> None:
    sandbox.add_fault("create_instance", "slow_after", seconds=10)
    interrupted = open_job(TUTORIAL.id, RETAIL.id)
    task = asyncio.create_task(AsyncDriver(at(sandbox.url)).run(interrupted))
    await _until(sandbox, "create_instance")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = sandbox.report()
    assert (report.logins, report.logouts, report.open_sessions) == (1, 1, 0)


@pytest.mark.parametrize("where", ["call", "pause", "repetition"])
async def test_a_cancellation_is_raised_in_the_flow(where: str) -> None:
    seen: list[BaseException] = []
    begun = asyncio.Event()

    def watched() -> Flow[None]:
        begun.set()
        try:
            if where == "pause":
                yield Pause(3600)
            else:
                yield from ask(retry_for=3600.0)
        except BaseException as error:
            seen.append(error)
            raise

    reply = _silence if where == "call" else answer(503, b"", ("Retry-After", "1800"))
    with MisbehavingServer(reply) as server:
        driver = AsyncDriver(at(server.url, timeout=3600.0))
        task = asyncio.create_task(driver.run(watched()))
        reached = {"call": lambda: server.heard, "pause": begun.is_set, "repetition": lambda: driver.retries}
        await until(reached[where])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, HANG_SECONDS)
    assert [type(error) for error in seen] == [asyncio.CancelledError]
    assert task.cancelled()


# One client for the whole event loop


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientSession]:
    """Every client that aiohttp made during the test."""
    made: list[aiohttp.ClientSession] = []
    begin = aiohttp.ClientSession.__init__

    def note(self: aiohttp.ClientSession, *args: Any, **kwargs: Any) -> None:
        made.append(self)
        begin(self, *args, **kwargs)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", note)
    return made


async def test_runs_of_one_event_loop_share_one_client(
    sandbox: Sandbox, clients: list[aiohttp.ClientSession]
) -> None:
    drivers = [AsyncDriver(at(sandbox.url)) for _ in range(3)]
    models = [model.id for model in (RETAIL, FINANCE, SUPPLY_CHAIN)]
    states = await asyncio.gather(
        *(driver.run(whole_refresh(model)) for driver, model in zip(drivers, models, strict=True))
    )
    assert states == [State.FINISHED] * 3
    assert [client.closed for client in clients] == [True]
    assert sandbox.report().open_sessions == 0


async def test_the_client_lasts_until_the_last_run_ends(
    sandbox: Sandbox, clients: list[aiohttp.ClientSession]
) -> None:
    driver = AsyncDriver(at(sandbox.url))
    others_have_ended = threading.Event()

    def last(line: Line) -> None:
        others_have_ended.wait(HANG_SECONDS)
        line.send(answer())

    with MisbehavingServer(last) as server:
        slow = AsyncDriver(at(server.url, timeout=HANG_SECONDS)).run(ask(retry_for=HANG_SECONDS))
        lasting = asyncio.create_task(slow)
        await until(lambda: server.heard)
        cancelled = asyncio.create_task(driver.run(in_turn(Pause(3600))))
        await driver.run(login(CREDENTIALS))
        with pytest.raises(MstrError):
            await driver.run(login(Credentials(login="nobody", password="x")))
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert [client.closed for client in clients] == [False]
        others_have_ended.set()
        assert await lasting == {}
    assert [client.closed for client in clients] == [True]
    await driver.run(login(CREDENTIALS))
    assert [client.closed for client in clients] == [True, True]


def test_event_loops_have_a_client_each(sandbox: Sandbox, clients: list[aiohttp.ClientSession]) -> None:
    driver = AsyncDriver(at(sandbox.url))
    together = threading.Barrier(2)
    failed: list[BaseException] = []

    def loop() -> None:
        try:
            together.wait()
            asyncio.run(driver.run(in_turn(Pause(0.1), login(CREDENTIALS), Pause(0.1))))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [client.closed for client in clients] == [True, True]


@pytest.mark.parametrize("end", ["finished", "failed", "cancelled"])
def test_no_client_is_left_unclosed(sandbox: Sandbox, end: str) -> None:
    complaints: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        driver = AsyncDriver(at(sandbox.url))
        if end == "finished":
            await driver.run(login(CREDENTIALS))
        elif end == "failed":
            with pytest.raises(AuthenticationError):
                await driver.run(login(Credentials(login="nobody", password="x")))
        else:
            task = asyncio.create_task(driver.run(in_turn(login(CREDENTIALS), Pause(60), login(CREDENTIALS))))
            await _until(sandbox, "login")
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        del driver
        gc.collect()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert [str(each.message) for each in warned if issubclass(each.category, ResourceWarning)] == []
    assert complaints == []


def test_nothing_blocks_the_event_loop(
    sandbox: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.add_fault("create_instance", "status", status=503)
    loop = asyncio.new_event_loop()
    sleeping = sleepers(monkeypatch)

    def later(line: Line) -> None:
        let_the_loop_run(loop)
        line.send(answer())

    class LateHandshake(MisbehavingServer):
        def _converse(self, *args: Any) -> None:
            let_the_loop_run(loop)
            super()._converse(*args)

    async def run() -> None:
        answer_while_the_loop_runs(sandbox, monkeypatch)
        with LateHandshake(later, tls=authority.server()) as secure:
            states = await asyncio.gather(
                AsyncDriver(at(sandbox.url)).run(whole_refresh()),
                AsyncDriver(at(secure.url, verify=str(authority.file))).run(ask(retry_for=5.0)),
            )
        assert states == [State.FINISHED, {}]

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())
    assert threading.current_thread() not in sleeping
    assert sandbox.report().requests["create_instance"] == 2


def test_the_address_that_is_asked_is_the_one_of_the_connection(drive: Drive) -> None:
    with MisbehavingServer() as server:
        drive(at(f"{server.url}/Some%20Place/Library"), ask(path="/api/objects/%2Fa%20b", query={"x": "ü/"}))
    split = urlsplit(server.heard[0].target)
    assert (split.path, split.query) == ("/Some%20Place/Library/api/objects/%2Fa%20b", "x=%C3%BC%2F")
    assert server.heard[0].header("Host") == f"127.0.0.1:{server.port}"
