# SPDX-License-Identifier: Apache-2.0
"""Every endpoint a refresh needs, each written once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_mstr.rest.calls import Listing, within
from airflow_provider_mstr.rest.codes import MODEL_BUSY, NO_SUCH_OBJECT
from airflow_provider_mstr.rest.cookies import Cookies
from airflow_provider_mstr.rest.errors import (
    AuthenticationRefused,
    InstanceLost,
    ModelBusy,
    NotFound,
    NotUnderstood,
    PublishFailed,
    RequestFailed,
    SessionLost,
)
from airflow_provider_mstr.rest.evidence import Cube
from airflow_provider_mstr.rest.protocol import (
    Answer,
    Procedure,
    Request,
    Response,
    json_object,
    nothing,
    required_header,
)
from airflow_provider_mstr.rest.publication import PublishStatus
from airflow_provider_mstr.rest.session import TOKEN_HEADER, Credentials, Session
from airflow_provider_mstr.rest.sources import SourcePage
from airflow_provider_mstr.rest.tables import Table, TableRefresh, is_id
from airflow_provider_mstr.rest.text import clean, object_id
from airflow_provider_mstr.rest.words import called

T = TypeVar("T")

INSTANCE_HEADER = "X-MSTR-DataModelInstanceId"

PROJECT_TYPE = "32"

CUBE_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class DataModel:
    """A data model's definition, as far as a refresh cares.

    :param serve_mode: the server's ``dataServeMode``: ``in_memory``, ``connect_live``, ...
    """

    id: str
    name: str
    serve_mode: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the server."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class DataModelInstance:
    """An instance of a data model, which lives in the session that made it and nowhere else (2).

    :param session: the session that made it
    :param instance_id: the server's id of it; empty until the server has made it
    """

    session: Session
    project_id: str
    data_model_id: str
    instance_id: str = ""

    @property
    def model_name(self) -> str:
        """How errors and logs call the data model."""
        return f"data model {self.data_model_id}"


def login(credentials: Credentials) -> Procedure[Session]:
    """Log in (``POST /api/auth/login``).

    Sent again where its answer is lost: what that leaves behind idles out.

    :param credentials: who logs in, and how
    :return: the new session
    :raises AuthenticationRefused: where the server refuses them
    """
    cookies = Cookies()
    request = Request(
        purpose=f"log in as {credentials.login or credentials.mode.name.lower()}",
        method="POST",
        path="/api/auth/login",
        reads=required_header(TOKEN_HEADER),
        body=credentials.login_body(),
        cookies=cookies,
        secrets=credentials.secrets,
    )
    try:
        answer: Answer[str] = yield request
    except AuthenticationRefused as error:
        if not credentials.oddity:
            raise
        raise AuthenticationRefused(f"{error.what}; {credentials.oddity}", error.reply) from None
    return Session(answer.value, cookies)


def logout(session: Session, patience: float | None = None) -> Procedure[None]:
    """Close the session (``POST /api/auth/logout``), which cancels a publish that still runs in it (2).

    Names no project (1.5). A session that is over already is what was wanted.

    :param session: the session to close
    :param patience: seconds of asking again where the server is away
    """
    try:
        yield from within(session, "log out", "POST", "/api/auth/logout", nothing, patience=patience)
    except SessionLost:
        return


def session_status(session: Session) -> Procedure[dict[str, int]]:
    """Return the session's limits (``GET /api/sessions``); takes none of a project's places (1.6).

    :param session: the session to ask about
    :raises SessionLost: where it is over
    """
    return (yield from within(session, "ask about the session", "GET", "/api/sessions", _numbers))


def list_projects(session: Session, patience: float | None = None) -> Procedure[tuple[Project, ...]]:
    """Return the projects the user may see (``GET /api/projects``); takes no project's place (1.9).

    :param session: the session to ask in
    :param patience: seconds of asking again where the server is away
    """
    purpose = "list the projects"
    return (yield from within(session, purpose, "GET", "/api/projects", _projects, patience=patience))


def project_id(session: Session, project: str, patience: float | None = None) -> Procedure[str]:
    """Return the id of a project; an id is taken as it is, without asking.

    :param session: the session to ask in
    :param project: a project's id or name
    :param patience: seconds of asking again where the server is away
    :raises NotFound: where no project, or more than one, has that name
    """
    if is_id(project):
        return project
    return project_called(project, (yield from list_projects(session, patience))).id


def project_called(name: str, projects: Sequence[Project]) -> Project:
    """Return the project of that name; where none is spelt so, in any casing.

    :param name: a project's name
    :param projects: those there are
    :raises NotFound: where no project, or more than one, has that name
    """
    found = called(name, projects, lambda project: project.name)
    if len(found) != 1:
        there_is = ", ".join(sorted(known.name for known in projects)[:50]) or "none"
        raise NotFound(f"{len(found) or 'no'} projects are called {name!r}; the user may see {there_is}")
    return found[0]


def enter_project(session: Session, project_id: str) -> Procedure[None]:
    """Make one call that takes one of the project's places (``GET /api/objects/{id}``).

    Any answer about the object comes from within the project, and one that it is not there does too.

    :param session: the session to ask in
    :param project_id: the project's id
    :raises SessionLimit: where the project holds no more sessions of the user (1.9)
    :raises NotFound: where the project is unknown, or not loaded
    """
    path = f"/api/objects/{quote(project_id, safe='')}"
    try:
        yield from within(
            session, "enter the project", "GET", path, json_object, project_id, query={"type": PROJECT_TYPE}
        )
    except NotUnderstood as error:
        if error.reply.status != HTTPStatus.NOT_FOUND:
            raise
    except NotFound as error:
        if error.reply.iserver_code not in (None, NO_SUCH_OBJECT):
            raise


def data_model(session: Session, project_id: str, data_model_id: str) -> Procedure[DataModel]:
    """Return a data model's name and serve mode (``GET /api/model/dataModels/{id}``).

    :param session: the session to ask in
    :param project_id: the project's id
    :param data_model_id: the data model's id
    """
    path = f"/api/model/dataModels/{quote(data_model_id, safe='')}"
    return (
        yield from within(session, f"read data model {data_model_id}", "GET", path, _data_model, project_id)
    )


def create_instance(session: Session, project_id: str, data_model_id: str) -> Procedure[DataModelInstance]:
    """Create a data model instance (``POST /api/dataModels/{id}/instances``).

    Sent again where its answer is lost: what that leaves behind dies with the session.

    :param session: the session the instance will live in
    :param project_id: the project's id
    :param data_model_id: the data model's id
    """
    path = f"/api/dataModels/{quote(data_model_id, safe='')}/instances"
    purpose = f"create an instance of data model {data_model_id}"
    instance_id = yield from within(session, purpose, "POST", path, _instance_id, project_id)
    return DataModelInstance(session, project_id, data_model_id, instance_id)


def list_tables(instance: DataModelInstance) -> Procedure[tuple[Table, ...]]:
    """Return every table of the data model (``GET /api/model/dataModels/{id}/tables``).

    All are asked for at once; where fewer come than the server says there are, page by page.

    :param instance: an instance of the data model
    :raises NotUnderstood: where the server holds some back
    """
    tables = Listing(instance.model_name, "tables", _tables_path(instance), "tables", "total", _table)
    return (yield from tables.every_row(instance.session, instance.project_id))


def table_sources(
    instance: DataModelInstance, offset: int, limit: int, patience: float
) -> Procedure[SourcePage]:
    """Return what a page of the data model's tables loads from (``GET /api/model/dataModels/{id}/tables``).

    Asked once only: nothing depends on it. ``fields`` widens the list, as the vendor's own client does (5).

    :param instance: an instance of the data model
    :param offset: how many tables to skip
    :param limit: how many tables to ask for
    :param patience: seconds that the answer may take
    """
    purpose = f"read what {instance.model_name} loads from"
    query = {"offset": str(offset), "limit": str(limit), "fields": "information,physicalTable"}
    return (
        yield from within(
            instance.session,
            purpose,
            "GET",
            _tables_path(instance),
            SourcePage.read,
            instance.project_id,
            query=query,
            repeatable=False,
            patience=patience,
        )
    )


def publish(instance: DataModelInstance, tables: Sequence[TableRefresh]) -> Procedure[None]:
    """Start the publish (``POST /api/dataModels/{id}/publish``), which is not idempotent (7.2).

    :param instance: the instance to publish with
    :param tables: the tables, each with its policy
    """
    body = {"tables": [{"id": table.id, "refreshPolicy": str(table.policy)} for table in tables]}
    yield from _of_instance(instance, "publish", "POST", "publish", nothing, body=body, repeatable=False)


def publish_status(instance: DataModelInstance, patience: float | None = None) -> Procedure[PublishStatus]:
    """Ask how far the publish has come (``GET /api/dataModels/{id}/publishStatus``).

    :param instance: the instance that was published with
    :param patience: seconds of asking again where the server is away
    :raises ModelBusy: where another job publishes the data model, whichever way the server says so (3.2)
    :raises PublishFailed: where the server answers with the failure itself (3.2)
    """
    purpose = "ask for the publish status of"
    try:
        status = yield from _of_instance(
            instance, purpose, "GET", "publishStatus", _status, patience=patience
        )
    except RequestFailed as error:
        raise PublishFailed(f"the publish of {instance.model_name} failed", error.reply) from None
    if status.status == MODEL_BUSY:
        raise ModelBusy(f"another job is publishing {instance.model_name}")
    return status


def cube(session: Session, project_id: str, data_model_id: str) -> Procedure[Cube]:
    """Return the cube behind a data model (``GET /api/cubes?id=``); any session may ask (7.4).

    Asked for seconds only: what it shows is a help, and nothing to wait long for.

    :param session: the session to ask in
    :param project_id: the project's id
    :param data_model_id: the data model's id
    """
    purpose = f"read the last update of data model {data_model_id}"
    query = {"id": data_model_id}
    return (
        yield from within(
            session,
            purpose,
            "GET",
            "/api/cubes",
            Cube.read,
            project_id,
            query=query,
            patience=CUBE_PATIENCE,
        )
    )


def delete_instance(instance: DataModelInstance, patience: float | None = None) -> Procedure[None]:
    """Delete the instance (``DELETE /api/dataModels/{id}/instances/{instanceId}``).

    An instance that is gone already is what was wanted.

    :param instance: the instance to delete
    :param patience: seconds of asking again where the server is away
    """
    below = f"instances/{quote(instance.instance_id, safe='')}"
    try:
        yield from _of_instance(
            instance, "delete the instance of", "DELETE", below, nothing, patience=patience
        )
    except (InstanceLost, NotFound):
        return


def _tables_path(instance: DataModelInstance) -> str:
    return f"/api/model/dataModels/{quote(instance.data_model_id, safe='')}/tables"


def _of_instance(
    instance: DataModelInstance,
    verb: str,
    method: str,
    below: str,
    reads: Callable[[Response], T],
    **more: Any,
) -> Procedure[T]:
    """Make a call about an instance, in its session and under its project."""
    path = f"/api/dataModels/{quote(instance.data_model_id, safe='')}/{below}"
    purpose = f"{verb} {instance.model_name}"
    headers = {INSTANCE_HEADER: instance.instance_id}
    try:
        return (
            yield from within(
                instance.session, purpose, method, path, reads, instance.project_id, headers=headers, **more
            )
        )
    except NotFound as error:
        if error.reply.iserver_code is not None:
            raise
        # The data model was there when the instance was made, so it is the instance that is gone.
        raise InstanceLost(error.what, error.reply) from None


def _numbers(response: Response) -> dict[str, int]:
    return {name: value for name, value in json_object(response).items() if type(value) is int}


def _instance_id(response: Response) -> str:
    return object_id(required_header(INSTANCE_HEADER)(response), "the data model instance")


def _projects(response: Response) -> tuple[Project, ...]:
    said = response.json()
    if not isinstance(said, list):
        raise NotUnderstood("the projects came in an unknown form")
    named = [entry for entry in said if isinstance(entry, dict) and entry.keys() >= {"id", "name"}]
    if said and not named:
        raise NotUnderstood("the projects came in an unknown form")
    return tuple(
        Project(object_id(str(entry["id"]), "a project"), clean(str(entry["name"]))) for entry in named
    )


def _data_model(response: Response) -> DataModel:
    said = json_object(response)
    information = said.get("information")
    if not isinstance(information, dict) or "objectId" not in information:
        raise NotUnderstood("the data model came in an unknown form")
    return DataModel(
        object_id(str(information["objectId"]), "the data model"),
        clean(str(information.get("name", ""))),
        clean(str(said.get("dataServeMode", ""))),
    )


def _table(entry: Any) -> Table:
    information = entry.get("information") if isinstance(entry, dict) else None
    if not isinstance(information, dict) or not isinstance(information.get("objectId"), str):
        raise NotUnderstood("a table came in an unknown form")
    table_id = object_id(information["objectId"], "a table")
    return Table(table_id, clean(str(information.get("name") or "")) or table_id)


def _status(response: Response) -> PublishStatus:
    return PublishStatus.of(json_object(response))
