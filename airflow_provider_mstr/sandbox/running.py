# SPDX-License-Identifier: Apache-2.0
"""The server on a free port, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from concurrent.futures import Future
from types import TracebackType

from aiohttp import web

from airflow_provider_mstr.sandbox.clock import Clock
from airflow_provider_mstr.sandbox.control import Control, is_loopback
from airflow_provider_mstr.sandbox.server import handler
from airflow_provider_mstr.sandbox.service import Service
from airflow_provider_mstr.sandbox.settings import Settings
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, World

# What is still pausing by then is cut off; to aiohttp, 0 would mean for ever.
_SHUTDOWN_SECONDS = 0.05

log = logging.getLogger(__name__)


class Sandbox(Service):
    """A stand-in for a Strategy Library server; runs while the ``with`` block does.

    :param settings: how it behaves.
    :param world: what it holds.
    :param host: address it listens on.
    :param port: port it listens on; a free one if 0.
    :param clock: its time.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        world: World = DEFAULT_WORLD,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(settings, world, clock)
        self.host = host
        self.port = port
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def origin(self) -> str:
        """The address without a path, under which ``/sandbox`` stands."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the Library, as an Airflow connection's ``host`` wants it."""
        return self.origin + self.settings.base_path

    def airflow_connection(self) -> str:
        """Return an Airflow connection to this server, as JSON text for ``AIRFLOW_CONN_MSTR_DEFAULT``."""
        user = self.world.users[0]
        return json.dumps(
            {
                "conn_type": "mstr",
                "host": self.url,
                "login": user.name,
                "password": user.password,
                "schema": self.world.projects[0].name,
                "extra": {},
            }
        )

    def start(self) -> None:
        """Start, and return when the port is open."""
        opened: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="mstr-sandbox", daemon=True)
        self._thread.start()
        try:
            self.port = opened.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop, and return when every connection is closed."""
        if self._loop and self._stop and self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._loop = self._stop = self._thread = None

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, opened: Future[int]) -> None:
        try:
            asyncio.run(self._serve(opened))
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    async def _serve(self, opened: Future[int]) -> None:
        app = web.Application()
        app.add_subapp("/sandbox/", Control(self, self.host).app())
        app.router.add_route("*", "/{path:.*}", handler(self))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            if reachable := [address[0] for address in runner.addresses if not is_loopback(address[0])]:
                log.warning(
                    "Other machines can reach the sandbox on %s and control it without a login: "
                    "use 127.0.0.1 as its host unless other machines need it",
                    ", ".join(reachable),
                )
            opened.set_result(runner.addresses[0][1])
            await self._stop.wait()
        finally:
            await runner.cleanup()
