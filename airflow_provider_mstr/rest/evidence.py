# SPDX-License-Identifier: Apache-2.0
"""What the cube behind a data model shows of a publish, to any session (docs/strategy-rest-api.md 7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_mstr.rest.errors import NotUnderstood
from airflow_provider_mstr.rest.protocol import Response, json_object

# The state bits of a cube (7.4).
_NO_CACHE = 0
_PROCESSING = 1
_FORMATS = ("%m/%d/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S")

# Update times come in whole seconds and without a zone, and zones differ by quarters of an hour.
_ZONE_STEP = timedelta(minutes=15)
_WIDEST_ZONES = timedelta(hours=15)
_TOO_FRESH = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Cube:
    """The cube behind a data model, as the server describes it.

    :param updated: when it was last loaded, by the server's clock and in its zone; None if never
    :param processing: whether it is being loaded
    :param holds_rows: whether there is a load that has ended, whenever that was
    :param settled: whether a load that ends now would show
    """

    updated: datetime | None
    processing: bool
    holds_rows: bool = False
    settled: bool = True

    @classmethod
    def read(cls, response: Response) -> Cube:
        """Read the answer of ``GET /api/cubes?id=`` about one cube.

        :param response: a response of status 2xx
        """
        listed = json_object(response).get("cubesInfos")
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
            raise NotUnderstood("the cube came in an unknown form")
        status = listed[0].get("status")
        updated = _time(listed[0].get("lastUpdateTime"))
        return cls(
            updated=updated,
            processing=isinstance(status, int) and bool(status & _PROCESSING),
            holds_rows=isinstance(status, int) and bool(status) and not status & _PROCESSING,
            settled=status == _NO_CACHE if updated is None else _settled(updated, response.header("Date")),
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the cube showed before the publish, to compare with.

    :param readable: whether the server let itself be asked, and the answer can be compared with
    :param updated: when the cube had last been loaded; None if never
    """

    readable: bool
    updated: datetime | None = None

    @classmethod
    def of(cls, cube: Cube | None) -> Baseline:
        """Return the baseline that a cube makes.

        :param cube: the cube before the publish; None where it could not be read
        """
        return cls(True, cube.updated) if cube is not None and cube.settled else cls(False)

    def outdated_by(self, cube: Cube | None) -> bool:
        """Return whether the cube has been loaded since.

        :param cube: the cube as it is now; None where it could not be read
        """
        if not self.readable or cube is None:
            return False
        if self.updated is None:
            return cube.updated is not None or cube.holds_rows
        return cube.updated is not None and cube.updated > self.updated

    def to_json(self) -> dict[str, Any]:
        """Return the baseline as plain JSON."""
        return {"readable": self.readable, "updated": self.updated and self.updated.isoformat()}

    @classmethod
    def from_json(cls, said: Any) -> Baseline:
        """Return the baseline that :meth:`to_json` described.

        :param said: what :meth:`to_json` returned
        """
        updated = said["updated"]
        if updated is not None:
            # Update times have no zone, and one with a zone could not be compared with them.
            updated = datetime.fromisoformat(updated).replace(tzinfo=None)
        return cls(said["readable"] is True, updated)


def _time(text: Any) -> datetime | None:
    if text in (None, ""):
        return None
    for form in _FORMATS:
        try:
            return datetime.strptime(str(text)[:19], form)
        except ValueError:
            continue
    raise NotUnderstood("the cube's last update is no time that can be read")


def _settled(updated: datetime, date: str | None) -> bool:
    try:
        now = parsedate_to_datetime(date or "").replace(tzinfo=None)
    except (ValueError, TypeError, OverflowError):
        return True
    if abs(now - updated) > _WIDEST_ZONES:
        return True
    return _TOO_FRESH < (now - updated) % _ZONE_STEP < _ZONE_STEP - _TOO_FRESH
