# SPDX-License-Identifier: Apache-2.0
"""Answers that are malformed, cut off or far too large, over real HTTP and with both drivers."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import logging
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from drivers import ask, at, refusal
from drivers import with_aiohttp as _with_aiohttp
from drivers import with_requests as _with_requests
from misbehaving_server import Line, MisbehavingServer, Reply, answer

from airflow_provider_mstr.rest import body, retry
from airflow_provider_mstr.rest.endpoints.auth import login
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, list_tables
from airflow_provider_mstr.rest.errors import InvalidResponse, MstrError, RequestFailed, ServerUnavailable
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import expect_empty, json_object
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.transport import async_driver

Drive = Callable[..., Any]

TOKEN = "nllmm5lpmkjdsj4d4etgdikc6c"
COOKIE = "cookie-value-nobody-may-see"
INSTANCE = DataModelInstance(Session(TOKEN), "B7CA92F0", "9F4772B8", "CBE2C874")

_SECRETS = f"X-MSTR-AuthToken: {TOKEN}\r\nSet-Cookie: JSESSIONID={COOKIE}; Path=/\r\n".encode()
_LENGTH = b"Content-Length: 2\r\n"


@pytest.fixture(params=[_with_requests, _with_aiohttp], ids=["requests", "aiohttp"])
def drive(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Drive:
    """Runs one flow, with either driver, and without the machine's proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return request.param


def once(**fields: Any) -> Any:
    """Send one request that must not be repeated, as a publish is."""
    return ask(**{"method": "POST", "repeatable": False, "retry_for": 10.0, "parse": expect_empty} | fields)


def log_in() -> Any:
    return login(Credentials(login="etl", password="correct horse battery"))


def and_close(data: bytes) -> Callable[[Line], None]:
    def reply(line: Line) -> None:
        line.send(data)
        line.close()

    return reply


def shown(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """Everything that was logged at any level, or printed."""
    records = [record.getMessage() + str(record.exc_info) for record in caplog.records]
    return "".join([caplog.text, *records, *capfd.readouterr()])


# Malformed heads


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"".join([status, b"\r\n", *lines, b"\r\n{}"])


MALFORMED = {
    "no colon, first": head(b"a proxy was here\r\n", _LENGTH, _SECRETS),
    "no colon, in between": head(_LENGTH, b"proxy\r\n", _SECRETS),
    "no colon, last": head(_LENGTH, _SECRETS, b"proxy\r\n"),
    "no name": head(_LENGTH, b": value\r\n", _SECRETS),
    "space in the name": head(_LENGTH, b"X Proxy: 1\r\n", _SECRETS),
    "space before the colon": head(_LENGTH, b"X-Proxy : 1\r\n", _SECRETS),
    "name beyond ASCII": head(_LENGTH, b"X-Pr\xc3\xb6xy: 1\r\n", _SECRETS),
    "binary": head(_LENGTH, bytes(range(128, 200)) + b"\r\n", _SECRETS),
    "CR in a value": head(_LENGTH, b"X-Proxy: a\rb\r\n", _SECRETS),
    "CR that hides a header": head(_LENGTH, b"X-Proxy: a\rX-MSTR-AuthToken: other\r\n", _SECRETS),
    "line that ends with CR CR LF": head(_LENGTH, b"X-Proxy: a\r\r\n", _SECRETS),
    "continued line, first": head(b" a\r\n", _LENGTH, _SECRETS),
    "line of a mailbox": head(b"From somebody\r\n", _LENGTH, _SECRETS),
    "second status line": head(b"HTTP/1.1 200 OK\r\n", _LENGTH, _SECRETS),
    "too long a line": head(_LENGTH, b"X-Proxy: " + b"a" * 70_000 + b"\r\n", _SECRETS),
    "length that is no number": head(b"Content-Length: two\r\n", _SECRETS),
    "length below zero": head(b"Content-Length: -2\r\n", _SECRETS),
    "two lengths": head(_LENGTH, b"Content-Length: 3\r\n", _SECRETS),
    "length beside chunks": head(_LENGTH, b"Transfer-Encoding: chunked\r\n", _SECRETS),
    "status that is no number": head(_LENGTH, _SECRETS, status=b"HTTP/1.1 fine OK"),
    "status with a sign": head(_LENGTH, _SECRETS, status=b"HTTP/1.1 +200 OK"),
    "unknown version": head(_LENGTH, _SECRETS, status=b"HTTP/7.3 200 OK"),
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
}

# Older versions of aiohttp read these.
MALFORMED_TO_REQUESTS = {
    "NUL in a value": head(_LENGTH, b"X-Proxy: a\0b\r\n", _SECRETS),
    "too many lines": head(_LENGTH, b"X-Proxy: a\r\n" * 300, _SECRETS),
}


@pytest.mark.parametrize(
    ("drive", "data"),
    [
        *(
            pytest.param(driver, data, id=f"{driver.__name__}, {name}")
            for driver in (_with_requests, _with_aiohttp)
            for name, data in MALFORMED.items()
        ),
        *(pytest.param(_with_requests, data, id=name) for name, data in MALFORMED_TO_REQUESTS.items()),
    ],
    indirect=["drive"],
)
def test_a_malformed_head_is_an_invalid_response_and_is_not_logged(
    drive: Drive, data: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with MisbehavingServer(and_close(data)) as server:
        error = refusal(drive, at(server.url), once())
    assert type(error) is InvalidResponse
    tls_hint = "if the server uses TLS, the Library URL must begin with https"
    assert error.what == f"could not ask: the answer is not valid HTTP; {tls_hint}"
    assert len(server.heard) == 1
    everything = shown(caplog, capfd) + f"{error}{error!r}"
    assert TOKEN not in everything
    assert COOKIE not in everything


def test_a_malformed_answer_to_a_login_logs_no_token(
    drive: Drive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(retry, "MAX_RETRY_SECONDS", 0.0)
    caplog.set_level(logging.DEBUG)
    authority = Authority(tmp_path)
    replies = MALFORMED["no colon, in between"], answer(204, b"", ("X-MSTR-AuthToken", TOKEN))
    with MisbehavingServer(*replies, tls=authority.server()) as server:
        error = refusal(drive, at(server.url, verify=str(authority.file)), log_in())
    assert type(error) is InvalidResponse
    assert TOKEN not in shown(caplog, capfd)


def test_the_debug_mode_of_http_client_prints_no_headers(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with MisbehavingServer(head(_LENGTH, _SECRETS)) as server:
        _with_requests(at(server.url), log_in())
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        pytest.param((_LENGTH, b"X-Id: a b\r\n"), "a b", id="usual"),
        pytest.param((_LENGTH, b"X-Id:a b\r\n"), "a b", id="no space"),
        pytest.param((_LENGTH, b"X-Id: a\r\n b\r\n"), "a b", id="continued line"),
        # Where each space began a search of its own, this would take half an hour.
        pytest.param(
            (_LENGTH, b"X-Id: a\r\n", *[b"X-Proxy: a" + b" " * 60_000 + b"b\r\n"] * 90), "a", id="long spaces"
        ),
        pytest.param((b"X-A: \xe9\x07\x85\r\n", _LENGTH, b"X-Id: a b\r\n"), "a b", id="odd value"),
        pytest.param((_LENGTH, b"X-Id: a b\n"), "a b", id="LF alone"),
        pytest.param((b"X-A: a\r\n" * 90, _LENGTH, b"X-Id: a b\r\n"), "a b", id="many lines"),
        pytest.param((b"X-A: " + b"a" * 60_000 + b"\r\n", _LENGTH, b"X-Id: a b\r\n"), "a b", id="long line"),
    ],
)
def test_what_is_unusual_but_well_formed_is_read(drive: Drive, lines: tuple[bytes, ...], value: str) -> None:
    with MisbehavingServer(head(*lines)) as server:
        assert drive(at(server.url), ask(parse=lambda response: response.header("X-Id"))) == value


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_interim_answers_are_skipped(drive: Drive, status: bytes) -> None:
    interim = b"HTTP/1.1 " + status + b"\r\nLink: </style.css>\r\n\r\n"
    with MisbehavingServer(interim * 2 + answer(200, b'{"status": 1}')) as server:
        assert drive(at(server.url), ask()) == {"status": 1}


@pytest.mark.parametrize("value", ["a\x07b", "tokén", "a\x85b"])
def test_a_token_that_no_request_may_send_is_an_invalid_response(
    drive: Drive, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "MAX_RETRY_SECONDS", 0.0)
    with MisbehavingServer(answer(204, b"", ("X-MSTR-AuthToken", value))) as server:
        error = refusal(drive, at(server.url), log_in())
    assert type(error) is InvalidResponse
    assert "X-MSTR-AuthToken" in error.what
    assert value not in str(error)


# Answers that are cut off


CUT = {
    "200": answer(200, b"{}", ("X-MSTR-AuthToken", TOKEN)),
    "204": answer(204, b"", ("X-MSTR-AuthToken", TOKEN)),
    "LF alone": answer(204, b"", ("X-MSTR-AuthToken", TOKEN)).replace(b"\r\n", b"\n"),
    "HTTP/1.0": answer(204, b"", version="1.0"),
    "an error": answer(500, b"", ("Content-Length", "0")),
    "after an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(204, b""),
    "chunks": answer(200, b"2\r\n{}\r\n0\r\n\r\n", ("Transfer-Encoding", "chunked")),
}


@pytest.mark.parametrize("whole", CUT.values(), ids=CUT.keys())
def test_an_answer_that_is_cut_off_anywhere_is_lost(drive: Drive, whole: bytes) -> None:
    parts = [whole[:length] for length in range(0, len(whole), 3)] + [whole[:-2], whole[:-1]]
    with MisbehavingServer(*map(and_close, parts)) as server:
        for part in parts:
            error = refusal(drive, at(server.url), once())
            assert type(error) is ServerUnavailable, part
            assert not error.nothing_done
            assert (
                error.what == "could not ask: the connection was closed before the complete answer arrived"
            ), part
    assert len(server.heard) == len(parts)


@pytest.mark.parametrize("parse", [expect_empty, json_object], ids=["no content", "JSON"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_status_line_alone_is_no_answer_to_any_kind_of_request(
    drive: Drive, method: str, parse: Any, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with MisbehavingServer(and_close(b"HTTP/1.1 200 OK\r\n"), tls=authority.server()) as server:
        flow = ask(method=method, parse=parse)
        error = refusal(drive, at(server.url, verify=str(authority.file)), flow)
    assert type(error) is ServerUnavailable


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"])
def test_an_answer_that_stops_inside_its_head_is_ended_by_the_time_limit(drive: Drive, part: bytes) -> None:
    def reply(line: Line) -> None:
        line.send(part)
        line.stay_silent()

    with MisbehavingServer(reply) as server:
        error = refusal(drive, at(server.url, timeout=0.5), once())
    assert type(error) is ServerUnavailable
    assert error.what == "could not ask: no answer within 0.5 s"
    assert not error.nothing_done


def test_a_body_that_ends_with_the_connection_is_whole(drive: Drive) -> None:
    with MisbehavingServer(and_close(b'HTTP/1.0 200 OK\r\n\r\n{"status": 1}')) as server:
        assert drive(at(server.url), ask()) == {"status": 1}


# Sizes and encodings


LIMIT = 2**20


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", LIMIT)


def json_of(size: int) -> bytes:
    return b'{"text": "' + b"x" * (size - 12) + b'"}'


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)


def sent(data: bytes) -> dict[str, Reply]:
    gzipped = gzip.compress(data)
    halves = gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])
    return {
        "plain": answer(200, data),
        "chunks": answer(200, chunked(data), ("Transfer-Encoding", "chunked")),
        "to the end": and_close(b"HTTP/1.0 200 OK\r\n\r\n" + data),
        "gzip": answer(200, gzipped, ("Content-Encoding", "gzip")),
        "gzip in chunks": answer(
            200, chunked(gzipped), ("Content-Encoding", "GZip"), ("Transfer-Encoding", "chunked")
        ),
        "gzip of two parts": answer(200, halves, ("Content-Encoding", "x-gzip")),
        "deflate": answer(200, zlib.compress(data), ("Content-Encoding", "deflate")),
    }


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("way", sent(b"{}"))
def test_an_answer_of_the_largest_size_is_read(drive: Drive, way: str) -> None:
    with MisbehavingServer(sent(json_of(LIMIT))[way]) as server:
        assert len(drive(at(server.url), ask())["text"]) == LIMIT - 12


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("size", [LIMIT + 1, 64 * LIMIT])
@pytest.mark.parametrize("way", sent(b"{}"))
def test_a_larger_response_is_rejected_and_not_requested_again(drive: Drive, way: str, size: int) -> None:
    with MisbehavingServer(sent(json_of(size))[way]) as server:
        error = refusal(drive, at(server.url), ask(retry_for=20.0))
    assert type(error) is InvalidResponse
    assert error.what == "could not ask: the response is larger than 1 MiB"
    assert len(server.heard) == 1


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("status", [400, 500])
def test_the_limit_holds_for_errors_too(drive: Drive, status: int) -> None:
    zipped = gzip.compress(json_of(64 * LIMIT))
    with MisbehavingServer(answer(status, zipped, ("Content-Encoding", "gzip"))) as server:
        assert "larger than 1 MiB" in str(refusal(drive, at(server.url), once()))


@pytest.mark.usefixtures("small_limit")
def test_a_list_that_is_too_large_for_one_answer_is_read_page_by_page(drive: Drive) -> None:
    rows = [{"information": {"objectId": f"T{number}", "name": f"table {number}"}} for number in range(3)]
    page = json.dumps({"total": 3, "tables": rows}).encode()
    with MisbehavingServer(sent(json_of(2 * LIMIT))["gzip"], answer(200, page)) as server:
        tables = drive(at(server.url), list_tables(INSTANCE))
    assert [table.id for table in tables] == ["T0", "T1", "T2"]
    assert ["limit=-1" in heard.target for heard in server.heard] == [True, False]


def test_a_list_whose_pages_are_too_large_is_rejected(drive: Drive, small_limit: None) -> None:
    with MisbehavingServer(sent(json_of(2 * LIMIT))["gzip"]) as server:
        error = refusal(drive, at(server.url), list_tables(INSTANCE))
    assert "larger than 1 MiB" in error.what
    assert len(server.heard) == 2


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip,br", "unknown", "\x07"])
def test_an_unknown_encoding_is_an_invalid_answer(drive: Drive, encoding: str) -> None:
    with MisbehavingServer(answer(200, b"{}", ("Content-Encoding", encoding))) as server:
        error = refusal(drive, at(server.url), once())
    assert type(error) is InvalidResponse
    assert error.what == "could not ask: the response has a Content-Encoding other than gzip and deflate"


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_no_encoding_may_be_named(drive: Drive, encoding: str) -> None:
    with MisbehavingServer(answer(200, b'{"a": 1}', ("Content-Encoding", encoding))) as server:
        assert drive(at(server.url), ask()) == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"not zipped",
        gzip.compress(b"{}")[:-1],
        gzip.compress(b"{}")[:-9],
        gzip.compress(b"{}") + b"more",
        b"\x1f\x8b",
        zlib.compress(b"{}")[2:-4],
    ],
    ids=["plain", "without its end", "half", "with more behind", "two bytes", "raw deflate"],
)
def test_what_is_not_zipped_as_it_claims_is_an_invalid_answer(drive: Drive, data: bytes) -> None:
    with MisbehavingServer(answer(200, data, ("Content-Encoding", "gzip"))) as server:
        error = refusal(drive, at(server.url), once())
    assert type(error) is InvalidResponse
    assert "gzip" in error.what
    assert len(server.heard) == 1


def test_only_gzip_is_requested(drive: Drive) -> None:
    with MisbehavingServer() as server:
        drive(at(server.url), ask())
    assert server.heard[0].header("Accept-Encoding") == "gzip"


@pytest.mark.parametrize(
    ("size", "on_the_loop"),
    [(1000, True), (async_driver._MAX_BYTES_ON_LOOP + 1, False)],
    ids=["small", "large"],
)
def test_a_large_answer_is_parsed_off_the_event_loop(size: int, on_the_loop: bool) -> None:
    threads: list[threading.Thread] = []

    def parse(response: Response) -> int:
        threads.append(threading.current_thread())
        return len(json_object(response)["text"])

    async def run() -> Any:
        return await async_driver.AsyncDriver(at(server.url)).run(ask(parse=parse))

    with MisbehavingServer(answer(200, json_of(size))) as server:
        assert asyncio.run(run()) == size - 12
    assert (threads == [threading.current_thread()]) is on_the_loop


# What the server writes in an error


def test_the_text_of_an_error_is_one_line(drive: Drive) -> None:
    message = "Login\r\nfailed\x1b[2J\u202e\ud800" + "x" * 10**6
    reply = json.dumps({"code": "ERR\n001", "iServerCode": -1, "message": message, "ticketId": "t\u200b1"})
    with MisbehavingServer(answer(500, reply.encode())) as server:
        error = refusal(drive, at(server.url), once())
    assert isinstance(error, RequestFailed)
    assert (error.reply.code, error.reply.ticket) == ("ERR 001", "t1")
    assert str(error.reply.message).startswith("Login  failed[2Jx")
    assert str(error).isprintable()
    assert len(str(error)) < 2500
    assert MstrError.from_json(json.loads(json.dumps(error.to_json()))).reply == error.reply
