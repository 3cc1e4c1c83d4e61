# SPDX-License-Identifier: Apache-2.0
"""The plugin for Airflow's UI: what every daemon loads, and the folder that it serves."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import needs
import pytest
from airflow.plugins_manager import AirflowPlugin

from airflow_provider_mstr import plugin, provider_info

UI = Path(plugin.__file__).parent / "ui"

LOADED_IN_A_DAEMON = """
import json, sys
from airflow import plugins_manager
from airflow.configuration import conf
before = set(sys.modules)
from airflow_provider_mstr.plugin import MstrPlugin
print(json.dumps({
    "modules": sorted(set(sys.modules) - before),
    "apps": [app["url_prefix"] for app in MstrPlugin.fastapi_apps],
    "views": MstrPlugin.react_apps,
}))
"""


def loaded(**environment: str) -> Any:
    """Return what the plugin brings, in a process of its own."""
    said = subprocess.run(
        [sys.executable, "-c", LOADED_IN_A_DAEMON],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(said.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def in_a_daemon() -> Any:
    return loaded()


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    (found,) = (each for each in entry_points(group="airflow.plugins") if each.name == "mstr")

    assert found.load() is plugin.MstrPlugin


def test_loading_the_plugin_loads_nothing_else(in_a_daemon: Any) -> None:
    assert set(in_a_daemon["modules"]) <= {"airflow_provider_mstr", "airflow_provider_mstr.plugin"}


@needs.VIEWS
def test_there_is_a_page_in_the_menu_and_a_tab_on_task_instances(in_a_daemon: Any) -> None:
    views = {view["destination"]: view["name"] for view in in_a_daemon["views"]}

    assert views == {"nav": "Data models", "task_instance": "Data model"}


@needs.VIEWS
def test_each_bundle_is_served_and_sets_the_name_that_airflow_looks_for(in_a_daemon: Any) -> None:
    (prefix,) = in_a_daemon["apps"]
    for view in in_a_daemon["views"]:
        folder, _, bundle = view["bundle_url"].rpartition("/")

        assert folder == prefix
        assert f'globalThis["{view["name"]}"] = ' in (UI / bundle).read_text()


def test_the_setting_switches_the_views_off() -> None:
    off = loaded(AIRFLOW__MSTR__UI="False")

    assert (off["apps"], off["views"]) == ([], [])


def test_airflow_knows_the_setting_and_its_default() -> None:
    ui = provider_info.get_provider_info()["config"]["mstr"]["options"]["ui"]

    assert (ui["type"], ui["default"]) == ("boolean", "True")


@needs.VIEWS
def test_the_bundles_are_found_where_airflow_lives_below_a_path() -> None:
    below = loaded(AIRFLOW__API__BASE_URL="https://example.com/airflow/")

    assert [view["bundle_url"] for view in below["views"]] == [
        "/airflow/mstr-ui/page.js",
        "/airflow/mstr-ui/tab.js",
    ]


@pytest.fixture
def without_react_apps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delattr(AirflowPlugin, "react_apps", raising=False)
    importlib.reload(plugin)
    yield
    monkeypatch.undo()
    importlib.reload(plugin)


@pytest.mark.usefixtures("without_react_apps")
def test_an_airflow_that_cannot_show_the_views_is_given_none() -> None:
    assert plugin.MstrPlugin.fastapi_apps == []
    assert plugin.MstrPlugin.react_apps == []


class Answer:
    """What the file server has answered."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")


async def no_body() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def asked(path: str, method: str = "GET", **headers: str) -> Answer:
    """Return the answer to a request below the plugin's prefix, whose path is sent as it is."""
    ((files, prefix),) = ((app["app"], app["url_prefix"]) for app in plugin.MstrPlugin.fastapi_apps)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": method,
        "path": prefix + path,
        "root_path": prefix,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    answer = Answer()
    try:
        await files(scope, no_body, answer.send)
    except Exception as error:
        # Airflow's own application turns these into answers.
        answer.status = getattr(error, "status_code", 500)
    return answer


KINDS = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@needs.VIEWS
@pytest.mark.parametrize("file", sorted(UI.iterdir()), ids=lambda file: file.name)
async def test_every_file_of_the_folder_is_served_as_what_it_is(file: Path) -> None:
    answer = await asked(f"/{file.name}")

    assert answer.status == 200
    assert answer.body == file.read_bytes()
    assert KINDS[file.suffix] in answer.headers["content-type"]


@needs.VIEWS
async def test_a_browser_asks_whether_a_file_has_changed_and_is_told_that_it_has_not() -> None:
    first = await asked("/page.js")
    again = await asked("/page.js", if_none_match=first.headers["etag"])

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status, again.body) == (304, b"")


@needs.VIEWS
async def test_the_head_of_a_file_can_be_asked_for() -> None:
    head = await asked("/page.js", "HEAD")

    assert (head.status, head.body) == (200, b"")


@needs.VIEWS
@pytest.mark.parametrize(
    "path",
    [
        "/../plugin.py",
        "/../../pyproject.toml",
        "//etc/passwd",
        "/%2e%2e/plugin.py",
        "/..\\plugin.py",
        "/nothing.js",
        "/",
        "",
    ],
)
async def test_nothing_but_the_folder_is_served(path: str) -> None:
    assert (await asked(path)).status == 404


@needs.VIEWS
async def test_files_can_only_be_read() -> None:
    assert (await asked("/page.js", "POST")).status == 405
