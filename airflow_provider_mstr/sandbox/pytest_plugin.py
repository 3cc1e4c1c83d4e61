# SPDX-License-Identifier: Apache-2.0
"""The ``mstr_sandbox`` fixture: a fresh sandbox for a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_mstr.sandbox.running import Sandbox

MARKER = "mstr_sandbox"
_PLACES = ("world", "host", "port", "clock")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): how the mstr_sandbox fixture's server behaves: fields of sandbox.Settings, "
        f"and {', '.join(_PLACES)}",
    )


@pytest.fixture
def mstr_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Serve a stand-in for a Strategy Library server on a free port until the test is over.

    ``@pytest.mark.mstr_sandbox(publish_seconds=5, reading="loaded")`` changes how it behaves.
    """
    # Only a test that uses the fixture pays for the import of aiohttp.
    from airflow_provider_mstr.sandbox.running import Sandbox
    from airflow_provider_mstr.sandbox.settings import Settings

    wanted = _wanted(request)
    places = {name: wanted.pop(name) for name in _PLACES if name in wanted}
    with Sandbox(Settings(**wanted), **places) as sandbox:
        yield sandbox


def _wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    markers = list(request.node.iter_markers(MARKER))
    return {name: value for marker in reversed(markers) for name, value in marker.kwargs.items()}
