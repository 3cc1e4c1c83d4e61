# SPDX-License-Identifier: Apache-2.0
"""A requests adapter that parses the head of a response strictly and limits the time of the response."""

from __future__ import annotations

import io
import math
import re
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from typing import Any, TypeAlias, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

Connect: TypeAlias = Callable[[str, int, float], socket.socket]

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] +\d{3}(?: [^\0\r\n]*)?\r?\n")
_HEADER = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0\r\n]*"
_FIRST_HEADER_LINE = re.compile(rb"(?:%b)?\r?\n" % _HEADER)
_HEADER_LINE = re.compile(rb"(?:%b|[ \t][^\0\r\n]*)?\r?\n" % _HEADER)
_CHUNK_OR_TRAILER_LINE = re.compile(rb"(?:[0-9a-fA-F]{1,16}[ \t]*(?:;[^\0\r\n]*)?|%b)?\r?\n" % _HEADER)

_LENGTH = re.compile(r"[0-9]{1,18}")


class InvalidHTTPError(Exception):
    """The response is not valid HTTP, or its head is ambiguous."""


class DeadlineAdapter(HTTPAdapter):
    """Rejects a malformed head, and a response that is not complete within the read timeout.

    urllib3 would log the lines after a malformed one, which may contain tokens and cookies. A server that
    sends a byte at a time would otherwise block a worker for hours.

    :param context: the TLS context of every connection, also of those to a proxy
    :param connect: opens a socket to a host and port with a timeout, instead of urllib3
    """

    def __init__(self, context: ssl.SSLContext, connect: Connect | None = None) -> None:
        self._context = context
        self._pools = {scheme: partial(pool, connect=connect) for scheme, pool in _POOLS.items()}
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections with a time limit."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Use connections with a time limit through a proxy too."""
        kwargs |= {"ssl_context": self._context, "proxy_ssl_context": self._context}
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, *_: Any) -> None:
        """Do nothing, because the TLS context has all certificates; requests would add its own."""


class _TimedIO(io.RawIOBase):
    """Reads from a socket until a deadline.

    The timeout of a socket applies to each read, and an answer may come a byte at a time.

    :param raw: the stream of the socket
    :param connection: the socket, whose timeout applies to the whole answer
    """

    def __init__(self, raw: io.RawIOBase, connection: Any) -> None:
        super().__init__()
        self._raw = raw
        self._connection = connection
        seconds = connection.gettimeout()
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(None if left == math.inf else left)
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        super().close()
        self._raw.close()


class _StrictStream(io.BufferedReader):
    """Reads lines, and rejects one that is incomplete or malformed."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw)
        self._expected = _STATUS_LINE

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if len(line) == size:
            return line
        if not line.endswith(b"\n"):
            raise RemoteDisconnected("the connection ended")
        self._check(line)
        return line

    def end_head(self) -> None:
        """Expect the lines between the chunks of a body from now on."""
        self._expected = _CHUNK_OR_TRAILER_LINE

    def _check(self, line: bytes) -> None:
        if not self._expected.fullmatch(line):
            raise InvalidHTTPError
        if self._expected is _STATUS_LINE:
            self._expected = _FIRST_HEADER_LINE
        elif self._expected is not _CHUNK_OR_TRAILER_LINE:
            self._expected = _HEADER_LINE if line.strip(b"\r\n") else _STATUS_LINE


class _StrictResponse(HTTPResponse):
    def __init__(self, connection: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(connection, *args, **kwargs)
        self._stream = _StrictStream(_TimedIO(self.fp.detach(), connection))
        self.fp = self._stream

    def begin(self, *args: Any, **kwargs: Any) -> None:
        """Read the head; interim answers (1xx) are skipped."""
        try:
            super().begin(*args, **kwargs)
            while 101 < self.status < 200:
                # HTTPResponse parses a head only while this is None.
                self.headers = None  # type: ignore[assignment]
                super().begin(*args, **kwargs)
        except RemoteDisconnected:
            raise
        except HTTPException:
            raise InvalidHTTPError from None
        self._stream.end_head()
        lengths = set(self.headers.get_all("Content-Length", ()))
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            raise InvalidHTTPError
        if lengths and self.headers["Transfer-Encoding"]:
            raise InvalidHTTPError


class _Connection(HTTPConnection):
    """A connection that can open its socket with another function than urllib3's."""

    def __init__(self, *args: Any, connect: Connect | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open_socket = connect
        self._was_connected = False

    def connect(self) -> None:
        super().connect()
        self._was_connected = True

    @property
    def has_connected_to_proxy(self) -> bool:
        """Whether a connection existed; without this, urllib3 reports its end as a proxy error."""
        return self._was_connected

    def _new_conn(self) -> socket.socket:
        if self._open_socket is None:
            return super()._new_conn()
        try:
            return self._open_socket(self._dns_host, self.port or 0, float(cast("float", self.timeout)))
        except Exception as error:
            raise NewConnectionError(self, type(error).__name__) from error


class _DeadlineConnection(_Connection):
    debuglevel = 0  # http.client would print each header
    response_class = _StrictResponse


class _DeadlineTLSConnection(_Connection, HTTPSConnection):
    debuglevel = 0
    response_class = _StrictResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineTLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}
