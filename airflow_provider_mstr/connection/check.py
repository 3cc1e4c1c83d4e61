# SPDX-License-Identifier: Apache-2.0
"""The connection test: checks what a refresh needs, and reports the result as text."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.rest.codes import LOAD_PROJECT
from airflow_provider_mstr.rest.endpoints import server as about
from airflow_provider_mstr.rest.endpoints.auth import login, logout
from airflow_provider_mstr.rest.endpoints.monitors import get_full_name
from airflow_provider_mstr.rest.endpoints.projects import Project, enter_project, find_project, list_projects
from airflow_provider_mstr.rest.endpoints.search import summarize
from airflow_provider_mstr.rest.errors import NotFound
from airflow_provider_mstr.rest.flow import Flow, attempt
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.text import is_id


def check(server: LibraryServer) -> Flow[str]:
    """Log in, check what a refresh needs, log out, and return the result as text.

    A login succeeds even if the project is at its session limit, so the check enters the project (1.9).

    :param server: the server of the connection
    :raises MstrError: if a refresh could not start
    """
    session = yield from login(server.credentials)
    try:
        report = yield from _report(server, session)
    except BaseException:
        yield from attempt(logout(session))
        raise
    yield from logout(session)
    return report


def _report(server: LibraryServer, session: Session) -> Flow[str]:
    projects = yield from list_projects(session)
    project = yield from _check_project(session, server.project, projects)
    who = server.credentials
    user = (yield from about.try_once(get_full_name(session))) or who.login or who.mode.name.lower()
    version = yield from about.server_version(session)
    release = f" (version {version})" if version else ""
    problem = f" But {version.problem}." if version and version.problem else ""
    ineffective = "".join(f" But {field}." for field in server.ineffective)
    return f"Logged in to {server.url}{release} as {user}. {project}.{problem}{ineffective}"


def _check_project(session: Session, wanted: str | None, projects: Sequence[Project]) -> Flow[str]:
    if wanted is None:
        return f"The connection has no project, so each task needs one; the user can see {_names(projects)}"
    project = _find_project(projects, wanted)
    yield from _enter(session, project, projects)
    return f"The user can work in project {project.name} ({project.id})"


def _find_project(projects: Sequence[Project], wanted: str) -> Project:
    """Return the project of the connection; an id that is not in the list may still exist."""
    if not is_id(wanted):
        return find_project(wanted, projects)
    wanted = wanted.upper()
    return next((known for known in projects if known.id == wanted), Project(wanted, "with unknown name"))


def _enter(session: Session, project: Project, projects: Sequence[Project]) -> Flow[None]:
    try:
        yield from enter_project(session, project.id)
    except NotFound as error:
        if project in projects:
            what = f"project {project.name} is not loaded on the server, or idle"
            advice = LOAD_PROJECT
        else:
            what = f"no project has the id {project.id}; the user can see {_names(projects)}"
            advice = "Correct the project in the schema of the connection, or give the user access to it."
        raise NotFound(what, error.reply, advice=advice) from None


def _names(projects: Sequence[Project]) -> str:
    return summarize(project.name for project in projects) or "no project"
