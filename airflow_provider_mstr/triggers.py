# SPDX-License-Identifier: Apache-2.0
"""The trigger: the wait for a publish, where it costs no worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.deferral import is_deferred_to, load_tables
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh import Refresh, RefreshHandle
from airflow_provider_mstr.rest import workflow
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.watch import Watcher

# Airflow fails a task whose trigger ends before its scheduler has taken note of the deferral.
FIRST_PAUSE = 5.0


class MstrPublishStatusTrigger(BaseTrigger):
    """Watches publishStatus until the publish ends, then fires one event with its ending.

    :param handle: the handle of the refresh, as plain JSON
    :param mstr_conn_id: the Airflow connection that sealed it
    :param timeout: seconds that the load may take, from the moment that the server has accepted the publish
    :param poll_interval: maximum seconds between two checks
    :param seen: what the worker has seen of the tables, as ``Watcher.seen`` has it
    :param tables_in: the task instance whose XCom holds the tables, if they are too large for the handle
    :param closes: whether the refresh is to be closed once the publish has ended, even if no worker follows
    """

    def __init__(
        self,
        handle: dict[str, Any],
        mstr_conn_id: str,
        timeout: float,
        poll_interval: float,
        seen: Mapping[str, Sequence[Any]] | None = None,
        closes: bool = False,
        tables_in: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.handle = handle
        self.mstr_conn_id = mstr_conn_id
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.seen = dict(seen or {})
        self.closes = closes
        self.tables_in = dict(tables_in) if tables_in else None
        self._settled = False
        self._refresh: Refresh | None = None
        self._closing: asyncio.Future[None] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another process needs to build this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "handle": self.handle,
                "mstr_conn_id": self.mstr_conn_id,
                "timeout": self.timeout,
                "poll_interval": self.poll_interval,
                "seen": self.seen,
                "closes": self.closes,
                "tables_in": self.tables_in,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once: with the ending as ``Ending.to_json`` has it, and the handle unless that is closed."""
        hook = MstrHook(self.mstr_conn_id)
        try:
            server = await hook.aserver()
            stored = await self._stored()
            refresh = self._refresh = await self._opened(server, self.handle | {"tables": stored["tables"]})
        except Exception:
            # An error must not come too early either.
            await asyncio.sleep(FIRST_PAUSE)
            raise
        seen = {table: (str(word), float(seconds)) for table, (word, seconds) in stored["seen"].items()}
        watcher = Watcher(
            refresh, self.timeout, self.poll_interval, server.credentials, time.time, self.log.info, seen
        )
        ending = await hook.arun(watcher.end(FIRST_PAUSE))
        closed = self.closes and await self._closed(hook, refresh)
        handle = None if closed else await self._sealed(server, refresh)
        # A trigger may be cancelled as soon as it has fired, and must have nothing left to do then.
        self._settled = True
        yield TriggerEvent(  # type: ignore[no-untyped-call]
            {
                "handle": handle,
                "polls": watcher.looks,
                "retries": hook.retries,
                **ending.to_json(),
            }
        )

    async def on_kill(self) -> None:
        """Close the refresh, which stops its load, where a user has ended or cleared the deferred task.

        Airflow 3.3 calls this, and up to 3.3.2 also where another triggerer has only taken over. It cancels
        this too, about a second later, so the work is done where that does not reach it.
        """
        if self._settled:
            return
        # Told at once, as Airflow may have closed the task's log by the time that the work is done.
        self.log.info("This wait was ended: its load is stopped, unless another triggerer has taken it over")
        self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if await self._still_waited_for():
            return
        self._settled = True
        hook = MstrHook(self.mstr_conn_id)
        refresh = self._refresh or await self._opened(await hook.aserver(), self.handle)
        await hook.arun(workflow.close(refresh.instance))

    async def _closed(self, hook: MstrHook, refresh: Refresh) -> bool:
        """Close the refresh, and return whether that has worked; where it has not, the task tries again."""
        try:
            await hook.arun(workflow.close(refresh.instance))
        except MstrError as error:
            self.log.warning("The session could not be closed yet: %s", error)
            return False
        return True

    async def _stored(self) -> Mapping[str, Any]:
        """Return the published tables and what the worker has seen of them."""
        if self.tables_in is None:
            return {"tables": self.handle["tables"], "seen": self.seen}
        return await asyncio.shield(sync_to_async(load_tables)(self.tables_in))

    async def _opened(self, server: LibraryServer, handle: Mapping[str, Any]) -> Refresh:
        # Deriving the seal's key takes longer than an event loop may be kept waiting.
        return await asyncio.to_thread(RefreshHandle.from_json(handle).open, server.seal)

    async def _sealed(self, server: LibraryServer, refresh: Refresh) -> dict[str, Any]:
        """Return the handle, with the session's cookies as the server has renewed them."""
        return (await asyncio.to_thread(RefreshHandle.of, refresh, server.seal)).to_json()

    async def _still_waited_for(self) -> bool:
        """Whether the task is deferred to this very wait, so that only its triggerer has changed.

        A cleared task may be deferred again by now, but then to another handle.
        """
        ti = self.task_instance
        if ti is None:
            return False
        # A thread of asyncio's own could not talk to Airflow, which wants its own event loop for that.
        return await sync_to_async(is_deferred_to)(ti, self.handle)
