# SPDX-License-Identifier: Apache-2.0
"""The control endpoint: what Python code can order of a running server, over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from airflow_provider_mstr.sandbox.service import Service
from airflow_provider_mstr.sandbox.world import PublishFailure


class Control:
    """Reads and orders under ``/sandbox``, beside the REST API and not part of it.

    :param service: the server that is controlled.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/report", self._report),
            web.post("/sandbox/faults", self._add_fault),
            web.delete("/sandbox/faults", self._clear_faults),
            web.post("/sandbox/settings", self._change),
            web.post("/sandbox/finish", self._finish),
            web.post("/sandbox/advance", self._advance),
            web.post("/sandbox/reset", self._reset),
        ]

    async def _report(self, _: web.Request) -> web.Response:
        return web.json_response(self._service.report().to_json())

    async def _add_fault(self, request: web.Request) -> web.Response:
        order = await _order(request)
        try:
            return web.json_response(asdict(self._service.add_fault(**order)), status=201)
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    async def _clear_faults(self, _: web.Request) -> web.Response:
        self._service.clear_faults()
        return web.Response(status=204)

    async def _change(self, request: web.Request) -> web.Response:
        order = await _order(request)
        try:
            if failure := order.get("publish_failure"):
                order["publish_failure"] = PublishFailure(**failure)
            return web.json_response(asdict(self._service.change(**order)))
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    async def _finish(self, _: web.Request) -> web.Response:
        self._service.finish_publishes()
        return web.Response(status=204)

    async def _advance(self, request: web.Request) -> web.Response:
        order = await _order(request)
        try:
            self._service.advance(**order)
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204)

    async def _reset(self, _: web.Request) -> web.Response:
        self._service.reset()
        return web.Response(status=204)


async def _order(request: web.Request) -> dict[str, Any]:
    try:
        order = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="the order is not JSON") from error
    if not isinstance(order, dict):
        raise web.HTTPBadRequest(text="the order is not a JSON object")
    return order
