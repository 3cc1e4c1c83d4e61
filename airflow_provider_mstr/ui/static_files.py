# SPDX-License-Identifier: Apache-2.0
"""Serves files of the package over HTTP."""

from __future__ import annotations

from os import PathLike, stat_result
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class PackageFiles(StaticFiles):
    """Serves a folder of the package. Browsers revalidate their cached copy at each request.

    :param folder: the folder's name
    """

    def __init__(self, folder: str) -> None:
        super().__init__(directory=Path(__file__).parent / folder)

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return a file, or "not modified" if the browser's copy is current."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        # Otherwise a browser may show its copy after the package is upgraded.
        response.headers["Cache-Control"] = "no-cache"
        return response
