# SPDX-License-Identifier: Apache-2.0
"""Data models: their instances, tables and publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_mstr.rest.codes import MODEL_BUSY, code_message
from airflow_provider_mstr.rest.endpoints.sources import SourcePage
from airflow_provider_mstr.rest.errors import (
    InstanceExpired,
    InvalidResponse,
    ModelBusy,
    NotFound,
    PublishFailed,
    RequestFailed,
)
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.pagination import Listing
from airflow_provider_mstr.rest.publish_status import PublishStatus
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.responses import expect_empty, json_object, required_header
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import clean, id_advice, object_id, path_segment

T = TypeVar("T")
INSTANCE_HEADER = "X-MSTR-DataModelInstanceId"


@dataclass(frozen=True, slots=True)
class DataModelInstance:
    """An instance of a data model, which exists only in the session that created it (2).

    :param session: the session that created it
    :param instance_id: its id; empty until the server has created it
    :param data_model_name: the data model's name; empty if it is not known
    """

    session: Session
    project_id: str
    data_model_id: str
    instance_id: str = ""
    data_model_name: str = ""

    @property
    def owner(self) -> tuple[str, str | None]:
        """How an error names the data model, and its id for the end of the text, if its name is not known."""
        return (self.model_name, None) if self.data_model_name else ("the data model", self.model_name)

    @property
    def model_name(self) -> str:
        """The name of the data model in errors and logs."""
        return f"data model {self.data_model_name or self.data_model_id}"


def create_instance(session: Session, project_id: str, data_model_id: str) -> Flow[DataModelInstance]:
    """Create a data model instance (``POST /api/dataModels/{id}/instances``).

    It is sent again if its answer is lost; the extra instance ends with the session.

    :param session: the session of the instance
    :param project_id: the project's id
    :param data_model_id: the data model's id
    """
    path = f"/api/dataModels/{path_segment(data_model_id)}/instances"
    purpose = "create an instance of the data model"
    instance_id = yield from session_request(
        session,
        purpose,
        "POST",
        path,
        _instance_id,
        project_id,
        about=f"data model {data_model_id}",
        object_advice=id_advice("data_model_id", "data model"),
    )
    return DataModelInstance(session, project_id, data_model_id, instance_id)


def list_tables(instance: DataModelInstance) -> Flow[tuple[Table, ...]]:
    """Return every table of the data model (``GET /api/model/dataModels/{id}/tables``).

    :param instance: an instance of the data model
    :raises InvalidResponse: if the server returns fewer tables than it counts
    """
    owner, about = instance.owner
    tables = Listing(owner, "tables", _tables_path(instance), "tables", "total", _table, about=about)
    return (yield from tables.list_all(instance.session, instance.project_id))


def list_table_sources(
    instance: DataModelInstance, offset: int, limit: int, retry_for: float
) -> Flow[SourcePage]:
    """Return the sources of a page of tables (``GET /api/model/dataModels/{id}/tables``).

    The request is not repeated, because nothing depends on it. ``fields`` extends the list (5).

    :param instance: an instance of the data model
    :param offset: the number of tables to skip
    :param limit: the maximum number of tables
    :param retry_for: the maximum timeout of the answer
    """
    purpose = f"read the sources of {instance.model_name}"
    query = {"offset": str(offset), "limit": str(limit), "fields": "information,physicalTable"}
    return (
        yield from session_request(
            instance.session,
            purpose,
            "GET",
            _tables_path(instance),
            SourcePage.read,
            instance.project_id,
            query=query,
            repeatable=False,
            retry_for=retry_for,
        )
    )


def start_publish(instance: DataModelInstance, tables: Sequence[TableRefresh]) -> Flow[None]:
    """Start the publish (``POST /api/dataModels/{id}/publish``), which is not idempotent (7.2).

    :param instance: the instance to publish with
    :param tables: the tables, each with its policy
    """
    body = {"tables": [{"id": table.id, "refreshPolicy": str(table.policy)} for table in tables]}
    yield from _of_instance(instance, "publish", "POST", "publish", expect_empty, body=body, repeatable=False)


def get_publish_status(instance: DataModelInstance, retry_for: float | None = None) -> Flow[PublishStatus]:
    """Return the status of the publish (``GET /api/dataModels/{id}/publishStatus``).

    :param instance: the instance that was published with
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    :raises ModelBusy: if another job publishes the data model; servers report this in two ways (3.2)
    :raises PublishFailed: if the server reports the failure as an error (3.2)
    """
    purpose = "read the publish status of"
    try:
        status = yield from _of_instance(
            instance, purpose, "GET", "publishStatus", _status, retry_for=retry_for
        )
    except RequestFailed as error:
        reason = code_message(error.reply.iserver_code, error.reply.message)
        what = f"the load of {instance.model_name} failed" + (f": {reason}" if reason else "")
        raise PublishFailed(what, error.reply) from None
    if status.status == MODEL_BUSY:
        raise ModelBusy(f"another job is publishing {instance.model_name}")
    return status


def delete_instance(instance: DataModelInstance, retry_for: float | None = None) -> Flow[None]:
    """Delete the instance (``DELETE /api/dataModels/{id}/instances/{instanceId}``).

    An instance that no longer exists is no error.

    :param instance: the instance to delete
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    """
    below = f"instances/{path_segment(instance.instance_id)}"
    try:
        yield from _of_instance(
            instance, "delete the instance of", "DELETE", below, expect_empty, retry_for=retry_for
        )
    except (InstanceExpired, NotFound):
        return


def _tables_path(instance: DataModelInstance) -> str:
    return f"/api/model/dataModels/{path_segment(instance.data_model_id)}/tables"


def _of_instance(
    instance: DataModelInstance,
    verb: str,
    method: str,
    below: str,
    parse: Callable[[Response], T],
    **more: Any,
) -> Flow[T]:
    """Send a request about an instance, in its session and project."""
    path = f"/api/dataModels/{path_segment(instance.data_model_id)}/{below}"
    purpose = f"{verb} {instance.model_name}"
    headers = {INSTANCE_HEADER: instance.instance_id}
    try:
        return (
            yield from session_request(
                instance.session, purpose, method, path, parse, instance.project_id, headers=headers, **more
            )
        )
    except NotFound as error:
        if error.reply.iserver_code is not None:
            raise
        # The data model existed when the instance was created, so the instance is missing.
        what = f"could not {purpose}: the data model instance no longer exists"
        raise InstanceExpired(what, error.reply) from None


def _instance_id(response: Response) -> str:
    return object_id(required_header(INSTANCE_HEADER)(response), "the data model instance")


def _table(entry: Any) -> Table:
    information = entry.get("information") if isinstance(entry, dict) else None
    if not isinstance(information, dict) or not isinstance(information.get("objectId"), str):
        raise InvalidResponse("unexpected response format: a table has no id")
    table_id = object_id(information["objectId"], "a table")
    return Table(table_id, clean(str(information.get("name") or "")) or table_id)


def _status(response: Response) -> PublishStatus:
    return PublishStatus.of(json_object(response))


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a data model, as the server lists it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class TableRefresh:
    """A table that is to be published, or was, with its policy."""

    id: str
    name: str
    policy: RefreshPolicy
