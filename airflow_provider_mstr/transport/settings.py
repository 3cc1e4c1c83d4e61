# SPDX-License-Identifier: Apache-2.0
"""What both drivers send to a server, and under which limits."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from airflow_provider_mstr import __version__
from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.rest.body import ACCEPT_ENCODING
from airflow_provider_mstr.rest.messages import Request
from airflow_provider_mstr.transport.proxies import Proxy
from airflow_provider_mstr.transport.tls import Trust

CONNECT_TIMEOUT = 10.0
MIN_TIMEOUT = 1.0


@dataclass(frozen=True)
class RequestSettings:
    """What both drivers send to a server, and under which limits.

    :param base: the Library URL
    :param timeout: seconds that one answer may take
    :param trust: the CA certificates
    :param proxy: the proxy, from the environment
    :param gateway_headers: headers of the connection that each request carries
    """

    base: str
    timeout: float
    trust: Trust
    proxy: Proxy | None
    gateway_headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def for_server(cls, server: LibraryServer) -> RequestSettings:
        """Return the settings for a server.

        :param server: the server
        :raises InvalidInput: if its CA file or the proxy of the environment cannot be used
        """
        proxy = Proxy.for_url(server.url)
        is_tls = server.url.startswith("https:") or (proxy is not None and proxy.scheme == "https")
        verify = server.verify if is_tls or isinstance(server.verify, str) else False
        return cls(server.url, server.timeout, Trust.of(verify), proxy, server.headers)

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The TLS context, the same for both drivers."""
        return self.trust.context()

    @property
    def socks_proxy(self) -> Proxy | None:
        """The proxy, if it is a SOCKS proxy."""
        return self.proxy if self.proxy is not None and self.proxy.is_socks else None

    @property
    def http_proxy(self) -> str | None:
        """The URL of the proxy, if it is an HTTP proxy."""
        return self.proxy.url if self.proxy is not None and not self.proxy.is_socks else None

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets that requests contain besides those of a session."""
        return self.proxy.secrets if self.proxy is not None else frozenset()

    def url(self, request: Request[Any]) -> str:
        """Return the whole URL of a request."""
        query = f"?{urlencode(request.query)}" if request.query else ""
        return f"{self.base}{request.path}{query}"

    def headers(self, request: Request[Any]) -> dict[str, str]:
        """Return all headers of a request."""
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
        """Return the body of a request, None if it has none."""
        return None if request.body is None else json.dumps(request.body).encode()

    def timeout_for(self, request: Request[Any]) -> float:
        """Return the seconds that one answer to a request may take."""
        return (
            self.timeout if request.timeout is None else min(self.timeout, max(MIN_TIMEOUT, request.timeout))
        )
