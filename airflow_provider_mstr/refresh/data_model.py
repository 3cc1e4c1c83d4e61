# SPDX-License-Identifier: Apache-2.0
"""The refresh of a data model: how its publish is started, polled, closed and stored."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from airflow_provider_mstr.refresh.job import Job, JobSpec, PollResult, StartContext
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.refresh.result import (
    as_seconds,
    as_string,
    invalid_unless_complete,
    table_json,
    table_refresh,
)
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.refresh.tables import EVERY_TABLE, TableChoice
from airflow_provider_mstr.rest.codes import code_message
from airflow_provider_mstr.rest.endpoints.auth import CLEANUP_RETRY_SECONDS, close_session, login, logout
from airflow_provider_mstr.rest.endpoints.data_models import (
    DataModelInstance,
    TableRefresh,
    create_instance,
    delete_instance,
    get_publish_status,
    list_table_sources,
    list_tables,
    start_publish,
)
from airflow_provider_mstr.rest.endpoints.projects import find_project_id
from airflow_provider_mstr.rest.endpoints.search import find_data_model_id
from airflow_provider_mstr.rest.endpoints.server import warn_of_version
from airflow_provider_mstr.rest.endpoints.sources import Source
from airflow_provider_mstr.rest.errors import (
    InvalidHandle,
    InvalidRequest,
    ModelBusy,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    SessionExpired,
)
from airflow_provider_mstr.rest.flow import Flow, Pause, attempt, with_retry_limit
from airflow_provider_mstr.rest.publish_status import PublishStatus, State, verdict
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.text import clean, is_id
from airflow_provider_mstr.rest.words import first_of

# A finish that the tables do not confirm must be seen this often, this many seconds apart (3.5).
CONFIRMATIONS = 3
CONFIRMATION_PAUSE = 2.0

# Seconds for which the question whether a model is busy is retried.
BUSY_RETRY_SECONDS = 5.0

# Seconds to find out whether a publish without an answer has started a load, and between two checks.
MAX_SECONDS_TO_FIND_OUT = 8.0
FIND_OUT_PAUSE = 1.0

# How many tables one request asks for, and how many requests there are, for what a model loads from.
SOURCES_PAGE_SIZE = 50
MAX_SOURCES_PAGES = 10

_MAX_FAILED = 5
_MAX_NAMES = 20

_UPDATED = "The publish is done: the data model was updated since it was sent"
_UNCONFIRMED = "The server reports the publish as done, but does not report each table as loaded"

# The form of an id; empty if it is not known yet. It has no slash and no escape, and not only dots.
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~:;,=+@|!-]{0,255}")
_DOT_SEGMENT = re.compile(r"(^|/)\.\.?(/|$)")


@dataclass(frozen=True, slots=True)
class DataModelJob(Job):
    """The refresh of a data model.

    :param instance: the instance, in its open session
    :param tables: the published tables; empty before the publish
    :param started_at: when the publish was sent, and then when it was accepted, in seconds since the epoch;
        None before it
    :param last_update: when the model's cube was last updated before the publish
    :param concurrent_refresh: whether another job publishes the model meanwhile
    """

    kind: ClassVar[str] = "data_model"

    instance: DataModelInstance
    tables: tuple[TableRefresh, ...] = ()
    started_at: float | None = None
    last_update: LastUpdate = NO_LAST_UPDATE
    concurrent_refresh: bool = False

    @property
    def session(self) -> Session:  # type: ignore[override]
        """The session that the instance lives in."""
        return self.instance.session

    @property
    def project_id(self) -> str:  # type: ignore[override]
        """The project's id."""
        return self.instance.project_id

    @property
    def object_id(self) -> str:  # type: ignore[override]
        """The data model's id; empty until it is known."""
        return self.instance.data_model_id

    @property
    def name(self) -> str:
        """How logs and errors name the data model."""
        return self.instance.model_name

    @property
    def is_open(self) -> bool:
        """Whether there is an instance to delete."""
        return bool(self.instance.instance_id)

    @property
    def adds_rows(self) -> bool:
        """Whether a table has the policy ``add``."""
        return any(table.policy is RefreshPolicy.ADD for table in self.tables)

    @property
    def cube_id(self) -> str:
        """The id of the cube behind the data model, which is the data model's own."""
        return self.instance.data_model_id

    def with_start(
        self, started_at: float | None, last_update: LastUpdate, concurrent_refresh: bool
    ) -> DataModelJob:
        """Return the job with another publish.

        :param started_at: when the publish was sent or accepted, in seconds since the epoch; None for none
        :param last_update: when the model's cube was last updated before the publish
        :param concurrent_refresh: whether another job publishes the model meanwhile
        """
        return replace(
            self, started_at=started_at, last_update=last_update, concurrent_refresh=concurrent_refresh
        )

    def in_session(self, session: Session) -> DataModelJob:
        """Return the job in another session.

        :param session: the session
        """
        return replace(self, instance=replace(self.instance, session=session))

    def poll(self, retry_for: float) -> Flow[PollResult]:
        """Ask once how the publish goes, and again only to confirm a finish that the tables do not show.

        Such a finish counts at once if the cube was updated since, and not while the cube shows anything
        else. If the cube cannot be read, the finish counts once it was seen often enough. So does an error
        of the server that stands for the failure, unless the cube shows a load.

        :param retry_for: seconds for which each request is retried
        :raises PublishFailed: if the server answers with the failure instead of a status
        :raises OutcomeUnknown: if it does so although the model was updated, or if the end of the load may
            be that of another job's
        """
        finishes = failures = 0
        while True:
            try:
                result = yield from self._poll_once(retry_for)
            except PublishFailed as failed:
                # A server may fail at the question as well as at the load; but a failed load stays failed.
                failures += 1
                if failures == CONFIRMATIONS:
                    return (yield from self._after_failures(failed))
                yield Pause(CONFIRMATION_PAUSE)
                continue
            if result.state is not State.FINISHED or result.tables_confirmed:
                return result
            last_update = self.usable_last_update
            cube = yield from last_update.read(self.session)
            if cube is not None:
                if last_update.is_older_than(cube):
                    return replace(result, message=_UPDATED)
                if cube.processing or last_update.is_comparable:
                    return replace(result, state=State.RUNNING, is_unconfirmed=True)
            finishes += 1
            if finishes == CONFIRMATIONS:
                return self._unless_concurrent(replace(result, message=_UNCONFIRMED))
            yield Pause(CONFIRMATION_PAUSE)

    def has_started(self, clock: Callable[[], float]) -> Flow[bool | None]:
        """Return whether a publish without an answer has started a load; None if nothing shows it.

        What publishStatus answers about an instance that was never published is not documented, so a plain
        status shows nothing. An error shows nothing either, because it may be about another job. If the
        server refuses the request itself twice, nothing was published. The cube shows a load that runs or
        has ended, unless another job loads it.

        :param clock: seconds since the epoch
        :raises SessionExpired: if the session is over
        """
        until = clock() + MAX_SECONDS_TO_FIND_OUT

        def left() -> float:
            return max(1.0, until - clock())

        denials = 0
        while True:
            status_shows = yield from with_retry_limit(self._status_shows_load(), left(), once=True)
            denials = denials + 1 if status_shows is False else 0
            if status_shows or denials == 2:
                return status_shows
            if (yield from with_retry_limit(self._cube_shows_load(), left(), once=True)):
                return True
            if clock() >= until:
                return None
            yield Pause(FIND_OUT_PAUSE)

    def is_busy(self) -> Flow[bool]:
        """Return whether another job publishes the model, as publishStatus names it instead of answering."""
        try:
            yield from get_publish_status(self.instance, BUSY_RETRY_SECONDS)
        except ModelBusy:
            return True
        except MstrError:
            return False
        return False

    def close(self) -> Flow[MstrError | None]:
        """Delete the instance and log out; what is already gone is fine.

        :return: why the instance was deleted only with its session
        :raises MstrError: if the session may still be open
        """
        try:
            if not self.is_open:
                return None
            return (yield from attempt(delete_instance(self.instance, CLEANUP_RETRY_SECONDS)))
        finally:
            yield from close_session(self.session)

    def list_sources(self, has_time: Callable[[], bool], retry_for: float) -> Flow[tuple[Source, ...]]:
        """Return the database tables that the published tables read.

        :param has_time: whether to ask for more
        :param retry_for: seconds for which each request is retried
        """
        wanted = {table.id.upper() for table in self.tables}
        found: dict[Source, None] = {}
        rows = 0
        for _ in range(MAX_SOURCES_PAGES):
            if not (wanted and has_time()):
                break
            try:
                page = yield from list_table_sources(self.instance, rows, SOURCES_PAGE_SIZE, retry_for)
            except MstrError:
                break
            if not page.sources:
                break
            rows += page.rows
            ours = (sources for table_id, sources in page.sources.items() if table_id in wanted)
            found |= dict.fromkeys(source for sources in ours for source in sources)
            wanted -= page.sources.keys()
        return tuple(found)

    def to_json(self, seal: Seal) -> dict[str, Any]:
        """Return the job as plain JSON with a sealed session.

        :param seal: the connection's seal
        """
        return {
            "kind": self.kind,
            "project_id": self.instance.project_id,
            "data_model_id": self.instance.data_model_id,
            "instance_id": self.instance.instance_id,
            "session": seal.close(self.instance.session),
            "tables": [table_json(table) for table in self.tables],
            "started_at": self.started_at,
            "last_update": self.last_update.to_json(),
            "concurrent_refresh": self.concurrent_refresh,
        }

    @classmethod
    def from_json(cls, data: Any, seal: Seal) -> DataModelJob:
        """Return the job that :meth:`to_json` described.

        :param data: what :meth:`to_json` returned
        :param seal: the connection's seal
        :raises InvalidHandle: if it is something else, or was sealed under another connection
        """
        with invalid_unless_complete(
            f"instance is {reprlib.repr(data)}, not a handle of a data model instance"
        ):
            ids = [_id(key, data[key]) for key in ("project_id", "data_model_id", "instance_id")]
            tables = tuple(_harmless_table(entry) for entry in data["tables"])
            started_at = None if data["started_at"] is None else as_seconds(data["started_at"])
            last_update = LastUpdate.from_json(data["last_update"], ids[0])
            _id("last_update", last_update.cube_id)
            sealed = as_string(data["session"])
            concurrent_refresh = data["concurrent_refresh"] is True
        instance = DataModelInstance(seal.open(sealed), *ids)
        return cls(instance, tables, started_at, last_update, concurrent_refresh)

    def _poll_once(self, retry_for: float) -> Flow[PollResult]:
        try:
            status = yield from get_publish_status(self.instance, retry_for)
        except ModelBusy:
            return PollResult(State.RUNNING, replace(self, concurrent_refresh=True), is_waiting=True)
        shown = verdict(status, [table.id for table in self.tables])
        return PollResult(
            shown.state,
            self,
            status.tables,
            tables_confirmed=shown.tables_confirmed,
            failure=self._failure(status) if shown.state is State.FAILED else "",
        )

    def _unless_concurrent(self, result: PollResult) -> PollResult:
        """Return the finish, unless it may be that of another job's load."""
        if self.concurrent_refresh:
            raise OutcomeUnknown(
                f"the server reports the end of a load of {self.name}, but another job "
                "loaded it at the same time, so it is unknown which load has ended"
            )
        return result

    def _after_failures(self, failed: PublishFailed) -> Flow[PollResult]:
        """Return that the publish runs if the cube shows a load, whatever error the server answers with."""
        last_update = self.usable_last_update
        cube = yield from last_update.read(self.session)
        if last_update.is_older_than(cube):
            raise OutcomeUnknown(
                f"it is unknown how the load of {self.name} ended: the server answers with an "
                "error, but the data model was updated since the publish was sent",
                failed.reply,
            )
        if cube is not None and cube.processing:
            return PollResult(State.RUNNING, self)
        raise failed

    def _failure(self, status: PublishStatus) -> str:
        names = {table.id.upper(): table.name for table in self.tables}
        failed = [table for table in status.tables if table.state is State.FAILED]
        tables = [
            f"table {names.get(table.id.upper(), table.id)} ended as {table.word}"
            + (f" ({table.error})" if table.error else "")
            for table in failed[:_MAX_FAILED]
        ]
        if len(failed) > _MAX_FAILED:
            tables.append(f"{len(failed) - _MAX_FAILED} more tables failed")
        message = code_message(status.status)
        number = f"status {status.status}" + (f", {message}" if message else "")
        return "; ".join(part for part in (number, status.message, *tables) if part)

    def _status_shows_load(self) -> Flow[bool | None]:
        try:
            return True if (yield from get_publish_status(self.instance)).shows_load else None
        except SessionExpired:
            raise
        except MstrError as error:
            return False if isinstance(error, InvalidRequest) else None

    def _cube_shows_load(self) -> Flow[bool]:
        if self.concurrent_refresh:
            return False
        cube = yield from self.last_update.read(self.session)
        return cube is not None and (cube.processing or self.last_update.is_older_than(cube))


@dataclass(frozen=True)
class DataModelSpec(JobSpec[DataModelJob]):
    """Which data model to refresh, and how.

    :param project: the project's id or name
    :param data_model: the data model's id or name
    :param choice: the tables and their policies
    """

    project: str = ""
    data_model: str = ""
    choice: TableChoice = EVERY_TABLE

    def open(self, context: StartContext) -> Flow[DataModelJob]:
        """Log in and create a data model instance; leave no session open if that fails.

        :param context: what it needs from its caller
        """
        session = yield from login(context.credentials)
        try:
            known = [each if is_id(each) else "" for each in (self.project, self.data_model)]
            context.on_progress(DataModelJob(DataModelInstance(session, *known)))
            if context.warn is not None:
                yield from warn_of_version(session, context.warn)
            project_id = yield from find_project_id(session, self.project)
            data_model_id = yield from find_data_model_id(session, project_id, self.data_model)
            if not is_id(self.data_model):
                context.log(f"Data model {self.data_model!r} is {data_model_id}")
            context.on_found(data_model_id)
            job = DataModelJob((yield from create_instance(session, project_id, data_model_id)))
        except BaseException:
            yield from attempt(logout(session, CLEANUP_RETRY_SECONDS))
            raise
        context.on_progress(job)
        return job

    def reopen(self, job: DataModelJob, context: StartContext) -> Flow[DataModelJob]:
        """Return the job in a new instance of a new session.

        :param job: the job, whose session is closed
        :param context: what it needs from its caller
        """
        known = replace(self, project=job.project_id, data_model=job.object_id)
        opened = yield from known.open(context)
        return replace(job, instance=opened.instance)

    def prepare(self, job: DataModelJob, context: StartContext) -> Flow[DataModelJob]:
        """Return the job with its tables, and log them.

        :param job: the job that was opened
        :param context: what it needs from its caller
        """
        tables = yield from resolve_tables(job.instance, self.choice)
        names = first_of([f"{table.name} ({table.policy})" for table in tables], _MAX_NAMES)
        line = f"Publishing {len(tables)} tables of {job.name}: {names}"
        context.log(line, tables=[table_json(table) for table in tables])
        return replace(job, tables=tables)

    def send(self, job: DataModelJob) -> Flow[DataModelJob]:
        """Publish the tables.

        :param job: the job
        """
        yield from start_publish(job.instance, job.tables)
        return job

    def renew(self, job: DataModelJob) -> Flow[DataModelJob]:
        """Return the job in a new instance; without the old one, a publish that arrives late fails.

        :param job: the job
        """
        yield from delete_instance(job.instance, CLEANUP_RETRY_SECONDS)
        instance = job.instance
        new = yield from create_instance(instance.session, instance.project_id, instance.data_model_id)
        return replace(job, instance=new)


def resolve_tables(instance: DataModelInstance, choice: TableChoice) -> Flow[tuple[TableRefresh, ...]]:
    """Return the tables to publish; ask the server only if the choice needs it.

    :param instance: an instance of the data model
    :param choice: the tables and their policies
    """
    model = (yield from list_tables(instance)) if choice.needs_listing else ()
    return choice.resolve(model, instance.model_name)


def _harmless_table(entry: Any) -> TableRefresh:
    table = table_refresh(entry)
    if not table.id.isprintable() or _DOT_SEGMENT.search(table.id) or table.name != clean(table.name):
        raise ValueError
    return table


def _id(key: str, value: Any) -> str:
    """Return an id of a handle. Another text could lead a request to another path, or add a header."""
    if not _ID.fullmatch(as_string(value)):
        raise InvalidHandle(f"the handle's {key} is {reprlib.repr(value)}, which is not an id")
    return str(value)
