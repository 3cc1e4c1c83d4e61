# SPDX-License-Identifier: Apache-2.0
"""The control endpoint: the methods of the sandbox over HTTP."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from airflow_provider_mstr.sandbox.service import Service
from airflow_provider_mstr.sandbox.world import PublishFailure


class Control:
    """The control endpoint under ``/sandbox``, which is not part of the REST API.

    :param service: the server to control.
    :param host: the address that the server listens on.
    """

    def __init__(self, service: Service, host: str) -> None:
        self._service = service
        self._host = host

    def app(self) -> web.Application:
        """Return the application that serves ``/sandbox``."""
        app = web.Application(middlewares=[self._reject_foreign_pages])
        app.add_routes(
            [
                web.get("/report", self._report),
                web.post("/faults", self._add_fault),
                web.delete("/faults", self._clear_faults),
                web.post("/settings", self._change),
                web.post("/finish", self._finish),
                web.post("/loads", self._start_load),
                web.post("/loads/{job}/finish", self._finish_load),
                web.post("/advance", self._advance),
                web.post("/reset", self._reset),
            ]
        )
        return app

    @web.middleware
    async def _reject_foreign_pages(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Reject requests that a web page of another server makes through a browser on this machine.

        The browser sends that server's name in ``Origin``. If the name resolves to this machine (DNS
        rebinding), the browser sends it in ``Host``.
        """
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            raise web.HTTPForbidden(text=f"Host is {hosts}: must be the address that the sandbox listens on")
        origins = request.headers.getall("Origin", [])
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            raise web.HTTPForbidden(text=f"Origin is {origins}: a page of another server has no access")
        return await handler(request)

    def _is_own(self, authority: str) -> bool:
        try:
            host = urlsplit(f"//{authority}").hostname or ""
        except ValueError:
            return False
        # A server that listens on all addresses does not know them.
        listens_on_all = _is_address(self._host, "is_unspecified")
        return host == self._host.lower() or is_loopback(host) or (listens_on_all and _is_address(host))

    async def _report(self, _: web.Request) -> web.Response:
        return web.json_response(self._service.report().to_json())

    async def _add_fault(self, request: web.Request) -> web.Response:
        fields = await _read_json(request)
        try:
            return web.json_response(asdict(self._service.add_fault(**fields)), status=201)
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    async def _clear_faults(self, _: web.Request) -> web.Response:
        self._service.clear_faults()
        return web.Response(status=204)

    async def _change(self, request: web.Request) -> web.Response:
        fields = await _read_json(request)
        try:
            if failure := fields.get("publish_failure"):
                fields["publish_failure"] = PublishFailure(**failure)
            return web.json_response(asdict(self._service.change(**fields)))
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    async def _finish(self, _: web.Request) -> web.Response:
        self._service.finish_publishes()
        return web.Response(status=204)

    async def _start_load(self, request: web.Request) -> web.Response:
        fields = await _read_json(request)
        try:
            return web.json_response({"job": self._service.start_load(**fields)}, status=201)
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    async def _finish_load(self, request: web.Request) -> web.Response:
        try:
            self._service.finish_load(request.match_info["job"])
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204)

    async def _advance(self, request: web.Request) -> web.Response:
        fields = await _read_json(request)
        try:
            self._service.advance(**fields)
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204)

    async def _reset(self, _: web.Request) -> web.Response:
        self._service.reset()
        return web.Response(status=204)


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address, which other machines cannot reach.

    :param host: a name or an address, without brackets.
    """
    return host == "localhost" or _is_address(host, "is_loopback")


def _is_address(host: str, kind: str = "version") -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(host), kind))
    except ValueError:
        return False


async def _read_json(request: web.Request) -> dict[str, Any]:
    try:
        fields = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="the request body is not JSON") from error
    if not isinstance(fields, dict):
        raise web.HTTPBadRequest(text="the request body is not a JSON object")
    return fields
