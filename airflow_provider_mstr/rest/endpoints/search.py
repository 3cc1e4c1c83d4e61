# SPDX-License-Identifier: Apache-2.0
"""Searches data models by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest.endpoints.monitors import _entry
from airflow_provider_mstr.rest.errors import InvalidInput, NotFound
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.pagination import Listing
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.text import clean, is_id
from airflow_provider_mstr.rest.words import find_by_name, shorten

# Distinguishes Mosaic data models from other datasets, such as push data cubes (docs/strategy-rest-api.md 6).
DATA_MODEL_SUBTYPE = "779"

MOSAIC_EXT_TYPE = "448"

# Search patterns (EnumDSSXMLSearchTypes).
EXACTLY, CONTAINS = "2", "4"

# The serve modes as bits of ``viewMedia``; a model without any of them is in memory.
_SERVE_MODES = {0x10000: "connect_live", 0x40000: "off_memory"}

_MAX_NAMES = 20


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A search result.

    :param kind: its subtype and extended type
    :param serve_mode: ``in_memory``, ``connect_live`` or ``off_memory``; empty if unknown
    :param folder: the names of its folders, the outermost first
    """

    id: str
    name: str
    kind: tuple[str, str]
    serve_mode: str
    folder: tuple[str, ...]

    @property
    def is_data_model(self) -> bool:
        """Whether it is a Mosaic data model."""
        return self.kind == (DATA_MODEL_SUBTYPE, MOSAIC_EXT_TYPE)

    def __str__(self) -> str:
        place = f", in {'/'.join(self.folder)}" if self.folder else ""
        return f"{self.name} ({self.id}{place})"


def list_data_models(
    session: Session, project_id: str, name: str = "", pattern: str = CONTAINS
) -> Flow[tuple[SearchResult, ...]]:
    """Return the data models of a project (``GET /api/searches/results``).

    This counts as a project session (1.9). Some servers ignore the pattern, so callers compare the names.

    :param session: the session
    :param project_id: the project's id
    :param name: the name to search for; empty for all
    :param pattern: the search pattern
    """
    query = {"type": DATA_MODEL_SUBTYPE, "getAncestors": "true"}
    query |= {"name": name, "pattern": pattern} if name else {}
    search = Listing(
        f"project {project_id}",
        "data models",
        "/api/searches/results",
        "result",
        "totalItems",
        _search_result,
        query,
    )
    return tuple(hit for hit in (yield from search.list_all(session, project_id)) if hit.is_data_model)


def find_data_model_id(session: Session, project_id: str, data_model: str) -> Flow[str]:
    """Return the id of a data model; an id is returned without a request.

    A search may miss a name in another case, or while the search index is not up to date. So a name counts
    as unknown only if it is not among all data models of the project.

    :param session: the session
    :param project_id: the project's id
    :param data_model: a data model's id or name
    :raises NotFound: if no data model of the project has that name
    :raises InvalidInput: if several have it
    """
    if is_id(data_model):
        return data_model
    hits = yield from list_data_models(session, project_id, data_model, EXACTLY)
    found = find_by_name(data_model, hits, lambda hit: hit.name)
    if not found:
        every = yield from list_data_models(session, project_id)
        found = find_by_name(data_model, every, lambda hit: hit.name)
        if not found:
            raise NotFound(
                f"project {project_id} has no data model named {data_model!r}; "
                f"it has {summarize(f'{hit.name} ({hit.id})' for hit in every)}"
            )
    if len(found) > 1:
        raise InvalidInput(
            f"project {project_id} has {len(found)} data models named {data_model!r}; "
            f"use the id of one: {summarize(map(str, found))}"
        )
    return found[0].id


def summarize(names: Iterable[str], none: str = "none that the user can see") -> str:
    """Return the first names in alphabetical order, and the number of further ones.

    :param names: the names
    :param none: what to return if there are none
    """
    return shorten(sorted(names), _MAX_NAMES) or none


def _search_result(entry: Any) -> SearchResult:
    payload = _entry(entry, "a search result")
    ancestors = payload.get("ancestors")
    return SearchResult(
        id=payload["id"],
        name=clean(str(payload.get("name") or "")) or payload["id"],
        kind=(clean(str(payload.get("subtype"))), clean(str(payload.get("extType")))),
        serve_mode=_serve_mode(payload.get("viewMedia")),
        folder=tuple(
            clean(str(each["name"]))
            for each in (ancestors if isinstance(ancestors, list) else ())
            if isinstance(each, dict) and each.get("name")
        ),
    )


def _serve_mode(view_media: Any) -> str:
    if not isinstance(view_media, int):
        return ""
    return next((mode for bit, mode in _SERVE_MODES.items() if view_media & bit), "in_memory")
