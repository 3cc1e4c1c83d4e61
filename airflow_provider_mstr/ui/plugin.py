# SPDX-License-Identifier: Apache-2.0
"""The Airflow plugin with the views of refreshes: a page, and a tab of each task instance (Airflow 3.1+).

Every Airflow component imports this module at its start, so it only imports what Airflow has imported before.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/mstr-ui"


class _LazyFiles:
    """An ASGI application that serves the folder ``static``; imports the file server at the first request."""

    _files: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._files is None:
            from airflow_provider_mstr.ui.static_files import PackageFiles

            self._files = PackageFiles("static")
        await self._files(scope, receive, send)


def _url(name: str) -> str:
    """Return the URL path of a file in the folder ``static``, below the path of Airflow's base URL."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + f"{URL_PREFIX}/{name}"


def _view(name: str, destination: str, url_route: str, bundle: str) -> dict[str, str]:
    return {
        "name": name,
        "destination": destination,
        "url_route": url_route,
        "bundle_url": _url(bundle),
        "icon": _url("model.svg"),
        "icon_dark_mode": _url("model-dark.svg"),
        # The menu of the page. Airflow ignores it for a tab.
        "category": "browse",
    }


def _is_enabled() -> bool:
    return hasattr(AirflowPlugin, "react_apps") and conf.getboolean("mstr", "ui", fallback=True)


class MstrPlugin(AirflowPlugin):
    """Registers the views, unless they are disabled or Airflow does not support them."""

    name = "mstr"
    fastapi_apps: list[dict[str, Any]] = []
    react_apps: list[dict[str, Any]] = []

    if _is_enabled():
        fastapi_apps = [{"app": _LazyFiles(), "url_prefix": URL_PREFIX, "name": "Strategy refreshes"}]
        react_apps = [
            # Each bundle sets its view on globalThis under this name, which is also the label in the UI.
            _view("Strategy refreshes", "nav", "strategy-refreshes", "page.js"),
            _view("Strategy refresh", "task_instance", "strategy-refresh", "tab.js"),
        ]
