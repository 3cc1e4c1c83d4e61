# SPDX-License-Identifier: Apache-2.0
"""The projects of the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from airflow_provider_mstr.rest.codes import NO_SUCH_OBJECT
from airflow_provider_mstr.rest.errors import (
    InvalidResponse,
    NotFound,
)
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import clean, is_id, object_id, path_segment
from airflow_provider_mstr.rest.words import find_by_name, suggest

PROJECT_TYPE = "32"

CHECK_PROJECT = (
    "Correct the project in the Airflow connection (schema) or in the task (project_id), or give the user "
    "access to it."
)


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the server."""

    id: str
    name: str


def list_projects(session: Session, retry_for: float | None = None) -> Flow[tuple[Project, ...]]:
    """Return the projects that the user can see (``GET /api/projects``).

    This does not count as a project session (1.9).

    :param session: the session
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    """
    purpose = "list the projects"
    return (
        yield from session_request(session, purpose, "GET", "/api/projects", _projects, retry_for=retry_for)
    )


def find_project_id(session: Session, project: str, retry_for: float | None = None) -> Flow[str]:
    """Return the id of a project; an id is returned without a request.

    :param session: the session
    :param project: a project's id or name
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    :raises NotFound: if no project, or more than one, has that name
    """
    if is_id(project):
        return project
    return find_project(project, (yield from list_projects(session, retry_for))).id


def find_project(name: str, projects: Sequence[Project]) -> Project:
    """Return the project with a name: an exact match, else one that ignores case.

    :param name: the project's name
    :param projects: the projects to search
    :raises NotFound: if no project, or more than one, has that name
    """
    found = find_by_name(name, projects, lambda project: project.name)
    if not found:
        names = suggest(name, (known.name for known in projects))
        raise NotFound(f"no project is named {name!r}; {names}", advice=CHECK_PROJECT)
    if len(found) > 1:
        ids = ", ".join(f"{project.name} ({project.id})" for project in found)
        raise NotFound(f"{len(found)} projects are named {name!r}", advice=f"Use the id of one: {ids}.")
    return found[0]


def enter_project(session: Session, project_id: str) -> Flow[None]:
    """Send one request that counts as a project session (``GET /api/objects/{id}``).

    Any response about the object comes from the project, even if the object does not exist.

    :param session: the session
    :param project_id: the project's id
    :raises SessionLimit: if the user has the maximum number of sessions in the project (1.9)
    :raises NotFound: if the project is unknown, or not loaded
    """
    path = f"/api/objects/{path_segment(project_id)}"
    try:
        yield from session_request(
            session, "enter the project", "GET", path, json_object, project_id, query={"type": PROJECT_TYPE}
        )
    except InvalidResponse as error:
        if error.reply.status != HTTPStatus.NOT_FOUND:
            raise
    except NotFound as error:
        if error.reply.iserver_code not in (None, NO_SUCH_OBJECT):
            raise


def _projects(response: Response) -> tuple[Project, ...]:
    payload = response.json()
    if not isinstance(payload, list):
        raise InvalidResponse("unexpected response format: no list of projects")
    named = [entry for entry in payload if isinstance(entry, dict) and entry.keys() >= {"id", "name"}]
    if payload and not named:
        raise InvalidResponse("unexpected response format: no list of projects")
    return tuple(
        Project(object_id(str(entry["id"]), "a project"), clean(str(entry["name"]))) for entry in named
    )
