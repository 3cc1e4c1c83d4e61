# SPDX-License-Identifier: Apache-2.0
"""What it costs to hold many deferred waits in one event loop, as a triggerer does.

Each wait polls every five seconds a job that never ends, at a lean server in another process. They begin one
after the other over the first five seconds. What they cost is taken once all of them have polled.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs import job_of
from tables import show, surroundings

POLL_INTERVAL = 5.0
TICK = 0.01

_PAGE = os.sysconf("SC_PAGE_SIZE")

HEADER = (
    "trigger",
    "polls/s",
    "CPU s per 1,000 polls",
    "KiB each",
    "block, ms",
    "garbage collection, ms",
    "block at start, ms",
)

Waiter = Callable[[int], AsyncIterator[Any]]


@dataclass(frozen=True)
class Figures:
    """What a number of waits has cost.

    :param polls: polls that reached the server in the measured time
    :param seconds: the measured time
    :param cpu: seconds of one core that the process used meanwhile
    :param kib: memory of each wait
    :param block: seconds for which the loop did nothing else at most
    :param collection: seconds of the longest garbage collection in that time
    :param block_at_start: as ``block``, while the waits began
    """

    polls: int
    seconds: float
    cpu: float
    kib: float
    block: float
    collection: float
    block_at_start: float

    @property
    def row(self) -> tuple[object, ...]:
        """The figures as a row of the table."""
        per_thousand = 1000 * self.cpu / self.polls
        blocks = (1000 * self.block, 1000 * self.collection, 1000 * self.block_at_start)
        return (self.polls / self.seconds, per_thousand, self.kib, *blocks)


async def bare(url: str) -> Waiter:
    """Return waits that are nothing but a request of one shared session: what aiohttp itself costs.

    :param url: the server
    """
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def wait(number: int) -> AsyncIterator[Any]:
        while True:
            async with session.get(f"{url}/api/dataModels/{number}/publishStatus") as response:
                yield await response.json()
            await asyncio.sleep(POLL_INTERVAL)

    return wait


async def mstr(url: str) -> Waiter:
    """Return waits of this package.

    :param url: the server
    """
    from lean_server import TABLES

    from airflow_provider_mstr.hooks import MstrHook
    from airflow_provider_mstr.rest.cookies import Cookie, Cookies
    from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh
    from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
    from airflow_provider_mstr.rest.session import Session
    from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

    _connect("mstr_default", url, "mstr", login="user", password="secret")
    tables = tuple(TableRefresh(table, f"table {table}", RefreshPolicy.REPLACE) for table in TABLES)
    sent = time.time() - 600

    def wait(number: int) -> AsyncIterator[Any]:
        cookie = Cookie("JSESSIONID", f"{number:032X}", "127.0.0.1", "/")
        session = Session(f"token-{number:032}", Cookies([cookie]))
        instance = DataModelInstance(session, "B" * 32, "A" * 32, f"{number:032X}")
        handle = MstrHook().handle(job_of(instance, tables, sent))
        return MstrPublishStatusTrigger(handle, "mstr_default", 86400.0, POLL_INTERVAL).run()

    return wait


async def http(url: str) -> Waiter:
    """Return waits of the http provider, for which a 404 is "not yet".

    :param url: the server
    """
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    _connect("http_default", url, "http")
    return lambda number: HttpSensorTrigger(f"not-yet?{number}", poke_interval=POLL_INTERVAL).run()


async def dbt_cloud(url: str) -> Waiter:
    """Return waits of the dbt Cloud provider.

    :param url: the server
    """
    from airflow.providers.dbt.cloud.hooks import dbt
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    _connect("dbt_cloud_default", url, "dbt_cloud", login="1", password="secret")
    dbt.DbtCloudHook.get_request_url_params = staticmethod(
        lambda tenant, endpoint, include_related=None, *, api_version="v2": (f"{url}/accounts/{endpoint}", {})
    )
    end = time.time() + 86400
    return lambda number: DbtCloudRunJobTrigger("dbt_cloud_default", number, end, POLL_INTERVAL, 1).run()


async def databricks(url: str) -> Waiter:
    """Return waits of the Databricks provider.

    :param url: the server
    """
    from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

    host, _, port = url.removeprefix("http://").partition(":")
    _connect(
        "databricks_default", host, "databricks", schema="http", port=int(port), login="u", password="secret"
    )
    return lambda number: DatabricksExecutionTrigger(number, "databricks_default", int(POLL_INTERVAL)).run()


WAITS = {
    "bare aiohttp session": bare,
    "airflow-provider-mstr": mstr,
    "http": http,
    "dbt-cloud": dbt_cloud,
    "databricks": databricks,
}


def main() -> None:
    """Measure every kind of wait, each in a process of its own, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waits", type=int, nargs="+", default=[500, 2000, 5000])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", nargs="+", choices=WAITS, default=list(WAITS))
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        kind, url = options.measure
        print(json.dumps(asdict(asyncio.run(measured(kind, url, options.waits[0], options.seconds)))))
        return
    print(surroundings())
    for waits in options.waits:
        rows = [(kind, *figures(kind, waits, options.seconds).row) for kind in options.only]
        show(
            f"{waits:,} waits, a poll every {POLL_INTERVAL:g} s",
            HEADER,
            rows,
        )


def figures(kind: str, waits: int, seconds: float) -> Figures:
    """Return what waits cost in a process of their own, at a server of their own.

    :param kind: which waits
    :param waits: how many
    :param seconds: how long to measure
    """
    with lean_server() as url:
        arguments = ("--measure", kind, url, "--waits", str(waits), "--seconds", str(seconds))
        command = (sys.executable, __file__, *arguments)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


async def measured(kind: str, url: str, waits: int, seconds: float) -> Figures:
    """Return what waits cost in this process.

    :param kind: which waits
    :param url: the server
    :param waits: how many
    :param seconds: how long to measure
    """
    wait = await WAITS[kind](url)
    # The first one loads what all of them share.
    first = asyncio.create_task(_begin(wait, 0, 1))
    await _until(url, 1, [first])
    before = _resident()
    async with _ticking() as at_start:
        running = [asyncio.create_task(_begin(wait, number, waits)) for number in range(1, waits)]
        await _until(url, 2 * waits, running)
        await asyncio.sleep(POLL_INTERVAL)
    polls, cpu, began = await _polls(url), time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    polls, cpu, took = await _polls(url) - polls, time.process_time() - cpu, time.monotonic() - began
    async with _ticking() as steady:
        with _collecting() as collections:
            await asyncio.sleep(2 * POLL_INTERVAL)
    kib = (_resident() - before) / 1024 / waits
    for task in (first, *running):
        if not task.cancel():
            task.result()
    await asyncio.gather(first, *running, return_exceptions=True)
    return Figures(polls, took, cpu, kib, max(steady), max(collections), max(at_start))


async def _begin(wait: Waiter, number: int, waits: int) -> None:
    await asyncio.sleep(POLL_INTERVAL * number / waits)
    async for _ in wait(number):
        pass


async def _until(url: str, polls: int, running: list[asyncio.Task[None]]) -> None:
    """Wait until there have been so many polls, or a wait has ended, as none should."""
    while await _polls(url) < polls and not any(task.done() for task in running):
        await asyncio.sleep(0.5)


@asynccontextmanager
async def _ticking() -> AsyncIterator[list[float]]:
    """Note while the block lasts how late a timer is, each time."""
    late = [0.0]

    async def tick() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(TICK)
            late.append(time.monotonic() - began - TICK)

    ticking = asyncio.create_task(tick())
    try:
        yield late
    finally:
        ticking.cancel()


@contextmanager
def _collecting() -> Iterator[list[float]]:
    """Note while the block lasts how long Python collects garbage, each time."""
    took, began = [0.0], 0.0

    def note(phase: str, _: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.monotonic()
        else:
            took.append(time.monotonic() - began)

    gc.callbacks.append(note)
    try:
        yield took
    finally:
        gc.callbacks.remove(note)


async def _polls(url: str) -> int:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /polls HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    answer = await reader.read(100)
    writer.close()
    return int(answer)


@contextmanager
def lean_server() -> Iterator[str]:
    """Serve while the block lasts, and yield the address."""
    script = Path(__file__).with_name("lean_server.py")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip() if server.stdout else ""
        finally:
            server.terminate()


def _connect(conn_id: str, host: str, conn_type: str, **more: Any) -> None:
    connection = {"conn_type": conn_type, "host": host, **more}
    os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    main()
