# SPDX-License-Identifier: Apache-2.0
"""What every operator and sensor has: the connection, the link, the deferral, the reaction to a kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr.observability.links import MstrLink, push_link
from airflow_provider_mstr.operators.arguments import Templated
from airflow_provider_mstr.task.failures import TaskKilledError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_mstr.hooks import MstrHook
    from airflow_provider_mstr.observability.lineage import Lineage
    from airflow_provider_mstr.refresh.poller import Poller
    from airflow_provider_mstr.refresh.result import RefreshResult

    _Task = BaseOperator
else:
    _Task = object

# Seconds after the timeout at which Airflow ends a deferral whose trigger never sent an event.
DEFERRAL_MARGIN = 120.0


class MstrTask(_Task):
    """Mixed into an operator: its Strategy side.

    Airflow fills in the default arguments of what an operator's own ``__init__`` names, and does so anew for
    every operator that it derives from. So each names all of its arguments, and what they share is mixed in.
    What a running task needs is imported when it runs: DAG files are parsed over and over.

    :param mstr_conn_id: the Airflow connection
    """

    mstr_conn_id = Templated()
    operator_extra_links = (MstrLink(),)
    ui_color = "#fde6e1"
    lineage: Lineage | None = None
    result: RefreshResult | None = None
    _is_interruptible = False
    _linked: tuple[str, str] | None = None

    def __init__(self, *, mstr_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mstr_conn_id = mstr_conn_id

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a kill interrupt the block."""
        self._is_interruptible = True
        try:
            yield
        finally:
            self._is_interruptible = False

    def on_kill(self) -> None:
        """Interrupt what the task does: Airflow itself only asks, and lets it continue for seconds.

        :raises TaskKilledError: wherever the task is, if it does anything
        """
        if self._is_interruptible:
            self._is_interruptible = False
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
        from airflow_provider_mstr.hooks import MstrHook

        conn_id: Templated = type(self).mstr_conn_id
        return MstrHook(conn_id.argument(self, is_mapped=False))

    def link(self, context: Context, kind: str, object_id: str, project: str) -> None:
        """Put the link to the object on the task, unless it is there.

        :param context: the task's context
        :param kind: the kind of object
        :param object_id: the object's id
        :param project: the project's id or name
        """
        if self._linked != (object_id, project):
            push_link(context, self.hook.server, kind, object_id, project)
            self._linked = (object_id, project)

    def defer_to_trigger(self, context: Context, poller: Poller, *, closes: bool) -> NoReturn:
        """Leave the rest of the wait to the triggerer.

        :param context: the task's context
        :param poller: the poller of the job
        :param closes: whether the trigger closes the job in the end
        """
        from airflow_provider_mstr.task.deferral import fit_trigger, store_wait
        from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

        handle = self.hook.handle(poller.job)
        seen = {table: list(seen) for table, seen in poller.seen.items()}
        store_wait(context, handle)
        self.defer(
            trigger=MstrPublishStatusTrigger(
                mstr_conn_id=self.hook.mstr_conn_id,
                timeout=poller.timeout,
                poll_interval=poller.poll_interval,
                closes=closes,
                **fit_trigger(context, handle, seen),
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, poller.left) + DEFERRAL_MARGIN),
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the object, what it loads from and how the refresh ended; OpenLineage asks for it.

        It asks for the same if the task failed.

        :param task_instance: the task instance
        """
        if self.lineage is None:
            return None
        from airflow_provider_mstr.observability.facets import operator_lineage

        return operator_lineage(self.lineage, self.result)
