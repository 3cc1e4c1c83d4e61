# SPDX-License-Identifier: Apache-2.0
"""What the tables of a data model load from, as far as their definitions tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest.protocol import Response, json_object
from airflow_provider_mstr.rest.text import clean


@dataclass(frozen=True, slots=True)
class Source:
    """A table of a data source.

    :param data_source_id: Strategy's id of the data source
    :param namespace: the database schema it is in; empty where it is in none
    :param table: its name
    """

    data_source_id: str
    namespace: str
    table: str


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page of table definitions.

    :param rows: how many tables it holds
    :param sources: table id to what it loads from; only tables whose definition tells
    """

    rows: int
    sources: Mapping[str, tuple[Source, ...]]

    @classmethod
    def read(cls, response: Response) -> SourcePage:
        """Read a list of tables, leaving out what comes in an unknown form.

        :param response: a response of status 2xx
        """
        listed = json_object(response).get("tables")
        tables = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        told = {_id(table): sources_of(table) for table in tables}
        return cls(len(tables), {table_id: sources for table_id, sources in told.items() if sources})


def sources_of(table: Mapping[str, Any]) -> tuple[Source, ...]:
    """Return what a table loads from; nothing where its definition is of an unknown form.

    Its physical table holds a pipeline as JSON text: a tree whose tables of ``type`` source name what they
    import (vendor's page "Retrieve data model tables").

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
    said = [_object(origin).get(key) for key in ("dataSourceId", "namespace", "tableName")]
    data_source_id, namespace, table = (clean(value) if isinstance(value, str) else "" for value in said)
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
