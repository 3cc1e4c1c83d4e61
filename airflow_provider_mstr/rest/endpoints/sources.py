# SPDX-License-Identifier: Apache-2.0
"""The source tables of a data model, read from the definitions of its tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.text import clean


@dataclass(frozen=True, slots=True)
class Source:
    """A table of a data source.

    :param data_source_id: Strategy's id of the data source
    :param namespace: its database schema; empty if it has none
    :param table: its name
    """

    data_source_id: str
    namespace: str
    table: str


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page of table definitions.

    :param rows: the number of tables on the page
    :param sources: table id to its sources; only tables whose sources are known
    """

    rows: int
    sources: Mapping[str, tuple[Source, ...]]

    @classmethod
    def read(cls, response: Response) -> SourcePage:
        """Parse a list of tables; entries with an unexpected format are ignored.

        :param response: a response of status 2xx
        """
        listed = json_object(response).get("tables")
        tables = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        found = {_id(table): sources_of(table) for table in tables}
        return cls(len(tables), {table_id: sources for table_id, sources in found.items() if sources})


def sources_of(table: Mapping[str, Any]) -> tuple[Source, ...]:
    """Return the sources of a table; none if its definition has an unexpected format.

    Its physical table contains a pipeline as JSON text: a tree whose tables of ``type`` source name their
    import source (vendor's page "Retrieve data model tables").

    :param table: the definition of a table, with its ``physicalTable``
    """
    pipeline = _parsed(_object(table.get("physicalTable")).get("pipeline"))
    found = (_source(part.get("importSource")) for part in _parts(pipeline))
    return tuple(dict.fromkeys(source for source in found if source is not None))


def _parts(pipeline: Any) -> Iterator[Mapping[str, Any]]:
    left = [_object(pipeline).get("rootTable")]
    while left:
        part = _object(left.pop())
        children = part.get("children")
        left += reversed(children) if isinstance(children, list) else ()
        yield part


def _source(origin: Any) -> Source | None:
    values = [_object(origin).get(key) for key in ("dataSourceId", "namespace", "tableName")]
    data_source_id, namespace, table = (clean(value) if isinstance(value, str) else "" for value in values)
    return Source(data_source_id, namespace, table) if data_source_id and table else None


def _parsed(pipeline: Any) -> Any:
    try:
        return json.loads(pipeline) if isinstance(pipeline, str) else pipeline
    except (ValueError, RecursionError):
        return None


def _id(table: Mapping[str, Any]) -> str:
    return clean(str(_object(table.get("information")).get("objectId", ""))).upper()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
