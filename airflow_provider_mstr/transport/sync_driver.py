# SPDX-License-Identifier: Apache-2.0
"""The driver of workers: runs flows with requests."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, TypeVar

import requests
import urllib3

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.refresh.job import Log
from airflow_provider_mstr.rest.body import BodyReader
from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.flow import Flow, Pause, Step, run_flow
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.transport import settings
from airflow_provider_mstr.transport.base_driver import CHUNK_BYTES, BaseDriver
from airflow_provider_mstr.transport.deadline_adapter import DeadlineAdapter, InvalidHTTPError
from airflow_provider_mstr.transport.outage import log_warning

T = TypeVar("T")

# A header may continue in a line that begins with a space (RFC 9112, 5.2); aiohttp joins these itself.
# The search starts at the first of several spaces, so that it passes a long run of spaces only once.
_FOLD = re.compile(r"(?<!\s)\s*[\r\n]+\s*")


class SyncDriver(BaseDriver):
    """Runs flows with requests, over one persistent connection.

    :param server: the server
    :param register: takes each secret that must not be logged, as soon as it is known
    :param log: logs that the server does not answer, and that it answers again
    """

    def __init__(
        self,
        server: LibraryServer,
        register: Callable[[list[str]], object] = lambda secrets: None,
        log: Log = log_warning,
    ) -> None:
        super().__init__(server, log)
        self._register = register
        self._client = requests.Session()
        self._client.trust_env = False
        proxy = self._settings.socks_proxy
        connect = proxy.connect if proxy is not None else None
        for scheme in ("http://", "https://"):
            self._client.mount(scheme, DeadlineAdapter(self._settings.ssl_context, connect))
        self._client.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def __enter__(self) -> SyncDriver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end and return its result.

        :param flow: a flow that has not started
        """
        return run_flow(self._with_retries(flow), self._perform)

    def _perform(self, step: Step) -> Any:
        return time.sleep(step.seconds) if isinstance(step, Pause) else self._send(step)

    def _send(self, request: Request[T]) -> T:
        if new := self._sent_secrets(request):
            self._register(new)
        try:
            response = self._exchange(request)
        except (InvalidHTTPError, InvalidResponse) as error:
            raise self._invalid_response(request, error) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise self._network_error(request, error, nothing_done=_never_connected(error)) from None
        if new := self._received_secrets(response):
            self._register(new)
        return self._parse(request, response)

    def _exchange(self, request: Request[Any]) -> Response:
        timeout = self._settings.timeout_for(request)
        http_proxy = self._settings.http_proxy
        with self._client.request(
            request.method,
            self._settings.url(request),
            headers={name: _encoded(value) for name, value in self._settings.headers(request).items()},
            data=self._settings.body(request),
            timeout=(min(settings.CONNECT_TIMEOUT, timeout), timeout),
            verify=self._settings.trust.path is not None,
            proxies={"all": http_proxy} if http_proxy else {},
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = (
                (name, _FOLD.sub(" ", _recoded(value))) for name, value in response.raw.headers.iteritems()
            )
            head = Response(response.status_code, tuple(headers))
            body = BodyReader(head.header("Content-Encoding"))
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                body.feed(chunk)
            return replace(head, body=body.finish())


def _recoded(value: str) -> str:
    """Return a header value that requests has decoded, as aiohttp decodes it."""
    return value.encode("latin-1").decode("utf-8", "surrogateescape")


def _encoded(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.ProxyError):
        reason = reason.original_error
    no_connection = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    no_tunnel = isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed")
    unsent = isinstance(error, (requests.ConnectTimeout, UnicodeError))
    return unsent or no_tunnel or isinstance(reason, no_connection)
