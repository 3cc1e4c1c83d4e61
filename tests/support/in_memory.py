# SPDX-License-Identifier: Apache-2.0
"""The sandbox under a flow, without HTTP and without waiting: its clock moves only when the flow pauses."""

from __future__ import annotations

import json
from email.utils import formatdate
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote

from scripted import LIBRARY, FakeClock, Played, serve

from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.sandbox import Clock, Settings, World, api
from airflow_provider_mstr.sandbox.service import Service


class InMemory(FakeClock):
    """A sandbox, which is its own clock.

    :param world: its users, projects and objects
    :param settings: its behaviour
    """

    def __init__(self, world: World, **settings: Any) -> None:
        super().__init__()
        self.service = Service(Settings(**settings), world, Clock(self.now, ticking=False))

    def play(self, flow: Flow[Any]) -> Played:
        """Run a flow to its end."""
        return serve(flow, self.answer, self)

    def answer(self, request: Request[Any]) -> Response:
        """Answer a request as the sandbox does."""
        self.service.advance(self.now - self.service.clock())
        cookies = SimpleCookie(request.cookies.header(LIBRARY, request.path, self.now))
        sent = api.Request(
            request.method,
            unquote(request.path),
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            {name: cookie.value for name, cookie in cookies.items()},
            "" if request.body is None else json.dumps(request.body),
        )
        fault = self.service.record(sent)
        reply = (fault.replacement() if fault else None) or self.service.handle(sent)
        date = ("Date", formatdate(self.service.clock(), usegmt=True))
        return Response(reply.status, (date, *reply.headers), reply.body)
