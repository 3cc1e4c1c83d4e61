# SPDX-License-Identifier: Apache-2.0
"""The REST API on a socket: requests are read, faults happen, answers are sent."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from airflow_provider_mstr.sandbox.answers import TOMCAT_404, Answer, text_answer
from airflow_provider_mstr.sandbox.api import Request
from airflow_provider_mstr.sandbox.faults import Fault
from airflow_provider_mstr.sandbox.service import Service

# SO_LINGER on with no time: the peer sees a reset, not an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def handler(service: Service) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make what answers every path that belongs to no one else.

    :param service: the server behind it.
    """

    async def handle(incoming: web.Request) -> web.StreamResponse:
        base = service.settings.base_path
        if not incoming.path.startswith(f"{base}/api/"):
            return _response(text_answer(404, TOMCAT_404))
        request = await _read(incoming, base)
        answer = await _answer(service, request, service.receive(request))
        return _reset(incoming) if answer is None else _response(answer)

    return handle


async def _read(incoming: web.Request, base: str) -> Request:
    return Request(
        method=incoming.method,
        path=incoming.path.removeprefix(base),
        query=dict(incoming.query),
        headers={name.lower(): value for name, value in incoming.headers.items()},
        cookies=dict(incoming.cookies),
        body=await incoming.text(),
    )


async def _answer(service: Service, request: Request, fault: Fault | None) -> Answer | None:
    """Return the answer, or None if the connection is to be lost."""
    if fault is None:
        return service.act(request)
    if fault.kind == "lost_before":
        return None
    if answer := fault.instead():
        service.lose(request, fault)
        return answer
    if fault.kind == "slow_before":
        await asyncio.sleep(fault.seconds)
    answer = service.act(request)
    if fault.kind == "slow_after":
        await asyncio.sleep(fault.seconds)
    return None if fault.kind == "lost_after" else fault.spoil(answer)


def _response(answer: Answer) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body or None)
    if answer.content_type:
        response.headers["Content-Type"] = f"{answer.content_type};charset=UTF-8"
    for name, value in answer.headers:
        response.headers.add(name, value)
    return response


def _reset(incoming: web.Request) -> web.Response:
    if transport := incoming.transport:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()
