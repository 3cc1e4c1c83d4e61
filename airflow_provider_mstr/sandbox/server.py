# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: it reads requests, injects faults and sends responses."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from airflow_provider_mstr.sandbox.api import Request
from airflow_provider_mstr.sandbox.faults import Fault
from airflow_provider_mstr.sandbox.responses import TOMCAT_404, Response, text_response
from airflow_provider_mstr.sandbox.service import Service

# SO_LINGER with 0 seconds: the client receives a TCP reset.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def make_handler(service: Service) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the HTTP handler of the REST API.

    :param service: the server.
    """

    async def handle(web_request: web.Request) -> web.StreamResponse:
        base = service.settings.base_path
        if not web_request.path.startswith(f"{base}/api/"):
            return _to_web_response(text_response(404, TOMCAT_404))
        request = await _parse_request(web_request, base)
        response = await _respond(service, request, service.record(request))
        return _reset_connection(web_request) if response is None else _to_web_response(response)

    return handle


async def _parse_request(web_request: web.Request, base: str) -> Request:
    return Request(
        method=web_request.method,
        path=web_request.path.removeprefix(base),
        query={name: ",".join(web_request.query.getall(name)) for name in web_request.query},
        headers={name.lower(): value for name, value in web_request.headers.items()},
        cookies=dict(web_request.cookies),
        body=await web_request.text(),
    )


async def _respond(service: Service, request: Request, fault: Fault | None) -> Response | None:
    """Return the response; None to reset the connection."""
    if fault is None:
        return service.handle(request)
    if fault.kind == "lost_before":
        return None
    if response := fault.replacement():
        service.apply_loss(request, fault)
        return response
    if fault.kind == "slow_before":
        await asyncio.sleep(fault.seconds)
    response = service.handle(request)
    if fault.kind == "slow_after":
        await asyncio.sleep(fault.seconds)
    return None if fault.kind == "lost_after" else fault.corrupt(response)


def _to_web_response(response: Response) -> web.Response:
    web_response = web.Response(status=response.status, body=response.body or None)
    if response.content_type:
        web_response.headers["Content-Type"] = f"{response.content_type};charset=UTF-8"
    for name, value in response.headers:
        web_response.headers.add(name, value)
    return web_response


def _reset_connection(web_request: web.Request) -> web.Response:
    if transport := web_request.transport:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()
