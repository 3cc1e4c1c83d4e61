# SPDX-License-Identifier: Apache-2.0
"""The Library REST API: which call a path is, and what each call does. A request in, an answer out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from urllib.parse import parse_qsl

from airflow_provider_mstr.sandbox import answers, monitor
from airflow_provider_mstr.sandbox.answers import Answer, Refused, json_answer, text_answer
from airflow_provider_mstr.sandbox.library import Library, Session
from airflow_provider_mstr.sandbox.world import DataModel, Project, Source, Table

AUTH_TOKEN = "X-MSTR-AuthToken"  # noqa: S105 - the header's name
PROJECT_ID = "X-MSTR-ProjectID"
INSTANCE_ID = "X-MSTR-DataModelInstanceId"
CUBE_STATUS = "X-MSTR-CubeStatus"

_SMALLEST_WORKING_SET = 3
_MAX_SEARCH = 3
_DATASET_TYPE, _DATASET_SUBTYPE, _PROJECT_TYPE = 3, 779, 32
_VIEW_MEDIA = {"in_memory": 0, "connect_live": 0x10000, "off_memory": 0x40000}
_MODEL_FOLDER = ("Public Objects", "Data Models")
_MODELED_AT = "2025-08-04T01:25:01.671Z"
_ACG_ALL = 255
_TABLE_FIELDS = ("physicalTable", "refreshPolicy")


@dataclass(frozen=True)
class Request:
    """A request to the REST API.

    :param method: HTTP method.
    :param path: what follows the base path, decoded, without the query.
    :param query: the query's fields.
    :param headers: by lower-case name.
    :param cookies: by name.
    :param body: the body's text.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @cached_property
    def call(self) -> str:
        """Name of the call, ``unknown`` if there is no such endpoint."""
        found = _find(self)
        return found[0].call if found else UNKNOWN

    def header(self, name: str) -> str:
        """Return a header that must be there."""
        if value := self.headers.get(name.lower()):
            return value
        raise Refused(answers.missing_header(name))

    def json(self) -> object:
        """Parse the body, which must be JSON if there is one."""
        try:
            return json.loads(self.body) if self.body.strip() else None
        except ValueError:
            raise Refused(answers.invalid_input("The request body is not valid JSON.")) from None

    def number(self, name: str, default: int) -> int:
        """Return a whole number of the query."""
        try:
            return int(self.query.get(name, default))
        except ValueError:
            raise Refused(answers.invalid_input(f"Query parameter '{name}' is not a number.")) from None


@dataclass(frozen=True)
class Visit:
    """A request at the server it came to.

    :param library: the server.
    :param request: the request.
    :param args: the variable parts of the path.
    """

    library: Library
    request: Request
    args: Mapping[str, str]

    @cached_property
    def session(self) -> Session:
        return self.authenticate()

    @cached_property
    def project(self) -> Project:
        return self.library.enter(self.session, self.request.header(PROJECT_ID))

    @cached_property
    def data_model(self) -> DataModel:
        return self.library.data_model(self.project, self.args["id"])

    @cached_property
    def dataset(self) -> DataModel:
        return self.library.dataset(self.project, self.args["id"])

    def authenticate(self) -> Session:
        """Find the session whose token and cookies the request brings."""
        token = self.request.headers.get(AUTH_TOKEN.lower(), "")
        return self.library.session(token, self.request.cookies)

    def header(self, name: str, value: str) -> tuple[str, str]:
        """Spell a header of the answer as this server does."""
        return (name.lower() if self.library.settings.header_case == "lower" else name, value)


@dataclass(frozen=True)
class Route:
    """An endpoint.

    :param call: its name.
    :param method: HTTP method.
    :param pattern: its path under the base path.
    :param act: what it does.
    :param is_open: whether it may be called without a session.
    """

    call: str
    method: str
    pattern: re.Pattern[str]
    act: Callable[[Visit], Answer]
    is_open: bool = False


def answer(library: Library, request: Request) -> Answer:
    """Do what is asked and answer it."""
    library.sweep()
    found = _find(request)
    if found is None:
        return text_answer(404, answers.TOMCAT_404)
    route, args = found
    visit = Visit(library, request, args)
    try:
        if not route.is_open:
            visit.authenticate()
        return route.act(visit)
    except Refused as refused:
        return refused.refusal.answer(modeling=request.path.startswith("/api/model/"))


def instance_id(request: Request) -> str:
    """Return the id of the instance a request is about; empty if it is about none."""
    found = _find(request)
    in_path = found[1].get("instance") if found else None
    return in_path or request.headers.get(INSTANCE_ID.lower(), "")


def _find(request: Request) -> tuple[Route, Mapping[str, str]] | None:
    for route in ROUTES:
        if route.method == request.method and (match := route.pattern.fullmatch(request.path)):
            return route, match.groupdict()
    return None


# Server and sessions


def _status(visit: Visit) -> Answer:
    settings = visit.library.settings
    versions = {"iServerVersion": settings.iserver_version, "webVersion": settings.web_version}
    return json_answer(versions | {"deploymentType": "onPremise"})


def _auth_modes(visit: Visit) -> Answer:
    return json_answer({"modes": list(visit.library.settings.login_modes)})


def _login(visit: Visit) -> Answer:
    fields = _login_fields(visit.request)
    working_set = _whole(fields, "workingSet")
    if working_set is not None and working_set < _SMALLEST_WORKING_SET:
        raise Refused(answers.invalid_input(f"workingSet must be at least {_SMALLEST_WORKING_SET}"))
    session = visit.library.log_in(
        _whole(fields, "loginMode") or 0,
        str(fields.get("username") or ""),
        str(fields.get("password") or ""),
        working_set,
    )
    cookies = _set_cookies(session.cookies, visit.library.settings.base_path)
    return Answer(204, headers=(visit.header(AUTH_TOKEN, session.token), *cookies))


def _login_fields(request: Request) -> Mapping[str, object]:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body))
    fields = request.json()
    return fields if isinstance(fields, dict) else {}


def _whole(fields: Mapping[str, object], name: str) -> int | None:
    try:
        return None if fields.get(name) is None else int(str(fields[name]))
    except ValueError:
        raise Refused(answers.invalid_input(f"{name} is not a number")) from None


def _set_cookies(cookies: Mapping[str, str], base_path: str) -> tuple[tuple[str, str], ...]:
    attributes = {
        "JSESSIONID": f"Path={base_path}; HttpOnly",
        "iSession": f"Path={base_path}; HttpOnly; SameSite=Lax",
        "mstrRememberMe": f"Expires=Thu, 31 Dec 2037 23:55:55 GMT; Path={base_path}; HttpOnly",
        "library-ingress": "Path=/; HttpOnly",
    }
    return tuple(("Set-Cookie", f"{name}={value}; {attributes[name]}") for name, value in cookies.items())


def _logout(visit: Visit) -> Answer:
    visit.library.log_out(visit.session)
    return Answer(204)


def _session_info(visit: Visit) -> Answer:
    session = visit.session
    return json_answer(
        {
            "locale": 1033,
            "displayLocale": 1033,
            "timeout": int(visit.library.settings.session_idle_seconds),
            "workingSet": session.working_set,
            "maxSearch": _MAX_SEARCH,
        }
    )


def _extend_session(_visit: Visit) -> Answer:
    return Answer(204)


def _user_info(visit: Visit) -> Answer:
    name = visit.session.user.name
    return json_answer({"id": _id_of(name), "fullName": name, "initials": name[:1].upper()})


def _nodes(visit: Visit) -> Answer:
    return json_answer({"nodes": monitor.nodes(_monitored(visit))})


def _user_connections(visit: Visit) -> Answer:
    node = visit.request.query.get("clusterNode", "")
    rows = monitor.user_connections(_monitored(visit), node)
    return _part(visit, rows, "userConnections", "totalFiltered")


def _monitored(visit: Visit) -> Library:
    if not visit.session.user.can_monitor:
        raise Refused(answers.NO_MONITOR_PRIVILEGE)
    return visit.library


# Projects and objects


def _projects(visit: Visit) -> Answer:
    return json_answer([_project(project) for project in visit.library.world.projects])


def _project_by_name(visit: Visit) -> Answer:
    for project in visit.library.world.projects:
        if project.name == visit.args["name"]:
            return json_answer(_project(project))
    raise Refused(answers.PROJECT_NAME_NOT_FOUND)


def _project(project: Project) -> dict[str, object]:
    status = 0 if project.loaded else -1
    return {"id": project.id, "name": project.name, "alias": "", "description": "", "status": status}


def _project_settings(visit: Visit) -> Answer:
    if not visit.session.user.can_administer:
        raise Refused(answers.NOT_AN_ADMINISTRATOR)
    if visit.library.world.project(visit.args["id"]) is None:
        raise Refused(answers.PROJECT_NOT_FOUND)
    cap = visit.library.settings.session_cap
    settings = {"maxInteractiveSessionPerUser": cap, "maxUserConnectionPerProject": 100 * cap}
    return json_answer({name: {"value": value} for name, value in settings.items()})


def _object(visit: Visit) -> Answer:
    kind = visit.request.number("type", 0)
    if kind == _PROJECT_TYPE:
        # Without a project header the object is read from no project, and takes no place in one.
        if visit.request.headers.get(PROJECT_ID.lower()):
            visit.library.enter(visit.session, visit.request.header(PROJECT_ID))
        if project := visit.library.world.project(visit.args["id"]):
            return json_answer(_project(project) | {"type": _PROJECT_TYPE})
        raise Refused(answers.PROJECT_NOT_FOUND)
    if kind != _DATASET_TYPE:
        raise Refused(answers.OBJECT_NOT_FOUND)
    return json_answer(_dataset(visit.dataset))


def _search(visit: Visit) -> Answer:
    query, project = visit.request.query, visit.project
    ancestors = {"ancestors": _ancestors(project)} if query.get("getAncestors") == "true" else {}
    models = visit.library.world.in_project(project.id)
    hits = [_dataset(model) | ancestors for model in models if _is_hit(model, query)]
    return _part(visit, hits, "result", "totalItems")


def _part(visit: Visit, rows: list[dict[str, object]], key: str, total: str) -> Answer:
    """Answer the part of a list that was asked for."""
    offset, limit = visit.request.number("offset", 0), visit.request.number("limit", -1)
    page = rows[offset:] if limit < 0 else rows[offset : offset + limit]
    return json_answer(
        {total: len(rows), key: page}, headers=(visit.header("X-MSTR-Total-Count", str(len(rows))),)
    )


def _ancestors(project: Project) -> list[dict[str, object]]:
    names = (project.name, *_MODEL_FOLDER)
    return [
        {"name": name, "id": project.id if place == 0 else _id_of(name), "level": len(names) - place}
        for place, name in enumerate(names)
    ]


def _is_hit(model: DataModel, query: Mapping[str, str]) -> bool:
    wanted, name = query.get("name", "").lower(), model.name.lower()
    matches = {
        "0": any(word in name.split() for word in wanted.split()),
        "1": name.startswith(wanted),
        "2": name == wanted,
        "4": wanted in name,
    }
    of_type = query.get("type", str(_DATASET_SUBTYPE)) in (str(_DATASET_TYPE), str(_DATASET_SUBTYPE))
    return of_type and (not wanted or matches.get(query.get("pattern", "4"), False))


def _dataset(model: DataModel) -> dict[str, object]:
    return {
        "id": model.id,
        "name": model.name,
        "type": _DATASET_TYPE,
        "subtype": _DATASET_SUBTYPE,
        "extType": model.ext_type,
        "viewMedia": _VIEW_MEDIA[model.data_serve_mode],
    }


def _cube_status(visit: Visit) -> Answer:
    return Answer(200, headers=(visit.header(CUBE_STATUS, str(visit.library.cube(visit.dataset).status)),))


def _cubes(visit: Visit) -> Answer:
    ids = visit.request.query.get("id", "").split(",")
    models = [visit.library.dataset(visit.project, each) for each in ids]
    return json_answer({"cubesInfos": [_cube(visit, model) for model in models]})


def _cube(visit: Visit, model: DataModel) -> dict[str, object]:
    cube = visit.library.cube(model)
    info: dict[str, object] = {
        "id": model.id,
        "name": model.name,
        "status": cube.status,
        "size": 4096 if cube.last_update_time else 0,
        "path": "/".join((visit.project.name, *_MODEL_FOLDER, model.name)),
        "serverMode": 1,
    }
    if cube.last_update_time:
        info["lastUpdateTime"] = cube.last_update_time.astimezone(UTC).strftime("%m/%d/%Y %H:%M:%S")
    return info


# Data models


def _data_model(visit: Visit) -> Answer:
    model = visit.data_model
    return json_answer(
        {
            "information": _information(model.id, model.name, "report_emma_cube"),
            "dataServeMode": model.data_serve_mode,
            "autoJoin": True,
            "readOnly": False,
        }
    )


def _tables(visit: Visit) -> Answer:
    model, request = visit.data_model, visit.request
    offset, limit = request.number("offset", 0), request.number("limit", -1)
    fields = request.query.get("fields", "").split(",")
    page = visit.library.table_page(model, offset, limit)
    return json_answer(
        {
            "offset": offset,
            "limit": limit,
            "total": len(model.tables),
            "tables": [_table(table, fields) for table in page],
        }
    )


def _table_by_id(visit: Visit) -> Answer:
    for table in visit.data_model.tables:
        if table.id == visit.args["table"]:
            return json_answer(_table(table, _TABLE_FIELDS))
    raise Refused(answers.TABLE_NOT_FOUND)


def _table(table: Table, fields: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {"information": _information(table.id, table.name, "logical_table")}
    if "physicalTable" in fields:
        row["physicalTable"] = _physical_table(table)
    if "refreshPolicy" in fields:
        row["refreshPolicy"] = table.refresh_policy
    return row


def _physical_table(table: Table) -> dict[str, object]:
    sources = [_source_table(source) for source in table.sources]
    joined = sources if len(sources) < 2 else [{"type": "wrangle", "operations": [], "children": sources}]
    pipeline = {"id": _id_of(table.name), "rootTable": {"type": "root", "children": joined}}
    return {
        "information": _information(_id_of(f"DB {table.name}"), "New DB Table", "physical_table"),
        "columns": [],
        "type": "pipeline",
        "pipeline": json.dumps(pipeline),
    }


def _source_table(source: Source) -> dict[str, object]:
    origin = {
        "type": "single_table",
        "dataSourceId": source.data_source_id,
        "namespace": source.namespace,
        "tableName": source.table,
        "sql": "",
    }
    return {"type": "source", "name": source.table, "columns": [], "importSource": origin}


def _information(object_id: str, name: str, subtype: str) -> dict[str, object]:
    return {
        "dateCreated": _MODELED_AT,
        "dateModified": _MODELED_AT,
        "versionId": _id_of(object_id),
        "acg": _ACG_ALL,
        "primaryLocale": "en-US",
        "objectId": object_id,
        "subType": subtype,
        "name": name,
    }


def _id_of(text: str) -> str:
    return text.encode().hex().upper().ljust(32, "0")[:32]


def _create_instance(visit: Visit) -> Answer:
    instance = visit.library.create_instance(visit.session, visit.data_model)
    status = visit.library.settings.instance_created_status
    return Answer(status, headers=(visit.header(INSTANCE_ID, instance.id),))


def _delete_instance(visit: Visit) -> Answer:
    visit.library.delete_instance(visit.session, visit.data_model, visit.args["instance"])
    return Answer(204)


def _publish(visit: Visit) -> Answer:
    model, instance_id = visit.data_model, visit.request.header(INSTANCE_ID)
    visit.library.publish(visit.session, model, instance_id, _refreshes(visit.request.json()))
    return Answer(204)


def _refreshes(body: object) -> list[tuple[str, str]]:
    rows = body.get("tables") if isinstance(body, dict) else None
    if rows is None:
        raise Refused(answers.NULL_TABLE_SETTINGS)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(answers.invalid_input("'tables' is a list of objects with 'id' and 'refreshPolicy'"))
    return [(str(row.get("id")), str(row.get("refreshPolicy"))) for row in rows]


def _publish_status(visit: Visit) -> Answer:
    model, instance_id = visit.data_model, visit.request.header(INSTANCE_ID)
    return json_answer(visit.library.publish_status(visit.session, model, instance_id))


def _route(
    call: str, method: str, path: str, act: Callable[[Visit], Answer], *, is_open: bool = False
) -> Route:
    pattern = re.compile("/api" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
    return Route(call, method, pattern, act, is_open)


ROUTES = (
    _route("status", "GET", "/status", _status, is_open=True),
    _route("auth_modes", "GET", "/config/authModes", _auth_modes, is_open=True),
    _route("login", "POST", "/auth/login", _login, is_open=True),
    _route("logout", "POST", "/auth/logout", _logout),
    _route("sessions", "GET", "/sessions", _session_info),
    _route("sessions", "PUT", "/sessions", _extend_session),
    _route("user_info", "GET", "/sessions/userInfo", _user_info),
    _route("nodes", "GET", "/monitors/iServer/nodes", _nodes),
    _route("user_connections", "GET", "/monitors/userConnections", _user_connections),
    _route("projects", "GET", "/projects", _projects),
    _route("projects", "GET", "/projects/{name}", _project_by_name),
    _route("project_settings", "GET", "/v2/projects/{id}/settings", _project_settings),
    _route("object", "GET", "/objects/{id}", _object),
    _route("search", "GET", "/searches/results", _search),
    _route("cubes", "GET", "/cubes/?", _cubes),
    _route("cubes", "HEAD", "/cubes/{id}", _cube_status),
    _route("data_model", "GET", "/model/dataModels/{id}", _data_model),
    _route("list_tables", "GET", "/model/dataModels/{id}/tables", _tables),
    _route("table", "GET", "/model/dataModels/{id}/tables/{table}", _table_by_id),
    _route("create_instance", "POST", "/dataModels/{id}/instances", _create_instance),
    _route("delete_instance", "DELETE", "/dataModels/{id}/instances/{instance}", _delete_instance),
    _route("publish", "POST", "/dataModels/{id}/publish", _publish),
    _route("publish_status", "GET", "/dataModels/{id}/publishStatus", _publish_status),
)
UNKNOWN = "unknown"
CALLS = tuple(dict.fromkeys(route.call for route in ROUTES))
