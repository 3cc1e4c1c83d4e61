# SPDX-License-Identifier: Apache-2.0
"""A server that does to a connection whatever a test wants, byte by byte, and notes what it heard."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType

# SO_LINGER on with no time: the peer sees a reset, not an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that the server received.

    :param connection: the number of its connection, counted from 1
    """

    connection: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Line:
    """One connection, seen from the server."""

    def __init__(self, raw: socket.socket, stopped: threading.Event) -> None:
        self._socket = raw
        self._stopped = stopped
        self.over = False

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def drip(self, data: Iterable[int], seconds: float) -> None:
        """Send byte by byte with a pause after each, until all is sent, or the client or the test ends."""
        for byte in data:
            if self._stopped.wait(seconds):
                return
            self.send(bytes([byte]))

    def stay_silent(self) -> None:
        """Say nothing for as long as the test lasts."""
        self._stopped.wait()

    def close(self) -> None:
        """Hang up in good order once the reply is over."""
        self.over = True

    def reset(self) -> None:
        """Hang up with a reset once the reply is over."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.over = True

    def tunnel(self, port: int) -> None:
        """Pass bytes on to a port of this machine and back, as a proxy does, until either side ends."""
        with socket.create_connection(("127.0.0.1", port)) as inner:
            self.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(inner, self._socket), daemon=True)
            back.start()
            pass_on(self._socket, inner)
            back.join(5)
        self.close()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


Reply = bytes | Callable[[Line], None]


def answer(status: int = 200, body: bytes = b"{}", *headers: tuple[str, str], version: str = "1.1") -> bytes:
    """Return a whole answer, with the length of its body unless a header names another."""
    given = {name.lower() for name, _ in headers}
    lines = [f"HTTP/{version} {status} {HTTPStatus(status).phrase}"]
    if "content-type" not in given and body:
        lines.append("Content-Type: application/json")
    if not given & {"content-length", "transfer-encoding"} and status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class MisbehavingServer:
    """Answers each request with the next of its replies, and every further one with the last.

    :param replies: bytes to send as they are, or what to do with the connection
    :param tls: to speak TLS; handshakes that fail are counted as connections without a request
    :param port: where to listen; a free port if 0

    ``hung_up`` is released each time that the server has closed a connection.
    """

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.heard: list[ReceivedRequest] = []
        self.connections = 0
        self.hung_up = threading.Semaphore(0)
        self._replies = replies or (answer(),)
        self._tls = tls
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._lines: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> MisbehavingServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), "the server's thread hangs"

    def _start(self, what: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._lines.append(raw)
            self._start(self._serve, raw, self.connections)

    def _serve(self, raw: socket.socket, connection: int) -> None:
        try:
            self._converse(raw, connection)
        finally:
            self.hung_up.release()

    def _converse(self, raw: socket.socket, connection: int) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as open_:
            if self._tls:
                raw = self._tls.wrap_socket(raw, server_side=True)
                self._lines.append(raw)
            open_.callback(raw.close)
            reading = open_.enter_context(raw.makefile("rb"))
            line = Line(raw, self._stopped)
            while not line.over and (request_line := reading.readline().decode("latin-1").split()):
                # A TLS socket that is shut down goes on in plain: what it then yields is no request.
                if self._stopped.is_set() or len(request_line) != 3:
                    return
                headers: list[tuple[str, str]] = []
                while header := reading.readline().decode("latin-1").strip():
                    name, _, value = header.partition(":")
                    headers.append((name, value.strip()))
                length = int({name.lower(): value for name, value in headers}.get("content-length", 0))
                body = reading.read(length)
                reply = self._next(ReceivedRequest(connection, *request_line[:2], tuple(headers), body))
                if callable(reply):
                    reply(line)
                else:
                    line.send(reply)

    def _next(self, heard: ReceivedRequest) -> Reply:
        with self._lock:
            self.heard.append(heard)
            return self._replies[min(len(self.heard), len(self._replies)) - 1]
