# SPDX-License-Identifier: Apache-2.0
"""The trigger: the wait for a publish, where it costs no worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh import Ending, RefreshHandle
from airflow_provider_mstr.watch import Watcher

# An event in the first moments after the deferral can overtake the deferral itself.
FIRST_PAUSE = 2.0


class MstrPublishStatusTrigger(BaseTrigger):
    """Watches publishStatus until the publish ends, then fires one event with its ending.

    :param handle: the handle of the refresh, as plain JSON
    :param mstr_conn_id: the Airflow connection that sealed it
    :param timeout: seconds that the publish may take, from the moment it was sent
    :param poll_interval: seconds of the longest pause between two looks
    :param seen: what the worker has seen of the tables, as ``Watcher.seen`` has it
    """

    def __init__(
        self,
        handle: dict[str, Any],
        mstr_conn_id: str,
        timeout: float,
        poll_interval: float,
        seen: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.handle = handle
        self.mstr_conn_id = mstr_conn_id
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.seen = dict(seen or {})

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
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once: with the handle, and the ending as ``Ending.to_json`` describes it."""
        ending = await self._ending()
        yield TriggerEvent(  # type: ignore[no-untyped-call]
            {"handle": self.handle, **ending.to_json()}
        )

    async def _ending(self) -> Ending:
        hook = MstrHook(self.mstr_conn_id)
        server = await hook.aserver()
        # Deriving the seal's key takes longer than an event loop may be kept waiting.
        refresh = await asyncio.to_thread(RefreshHandle.from_json(self.handle).open, server.seal)
        seen = {table: (str(word), float(seconds)) for table, (word, seconds) in self.seen.items()}
        watcher = Watcher(
            refresh, self.timeout, self.poll_interval, server.credentials, time.time, self.log.info, seen
        )
        return await hook.arun(watcher.end(FIRST_PAUSE))
