# SPDX-License-Identifier: Apache-2.0
"""What Airflow's own UI shows of data models: a page, and a tab on each task instance (Airflow 3.1+).

Every Airflow daemon loads this at its start, so it loads nothing that Airflow has not loaded already.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/mstr-ui"


class _Files:
    """Serves the folder ``ui``, as an ASGI application; what that takes is loaded at the first request."""

    _served: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._served is None:
            from airflow_provider_mstr.static_files import StaticFolder

            self._served = StaticFolder("ui")
        await self._served(scope, receive, send)


def _url(name: str) -> str:
    """Return where a browser finds a file of the folder ``ui``, also where Airflow lives below a path."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + f"{URL_PREFIX}/{name}"


def _view(name: str, destination: str, url_route: str, bundle: str) -> dict[str, str]:
    return {
        "name": name,
        "destination": destination,
        "url_route": url_route,
        "bundle_url": _url(bundle),
        "icon": _url("model.svg"),
        "icon_dark_mode": _url("model-dark.svg"),
        # The menu that the page is in; a tab is in none.
        "category": "browse",
    }


def _is_wanted() -> bool:
    return hasattr(AirflowPlugin, "react_apps") and conf.getboolean("mstr", "ui", fallback=True)


class MstrPlugin(AirflowPlugin):
    """The views of data models, unless they are switched off or Airflow is too old to show them."""

    name = "mstr"
    fastapi_apps: list[dict[str, Any]] = []
    react_apps: list[dict[str, Any]] = []

    if _is_wanted():
        fastapi_apps = [{"app": _Files(), "url_prefix": URL_PREFIX, "name": "Data models"}]
        react_apps = [
            # The names are what the bundles set on globalThis, and what the menu and the tab are called.
            _view("Data models", "nav", "data-models", "page.js"),
            _view("Data model", "task_instance", "data-model", "tab.js"),
        ]
