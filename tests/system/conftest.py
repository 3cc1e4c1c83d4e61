# SPDX-License-Identifier: Apache-2.0
"""The one real Airflow that the tests here share, as it takes long to start; and its sandbox."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from airflow_home import EXAMPLE_DAGS, airflow_environment
from deployment import free_port
from models import world
from sooner import SOONER
from standalone import Standalone

from airflow_provider_mstr.sandbox import Sandbox, Settings

HERE = Path(__file__).parent
SUPPORT = HERE.parent / "support"
ORDER = {"test_browser_data_models.py": 0, "test_ui_script.py": 0, "test_secrets.py": 2}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Come after all quicker tests, and look for secrets when all else has left its traces.

    The test that has an Airflow of its own comes first, as two Airflows would slow each other down.
    """
    items.sort(key=lambda item: (item.path.parent == HERE, ORDER.get(item.path.name, 1)))
    for item in items:
        if item.path.parent == HERE:
            item.add_marker("whole_airflow")


@pytest.fixture(scope="session")
def chromium() -> str:
    found = browser.find()
    if found is None:
        pytest.skip(f"there is no browser: {browser.HOW_TO_GET_IT}")
    return found


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose publishes end only when a test finishes them."""
    with Sandbox(Settings(publish_seconds=3600, session_cap=20), world()) as sandbox:
        yield sandbox


@pytest.fixture
def tidy(sandbox: Sandbox) -> Iterator[None]:
    """Leave nothing to the next test, not even of a test that failed."""
    yield
    sandbox.reset()


@pytest.fixture(scope="session")
def airflow(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """A standalone Airflow with the example DAGs and those of ``dags``."""
    home, dags = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("dags")
    for folder in (EXAMPLE_DAGS, HERE / "dags"):
        shutil.copytree(folder, dags, dirs_exist_ok=True)
    environment = airflow_environment(home, sandbox.airflow_connection(), dags=dags, port=free_port())
    environment |= SOONER
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SUPPORT), os.environ.get("PYTHONPATH"))))
    with Standalone(environment) as airflow:
        yield airflow
