# SPDX-License-Identifier: Apache-2.0
"""What every operator and the sensor share: the connection, the link, the deferral, the conclusion."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr.assets import attach_outcome
from airflow_provider_mstr.deferral import note_wait
from airflow_provider_mstr.failures import TaskKilledError
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.links import MstrDataModelLink, push_link
from airflow_provider_mstr.refresh import Ending, Refresh
from airflow_provider_mstr.watch import Watcher

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    _Task = BaseOperator
else:
    _Task = object

OUTCOME_KEY = "mstr_outcome"

# Seconds after the timeout at which Airflow ends a deferral whose trigger never fired.
DEFERRAL_MARGIN = 120.0


class MstrTask(_Task):
    """Mixed into an operator: its Strategy side."""

    operator_extra_links = (MstrDataModelLink(),)
    ui_color = "#fde6e1"
    mstr_conn_id: str
    _breakable = False

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """Let a kill break the block off."""
        self._breakable = True
        try:
            yield
        finally:
            self._breakable = False

    def on_kill(self) -> None:
        """Break off what the task is doing: Airflow itself only asks, and would let it go on for seconds.

        :raises TaskKilledError: in the midst of what the task is doing, if it is doing anything
        """
        if self._breakable:
            self._breakable = False
            raise TaskKilledError("the task was killed")

    @cached_property
    def hook(self) -> MstrHook:
        """The hook of the task's connection."""
        return MstrHook(self.mstr_conn_id)

    def link(self, context: Context, data_model_id: str, project: str) -> None:
        """Put the link to the data model on the task.

        :param context: the task's context
        :param data_model_id: the data model's id
        :param project: the project's id or name
        """
        push_link(context, self.hook.server, data_model_id, project)

    def link_to(self, context: Context, refresh: Refresh) -> None:
        """Put the link to a refresh's data model on the task; a name that was not looked up yet has none.

        :param context: the task's context
        :param refresh: the refresh
        """
        instance = refresh.instance
        if instance.data_model_id:
            self.link(context, instance.data_model_id, instance.project_id)

    def given(self, context: Context, handle: Any) -> Refresh:
        """Return the refresh whose handle the task was given, and put the link on the task.

        :param context: the task's context
        :param handle: the handle, as another task returned it
        """
        refresh = self.hook.refresh(handle)
        self.link_to(context, refresh)
        return refresh

    def watcher(self, refresh: Refresh, timeout: float, poll_interval: float) -> Watcher:
        """Return the watcher of a publish, which tells its progress in the task's log.

        :param refresh: the refresh that was published
        :param timeout: seconds that the publish may take
        :param poll_interval: seconds of the longest pause between two looks
        """
        credentials = self.hook.server.credentials
        return Watcher(refresh, timeout, poll_interval, credentials, time.time, self.log.info)

    def defer_to_trigger(self, context: Context, watcher: Watcher, *, closes: bool) -> NoReturn:
        """Leave the rest of the watch to the triggerer.

        :param context: the task's context
        :param watcher: the watch so far
        :param closes: whether the trigger is to close the refresh in the end
        """
        from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

        handle = self.hook.handle(watcher.refresh).to_json()
        note_wait(context, handle)
        self.defer(
            trigger=MstrPublishStatusTrigger(
                handle=handle,
                mstr_conn_id=self.mstr_conn_id,
                timeout=watcher.timeout,
                poll_interval=watcher.poll_interval,
                closes=closes,
                seen={table: list(seen) for table, seen in watcher.seen.items()},
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, watcher.left) + DEFERRAL_MARGIN),
        )

    def conclude(self, context: Context, ending: Ending) -> dict[str, Any]:
        """Push the outcome, whatever it is; return it where it is a success, else raise its error.

        :param context: the task's context
        :param ending: how the watch ended
        """
        outcome = ending.outcome.to_json()
        context["ti"].xcom_push(key=OUTCOME_KEY, value=outcome)
        if ending.error is not None:
            raise ending.error
        attach_outcome(context, self.outlets, ending.outcome)
        return outcome
