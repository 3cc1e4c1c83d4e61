# SPDX-License-Identifier: Apache-2.0
"""Servers that receive alerts: emails by SMTP, and JSON by HTTP."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any


class Receiver(ThreadingTCPServer):
    """A server on this machine.

    :param handler: what handles a connection
    """

    daemon_threads = True

    def __init__(self, handler: type[BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.received: list[Any] = []

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])


class Smtp(StreamRequestHandler):
    """Receives the subject and the HTML of each email."""

    server: Receiver

    def handle(self) -> None:
        """Answer each command with success."""
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            command = line.strip().upper()
            if command == b"DATA":
                self.wfile.write(b"354 end with a dot\r\n")
                self._receive()
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
            if command == b"QUIT":
                return

    def _receive(self) -> None:
        message = email.message_from_bytes(b"".join(iter(self.rfile.readline, b".\r\n")))
        html = next(part for part in message.walk() if part.get_content_type() == "text/html")
        body = html.get_payload(decode=True)
        assert isinstance(body, bytes)
        self.server.received.append({"subject": message["Subject"], "html": body.decode()})


class Json(BaseHTTPRequestHandler):
    """Receives each JSON body."""

    server: Receiver

    def do_POST(self) -> None:
        """Answer with success."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def receiver(handler: type[BaseRequestHandler]) -> Iterator[Receiver]:
    """Run a server.

    :param handler: what handles a connection
    """
    with Receiver(handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
