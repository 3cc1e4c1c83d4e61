# SPDX-License-Identifier: Apache-2.0
"""The refresh of a data model: how its publish is started, polled, closed and stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from airflow_provider_mstr.refresh.job import (
    CONFIRMATION_PAUSE,
    CONFIRMATIONS,
    FIND_OUT_PAUSE,
    MAX_SECONDS_TO_FIND_OUT,
    Job,
    Log,
    PollResult,
)
from airflow_provider_mstr.refresh.spec import JobSpec, StartContext
from airflow_provider_mstr.refresh.tables import EVERY_TABLE, TableChoice
from airflow_provider_mstr.rest.codes import code_message, parse_number
from airflow_provider_mstr.rest.endpoints.auth import CLEANUP_RETRY_SECONDS, close_session
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
from airflow_provider_mstr.rest.endpoints.search import DATA_MODEL, ObjectKind
from airflow_provider_mstr.rest.endpoints.server import warn_of_version
from airflow_provider_mstr.rest.endpoints.sources import Source
from airflow_provider_mstr.rest.errors import (
    InvalidRequest,
    ModelBusy,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    ServerReply,
    SessionExpired,
)
from airflow_provider_mstr.rest.flow import Flow, Pause, attempt, with_retry_limit
from airflow_provider_mstr.rest.publish_status import PublishStatus, State, TableStatus, verdict
from airflow_provider_mstr.rest.words import NAMES_IN_LINE, count, fit, shorten

# Seconds for which the question whether a model is busy is retried.
BUSY_RETRY_SECONDS = 5.0

# How many tables one request asks for, and how many requests there are, for what a model loads from.
SOURCES_PAGE_SIZE = 50
MAX_SOURCES_PAGES = 10

_MAX_FAILED = 5

_UPDATED = "The publish is done: the data model was updated since it was sent"
_UNCONFIRMED = "The server reports the publish as done, but does not report each table as loaded"


@dataclass(frozen=True)
class DataModelJob(Job):
    """The refresh of a data model.

    :param instance_id: the id of its instance; empty until the server has created it
    """

    kind: ClassVar[str] = "data_model"
    object_kind: ClassVar[ObjectKind] = DATA_MODEL
    link_path: ClassVar[str] = "/app/library#/model/{object_id}"
    details: ClassVar[tuple[str, ...]] = ("instance_id",)

    instance_id: str = ""

    @property
    def instance(self) -> DataModelInstance:
        """The instance, in its open session."""
        ids = (self.session, self.project_id, self.object_id, self.instance_id)
        return DataModelInstance(*ids, self.object_name)

    @property
    def is_open(self) -> bool:
        """Whether there is an instance to delete."""
        return bool(self.instance_id)

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
            if (yield from with_retry_limit(self.cube_shows_load(), left(), once=True)):
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
            failure=self._failure(status) if shown.state is State.FAILED else None,
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

    def _failure(self, status: PublishStatus) -> PublishFailed:
        names = {table.id.upper(): table.name for table in self.tables}
        failed = [table for table in status.tables if table.state is State.FAILED]
        shown = [names.get(table.id.upper(), table.id) for table in failed]
        reasons = [_table_failure(*pair) for pair in zip(shown, failed, strict=True)][:_MAX_FAILED]
        if len(failed) > _MAX_FAILED:
            reasons.append(f"{count(len(failed) - _MAX_FAILED, 'more table')} failed")
        if message := code_message(status.status, status.message):
            reasons.insert(0, message)
        codes = dict.fromkeys(table.code for table in failed if table.code not in ("", str(status.status)))
        reply = ServerReply(
            code=", ".join(codes) or None,
            iserver_code=status.status if status.status < 0 else None,
            message=status.message or None,
        )
        without_reason = "" if status.message else " without a reason"
        reason = "; ".join(reasons) or f"the server reports status {status.status}{without_reason}"
        advice = ""
        if failed:
            tables = f"table{'' if len(failed) == 1 else 's'} {shorten(shown, _MAX_FAILED)}"
            advice = f"Fix {tables} in the model or its source, or ask the Strategy administrator."
        return PublishFailed(f"the load of {self.name} failed: {reason}", reply, advice=advice)

    def _status_shows_load(self) -> Flow[bool | None]:
        try:
            return True if (yield from get_publish_status(self.instance)).shows_load else None
        except SessionExpired:
            raise
        except MstrError as error:
            return False if isinstance(error, InvalidRequest) else None


def _table_failure(name: str, table: TableStatus) -> str:
    reason = table.error or code_message(parse_number(table.code))
    return f"table {name} ended as {table.word}" + (f": {reason.rstrip('.')}" if reason else "")


@dataclass(frozen=True, kw_only=True)
class DataModelSpec(JobSpec[DataModelJob]):
    """Which data model to refresh, and how.

    :param choice: the tables and their policies
    """

    job_class: ClassVar[type[Job]] = DataModelJob

    choice: TableChoice = EVERY_TABLE

    def open_object(self, job: DataModelJob, context: StartContext) -> Flow[DataModelJob]:
        """Return the job with a data model instance.

        :param job: the job, in its session
        :param context: what it needs from its caller
        """
        if context.warn is not None:
            yield from warn_of_version(job.session, context.warn)
        return (yield from self._with_instance(job))

    def prepare(self, job: DataModelJob) -> Flow[DataModelJob]:
        """Return the job with its tables.

        :param job: the job that was opened
        """
        return replace(job, tables=(yield from resolve_tables(job.instance, self.choice)))

    def log_start(self, job: DataModelJob, log: Log) -> None:
        """Log which tables are published.

        :param job: the job
        :param log: logs a line
        """
        policies = {f" ({table.policy})" for table in job.tables}
        common = policies.pop() if len(policies) == 1 else ""
        names = [table.name if common else f"{table.name} ({table.policy})" for table in job.tables]
        what = f"{count(len(names), 'table')} of {job.name}{common}"
        log(fit(f"Publishing {what}: {shorten(names, NAMES_IN_LINE)}"))

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
        return (yield from self._with_instance(job))

    def _with_instance(self, job: DataModelJob) -> Flow[DataModelJob]:
        created = yield from create_instance(job.session, job.project_id, job.object_id)
        return replace(job, instance_id=created.instance_id)


def resolve_tables(instance: DataModelInstance, choice: TableChoice) -> Flow[tuple[TableRefresh, ...]]:
    """Return the tables to publish; ask the server only if the choice needs it.

    :param instance: an instance of the data model
    :param choice: the tables and their policies
    """
    model = (yield from list_tables(instance)) if choice.needs_listing else ()
    return choice.resolve(model, *instance.owner)
