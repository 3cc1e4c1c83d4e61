# SPDX-License-Identifier: Apache-2.0
"""Compares a cube's last update before and after a load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_mstr.rest.endpoints.cubes import Cube, get_cube
from airflow_provider_mstr.rest.errors import MstrError, SessionExpired
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.session import Session


@dataclass(frozen=True, slots=True)
class LastUpdate:
    """When a cube was last updated before a load, to compare with.

    :param project_id: the cube's project
    :param cube_id: the cube's id; empty if the cube is not to be read
    :param is_comparable: whether the cube was readable, and a load that ends now shows in it
    :param updated: when the cube was last updated; None if never
    """

    project_id: str = ""
    cube_id: str = ""
    is_comparable: bool = False
    updated: datetime | None = None

    def read(self, session: Session) -> Flow[Cube | None]:
        """Return the cube as it is now; None if it cannot or need not be read.

        :param session: the session to ask in
        :raises SessionExpired: if that session is over
        """
        if not self.cube_id:
            return None
        try:
            return (yield from get_cube(session, self.project_id, self.cube_id))
        except SessionExpired:
            raise
        except MstrError:
            return None

    def at(self, cube: Cube | None) -> LastUpdate:
        """Return the last update that a cube shows.

        :param cube: the cube before the load; None if it was not readable
        """
        if cube is None or not cube.settled:
            return replace(self, is_comparable=False, updated=None)
        return replace(self, is_comparable=True, updated=cube.updated)

    def without_comparison(self) -> LastUpdate:
        """Return the last update that proves nothing, although the cube may show that a load runs."""
        return replace(self, is_comparable=False, updated=None)

    def is_older_than(self, cube: Cube | None) -> bool:
        """Return whether the cube was updated since.

        :param cube: the cube as it is now; None if it was not readable
        """
        if not self.is_comparable or cube is None:
            return False
        if self.updated is None:
            return cube.updated is not None or cube.holds_rows
        return cube.updated is not None and cube.updated > self.updated

    def to_json(self) -> dict[str, Any]:
        """Return the last update as plain JSON."""
        return {
            "cube_id": self.cube_id,
            "is_comparable": self.is_comparable,
            "updated": self.updated and self.updated.isoformat(),
        }

    @classmethod
    def from_json(cls, data: Any, project_id: str) -> LastUpdate:
        """Return the last update that :meth:`to_json` described.

        :param data: what :meth:`to_json` returned
        :param project_id: the cube's project
        """
        updated = data["updated"]
        if updated is not None:
            # Update times have no zone, and one with a zone cannot be compared with them.
            updated = datetime.fromisoformat(updated).replace(tzinfo=None)
        cube_id = data["cube_id"]
        return cls(project_id if cube_id else "", cube_id, data["is_comparable"] is True, updated)


# The null variant: nothing is read and nothing is proved.
NO_LAST_UPDATE = LastUpdate()
