# SPDX-License-Identifier: Apache-2.0
"""What Airflow finds out about the provider, and at what price."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import needs
import pytest

from airflow_provider_mstr import __version__, assets, extras, runtime
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.provider_info import get_provider_info
from airflow_provider_mstr.rest.session import LoginMode

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
    assert "airflow_provider_mstr.links.MstrDataModelLink" in manager.extra_links_class_names


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


@pytest.mark.parametrize("module", ["hooks", "assets", "operators", "sensors", "task_groups"])
def test_what_dag_files_import_loads_neither_a_connection_library_nor_openlineage(module: str) -> None:
    heavy = {"requests", "aiohttp", "openlineage", "statsd"}
    # Airflow 2 loads requests itself.
    code = (
        "import sys; from airflow.providers.common.compat.sdk import BaseHook; before = set(sys.modules);"
        f"import airflow_provider_mstr.{module}; print({heavy} & set(sys.modules) - before or False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split()[-1] == "False"


@pytest.mark.parametrize("module", ["operators", "sensors", "task_groups", "assets"])
def test_what_dag_files_import_brings_no_module_that_only_a_running_task_needs(module: str) -> None:
    code = (
        "import json, sys; from airflow.providers.common.compat import sdk;"
        "sdk.DAG, sdk.BaseOperator, sdk.BaseSensorOperator, sdk.TaskGroup, sdk.XComArg;"
        f"before = set(sys.modules); import airflow_provider_mstr.{module};"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert f"airflow_provider_mstr.{module}" in loaded
    at_run_time = {f"airflow_provider_mstr.{name}" for name in runtime.__all__ if name != module}
    assert loaded & (at_run_time | set(HEAVY)) == set()
    assert len(loaded) < 20
