# SPDX-License-Identifier: Apache-2.0
"""The test of a connection: what a refresh needs, looked at within a session, and told in words."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.rest import about, finding, procedures
from airflow_provider_mstr.rest.errors import NotFound
from airflow_provider_mstr.rest.finding import some
from airflow_provider_mstr.rest.procedures import Project
from airflow_provider_mstr.rest.protocol import Procedure
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.tables import is_id
from airflow_provider_mstr.rest.workflow import attempt


def check(server: LibraryServer) -> Procedure[str]:
    """Log in, look at what a refresh needs, log out, and return in words what was found.

    Login succeeds where the project has no place left, so only a call within it is proof (1.9).

    :param server: the server that the connection describes
    :raises MstrError: where a refresh could not begin
    """
    session = yield from procedures.login(server.credentials)
    try:
        found = yield from _findings(server, session)
    except BaseException:
        yield from attempt(procedures.logout(session))
        raise
    yield from procedures.logout(session)
    return found


def _findings(server: LibraryServer, session: Session) -> Procedure[str]:
    projects = yield from procedures.list_projects(session)
    place = yield from _place(session, server.project, projects)
    who = server.credentials
    user = (yield from about.briefly(finding.full_name(session))) or who.login or who.mode.name.lower()
    version = yield from about.server_version(session)
    release = f" (version {version})" if version else ""
    lack = f" But {version.lack}." if version and version.lack else ""
    ineffective = "".join(f" But {field}." for field in server.ineffective)
    return f"Logged in to {server.url}{release} as {user}. {place}.{lack}{ineffective}"


def _place(session: Session, wanted: str | None, projects: Sequence[Project]) -> Procedure[str]:
    if wanted is None:
        return f"The connection names no project, so each task has to; the user may see {_names(projects)}"
    project = _chosen(projects, wanted)
    yield from _enter(session, project, projects)
    most = yield from about.sessions_per_user(session, project.id)
    limit = f" and may hold {most} sessions there, one for each refresh under way" if most else ""
    return f"The user can work in project {project.name} ({project.id}){limit}"


def _chosen(projects: Sequence[Project], wanted: str) -> Project:
    """Return the project that a connection names; an id that is not listed may still be one."""
    if not is_id(wanted):
        return procedures.project_called(wanted, projects)
    wanted = wanted.upper()
    return next((known for known in projects if known.id == wanted), Project(wanted, "of no known name"))


def _enter(session: Session, project: Project, projects: Sequence[Project]) -> Procedure[None]:
    try:
        yield from procedures.enter_project(session, project.id)
    except NotFound as error:
        if project in projects:
            what = f"project {project.name} ({project.id}) is not loaded on the server, or idle"
        else:
            what = f"no project has the id {project.id}; the user may see {_names(projects)}"
        raise NotFound(what, error.reply) from None


def _names(projects: Sequence[Project]) -> str:
    return some((project.name for project in projects), none="no project")
