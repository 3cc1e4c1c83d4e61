# SPDX-License-Identifier: Apache-2.0
"""The driver of triggerers: runs flows with aiohttp."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import aiohttp
import yarl

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.refresh.job import Log
from airflow_provider_mstr.rest.body import BodyReader
from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.flow import Flow, Pause, Step
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.transport import settings
from airflow_provider_mstr.transport.base_driver import CHUNK_BYTES, BaseDriver
from airflow_provider_mstr.transport.network_errors import SOCKS_ERRORS
from airflow_provider_mstr.transport.outage import log_warning
from airflow_provider_mstr.transport.proxies import Proxy

T = TypeVar("T")

# To parse a larger body takes too long on the event loop.
_MAX_BYTES_ON_LOOP = 2**18

_NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    socket.gaierror,
    UnicodeError,
    *SOCKS_ERRORS,
)
_NETWORK_ERRORS: tuple[type[Exception], ...] = (
    TimeoutError,
    aiohttp.ClientError,
    OSError,
    UnicodeError,
    *SOCKS_ERRORS,
)


class AsyncDriver(BaseDriver):
    """Runs flows with aiohttp, over the one client that serves the whole event loop.

    :param server: the server
    :param register: takes each secret that must not be logged, as soon as it is known; None for nothing
    :param log: logs that the server does not answer, and that it answers again
    """

    def __init__(
        self,
        server: LibraryServer,
        register: Callable[[list[str]], Awaitable[object]] | None = None,
        log: Log = log_warning,
    ) -> None:
        super().__init__(server, log)
        self._register = register

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end and return its result.

        :param flow: a flow that has not started
        """
        steps = self._with_retries(flow)
        async with _shared_client(self._settings.socks_proxy) as client:
            try:
                step = next(steps)
                while True:
                    try:
                        answer = await self._perform(client, step)
                    except BaseException as error:
                        step = steps.throw(error)
                    else:
                        # The answer may be large, and the next step may be a long pause.
                        step, answer = steps.send(answer), None
            except StopIteration as end:
                result: T = end.value
                return result

    async def _perform(self, client: aiohttp.ClientSession, step: Step) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        return await self._send(client, step)

    async def _send(self, client: aiohttp.ClientSession, request: Request[T]) -> T:
        if self._register and (new := self._sent_secrets(request)):
            await self._register(new)
        try:
            response = await self._exchange(client, request)
        except InvalidResponse as error:
            raise self._invalid_response(request, error) from None
        except _NETWORK_ERRORS as error:
            # Errors of a proxy or a redirect are of a subclass.
            if type(error) is aiohttp.ClientResponseError:
                raise self._invalid_response(request, error) from None
            never_connected = isinstance(error, _NEVER_CONNECTED)
            raise self._network_error(request, error, nothing_done=never_connected) from None
        if self._register and (new := self._received_secrets(response)):
            await self._register(new)
        if len(response.body) > _MAX_BYTES_ON_LOOP:
            return await asyncio.to_thread(self._parse, request, response)
        return self._parse(request, response)

    async def _exchange(self, client: aiohttp.ClientSession, request: Request[Any]) -> Response:
        timeout = self._settings.timeout_for(request)
        async with client.request(
            request.method,
            yarl.URL(self._settings.url(request), encoded=True),
            headers=self._settings.headers(request),
            data=self._settings.body(request),
            # The shorter timeout distinguishes a missing connection from a missing answer.
            timeout=aiohttp.ClientTimeout(
                total=timeout, connect=min(settings.CONNECT_TIMEOUT, 0.9 * timeout)
            ),
            ssl=self._settings.ssl_context,
            proxy=self._settings.http_proxy,
            allow_redirects=False,
        ) as response:
            head = Response(response.status, tuple(response.headers.items()))
            body = BodyReader(head.header("Content-Encoding"))
            async for chunk in response.content.iter_any():
                body.feed(chunk)
            return replace(head, body=body.finish())


@dataclass
class _SharedClient:
    client: aiohttp.ClientSession
    users: int = 0


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Proxy | None, _SharedClient]] = (
    WeakKeyDictionary()
)


@asynccontextmanager
async def _shared_client(socks_proxy: Proxy | None) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the event loop's client, one for each SOCKS proxy; the last user closes it."""
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    shared = clients.get(socks_proxy)
    if shared is None:
        new_connector = aiohttp.TCPConnector if socks_proxy is None else socks_proxy.connector
        client = aiohttp.ClientSession(
            connector=new_connector(limit=0, keepalive_timeout=75.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_field_size=CHUNK_BYTES,
            auto_decompress=False,
        )
        shared = clients[socks_proxy] = _SharedClient(client)
    shared.users += 1
    try:
        yield shared.client
    finally:
        shared.users -= 1
        if shared.users == 0:
            del clients[socks_proxy]
            await shared.client.close()
