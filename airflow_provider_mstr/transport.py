# SPDX-License-Identifier: Apache-2.0
"""The two drivers of a procedure: requests for workers, aiohttp for the triggerer."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

import aiohttp
import requests
import tenacity
import urllib3
import yarl
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies

from airflow_provider_mstr import __version__
from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.punctual import PunctualAdapter
from airflow_provider_mstr.rest.errors import (
    CertificateRefused,
    InvalidInput,
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
from airflow_provider_mstr.unreachable import in_words

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0

# Seconds of asking again where the server is away, unless the request says otherwise.
PATIENCE = 60.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0

# How often one request is sent whose answers make no sense.
ODD_ANSWERS = 3

# How many secrets a driver registers: some servers renew a cookie in each answer.
MAX_SECRETS = 50

_CHUNK = 65536

_NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, UnicodeError)


class _Driver:
    """What both drivers know.

    :param server: the server to talk to
    """

    def __init__(self, server: LibraryServer) -> None:
        self._wire = Wire.to(server)
        self._secrets = server.secrets
        self._registered: set[str] = set()
        self.retries = 0

    def _new_secrets(self, secrets: frozenset[str]) -> list[str]:
        """Return which secrets are to be registered, as they were not before."""
        new = sorted(secrets - self._registered)[: MAX_SECRETS - len(self._registered)]
        self._registered.update(new)
        return new

    def _sent_secrets(self, request: Request[Any]) -> list[str]:
        return self._new_secrets(self._secrets | request.secrets | request.cookies.secrets)

    def _read(self, request: Request[T], response: Response) -> Answer[T]:
        """Store the cookies that an answer sets, whatever else it is, and return what it means."""
        date = response.header("Date")
        request.cookies.store(self._wire.base, response.set_cookies, time.time(), date)
        return decipher(request, replace(response, secrets=self._secrets))

    def _ask_again(self, state: tenacity.RetryCallState) -> None:
        self.retries += 1
        _tell(state)


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
        for scheme in ("http://", "https://"):
            self._client.mount(scheme, PunctualAdapter())
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
            if new := self._new_secrets(response.own_secrets):
                self._register(new)
            return self._read(request, response)
        except requests.exceptions.SSLError as error:
            raise _untrusted(request, error) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise _unreachable(request, error, nothing_done=_never_connected(error)) from None

    def _exchange(self, request: Request[Any]) -> Response:
        limit = self._wire.seconds_for(request)
        deadline = time.monotonic() + limit
        with self._client.request(
            request.method,
            self._wire.url(request),
            headers={name: _encoded(value) for name, value in self._wire.headers(request).items()},
            data=self._wire.body(request),
            timeout=(min(CONNECT_TIMEOUT, limit), limit),
            verify=self._wire.trusted,
            proxies=self._wire.proxies,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout("the answer does not end")
            headers = tuple((name, _recoded(value)) for name, value in response.raw.headers.iteritems())
            return Response(response.status_code, headers, bytes(body))


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
        async with _shared_client() as client:
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
            if self._register and (new := self._new_secrets(response.own_secrets)):
                await self._register(new)
            return self._read(request, response)
        except aiohttp.ClientSSLError as error:
            raise _untrusted(request, error) from None
        except (TimeoutError, aiohttp.ClientError, OSError, UnicodeError) as error:
            never_connected = isinstance(error, _NEVER_CONNECTED)
            raise _unreachable(request, error, nothing_done=never_connected) from None

    async def _exchange(self, client: aiohttp.ClientSession, request: Request[Any]) -> Response:
        limit = self._wire.seconds_for(request)
        async with client.request(
            request.method,
            yarl.URL(self._wire.url(request), encoded=True),
            headers=self._wire.headers(request),
            data=self._wire.body(request),
            # The shorter one tells a connection that never came from an answer that did not.
            timeout=aiohttp.ClientTimeout(total=limit, connect=min(CONNECT_TIMEOUT, 0.9 * limit)),
            ssl=_ssl_context(self._wire.trusted),
            proxy=self._wire.proxy,
            allow_redirects=False,
        ) as response:
            return Response(response.status, tuple(response.headers.items()), await response.read())


@dataclass(frozen=True)
class Wire:
    """What both drivers put on the wire, and under which limits.

    :param base: the Library URL
    :param seconds: seconds an answer may take
    :param trusted: the CA file to check the server's certificate with, or False
    :param proxies: URL scheme to proxy, from the environment
    """

    base: str
    seconds: float
    trusted: str | bool
    proxies: dict[str, str] = field(repr=False)

    @classmethod
    def to(cls, server: LibraryServer) -> Wire:
        """Return the wire to a server.

        :param server: the server to talk to
        :raises InvalidInput: where its CA file does not exist
        """
        proxies = dict(get_environ_proxies(server.url))
        needed = server.url.startswith("https:") or isinstance(server.verify, str)
        trusted = _ca_file(server.verify) if needed else True
        return cls(server.url, server.timeout, trusted, proxies)

    @property
    def proxy(self) -> str | None:
        """The proxy for this server, if any."""
        proxy = self.proxies.get(urlsplit(self.base).scheme) or self.proxies.get("all")
        return f"http://{proxy}" if proxy and "://" not in proxy else proxy

    def url(self, request: Request[Any]) -> str:
        """Return the request's whole address."""
        query = f"?{urlencode(request.query)}" if request.query else ""
        return f"{self.base}{request.path}{query}"

    def headers(self, request: Request[Any]) -> dict[str, str]:
        """Return all headers of the request."""
        cookies = request.cookies.header(self.base, request.path, time.time())
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"airflow-provider-mstr/{__version__}",
            **({"Cookie": cookies} if cookies else {}),
            **request.headers,
        }

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
    return request.repeatable and isinstance(error, NotUnderstood)


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


def _unreachable(request: Request[Any], error: Exception, *, nothing_done: bool) -> ServerUnavailable:
    return ServerUnavailable(f"could not {request.purpose}: {in_words(error)}", nothing_done=nothing_done)


def _untrusted(request: Request[Any], error: Exception) -> MstrError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error) or isinstance(
        error, aiohttp.ClientConnectorCertificateError
    ):
        return CertificateRefused(f"could not {request.purpose}: the server's certificate is not trusted")
    return _unreachable(request, error, nothing_done=False)


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.ProxyError):
        reason = reason.original_error
    no_connection = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    no_tunnel = isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed")
    unsent = isinstance(error, (requests.ConnectTimeout, UnicodeError))
    return unsent or no_tunnel or isinstance(reason, no_connection)


def _ca_file(verify: bool | str) -> str | bool:
    """Return which CA file to trust: both drivers the same one, and the one that requests would."""
    if verify is False:
        return False
    from_environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    path = verify if isinstance(verify, str) else from_environment or DEFAULT_CA_BUNDLE_PATH
    try:
        _ssl_context(path)
    except (OSError, ValueError) as error:
        why = (
            "does not exist on this machine"
            if isinstance(error, FileNotFoundError)
            else "holds no certificate"
        )
        raise InvalidInput(
            f"the CA file {path!r}, of the connection's verify or the environment, {why}"
        ) from None
    return path


@lru_cache(maxsize=16)
def _ssl_context(trusted: str | bool) -> ssl.SSLContext | bool:
    if not isinstance(trusted, str):
        return trusted
    if os.path.isdir(trusted):
        return ssl.create_default_context(capath=trusted)
    return ssl.create_default_context(cafile=trusted)


@dataclass
class _Shared:
    client: aiohttp.ClientSession
    users: int = 0


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


@asynccontextmanager
async def _shared_client() -> AsyncIterator[aiohttp.ClientSession]:
    """Lend the event loop's one client; the last to give it back closes it."""
    loop = asyncio.get_running_loop()
    shared = _shared.get(loop)
    if shared is None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=75.0)
        client = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), max_field_size=_CHUNK
        )
        shared = _shared[loop] = _Shared(client)
    shared.users += 1
    try:
        yield shared.client
    finally:
        shared.users -= 1
        if shared.users == 0:
            _shared.pop(loop, None)
            await shared.client.close()
