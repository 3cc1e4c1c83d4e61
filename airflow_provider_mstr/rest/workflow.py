# SPDX-License-Identifier: Apache-2.0
"""The parts of a refresh: calls that belong together, and how each part recovers or cleans up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from airflow_provider_mstr.rest import about, finding, procedures
from airflow_provider_mstr.rest.errors import (
    ModelBusy,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    RequestFailed,
    SessionLost,
)
from airflow_provider_mstr.rest.evidence import Baseline, Cube
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Pause, Procedure
from airflow_provider_mstr.rest.publication import PublishStatus, State, verdict
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.rest.tables import TableChoice, TableRefresh

# A finish without proof must be seen this often, this many seconds apart (docs/strategy-rest-api.md 3.5).
CONFIRMATIONS = 3
CONFIRMING_PAUSE = 2.0

# Seconds for which cleaning up asks a server that is away; the session idles out by itself later.
CLEANUP_PATIENCE = 20.0

# Seconds after which a logout that the server has failed at is tried again, once.
LOGOUT_PAUSE = 2.0

# Seconds of asking a server that is away whether a model is busy.
BUSY_PATIENCE = 5.0


class Proof(StrEnum):
    """By what a finish is known."""

    TABLES = "tables"
    CUBE = "cube"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a running publish showed.

    :param state: running, finished or failed
    :param status: the server's own words; None where it gave none
    :param proof: by what a finish is known
    :param busy: whether another job keeps the server from answering
    """

    state: State
    status: PublishStatus | None
    proof: Proof = Proof.TABLES
    busy: bool = False

    @property
    def doubted(self) -> bool:
        """Whether the server reports an end that the model's cube does not show."""
        return self.state is State.RUNNING and self.proof is Proof.NONE


def open_instance(
    credentials: Credentials,
    project: str,
    data_model: str,
    logged_in: Callable[[Session], object] | None = None,
    found: Callable[[str], object] | None = None,
    warn: Callable[[str], object] | None = None,
) -> Procedure[DataModelInstance]:
    """Log in and create a data model instance; leave no session behind where that fails.

    :param credentials: who logs in
    :param project: the project's id or name
    :param data_model: the data model's id or name
    :param logged_in: takes the session as soon as there is one; None for nothing
    :param found: takes the data model's id as soon as it is known
    :param warn: takes the warning that the server is too old; None not to ask for its version
    """
    session = yield from procedures.login(credentials)
    try:
        if logged_in is not None:
            logged_in(session)
        if warn is not None:
            yield from about.warn_of_version(session, warn)
        project_id = yield from procedures.project_id(session, project)
        data_model_id = yield from finding.data_model_id(session, project_id, data_model)
        if found is not None:
            found(data_model_id)
        return (yield from procedures.create_instance(session, project_id, data_model_id))
    except BaseException:
        yield from attempt(procedures.logout(session, CLEANUP_PATIENCE))
        raise


def resolve_tables(instance: DataModelInstance, choice: TableChoice) -> Procedure[tuple[TableRefresh, ...]]:
    """Return the tables to publish, having asked the server only where the choice needs it.

    :param instance: an instance of the data model
    :param choice: what the DAG author chose
    """
    model = (yield from procedures.list_tables(instance)) if choice.needs_listing else ()
    return choice.resolve(model, instance.model_name)


def another(instance: DataModelInstance) -> Procedure[DataModelInstance]:
    """Create a second instance of the same data model in the same session.

    :param instance: the first one
    """
    return procedures.create_instance(instance.session, instance.project_id, instance.data_model_id)


def cube_of(instance: DataModelInstance, session: Session | None = None) -> Procedure[Cube | None]:
    """Return the cube behind the instance's data model, or None where the server does not tell.

    :param instance: an instance of the data model
    :param session: the session to ask in; None for the instance's own
    :raises SessionLost: where that session is over
    """
    try:
        return (
            yield from procedures.cube(
                session or instance.session, instance.project_id, instance.data_model_id
            )
        )
    except SessionLost:
        raise
    except MstrError:
        return None


def look(
    instance: DataModelInstance,
    published: Sequence[str],
    patience: float | None = None,
    baseline: Baseline | None = None,
) -> Procedure[Look]:
    """Ask once how the publish goes, again only to confirm a finish that the tables do not prove.

    Such a finish counts at once where the cube has been loaded since, and not while the cube shows
    anything else; where the cube cannot be read, it counts once it was seen often enough. So does an
    error of the server that stands for the failure, unless the cube shows a load.

    :param instance: the instance that was published with
    :param published: the ids of the published tables
    :param patience: seconds of asking again where the server is away
    :param baseline: what the cube showed before; None where it is not to be asked
    :raises PublishFailed: where the server answers with the failure instead of a status
    :raises OutcomeUnknown: where it does so although the model was loaded
    """
    confirmed = refused = 0
    while True:
        try:
            seen = yield from _glance(instance, published, patience)
        except PublishFailed as failed:
            # A server may fail at the question as well as at the load; but a failed load stays failed.
            refused += 1
            if refused == CONFIRMATIONS:
                return (yield from _weighed(instance, failed, baseline))
            yield Pause(CONFIRMING_PAUSE)
            continue
        if seen.state is not State.FINISHED or seen.proof is Proof.TABLES:
            return seen
        cube = None if baseline is None else (yield from cube_of(instance))
        if cube is not None and baseline is not None:
            if baseline.outdated_by(cube):
                return replace(seen, proof=Proof.CUBE)
            if cube.processing or baseline.readable:
                return replace(seen, state=State.RUNNING)
        confirmed += 1
        if confirmed == CONFIRMATIONS:
            return seen
        yield Pause(CONFIRMING_PAUSE)


def is_busy(instance: DataModelInstance) -> Procedure[bool]:
    """Return whether another job publishes the model, as publishStatus names it instead of answering.

    :param instance: the instance that was published with
    """
    try:
        yield from procedures.publish_status(instance, BUSY_PATIENCE)
    except ModelBusy:
        return True
    except MstrError:
        return False
    return False


def close(instance: DataModelInstance) -> Procedure[MstrError | None]:
    """Delete the instance and log out; whatever is gone already is as good as closed.

    :param instance: the instance, whose session is closed with it
    :return: why the instance could not be deleted on its own, where it went only with its session
    :raises MstrError: where the session may still be open
    """
    try:
        if not instance.instance_id:
            return None
        return (yield from attempt(procedures.delete_instance(instance, CLEANUP_PATIENCE)))
    finally:
        yield from _log_out(instance.session)


def attempt(procedure: Procedure[None]) -> Procedure[MstrError | None]:
    """Run a procedure whose failure is no reason to fail, and return its error, if any.

    :param procedure: a procedure that was not started yet
    """
    try:
        yield from procedure
    except MstrError as error:
        return error
    return None


def _log_out(session: Session) -> Procedure[None]:
    """Log out; once more where the server has failed at it, as nothing else may close the session later."""
    try:
        yield from procedures.logout(session, CLEANUP_PATIENCE)
    except RequestFailed:
        yield Pause(LOGOUT_PAUSE)
        yield from procedures.logout(session, CLEANUP_PATIENCE)


def _weighed(
    instance: DataModelInstance, failed: PublishFailed, baseline: Baseline | None
) -> Procedure[Look]:
    """Return that the publish runs where the cube shows a load, whatever error the server answers with."""
    cube = None if baseline is None else (yield from cube_of(instance))
    if cube is None or baseline is None:
        raise failed
    if baseline.outdated_by(cube):
        raise OutcomeUnknown(
            f"what became of the publish of {instance.model_name} is unknown: the server answers with an "
            "error, but the data model was updated since the publish was sent",
            failed.reply,
        )
    if cube.processing:
        return Look(State.RUNNING, status=None)
    raise failed


def _glance(instance: DataModelInstance, published: Sequence[str], patience: float | None) -> Procedure[Look]:
    try:
        status = yield from procedures.publish_status(instance, patience)
    except ModelBusy:
        return Look(State.RUNNING, status=None, busy=True)
    seen = verdict(status, published)
    return Look(seen.state, status, Proof.TABLES if seen.proven else Proof.NONE)
