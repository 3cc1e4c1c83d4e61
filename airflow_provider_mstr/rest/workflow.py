# SPDX-License-Identifier: Apache-2.0
"""The parts of a refresh: calls that belong together, and how each part recovers or cleans up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_mstr.rest import procedures
from airflow_provider_mstr.rest.errors import (
    InstanceLost,
    ModelBusy,
    MstrError,
    NotUnderstood,
    PublishFailed,
    ServerUnavailable,
    SessionLost,
)
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Pause, Procedure
from airflow_provider_mstr.rest.publication import PublishStatus, State, verdict
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.rest.tables import TableChoice, TableRefresh

# A finish without proof must be seen this often, this many seconds apart (strategy-rest-api.md 3.5, 6).
CONFIRMATIONS = 3
CONFIRMING_PAUSE = 2.0

# How often, and how many seconds apart, to ask whether a publish with a lost answer was taken.
LOST_ANSWER_LOOKS = 4
LOST_ANSWER_PAUSE = 2.5

# Seconds for which cleaning up asks a server that is away; the session idles out by itself later.
CLEANUP_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a running publish showed.

    :param state: running, finished or failed
    :param proven: whether every table was seen loaded
    :param status: the server's own words; None where another job keeps it from answering
    """

    state: State
    proven: bool
    status: PublishStatus | None


def open_instance(credentials: Credentials, project: str, data_model_id: str) -> Procedure[DataModelInstance]:
    """Log in and create a data model instance; leave no session behind where that fails.

    :param credentials: who logs in
    :param project: the project's id or name
    :param data_model_id: the data model's id
    """
    session = yield from procedures.login(credentials)
    try:
        project_id = yield from procedures.project_id(session, project)
        return (yield from procedures.create_instance(session, project_id, data_model_id))
    except BaseException:
        yield from _attempt(procedures.logout(session, CLEANUP_PATIENCE))
        raise


def resolve_tables(instance: DataModelInstance, choice: TableChoice) -> Procedure[tuple[TableRefresh, ...]]:
    """Return the tables to publish, having asked the server only where the choice needs it.

    :param instance: an instance of the data model
    :param choice: what the DAG author chose
    """
    model = (yield from procedures.list_tables(instance)) if choice.needs_listing else ()
    return choice.resolve(model, instance.model_name)


def publish_once(instance: DataModelInstance, tables: Sequence[TableRefresh]) -> Procedure[DataModelInstance]:
    """Start the publish exactly once, and return the instance it runs in.

    An idle instance may have been reaped: then another is made in the same session. An answer may have
    been lost: then publishStatus is asked, and publish sent again only where nothing was begun.

    :param instance: the instance to publish with
    :param tables: the tables, each with its policy
    """
    try:
        yield from _publish_surely(instance, tables)
    except InstanceLost:
        instance = yield from _another(instance)
        yield from _publish_surely(instance, tables)
    return instance


def look(
    instance: DataModelInstance, published: Sequence[str], patience: float | None = None
) -> Procedure[Look]:
    """Ask once how the publish goes, again only to confirm a finish that lacks proof.

    :param instance: the instance that was published with
    :param published: the ids of the published tables
    :param patience: seconds of asking again where the server is away
    :raises PublishFailed: where the server answers with the failure instead of a status
    """
    for _ in range(CONFIRMATIONS - 1):
        seen = yield from _glance(instance, published, patience)
        if seen.proven:
            return seen
        yield Pause(CONFIRMING_PAUSE)
    return (yield from _glance(instance, published, patience))


def close(instance: DataModelInstance) -> Procedure[MstrError | None]:
    """Delete the instance and log out; whatever is gone already is as good as closed.

    :param instance: the instance, whose session is closed with it
    :return: why the instance could not be deleted on its own, where it went only with its session
    :raises MstrError: where the session may still be open
    """
    try:
        return (yield from _attempt(procedures.delete_instance(instance, CLEANUP_PATIENCE)))
    finally:
        yield from procedures.logout(instance.session, CLEANUP_PATIENCE)


def _attempt(procedure: Procedure[None]) -> Procedure[MstrError | None]:
    try:
        yield from procedure
    except MstrError as error:
        return error
    return None


def _another(instance: DataModelInstance) -> Procedure[DataModelInstance]:
    """Create a second instance of the same data model in the same session."""
    return procedures.create_instance(instance.session, instance.project_id, instance.data_model_id)


def _publish_surely(instance: DataModelInstance, tables: Sequence[TableRefresh]) -> Procedure[None]:
    try:
        yield from procedures.publish(instance, tables)
    except (ServerUnavailable, NotUnderstood) as lost:
        if isinstance(lost, ServerUnavailable) and lost.nothing_done:
            raise
        if not (yield from _was_taken(instance)):
            yield from procedures.publish(instance, tables)


def _was_taken(instance: DataModelInstance) -> Procedure[bool]:
    """Return whether a publish whose answer was lost has begun.

    What publishStatus says of an instance that was never published is not documented, so it is asked of
    a second, untouched instance: a difference between the two is the publish.
    """
    seen = yield from _unsettled_status(instance)
    if _shows_work(seen):
        return True
    untouched = yield from _untouched_status(instance)
    for _ in range(LOST_ANSWER_LOOKS):
        if seen != untouched or not isinstance(seen, PublishStatus):
            return seen != untouched
        yield Pause(LOST_ANSWER_PAUSE)
        seen = yield from _unsettled_status(instance)
    return seen != untouched


def _untouched_status(instance: DataModelInstance) -> Procedure[PublishStatus | type[MstrError]]:
    spare = yield from _another(instance)
    try:
        return (yield from _unsettled_status(spare))
    finally:
        yield from _attempt(procedures.delete_instance(spare, CLEANUP_PATIENCE))


def _unsettled_status(instance: DataModelInstance) -> Procedure[PublishStatus | type[MstrError]]:
    """Return what publishStatus says, a refusal as its kind."""
    try:
        return (yield from procedures.publish_status(instance))
    except (SessionLost, ServerUnavailable):
        raise
    except MstrError as error:
        return type(error)


def _shows_work(seen: PublishStatus | type[MstrError]) -> bool:
    if isinstance(seen, PublishStatus):
        return bool(seen.tables) or seen.status not in (0, 1)
    return issubclass(seen, (PublishFailed, ModelBusy))


def _glance(instance: DataModelInstance, published: Sequence[str], patience: float | None) -> Procedure[Look]:
    try:
        status = yield from procedures.publish_status(instance, patience)
    except ModelBusy:
        return Look(State.RUNNING, proven=True, status=None)
    seen = verdict(status, published)
    return Look(seen.state, seen.proven, status)
