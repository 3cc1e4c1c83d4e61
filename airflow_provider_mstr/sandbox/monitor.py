# SPDX-License-Identifier: Apache-2.0
"""The monitors of an administrator: the cluster's nodes, and the user connections and jobs of each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from airflow_provider_mstr.sandbox import responses
from airflow_provider_mstr.sandbox.jobs import NODE, NODE_ID, Job
from airflow_provider_mstr.sandbox.library import Library, Session
from airflow_provider_mstr.sandbox.responses import ApiError
from airflow_provider_mstr.sandbox.world import Cube, DataModel, Project, User


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
    _check_node(node)
    return [row for session in library.sessions.values() for row in _rows(library, session)]


def _rows(library: Library, session: Session) -> Iterator[dict[str, object]]:
    session_row = _row(library, session, -1, None)
    yield session_row
    for index, project in enumerate(library.world.projects):
        if project.id in session.projects:
            jobs = {"openJobsCount": library.count_jobs(session, project)}
            yield _row(library, session, index, project) | jobs | {"parentId": session_row["id"]}


def _row(library: Library, session: Session, index: int, project: Project | None) -> dict[str, object]:
    return {
        "id": f"{session.id}:{index}:{NODE_ID}",
        "parentId": "",
        "username": session.user.name,
        "userFullName": session.user.name,
        "projectIndex": index,
        "projectId": project.id if project else "",
        "projectName": project.name if project else "",
        "openJobsCount": 0,
        "applicationType": "DSSXmlApplicationRESTServer",
        "dateConnectionCreated": _format_time(session.opened_at),
        "duration": int(library.clock() - session.opened_at),
        "sessionId": session.id,
        "client": "127.0.0.1",
        "configLevel": project is None,
    }


def list_caches(library: Library, node: str, project_ids: Sequence[str]) -> list[dict[str, object]]:
    """Return the loaded data models and cubes on a node.

    :param library: the server.
    :param node: the node's name.
    :param project_ids: ids of the projects.
    """
    _check_node(node)
    world = library.world
    datasets: tuple[DataModel | Cube, ...] = (*world.data_models, *world.cubes)
    return [
        _cache(library, each)
        for each in datasets
        if each.project_id in project_ids and library.count_rows(each)
    ]


def _cache(library: Library, dataset: DataModel | Cube) -> dict[str, object]:
    cube = library.read_cube(dataset)
    updated = cube.last_update_time
    return {
        "id": b64encode(f"{dataset.id}:{dataset.project_id}:{NODE}".encode()).decode(),
        "source": {"id": dataset.id, "name": dataset.name},
        "projectId": dataset.project_id,
        "state": {"active": True, "processing": bool(cube.status & 1), "loadedState": "loaded"},
        "lastUpdateTime": _format_time(updated.timestamp()) if updated else None,
        "rowCount": library.count_rows(dataset),
        "size": 4096,
    }


def list_jobs(library: Library, user: User, node: str) -> list[dict[str, object]]:
    """Return the jobs on a node.

    :param library: the server.
    :param user: the user who reads them.
    :param node: the node's name.
    """
    jobs = library.monitored_jobs(user)
    _check_node(node)
    return [describe_job(library, job) for job in jobs]


def describe_job(library: Library, job: Job) -> dict[str, object]:
    """Return a job as the monitor shows it.

    :param library: the server.
    :param job: the job.
    """
    now, target = library.clock(), job.target
    project, status = library.world.project(target.project_id), job.status(now)
    row: dict[str, object] = {
        "id": job.id,
        "type": "interactive",
        "status": status,
        "user": job.user,
        "description": f"Load of {job.cube.name}",
        "objectType": "cube" if isinstance(target, Cube) else "report",
        "objectId": target.id,
        "objectName": target.name,
        "projectId": target.project_id,
        "projectName": project.name if project else "",
        "creationTime": _format_time(job.created_at),
        "elapsedTime": int((min(now, job.ends_at) - job.created_at) * 1000),
    }
    if status == "error":
        row |= {"errorMessage": job.failure, "errorTime": _format_time(job.ends_at)}
    return row


def _check_node(node: str) -> None:
    if node != NODE:
        raise ApiError(responses.invalid_input(f"There is no cluster node '{node}'."))


def _format_time(seconds: float) -> str:
    time = datetime.fromtimestamp(seconds, UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"
