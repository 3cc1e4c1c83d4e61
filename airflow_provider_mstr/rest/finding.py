# SPDX-License-Identifier: Apache-2.0
"""Finding data models by their names, and what of the user's sessions may be seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest.calls import Listing, within
from airflow_provider_mstr.rest.errors import InvalidInput, NotFound, NotUnderstood
from airflow_provider_mstr.rest.protocol import Procedure, Response, json_object
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.tables import is_id
from airflow_provider_mstr.rest.text import clean, object_id
from airflow_provider_mstr.rest.words import called, first_of

# What tells a Mosaic data model from other datasets, such as push data cubes (docs/strategy-rest-api.md 6).
DATA_MODEL_SUBTYPE = "779"
MOSAIC_EXT_TYPE = "448"

# How a name is searched for (EnumDSSXMLSearchTypes).
EXACTLY, CONTAINS = "2", "4"

# The serve modes as bits of ``viewMedia``; a model without any of them is in memory.
_SERVE_MODES = {0x10000: "connect_live", 0x40000: "off_memory"}

_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """An object that a search has found.

    :param kind: its subtype and extended type
    :param serve_mode: ``in_memory``, ``connect_live`` or ``off_memory``; empty where the server does not tell
    :param folder: the names of the folders it lies in, the outermost first
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


@dataclass(frozen=True, slots=True)
class UserConnection:
    """A session as the monitor of user connections lists it.

    :param project: the project it is in; empty for a session in no project
    :param since: when it was opened, as the server writes it
    :param seconds: how long it has been open; None where the server does not tell
    :param jobs: how many jobs run in it; None where the server does not tell
    """

    id: str
    login: str
    full_name: str
    project: str
    client: str
    since: str
    seconds: int | None
    jobs: int | None


def list_data_models(
    session: Session, project_id: str, name: str = "", pattern: str = CONTAINS
) -> Procedure[tuple[Hit, ...]]:
    """Return the data models of a project (``GET /api/searches/results``); takes a place in it (1.9).

    Which of them bear the name is for the caller to see: some servers ignore the pattern.

    :param session: the session to ask in
    :param project_id: the project's id
    :param name: what to search for; empty for all
    :param pattern: how to search for it
    """
    query = {"type": DATA_MODEL_SUBTYPE, "getAncestors": "true"}
    query |= {"name": name, "pattern": pattern} if name else {}
    search = Listing(
        f"project {project_id}", "data models", "/api/searches/results", "result", "totalItems", _hit, query
    )
    return tuple(hit for hit in (yield from search.every_row(session, project_id)) if hit.is_data_model)


def data_model_id(session: Session, project_id: str, data_model: str) -> Procedure[str]:
    """Return the id of a data model; an id is taken as it is, without asking.

    A server that does not find the name may know it all the same: in another casing, or while its index
    lags. So all of the project's data models are looked through before it counts as unknown.

    :param session: the session to ask in
    :param project_id: the project's id
    :param data_model: a data model's id or name
    :raises NotFound: where no data model of the project has that name
    :raises InvalidInput: where several have it
    """
    if is_id(data_model):
        return data_model
    hits = yield from list_data_models(session, project_id, data_model, EXACTLY)
    found = called(data_model, hits, lambda hit: hit.name)
    if not found:
        every = yield from list_data_models(session, project_id)
        found = called(data_model, every, lambda hit: hit.name)
        if not found:
            raise NotFound(
                f"project {project_id} has no data model called {data_model!r}; "
                f"it has {some(f'{hit.name} ({hit.id})' for hit in every)}"
            )
    if len(found) > 1:
        raise InvalidInput(
            f"project {project_id} has {len(found)} data models called {data_model!r}; "
            f"name one by its id: {some(map(str, found))}"
        )
    return found[0].id


def full_name(session: Session) -> Procedure[str]:
    """Return the user's full name (``GET /api/sessions/userInfo``); takes no project's place.

    :param session: the session to ask in
    """
    purpose = "ask who is logged in"
    return (yield from within(session, purpose, "GET", "/api/sessions/userInfo", _full_name))


def user_connections(session: Session) -> Procedure[tuple[UserConnection, ...]]:
    """Return every session on every node that runs (``GET /api/monitors/userConnections``).

    Parameters and fields are those of mstrio-py 11.6, ``mstrio.api.monitors``; takes no project's place.

    :param session: the session to ask in
    :raises NoPrivilege: where the user may not monitor others' sessions
    """
    nodes = yield from within(session, "list the nodes", "GET", "/api/monitors/iServer/nodes", _nodes)
    found: dict[str, UserConnection] = {}
    for node in nodes:
        listing = Listing(
            f"node {node}",
            "user connections",
            "/api/monitors/userConnections",
            "userConnections",
            "totalFiltered",
            _user_connection,
            {"clusterNode": node},
        )
        found |= {each.id: each for each in (yield from listing.every_row(session))}
    return tuple(found.values())


def some(names: Iterable[str], none: str = "none that the user may see") -> str:
    """Return the first of some names in their order, and how many more there are.

    :param names: the names
    :param none: what to return where there are none
    """
    return first_of(sorted(names), _MOST_NAMES) or none


def _hit(entry: Any) -> Hit:
    said = _entry(entry, "a search result")
    ancestors = said.get("ancestors")
    return Hit(
        id=said["id"],
        name=clean(str(said.get("name") or "")) or said["id"],
        kind=(clean(str(said.get("subtype"))), clean(str(said.get("extType")))),
        serve_mode=_serve_mode(said.get("viewMedia")),
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


def _user_connection(entry: Any) -> UserConnection:
    said = _entry(entry, "a user connection")
    return UserConnection(
        id=said["id"],
        login=_text(said.get("username")),
        full_name=_text(said.get("userFullName")),
        project=_text(said.get("projectName")),
        client=_text(said.get("client")),
        since=_text(said.get("dateConnectionCreated")),
        seconds=_whole(said.get("duration")),
        jobs=_whole(said.get("openJobsCount")),
    )


def _text(said: Any) -> str:
    return "" if said is None else clean(str(said))


def _whole(said: Any) -> int | None:
    return said if isinstance(said, int) else None


def _entry(entry: Any, what: str) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise NotUnderstood(f"{what} came in an unknown form")
    object_id(entry["id"], what)
    return entry


def _full_name(response: Response) -> str:
    return _text(json_object(response).get("fullName"))


def _nodes(response: Response) -> tuple[str, ...]:
    listed = json_object(response).get("nodes")
    if not isinstance(listed, list) or not all(isinstance(node, dict) for node in listed):
        raise NotUnderstood("the nodes came in an unknown form")
    running = (node for node in listed if node.get("status", "running") == "running")
    return tuple(object_id(str(node["name"]), "a node") for node in running if node.get("name"))
