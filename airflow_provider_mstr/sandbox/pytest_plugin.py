# SPDX-License-Identifier: Apache-2.0
"""The ``mstr_sandbox`` fixture: a new sandbox for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_mstr.sandbox.running import Sandbox

MARKER = "mstr_sandbox"
_SANDBOX_ARGUMENTS = ("world", "host", "port", "clock")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): settings of the mstr_sandbox fixture: fields of sandbox.Settings, "
        f"and {', '.join(_SANDBOX_ARGUMENTS)}",
    )


@pytest.fixture
def mstr_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Serve a simulated Strategy Library server on a free port until the test ends.

    ``@pytest.mark.mstr_sandbox(publish_seconds=5, reading="loaded")`` changes its settings.
    """
    # Only tests that use the fixture import aiohttp.
    from airflow_provider_mstr.sandbox.running import Sandbox
    from airflow_provider_mstr.sandbox.settings import Settings

    settings = _read_markers(request)
    arguments = {name: settings.pop(name) for name in _SANDBOX_ARGUMENTS if name in settings}
    with Sandbox(Settings(**settings), **arguments) as sandbox:
        yield sandbox


def _read_markers(request: pytest.FixtureRequest) -> dict[str, Any]:
    markers = list(request.node.iter_markers(MARKER))
    return {name: value for marker in reversed(markers) for name, value in marker.kwargs.items()}
