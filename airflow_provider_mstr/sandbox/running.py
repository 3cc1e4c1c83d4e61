# SPDX-License-Identifier: Apache-2.0
"""Runs the server on a free port in a thread."""

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
from airflow_provider_mstr.sandbox.server import make_handler
from airflow_provider_mstr.sandbox.service import Service
from airflow_provider_mstr.sandbox.settings import Settings
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, World

# Then aiohttp cancels the calls that still run. It reads 0 as no limit.
_SHUTDOWN_SECONDS = 0.05

log = logging.getLogger(__name__)


class Sandbox(Service):
    """A simulated Strategy Library server, which runs during its ``with`` block.

    :param settings: its behaviour.
    :param world: its users, projects and objects.
    :param host: the address to listen on.
    :param port: the port to listen on; 0 for a free one.
    :param clock: its clock.
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
        """The URL without a path. The control endpoint is ``/sandbox`` below it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The Library URL, for the ``host`` of an Airflow connection."""
        return self.origin + self.settings.base_path

    def airflow_connection(self) -> str:
        """Return an Airflow connection to this server as JSON, for ``AIRFLOW_CONN_MSTR_DEFAULT``."""
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
        """Start the server, and wait until its port is open."""
        port: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(port,), name="mstr-sandbox", daemon=True)
        self._thread.start()
        try:
            self.port = port.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop the server, and wait until its connections are closed."""
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

    def _run(self, port: Future[int]) -> None:
        try:
            asyncio.run(self._serve(port))
        except BaseException as error:
            if port.done():
                raise
            port.set_exception(error)

    async def _serve(self, port: Future[int]) -> None:
        app = web.Application()
        app.add_subapp("/sandbox/", Control(self, self.host).app())
        app.router.add_route("*", "/{path:.*}", make_handler(self))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            if reachable := [address[0] for address in runner.addresses if not is_loopback(address[0])]:
                log.warning(
                    "Other machines can reach the sandbox on %s and control it without a login. "
                    "Use 127.0.0.1 as its host unless other machines need it",
                    ", ".join(reachable),
                )
            port.set_result(runner.addresses[0][1])
            await self._stop.wait()
        finally:
            await runner.cleanup()
