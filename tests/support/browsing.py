# SPDX-License-Identifier: Apache-2.0
"""The pages of Airflow's UI on which the provider appears."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from listed import page_of
from playwright.sync_api import Locator, Page, Route, expect

TYPE = "Strategy (MicroStrategy)"
CHROMIUM_ARGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")

# The folder for the screenshots of the documentation. Without it, the tests save none.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
MARGIN = 8

LISTED = "**/api/v2/dags/~/dagRuns/~/taskInstances?*"
DAGS = "**/api/v2/dags?*"
LOGS = "**/logs/*"


class Pages:
    """Opens pages of an Airflow in one browser window.

    :param page: the browser's page
    :param url: Airflow's address
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def connections(self) -> None:
        """Open the list of connections."""
        self.page.goto(f"{self.url}/connections")
        expect(self.page.get_by_role("button", name="Add Connection")).to_be_visible()

    def new_connection(self, conn_id: str) -> Locator:
        """Return the form of a new connection, with its id and type filled in."""
        self.page.get_by_role("button", name="Add Connection").click()
        form = self.page.get_by_role("dialog")
        form.locator("[name=connection_id]").fill(conn_id)
        form.locator("[role=combobox]").first.fill(TYPE)
        self.page.keyboard.press("Enter")
        expect(form.get_by_text(TYPE, exact=True)).to_be_visible()
        return form

    def edit_connection(self, conn_id: str) -> Locator:
        """Return the form of an existing connection."""
        self.row(conn_id).get_by_role("button", name="Edit Connection").click()
        form = self.page.get_by_role("dialog")
        expect(field(form, "host")).to_be_visible()
        return form

    def row(self, conn_id: str) -> Locator:
        """Return the row of a connection in the list."""
        name = self.page.get_by_role("cell", name=conn_id, exact=True)
        return self.page.get_by_role("row").filter(has=name)

    def run_connection_test(self, conn_id: str, color: str) -> Locator:
        """Press "Test Connection", wait for an icon of this colour, and return the connection's row."""
        row = self.row(conn_id)
        button = row.get_by_role("button", name="Test Connection")
        button.click()
        expect(button.locator(f"svg[color={color}]")).to_be_visible()
        return row

    def task(
        self, dag_id: str, run_id: str, task_id: str, map_index: int | None = None, tab: str = "details"
    ) -> None:
        """Open a tab of a task instance."""
        mapped = "" if map_index is None else f"/mapped/{map_index}"
        run = f"{self.url}/dags/{dag_id}/runs/{quote(run_id, safe='')}"
        self.page.goto(f"{run}/tasks/{task_id}{mapped}/{tab}")

    def refresh(self, dag_id: str, run_id: str, task_id: str, map_index: int | None = None) -> Locator:
        """Open the tab "Strategy refresh" of a task instance, and return it."""
        self.task(dag_id, run_id, task_id, map_index, "plugin/strategy-refresh")
        return self.page.get_by_role("region", name="Strategy refresh", exact=True)

    def refreshes(self) -> Locator:
        """Open the page of all refreshes, and return it."""
        self.page.goto(f"{self.url}/plugin/strategy-refreshes")
        return self.page.get_by_role("region", name="Strategy refreshes")

    @property
    def link(self) -> Locator:
        """The provider's link on the task instance that is open."""
        return self.page.get_by_role("link", name="Open in Strategy")


def serve_list(
    page: Page, instances: Sequence[dict[str, Any]], dags: Sequence[dict[str, Any]] = ()
) -> list[str]:
    """Answer the page's requests for task instances and DAGs with these; return the URLs of the former.

    :param page: the browser's page
    :param instances: the task instances, newest first
    :param dags: the DAGs
    """
    requests: list[str] = []

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        requests.append(route.request.url)
        if "updated_at_gte" in query:
            route.fulfill(json=page_of([], 0, 1))
        else:
            route.fulfill(json=page_of(instances, int(query["offset"][0]), int(query["limit"][0])))

    page.route(LISTED, answer)
    page.route(DAGS, lambda route: route.fulfill(json={"dags": list(dags), "total_entries": len(dags)}))
    page.route(LOGS, lambda route: route.fulfill(json={"content": []}))
    return requests


def take_screenshot(name: str, *shown: Locator) -> None:
    """Save a screenshot of the rectangle around these elements if ``SCREENSHOTS`` is set."""
    if not SCREENSHOTS:
        return
    for each in shown:
        each.scroll_into_view_if_needed()
    boxes = [box for each in shown if (box := each.bounding_box())]
    left, top = (min(box[side] for box in boxes) - MARGIN for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    shown[0].page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", clip=clip, animations="disabled")


def field(form: Locator, name: str) -> Locator:
    """Return a field of a connection's form by its name, which starts with ``element_`` for extra fields."""
    return form.locator(f"[name={name}]")


def section(form: Locator, title: str) -> Locator:
    """Return a section of a connection's form, and remove the focus from its fields."""
    button = form.page.get_by_role("button", name=title, exact=True)
    form.get_by_role("heading").first.click()
    return form.locator("[data-part=item]").filter(has=button)


def fill(form: Locator, values: Mapping[str, str]) -> None:
    """Fill in fields of a connection's form."""
    for name, value in values.items():
        field(form, name).fill(value)


def expand_extra_fields(form: Locator) -> None:
    """Expand the section "Extra Fields"."""
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    expect(field(form, "element_timeout")).to_be_visible()


def save(form: Locator) -> None:
    """Save the form, and wait until it is closed."""
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
