# SPDX-License-Identifier: Apache-2.0
"""A SOCKS proxy of this machine, which leads every host to one port of it, or refuses as a test wants."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from dataclasses import dataclass
from types import TracebackType

from misbehaving_server import pass_on


@dataclass(frozen=True)
class ConnectRequest:
    """A request of a client to connect to a host.

    :param host: the name or address in the request
    """

    version: int
    host: str
    port: int


class SocksServer:
    """Speaks SOCKS 4, 4a and 5.

    :param target: the port that all connections lead to
    :param login: user and password that it requires
    :param reply: the SOCKS 5 code with which it answers each request; 0 is success
    """

    def __init__(self, target: int = 0, login: tuple[str, str] | None = None, reply: int = 0) -> None:
        self.asked: list[ConnectRequest] = []
        self.connections = 0
        self.first_bytes: list[bytes] = []
        self._target, self._login, self._reply = target, login, reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> SocksServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self.connections += 1
                self._open.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError, IndexError), line, line.makefile("rb") as reading:
            version = reading.read(1)
            self.first_bytes.append(version)
            granted = self._socks5(line, reading) if version == b"\x05" else self._socks4(line, reading)
            if granted:
                with socket.create_connection(("127.0.0.1", self._target)) as inner:
                    self._open.append(inner)
                    back = threading.Thread(target=pass_on, args=(inner, line), daemon=True)
                    back.start()
                    pass_on(line, inner)
                    back.join(5)

    def _socks5(self, line: socket.socket, reading: object) -> bool:
        read = reading.read  # type: ignore[attr-defined]
        methods = read(read(1)[0])
        method = 2 if self._login else 0
        if method not in methods:
            line.sendall(b"\x05\xff")
            return False
        line.sendall(bytes([5, method]))
        if self._login:
            read(1)
            user, password = read(read(1)[0]).decode(), read(read(1)[0]).decode()
            line.sendall(bytes([1, (user, password) != self._login]))
            if (user, password) != self._login:
                return False
        kind = read(4)[3]
        raw = read({1: 4, 4: 16}.get(kind) or read(1)[0])
        host = raw.decode() if kind == 3 else str(ipaddress.ip_address(raw))
        self.asked.append(ConnectRequest(5, host, int.from_bytes(read(2), "big")))
        line.sendall(bytes([5, self._reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        return self._reply == 0

    def _socks4(self, line: socket.socket, reading: object) -> bool:
        read = reading.read  # type: ignore[attr-defined]
        if read(1) != b"\x01":
            return False
        port, raw = int.from_bytes(read(2), "big"), read(4)
        _text(read)
        host = _text(read) if raw[:3] == b"\0\0\0" else str(ipaddress.ip_address(raw))
        self.asked.append(ConnectRequest(4, host, port))
        line.sendall(b"\0\x5a" + bytes(6))
        return True


def _text(read: object) -> str:
    text = b""
    while (byte := read(1)) not in (b"", b"\0"):  # type: ignore[operator]
        text += byte
    return text.decode()
