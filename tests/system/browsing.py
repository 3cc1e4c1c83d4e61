# SPDX-License-Identifier: Apache-2.0
"""Airflow's pages, as far as the provider shows on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

TYPE = "Strategy (MicroStrategy)"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")

# Where to keep pictures of the pages for the documentation; nowhere if it is not set.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
MARGIN = 8


class Pages:
    """The pages of an Airflow, of which one is open.

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
        """Return the form for a new connection, with its id and the provider's type filled in."""
        self.page.get_by_role("button", name="Add Connection").click()
        form = self.page.get_by_role("dialog")
        form.locator("[name=connection_id]").fill(conn_id)
        form.locator("[role=combobox]").first.fill(TYPE)
        self.page.keyboard.press("Enter")
        expect(form.get_by_text(TYPE, exact=True)).to_be_visible()
        return form

    def edited_connection(self, conn_id: str) -> Locator:
        """Return the form of a connection there is."""
        self.row(conn_id).get_by_role("button", name="Edit Connection").click()
        form = self.page.get_by_role("dialog")
        expect(field(form, "host")).to_be_visible()
        return form

    def row(self, conn_id: str) -> Locator:
        """Return the row of a connection in the list."""
        name = self.page.get_by_role("cell", name=conn_id, exact=True)
        return self.page.get_by_role("row").filter(has=name)

    def tested(self, conn_id: str, color: str) -> Locator:
        """Press "Test Connection", and return the row of the connection once its sign has that colour."""
        row = self.row(conn_id)
        button = row.get_by_role("button", name="Test Connection")
        button.click()
        expect(button.locator(f"svg[color={color}]")).to_be_visible(timeout=30_000)
        return row

    def task(
        self, dag_id: str, run_id: str, task_id: str, map_index: int | None = None, tab: str = "details"
    ) -> None:
        """Open a tab of a task instance."""
        mapped = "" if map_index is None else f"/mapped/{map_index}"
        run = f"{self.url}/dags/{dag_id}/runs/{quote(run_id, safe='')}"
        self.page.goto(f"{run}/tasks/{task_id}{mapped}/{tab}")

    def refresh(self, dag_id: str, run_id: str, task_id: str, map_index: int | None = None) -> Locator:
        """Open what a task instance tells of its data model, and return that."""
        self.task(dag_id, run_id, task_id, map_index, "plugin/data-model")
        return self.page.get_by_role("region", name="Data model", exact=True)

    def data_models(self) -> Locator:
        """Open the page of all data models, and return it."""
        self.page.goto(f"{self.url}/plugin/data-models")
        return self.page.get_by_role("region", name="Data models")

    @property
    def link(self) -> Locator:
        """The provider's link on the task instance that is open."""
        return self.page.get_by_role("link", name="Strategy data model")


def keep(name: str, *shown: Locator) -> None:
    """Keep a picture of some parts of a page and what is between them, where pictures are wanted."""
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
    """Return a field of a connection's form by its name, an extra one by that with ``element_`` before it."""
    return form.locator(f"[name={name}]")


def part(form: Locator, title: str) -> Locator:
    """Return a part of a connection's form, in which no field has the focus."""
    button = form.page.get_by_role("button", name=title, exact=True)
    form.get_by_role("heading").first.click()
    return form.locator("[data-part=item]").filter(has=button)


def fill(form: Locator, values: Mapping[str, str]) -> None:
    """Fill fields of a connection's form."""
    for name, value in values.items():
        field(form, name).fill(value)


def unfold(form: Locator) -> None:
    """Show the extra fields."""
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    expect(field(form, "element_timeout")).to_be_visible()


def save(form: Locator) -> None:
    """Save the form, and return once it is closed."""
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
