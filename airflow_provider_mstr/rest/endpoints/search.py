# SPDX-License-Identifier: Apache-2.0
"""Finds objects by their names, and names by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest.endpoints.monitors import _entry
from airflow_provider_mstr.rest.errors import InvalidInput, NotFound, ServerReply
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.pagination import Listing
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import clean, is_id, path_segment
from airflow_provider_mstr.rest.words import MAX_NAMES, find_by_name, shorten, suggest

# Search patterns (EnumDSSXMLSearchTypes).
EXACTLY, CONTAINS = "2", "4"

# The serve modes as bits of ``viewMedia``; a model without any of them is in memory.
_SERVE_MODES = {0x10000: "connect_live", 0x40000: "off_memory"}

# The extended type that distinguishes Mosaic data models from other datasets, such as push data cubes.
_MOSAIC_EXT_TYPE = "448"

# The object type of reports, cubes and data models.
_REPORT_TYPE = "3"

# Seconds for which the name of an object is requested; callers can do without it.
NAME_RETRY_SECONDS = 5.0

CHECK_NAME = "Correct the name, use the id instead, or give the user access to the object."


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

    def __str__(self) -> str:
        place = f", in {'/'.join(self.folder)}" if self.folder else ""
        return f"{self.name} ({self.id}{place})"


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """A kind of object to search (docs/strategy-rest-api.md 6).

    :param name: its name, in the singular
    :param subtypes: its subtypes
    :param is_mosaic: whether its objects of subtype 779 are Mosaic data models, or the others
    """

    name: str
    subtypes: tuple[str, ...]
    is_mosaic: bool = False

    def has(self, hit: SearchResult) -> bool:
        """Return whether a search result is of this kind.

        :param hit: the search result
        """
        subtype, ext_type = hit.kind
        return subtype in self.subtypes and (ext_type == _MOSAIC_EXT_TYPE) == self.is_mosaic


DATA_MODEL = ObjectKind("data model", ("779",), is_mosaic=True)
CUBE = ObjectKind("cube", ("776", "779"))
INCREMENTAL_REFRESH_REPORT = ObjectKind("incremental refresh report", ("777", "780"))


def list_objects(
    session: Session, project_id: str, kind: ObjectKind, name: str = "", pattern: str = CONTAINS
) -> Flow[tuple[SearchResult, ...]]:
    """Return the objects of a kind in a project (``GET /api/searches/results``).

    This counts as a project session (1.9). Some servers ignore the pattern, so callers compare the names.

    :param session: the session
    :param project_id: the project's id
    :param kind: the kind of object
    :param name: the name to search for; empty for all
    :param pattern: the search pattern
    """
    found: list[SearchResult] = []
    for subtype in kind.subtypes:
        query = {"type": subtype, "getAncestors": "true"}
        query |= {"name": name, "pattern": pattern} if name else {}
        search = Listing(
            "the project",
            f"{kind.name}s",
            "/api/searches/results",
            "result",
            "totalItems",
            _search_result,
            query,
            f"project {project_id}",
        )
        found += filter(kind.has, (yield from search.list_all(session, project_id)))
    return tuple({hit.id: hit for hit in found}.values())


def find_object_id(session: Session, project_id: str, kind: ObjectKind, name: str) -> Flow[str]:
    """Return the id of an object; an id is returned without a request.

    A search may miss a name in another case, or while the search index is not up to date. So a name counts
    as unknown only if it is not among all objects of its kind in the project.

    :param session: the session
    :param project_id: the project's id
    :param kind: the kind of object
    :param name: an object's id or name
    :raises NotFound: if no object of the kind has that name
    :raises InvalidInput: if several have it
    """
    if is_id(name):
        return name
    hits = yield from list_objects(session, project_id, kind, name, EXACTLY)
    found = find_by_name(name, hits, lambda hit: hit.name)
    if not found:
        every = yield from list_objects(session, project_id, kind)
        found = find_by_name(name, every, lambda hit: hit.name)
        if not found:
            names = suggest(name, (hit.name for hit in every))
            raise NotFound(
                f"no {kind.name} in the project is named {name!r}; {names}",
                ServerReply(about=f"project {project_id}"),
                advice=CHECK_NAME,
            )
    if len(found) > 1:
        raise InvalidInput(
            f"{len(found)} {kind.name}s in the project are named {name!r}; "
            f"use the id of one: {summarize(map(str, found))}"
        )
    return found[0].id


def get_object_name(session: Session, project_id: str, object_id: str) -> Flow[str]:
    """Return the name of a data model, cube or report (``GET /api/objects/{id}``).

    :param session: the session
    :param project_id: the project's id
    :param object_id: the object's id
    """
    path = f"/api/objects/{path_segment(object_id)}"
    return (
        yield from session_request(
            session,
            f"read the name of object {object_id}",
            "GET",
            path,
            _name,
            project_id,
            query={"type": _REPORT_TYPE},
            retry_for=NAME_RETRY_SECONDS,
        )
    )


def summarize(names: Iterable[str]) -> str:
    """Return the first names in alphabetical order, and the number of further ones.

    :param names: the names
    """
    return shorten(sorted(names), MAX_NAMES)


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


def _name(response: Response) -> str:
    return clean(str(json_object(response).get("name") or ""))
