# SPDX-License-Identifier: Apache-2.0
"""A Library server of written answers under the real hook, operators and triggers: no socket, no waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from scripted import (
    CITY,
    LIBRARY,
    MODEL_NAME,
    NOW,
    PROJECT,
    YTD_DAY,
    FakeClock,
    Reply,
    answer,
    created,
    empty,
    logged_in,
    published,
    table_list,
    table_row,
)

from airflow_provider_mstr import hooks, triggers
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.task import refresh, run
from airflow_provider_mstr.transport import base_driver, sync_driver
from airflow_provider_mstr.transport.async_driver import AsyncDriver
from airflow_provider_mstr.transport.sync_driver import SyncDriver

FINISHED = published(1, (YTD_DAY, "completed"), (CITY, "completed"))
RUNNING = published(5, (YTD_DAY, "loading"), (CITY, "loading"))
CONNECTION = {
    "conn_type": "mstr",
    "host": LIBRARY,
    "login": "administrator",
    "password": "correct horse",
    "schema": PROJECT,
}


def cube(status: int = 2, updated: str = "01/02/2026 03:04:05") -> Response:
    return answer({"cubesInfos": [{"cubeName": MODEL_NAME, "status": status, "lastUpdateTime": updated}]})


class ScriptedLibrary:
    """Answers each call from a list of its own; the last answer of a list is repeated."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.requests: list[Request[Any]] = []
        self.answers: dict[str, list[Reply]] = {
            "login": [logged_in()],
            "status": [answer({"iServerVersion": "11.6.0000.0001"})],
            "instances": [created()],
            "tables": [table_list(table_row(YTD_DAY, "ytd_day"), table_row(CITY, "city_mnth_sls"))],
            "publish": [empty()],
            "publishStatus": [FINISHED],
            "cubes": [cube()],
            "delete": [empty()],
            "logout": [empty()],
        }

    @property
    def calls(self) -> list[str]:
        return [_call(request) for request in self.requests]

    def script(self, **answers: Reply | list[Reply]) -> None:
        """Replace the answers to some calls."""
        for call, replies in answers.items():
            self.answers[call] = list(replies) if isinstance(replies, list) else [replies]

    def exchange(self, request: Request[Any]) -> Response:
        self.requests.append(request)
        left = self.answers[_call(request)]
        reply = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, BaseException):
            raise reply
        return reply


def _call(request: Request[Any]) -> str:
    return "delete" if request.method == "DELETE" else request.path.split("?")[0].rpartition("/")[2]


@contextmanager
def scripted_library() -> Iterator[ScriptedLibrary]:
    """Put a scripted library under the drivers, as the connection ``mstr_default``, with its own time."""
    library = ScriptedLibrary(FakeClock(NOW))
    clock = library.clock

    def sleep(seconds: float) -> None:
        clock.now += seconds

    async def sleep_async(seconds: float, result: Any = None) -> Any:
        sleep(seconds)
        await real_sleep(0)
        return result

    async def exchange_async(self: AsyncDriver, client: Any, request: Request[Any]) -> Response:
        return library.exchange(request)

    real_sleep = asyncio.sleep
    time = SimpleNamespace(time=clock, monotonic=clock, sleep=sleep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(CONNECTION))
        for module in (hooks, triggers, run, refresh, sync_driver, base_driver):
            patch.setattr(module, "time", time)
        patch.setattr(SyncDriver, "_exchange", lambda self, request: library.exchange(request))
        patch.setattr(AsyncDriver, "_exchange", exchange_async)
        patch.setattr(asyncio, "sleep", sleep_async)
        yield library


class MemoryStore:
    """Airflow's ``task_state_store`` of one task, in memory; what it stores must be JSON."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return json.loads(json.dumps(self.data.get(key)))

    def set(self, key: str, value: Any) -> None:
        self.data[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.data.pop(key, None)
