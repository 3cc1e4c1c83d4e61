# SPDX-License-Identifier: Apache-2.0
"""The two drivers of a procedure: requests for workers, aiohttp for the triggerer."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import aiohttp
import requests
import tenacity
import urllib3
import yarl

from airflow_provider_mstr import __version__
from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.proxies import Proxy
from airflow_provider_mstr.punctual import InvalidHTTPError, PunctualAdapter
from airflow_provider_mstr.rest.body import ACCEPT_ENCODING, BodyReader
from airflow_provider_mstr.rest.errors import (
    MstrError,
    NotUnderstood,
    ServerUnavailable,
)
from airflow_provider_mstr.rest.protocol import (
    Answer,
    Pause,
    Procedure,
    Request,
    Response,
    Run,
    Step,
    decipher,
)
from airflow_provider_mstr.rest.session import TOKEN_HEADER
from airflow_provider_mstr.tls import Trust
from airflow_provider_mstr.unreachable import SOCKS_ERRORS, add_hints, network_error, proxy_refusal

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0

# Seconds of asking again where the server is away, unless the request says otherwise.
PATIENCE = 60.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0

# How often one request is sent whose answers make no sense.
ODD_ANSWERS = 3

# How many secrets a driver registers after a login: some servers renew a cookie in each answer.
MAX_SECRETS = 50

_CHUNK = 65536

# A header may go on in a line that begins with a space (RFC 9112, 5.2); aiohttp joins these itself.
# It is searched for from the first space of several, so that a long run of spaces is passed once.
_FOLD = re.compile(r"(?<!\s)\s*[\r\n]+\s*")

# To parse a larger body takes too long on the event loop.
_MAX_BYTES_ON_LOOP = 2**18

_NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    socket.gaierror,
    UnicodeError,
    *SOCKS_ERRORS,
)
_NO_ANSWER: tuple[type[Exception], ...] = (
    TimeoutError,
    aiohttp.ClientError,
    OSError,
    UnicodeError,
    *SOCKS_ERRORS,
)


class _Driver:
    """What both drivers know.

    :param server: the server to talk to
    """

    def __init__(self, server: LibraryServer) -> None:
        self._wire = Wire.to(server)
        self._secrets = server.secrets | self._wire.secrets
        self._registered: set[str] = set()
        self._max_registered = MAX_SECRETS
        self.retries = 0

    def _sent_secrets(self, request: Request[Any]) -> list[str]:
        return self._new_secrets(self._secrets | request.secrets | request.cookies.secrets)

    def _received_secrets(self, response: Response) -> list[str]:
        if response.header(TOKEN_HEADER):
            self._max_registered = len(self._registered) + MAX_SECRETS
        return self._new_secrets(response.own_secrets)

    def _new_secrets(self, secrets: frozenset[str]) -> list[str]:
        """Return which secrets are to be registered, as they were not before."""
        new = sorted(secrets - self._registered)[: self._max_registered - len(self._registered)]
        self._registered.update(new)
        return new

    def _read(self, request: Request[T], response: Response) -> Answer[T]:
        """Store the cookies of an answer, also of an error, and return the meaning of the answer."""
        date = response.header("Date")
        request.cookies.store(self._wire.base, response.set_cookies, time.time(), date)
        if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._wire.proxy is not None:
            raise proxy_refusal(request.purpose, self._wire.proxy, response.status)
        try:
            return decipher(request, replace(response, secrets=self._secrets))
        except (NotUnderstood, ServerUnavailable) as error:
            add_hints(error, self._wire.base, self._wire.proxy)
            raise

    def _invalid(self, request: Request[Any], error: Exception) -> NotUnderstood:
        """Return that an answer makes no sense; nothing of it is quoted, as a token may be anywhere in it."""
        if isinstance(error, NotUnderstood):
            return NotUnderstood(f"could not {request.purpose}: {error.what}", too_large=error.too_large)
        invalid = NotUnderstood(f"could not {request.purpose}: the answer is not valid HTTP")
        add_hints(invalid, self._wire.base, self._wire.proxy)
        return invalid

    def _ask_again(self, state: tenacity.RetryCallState) -> None:
        self.retries += 1
        _tell(state)

    def _failure(self, request: Request[Any], error: Exception, *, nothing_done: bool) -> MstrError:
        wire = self._wire
        return network_error(
            request.purpose,
            error,
            proxy=wire.proxy,
            trust=wire.trust,
            seconds=wire.seconds_for(request),
            nothing_done=nothing_done,
        )


class SyncDriver(_Driver):
    """Runs procedures with requests, over one kept connection.

    :param server: the server to talk to
    :param register: takes each secret that must not be logged, as soon as it is known
    """

    def __init__(
        self, server: LibraryServer, register: Callable[[list[str]], object] = lambda secrets: None
    ) -> None:
        super().__init__(server)
        self._register = register
        self._client = requests.Session()
        self._client.trust_env = False
        connect = self._wire.socks.connect if self._wire.socks is not None else None
        for scheme in ("http://", "https://"):
            self._client.mount(scheme, PunctualAdapter(self._wire.context, connect))
        self._client.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __enter__(self) -> SyncDriver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure to its end and return its result.

        :param procedure: a procedure that was not started yet
        """
        run = Run(procedure)
        while run.step is not None:
            run.feed(self._outcome(run.step))
        return run.result

    def _outcome(self, step: Step) -> Answer[Any] | BaseException | None:
        try:
            return self._perform(step)
        except BaseException as error:
            return error

    def _perform(self, step: Step) -> Answer[Any] | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        return tenacity.Retrying(**_repetition(step), before_sleep=self._ask_again)(self._ask, step)

    def _ask(self, request: Request[T]) -> Answer[T]:
        if new := self._sent_secrets(request):
            self._register(new)
        try:
            response = self._exchange(request)
        except (InvalidHTTPError, NotUnderstood) as error:
            raise self._invalid(request, error) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise self._failure(request, error, nothing_done=_never_connected(error)) from None
        if new := self._received_secrets(response):
            self._register(new)
        return self._read(request, response)

    def _exchange(self, request: Request[Any]) -> Response:
        limit = self._wire.seconds_for(request)
        with self._client.request(
            request.method,
            self._wire.url(request),
            headers={name: _encoded(value) for name, value in self._wire.headers(request).items()},
            data=self._wire.body(request),
            timeout=(min(CONNECT_TIMEOUT, limit), limit),
            verify=self._wire.trust.path is not None,
            proxies=self._wire.proxies,
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = (
                (name, _FOLD.sub(" ", _recoded(value))) for name, value in response.raw.headers.iteritems()
            )
            head = Response(response.status_code, tuple(headers))
            body = BodyReader(head.header("Content-Encoding"))
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                body.feed(chunk)
            return replace(head, body=body.finish())


class AsyncDriver(_Driver):
    """Runs procedures with aiohttp, over the one client that serves the whole event loop.

    :param server: the server to talk to
    :param register: takes each secret that must not be logged, as soon as it is known; None for nothing
    """

    def __init__(
        self, server: LibraryServer, register: Callable[[list[str]], Awaitable[object]] | None = None
    ) -> None:
        super().__init__(server)
        self._register = register

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure to its end and return its result.

        :param procedure: a procedure that was not started yet
        """
        run = Run(procedure)
        async with _shared_client(self._wire.socks) as client:
            while run.step is not None:
                # No name holds on to it, as it would be kept through the next pause.
                run.feed(await self._outcome(client, run.step))
        return run.result

    async def _outcome(self, client: aiohttp.ClientSession, step: Step) -> Answer[Any] | BaseException | None:
        try:
            return await self._perform(client, step)
        except BaseException as error:
            return error

    async def _perform(self, client: aiohttp.ClientSession, step: Step) -> Answer[Any] | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        # Most polls are answered at once, and what could repeat them would cost a fifth of each.
        began = time.monotonic()
        try:
            return await self._ask(client, step)
        except (ServerUnavailable, NotUnderstood) as error:
            failures = [error]

        async def ask() -> Answer[Any]:
            if failures:
                raise failures.pop()
            return await self._ask(client, step)

        repetition = _repetition(step, time.monotonic() - began)
        return await tenacity.AsyncRetrying(**repetition, before_sleep=self._ask_again)(ask)

    async def _ask(self, client: aiohttp.ClientSession, request: Request[T]) -> Answer[T]:
        if self._register and (new := self._sent_secrets(request)):
            await self._register(new)
        try:
            response = await self._exchange(client, request)
        except NotUnderstood as error:
            raise self._invalid(request, error) from None
        except _NO_ANSWER as error:
            # Errors of a proxy or a redirect are of a subclass.
            if type(error) is aiohttp.ClientResponseError:
                raise self._invalid(request, error) from None
            never_connected = isinstance(error, _NEVER_CONNECTED)
            raise self._failure(request, error, nothing_done=never_connected) from None
        if self._register and (new := self._received_secrets(response)):
            await self._register(new)
        if len(response.body) > _MAX_BYTES_ON_LOOP:
            return await asyncio.to_thread(self._read, request, response)
        return self._read(request, response)

    async def _exchange(self, client: aiohttp.ClientSession, request: Request[Any]) -> Response:
        limit = self._wire.seconds_for(request)
        async with client.request(
            request.method,
            yarl.URL(self._wire.url(request), encoded=True),
            headers=self._wire.headers(request),
            data=self._wire.body(request),
            # The shorter one tells a connection that never came from an answer that did not.
            timeout=aiohttp.ClientTimeout(total=limit, connect=min(CONNECT_TIMEOUT, 0.9 * limit)),
            ssl=self._wire.context,
            proxy=self._wire.http_proxy,
            allow_redirects=False,
        ) as response:
            head = Response(response.status, tuple(response.headers.items()))
            body = BodyReader(head.header("Content-Encoding"))
            async for chunk in response.content.iter_any():
                body.feed(chunk)
            return replace(head, body=body.finish())


@dataclass(frozen=True)
class Wire:
    """What both drivers put on the wire, and under which limits.

    :param base: the Library URL
    :param seconds: seconds an answer may take
    :param trust: the CA certificates to check with
    :param proxy: the proxy, from the environment
    :param gateway_headers: headers of the connection that each request carries
    """

    base: str
    seconds: float
    trust: Trust
    proxy: Proxy | None
    gateway_headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def to(cls, server: LibraryServer) -> Wire:
        """Return the wire to a server.

        :param server: the server to talk to
        :raises InvalidInput: if its CA file or the proxy of the environment cannot be used
        """
        proxy = Proxy.for_url(server.url)
        is_tls = server.url.startswith("https:") or (proxy is not None and proxy.scheme == "https")
        checked = server.verify if is_tls or isinstance(server.verify, str) else False
        return cls(server.url, server.timeout, Trust.of(checked), proxy, server.headers)

    @property
    def context(self) -> ssl.SSLContext:
        """The TLS context, the same for both drivers."""
        return self.trust.context()

    @property
    def socks(self) -> Proxy | None:
        """The proxy, if it is a SOCKS proxy."""
        return self.proxy if self.proxy is not None and self.proxy.is_socks else None

    @property
    def http_proxy(self) -> str | None:
        """The URL of the proxy, if it is an HTTP proxy."""
        return self.proxy.url if self.proxy is not None and not self.proxy.is_socks else None

    @property
    def proxies(self) -> dict[str, str]:
        """The URL of the proxy, if it is an HTTP proxy, in the form for requests."""
        return {"all": self.http_proxy} if self.http_proxy else {}

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets that requests contain besides those of a session."""
        return self.proxy.secrets if self.proxy is not None else frozenset()

    def url(self, request: Request[Any]) -> str:
        """Return the request's whole address."""
        query = f"?{urlencode(request.query)}" if request.query else ""
        return f"{self.base}{request.path}{query}"

    def headers(self, request: Request[Any]) -> dict[str, str]:
        """Return all headers of the request."""
        cookies = request.cookies.header(self.base, request.path, time.time())
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
            "Content-Type": "application/json",
            "User-Agent": f"airflow-provider-mstr/{__version__}",
            **({"Cookie": cookies} if cookies else {}),
            **request.headers,
        }
        # The connection may write a name in another case, and each header is sent once.
        own = {name.lower() for name in self.gateway_headers}
        return {name: value for name, value in headers.items() if name.lower() not in own} | dict(
            self.gateway_headers
        )

    def body(self, request: Request[Any]) -> bytes | None:
        """Return the request's body as bytes, None where it has none."""
        return None if request.body is None else json.dumps(request.body).encode()

    def seconds_for(self, request: Request[Any]) -> float:
        """Return the seconds that one sending of the request may take."""
        return self.seconds if request.patience is None else min(self.seconds, max(1.0, request.patience))


def _recoded(value: str) -> str:
    """Return a header's value that requests has read, as aiohttp reads it."""
    return value.encode("latin-1").decode("utf-8", "surrogateescape")


def _encoded(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _repetition(request: Request[Any], spent: float = 0.0) -> dict[str, Any]:
    """Return when, how often and for how long a request is sent again, in tenacity's terms.

    :param request: the request
    :param spent: seconds of its patience that are over already
    """
    patience = (PATIENCE if request.patience is None else request.patience) - spent
    return {
        "retry": tenacity.retry_if_exception(partial(_may_pass, request)),
        "stop": tenacity.stop_any(tenacity.stop_before_delay(patience), _StopAtOddAnswers(request)),
        "wait": _pause,
        "reraise": True,
    }


def _may_pass(request: Request[Any], error: BaseException) -> bool:
    if isinstance(error, ServerUnavailable):
        return request.repeatable or error.nothing_done
    return request.repeatable and isinstance(error, NotUnderstood) and not error.too_large


class _StopAtOddAnswers(tenacity.stop.stop_base):
    """Takes odd answers for lasting sooner than silence, unless the request brings a patience of its own."""

    def __init__(self, request: Request[Any]) -> None:
        self._left = ODD_ANSWERS if request.patience is None else math.inf

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        self._left -= isinstance(_error(state), NotUnderstood)
        return self._left <= 0


_backoff = tenacity.wait_combine(
    tenacity.wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE), tenacity.wait_random(0, FIRST_PAUSE)
)


def _pause(state: tenacity.RetryCallState) -> float:
    error = _error(state)
    asked_for = error.reply.retry_after if isinstance(error, MstrError) else None
    return max(_backoff(state), asked_for or 0.0)


def _tell(state: tenacity.RetryCallState) -> None:
    error = _error(state)
    what = error.what if isinstance(error, MstrError) else type(error).__name__
    log.warning("Asking again in %.1f s: %s", state.upcoming_sleep, what)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.ProxyError):
        reason = reason.original_error
    no_connection = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    no_tunnel = isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed")
    unsent = isinstance(error, (requests.ConnectTimeout, UnicodeError))
    return unsent or no_tunnel or isinstance(reason, no_connection)


@dataclass
class _Shared:
    client: aiohttp.ClientSession
    users: int = 0


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Proxy | None, _Shared]] = WeakKeyDictionary()


@asynccontextmanager
async def _shared_client(socks: Proxy | None) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the event loop's client, one for each SOCKS proxy; the last user closes it."""
    clients = _shared.setdefault(asyncio.get_running_loop(), {})
    shared = clients.get(socks)
    if shared is None:
        connect = aiohttp.TCPConnector if socks is None else socks.connector
        connector = connect(limit=0, keepalive_timeout=75.0)
        client = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_field_size=_CHUNK,
            auto_decompress=False,
        )
        shared = clients[socks] = _Shared(client)
    shared.users += 1
    try:
        yield shared.client
    finally:
        shared.users -= 1
        if shared.users == 0:
            del clients[socks]
            await shared.client.close()
