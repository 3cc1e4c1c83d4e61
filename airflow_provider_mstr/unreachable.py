# SPDX-License-Identifier: Apache-2.0
"""Why a server cannot be reached, in words that say where to look."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus

import aiohttp
import requests
import urllib3

from airflow_provider_mstr.proxies import Proxy
from airflow_provider_mstr.rest.errors import (
    CertificateRefused,
    MstrError,
    NotUnderstood,
    ProxyError,
    ServerUnavailable,
)
from airflow_provider_mstr.tls import Trust, certificate_problem

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

# The first that fits is told; a narrower kind of error stands before a wider one.
_WORDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (socket.gaierror, "the host name is not found: check its spelling"),
    (ConnectionRefusedError, "the connection is refused: nothing listens at this host and port"),
    (
        (requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError, aiohttp.ConnectionTimeoutError),
        "the connection timed out: check the host, the port and the firewalls",
    ),
    ((requests.Timeout, TimeoutError), "no answer within {seconds:g} s"),
    (
        (
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientPayloadError,
            http.client.RemoteDisconnected,
            http.client.IncompleteRead,
            urllib3.exceptions.IncompleteRead,
            ssl.SSLEOFError,
        ),
        "the connection ended before the whole answer arrived",
    ),
    (
        (ConnectionResetError, ConnectionAbortedError, BrokenPipeError),
        "the connection was reset by peer: by the server, or by a proxy or firewall on the way",
    ),
)

# The reasons that OpenSSL gives, in words.
_TLS_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile("WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE|PACKET_LENGTH|UNKNOWN_PROTOCOL"),
        "this port does not use TLS: use http, or another port",
    ),
    (
        re.compile("PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|LEGACY_RENEGOTIATION|DH_KEY_TOO"),
        "this port offers only TLS that is too old or too weak: have TLS 1.2 or newer enabled",
    ),
    (
        re.compile("HANDSHAKE_FAILURE"),
        "the TLS handshake is refused: have TLS 1.2 or newer enabled, and client certificates not required, "
        "because this package cannot send one",
    ),
    (
        re.compile("CERTIFICATE_REQUIRED|CERTIFICATE_UNKNOWN|BAD_CERTIFICATE"),
        "a client certificate is required, but this package cannot send one",
    ),
)

_CONNECTOR_ERRORS = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
)
_OF_A_PROXY = (urllib3.exceptions.ProxyError, aiohttp.ClientProxyConnectionError, *SOCKS_ERRORS)

# How servers answer plain HTTP where they expect TLS; None is an answer that is no HTTP.
_NO_TLS_STATUSES = (None, 301, 302, 303, 307, 308, 400, 403, 426)

_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d+)")

# Answers of a SOCKS proxy that a retry does not change, in the words of python-socks.
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
    """Return the error that explains why a request got no answer.

    :param purpose: what the request is for
    :param error: what requests or aiohttp raised
    :param proxy: the proxy, if there is one
    :param trust: the CA certificates
    :param seconds: the time limit of the answer
    :param nothing_done: whether it is certain that the request had no effect
    """
    chain = list(_chain(error))
    at_proxy = proxy is not None and _is_at_proxy(chain, proxy)
    tls_error = _tls_error(chain)
    if isinstance(tls_error, ssl.SSLCertVerificationError):
        whose = f"the proxy {proxy}" if at_proxy else "the server"
        return CertificateRefused(f"could not {purpose}: {certificate_problem(tls_error, whose, trust)}")
    for each in chain:
        if proxy is not None and (status := _tunnel_status(each)):
            return proxy_refusal(purpose, proxy, status)
        if proxy is not None and isinstance(each, _SOCKS_REPLIES):
            problem = _socks_problem(str(each), proxy)
            if problem:
                return ProxyError(f"could not {purpose}: the proxy {proxy} {problem}")
    where = f"at the proxy {proxy}, " if at_proxy else ""
    what = f"could not {purpose}: {where}{in_words(error, seconds)}{_proxy_hint(chain, proxy, at_proxy)}"
    if at_proxy and tls_error is not None:
        return ProxyError(what)
    return ServerUnavailable(what, nothing_done=nothing_done)


def proxy_refusal(purpose: str, proxy: Proxy, status: int) -> MstrError:
    """Return the error for a status that the proxy answers, and not the server.

    :param purpose: what the request is for
    :param proxy: the proxy
    :param status: the HTTP status
    """
    what = f"could not {purpose}: the proxy {proxy}"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return ProxyError(
            f"{what} {_login_problem(proxy)}; only Basic authentication is supported (HTTP {status})"
        )
    if status in (408, 425, 429) or (status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED):
        return ServerUnavailable(f"{what} cannot reach the server (HTTP {status})", nothing_done=True)
    return ProxyError(f"{what} {_refused(proxy)} (HTTP {status})")


def add_hints(error: MstrError, url: str, proxy: Proxy | None) -> None:
    """Add to the text of an error what may have sent an answer that is none of the API's.

    :param error: the error
    :param url: the Library URL
    :param proxy: the proxy on the way
    """
    is_plain, status = url.startswith("http:"), error.reply.status
    if is_plain and isinstance(error, NotUnderstood) and status in _NO_TLS_STATUSES:
        error.what += "; if the server speaks TLS, the Library URL has to begin with https"
    # Within TLS, a proxy sees no request; it may only refuse to connect.
    if proxy is not None and not proxy.is_socks and (is_plain or status is None):
        error.what += f"; the proxy {proxy} may have answered instead of the server"


def in_words(error: BaseException, seconds: float) -> str:
    """Return what went wrong on the network.

    :param error: what requests or aiohttp raised
    :param seconds: the time limit of the answer
    """
    chain = list(_chain(error))
    tls_error = _tls_error(chain)
    if tls_error is not None:
        return _tls_words(tls_error.reason or "")
    for each in chain:
        if isinstance(each, _SOCKS_REPLIES):
            return f"the server cannot be reached: {each}"
    for kinds, words in _WORDS:
        if any(isinstance(each, kinds) for each in chain):
            return words.format(seconds=seconds)
    said = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
    return f"{type(error).__name__}{f': {said[-1]}' if said else ''}"


def _tls_error(chain: list[BaseException]) -> ssl.SSLError | None:
    """Return the error of the ssl module; aiohttp's errors are subclasses of it, but lack its fields."""
    raised = (each for each in chain if isinstance(each, ssl.SSLError))
    return next(
        (each for each in raised if not isinstance(each, (aiohttp.ClientError, ssl.SSLEOFError))), None
    )


def _tls_words(reason: str) -> str:
    fitting = (words for pattern, words in _TLS_WORDS if pattern.search(reason))
    return next(fitting, f"the TLS handshake fails: {reason or 'no reason is given'}")


def _is_at_proxy(chain: list[BaseException], proxy: Proxy) -> bool:
    """Return whether the connection to the proxy failed, and not the one from it to the server."""
    return any(
        isinstance(each, (*_OF_A_PROXY, aiohttp.ConnectionTimeoutError))
        or (isinstance(each, _CONNECTOR_ERRORS) and (each.host, each.port) == (proxy.host, proxy.port))
        for each in chain
    )


def _proxy_hint(chain: list[BaseException], proxy: Proxy | None, at_proxy: bool) -> str:
    """Return what else to look at where the proxy may be the cause."""
    if proxy is None:
        return ""
    if at_proxy and proxy.scheme == "https" and any(isinstance(each, ssl.SSLError) for each in chain):
        return (
            f". If the proxy does not use TLS itself, use http:// in {proxy.variable}, also for https servers"
        )
    if proxy.scheme in ("socks4", "socks5") and any(isinstance(each, socket.gaierror) for each in chain):
        remote = {"socks4": "socks4a", "socks5": "socks5h"}[proxy.scheme]
        return f". If only the proxy knows the host, write {remote}:// in {proxy.variable}"
    return "" if at_proxy else f". The proxy {proxy} is on the way: check it, or add the host to NO_PROXY"


def _tunnel_status(error: BaseException) -> int | None:
    """Return the status with which a proxy has refused to connect to the server, None for other errors."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return error.status
    refused = _TUNNEL_REFUSED.match(str(error)) if isinstance(error, OSError) else None
    return int(refused[1]) if refused else None


def _socks_problem(answer: str, proxy: Proxy) -> str | None:
    if _SOCKS_LOGIN.search(answer):
        return f"{_login_problem(proxy)} ({answer})"
    if _NOT_SOCKS.search(answer):
        return f"is not a {proxy.scheme} proxy: check scheme and port in {proxy.variable} ({answer})"
    return f"{_refused(proxy)} ({answer})" if _SOCKS_REFUSED.search(answer) else None


def _login_problem(proxy: Proxy) -> str:
    if proxy.user is not None:
        return f"refuses the user and password in {proxy.variable}: correct them, percent-encoded"
    return (
        f"requires a user and a password: put them into {proxy.variable}, percent-encoded, as "
        f"{proxy.scheme}://user:password@host:port"
    )


def _refused(proxy: Proxy) -> str:
    return (
        "refuses to connect to the server: have it allow the server's host and port, set another proxy in "
        f"{proxy.variable}, or add the host to NO_PROXY"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, which urllib3 also has among the arguments."""
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
