# SPDX-License-Identifier: Apache-2.0
"""The trigger: waits for a load in the triggerer, where it occupies no worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.observability.log_fields import with_fields
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.kinds import load_job
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.task.deferral import is_deferred_to, load_stored

# Airflow fails a task whose trigger ends before the scheduler has registered the deferral.
FIRST_PAUSE = 5.0


class MstrPublishStatusTrigger(BaseTrigger):
    """Polls a load until it ends, then sends one event with its result.

    :param handle: the handle of the job, as plain JSON
    :param mstr_conn_id: the Airflow connection that sealed it
    :param timeout: maximum seconds of the load, counted from the publish that the server accepts
    :param poll_interval: maximum seconds between two checks
    :param seen: the states of the tables that the worker has seen, as in ``Poller.seen``
    :param stored_in: the task instance whose XCom contains a field that is too large for the arguments
    :param closes: whether to close the job once it has ended
    """

    def __init__(
        self,
        handle: dict[str, Any],
        mstr_conn_id: str,
        timeout: float,
        poll_interval: float,
        seen: Mapping[str, Sequence[Any]] | None = None,
        closes: bool = False,
        stored_in: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.handle = handle
        self.mstr_conn_id = mstr_conn_id
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.seen = dict(seen or {})
        self.closes = closes
        self.stored_in = dict(stored_in) if stored_in else None
        self._is_settled = False
        self._job: Job | None = None
        self._closing: asyncio.Future[None] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments, to create this trigger in another process."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "handle": self.handle,
                "mstr_conn_id": self.mstr_conn_id,
                "timeout": self.timeout,
                "poll_interval": self.poll_interval,
                "seen": self.seen,
                "closes": self.closes,
                "stored_in": self.stored_in,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Send one event: ``RefreshResult.to_event``, and the handle unless the job is closed."""
        hook = MstrHook(self.mstr_conn_id)
        try:
            server = await hook.aserver()
            stored = await self._stored()
            job = self._job = await self._load(server, self.handle | dict(stored["handle"]))
        except Exception:
            # An error must not come too early either.
            await asyncio.sleep(FIRST_PAUSE)
            raise
        seen = {table: (str(word), float(seconds)) for table, (word, seconds) in stored["seen"].items()}
        log = with_fields(self.log.info)
        poller = Poller(job, self.timeout, self.poll_interval, server.credentials, time.time, log, seen)
        result = await hook.arun(poller.wait(FIRST_PAUSE))
        job = poller.job
        is_closed = self.closes and await self._try_close(hook, job)
        # The server may have renewed the session's cookies.
        handle = None if is_closed else await asyncio.to_thread(job.to_json, server.seal)
        # A trigger may be cancelled as soon as it has sent its event, and must have nothing left to do then.
        self._is_settled = True
        event = {
            "handle": handle,
            "polls": poller.poll_count,
            "retries": hook.retries,
            **result.to_event(),
        }
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Close the refresh, which stops its load, if a user ends or clears the deferred task.

        Airflow 3.3 calls this method, up to 3.3.2 also if another triggerer continues the trigger. About a
        second later it cancels the method, so a separate task does the work.
        """
        if self._is_settled:
            return
        # Logged at once, as Airflow may have closed the task's log when the work is done.
        self.log.info(
            "Cancelled by a user; stopping the load on the server, unless another triggerer has taken over"
        )
        self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if await self._is_still_deferred():
            return
        self._is_settled = True
        hook = MstrHook(self.mstr_conn_id)
        job = self._job or await self._load(await hook.aserver(), self.handle)
        await hook.arun(job.close())

    async def _try_close(self, hook: MstrHook, job: Job) -> bool:
        """Close the job, and return whether that was possible; otherwise the task tries again."""
        try:
            await hook.arun(job.close())
        except MstrError as error:
            self.log.warning("%s; the task will try to close the session", error.what)
            return False
        return True

    async def _stored(self) -> Mapping[str, Any]:
        """Return the fields of the handle that an XCom stores, and what the worker has seen."""
        if self.stored_in is None:
            return {"handle": {}, "seen": self.seen}
        return await asyncio.shield(sync_to_async(load_stored)(self.stored_in))

    async def _load(self, server: LibraryServer, handle: Mapping[str, Any]) -> Job:
        # Deriving the key of the seal would block the event loop for too long.
        return await asyncio.to_thread(load_job, handle, server.seal)

    async def _is_still_deferred(self) -> bool:
        """Return whether the task is deferred to this very wait, so that only its triggerer has changed.

        A cleared task may be deferred again by now, but then with another handle.
        """
        ti = self.task_instance
        if ti is None:
            return False
        # Airflow must be asked on a thread of asgiref's, which has Airflow's event loop.
        return await sync_to_async(is_deferred_to)(ti, self.handle)
