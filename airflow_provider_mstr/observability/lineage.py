# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage receives about a refresh: the object, and the database tables that it loads from.

Nothing here imports OpenLineage before it is known to be enabled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.rest.endpoints.projects import find_project_id
from airflow_provider_mstr.rest.endpoints.sources import Source
from airflow_provider_mstr.rest.errors import NotFound
from airflow_provider_mstr.rest.flow import Flow

# Seconds that reading the lineage may take, and for which each request is retried.
MAX_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DatasetId:
    """What OpenLineage knows a dataset by."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a refresh loads, and from what.

    :param output: the data model or cube
    :param sources: the tables of databases that it loads from, as far as the server lists them
    """

    output: DatasetId
    sources: tuple[DatasetId, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the lineage as plain JSON."""
        return {
            "output": [self.output.namespace, self.output.name],
            "sources": [[source.namespace, source.name] for source in self.sources],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lineage:
        """Return the lineage that :meth:`to_json` described.

        :param data: what :meth:`to_json` returned
        """
        return cls(DatasetId(*data["output"]), tuple(DatasetId(*source) for source in data["sources"]))


def is_enabled(operator: Any) -> bool:
    """Return whether OpenLineage is installed, and enabled for an operator.

    :param operator: the task's operator
    """
    try:
        from airflow.providers.openlineage.conf import is_disabled

        if is_disabled():
            return False
        from airflow.providers.openlineage.utils.utils import (
            is_operator_disabled,
            is_selective_lineage_enabled,
        )
    except ImportError:
        return False
    return not is_operator_disabled(operator) and is_selective_lineage_enabled(operator)


def object_dataset(server: LibraryServer, project: str, object_id: str) -> DatasetId:
    """Return what OpenLineage knows a data model or cube by.

    :param server: the server that holds it
    :param project: its project, as the Airflow connection names it; else the project's id
    :param object_id: its id
    """
    return DatasetId(_namespace(server), f"{project}/{object_id.upper()}")


def object_lineage(server: LibraryServer, job: Job, clock: Callable[[], float]) -> Flow[Lineage]:
    """Return the lineage of an object, without what it loads from.

    :param server: the server that holds it
    :param job: its refresh, in an open session
    :param clock: seconds since the epoch
    """
    project = job.project_id
    try:
        named = server.project or project
        if (yield from find_project_id(job.session, named, MAX_RETRY_SECONDS)) == project:
            project = named
    except NotFound:
        pass
    return Lineage(object_dataset(server, project, job.cube_id))


def lineage_of(server: LibraryServer, job: Job, clock: Callable[[], float]) -> Flow[Lineage]:
    """Return the lineage of a refresh that was started: as much as can be read soon.

    :param server: the server that holds the object
    :param job: its refresh, in an open session
    :param clock: seconds since the epoch
    """
    until = clock() + MAX_RETRY_SECONDS
    lineage = yield from object_lineage(server, job, clock)
    sources = yield from job.list_sources(lambda: clock() < until, MAX_RETRY_SECONDS)
    return Lineage(lineage.output, tuple(dict.fromkeys(_dataset_id(server, source) for source in sources)))


def _dataset_id(server: LibraryServer, source: Source) -> DatasetId:
    name = f"{source.namespace}.{source.table}" if source.namespace else source.table
    return DatasetId(f"{_namespace(server)}/datasources/{source.data_source_id}", name)


def _namespace(server: LibraryServer) -> str:
    return f"mstr://{urlsplit(server.url).netloc}"
