# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage is told of a refresh: the data model, and the tables it loads from.

Nothing here imports OpenLineage before it is known to listen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.refresh import Refresh, RefreshOutcome
from airflow_provider_mstr.rest import procedures
from airflow_provider_mstr.rest.errors import MstrError, NotFound
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Procedure
from airflow_provider_mstr.rest.sources import Source, SourcePage

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

# Table definitions are long, and lineage is worth only so many requests and seconds.
PAGE_SIZE = 50
MOST_PAGES = 10
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """What OpenLineage knows a dataset by."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a refresh loads, and from what.

    :param model: the data model
    :param sources: the tables of databases that it loads from, as far as the server tells
    """

    model: Place
    sources: tuple[Place, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the lineage as plain JSON."""
        return {
            "model": [self.model.namespace, self.model.name],
            "sources": [[source.namespace, source.name] for source in self.sources],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Lineage:
        """Return the lineage that :meth:`to_json` described.

        :param said: what :meth:`to_json` returned
        """
        return cls(Place(*said["model"]), tuple(Place(*source) for source in said["sources"]))


def listens(operator: Any) -> bool:
    """Return whether OpenLineage is installed, switched on, and wants to hear of an operator.

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


def model_place(server: LibraryServer, project: str, data_model_id: str) -> Place:
    """Return what OpenLineage knows a data model by.

    :param server: the server that holds it
    :param project: its project, as the Airflow connection names it; else the project's id
    :param data_model_id: its id
    """
    return Place(_namespace(server), f"{project}/{data_model_id.upper()}")


def model_of(server: LibraryServer, instance: DataModelInstance) -> Procedure[Lineage]:
    """Return the lineage of a data model, without what it loads from.

    :param server: the server that holds it
    :param instance: an instance of it, in an open session
    """
    project = instance.project_id
    try:
        named = server.project or project
        if (yield from procedures.project_id(instance.session, named, PATIENCE)) == project:
            project = named
    except NotFound:
        pass
    return Lineage(model_place(server, project, instance.data_model_id))


def lineage_of(server: LibraryServer, refresh: Refresh, clock: Callable[[], float]) -> Procedure[Lineage]:
    """Return the lineage of a refresh that was published: as much as can be read soon.

    :param server: the server that holds the data model
    :param refresh: the refresh, in its open session
    :param clock: seconds since the epoch
    """
    until = clock() + PATIENCE
    lineage = yield from model_of(server, refresh.instance)
    wanted = {table_id.upper() for table_id in refresh.table_ids}
    found: dict[Place, None] = {}
    rows = 0
    for _ in range(MOST_PAGES):
        page = (yield from _page(refresh, rows)) if wanted and clock() < until else None
        if page is None or not page.sources:
            break
        rows += page.rows
        ours = (sources for table_id, sources in page.sources.items() if table_id in wanted)
        found |= dict.fromkeys(_place(server, source) for sources in ours for source in sources)
        wanted -= page.sources.keys()
    return Lineage(lineage.model, tuple(found))


def told(lineage: Lineage | None, outcome: RefreshOutcome | None) -> OperatorLineage[Any, Any] | None:
    """Return what OpenLineage's own methods of an operator return.

    :param lineage: what the task loads; None where it has loaded nothing
    :param outcome: how the refresh ended; None where the task has only begun it
    """
    if lineage is None:
        return None
    from airflow_provider_mstr import facets

    return facets.operator_lineage(lineage, outcome)


def _page(refresh: Refresh, offset: int) -> Procedure[SourcePage | None]:
    try:
        return (yield from procedures.table_sources(refresh.instance, offset, PAGE_SIZE, PATIENCE))
    except MstrError:
        return None


def _place(server: LibraryServer, source: Source) -> Place:
    name = f"{source.namespace}.{source.table}" if source.namespace else source.table
    return Place(f"{_namespace(server)}/datasources/{source.data_source_id}", name)


def _namespace(server: LibraryServer) -> str:
    return f"mstr://{urlsplit(server.url).netloc}"
