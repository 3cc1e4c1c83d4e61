# SPDX-License-Identifier: Apache-2.0
"""Marks for the tests of what only newer versions of Airflow have, by the feature and not by the version."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import airflow
import pytest
from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import Context
from airflow.providers_manager import ProvidersManager
from airflow.secrets import BaseSecretsBackend
from airflow.triggers.base import BaseTrigger

_info = json.loads(Path(airflow.__path__[0], "provider_info.schema.json").read_text())["properties"]


def _feature(there: bool, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not there, reason=reason)


def _module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def package(name: str) -> pytest.MarkDecorator:
    """Return the mark of a test that needs a package which not every environment has.

    :param name: a module of the package
    """
    return _feature(_module(name), f"{name} is not installed")


def _says(name: str, text: str) -> bool:
    found = find_spec(name) if _module(name) else None
    return found is not None and found.origin is not None and text in Path(found.origin).read_text()


def _find_node() -> str | None:
    """Return the path of Playwright's Node.js, or of an installed one."""
    playwright = find_spec("playwright")
    if playwright and playwright.origin:
        node = Path(playwright.origin).parent / "driver" / "node"
        if node.is_file():
            return str(node)
    return shutil.which("node")


NODE_PATH = _find_node()

_airflow_3 = _module("airflow.sdk")

ASSETS = _feature(_airflow_3, "before 3.0, Airflow tells a task of the events of no assets")
CLEARING_ENDS_A_TASK = _feature(
    _airflow_3, "before 3.0, Airflow on SQLite lets a task go on that is cleared while it runs"
)
COMMANDS = _feature("cli" in _info, "before 3.2, Airflow takes no commands from a provider")
CONNECTION_AS_GIVEN = _feature(
    not _airflow_3 or hasattr(BaseSecretsBackend, "_set_connection_class"),
    "from 3.0 to 3.1, Airflow finds no connection whose extra is no object",
)
DAGBAG = _feature(_module("airflow.dag_processing.dagbag"), "before 3.2, DagBag is in airflow.models")
DEADLINE_ALERTS = _feature(
    _module("airflow.sdk.definitions.deadline"), "before 3.1, Airflow has no deadline alerts"
)
ERROR_IN_A_TRIAL = _feature(
    not _airflow_3 or _says("airflow.sdk.execution_time.supervisor", 'context["exception"]'),
    "from 3.0 to 3.2, a trial run of a DAG tells a callback no error",
)
FORM = _feature(
    hasattr(ProvidersManager, "_add_widgets_from_hook"),
    "before 3.2, Airflow reads the fields of a connection from the hook alone",
)
JSON_LOGS = _feature(
    conf.has_option("logging", "json_logs"), "before 3.2, Airflow writes no log as lines of JSON"
)
NODE = _feature(NODE_PATH is not None, "neither Playwright, which includes Node.js, nor Node.js is installed")
ON_KILL = _feature(hasattr(BaseTrigger, "on_kill"), "before 3.3, Airflow tells no trigger of a user's kill")
RUNS_TASKS_SIDE_BY_SIDE = not _module("airflow.executors.sequential_executor")
PARALLEL = _feature(
    RUNS_TASKS_SIDE_BY_SIDE,
    "before 3.0, Airflow runs one task at a time on SQLite",
)
RENDERED_IN_LISTS = _feature(
    _says("airflow.api_fastapi.common.db.task_instances", "rendered_task_instance_fields"),
    "before 3.3, Airflow's list of tasks leaves out what their fields were rendered to",
)
RETRY_POLICIES = _feature(
    _module("airflow.sdk.definitions.retry_policy"), "before 3.3, Airflow has no retry policies"
)
TASK_STATE_STORE = _feature(
    "task_state_store" in Context.__annotations__, "before 3.3, Airflow keeps no notes for a retry"
)
TRIGGER_LOGS = _feature(_airflow_3, "before 3.0, no task's log tells that a triggerer has begun its wait")
VIEWS = _feature(hasattr(AirflowPlugin, "react_apps"), "before 3.1, Airflow shows no views of a plugin")
