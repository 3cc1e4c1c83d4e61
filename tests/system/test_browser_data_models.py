# SPDX-License-Identifier: Apache-2.0
"""The page and the tab of refreshes in Airflow's UI, in a real browser.

The tests also take the screenshots of the documentation:
``SCREENSHOTS=docs/images make test-airflow ARGS=tests/system/test_browser_data_models.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import needs
import pytest
from airflow_home import airflow_environment
from deployment import HANG_SECONDS, free_port
from listed import ended, every, many, page_of
from sooner import SOONER
from standalone import Standalone
from watching import deferred

from airflow_provider_mstr.sandbox import (
    DEFAULT_WORLD,
    DataModel,
    PublishFailure,
    Sandbox,
    Settings,
    Table,
    World,
)
from airflow_provider_mstr.sandbox.world import RETAIL, SALES_CUBE, TUTORIAL

pytest.importorskip("playwright.sync_api")

from browsing import CHROMIUM_ARGS, SCREENSHOTS, Pages
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

pytestmark = [needs.VIEWS, pytest.mark.timeout(600)]

ADMIN, VIEWER = ("admin", "admin-password"), ("viewer", "viewer-password")
LISTED = "**/api/v2/dags/~/dagRuns/~/taskInstances?*"
LOGS = "**/logs/*"


def world() -> World:
    """Return the sandbox's default world with one more data model, whose publish fails."""
    names = ("accounts", "entries")
    ledger = DataModel(
        "A0D4C5B1E2F34A5B8C7D6E5F4A3B2C1D",
        "Ledger",
        TUTORIAL.id,
        tuple(Table(f"{index:032X}", name) for index, name in enumerate(names)),
        publish_seconds=1,
        failure=PublishFailure("error", table="entries", message="the warehouse is full"),
    )
    return replace(DEFAULT_WORLD, data_models=(*DEFAULT_WORLD.data_models, ledger))


@pytest.fixture(scope="module")
def shown() -> Iterator[Sandbox]:
    """A sandbox whose publishes run until a test finishes them, except one that fails after a second."""
    with Sandbox(Settings(publish_seconds=3600), world()) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def guarded(shown: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """An Airflow with two users, an admin and a viewer."""
    home = tmp_path_factory.mktemp("guarded")
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps(dict([ADMIN, VIEWER])))
    dags = Path(__file__).parent / "shown"
    environment = airflow_environment(home, shown.airflow_connection(), dags=dags, port=free_port())
    environment |= SOONER | {
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
    with Standalone(environment, user=ADMIN) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def headless(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=HANG_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def open_as(headless: Browser, guarded: Standalone) -> Iterator[Callable[..., Pages]]:
    """Opens a browser window for a user, or without a login."""
    contexts = []

    def open_window(user: tuple[str, str] | None, width: int = 1280, height: int = 760, **more: Any) -> Pages:
        context = headless.new_context(viewport={"width": width, "height": height}, **more)
        context.set_default_timeout(HANG_SECONDS * 1000)
        contexts.append(context)
        if user is not None:
            context.add_cookies([{"name": "_token", "value": guarded.token(*user), "url": guarded.url}])
        return Pages(context.new_page(), guarded.url)

    yield open_window
    for context in contexts:
        context.close()


def take_screenshot(page: Page, name: str) -> None:
    """Save a screenshot of the window if ``SCREENSHOTS`` is set."""
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", animations="disabled")


def serve_list(page: Page, instances: Sequence[dict[str, Any]]) -> list[str]:
    """Answer the page's requests for task instances with these; return the URLs of the requests."""
    requests: list[str] = []

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        requests.append(route.request.url)
        if "updated_at_gte" in query:
            route.fulfill(json=page_of([], 0, 1))
        else:
            route.fulfill(json=page_of(instances, int(query["offset"][0]), int(query["limit"][0])))

    page.route(LISTED, answer)
    page.route(LOGS, lambda route: route.fulfill(json={"content": []}))
    return requests


def serve_error_logs(page: Page, errors: Mapping[str, str]) -> None:
    """Answer the page's requests for the logs of each of these DAGs with one that contains its error."""

    def answer(route: Route) -> None:
        dag_id = route.request.url.partition("/dags/")[2].partition("/")[0]
        error = {"exc_type": "MstrError", "exc_value": errors[dag_id]}
        route.fulfill(json={"content": [{"event": "Task failed with exception", "error_detail": [error]}]})

    page.route(LOGS, answer)


def row(page: Locator, model: str) -> Locator:
    return page.get_by_role("row").filter(has=page.page.get_by_role("link", name=model, exact=True))


def statuses(page: Locator) -> list[tuple[str, str]]:
    """Return the status and the model of each row, in order."""
    expect(page.get_by_role("rowheader").first).to_be_visible()
    badges = page.locator("tbody tr > td:first-child").all_inner_texts()
    return list(zip(badges, page.locator("tbody tr > th > a:first-child").all_inner_texts(), strict=True))


def table_row(tab: Locator, table: str) -> Locator:
    return tab.get_by_role("row").filter(has=tab.page.get_by_role("rowheader", name=table, exact=True))


def serve_json(page: Page, url: str, answer: Any) -> None:
    page.route(url, lambda route: route.fulfill(json=answer))


def serve_last_runs(page: Page, runs: Sequence[dict[str, Any]]) -> None:
    """Answer the tab's requests for the last runs of its task with these."""
    serve_json(page, "**/dags/*/dagRuns/~/taskInstances?task_id=*", page_of(runs, 0, 20))


def last_runs(
    dag_id: str = "shown", task_id: str = "refresh_retail", name: str = "Retail", seconds: float = 240
) -> list[dict[str, Any]]:
    """Return 19 runs of a task that refreshes an object, one of which failed."""
    kind = "cube" if "Cube" in name else "data_model"
    failed = ended(name, ago=timedelta(days=4, hours=12), seconds=20, state="failed", kind=kind)
    every_day = every(timedelta(days=1), name, 18, last=timedelta(hours=20), seconds=seconds, kind=kind)
    newest_first = sorted([*every_day, failed], key=lambda run: str(run["end_date"]), reverse=True)
    return [run | {"dag_id": dag_id, "task_id": task_id} for run in newest_first]


def test_the_tab_follows_a_deferred_refresh_without_a_reload(
    open_as: Callable[..., Pages], guarded: Standalone, shown: Sandbox
) -> None:
    run_id = deferred(guarded, "shown", "refresh_retail")
    pages = open_as(VIEWER)
    serve_last_runs(pages.page, last_runs(seconds=20))

    tab = pages.refresh("shown", run_id, "refresh_retail")

    expect(tab.get_by_role("heading", name="Retail")).to_be_visible()
    expect(tab.get_by_text("0 of 4 tables loaded")).to_be_visible()
    expect(tab.get_by_role("link", name="Open in Strategy")).to_have_attribute(
        "href", f"{shown.url}/app/library#/model/{RETAIL.id}"
    )
    opened = pages.page.evaluate("performance.timeOrigin")
    shown.advance(2000)
    expect(tab.get_by_text("2 of 4 tables loaded")).to_be_visible()
    take_screenshot(pages.page, "ui-tab-running")
    shown.finish_publishes()
    expect(tab.get_by_text("4 tables in")).to_contain_text("20 s")
    expect(table_row(tab, "lu_store")).to_contain_text("Loaded")
    assert pages.page.evaluate("performance.timeOrigin") == opened
    take_screenshot(pages.page, "ui-tab-loaded")


def test_each_attempt_of_a_retried_refresh_shows_its_error(
    open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    run = guarded.run("shown_retried")

    tab = open_as(VIEWER).refresh("shown_retried", run["dag_run_id"], "refresh_ledger")

    expect(tab.get_by_role("heading", name="Attempt 2")).to_be_visible()
    expect(table_row(tab, "accounts").first).to_contain_text("Loaded")
    expect(table_row(tab, "entries").first).to_contain_text("Failed")
    expect(tab.get_by_role("note").first).to_contain_text("the warehouse is full")
    expect(tab.get_by_role("note").first).to_contain_text("ask the Strategy administrator")
    take_screenshot(tab.page, "ui-tab-failed")
    earlier = tab.locator("summary").filter(has_text="Attempt 1")
    earlier.click()
    expect(tab.get_by_role("note")).to_have_count(2)


@pytest.fixture(scope="module")
def failed_run(guarded: Standalone) -> str:
    """The id of a run whose refresh has failed."""
    return guarded.run("shown_retried")["dag_run_id"]


@pytest.mark.parametrize(
    "stored",
    ["s3://bucket/xcoms/result.json", 5, {"path": "s3://bucket/xcoms/result.json"}],
    ids=json.dumps,
)
def test_a_result_in_a_custom_xcom_backend_is_explained(
    open_as: Callable[..., Pages], failed_run: str, stored: Any
) -> None:
    pages = open_as(VIEWER)
    problems: list[str] = []
    pages.page.on("pageerror", lambda error: problems.append(str(error)))
    pages.page.route("**/xcomEntries/mstr_result?*", lambda route: route.fulfill(json={"value": stored}))
    pages.page.route("**/xcomEntries/mstr_link?*", lambda route: route.fulfill(json={"value": stored}))
    pages.page.route(LOGS, lambda route: route.fulfill(json={"content": []}))

    tab = pages.refresh("shown_retried", failed_run, "refresh_ledger")

    expect(tab.get_by_text("The result of this refresh cannot be displayed")).to_be_visible()
    expect(tab.get_by_role("heading", name="Ledger")).to_be_visible()
    expect(tab.get_by_role("link", name="Open in Strategy")).to_have_count(0)
    assert problems == []


@needs.RENDERED_IN_LISTS
def test_each_mapped_task_shows_its_own_data_model(
    open_as: Callable[..., Pages], guarded: Standalone, shown: Sandbox
) -> None:
    run_id = guarded.trigger("shown_mapped")
    pages = open_as(VIEWER)
    for map_index, (model, table) in enumerate((("Finance", "gl_balance"), ("Supply Chain", "shipments"))):
        guarded.task_in("shown_mapped", run_id, f"refresh/{map_index}", "deferred", has_trigger=True)

        tab = pages.refresh("shown_mapped", run_id, "refresh", map_index)

        expect(tab.get_by_role("heading", name=model)).to_be_visible()
        expect(table_row(tab, table)).to_be_visible()
    page = pages.refreshes()
    expect(row(page, "Supply Chain")).to_contain_text("0 of 2 tables")
    shown.finish_publishes()
    assert guarded.ended("shown_mapped", run_id)["state"] == "success"
    expect(row(page, "Supply Chain")).to_contain_text("Up to date")


@needs.RENDERED_IN_LISTS
def test_a_cube_has_its_name_and_the_status_of_its_job_and_one_row_however_it_is_named(
    open_as: Callable[..., Pages], guarded: Standalone, shown: Sandbox
) -> None:
    run_id = deferred(guarded, "shown_cubes", "refresh_by_id")
    pages = open_as(VIEWER)
    serve_last_runs(pages.page, last_runs("shown_cubes", "refresh_by_id", "Sales Cube", seconds=15))

    tab = pages.refresh("shown_cubes", run_id, "refresh_by_id")

    expect(tab.get_by_role("heading", name="Sales Cube")).to_be_visible()
    expect(tab.get_by_text(f"Cube · Project Tutorial · ID {SALES_CUBE.id}")).to_be_visible()
    expect(tab.get_by_text('The job\'s status is "waiting on governor"')).to_be_visible()
    expect(tab.get_by_role("table")).to_have_count(0)
    shown.finish_publishes()
    expect(tab.get_by_text("Loaded", exact=True)).to_be_visible(timeout=90_000)
    take_screenshot(pages.page, "ui-tab-cube")
    guarded.task_in("shown_cubes", run_id, "refresh_by_name", "deferred", has_trigger=True)
    shown.finish_publishes()
    guarded.ended("shown_cubes", run_id)
    tab = pages.refresh("shown_cubes", run_id, "refresh_prompted")
    expect(tab.get_by_role("note")).to_contain_text("it waits for an answer to a prompt")
    page = pages.refreshes()
    expect(row(page, "Region Cube")).to_contain_text("Failing")
    expect(row(page, "Sales Cube")).to_contain_text("2 of 2")
    expect(row(page, "Sales Cube")).to_contain_text("Cube · Tutorial")


@needs.RENDERED_IN_LISTS
def test_a_step_of_a_refresh_links_to_the_sensor_and_the_page_shows_the_error_of_the_step(
    open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    run = guarded.run("shown_in_steps")
    pages = open_as(VIEWER)

    tab = pages.refresh("shown_in_steps", run["dag_run_id"], "refresh_pipeline.publish")
    expect(tab.get_by_role("note")).to_contain_text("has no table 'no_such_table'")
    tab.get_by_role("link", name="refresh_pipeline.wait").click()

    expect(tab.get_by_text("An upstream task failed")).to_be_visible()
    page = pages.refreshes()
    expect(row(page, "Pipeline")).to_contain_text("has no table 'no_such_table'")


LOAD_SECONDS = 100


def log_entry(after: float, event: str, **fields: Any) -> dict[str, Any]:
    """Return a log entry of the provider, some seconds after the start of a load that has run for 100."""
    time = datetime.now(UTC) + timedelta(seconds=after - LOAD_SECONDS)
    logger = "airflow_provider_mstr.task.refresh"
    return {"timestamp": time.isoformat(), "event": event, "logger": logger, **fields}


def table_entry(table: str, state: str, seconds: float) -> dict[str, Any]:
    event = f"Table {table}: {state} after {seconds:g} s"
    return log_entry(seconds, event, table=table, state=state, seconds=seconds)


def busy_log() -> list[dict[str, Any]]:
    return [log_entry(0, "Another refresh of data model Retail is running", busy=True)]


def loading_log() -> list[dict[str, Any]]:
    return [
        table_entry("ytd_day", "loading", 2),
        table_entry("lu_store", "loading", 3),
        table_entry("ytd_day", "finished", 22),
    ]


def unavailable_log() -> list[dict[str, Any]]:
    return [*loading_log(), log_entry(50, "No response", server="unavailable")]


def load_xcom() -> dict[str, Any]:
    """Return what the task pushes once the server has accepted the start."""
    return {
        "kind": "data_model",
        "data_model_id": RETAIL.id,
        "name": RETAIL.name,
        "project_id": TUTORIAL.id,
        "project": TUTORIAL.name,
        "tables": [{"id": table.id, "name": table.name, "policy": "replace"} for table in RETAIL.tables],
        "started_at": (datetime.now(UTC) - timedelta(seconds=LOAD_SECONDS)).timestamp(),
    }


def open_deferred_refresh(
    pages: Pages, airflow: Standalone, log: Sequence[dict[str, Any]], runs: Sequence[dict[str, Any]]
) -> Locator:
    """Open the tab of the finished refresh of Retail as if it were deferred, with this log and these runs."""
    (run,) = airflow.api("GET", "dags/shown/dagRuns")["dag_runs"]
    path = f"dags/shown/dagRuns/{run['dag_run_id']}/taskInstances/refresh_retail"
    instance = airflow.api("GET", path) | {"state": "deferred", "end_date": None}
    for url, answer in {
        "**/taskInstances/refresh_retail": instance,
        "**/taskInstances/refresh_retail/-1": instance,
        "**/xcomEntries/mstr_load?*": {"value": load_xcom() if "state" in log[0] else None},
        "**/xcomEntries/mstr_result?*": {"value": None},
        LOGS: {"content": log},
    }.items():
        serve_json(pages.page, url, answer)
    serve_last_runs(pages.page, runs)
    return pages.refresh("shown", run["dag_run_id"], "refresh_retail")


@pytest.mark.parametrize(
    ("log", "status", "text", "name"),
    [
        (loading_log, "Loading", "1 of 4 tables loaded", None),
        (
            busy_log,
            "Waiting for another refresh",
            "This refresh starts when the other one has ended.",
            "ui-tab-waiting",
        ),
        (
            unavailable_log,
            "Server not answering",
            "; retrying. 1 of 4 tables loaded before.",
            "ui-tab-unavailable",
        ),
    ],
    ids=["loading", "busy", "unavailable"],
)
def test_the_tab_shows_what_a_refresh_waits_for(
    open_as: Callable[..., Pages],
    guarded: Standalone,
    log: Callable[[], list[dict[str, Any]]],
    status: str,
    text: str,
    name: str | None,
) -> None:
    pages = open_as(VIEWER)

    tab = open_deferred_refresh(pages, guarded, log(), last_runs())

    expect(tab.get_by_text(status, exact=True).first).to_be_visible()
    expect(tab.get_by_text(text)).to_be_visible()
    expect(tab.get_by_text(re.compile(r"1 min \d+ s so far|\d+ s so far"))).to_be_visible()
    if name:
        take_screenshot(pages.page, name)


def test_the_tab_shows_when_each_table_finished_and_how_long_its_load_took(
    open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    pages = open_as(VIEWER)

    tab = open_deferred_refresh(pages, guarded, loading_log(), [])

    day = table_row(tab, "ytd_day").get_by_role("cell")
    expect(day.nth(2)).to_have_text("+22 s")
    expect(day.nth(3)).to_have_text("20 s")
    expect(table_row(tab, "lu_store").get_by_role("cell").nth(3)).to_have_text("\N{EN DASH}")


def test_the_last_runs_link_to_their_tabs_and_the_tab_to_the_page(
    open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    pages = open_as(VIEWER)
    other, *older = last_runs()

    tab = open_deferred_refresh(
        pages, guarded, loading_log(), [other | {"dag_run_id": "the/other run"}, *older]
    )

    expect(tab.get_by_text("18 of 19 succeeded.")).to_contain_text("Usually 4 min")
    expect(tab.get_by_text("so far, usually takes 4 min")).to_be_visible()
    bars = tab.get_by_role("group", name="Durations of the last 19 runs").get_by_role("link")
    expect(bars).to_have_count(19)
    bars.last.focus()
    pages.page.keyboard.press("Enter")
    expect(pages.page).to_have_url(
        f"{guarded.url}/dags/shown/runs/the%2Fother%20run/tasks/refresh_retail/plugin/strategy-refresh"
    )
    pages.page.go_back()
    serve_list(
        pages.page, [*older, *every(timedelta(days=1), "Orders", 2, last=timedelta(hours=1), seconds=9)]
    )
    tab.get_by_role("link", name="All Strategy refreshes").click()
    page = pages.page.get_by_role("region", name="Strategy refreshes")
    expect(page.get_by_role("searchbox")).to_have_value("Retail")
    expect(row(page, "Retail")).to_be_visible()
    expect(page.get_by_role("rowheader")).to_have_count(1)


def test_a_task_of_another_operator_has_a_one_line_tab(
    open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    (run,) = guarded.api("GET", "dags/shown/dagRuns")["dag_runs"]

    tab = open_as(VIEWER).refresh("shown", run["dag_run_id"], "elsewhere")

    expect(tab.get_by_text("This task does not refresh a Strategy object.")).to_be_visible()


@needs.RENDERED_IN_LISTS
@pytest.mark.parametrize("user", [ADMIN, VIEWER], ids=["admin", "viewer"])
def test_the_page_shows_the_most_urgent_model_first_and_its_error(
    open_as: Callable[..., Pages], user: tuple[str, str]
) -> None:
    page = open_as(user).refreshes()

    expect(row(page, "Ledger")).to_contain_text("status")
    shown = statuses(page)
    assert ("Failing", "Ledger") in shown
    assert ("Up to date", "Retail") in shown
    assert [status for status, _ in shown] == sorted(
        (status for status, _ in shown), key=["Failing", "Up to date"].index
    )
    expect(row(page, "Retail").get_by_role("link", name="shown", exact=True)).to_be_visible()


@needs.RENDERED_IN_LISTS
def test_the_page_opens_after_the_user_signs_in(open_as: Callable[..., Pages]) -> None:
    pages = open_as(None)
    page = pages.page
    page.goto(f"{pages.url}/plugin/strategy-refreshes")

    page.get_by_label("Username").fill(VIEWER[0])
    page.locator("input[type=password]").fill(VIEWER[1])
    page.get_by_role("button", name="Sign in").click()

    expect(row(page.get_by_role("region", name="Strategy refreshes"), "Ledger")).to_be_visible()


def mixed_statuses() -> list[dict[str, Any]]:
    """Return task instances of failing, stale and current objects of each kind."""
    return [
        *every(timedelta(days=1), "Inventory", 12, last=timedelta(days=3), seconds=340),
        *every(timedelta(hours=1), "Orders", 20, last=timedelta(minutes=20), seconds=52),
        *every(timedelta(days=7), "Payroll", 8, last=timedelta(days=6), seconds=610),
        ended("Customers", ago=timedelta(minutes=35), seconds=12, state="failed"),
        *every(timedelta(days=1), "Customers", 18, last=timedelta(days=1), seconds=75),
        ended("Sales Cube", ago=timedelta(hours=3), seconds=30, state="failed", kind="cube"),
        *every(timedelta(days=1), "Sales Cube", 14, last=timedelta(hours=27), seconds=210, kind="cube"),
        *every(timedelta(days=1), "Store Cube", 20, last=timedelta(hours=5), seconds=140, kind="cube"),
        *every(timedelta(hours=1), "Sales Update", 20, last=timedelta(minutes=8), seconds=25, kind="report"),
        *every(timedelta(hours=4), "Web sessions", 20, last=timedelta(hours=2), seconds=180),
        *every(timedelta(days=1), "Campaigns", 15, last=timedelta(hours=9), seconds=95),
    ]


ERRORS = {
    "load_customers": (
        "the load of data model Customers failed: the warehouse is suspended. "
        "Fix table customers in the model or its source, or ask the Strategy administrator (code -2147212544)"
    ),
    "load_sales_cube": (
        "the load of cube Sales Cube failed: the job ended as error: out of memory. "
        "Fix the cube or its source, or ask the Strategy administrator."
    ),
}


@pytest.mark.parametrize(
    ("width", "scheme", "name"),
    [(1280, "light", "ui-page"), (1280, "dark", "ui-page-dark"), (400, "light", "ui-page-narrow")],
    ids=["light", "dark", "narrow"],
)
def test_the_first_rows_show_the_failing_and_the_stale_objects_with_the_reason(
    open_as: Callable[..., Pages], width: int, scheme: str, name: str
) -> None:
    pages = open_as(VIEWER, width, color_scheme=scheme)
    serve_list(pages.page, mixed_statuses())
    serve_error_logs(pages.page, ERRORS)

    page = pages.refreshes()

    failure = "Failed 35 minutes ago: The load of data model Customers failed"
    expect(row(page, "Customers")).to_contain_text(failure)
    expect(row(page, "Sales Cube")).to_contain_text("Failed 3 hours ago: The load of cube Sales Cube failed")
    expect(row(page, "Sales Update")).to_contain_text("Incremental refresh report")
    expect(row(page, "Inventory")).to_contain_text("Last loaded 3 days ago, usually every 24 hours.")
    urgent = [("Failing", "Sales Cube"), ("Failing", "Customers"), ("Stale", "Inventory")]
    assert statuses(page)[:3] == urgent
    assert {status for status, _ in statuses(page)[3:]} == {"Up to date"}
    is_cut_off = "document.querySelector('.mstr').scrollWidth > document.querySelector('.mstr').clientWidth"
    assert not pages.page.evaluate(is_cut_off)
    take_screenshot(pages.page, name)


def test_the_page_can_be_used_with_the_keyboard_alone(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER)
    serve_list(pages.page, mixed_statuses())
    page = pages.refreshes()

    page.get_by_role("button", name="1 stale").focus()
    pages.page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader")).to_have_count(1)
    pages.page.keyboard.press("Enter")
    page.get_by_role("searchbox").focus()
    pages.page.keyboard.type("load_web sales")

    expect(page.get_by_role("rowheader")).to_have_count(0)
    pages.page.keyboard.press("Control+A")
    pages.page.keyboard.type("load_web tutorial")
    expect(page.get_by_role("rowheader")).to_have_count(1)
    expect(row(page, "Web sessions")).to_be_visible()


def test_times_are_in_the_time_zone_that_airflow_shows(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER, timezone_id="UTC")
    pages.page.add_init_script("localStorage.setItem('timezone', JSON.stringify('Asia/Kolkata'))")
    instance = ended("Orders", ago=timedelta(hours=1))
    instance["end_date"] = "2026-03-01T00:00:00+00:00"
    serve_list(pages.page, [instance])

    page = pages.refreshes()

    expect(row(page, "Orders")).to_contain_text("5:30 AM")


def test_five_hundred_models_take_few_requests(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER)
    requests = serve_list(pages.page, list(many(500, 6)))

    page = pages.refreshes()

    expect(page.get_by_text("Based on 3,000 task runs")).to_be_visible()
    expect(page.get_by_role("rowheader")).to_have_count(500)
    # On a busy machine, the page may ask for changes meanwhile.
    assert len([url for url in requests if "updated_at_gte" not in url]) <= 31
    assert statuses(page)[0] == ("Failing", "Model 475")


NOTICES = {
    "no task instances": (200, page_of([], 0, 1), "Nothing has been refreshed yet."),
    "forbidden": (403, {"detail": "Forbidden"}, "Ask an Airflow administrator"),
    "server error": (500, {"detail": "oops"}, "check the API server's log"),
    "no response": (None, None, "Airflow does not respond."),
    "unexpected JSON": (200, ["a list"], "Nothing has been refreshed yet."),
}


@pytest.mark.parametrize("case", NOTICES)
def test_a_page_without_rows_explains_the_cause(open_as: Callable[..., Pages], case: str) -> None:
    status, answer, text = NOTICES[case]
    pages = open_as(VIEWER)
    pages.page.route(
        LISTED, lambda route: route.fulfill(status=status, json=answer) if status else route.abort()
    )

    page = pages.refreshes()

    expect(page.get_by_text(text)).to_be_visible()


def test_a_log_without_permission_affects_only_the_error(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER)
    serve_list(pages.page, mixed_statuses())
    pages.page.route(LOGS, lambda route: route.fulfill(status=403, json={"detail": "Forbidden"}))

    page = pages.refreshes()

    expect(row(page, "Customers")).to_contain_text(
        "the log does not exist or you do not have permission to read it"
    )
    expect(row(page, "Orders")).to_contain_text("Up to date")


ODD_VALUES = (5, 2.5, True, [], ["A"], {}, {"a": {"b": 1}}, None, "")
ODD_LOG = [
    *ODD_VALUES,
    {"event": {"a": 1}, "logger": "airflow_provider_mstr.task.run", "table": ["x"], "state": "loading"},
    {"logger": "airflow_provider_mstr.task.run", "tables": {"1": 2}, "state": 7, "seconds": "long"},
    {"logger": "airflow_provider_mstr.task.run", "busy": "yes", "server": [], "since": {}, "timestamp": 5},
    {"logger": "airflow_provider_mstr.task.run", "usual_seconds": "4 min", "refresh": ["ended"]},
    {"error_detail": [{"exc_value": {"a": 1}, "exc_type": ["E"]}]},
]


def odd_instances() -> Iterator[Any]:
    """Return task instances, each with one value of an unexpected type."""
    for value in ODD_VALUES:
        yield value
        whole = ended("Odd", ago=timedelta(hours=1), state="failed", dag_id="odd")
        for name in (*whole, "rendered_fields"):
            yield whole | {name: value}
        for name in ("data_model", "data_model_id", "project_id", "mstr_conn_id", "instance"):
            yield whole | {"rendered_fields": {name: value}}


def test_an_odd_task_instance_affects_no_other_row(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER)
    errors: list[str] = []
    pages.page.on("pageerror", lambda error: errors.append(str(error)))
    serve_list(pages.page, [*mixed_statuses(), *odd_instances()])
    pages.page.route(LOGS, lambda route: route.fulfill(json={"content": ODD_LOG}))

    page = pages.refreshes()

    expect(row(page, "Customers")).to_contain_text("Failed 35 minutes ago")
    expect(row(page, "Web sessions")).to_contain_text("Up to date")
    assert {name for _, name in statuses(page)} > {"Inventory", "Orders", "Payroll", "Odd"}
    assert errors == []


@pytest.mark.parametrize("value", ODD_VALUES, ids=ascii)
def test_the_tab_shows_a_refresh_whose_log_and_xcoms_are_odd(
    value: Any, open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    (run,) = guarded.api("GET", "dags/shown/dagRuns")["dag_runs"]
    pages = open_as(VIEWER)
    errors: list[str] = []
    pages.page.on("pageerror", lambda error: errors.append(str(error)))
    pages.page.route(LOGS, lambda route: route.fulfill(json={"content": [value, *ODD_LOG]}))
    pages.page.route("**/xcomEntries/mstr_*", lambda route: route.fulfill(json={"value": value}))

    tab = pages.refresh("shown", run["dag_run_id"], "refresh_retail")

    expect(tab.get_by_role("heading", name="Retail")).to_be_visible()
    expect(tab.get_by_text("Loaded", exact=True).first).to_be_visible()
    assert errors == []


@pytest.mark.parametrize("link", ["javascript:document.title='owned'", "data:text/html,x", "//x", 5])
def test_the_tab_links_only_to_web_pages(
    link: Any, open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    (run,) = guarded.api("GET", "dags/shown/dagRuns")["dag_runs"]
    pages = open_as(VIEWER)
    pages.page.route("**/xcomEntries/mstr_link*", lambda route: route.fulfill(json={"value": link}))

    tab = pages.refresh("shown", run["dag_run_id"], "refresh_retail")

    expect(tab.get_by_role("heading", name="Retail")).to_be_visible()
    expect(tab.get_by_role("link", name="Open in Strategy")).to_have_count(0)
