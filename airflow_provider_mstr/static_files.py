# SPDX-License-Identifier: Apache-2.0
"""A folder of the package as a browser gets it."""

from __future__ import annotations

from os import PathLike, stat_result
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class StaticFolder(StaticFiles):
    """Serves a folder of the package, and has browsers ask each time whether a file is still the same.

    :param name: the folder
    """

    def __init__(self, name: str) -> None:
        super().__init__(directory=Path(__file__).parent / name)

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file, or that it is the one that the browser has."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        # Without it a browser would guess for how long, and show an old page after an upgrade.
        response.headers["Cache-Control"] = "no-cache"
        return response
