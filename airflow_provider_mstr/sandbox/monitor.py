# SPDX-License-Identifier: Apache-2.0
"""The monitors of an administrator: the cluster's nodes, and the user connections of each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime

from airflow_provider_mstr.sandbox import responses
from airflow_provider_mstr.sandbox.library import Library, Session
from airflow_provider_mstr.sandbox.responses import ApiError
from airflow_provider_mstr.sandbox.world import Project

NODE = "sandbox-iserver"


def list_nodes(library: Library) -> list[dict[str, object]]:
    """Return the nodes of the cluster, which has one.

    :param library: the server.
    """
    projects = [{"id": project.id, "name": project.name} for project in library.world.projects]
    return [{"name": NODE, "ipAddress": "127.0.0.1", "status": "running", "projects": projects}]


def list_user_connections(library: Library, node: str) -> list[dict[str, object]]:
    """Return the sessions on a node: one row for each session, and one for each of its projects.

    :param library: the server.
    :param node: the node's name.
    """
    if node != NODE:
        raise ApiError(responses.invalid_input(f"There is no cluster node '{node}'."))
    return [row for session in library.sessions.values() for row in _rows(library, session)]


def _rows(library: Library, session: Session) -> Iterator[dict[str, object]]:
    session_row = _row(library, session, -1, None)
    yield session_row
    for index, project in enumerate(library.world.projects):
        if project.id in session.projects:
            jobs = {"openJobsCount": library.count_jobs(session, project)}
            yield _row(library, session, index, project) | jobs | {"parentId": session_row["id"]}


def _row(library: Library, session: Session, index: int, project: Project | None) -> dict[str, object]:
    opened = datetime.fromtimestamp(session.opened_at, UTC)
    return {
        "id": f"{session.id}:{index}:{b64encode(NODE.encode()).decode()}",
        "parentId": "",
        "username": session.user.name,
        "userFullName": session.user.name,
        "projectIndex": index,
        "projectId": project.id if project else "",
        "projectName": project.name if project else "",
        "openJobsCount": 0,
        "applicationType": "DSSXmlApplicationRESTServer",
        "dateConnectionCreated": f"{opened:%Y-%m-%dT%H:%M:%S}.{opened.microsecond // 1000:03d}+0000",
        "duration": int(library.clock() - session.opened_at),
        "sessionId": session.id,
        "client": "127.0.0.1",
        "configLevel": project is None,
    }
