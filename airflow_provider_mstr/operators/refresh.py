# SPDX-License-Identifier: Apache-2.0
"""What operators of every kind share: the object by id or name, the start of a load, the whole refresh."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr.operators.arguments import Templated, as_boolean, default_levels, nearest
from airflow_provider_mstr.operators.base import MstrTask
from airflow_provider_mstr.refresh.options import WhenBusy, positive_seconds
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.task.failures import TaskFailures

if TYPE_CHECKING:
    from airflow_provider_mstr.refresh.spec import JobSpec
    from airflow_provider_mstr.task.refresh import RefreshRun


class ObjectTask(MstrTask):
    """Mixed into an operator for an object that is given by its id or by its name.

    A subclass sets ``kind``, and has a template field of that name and one for the id, such as
    ``data_model`` and ``data_model_id``.

    :param object_id: the object's id
    :param name: the object's name instead
    :param project_id: the project's id or name; the connection's if it is left out
    :raises InvalidInput: if both id and name are given, at the same level of default arguments
    """

    kind: ClassVar[str]
    project_id = Templated()
    # The object's name becomes a rendered field as soon as it is known.
    overwrite_rtif_after_execution = True

    def __init__(self, *, object_id: Any, name: Any, project_id: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given = {f"{self.kind}_id": object_id, self.kind: name}
        if None not in given.values():
            dag = self.dag if self.has_dag() else None  # type: ignore[no-untyped-call]
            levels = default_levels(dag, self.task_group)
            names = nearest(given, *levels, kwargs.get("default_args") or {})
            if len(names) > 1:
                raise InvalidInput(f"give either {self.kind}_id or {self.kind}, not both")
            given = {field: value if field in names else None for field, value in given.items()}
        for field, value in given.items():
            setattr(self, field, value)
        self._by_name = given[self.kind] is not None
        self.project_id = project_id

    @property
    def object_arguments(self) -> tuple[Any, ...]:
        """The arguments that select the object."""
        name = getattr(self, self.kind) if self._by_name else None
        return getattr(self, f"{self.kind}_id"), name, self.project_id

    def resolve(self, context: Context) -> tuple[str, str]:
        """Return project and object, each by id or name; put the link on the task if the id is known.

        :param context: the task's context
        :raises InvalidInput: if one of them is neither
        """
        project = self.hook.project(self.argument(context, "project_id"))
        if self._by_name:
            return project, self.hook.object_name(self.kind, self.argument(context, self.kind))
        field = f"{self.kind}_id"
        object_id = self.hook.object_id(field, self.argument(context, field))
        self.link(context, self.kind, object_id, project)
        return project, object_id


class StartTask(MstrTask):
    """Mixed into an operator that starts a load.

    :param when_busy: ``wait`` for another job that refreshes the object, or ``fail`` at once
    :param timeout: seconds that it may take
    :param verify_last_update: whether to compare the last update before and after the load
    """

    def __init__(
        self, *, when_busy: str, timeout: float | timedelta, verify_last_update: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.when_busy = WhenBusy.of(when_busy)
        self.timeout = positive_seconds("timeout", timeout)
        self.verify_last_update = as_boolean("verify_last_update", verify_last_update)

    @property
    def task_arguments(self) -> tuple[Any, ...]:
        """The arguments that select what of the object to load."""
        return ()

    def make_spec(self, context: Context) -> JobSpec[Any]:
        """Return what is special about this load.

        :param context: the task's context
        :raises InvalidInput: if the arguments are invalid
        """
        raise NotImplementedError

    def spec(self, context: Context, project: str = "", target: str = "") -> JobSpec[Any]:
        """Return what to load.

        :param context: the task's context
        :param project: the project's id or name; empty if the object is already open
        :param target: the object's id or name; empty if it is already open
        :raises InvalidInput: if the arguments are invalid
        """
        return replace(
            self.make_spec(context),
            project=project,
            target=target,
            verify_last_update=self.verify_last_update,
            when_busy=self.when_busy,
            timeout=self.timeout,
        )


class RefreshTask(ObjectTask, StartTask):
    """Mixed into an operator that refreshes an object in one task, with one session, closed on every path.

    :param deferrable: whether to wait in the triggerer
    :param poll_interval: maximum seconds between two polls
    """

    def __init__(self, *, deferrable: bool, poll_interval: float | timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = as_boolean("deferrable", deferrable)
        self.poll_interval = positive_seconds("poll_interval", poll_interval)

    def refresh(self, context: Context) -> Any:
        """Refresh the object, and return the result; Airflow 2 needs an ``execute`` of each operator's own.

        :param context: the task's context
        """
        with TaskFailures():
            spec = partial(self.spec, context, *self.resolve(context))
            return self._run(context).execute(spec, defers=self.deferrable)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Return the result of the refresh that the trigger saw, and has closed if it could.

        :param context: the task's context
        :param event: the event of the trigger
        """
        with TaskFailures():
            return self._run(context).complete(event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after the deferral; close the job first if Airflow resumes only to fail the task.

        :param next_method: what Airflow calls
        :param next_kwargs: its arguments
        :param context: the task's context
        :raises OutcomeUnknown: if the trigger failed, so that nobody has seen how the load ends
        """
        resume = partial(super().resume_execution, next_method, next_kwargs, context)
        if next_method != "__fail__":
            return resume()
        with TaskFailures():
            return self._run(context).fail(resume)

    def _run(self, context: Context) -> RefreshRun:
        from airflow_provider_mstr.task.refresh import RefreshRun

        return RefreshRun(
            self,
            context,
            timeout=self.timeout,
            poll_interval=self.poll_interval,
            arguments=(*self.object_arguments, *self.task_arguments),
        )
