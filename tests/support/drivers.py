# SPDX-License-Identifier: Apache-2.0
"""Both drivers, as tests run a flow with them, and the servers and requests of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Request
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, TUTORIAL
from airflow_provider_mstr.transport.async_driver import AsyncDriver
from airflow_provider_mstr.transport.sync_driver import SyncDriver

Drive = Callable[[LibraryServer, Flow[Any]], Any]


def with_requests(server: LibraryServer, flow: Flow[Any]) -> Any:
    with SyncDriver(server) as driver:
        return driver.run(flow)


def with_aiohttp(server: LibraryServer, flow: Flow[Any]) -> Any:
    async def run() -> Any:
        return await AsyncDriver(server).run(flow)

    return asyncio.run(run())


DRIVERS = {"requests": with_requests, "aiohttp": with_aiohttp}


def at(url: str, **fields: Any) -> LibraryServer:
    """Return the server of a connection with the sandbox's login."""
    login = Credentials(login=DEFAULT_WORLD.users[0].name, password=DEFAULT_WORLD.users[0].password)
    return LibraryServer(url, login, **{"project": TUTORIAL.name, "timeout": 5.0, **fields})


def ask(**fields: Any) -> Flow[Any]:
    """Make one call that is sent again only if a test gives it retry_for."""
    request: dict[str, Any] = {
        "purpose": "ask",
        "method": "GET",
        "path": "/api/x",
        "parse": json_object,
        "retry_for": 0.0,
    }
    request |= fields
    return (yield Request(**{"timeout": request["retry_for"]} | request))


def refusal(drive: Drive, server: LibraryServer, flow: Flow[Any]) -> MstrError:
    with pytest.raises(MstrError) as caught:
        drive(server, flow)
    return caught.value
