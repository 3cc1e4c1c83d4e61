# SPDX-License-Identifier: Apache-2.0
"""A server that answers polls, and nothing else, as cheaply as Python can: it must not be what is measured.

Every job it is asked for still runs. Its first line is its address; ``/polls`` tells how often it was asked.
"""

from __future__ import annotations

import asyncio
import json
from typing import cast

import uvloop

TABLES = tuple(f"{number:032X}" for number in range(4))

_MSTR = {"status": 5, "tables": [{"id": table, "status": "loading"} for table in TABLES]}
_DBT = {"data": {"id": 1, "status": 3}}
_DATABRICKS = {"run_id": 1, "state": {"life_cycle_state": "RUNNING", "state_message": ""}}


def _answer(status: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


# What stands in a request line, and the answer to it.
ANSWERS = {
    b"/publishStatus": _answer("200 OK", _MSTR),
    b"/accounts/": _answer("200 OK", _DBT),
    b"/jobs/runs/get": _answer("200 OK", _DATABRICKS),
    b"/not-yet": _answer("404 Not Found", {}),
}


class LeanServer(asyncio.Protocol):
    """Answers one request after the other of one connection."""

    polls = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a client.

        :param transport: the connection to it
        """
        self._transport = cast(asyncio.Transport, transport)
        self._waiting = b""

    def data_received(self, data: bytes) -> None:
        """Answer what has come whole.

        :param data: what has come
        """
        *requests, self._waiting = (self._waiting + data).split(b"\r\n\r\n")
        for request in requests:
            self._transport.write(self._answer(request.partition(b"\r\n")[0]))

    def _answer(self, line: bytes) -> bytes:
        for place, answer in ANSWERS.items():
            if place in line:
                LeanServer.polls += 1
                return answer
        return _answer("200 OK", LeanServer.polls)


async def main() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(LeanServer, "127.0.0.1", 0, backlog=5000)
    print("http://{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
