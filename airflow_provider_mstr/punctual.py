# SPDX-License-Identifier: Apache-2.0
"""A requests adapter that bounds the time to a response's head as a whole, not only each read of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class PunctualAdapter(HTTPAdapter):
    """Breaks the connection where the head of a response has not come within the read time limit.

    A server that sends a header a byte at a time would otherwise hold a worker for hours.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that keep the time limit."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Use connections that keep the time limit through a proxy, too."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _PunctualConnection(HTTPConnection):
    def getresponse(self) -> Any:
        with _broken_after(self.timeout, self.sock):
            return super().getresponse()


class _PunctualTLSConnection(HTTPSConnection):
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
                connection.shutdown(socket.SHUT_RDWR)

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
