# SPDX-License-Identifier: Apache-2.0
"""Why a server cannot be reached, in words that say where to look."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import aiohttp
import requests
import urllib3

# The first that fits is told; a narrower kind of error stands before a wider one.
_WORDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (socket.gaierror, "the host is not found: look at its spelling"),
    (ConnectionRefusedError, "the connection is refused: nothing listens at this host and port"),
    (ssl.SSLError, "no TLS is spoken there: use http, or another port"),
    (
        (requests.ConnectTimeout, aiohttp.ConnectionTimeoutError),
        "no connection comes about in time: a wrong host or port, or a firewall between",
    ),
    ((requests.Timeout, TimeoutError), "no answer within {seconds:g} s"),
    (
        (
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientPayloadError,
            http.client.RemoteDisconnected,
            http.client.IncompleteRead,
            urllib3.exceptions.IncompleteRead,
        ),
        "the connection ended before the whole answer came",
    ),
)

_OF_A_PROXY = (urllib3.exceptions.ProxyError, aiohttp.ClientProxyConnectionError)


def in_words(error: BaseException, seconds: float) -> str:
    """Return what went wrong on the network.

    :param error: what requests or aiohttp raised
    :param seconds: how long the answer was waited for at most
    """
    chain = list(_chain(error))
    by = "at the proxy, " if any(isinstance(each, _OF_A_PROXY) for each in chain) else ""
    for kinds, words in _WORDS:
        if any(isinstance(each, kinds) for each in chain):
            return f"{by}{words.format(seconds=seconds)}"
    said = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
    return f"{by}{type(error).__name__}{f': {said[-1]}' if said else ''}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it came of, and so on to the innermost."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
