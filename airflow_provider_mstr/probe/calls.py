# SPDX-License-Identifier: Apache-2.0
"""Calls that only a probe makes: they show what a user may read, and a refresh does without them."""

from __future__ import annotations

from typing import Any

from airflow_provider_mstr.probe.recorder import OPENAPI_PATH
from airflow_provider_mstr.rest.codes import parse_number
from airflow_provider_mstr.rest.endpoints.server import Version
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import path_segment

_VERSIONS = ("iServerVersion", "webVersion")


def get_versions(session: Session) -> Flow[dict[str, str]]:
    """Return the versions of the server, by the name of their field (``GET /api/status``).

    :param session: the session
    """
    payload = yield from session_request(session, "read the versions", "GET", "/api/status", json_object)
    versions = {name: Version.of(payload.get(name)) for name in _VERSIONS}
    return {name: str(version) for name, version in versions.items() if version is not None}


def get_openapi(session: Session) -> Flow[dict[str, Any]]:
    """Return the description of the server's REST API (``GET /api/openapi.json``).

    :param session: the session
    """
    return (yield from session_request(session, "read openapi.json", "GET", OPENAPI_PATH, json_object))


def get_serve_mode(session: Session, project_id: str, data_model_id: str) -> Flow[str]:
    """Return the word of a data model's serve mode (``GET /api/model/dataModels/{id}``).

    :param session: the session
    :param project_id: the project's id
    :param data_model_id: the data model's id
    """
    path = f"/api/model/dataModels/{path_segment(data_model_id)}"
    payload = yield from session_request(session, "read the data model", "GET", path, json_object, project_id)
    return str(payload.get("dataServeMode") or "")


def get_cube_status(session: Session, project_id: str, cube_id: str) -> Flow[int | None]:
    """Return the status bits of a cube, None if there are none (``HEAD /api/cubes/{id}``).

    :param session: the session
    :param project_id: the project's id
    :param cube_id: the cube's id
    """
    path = f"/api/cubes/{path_segment(cube_id)}"
    purpose = "read the cube's status"
    return (yield from session_request(session, purpose, "HEAD", path, _cube_status, project_id))


def list_nodes(session: Session) -> Flow[list[str]]:
    """Return the names of the nodes (``GET /api/monitors/iServer/nodes``).

    :param session: the session
    """
    payload = yield from session_request(
        session, "list the nodes", "GET", "/api/monitors/iServer/nodes", json_object
    )
    return [str(node["name"]) for node in _rows(payload, "nodes") if node.get("name")]


def list_job_words(session: Session, node: str, object_id: str) -> Flow[list[str]]:
    """Return the words of an object's jobs on a node (``GET /api/v2/monitors/jobs``).

    :param session: the session
    :param node: the node's name; empty to name none
    :param object_id: the object's id
    """
    payload = yield from session_request(
        session,
        "list the jobs",
        "GET",
        "/api/v2/monitors/jobs",
        json_object,
        query={"objectId": object_id} | ({"nodeName": node} if node else {}),
    )
    jobs = _rows(payload, "jobs")
    return [str(job.get("status")) for job in jobs if job.get("objectId") == object_id]


def find_cache(session: Session, node: str, project_id: str, cube_id: str) -> Flow[dict[str, Any]]:
    """Return the cache of a cube on a node; empty if there is none (``GET /api/monitors/caches/cubes``).

    :param session: the session
    :param node: the node's name
    :param project_id: the project's id
    :param cube_id: the cube's id
    """
    payload = yield from session_request(
        session,
        "list the caches",
        "GET",
        "/api/monitors/caches/cubes",
        json_object,
        query={"clusterNode": node, "projectIds": project_id},
    )
    caches = (cache for cache in _rows(payload, "cubeCaches") if isinstance(cache.get("source"), dict))
    return next((cache for cache in caches if cache["source"].get("id") == cube_id), {})


def has_row_count(session: Session, project_id: str, cube_id: str) -> Flow[bool]:
    """Return whether a query of a cube counts its rows (``POST /api/v2/cubes/{id}/instances``).

    :param session: the session
    :param project_id: the project's id
    :param cube_id: the cube's id
    """
    payload = yield from session_request(
        session,
        "query the cube",
        "POST",
        f"/api/v2/cubes/{path_segment(cube_id)}/instances",
        json_object,
        project_id,
        query={"limit": "1"},
        body={},
    )
    data = payload.get("data")
    paging = data.get("paging") if isinstance(data, dict) else None
    return isinstance(paging, dict) and isinstance(paging.get("total"), int)


def _rows(payload: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = payload.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _cube_status(response: Response) -> int | None:
    return parse_number(response.header("X-MSTR-CubeStatus"))
