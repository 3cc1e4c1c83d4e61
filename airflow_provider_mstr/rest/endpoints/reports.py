# SPDX-License-Identifier: Apache-2.0
"""Incremental refresh reports (docs/strategy-rest-api.md 13.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import clean, id_advice, object_id, path_segment


@dataclass(frozen=True, slots=True)
class IncrementalRefreshReport:
    """An incremental refresh report.

    :param name: its name; empty if the server does not report it
    :param target_cube_id: the id of the cube that it refreshes
    """

    name: str
    target_cube_id: str


def get_incremental_refresh_report(
    session: Session, project_id: str, report_id: str
) -> Flow[IncrementalRefreshReport]:
    """Return an incremental refresh report (``GET /api/model/incrementalRefresh/{id}``).

    :param session: the session
    :param project_id: the project's id
    :param report_id: the report's id
    """
    path = f"/api/model/incrementalRefresh/{path_segment(report_id)}"
    return (
        yield from session_request(
            session,
            "read the incremental refresh report",
            "GET",
            path,
            _report,
            project_id,
            about=f"report {report_id}",
            object_advice=id_advice("report_id", "incremental refresh report"),
        )
    )


def _report(response: Response) -> IncrementalRefreshReport:
    payload = json_object(response)
    cube, information = _object(payload, "targetCube"), _object(payload, "information")
    if not cube:
        raise InvalidResponse("unexpected response format: the report has no target cube")
    return IncrementalRefreshReport(
        clean(str(information.get("name") or "")), object_id(cube.get("objectId"), "the target cube")
    )


def _object(payload: dict[str, Any], key: str) -> dict[str, Any]:
    value = payload.get(key)
    return value if isinstance(value, dict) else {}
