# SPDX-License-Identifier: Apache-2.0
"""What every operator and the sensor share: the connection, the link, the deferral, the conclusion."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr import runtime
from airflow_provider_mstr.arguments import Templated
from airflow_provider_mstr.failures import TaskKilledError
from airflow_provider_mstr.links import MstrDataModelLink, push_link
from airflow_provider_mstr.rest.errors import MstrError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_mstr.hooks import MstrHook
    from airflow_provider_mstr.lineage import Lineage
    from airflow_provider_mstr.refresh import Ending, Refresh, RefreshOutcome
    from airflow_provider_mstr.rest.protocol import Procedure
    from airflow_provider_mstr.watch import Watcher

    _Task = BaseOperator
else:
    _Task = object

T = TypeVar("T")

OUTCOME_KEY = "mstr_outcome"
LINEAGE_KEY = "mstr_lineage"

# Seconds after the timeout at which Airflow ends a deferral whose trigger never fired.
DEFERRAL_MARGIN = 120.0


class MstrTask(_Task):
    """Mixed into an operator: its Strategy side.

    Airflow fills in the default arguments of what an operator's own ``__init__`` names, and does so anew for
    every operator that it derives from. So each names all of its arguments, and what they share is mixed in.

    :param mstr_conn_id: the Airflow connection
    """

    mstr_conn_id = Templated()
    operator_extra_links = (MstrDataModelLink(),)
    ui_color = "#fde6e1"
    _breakable = False
    _lineage: Lineage | None = None
    _outcome: RefreshOutcome | None = None

    def __init__(self, *, mstr_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mstr_conn_id = mstr_conn_id

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

    def argument(self, context: Context, name: str) -> Any:
        """Return a rendered argument; None only if the DAG file leaves it out.

        :param context: the task's context
        :param name: the name of a template field
        """
        field: Templated = getattr(type(self), name)
        map_index = context["ti"].map_index
        return field.argument(self, is_mapped=map_index is not None and map_index >= 0)

    @cached_property
    def hook(self) -> MstrHook:
        """The hook of the task's connection."""
        conn_id: Templated = type(self).mstr_conn_id
        return runtime.hooks.MstrHook(conn_id.argument(self, is_mapped=False))

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

    def closed(self, refresh: Refresh) -> bool:
        """Close a refresh, and return whether that has worked; what could not be closed idles out.

        :param refresh: the refresh that is over
        """
        try:
            self.hook.close(refresh)
        except MstrError as error:
            self.log.warning("The session could not be closed and will idle out: %s", error)
            return False
        return True

    def watcher(self, refresh: Refresh, timeout: float, poll_interval: float) -> Watcher:
        """Return the watcher of a publish, which tells its progress in the task's log.

        :param refresh: the refresh that was published
        :param timeout: seconds that the publish may take
        :param poll_interval: maximum seconds between two checks
        """
        credentials = self.hook.server.credentials
        return runtime.watch.Watcher(refresh, timeout, poll_interval, credentials, time.time, self.log.info)

    def watch(self, watcher: Watcher, looking: Procedure[T]) -> T:
        """Look after a publish, and return what came of it.

        :param watcher: the watcher of the publish
        :param looking: its procedure, or one that looks with it
        """
        polls, retries = watcher.looks, self.hook.retries
        try:
            return self.hook.run(looking)
        finally:
            runtime.metrics.asked(
                watcher.refresh.instance, watcher.looks - polls, self.hook.retries - retries
            )

    def fired(self, event: Any) -> Ending:
        """Return the ending that a trigger saw.

        :param event: what it fired
        """
        ending = runtime.refresh.Ending.from_json(event)
        runtime.metrics.asked(ending.outcome, event.get("polls", 0), event.get("retries", 0))
        return ending

    def kept(self, ti: Any, key: str) -> Any:
        """Return what the task has pushed itself, before it deferred.

        :param ti: the task instance
        :param key: the key of the XCom
        """
        return ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=ti.map_index)

    def read_lineage(self, handle: Refresh | Any, *, sources: bool) -> None:
        """Learn for OpenLineage, if that listens, what the task loads.

        :param handle: the refresh, or its handle
        :param sources: whether to read what the data model loads from too
        """
        with self._harmlessly():
            if runtime.lineage.listens(self):
                refresh = handle if isinstance(handle, runtime.refresh.Refresh) else self.hook.refresh(handle)
                self._lineage = self.hook.run(
                    runtime.lineage.lineage_of(self.hook.server, refresh, time.time)
                    if sources
                    else runtime.lineage.model_of(self.hook.server, refresh.instance)
                )

    def keep_lineage(self, ti: Any) -> None:
        """Keep what was learned until the task resumes, when its session may be closed.

        :param ti: the task instance
        """
        if self._lineage is not None:
            ti.xcom_push(key=LINEAGE_KEY, value=self._lineage.to_json())

    def recall_lineage(self, ti: Any) -> None:
        """Take up what was kept.

        :param ti: the task instance
        """
        with self._harmlessly():
            if runtime.lineage.listens(self) and (kept := self.kept(ti, LINEAGE_KEY)):
                self._lineage = runtime.lineage.Lineage.from_json(kept)

    @contextmanager
    def _harmlessly(self) -> Iterator[None]:
        """Let nothing that is done for OpenLineage harm the refresh."""
        try:
            yield
        except Exception as error:
            self.log.warning("OpenLineage will not be told what this task loads: %s", error)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the data model, what it loads from and how the refresh ended; OpenLineage asks for it.

        It asks for the same where the task failed.

        :param task_instance: the task instance
        """
        return runtime.lineage.told(self._lineage, self._outcome)

    def defer_to_trigger(self, context: Context, watcher: Watcher, *, closes: bool) -> NoReturn:
        """Leave the rest of the watch to the triggerer.

        :param context: the task's context
        :param watcher: the watch so far
        :param closes: whether the trigger is to close the refresh in the end
        """
        handle = self.hook.handle(watcher.refresh).to_json()
        seen = {table: list(seen) for table, seen in watcher.seen.items()}
        runtime.deferral.note_wait(context, handle)
        self.defer(
            trigger=runtime.triggers.MstrPublishStatusTrigger(
                mstr_conn_id=self.hook.mstr_conn_id,
                timeout=watcher.timeout,
                poll_interval=watcher.poll_interval,
                closes=closes,
                **runtime.deferral.fit_trigger(context, handle, seen),
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, watcher.left) + DEFERRAL_MARGIN),
        )

    def conclude(self, context: Context, ending: Ending) -> dict[str, Any]:
        """Push and tell the outcome, whatever it is; return it where it is a success, else raise its error.

        :param context: the task's context
        :param ending: how the watch ended
        """
        self._outcome = ending.outcome
        outcome = ending.outcome.to_json()
        context["ti"].xcom_push(key=OUTCOME_KEY, value=outcome)
        with runtime.facts.beside(outcome=outcome):
            heading, *rows = runtime.summary.lines(ending.outcome)
            self.log.info(heading)
        for row in rows:
            self.log.info(row)
        runtime.metrics.ended(ending.outcome)
        if ending.error is not None:
            raise ending.error
        runtime.assets.attach_outcome(context, self.outlets, ending.outcome, self.hook.mstr_conn_id)
        return outcome
