# SPDX-License-Identifier: Apache-2.0
"""The provider in Airflow's UI, in a real browser: the connection form and the link of a task.

The tests also take the screenshots of the documentation:
``SCREENSHOTS=docs/images make test-airflow ARGS=tests/system/test_browser.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import needs
import pytest
import requests
from deployment import HANG_SECONDS
from standalone import Standalone
from watching import closed, deferred

from airflow_provider_mstr.sandbox import Sandbox
from airflow_provider_mstr.sandbox.world import FINANCE, RETAIL, TUTORIAL

pytest.importorskip("playwright.sync_api")

from browsing import CHROMIUM_ARGS, Pages, expand_extra_fields, field, fill, save, section, take_screenshot
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = [needs.FORM, pytest.mark.timeout(600), pytest.mark.usefixtures("tidy")]

CONN_ID = "strategy"


@pytest.fixture(scope="module")
def page(chromium: str, airflow: Standalone) -> Iterator[Page]:
    with sync_playwright() as playwright:
        headless = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        page = headless.new_page(viewport={"width": 1280, "height": 1100})
        page.set_default_timeout(HANG_SECONDS * 1000)
        expect.set_options(timeout=HANG_SECONDS * 1000)
        yield page
        headless.close()


@pytest.fixture
def pages(page: Page, airflow: Standalone) -> Pages:
    return Pages(page, airflow.url)


@pytest.fixture
def no_connection(airflow: Standalone) -> Iterator[None]:
    """Delete the connection after the test."""
    yield
    with suppress(requests.HTTPError):
        airflow.api("DELETE", f"connections/{CONN_ID}")


def values(sandbox: Sandbox, password: str) -> dict[str, str]:
    # Up to Airflow 3.3.2 a connection without a port cannot be tested.
    name, project = sandbox.world.users[0].name, TUTORIAL.name
    return {"host": sandbox.url, "login": name, "password": password, "port": "0", "schema": project}


@pytest.mark.usefixtures("no_connection")
def test_a_connection_is_created_reopened_and_tested(pages: Pages, sandbox: Sandbox) -> None:
    password = sandbox.world.users[0].password
    pages.connections()
    form = pages.new_connection(CONN_ID)
    for label in ("Library URL", "Project (id or name)", "Password or API token"):
        expect(form.get_by_text(label)).to_be_visible()
    fill(form, values(sandbox, password))
    take_screenshot("connection-form", section(form, "Standard Fields"))
    expand_extra_fields(form)
    fill(form, {"element_timeout": "60"})
    take_screenshot("connection-form-extra", section(form, "Extra Fields"))
    save(form)

    form = pages.edit_connection(CONN_ID)
    for name, value in values(sandbox, "***").items():
        expect(field(form, name)).to_have_value(value)
    expand_extra_fields(form)
    extra = {"login_mode": "standard", "verify": "true", "timeout": "60", "link_template": ""}
    for name, value in extra.items():
        expect(field(form, f"element_{name}")).to_have_value(value)
    assert password not in pages.page.content()
    form.get_by_role("button", name="Close").click()

    row = pages.run_connection_test(CONN_ID, "green")
    take_screenshot("connection-test", row, pages.page.get_by_role("tooltip"))
    report = sandbox.report()
    assert (report.logins, report.logouts, report.open_sessions) == (1, 1, 0)


@pytest.mark.usefixtures("no_connection")
def test_a_connection_test_reports_a_wrong_password(pages: Pages, sandbox: Sandbox) -> None:
    pages.connections()
    form = pages.new_connection(CONN_ID)
    fill(form, values(sandbox, "not-the-password"))
    save(form)

    pages.run_connection_test(CONN_ID, "red")

    toast = pages.page.get_by_role("status").filter(has_text="login or password is wrong")
    expect(toast).to_be_visible()
    take_screenshot("connection-test-failed", toast)
    assert "not-the-password" not in pages.page.content()


def assert_link_is(pages: Pages, url: str) -> None:
    expect(pages.link).to_be_visible()
    expect(pages.link).to_have_attribute("href", url)


def library(sandbox: Sandbox, data_model_id: str) -> str:
    return f"{sandbox.url}/app/library#/model/{data_model_id}"


def test_the_link_is_on_a_task_while_it_is_deferred(
    pages: Pages, airflow: Standalone, sandbox: Sandbox
) -> None:
    dag_id, task_id = "mstr_refresh_in_one_task", "refresh_retail"
    run_id = deferred(airflow, dag_id, task_id)

    pages.task(dag_id, run_id, task_id)

    assert_link_is(pages, library(sandbox, RETAIL.id))
    title = pages.page.get_by_text(task_id, exact=True).last
    operator = pages.page.get_by_text("Operator", exact=True).first
    take_screenshot(
        "task-link", title, operator, pages.page.get_by_role("link", name="Asset Events"), pages.link
    )
    sandbox.finish_publishes()
    assert airflow.ended(dag_id, run_id)["state"] == "success"


def test_the_link_is_on_a_task_that_failed(pages: Pages, airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id, task_id = "mstr_refresh_in_one_task", "refresh_retail"
    sandbox.add_fault("publish", "no_privilege")
    run = airflow.run(dag_id)

    pages.task(dag_id, run["dag_run_id"], task_id)

    assert run["state"] == "failed"
    assert_link_is(pages, library(sandbox, RETAIL.id))


def test_the_link_on_each_mapped_task_is_its_own(pages: Pages, airflow: Standalone, sandbox: Sandbox) -> None:
    dag_id = "mstr_refresh_many"
    run_id = airflow.trigger(dag_id)
    for map_index, model in ((0, RETAIL), (1, FINANCE)):
        airflow.task_in(dag_id, run_id, f"refresh/{map_index}", "deferred", has_trigger=True)

        pages.task(dag_id, run_id, "refresh", map_index)

        assert_link_is(pages, library(sandbox, model.id))
    sandbox.wait_for(lambda report: len(report.publishes) == 3, timeout=HANG_SECONDS)
    sandbox.finish_publishes()
    assert airflow.ended(dag_id, run_id)["state"] == "success"
    sandbox.wait_for(closed)
