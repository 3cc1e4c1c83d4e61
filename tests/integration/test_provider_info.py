# SPDX-License-Identifier: Apache-2.0
"""What Airflow finds out about the provider, and at what price."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import needs
import pytest

from airflow_provider_mstr import __version__, assets
from airflow_provider_mstr.connection import extras
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.provider_info import get_provider_info
from airflow_provider_mstr.rest.session import LoginMode

# What only a running task needs.
AT_RUN_TIME = (
    "assets",
    "connection.server",
    "hooks",
    "observability.lineage",
    "observability.log_fields",
    "observability.metrics",
    "observability.summary",
    "refresh.data_model",
    "refresh.job",
    "refresh.last_update",
    "refresh.poller",
    "refresh.result",
    "refresh.sealing",
    "refresh.start",
    "refresh.tables",
    "rest.flow",
    "task.attempts",
    "task.deferral",
    "task.refresh",
    "task.run",
    "triggers",
)

HEAVY = ("airflow", "requests", "aiohttp", "cryptography", "tenacity", "pendulum", "urllib3", "ssl")


@pytest.fixture(scope="module")
def manager() -> Any:
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager()


def test_the_entry_point_is_the_provider_info() -> None:
    (found,) = (
        each
        for each in entry_points(group="apache_airflow_provider")
        if each.module.startswith("airflow_provider_mstr")
    )
    assert found.load() is get_provider_info


def test_the_provider_info_follows_the_schema_of_airflow() -> None:
    schema = json.loads((Path(airflow.__path__[0]) / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


@needs.COMMANDS
def test_the_provider_info_has_nothing_that_airflow_does_not_know() -> None:
    schema = json.loads((Path(airflow.__path__[0]) / "provider_info.schema.json").read_text())
    assert get_provider_info().keys() <= schema["properties"].keys()


def test_the_behaviour_of_the_form_follows_the_schema_of_airflow() -> None:
    place = Path(airflow.__path__[0]) / "customized_form_field_behaviours.schema.json"
    jsonschema.validate(MstrHook.get_ui_field_behaviour(), json.loads(place.read_text()))


def test_airflow_finds_the_provider(manager: Any) -> None:
    found = manager.providers["airflow-provider-mstr"]
    assert found.version == __version__
    assert found.data["name"] == "Strategy (MicroStrategy)"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_airflow_finds_the_connection_type(manager: Any) -> None:
    found = dict(manager.hooks)["mstr"]
    assert found.hook_class_name == "airflow_provider_mstr.hooks.MstrHook"
    assert (found.connection_id_attribute_name, found.hook_name) == ("mstr_conn_id", MstrHook.hook_name)
    assert found.connection_testable


@needs.FORM
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_airflow_shows_the_fields_of_the_connection(manager: Any) -> None:
    prefix = "extra__mstr__"
    fields = {
        name.removeprefix(prefix): widget
        for name, widget in manager.connection_form_widgets.items()
        if name.startswith(prefix)
    }
    assert fields.keys() == set(extras.NAMES)
    choices = fields["login_mode"].field["schema"]["enum"]
    assert sorted(choices) == sorted(mode.name.lower() for mode in LoginMode)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_airflow_labels_the_usual_fields(manager: Any) -> None:
    if not hasattr(manager, "_add_widgets_from_hook"):
        pytest.importorskip("wtforms", reason="without it, this Airflow asks no hook for the labels")
    behaviour = manager.field_behaviours["mstr"]
    assert behaviour["relabeling"]["host"] == "Library URL"
    assert "project" in behaviour["relabeling"]["schema"].lower()
    assert behaviour["placeholders"]["host"].endswith("/MicroStrategyLibrary")
    # Up to Airflow 3.3.2 a connection without a port cannot be tested.
    assert "port" not in behaviour["hidden_fields"]
    assert behaviour == MstrHook.get_ui_field_behaviour()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_airflow_knows_the_link(manager: Any) -> None:
    assert "airflow_provider_mstr.observability.links.MstrLink" in manager.extra_links_class_names


def test_airflow_finds_the_scheme_of_the_assets(manager: Any) -> None:
    runtime = pytest.importorskip("airflow.sdk.providers_manager_runtime").ProvidersManagerTaskRuntime()
    assert runtime.asset_uri_handlers["mstr"] is assets.sanitize_uri
    assert runtime.asset_factories["mstr"] is assets.data_model_asset
    assert runtime.asset_to_openlineage_converters["mstr"] is assets.to_openlineage


def test_airflow_2_is_told_of_the_same_assets() -> None:
    assert get_provider_info()["dataset-uris"] == get_provider_info()["asset-uris"]


def test_everything_the_provider_info_names_is_there() -> None:
    info = get_provider_info()
    modules = [
        module
        for kind in ("hooks", "operators", "sensors", "triggers")
        for entry in info[kind]
        for module in entry["python-modules"]
    ]
    for module in modules:
        import_module(module)
    classes = [*info["extra-links"], *(each["hook-class-name"] for each in info["connection-types"])]
    for path in classes:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(import_module(module), name), type)
    known = {entry["integration-name"] for entry in info["integrations"]}
    assert {entry["integration-name"] for kind in ("hooks", "operators") for entry in info[kind]} <= known


def test_each_call_returns_the_same() -> None:
    assert get_provider_info() == get_provider_info()


@pytest.mark.parametrize("module", ["provider_info", "sandbox.pytest_plugin"])
def test_what_airflow_and_pytest_always_import_is_light(module: str) -> None:
    code = f"import json, sys, airflow_provider_mstr.{module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded & set(HEAVY) == set()
    assert "airflow_provider_mstr" in loaded


# After what a DAG file imports anyway, each module is imported in a fork of its own.
LOADED_BY = """\
import json, os, sys
from airflow.providers.common.compat import sdk
for name in {names}:
    getattr(sdk, name)
before = set(sys.modules)
for module in {modules}:
    if not os.fork():
        __import__("airflow_provider_mstr." + module)
        print(json.dumps([module, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    os.wait()
"""


def loaded_by(modules: Sequence[str], after: Sequence[str]) -> dict[str, set[str]]:
    """Return what each module of the package loads.

    :param after: what is imported of Airflow before
    """
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY.format(names=[*after], modules=[*modules])],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    loaded = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))
    assert loaded.keys() == {*modules}
    for module, names in loaded.items():
        assert f"airflow_provider_mstr.{module}" in names
    return {module: set(names) for module, names in loaded.items()}


def test_what_dag_files_import_loads_neither_a_connection_library_nor_openlineage() -> None:
    # Airflow 2 loads requests itself.
    each = loaded_by(["hooks", "assets", "operators", "sensors", "task_groups"], after=["BaseHook"])

    for module, loaded in each.items():
        assert loaded & {"requests", "aiohttp", "openlineage", "statsd"} == set(), module


@pytest.mark.parametrize("name", AT_RUN_TIME)
def test_each_module_that_only_a_running_task_needs_exists(name: str) -> None:
    assert find_spec(f"airflow_provider_mstr.{name}") is not None


def test_what_dag_files_import_brings_no_module_that_only_a_running_task_needs() -> None:
    each = loaded_by(
        ["operators", "sensors", "task_groups", "assets"],
        after=["DAG", "BaseOperator", "BaseSensorOperator", "TaskGroup", "XComArg"],
    )

    for module, loaded in each.items():
        at_run_time = {f"airflow_provider_mstr.{name}" for name in AT_RUN_TIME if name != module}
        assert loaded & (at_run_time | set(HEAVY)) == set(), module
        assert len(loaded) < 20, module
