# SPDX-License-Identifier: Apache-2.0
"""Error messages for network errors, with advice on what to check."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import aiohttp
import requests
import urllib3

from airflow_provider_mstr.rest.errors import (
    CertificateError,
    InvalidResponse,
    MstrError,
    ProxyError,
    ServerReply,
    ServerUnavailable,
)
from airflow_provider_mstr.rest.messages import Request
from airflow_provider_mstr.transport.proxies import Proxy
from airflow_provider_mstr.transport.tls import Trust, certificate_problem

try:
    import aiohttp_socks
    import python_socks

    _SOCKS_REPLIES: tuple[type[Exception], ...] = (python_socks.ProxyError, aiohttp_socks.ProxyError)
    SOCKS_ERRORS: tuple[type[Exception], ...] = (
        *_SOCKS_REPLIES,
        python_socks.ProxyTimeoutError,
        python_socks.ProxyConnectionError,
        aiohttp_socks.ProxyTimeoutError,
        aiohttp_socks.ProxyConnectionError,
    )
except ImportError:
    _SOCKS_REPLIES = SOCKS_ERRORS = ()

_CHECK_PATH = "If retries do not help, check the server, and the proxies and firewalls before it."

# Messages, and what to do; empty for the usual advice. The first match is used, so subclasses come before
# their base classes.
_MESSAGES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str, str], ...] = (
    (
        socket.gaierror,
        "the host name is unknown",
        "Correct the host of the Airflow connection, or the name resolution (DNS) of this machine.",
    ),
    (ConnectionRefusedError, "connection refused: no server listens on this host and port", ""),
    (
        (requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError, aiohttp.ConnectionTimeoutError),
        "connection timed out",
        "Check host and port of the Airflow connection, and the firewalls before the server.",
    ),
    (
        (requests.Timeout, TimeoutError),
        "no answer within {seconds:g} s",
        "If the server needs longer, increase timeout in the extra of the Airflow connection; otherwise, ask "
        "the administrator of the Library server.",
    ),
    (
        (
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientPayloadError,
            http.client.RemoteDisconnected,
            http.client.IncompleteRead,
            urllib3.exceptions.IncompleteRead,
            ssl.SSLEOFError,
        ),
        "the connection was closed before the complete answer arrived",
        _CHECK_PATH,
    ),
    (
        (ConnectionResetError, ConnectionAbortedError, BrokenPipeError),
        "connection reset by peer: by the server, or by a proxy or firewall before it",
        _CHECK_PATH,
    ),
)

# Messages for the reasons of OpenSSL.
_TLS_MESSAGES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile("WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE|PACKET_LENGTH|UNKNOWN_PROTOCOL"),
        "this port does not use TLS: use http, or another port",
    ),
    (
        re.compile("PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|LEGACY_RENEGOTIATION|DH_KEY_TOO|legacy sigalg"),
        "this port offers only TLS that is too old or too weak: enable TLS 1.2 or newer on the server",
    ),
    (
        re.compile("HANDSHAKE_FAILURE"),
        "the server rejects the TLS handshake: enable TLS 1.2 or newer, and do not require client "
        "certificates, which this package does not support",
    ),
    (
        re.compile("CERTIFICATE_REQUIRED|CERTIFICATE_UNKNOWN|BAD_CERTIFICATE"),
        "the server requires a client certificate, which this package does not support",
    ),
)

_CONNECTOR_ERRORS = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
)
_PROXY_ERRORS = (urllib3.exceptions.ProxyError, aiohttp.ClientProxyConnectionError, *SOCKS_ERRORS)

# The statuses of servers that expect TLS but receive plain HTTP; None is a response that is not HTTP.
_NO_TLS_STATUSES = (None, 301, 302, 303, 307, 308, 400, 403, 426)

_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d+)")

# Replies of a SOCKS proxy for which a retry does not help, as python-socks writes them.
_SOCKS_LOGIN = re.compile("authentication|identd", re.IGNORECASE)
_NOT_SOCKS = re.compile("version|malformed|invalid", re.IGNORECASE)
_SOCKS_REFUSED = re.compile("not allowed|not supported", re.IGNORECASE)


def network_error(
    purpose: str,
    error: Exception,
    *,
    proxy: Proxy | None,
    trust: Trust,
    seconds: float,
    nothing_done: bool,
) -> MstrError:
    """Return the error for a request without a response.

    :param purpose: the purpose of the request
    :param error: what requests or aiohttp raised
    :param proxy: the proxy, None without one
    :param trust: the CA certificates
    :param seconds: the timeout of the answer
    :param nothing_done: whether it is certain that the request had no effect
    """
    chain = list(_chain(error))
    at_proxy = proxy is not None and _is_at_proxy(chain, proxy)
    tls_error = _tls_error(chain)
    if isinstance(tls_error, ssl.SSLCertVerificationError):
        owner = f"the proxy {proxy}" if at_proxy else "the server"
        return CertificateError(f"could not {purpose}: {certificate_problem(tls_error, owner, trust)}")
    for each in chain:
        if proxy is not None and (status := _tunnel_status(each)):
            return proxy_refusal(purpose, proxy, status)
        if proxy is not None and isinstance(each, _SOCKS_REPLIES):
            problem = _socks_problem(str(each), proxy)
            if problem:
                return ProxyError(f"could not {purpose}: the proxy {proxy} {problem}")
    where = f"at the proxy {proxy}, " if at_proxy else ""
    message, advice = _describe(chain, error, seconds)
    if at_proxy and proxy is not None:
        advice = f"Check the proxy in {proxy.variable}, or add the host to NO_PROXY."
    what = f"could not {purpose}: {where}{message}{_proxy_hint(chain, proxy, at_proxy)}"
    if at_proxy and tls_error is not None:
        return ProxyError(what)
    return ServerUnavailable(what, nothing_done=nothing_done, advice=advice)


def proxy_refusal(purpose: str, proxy: Proxy, status: int) -> MstrError:
    """Return the error for a status of the proxy instead of the server.

    :param purpose: the purpose of the request
    :param proxy: the proxy
    :param status: the HTTP status
    """
    what, reply = f"could not {purpose}: the proxy {proxy}", ServerReply(status)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return ProxyError(f"{what} {_login_problem(proxy)}; only Basic authentication is supported", reply)
    if status in (408, 425, 429) or (status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED):
        return ServerUnavailable(f"{what} cannot reach the server", reply, nothing_done=True)
    return ProxyError(f"{what} {_refused(proxy)}", reply)


def add_hints(error: MstrError, request: Request[Any], url: str, proxy: Proxy | None) -> None:
    """Add to an error what may have sent a response that is not from the API.

    :param error: the error
    :param request: the request
    :param url: the Library URL
    :param proxy: the proxy, None without one
    """
    is_plain, status = url.startswith("http:"), error.reply.status
    # Over the wrong protocol, the login would have failed.
    if (
        is_plain
        and not request.has_session
        and isinstance(error, InvalidResponse)
        and status in _NO_TLS_STATUSES
    ):
        error.what += "; if the server uses TLS, the Library URL must begin with https"
    # A proxy cannot read requests over TLS; it can only refuse to connect.
    if proxy is not None and not proxy.is_socks and (is_plain or status is None):
        error.what += f"; the proxy {proxy} may have answered instead of the server"


def _describe(chain: list[BaseException], error: Exception, seconds: float) -> tuple[str, str]:
    """Return the message of a network error, and what to do; empty for the usual advice."""
    tls_error = _tls_error(chain)
    if tls_error is not None:
        # Python has no name for some reasons; then the text of OpenSSL is all there is.
        return _tls_message(tls_error.reason or tls_error.strerror or ""), ""
    for each in chain:
        if isinstance(each, _SOCKS_REPLIES):
            return f"the server cannot be reached: {each}", ""
    for types, message, advice in _MESSAGES:
        if any(isinstance(each, types) for each in chain):
            return message.format(seconds=seconds), advice
    texts = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
    return f"{type(error).__name__}{f': {texts[-1]}' if texts else ''}", ""


def _tls_error(chain: list[BaseException]) -> ssl.SSLError | None:
    """Return the error of the ssl module; aiohttp's errors are subclasses of it, but lack its fields."""
    raised = (each for each in chain if isinstance(each, ssl.SSLError))
    return next(
        (each for each in raised if not isinstance(each, (aiohttp.ClientError, ssl.SSLEOFError))), None
    )


def _tls_message(reason: str) -> str:
    messages = (message for pattern, message in _TLS_MESSAGES if pattern.search(reason))
    return next(messages, f"the TLS handshake failed: {reason or 'unknown reason'}")


def _is_at_proxy(chain: list[BaseException], proxy: Proxy) -> bool:
    """Return whether the connection to the proxy failed, not the one from the proxy to the server."""
    return any(
        isinstance(each, (*_PROXY_ERRORS, aiohttp.ConnectionTimeoutError))
        or (isinstance(each, _CONNECTOR_ERRORS) and (each.host, each.port) == (proxy.host, proxy.port))
        for each in chain
    )


def _proxy_hint(chain: list[BaseException], proxy: Proxy | None, at_proxy: bool) -> str:
    """Return what to check if the proxy may be the cause."""
    if proxy is None:
        return ""
    if at_proxy and proxy.scheme == "https" and any(isinstance(each, ssl.SSLError) for each in chain):
        return (
            f". If the proxy does not use TLS itself, use http:// in {proxy.variable}, also for https servers"
        )
    if proxy.scheme in ("socks4", "socks5") and any(isinstance(each, socket.gaierror) for each in chain):
        remote = {"socks4": "socks4a", "socks5": "socks5h"}[proxy.scheme]
        return f". If only the proxy knows the host, write {remote}:// in {proxy.variable}"
    if at_proxy:
        return ""
    return f". The connection uses the proxy {proxy}: check it, or add the host to NO_PROXY"


def _tunnel_status(error: BaseException) -> int | None:
    """Return the status of a proxy that refuses to connect to the server, None for other errors."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return error.status
    refused = _TUNNEL_REFUSED.match(str(error)) if isinstance(error, OSError) else None
    return int(refused[1]) if refused else None


def _socks_problem(reply: str, proxy: Proxy) -> str | None:
    if _SOCKS_LOGIN.search(reply):
        return f"{_login_problem(proxy)} ({reply})"
    if _NOT_SOCKS.search(reply):
        return f"is not a {proxy.scheme} proxy: check scheme and port in {proxy.variable} ({reply})"
    return f"{_refused(proxy)} ({reply})" if _SOCKS_REFUSED.search(reply) else None


def _login_problem(proxy: Proxy) -> str:
    if proxy.user is not None:
        return f"rejects the user and password in {proxy.variable}: correct them, percent-encoded"
    return (
        f"requires a user and a password: add them to {proxy.variable}, percent-encoded, as "
        f"{proxy.scheme}://user:password@host:port"
    )


def _refused(proxy: Proxy) -> str:
    return (
        "refuses to connect to the server: allow the server's host and port there, set another proxy in "
        f"{proxy.variable}, or add the host to NO_PROXY"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, which urllib3 also stores among the arguments."""
    left: list[BaseException | None] = [error]
    seen: set[int] = set()
    while left:
        each = left.pop(0)
        if each is None or isinstance(each, MstrError) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (argument for argument in each.args if isinstance(argument, BaseException))
        left += [each.__cause__ or each.__context__, *inner]
