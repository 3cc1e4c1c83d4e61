# SPDX-License-Identifier: Apache-2.0
"""The Library REST API: its routes and a handler for each. It turns a request into a response."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from urllib.parse import parse_qsl

from airflow_provider_mstr.sandbox import monitor, responses
from airflow_provider_mstr.sandbox.jobs import Job
from airflow_provider_mstr.sandbox.library import Library, Session
from airflow_provider_mstr.sandbox.openapi import OPENAPI
from airflow_provider_mstr.sandbox.responses import ApiError, Response, json_response, text_response
from airflow_provider_mstr.sandbox.world import (
    INCREMENTAL_REFRESH_REPORT,
    SUPER_CUBE,
    Cube,
    DataModel,
    Project,
    Source,
    Table,
    WorldObject,
)

AUTH_TOKEN = "X-MSTR-AuthToken"  # noqa: S105 - the header's name
PROJECT_ID = "X-MSTR-ProjectID"
INSTANCE_ID = "X-MSTR-DataModelInstanceId"
CUBE_STATUS = "X-MSTR-CubeStatus"

_SMALLEST_WORKING_SET = 3
_MAX_SEARCH = 3
_REPORT_TYPE, _PROJECT_TYPE = 3, 32
_JOB_FILTERS = ("status", "type", "user", "objectId", "objectType", "projectId", "projectName")
_CANCELLED = 204
_EXECUTION_STAGES = ("execute_data", "resolve_prompts")
_VIEW_MEDIA = {"in_memory": 0, "connect_live": 0x10000, "off_memory": 0x40000}
_MODEL_FOLDER = ("Public Objects", "Data Models")
_MODIFIED_AT = "2025-08-04T01:25:01.671Z"
_ACG_ALL = 255
_TABLE_FIELDS = ("physicalTable", "refreshPolicy")


@dataclass(frozen=True)
class Request:
    """A request to the REST API.

    :param method: HTTP method.
    :param path: the decoded path after the base path, without the query.
    :param query: the query's parameters.
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
        found = _find_route(self)
        return found[0].call if found else UNKNOWN

    def header(self, name: str) -> str:
        """Return a required header."""
        if value := self.headers.get(name.lower()):
            return value
        raise ApiError(responses.missing_header(name))

    def json(self) -> object:
        """Parse the body as JSON; None if it is empty."""
        try:
            return json.loads(self.body) if self.body.strip() else None
        except ValueError:
            raise ApiError(responses.invalid_input("The request body is not valid JSON.")) from None

    def number(self, name: str, default: int) -> int:
        """Return an integer parameter of the query."""
        try:
            return int(self.query.get(name, default))
        except ValueError:
            raise ApiError(responses.invalid_input(f"Query parameter '{name}' is not a number.")) from None


@dataclass(frozen=True)
class Context:
    """A request and the server that handles it.

    :param library: the server.
    :param request: the request.
    :param args: the parameters of the path.
    """

    library: Library
    request: Request
    args: Mapping[str, str]

    @cached_property
    def session(self) -> Session:
        return self.authenticate()

    @cached_property
    def project(self) -> Project:
        return self.library.enter_project(self.session, self.request.header(PROJECT_ID))

    @cached_property
    def data_model(self) -> DataModel:
        return self.library.find_data_model(self.project, self.args["id"])

    @cached_property
    def dataset(self) -> DataModel | Cube:
        return self.library.find_dataset(self.project, self.args["id"])

    @cached_property
    def job(self) -> Job:
        return self.library.find_job(self.session.user, self.args["id"])

    def authenticate(self) -> Session:
        """Find the session by the request's token and cookies."""
        token = self.request.headers.get(AUTH_TOKEN.lower(), "")
        return self.library.find_session(token, self.request.cookies)

    def header(self, name: str, value: str) -> tuple[str, str]:
        """Return a response header in the case that the settings require."""
        return (name.lower() if self.library.settings.header_case == "lower" else name, value)


@dataclass(frozen=True)
class Route:
    """An endpoint.

    :param call: its name in reports and faults.
    :param method: HTTP method.
    :param pattern: its path under the base path.
    :param handle: its handler.
    :param needs_session: whether it needs a session.
    """

    call: str
    method: str
    pattern: re.Pattern[str]
    handle: Callable[[Context], Response]
    needs_session: bool = True


def handle(library: Library, request: Request) -> Response:
    """Handle a request."""
    library.expire_idle()
    found = _find_route(request)
    if found is None:
        return text_response(404, responses.TOMCAT_404)
    route, args = found
    context = Context(library, request, args)
    try:
        if route.needs_session:
            context.authenticate()
        return route.handle(context)
    except ApiError as error:
        return error.response.to_response(modeling=request.path.startswith("/api/model/"))


def find_instance_id(request: Request) -> str:
    """Return the id of the instance in a request, or an empty string."""
    found = _find_route(request)
    in_path = found[1].get("instance") if found else None
    return in_path or request.headers.get(INSTANCE_ID.lower(), "")


def _find_route(request: Request) -> tuple[Route, Mapping[str, str]] | None:
    for route in ROUTES:
        if route.method == request.method and (match := route.pattern.fullmatch(request.path)):
            return route, match.groupdict()
    return None


# Server and sessions


def _status(context: Context) -> Response:
    settings = context.library.settings
    versions = {"iServerVersion": settings.iserver_version, "webVersion": settings.web_version}
    return json_response(versions | {"deploymentType": "onPremise"})


def _openapi(_context: Context) -> Response:
    return json_response(OPENAPI)


def _auth_modes(context: Context) -> Response:
    return json_response({"modes": list(context.library.settings.login_modes)})


def _login(context: Context) -> Response:
    fields = _login_fields(context.request)
    working_set = _parse_int(fields, "workingSet")
    if working_set is not None and working_set < _SMALLEST_WORKING_SET:
        raise ApiError(responses.invalid_input(f"workingSet must be at least {_SMALLEST_WORKING_SET}"))
    session = context.library.log_in(
        _parse_int(fields, "loginMode") or 0,
        str(fields.get("username") or ""),
        str(fields.get("password") or ""),
        working_set,
    )
    cookies = _set_cookies(session.cookies, context.library.settings.base_path)
    return Response(204, headers=(context.header(AUTH_TOKEN, session.token), *cookies))


def _login_fields(request: Request) -> Mapping[str, object]:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body))
    fields = request.json()
    return fields if isinstance(fields, dict) else {}


def _parse_int(fields: Mapping[str, object], name: str) -> int | None:
    try:
        return None if fields.get(name) is None else int(str(fields[name]))
    except ValueError:
        raise ApiError(responses.invalid_input(f"{name} is not a number")) from None


def _set_cookies(cookies: Mapping[str, str], base_path: str) -> tuple[tuple[str, str], ...]:
    attributes = {
        "JSESSIONID": f"Path={base_path}; HttpOnly",
        "iSession": f"Path={base_path}; HttpOnly; SameSite=Lax",
        "mstrRememberMe": f"Expires=Thu, 31 Dec 2037 23:55:55 GMT; Path={base_path}; HttpOnly",
        "library-ingress": "Path=/; HttpOnly",
    }
    return tuple(("Set-Cookie", f"{name}={value}; {attributes[name]}") for name, value in cookies.items())


def _logout(context: Context) -> Response:
    context.library.log_out(context.session)
    return Response(204)


def _session_info(context: Context) -> Response:
    session = context.session
    return json_response(
        {
            "locale": 1033,
            "displayLocale": 1033,
            "timeout": int(context.library.settings.session_idle_seconds),
            "workingSet": session.working_set,
            "maxSearch": _MAX_SEARCH,
        }
    )


def _extend_session(_context: Context) -> Response:
    return Response(204)


def _user_info(context: Context) -> Response:
    name = context.session.user.name
    return json_response({"id": _make_id(name), "fullName": name, "initials": name[:1].upper()})


def _nodes(context: Context) -> Response:
    return json_response({"nodes": monitor.list_nodes(_monitored_library(context))})


def _user_connections(context: Context) -> Response:
    node = context.request.query.get("clusterNode", "")
    rows = monitor.list_user_connections(_monitored_library(context), node)
    return _page(context, rows, "userConnections", "totalFiltered")


def _cube_caches(context: Context) -> Response:
    query, library = context.request.query, _monitored_library(context)
    projects = query.get("projectIds", "").split(",")
    rows = monitor.list_caches(library, query.get("clusterNode", ""), projects)
    return _page(context, rows, "cubeCaches", "total")


def _monitored_library(context: Context) -> Library:
    if not context.session.user.can_monitor:
        raise ApiError(responses.NO_MONITOR_PRIVILEGE)
    return context.library


# Projects and objects


def _projects(context: Context) -> Response:
    return json_response([_project(project) for project in context.library.world.projects])


def _project_by_name(context: Context) -> Response:
    for project in context.library.world.projects:
        if project.name == context.args["name"]:
            return json_response(_project(project))
    raise ApiError(responses.PROJECT_NAME_NOT_FOUND)


def _project(project: Project) -> dict[str, object]:
    status = 0 if project.loaded else -1
    return {"id": project.id, "name": project.name, "alias": "", "description": "", "status": status}


def _object(context: Context) -> Response:
    kind = context.request.number("type", 0)
    if kind == _PROJECT_TYPE:
        # Without a project header, the call does not use a session of the project.
        if context.request.headers.get(PROJECT_ID.lower()):
            context.library.enter_project(context.session, context.request.header(PROJECT_ID))
        if project := context.library.world.project(context.args["id"]):
            return json_response(_project(project) | {"type": _PROJECT_TYPE})
        raise ApiError(responses.PROJECT_NOT_FOUND)
    if kind != _REPORT_TYPE:
        raise ApiError(responses.OBJECT_NOT_FOUND)
    return json_response(_object_row(context.library.find_object(context.project, context.args["id"])))


def _search(context: Context) -> Response:
    query, project = context.request.query, context.project
    ancestors = {"ancestors": _ancestors(project)} if query.get("getAncestors") == "true" else {}
    objects = context.library.world.objects(project.id)
    found = [_object_row(each) | ancestors for each in objects if _matches(each, query)]
    return _page(context, found, "result", "totalItems")


def _page(context: Context, rows: list[dict[str, object]], key: str, total: str) -> Response:
    """Return the requested page of a list."""
    offset, limit = context.request.number("offset", 0), context.request.number("limit", -1)
    page = rows[offset:] if limit < 0 else rows[offset : offset + limit]
    return json_response(
        {total: len(rows), key: page}, headers=(context.header("X-MSTR-Total-Count", str(len(rows))),)
    )


def _ancestors(project: Project) -> list[dict[str, object]]:
    names = (project.name, *_MODEL_FOLDER)
    return [
        {"name": name, "id": project.id if index == 0 else _make_id(name), "level": len(names) - index}
        for index, name in enumerate(names)
    ]


def _matches(each: WorldObject, query: Mapping[str, str]) -> bool:
    text, name = query.get("name", "").lower(), each.name.lower()
    matches = {
        "0": any(word in name.split() for word in text.split()),
        "1": name.startswith(text),
        "2": name == text,
        "4": text in name,
    }
    types = query.get("type", str(_REPORT_TYPE)).split(",")
    of_type = str(_REPORT_TYPE) in types or str(_subtype(each)) in types
    return of_type and (not text or matches.get(query.get("pattern", "4"), False))


def _object_row(each: WorldObject) -> dict[str, object]:
    return {
        "id": each.id,
        "name": each.name,
        "type": _REPORT_TYPE,
        "subtype": _subtype(each),
        "extType": each.ext_type if isinstance(each, DataModel | Cube) else 0,
        "viewMedia": _VIEW_MEDIA[each.data_serve_mode] if isinstance(each, DataModel) else 0,
    }


def _subtype(each: WorldObject) -> int:
    if isinstance(each, Cube):
        return each.subtype
    return SUPER_CUBE if isinstance(each, DataModel) else INCREMENTAL_REFRESH_REPORT


def _cube_status(context: Context) -> Response:
    return Response(
        200, headers=(context.header(CUBE_STATUS, str(context.library.read_cube(context.dataset).status)),)
    )


def _query_cube(context: Context) -> Response:
    dataset = context.dataset
    rows = context.library.count_rows(dataset)
    if not rows:
        raise ApiError(responses.CUBE_NOT_PUBLISHED)
    paging = {"total": rows, "current": 1, "offset": 0, "limit": context.request.number("limit", 1000)}
    body = {"id": dataset.id, "name": dataset.name, "status": 1, "instanceId": _make_id(dataset.name)}
    return json_response(body | {"data": {"paging": paging}})


def _cubes(context: Context) -> Response:
    ids = context.request.query.get("id", "").split(",")
    datasets = [context.library.find_dataset(context.project, each) for each in ids]
    return json_response({"cubesInfos": [_cube(context, each) for each in datasets]})


def _cube(context: Context, dataset: DataModel | Cube) -> dict[str, object]:
    state = context.library.read_cube(dataset)
    info: dict[str, object] = {
        "id": dataset.id,
        "cubeName": dataset.name,
        "status": state.status,
        "size": 4096 if state.last_update_time else 0,
        "path": "/".join((context.project.name, *_MODEL_FOLDER, dataset.name)),
        "serverMode": 1,
    }
    if state.last_update_time:
        info["lastUpdateTime"] = state.last_update_time.astimezone(UTC).strftime("%m/%d/%Y %H:%M:%S")
    return info


# Cubes, incremental refresh reports and jobs


def _publish_cube(context: Context) -> Response:
    cube = context.library.find_cube(context.project, context.args["id"])
    return _started(context, context.library.start_job(cube, context.session))


def _run_incremental_refresh(context: Context) -> Response:
    report = context.library.find_report(context.project, context.args["id"])
    stage = context.request.query.get("executionStage", "execute_data")
    if stage not in _EXECUTION_STAGES:
        raise ApiError(responses.invalid_input(f"Invalid execution stage '{stage}'."))
    loads_data = stage == "execute_data"
    return _started(context, context.library.start_job(report, context.session, loads_data=loads_data))


def _started(context: Context, job: Job) -> Response:
    body: dict[str, object] = {"id": job.id, "jobId": job.number}
    if context.library.settings.cube_instance_ids:
        body["instanceId"] = _make_id(job.id)
    return json_response(body, 202)


def _incremental_refresh(context: Context) -> Response:
    report = context.library.find_report(context.project, context.args["id"])
    cube = context.library.find_target(report)
    return json_response(
        {
            "information": _information(report.id, report.name, "report_incremental_refresh"),
            "targetCube": {"objectId": cube.id, "subType": "report_cube", "name": cube.name},
            "refreshType": report.refresh_type,
        }
    )


def _jobs(context: Context) -> Response:
    query = context.request.query
    jobs = monitor.list_jobs(context.library, context.session.user, query.get("nodeName", ""))
    filters = {name: query[name].split(",") for name in _JOB_FILTERS if name in query}
    found = [job for job in jobs if all(str(job[name]) in values for name, values in filters.items())]
    return json_response({"jobs": found})


def _job(context: Context) -> Response:
    return json_response(monitor.describe_job(context.library, context.job))


def _cancel_job(context: Context) -> Response:
    context.job.stop(context.library.clock())
    return Response(204)


def _cancel_jobs(context: Context) -> Response:
    body = context.request.json()
    ids = body.get("jobIds") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not ids:
        raise ApiError(responses.invalid_input("'jobIds' is a list of the IDs of jobs."))
    statuses = [_cancel(context, str(job_id)) for job_id in ids]
    are_all_cancelled = all(each["status"] == _CANCELLED for each in statuses)
    return json_response({"jobCancellationStatus": statuses}, 200 if are_all_cancelled else 207)


def _cancel(context: Context, job_id: str) -> dict[str, object]:
    library = context.library
    jobs = library.monitored_jobs(context.session.user)
    found = [job for job in jobs if job.id == job_id]
    for job in found:
        job.stop(library.clock())
    return {"id": job_id, "status": _CANCELLED if found else library.settings.ended_job_status}


# Data models


def _data_model(context: Context) -> Response:
    model = context.data_model
    return json_response(
        {
            "information": _information(model.id, model.name, "report_emma_cube"),
            "dataServeMode": model.data_serve_mode,
            "autoJoin": True,
            "readOnly": False,
        }
    )


def _tables(context: Context) -> Response:
    model, request = context.data_model, context.request
    offset, limit = request.number("offset", 0), request.number("limit", -1)
    fields = request.query.get("fields", "").split(",")
    page = context.library.list_tables(model, offset, limit)
    return json_response(
        {
            "offset": offset,
            "limit": limit,
            "total": len(model.tables),
            "tables": [_table(table, fields) for table in page],
        }
    )


def _table_by_id(context: Context) -> Response:
    for table in context.data_model.tables:
        if table.id == context.args["table"]:
            return json_response(_table(table, _TABLE_FIELDS))
    raise ApiError(responses.TABLE_NOT_FOUND)


def _table(table: Table, fields: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {"information": _information(table.id, table.name, "logical_table")}
    if "physicalTable" in fields:
        row["physicalTable"] = _physical_table(table)
    if "refreshPolicy" in fields:
        row["refreshPolicy"] = table.refresh_policy
    return row


def _physical_table(table: Table) -> dict[str, object]:
    sources = [_source_table(source) for source in table.sources]
    children = sources if len(sources) < 2 else [{"type": "wrangle", "operations": [], "children": sources}]
    pipeline = {"id": _make_id(table.name), "rootTable": {"type": "root", "children": children}}
    return {
        "information": _information(_make_id(f"DB {table.name}"), "New DB Table", "physical_table"),
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
        "dateCreated": _MODIFIED_AT,
        "dateModified": _MODIFIED_AT,
        "versionId": _make_id(object_id),
        "acg": _ACG_ALL,
        "primaryLocale": "en-US",
        "objectId": object_id,
        "subType": subtype,
        "name": name,
    }


def _make_id(text: str) -> str:
    return text.encode().hex().upper().ljust(32, "0")[:32]


def _create_instance(context: Context) -> Response:
    instance = context.library.create_instance(context.session, context.data_model)
    status = context.library.settings.instance_created_status
    return Response(status, headers=(context.header(INSTANCE_ID, instance.id),))


def _delete_instance(context: Context) -> Response:
    context.library.delete_instance(context.session, context.data_model, context.args["instance"])
    return Response(204)


def _publish(context: Context) -> Response:
    model, instance_id = context.data_model, context.request.header(INSTANCE_ID)
    context.library.publish(context.session, model, instance_id, _parse_tables(context.request.json()))
    return Response(204)


def _parse_tables(body: object) -> list[tuple[str, str]]:
    rows = body.get("tables") if isinstance(body, dict) else None
    if rows is None:
        raise ApiError(responses.NULL_TABLE_SETTINGS)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiError(responses.invalid_input("'tables' is a list of objects with 'id' and 'refreshPolicy'"))
    return [(str(row.get("id")), str(row.get("refreshPolicy"))) for row in rows]


def _publish_status(context: Context) -> Response:
    model, instance_id = context.data_model, context.request.header(INSTANCE_ID)
    return json_response(context.library.publish_status(context.session, model, instance_id))


def _route(
    call: str, method: str, path: str, handle: Callable[[Context], Response], *, needs_session: bool = True
) -> Route:
    pattern = re.compile("/api" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
    return Route(call, method, pattern, handle, needs_session)


ROUTES = (
    _route("status", "GET", "/status", _status, needs_session=False),
    _route("openapi", "GET", "/openapi.json", _openapi, needs_session=False),
    _route("auth_modes", "GET", "/config/authModes", _auth_modes, needs_session=False),
    _route("login", "POST", "/auth/login", _login, needs_session=False),
    _route("logout", "POST", "/auth/logout", _logout),
    _route("sessions", "GET", "/sessions", _session_info),
    _route("sessions", "PUT", "/sessions", _extend_session),
    _route("user_info", "GET", "/sessions/userInfo", _user_info),
    _route("nodes", "GET", "/monitors/iServer/nodes", _nodes),
    _route("cube_caches", "GET", "/monitors/caches/cubes", _cube_caches),
    _route("user_connections", "GET", "/monitors/userConnections", _user_connections),
    _route("projects", "GET", "/projects", _projects),
    _route("projects", "GET", "/projects/{name}", _project_by_name),
    _route("object", "GET", "/objects/{id}", _object),
    _route("search", "GET", "/searches/results", _search),
    _route("cubes", "GET", "/cubes/?", _cubes),
    _route("cubes", "HEAD", "/cubes/{id}", _cube_status),
    _route("query_cube", "POST", "/v2/cubes/{id}/instances", _query_cube),
    _route("publish_cube", "POST", "/v2/cubes/{id}", _publish_cube),
    _route("run_incremental_refresh", "POST", "/incrementalRefresh/{id}", _run_incremental_refresh),
    _route("get_incremental_refresh", "GET", "/model/incrementalRefresh/{id}", _incremental_refresh),
    _route("list_jobs", "GET", "/v2/monitors/jobs", _jobs),
    _route("get_job", "GET", "/v2/monitors/jobs/{id}", _job),
    _route("cancel_job", "DELETE", "/v2/monitors/jobs/{id}", _cancel_job),
    _route("cancel_jobs", "POST", "/v2/monitors/cancelJobs", _cancel_jobs),
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
