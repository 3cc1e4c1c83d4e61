# SPDX-License-Identifier: Apache-2.0
"""The operators: the whole refresh in one task, and its steps as tasks of their own."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskDeferred, conf

from airflow_provider_mstr import runtime
from airflow_provider_mstr.arguments import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    NOTSET,
    NotSet,
    Templated,
    WhenBusy,
    as_boolean,
    default_levels,
    nearest,
)
from airflow_provider_mstr.durations import positive_seconds
from airflow_provider_mstr.failures import TaskKilledError, handle_failures, task_failures
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError, OutcomeUnknown, ServerUnavailable
from airflow_provider_mstr.rest.literals import is_nothing
from airflow_provider_mstr.rest.tables import ID_LENGTH, RefreshPolicy, TableChoice
from airflow_provider_mstr.tasks import MstrTask

if TYPE_CHECKING:
    from airflow_provider_mstr.adoption import Ledger
    from airflow_provider_mstr.refresh import Ending, Note, Refresh, RefreshOutcome
    from airflow_provider_mstr.watch import Watcher

Tables = Collection[str] | Mapping[str, str | None] | str

HANDLE_KEY = "mstr_handle"

# Seconds for which a worker itself watches before it defers: small models end within them.
EARLY_WATCH = 3.0


class _ModelTask(MstrTask):
    """Mixed into an operator that is told which data model to refresh, by its id or by its name.

    :param data_model_id: the data model's id
    :param data_model: the data model's name instead
    :param project_id: the project's id or name; the connection's if it is left out
    :raises InvalidInput: if both id and name are given, at the same level of default arguments
    """

    data_model_id = Templated(ID_LENGTH)
    data_model = Templated()
    project_id = Templated()

    def __init__(self, *, data_model_id: Any, data_model: Any, project_id: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given = {"data_model_id": data_model_id, "data_model": data_model}
        if None not in given.values():
            dag = self.dag if self.has_dag() else None  # type: ignore[no-untyped-call]
            levels = default_levels(dag, self.task_group)
            names = nearest(given, *levels, kwargs.get("default_args") or {})
            if len(names) > 1:
                raise InvalidInput("give either data_model_id or data_model, not both")
            given = {name: value if name in names else None for name, value in given.items()}
        self.data_model_id = given["data_model_id"]
        self.data_model = given["data_model"]
        self._by_name = self.data_model is not None
        self.project_id = project_id

    def project(self, context: Context) -> str:
        """Return the project's id or name.

        :param context: the task's context
        :raises InvalidInput: if that is neither
        """
        return self.hook.project(self.argument(context, "project_id"))

    def chosen(self, context: Context) -> str:
        """Return the data model's id or name, and put the link on the task where the id is known.

        :param context: the task's context
        :raises InvalidInput: where that, or the project, is none
        """
        project = self.project(context)
        if self._by_name:
            return self.hook.data_model_name(self.argument(context, "data_model"))
        data_model_id = self.hook.data_model(self.argument(context, "data_model_id"))
        self.link(context, data_model_id, project)
        return data_model_id

    def opened(self, context: Context, data_model: str, note: Note) -> Refresh:
        """Log in and create an instance; put the link on the task as soon as the model's id is known.

        :param context: the task's context
        :param data_model: the data model's id or name
        :param note: takes down what has been opened
        """
        project = self.project(context)
        link = partial(self.link, context, project=project)
        return self.hook.open(project, data_model, note, link if self._by_name else None)


class _PublishTask(MstrTask):
    """Mixed into an operator that publishes tables.

    :param tables: the tables; every table if it is left out
    :param refresh_policy: the policy of the tables that name none
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param timeout: seconds that it may take
    :param evidence: whether to read the model's last update if publishStatus does not show the end of a load
    """

    tables = Templated()
    refresh_policy = Templated()
    _under_way: Refresh | None = None

    def __init__(
        self,
        *,
        tables: Any,
        refresh_policy: Any,
        when_busy: str,
        timeout: float | timedelta,
        evidence: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.refresh_policy = refresh_policy
        self.when_busy = WhenBusy.of(when_busy)
        self.timeout = positive_seconds("timeout", timeout)
        self.evidence = as_boolean("evidence", evidence)

    @property
    def asked(self) -> tuple[Any, Any]:
        """The arguments that select what to publish; a set becomes a list, in the same order each time."""
        tables = sorted(self.tables, key=str) if isinstance(self.tables, Set) else self.tables
        return tables, self.refresh_policy

    def choice(self, context: Context) -> TableChoice:
        """Return the tables to publish.

        :param context: the task's context
        :raises InvalidInput: if the arguments are invalid
        """
        return TableChoice.of(self.argument(context, "tables"), self.argument(context, "refresh_policy"))

    def publish(self, opened: Refresh, choice: TableChoice, note: Note, *, owns_session: bool) -> Refresh:
        """Publish the tables as the task's arguments say, and return the refresh as it then stands.

        :param opened: a refresh that was opened
        :param choice: the tables and their policies
        :param note: takes down how far the publish has come
        :param owns_session: whether this task has opened the session, and may replace it
        """
        return self.hook.publish(
            opened,
            choice,
            evidence=self.evidence,
            when_busy=self.when_busy,
            timeout=self.timeout,
            note=note,
            owns_session=owns_session,
        )

    @contextmanager
    def concluding(self, context: Context) -> Iterator[None]:
        """Push the outcome, too, if the block raises that it is unknown whether the load has started.

        :param context: the task's context
        """
        try:
            yield
        except OutcomeUnknown as error:
            if self._under_way is not None:
                watcher = self.watcher(self._under_way, self.timeout, DEFAULT_POLL_INTERVAL)
                self.conclude(context, watcher.ending(error))
            raise


class MstrRefreshDataModelOperator(_ModelTask, _PublishTask, BaseOperator):
    """Refreshes a data model: the whole refresh in one task, with one session, closed on every path.

    Either ``data_model_id`` or ``data_model`` is to be given.

    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which only one in the project may have (templated)
    :param project_id: the project's id or name; the connection's if it is left out (templated)
    :param tables: the tables to publish; every table if it is left out; a list of table names or ids;
        or a mapping of name or id to refresh policy (templated)
    :param refresh_policy: the policy of the tables that name none: ``replace``, ``add``, ``update`` or
        ``upsert`` (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: maximum seconds between two checks of the publish
    :param timeout: seconds that the load may take, from the moment that the server has accepted the publish
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param evidence: whether to read the model's last update if publishStatus does not show the end of a load
    """

    template_fields = (
        "data_model_id",
        "data_model",
        "project_id",
        "tables",
        "refresh_policy",
        "mstr_conn_id",
    )
    _success: RefreshOutcome | None = None

    def __init__(
        self,
        *,
        data_model_id: str | None = None,
        data_model: str | None = None,
        project_id: str | NotSet | None = NOTSET,
        tables: Tables | NotSet | None = NOTSET,
        refresh_policy: str = RefreshPolicy.REPLACE.value,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        when_busy: str = WhenBusy.WAIT.value,
        evidence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            data_model_id=data_model_id,
            data_model=data_model,
            project_id=project_id,
            tables=tables,
            refresh_policy=refresh_policy,
            mstr_conn_id=mstr_conn_id,
            timeout=timeout,
            when_busy=when_busy,
            evidence=evidence,
            **kwargs,
        )
        self.deferrable = as_boolean("deferrable", deferrable)
        self.poll_interval = positive_seconds("poll_interval", poll_interval)

    def execute(self, context: Context) -> dict[str, Any]:
        """Refresh the data model, and return the outcome.

        :param context: the task's context
        """
        with task_failures(), self._closing(context):
            data_model = self.chosen(context)
            if outcome := self._ended_before(context):
                return outcome
            with self.concluding(context):
                watcher = self._adopted(context) or self._begun(context, data_model)
            return self._wait(context, watcher)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Return the outcome of the refresh that the trigger saw ending, and closed if it could.

        :param context: the task's context
        :param event: what the trigger fired
        """
        with task_failures(), self._closing(context):
            if not isinstance(event, Mapping):
                self._reopen(self.kept(context["ti"], HANDLE_KEY))
            elif event.get("handle"):
                self._reopen(event["handle"])
            self.recall_lineage(context["ti"])
            return self.conclude(context, self.fired(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the deferral; close the refresh first where Airflow resumes only to fail the task.

        :param next_method: what Airflow calls
        :param next_kwargs: what it calls it with
        :param context: the task's context
        :raises OutcomeUnknown: where the trigger failed, so that nobody has seen how the load ends
        """
        if next_method == "__fail__":
            with task_failures(), self._closing(context), self.concluding(context):
                self._reopen(self.kept(context["ti"], HANDLE_KEY))
                try:
                    return super().resume_execution(next_method, next_kwargs, context)
                except Exception as error:
                    if self._under_way is None:
                        raise
                    failed = ServerUnavailable(
                        f"the wait in the triggerer failed ({type(error).__name__}: {error})"
                    )
                    raise self._under_way.end_unknown(failed) from error
        return super().resume_execution(next_method, next_kwargs, context)

    def conclude(self, context: Context, ending: Ending) -> dict[str, Any]:
        """Push and tell the outcome, whatever it is; return it where it is a success, else raise its error.

        :param context: the task's context
        :param ending: how the watch ended
        """
        if ending.error is None:
            self._success = ending.outcome
            self._ledger(context).note_end(ending.outcome, self._under_way)
        return super().conclude(context, ending)

    def _ledger(self, context: Context) -> Ledger:
        model = (self.data_model_id, self.data_model)
        return runtime.adoption.Ledger.of(context, self.hook, *model, self.project_id, *self.asked)

    def _ended_before(self, context: Context) -> dict[str, Any] | None:
        """Return the outcome that an earlier attempt has seen, and was killed before Airflow knew of it."""
        ledger = self._ledger(context)
        outcome = ledger.ended()
        if outcome is None:
            return None
        self.log.info("An earlier attempt of this task has seen its publish ending well: reporting that")
        earlier = ledger.earlier()
        self._under_way = earlier.refresh if earlier is not None else None
        return self.conclude(context, runtime.refresh.Ending(outcome))

    def _adopted(self, context: Context) -> Watcher | None:
        """Return the watcher of an earlier attempt's publish; close what else that attempt has left open."""
        earlier = self._ledger(context).earlier()
        if earlier is None:
            return None
        self._under_way = earlier.refresh
        self.link_to(context, earlier.refresh)
        watcher = self.watcher(earlier.refresh, self.timeout, self.poll_interval)
        if self.watch(watcher, runtime.adoption.is_waited_for(earlier, watcher)):
            return watcher
        self._close(context)
        return None

    def _begun(self, context: Context, data_model: str) -> Watcher:
        """Return the watcher of a publish of this attempt's own."""
        choice = self.choice(context)
        ledger = self._ledger(context)

        def note(refresh: Refresh, taken: bool = False) -> None:
            if refresh.instance.instance_id:
                self._under_way = refresh
            ledger.note(refresh, taken)

        opened = self.opened(context, data_model, note)
        published = self.publish(opened, choice, note, owns_session=True)
        return self.watcher(published, self.timeout, self.poll_interval)

    def _wait(self, context: Context, watcher: Watcher) -> dict[str, Any]:
        self.read_lineage(watcher.refresh, sources=True)
        if not self.deferrable:
            return self.conclude(context, self.watch(watcher, watcher.end()))
        ending = self.watch(watcher, watcher.end_within(EARLY_WATCH, EARLY_WATCH))
        if ending is None:
            self.keep_lineage(context["ti"])
            context["ti"].xcom_push(key=HANDLE_KEY, value=self.hook.handle(watcher.refresh).to_json())
            self.defer_to_trigger(context, watcher, closes=True)
        return self.conclude(context, ending)

    def _reopen(self, handle: Any) -> None:
        try:
            self._under_way = self.hook.refresh(handle)
        except MstrError as error:
            self.log.warning("The session cannot be closed and will idle out: %s", error)

    @contextmanager
    def _closing(self, context: Context) -> Iterator[None]:
        """Close the refresh at the end of the block, except where the task defers."""
        try:
            with self.breakable():
                yield
        except TaskDeferred:
            raise
        except BaseException as error:
            self._close(context, error)
            raise
        else:
            self._close(context)

    def _close(self, context: Context, error: BaseException | None = None) -> None:
        """Close the refresh, once; what cannot be closed idles out and is no reason to fail.

        :param error: why the refresh is given up, where it is
        """
        refresh, self._under_way = self._under_way, None
        closed = refresh is None or self.closed(refresh)
        if isinstance(error, TaskKilledError):
            # A kill may have come in the midst of a talk with Airflow, which cannot be talked to then.
            return
        if error is None and self._success is not None:
            if closed and refresh is not None:
                self._ledger(context).note_end(self._success)
        elif closed:
            self._ledger(context).forget()
        elif refresh is not None and not (isinstance(error, MstrError) and error.may_answer_later):
            self._ledger(context).note(replace(refresh, published_at=None))


class MstrCreateDataModelInstanceOperator(_ModelTask, BaseOperator):
    """Logs in and creates a data model instance; returns its handle, for the tasks that follow.

    To be the setup of a refresh, with :class:`MstrDeleteDataModelInstanceOperator` as its teardown.
    Either ``data_model_id`` or ``data_model`` is to be given.

    :param data_model_id: the data model's id (templated)
    :param data_model: the data model's name, which only one in the project may have (templated)
    :param project_id: the project's id or name; the connection's if it is left out (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    """

    template_fields = ("data_model_id", "data_model", "project_id", "mstr_conn_id")

    def __init__(
        self,
        *,
        data_model_id: str | None = None,
        data_model: str | None = None,
        project_id: str | NotSet | None = NOTSET,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            data_model_id=data_model_id,
            data_model=data_model,
            project_id=project_id,
            mstr_conn_id=mstr_conn_id,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the instance, and return its handle.

        :param context: the task's context
        """
        with task_failures(), self.breakable():
            data_model = self.chosen(context)
            ledger = runtime.adoption.Ledger.of(context, self.hook)
            earlier = ledger.earlier()
            if earlier is not None:
                self.closed(earlier.refresh)
            return self.hook.handle(self.opened(context, data_model, ledger.note)).to_json()


class MstrPublishDataModelOperator(_PublishTask, BaseOperator):
    """Publishes tables of a data model with an instance; returns the handle of what was published.

    :param instance: the handle of the instance: the output of the task that created it (templated)
    :param tables: the tables to publish; every table if it is left out; a list of table names or ids;
        or a mapping of name or id to refresh policy (templated)
    :param refresh_policy: the policy of the tables that name none (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param when_busy: ``wait`` for another job that publishes the model, or ``fail`` at once
    :param timeout: seconds to wait for that other job
    :param evidence: whether to read the model's last update if publishStatus does not show the end of a load
    """

    template_fields = ("instance", "tables", "refresh_policy", "mstr_conn_id")

    def __init__(
        self,
        *,
        instance: Any,
        tables: Tables | NotSet | None = NOTSET,
        refresh_policy: str = RefreshPolicy.REPLACE.value,
        when_busy: str = WhenBusy.WAIT.value,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        evidence: bool = True,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            tables=tables,
            refresh_policy=refresh_policy,
            when_busy=when_busy,
            timeout=timeout,
            evidence=evidence,
            mstr_conn_id=mstr_conn_id,
            **kwargs,
        )
        self.instance = instance

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the publish, and return the handle that a sensor waits with.

        :param context: the task's context
        """
        with handle_failures():
            choice = self.choice(context)
            opened = self.given(context, self.instance)
            ledger = runtime.adoption.Ledger.of(context, self.hook, *self.asked)

            def note(refresh: Refresh, taken: bool = False) -> None:
                self._under_way = refresh
                ledger.note(refresh, taken)

            with self.concluding(context):
                published = self._adopted(ledger, opened) or self.publish(
                    opened, choice, note, owns_session=False
                )
            self.read_lineage(published, sources=True)
            return self.hook.handle(published).to_json()

    def _adopted(self, ledger: Ledger, opened: Refresh) -> Refresh | None:
        """Return what an earlier attempt has published in the same session, if it has."""
        earlier = ledger.earlier()
        if earlier is None or earlier.refresh.instance.session.token != opened.instance.session.token:
            return None
        self._under_way = earlier.refresh
        if not self.hook.run(runtime.adoption.has_published(earlier, time.time)):
            return None
        self.log.info("An earlier attempt of this task has started the load")
        return earlier.refresh


class MstrDeleteDataModelInstanceOperator(MstrTask, BaseOperator):
    """Deletes a data model instance and logs its session out; the teardown of a refresh.

    What is gone already is as good as deleted, and so is an instance that was never made.

    :param instance: the handle of the instance: the output of the task that created it (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    """

    template_fields = ("instance", "mstr_conn_id")

    def __init__(self, *, instance: Any, mstr_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(mstr_conn_id=mstr_conn_id, **kwargs)
        self.instance = instance

    def execute(self, context: Context) -> None:
        """Delete the instance and log out.

        :param context: the task's context
        """
        if is_nothing(self.instance):
            self.log.info("No instance was created, so there is none to delete")
            return
        with task_failures():
            self.hook.close(self.given(context, self.instance))
