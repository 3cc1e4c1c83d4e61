# SPDX-License-Identifier: Apache-2.0
"""A requests adapter that bounds the time to a response's head as a whole, not only each read of it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeAlias, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

Connect: TypeAlias = Callable[[str, int, float], socket.socket]


class PunctualAdapter(HTTPAdapter):
    """Breaks the connection where the head of a response has not come within the read time limit.

    A server that sends a header a byte at a time would otherwise hold a worker for hours.

    :param context: the TLS context of every connection, also of those to a proxy
    :param connect: what opens a socket to a host and port within so many seconds, instead of urllib3
    """

    def __init__(self, context: ssl.SSLContext, connect: Connect | None = None) -> None:
        self._context = context
        self._pools = {scheme: partial(pool, connect=connect) for scheme, pool in _POOLS.items()}
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that keep the time limit."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Use connections that keep the time limit through a proxy, too."""
        kwargs |= {"ssl_context": self._context, "proxy_ssl_context": self._context}
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, *_: Any) -> None:
        """Leave the certificates to the TLS context, to which requests would add its own."""


class _Connection(HTTPConnection):
    """A connection whose socket something else than urllib3 may open."""

    def __init__(self, *args: Any, connect: Connect | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open_socket = connect

    def _new_conn(self) -> socket.socket:
        if self._open_socket is None:
            return super()._new_conn()
        try:
            return self._open_socket(self._dns_host, self.port or 0, float(cast("float", self.timeout)))
        except Exception as error:
            raise NewConnectionError(self, type(error).__name__) from error


class _PunctualConnection(_Connection):
    def getresponse(self) -> Any:
        with _broken_after(self.timeout, self.sock):
            return super().getresponse()


class _PunctualTLSConnection(_Connection, HTTPSConnection):
    def getresponse(self) -> Any:
        with _broken_after(self.timeout, self.sock):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _PunctualConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _PunctualTLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


@contextmanager
def _broken_after(seconds: Any, connection: socket.socket | None) -> Iterator[None]:
    """Break the connection off if the block lasts longer: every read on it then ends there, as a timeout."""
    broken = threading.Event()

    def break_off() -> None:
        broken.set()
        with suppress(OSError):
            if connection is not None:
                # TLS within the TLS of a proxy has no shutdown of its own.
                getattr(connection, "socket", connection).shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, break_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if broken.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
