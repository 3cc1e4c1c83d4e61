# SPDX-License-Identifier: Apache-2.0
"""Tasks whose triggers do what no trigger should; in a module that a triggerer can import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, NoReturn

from airflow.triggers.base import TriggerEvent

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.sensors import MstrPublishStatusSensor
from airflow_provider_mstr.triggers import MstrPublishStatusTrigger


class RaisingTrigger(MstrPublishStatusTrigger):
    """Ends with an error that nobody has thought of."""

    async def _load(self, server: LibraryServer, handle: Mapping[str, Any]) -> Job:
        raise RuntimeError("nobody has thought of this")


class SilentTrigger(MstrPublishStatusTrigger):
    """Never fires."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.Event().wait()
        yield


class _Raising:
    def defer(self, *, trigger: MstrPublishStatusTrigger, **more: Any) -> NoReturn:
        super().defer(trigger=RaisingTrigger(**trigger.serialize()[1]), **more)  # type: ignore[misc]


class _Silent:
    def defer(self, *, trigger: MstrPublishStatusTrigger, **more: Any) -> NoReturn:
        more["timeout"] = timedelta(seconds=5)
        super().defer(trigger=SilentTrigger(**trigger.serialize()[1]), **more)  # type: ignore[misc]


class RaisingRefresh(_Raising, MstrRefreshDataModelOperator):
    pass


class RaisingWait(_Raising, MstrPublishStatusSensor):
    pass


class SilentRefresh(_Silent, MstrRefreshDataModelOperator):
    pass


class SilentWait(_Silent, MstrPublishStatusSensor):
    pass
