# SPDX-License-Identifier: Apache-2.0
"""Cubes: those of data models and all others. Their last update (docs/strategy-rest-api.md 7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_mstr.rest.codes import parse_number
from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import clean

# The state bits of a cube (7.4).
_NO_CACHE = 0

_PROCESSING = 1
_FORMATS = ("%m/%d/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S")

# Update times have whole seconds and no time zone; time zones differ by multiples of 15 minutes.
_ZONE_STEP = timedelta(minutes=15)

_WIDEST_ZONES = timedelta(hours=15)
_TOO_FRESH = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Cube:
    """A cube, as the server lists it.

    :param updated: when it was last loaded, in the server's time and zone; None if never
    :param processing: whether a load is running
    :param holds_rows: whether a load has ever finished
    :param settled: whether a load that ends now would change the last update
    :param name: its name; empty if the server does not list it
    """

    updated: datetime | None
    processing: bool
    holds_rows: bool = False
    settled: bool = True
    name: str = ""

    @classmethod
    def read(cls, response: Response) -> Cube:
        """Parse the response of ``GET /api/cubes?id=``.

        :param response: a response of status 2xx
        """
        listed = json_object(response).get("cubesInfos")
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
            raise InvalidResponse("unexpected response format: not exactly one cube")
        status = parse_number(listed[0].get("status"))
        processing = bool(status and status & _PROCESSING)
        updated = _time(listed[0].get("lastUpdateTime"))
        return cls(
            updated=updated,
            processing=processing,
            holds_rows=bool(status) and not processing,
            settled=status == _NO_CACHE if updated is None else _settled(updated, response.header("Date")),
            name=clean(str(listed[0].get("cubeName") or "")),
        )


def _time(text: Any) -> datetime | None:
    if text in (None, ""):
        return None
    for form in _FORMATS:
        try:
            return datetime.strptime(str(text)[:19], form)
        except ValueError:
            continue
    raise InvalidResponse("unexpected response format: the cube's last update is not a time")


def _settled(updated: datetime, date: str | None) -> bool:
    try:
        now = parsedate_to_datetime(date or "").replace(tzinfo=None)
    except (ValueError, TypeError, OverflowError):
        return True
    if abs(now - updated) > _WIDEST_ZONES:
        return True
    return _TOO_FRESH < (now - updated) % _ZONE_STEP < _ZONE_STEP - _TOO_FRESH


CUBE_RETRY_SECONDS = 10.0


def get_cube(session: Session, project_id: str, cube_id: str) -> Flow[Cube]:
    """Return a cube (``GET /api/cubes?id=``), in any session (7.4). The cube of a data model has its id.

    The retry time is short, because callers can do without it.

    :param session: the session
    :param project_id: the project's id
    :param cube_id: the cube's id
    """
    purpose = f"read the last update of cube {cube_id}"
    query = {"id": cube_id}
    return (
        yield from session_request(
            session,
            purpose,
            "GET",
            "/api/cubes",
            Cube.read,
            project_id,
            query=query,
            retry_for=CUBE_RETRY_SECONDS,
        )
    )
