# SPDX-License-Identifier: Apache-2.0
"""The plugin for Airflow's UI: what each Airflow component imports, and the files that it serves."""

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

from airflow_provider_mstr import provider_info
from airflow_provider_mstr.ui import plugin

UI = Path(plugin.__file__).parent / "static"

IMPORT_IN_A_COMPONENT = """
import json, sys
from airflow import plugins_manager
from airflow.configuration import conf
before = set(sys.modules)
from airflow_provider_mstr.ui.plugin import MstrPlugin
print(json.dumps({
    "modules": sorted(set(sys.modules) - before),
    "apps": [app["url_prefix"] for app in MstrPlugin.fastapi_apps],
    "views": MstrPlugin.react_apps,
}))
"""


def import_plugin(**environment: str) -> Any:
    """Import the plugin in a new process; return the imported modules and its views."""
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_IN_A_COMPONENT],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def component() -> Any:
    return import_plugin()


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    (found,) = (each for each in entry_points(group="airflow.plugins") if each.name == "mstr")

    assert found.load() is plugin.MstrPlugin


def test_the_plugin_imports_no_other_module(component: Any) -> None:
    assert set(component["modules"]) <= {
        "airflow_provider_mstr",
        "airflow_provider_mstr.ui",
        "airflow_provider_mstr.ui.plugin",
    }


@needs.VIEWS
def test_there_is_a_page_in_the_menu_and_a_tab_on_task_instances(component: Any) -> None:
    views = {view["destination"]: view["name"] for view in component["views"]}

    assert views == {"nav": "Strategy refreshes", "task_instance": "Strategy refresh"}


@needs.VIEWS
def test_each_bundle_is_served_and_sets_the_global_that_airflow_reads(component: Any) -> None:
    (prefix,) = component["apps"]
    for view in component["views"]:
        folder, _, bundle = view["bundle_url"].rpartition("/")

        assert folder == prefix
        assert f'globalThis["{view["name"]}"] = ' in (UI / bundle).read_text()


def test_the_setting_disables_the_views() -> None:
    off = import_plugin(AIRFLOW__MSTR__UI="False")

    assert (off["apps"], off["views"]) == ([], [])


def test_airflow_knows_the_setting_and_its_default() -> None:
    ui = provider_info.get_provider_info()["config"]["mstr"]["options"]["ui"]

    assert (ui["type"], ui["default"]) == ("boolean", "True")


@needs.VIEWS
def test_the_urls_of_the_bundles_contain_the_path_of_airflow() -> None:
    below = import_plugin(AIRFLOW__API__BASE_URL="https://example.com/airflow/")

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
def test_an_airflow_without_support_for_views_gets_none() -> None:
    assert plugin.MstrPlugin.fastapi_apps == []
    assert plugin.MstrPlugin.react_apps == []


class Response:
    """A response of the file server."""

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


async def request(path: str, method: str = "GET", **headers: str) -> Response:
    """Request a path below the plugin's prefix, without normalizing it; return the response."""
    ((files, prefix),) = ((app["app"], app["url_prefix"]) for app in plugin.MstrPlugin.fastapi_apps)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": method,
        "path": prefix + path,
        "root_path": prefix,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    response = Response()
    try:
        await files(scope, no_body, response.send)
    except Exception as error:
        # Airflow's application turns these into responses.
        response.status = getattr(error, "status_code", 500)
    return response


CONTENT_TYPES = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@needs.VIEWS
@pytest.mark.parametrize("file", sorted(UI.iterdir()), ids=lambda file: file.name)
async def test_every_file_is_served_with_its_content_type(file: Path) -> None:
    response = await request(f"/{file.name}")

    assert response.status == 200
    assert response.body == file.read_bytes()
    assert CONTENT_TYPES[file.suffix] in response.headers["content-type"]


@needs.VIEWS
async def test_a_browser_revalidates_a_file_and_it_is_not_modified() -> None:
    first = await request("/page.js")
    again = await request("/page.js", if_none_match=first.headers["etag"])

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status, again.body) == (304, b"")


@needs.VIEWS
async def test_a_head_request_returns_no_body() -> None:
    head = await request("/page.js", "HEAD")

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
async def test_no_file_outside_the_folder_is_served(path: str) -> None:
    assert (await request(path)).status == 404


@needs.VIEWS
async def test_a_post_request_is_not_allowed() -> None:
    assert (await request("/page.js", "POST")).status == 405
