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

import needs
import pytest
from airflow_home import airflow_environment
from deployment import HANG_SECONDS, free_port
from listed import active, dag, ended, every, many, page_of
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

from browsing import CHROMIUM_ARGS, LISTED, LOGS, SCREENSHOTS, Pages, serve_list
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

pytestmark = [needs.VIEWS, pytest.mark.timeout(600)]

ADMIN, VIEWER = ("admin", "admin-password"), ("viewer", "viewer-password")


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


def serve_logs(page: Page, logs: Mapping[str, list[dict[str, Any]]]) -> None:
    """Answer the page's requests for the logs of each of these DAGs with these entries."""

    def answer(route: Route) -> None:
        dag_id = route.request.url.partition("/dags/")[2].partition("/")[0]
        route.fulfill(json={"content": logs.get(dag_id, [])})

    page.route(LOGS, answer)


def row(page: Locator, model: str) -> Locator:
    return page.get_by_role("row").filter(has=page.page.get_by_role("link", name=model, exact=True))


def statuses(page: Locator) -> list[tuple[str, str]]:
    """Return the most urgent status and the model of each row, in order."""
    expect(page.get_by_role("rowheader").first).to_be_visible()
    badges = page.locator("tbody tr > td:first-child > span:first-child").all_inner_texts()
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


@needs.RENDERED_IN_LISTS
def test_a_step_of_a_refresh_links_to_the_sensor_and_the_page_shows_the_error_of_the_step(
    open_as: Callable[..., Pages], guarded: Standalone
) -> None:
    run = guarded.run("shown_in_steps")
    pages = open_as(VIEWER)

    tab = pages.refresh("shown_in_steps", run["dag_run_id"], "refresh_pipeline.publish")
    expect(tab.get_by_role("note")).to_contain_text("no table named 'no_such_table'")
    tab.get_by_role("link", name="refresh_pipeline.wait").click()

    expect(tab.get_by_text("An upstream task failed")).to_be_visible()
    page = pages.refreshes()
    expect(row(page, "Pipeline")).to_contain_text("no table named 'no_such_table'")


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

    expect(row(page, "Ledger")).to_contain_text("the warehouse is full")
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


ORDERS_ID = "C1F0A9D84B7E4C52A3D6E8F7B2091A5C"


def mixed_statuses() -> list[dict[str, Any]]:
    """Return task instances of objects of each kind and status, newest first."""
    day, hour = timedelta(days=1), timedelta(hours=1)
    return [
        active("Web sessions", since=timedelta(minutes=2)),
        active("Store Cube", since=timedelta(minutes=14), kind="cube"),
        active("Campaigns", since=timedelta(minutes=1)),
        active("Suppliers", since=timedelta(minutes=5)),
        active("Returns", since=timedelta(minutes=3), state="queued"),
        ended("Customers", ago=timedelta(minutes=35), seconds=12, state="failed"),
        ended("Sales Cube", ago=timedelta(hours=3), seconds=30, state="failed", kind="cube"),
        ended("Budget", ago=timedelta(hours=2), seconds=720),
        ended("Orders", ago=timedelta(minutes=20), seconds=52, object_id=ORDERS_ID),
        *every(day, "Inventory", 12, last=timedelta(days=3), seconds=340),
        *every(hour, "Orders", 18, last=hour, seconds=52),
        *[ended("Orders", ago=day, seconds=55, dag_id=f"{each}_close") for each in ("day", "month", "year")],
        *every(timedelta(days=7), "Payroll", 8, last=timedelta(days=6), seconds=610),
        *every(day, "Customers", 18, last=day, seconds=75),
        *every(day, "Sales Cube", 14, last=timedelta(hours=27), seconds=210, kind="cube"),
        *every(day, "Store Cube", 20, last=timedelta(hours=25), seconds=140, kind="cube"),
        *every(hour, "Sales Update", 20, last=timedelta(minutes=8), seconds=25, kind="report"),
        *every(timedelta(hours=4), "Web sessions", 20, last=timedelta(hours=2), seconds=180),
        *every(day, "Campaigns", 15, last=timedelta(hours=9), seconds=95),
        *every(day, "Suppliers", 9, last=timedelta(hours=25), seconds=270),
        *every(day, "Returns", 9, last=timedelta(hours=26), seconds=80),
        *every(day, "Budget", 8, last=timedelta(hours=26), seconds=240),
    ]


def schedules() -> list[dict[str, Any]]:
    """Return the DAGs of ``mixed_statuses``."""
    names = (
        "customers",
        "orders",
        "sales_cube",
        "sales_update",
        "store_cube",
        "suppliers",
        "returns",
        "payroll",
    )
    return [
        *(dag(f"load_{name}", run_in=timedelta(hours=1 + 4 * index)) for index, name in enumerate(names)),
        dag("load_inventory", run_in=timedelta(hours=3), is_paused=True),
        dag("load_budget", schedule="Asset"),
        dag("load_campaigns"),
        dag("load_web_sessions", run_in=timedelta(minutes=-1)),
    ]


OWN = {"logger": "airflow_provider_mstr.task", "event": "Waiting"}


def failed_with(error: str) -> list[dict[str, Any]]:
    """Return a log that contains an error."""
    detail = {"exc_type": "MstrError", "exc_value": error}
    return [{"event": "Task failed with exception", "error_detail": [detail]}]


def serve_load(page: Page, dag_id: str, tables: int) -> None:
    """Answer the page's requests for the XCom of a DAG's load with one of so many tables."""
    load = {
        "kind": "data_model",
        "tables": [{"id": f"T{each}", "name": f"t{each}"} for each in range(tables)],
    }
    page.route(
        f"**/dags/{dag_id}/**/xcomEntries/mstr_load?*", lambda route: route.fulfill(json={"value": load})
    )


def mixed_logs() -> dict[str, list[dict[str, Any]]]:
    """Return the logs of the failed and the active runs of ``mixed_statuses``."""
    since = (datetime.now(UTC) - timedelta(minutes=4)).isoformat()
    return {
        "load_customers": failed_with(
            "the load of data model Customers failed: table ytd_day ended as schema_comparison_error: column "
            "day is missing. Fix the data model or its source (HTTP 200, code ERR001, ticket 5d9c2f71)"
        ),
        "load_sales_cube": failed_with(
            "the load of cube Sales Cube failed: the warehouse is out of memory. Fix the cube or its source, "
            "or ask the Strategy administrator (job 18, ticket 0b84e635d9c2f71a)"
        ),
        "load_web_sessions": [OWN | {"tables": "1-3", "state": "finished", "seconds": 70.0}],
        "load_campaigns": [OWN | {"busy": True}],
        "load_suppliers": [OWN | {"server": "unavailable", "since": since}],
    }


FAILURES = {
    "Customers": "Failed 35 minutes ago: table ytd_day ended as schema_comparison_error: column day is "
    "missing. Fix the data model or its source.",
    "Sales Cube": "Failed 3 hours ago: the warehouse is out of memory. Fix the cube or its source, or ask "
    "the Strategy administrator.",
}
REASONS = FAILURES | {
    "Inventory": "Last loaded 3 days ago, usually every 24 hours. Its DAG is paused.",
    "Suppliers": "The Strategy server has not answered since",
    "Campaigns": "Waiting for another refresh",
    "Store Cube": "Takes longer than usual: 14 min",
    "Web sessions": "3 of 8 tables loaded",
    "Returns": "Queued for 3 min",
    "Budget": "Took longer than usual: 12 min, usually 4 min.",
    "Sales Update": "Incremental refresh report",
    "Orders": "and 2 other tasks",
}
IS_CUT_OFF = """(() => {
  const right = document.querySelector(".mstr").getBoundingClientRect().right;
  return [...document.querySelectorAll(".mstr *")].some((each) => each.getBoundingClientRect().right > right);
})()"""


@pytest.mark.parametrize(
    ("width", "scheme", "name"),
    [(1400, "light", "ui-page"), (1400, "dark", "ui-page-dark"), (420, "light", "ui-page-narrow")],
    ids=["light", "dark", "narrow"],
)
def test_each_row_shows_the_status_of_an_object_and_the_reason(
    open_as: Callable[..., Pages], width: int, scheme: str, name: str
) -> None:
    pages = open_as(VIEWER, width, 1000, color_scheme=scheme)
    serve_list(pages.page, mixed_statuses(), schedules())
    serve_logs(pages.page, mixed_logs())
    serve_load(pages.page, "load_web_sessions", 8)

    page = pages.refreshes()

    for model, reason in REASONS.items():
        expect(row(page, model)).to_contain_text(reason)
    expect(row(page, "Payroll")).to_contain_text("in 29 hours")
    assert statuses(page) == [
        ("Failing", "Sales Cube"),
        ("Failing", "Customers"),
        ("Server not answering", "Suppliers"),
        ("Stale", "Inventory"),
        ("Waiting for another refresh", "Campaigns"),
        ("Running", "Store Cube"),
        ("Running", "Web sessions"),
        ("Queued", "Returns"),
        ("Up to date", "Budget"),
        ("Up to date", "Payroll"),
        ("Up to date", "Orders"),
        ("Up to date", "Sales Update"),
    ]
    assert not pages.page.evaluate(IS_CUT_OFF)
    take_screenshot(pages.page, name)


def test_details_and_further_tasks_are_shown_on_demand(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER)
    serve_list(pages.page, mixed_statuses())
    serve_logs(pages.page, mixed_logs())
    page = pages.refreshes()
    ticket, task = (
        row(page, "Customers").get_by_text("ticket 5d9c"),
        row(page, "Orders").get_by_text("year_close"),
    )

    expect(row(page, "Customers")).to_contain_text(FAILURES["Customers"])
    expect(ticket).to_be_hidden()
    expect(task).to_be_hidden()
    row(page, "Customers").get_by_text("Details").click()
    row(page, "Orders").get_by_text("and 2 other tasks").click()

    expect(ticket).to_be_visible()
    expect(task).to_be_visible()


def test_an_object_by_id_has_the_name_of_its_load_and_one_row_with_runs_by_name(
    open_as: Callable[..., Pages],
) -> None:
    pages = open_as(VIEWER)
    by_id = [
        ended("", ago=timedelta(hours=hours), dag_id=f"load_{hours}", object_id=RETAIL.id) for hours in (3, 4)
    ]
    other = ended("", ago=timedelta(hours=5), dag_id="other", object_id="F" * 32)
    serve_list(pages.page, [*by_id, ended("Retail", ago=timedelta(hours=6)), other])
    load = {"kind": "data_model", "data_model_id": RETAIL.id, "name": "Retail", "project": "Tutorial"}
    pages.page.route("**/xcomEntries/mstr_*", lambda route: route.fulfill(status=404, json={}))
    pages.page.route(
        "**/dags/load_3/**/xcomEntries/mstr_load?*", lambda route: route.fulfill(json={"value": load})
    )

    page = pages.refreshes()

    expect(row(page, "Retail")).to_contain_text("3 of 3")
    expect(row(page, "Data model FFFFFFFF…")).to_contain_text("1 of 1")
    expect(page.get_by_role("rowheader")).to_have_count(2)


def test_long_names_are_not_cut_off(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER, 420)
    serve_list(pages.page, [ended("Long" * 30, ago=timedelta(hours=1), dag_id="long" * 30, state="failed")])
    serve_logs(pages.page, {"long" * 30: failed_with("no_space_" * 30)})

    page = pages.refreshes()

    expect(row(page, "Long" * 30)).to_contain_text("no_space_")
    assert not pages.page.evaluate(IS_CUT_OFF)


def test_the_page_can_be_used_with_the_keyboard_alone(open_as: Callable[..., Pages]) -> None:
    pages = open_as(VIEWER)
    serve_list(pages.page, mixed_statuses())
    page = pages.refreshes()

    page.get_by_role("button", name="1 stale").focus()
    pages.page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader")).to_have_count(1)
    pages.page.keyboard.press("Enter")
    last_success = page.get_by_role("columnheader", name="Last success")
    last_success.get_by_role("button").focus()
    pages.page.keyboard.press("Enter")
    expect(last_success).to_have_attribute("aria-sort", "ascending")
    assert statuses(page)[0] == ("Up to date", "Sales Update")
    pages.page.keyboard.press("Enter")
    expect(last_success).to_have_attribute("aria-sort", "descending")
    assert statuses(page)[0] == ("Up to date", "Payroll")
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
    expect(row(page, "Payroll")).to_contain_text("Up to date")
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
