# SPDX-License-Identifier: Apache-2.0
"""The users' open sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.pagination import Listing
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import clean, object_id


@dataclass(frozen=True, slots=True)
class UserConnection:
    """A session in the monitor of user connections.

    :param project: its project; empty if it has none
    :param since: when it was opened, as the server formats it
    :param seconds: how long it has been open; None if unknown
    :param jobs: how many jobs run in it; None if unknown
    """

    id: str
    login: str
    full_name: str
    project: str
    client: str
    since: str
    seconds: int | None
    jobs: int | None


def get_full_name(session: Session) -> Flow[str]:
    """Return the user's full name (``GET /api/sessions/userInfo``); this does not count as a project session.

    :param session: the session
    """
    purpose = "read the user's name"
    return (yield from session_request(session, purpose, "GET", "/api/sessions/userInfo", _full_name))


def list_user_connections(session: Session) -> Flow[tuple[UserConnection, ...]]:
    """Return every session on every running node (``GET /api/monitors/userConnections``).

    Parameters and fields are those of mstrio-py 11.6, ``mstrio.api.monitors``. This does not count as a
    project session.

    :param session: the session
    :raises NoPrivilege: if the user has no privilege to monitor sessions
    """
    nodes = yield from session_request(
        session, "list the nodes", "GET", "/api/monitors/iServer/nodes", _nodes
    )
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
        found |= {each.id: each for each in (yield from listing.list_all(session))}
    return tuple(found.values())


def _user_connection(entry: Any) -> UserConnection:
    payload = _entry(entry, "a user connection")
    return UserConnection(
        id=payload["id"],
        login=_text(payload.get("username")),
        full_name=_text(payload.get("userFullName")),
        project=_text(payload.get("projectName")),
        client=_text(payload.get("client")),
        since=_text(payload.get("dateConnectionCreated")),
        seconds=_int_or_none(payload.get("duration")),
        jobs=_int_or_none(payload.get("openJobsCount")),
    )


def _text(payload: Any) -> str:
    return "" if payload is None else clean(str(payload))


def _int_or_none(payload: Any) -> int | None:
    return payload if isinstance(payload, int) else None


def _entry(entry: Any, what: str) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise InvalidResponse(f"unexpected response format: {what} has no id")
    object_id(entry["id"], what)
    return entry


def _full_name(response: Response) -> str:
    return _text(json_object(response).get("fullName"))


def _nodes(response: Response) -> tuple[str, ...]:
    listed = json_object(response).get("nodes")
    if not isinstance(listed, list) or not all(isinstance(node, dict) for node in listed):
        raise InvalidResponse("unexpected response format: no list of nodes")
    running = (node for node in listed if node.get("status", "running") == "running")
    return tuple(object_id(str(node["name"]), "a node") for node in running if node.get("name"))
