# SPDX-License-Identifier: Apache-2.0
"""Both drivers, as tests run a procedure with them, and a request that a test sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.rest.protocol import Procedure, Request, json_object
from airflow_provider_mstr.transport import AsyncDriver, SyncDriver

Drive = Callable[[LibraryServer, Procedure[Any]], Any]


def with_requests(server: LibraryServer, procedure: Procedure[Any]) -> Any:
    with SyncDriver(server) as driver:
        return driver.run(procedure)


def with_aiohttp(server: LibraryServer, procedure: Procedure[Any]) -> Any:
    async def run() -> Any:
        return await AsyncDriver(server).run(procedure)

    return asyncio.run(run())


DRIVERS = {"requests": with_requests, "aiohttp": with_aiohttp}


def ask(**fields: Any) -> Procedure[Any]:
    """Make one call that is sent again only if a test gives it patience."""
    request: dict[str, Any] = {
        "purpose": "ask",
        "method": "GET",
        "path": "/api/x",
        "reads": json_object,
        "patience": 0.0,
    }
    said = yield Request(**request | fields)
    return said.value
