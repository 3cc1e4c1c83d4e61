# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import browser
import needs
import pytest
import quick_keys
from airflow_home import airflow_environment
from browsing import CHROMIUM_ARGS
from playwright.sync_api import expect, sync_playwright
from provocations import KINDS, Provocations, shown, steady
from receivers import Json, Smtp, receiver
from workers import meaning, perform

from airflow_provider_mstr import hooks, operators
from airflow_provider_mstr import sandbox as sandbox_package
from airflow_provider_mstr.connection import server as connection
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshCubeOperator,
    MstrRefreshDataModelOperator,
    MstrRunIncrementalRefreshOperator,
)
from airflow_provider_mstr.operators.arguments import NOTSET
from airflow_provider_mstr.provider_info import UI_FIELD_BEHAVIOUR, get_provider_info
from airflow_provider_mstr.refresh import cube, data_model, poller, sealing, start
from airflow_provider_mstr.refresh.options import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT
from airflow_provider_mstr.rest import body, retry
from airflow_provider_mstr.rest.errors import OutcomeUnknown, PublishFailed
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import LoginMode
from airflow_provider_mstr.sandbox import DEFAULT_WORLD, PublishFailure, Sandbox, Settings
from airflow_provider_mstr.sandbox.faults import FaultKind
from airflow_provider_mstr.sandbox.world import REGION_CUBE, SALES_CUBE, SALES_UPDATE
from airflow_provider_mstr.sensors import MstrPublishStatusSensor
from airflow_provider_mstr.task.refresh import WORKER_SECONDS
from airflow_provider_mstr.task_groups import refresh_data_model
from airflow_provider_mstr.transport import base_driver

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
DAGS = sorted(EXAMPLES.glob("*.py"))
NEEDED = {
    "after_cosmos": needs.package("cosmos"),
    "after_databricks": needs.package("airflow.providers.databricks"),
    "after_dbt_cloud": needs.package("airflow.providers.dbt.cloud"),
    "after_dbt_core": needs.package("airflow.providers.standard"),
    "after_snowflake_sql_api": needs.package("airflow.providers.snowflake"),
    "alert_if_late": needs.DEADLINE_ALERTS,
    "alert_on_pagerduty": needs.package("airflow.providers.pagerduty"),
    "alert_on_slack": needs.package("airflow.providers.slack"),
    "retry_policy": needs.RETRY_POLICIES,
}
RECIPES = [pytest.param(path, marks=NEEDED.get(path.stem, ())) for path in DAGS]
RUNNER = ROOT / "tests" / "support" / "run_example.py"

PAGES = {str(path.relative_to(DOCS)): path.read_text() for path in sorted(DOCS.rglob("*.md"))}
INCLUDED = re.compile(r'--8<-- "(.+?\.py):(\d+):"')

RETAIL = "9F4772B837604551B4D3CC916ADC5598"


def blocks(page: str, label: str, language: str = r"\w+") -> list[str]:
    """Return the code blocks of a page that follow an HTML comment."""
    return re.findall(rf"<!-- {label} -->\n```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def rows(page: str) -> list[list[str]]:
    """Return the cells of each row of a page's tables, without marks of code and links."""
    lines = (line for line in PAGES[page].splitlines() if line.startswith("| "))
    return [
        [re.sub(r"[`\[]|\]\(.*?\)", "", cell).strip() for cell in line[2:-2].split(" | ")] for line in lines
    ]


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A warning of mkdocs is an error: a broken link or anchor, or a page in no menu."""
    pytest.importorskip("mkdocs", reason="the site is built where the newest Airflow is")
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    return folder


class Fetched(HTMLParser):
    """The addresses that a browser fetches to show a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name = "href" if tag == "link" else "src"
        if attributes.get(name) and attributes.get("rel") not in ("canonical", "prev", "next"):
            self.addresses.append(str(attributes[name]))


def test_a_page_is_shown_without_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        for address in Fetched(page.read_text()).addresses:
            assert not urlsplit(address).netloc, f"{page.name} fetches {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text()), style.name


def test_a_docstrings_references_are_plain_names(site: Path) -> None:
    for page in (site / "reference").glob("*.html"):
        assert not re.search(r":(attr|class|func|meth|mod):", page.read_text()), page.name


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["file", "http"])
def test_the_search_finds_a_page(scheme: str, site: Path) -> None:
    chromium = browser.find()
    if chromium is None:
        pytest.skip(f"there is no browser: {browser.HOW_TO_GET_IT}")
    serve = partial(SimpleHTTPRequestHandler, directory=str(site))

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), serve) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS) as headless,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = site.as_uri() if scheme == "file" else f"http://127.0.0.1:{server.server_port}"
        page = headless.new_page()
        page.goto(f"{address}/operators/result.html")
        page.get_by_role("textbox", name="Search").press_sequentially("OLAP cube")
        results = page.locator(".md-search-result__link")
        expect(results.filter(has_text="super cube (MTDI)")).to_be_visible()
        server.shutdown()


def test_the_site_does_not_contain_the_path_of_its_build(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert str(ROOT) not in page.read_text()


# Arguments


DOCUMENTED: dict[Callable[..., Any], str] = {
    MstrRefreshDataModelOperator: "one-task",
    MstrCreateDataModelInstanceOperator: "steps",
    MstrPublishDataModelOperator: "steps",
    MstrPublishStatusSensor: "steps",
    MstrDeleteDataModelInstanceOperator: "steps",
    refresh_data_model: "task-group",
    MstrRefreshCubeOperator: "cube",
    MstrRunIncrementalRefreshOperator: "report",
}


def arguments(documented: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the arguments that have a name."""
    parameters = inspect.signature(documented).parameters.values()
    named = {each.name: each for each in parameters if each.kind is not each.VAR_KEYWORD}
    assert "mstr_conn_id" in named
    return named


def shown_arguments(page: str) -> dict[str, set[str]]:
    """Return the defaults that the tables of a built page show, by the argument's name."""
    shown: dict[str, set[str]] = {}
    for row in re.findall(r'<tr class="doc-section-item">(.*?)</tr>', page, re.DOTALL):
        cells = [
            re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)
        ]
        shown.setdefault(cells[0], set()).add(html.unescape(cells[3]).strip("'"))
    return shown


@pytest.mark.parametrize("documented", DOCUMENTED, ids=lambda each: each.__name__)
def test_the_page_of_an_operator_shows_each_argument_with_its_default(
    documented: Callable[..., Any], site: Path
) -> None:
    shown = shown_arguments((site / "operators" / f"{DOCUMENTED[documented]}.html").read_text())
    for name, argument in arguments(documented).items():
        default = argument.default
        if name == "deferrable" and default is not NOTSET:
            wanted = "default_deferrable"
        elif default is argument.empty:
            wanted = "required"
        else:
            wanted = f"{default:g}" if type(default) is float else str(default)
        assert wanted in shown[name], name


def test_each_operator_that_refreshes_is_on_the_page_that_helps_to_choose() -> None:
    refreshing = {name for name in operators.__all__ if re.match("Mstr(Refresh|Run|Trigger)", name)}

    assert len(refreshing) >= 3
    for page in (PAGES["which-operator.md"], PAGES["index.md"], (ROOT / "README.md").read_text()):
        assert refreshing <= {*re.findall(r"\[`(\w+)`\]\(", page)}


def test_the_operators_page_explains_each_policy() -> None:
    policies = {row[0] for row in rows("operators/index.md")} & {*RefreshPolicy}
    assert policies == {*RefreshPolicy}


# Examples


def test_each_python_block_is_a_file_or_one_that_a_test_runs() -> None:
    for name, page in PAGES.items():
        tested = blocks(name, "world", "python") if name == "testing.md" else []
        for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
            assert INCLUDED.fullmatch(code.strip()) or code in tested, f"{name}: {code}"


def test_each_file_is_shown_from_its_first_line_of_code_and_none_is_left_out() -> None:
    shown = [found for page in PAGES.values() for found in INCLUDED.findall(page)]
    for file, line in shown:
        before = (ROOT / file).read_text().splitlines()[: int(line) - 1]
        assert before[-2:] == ["from __future__ import annotations", ""], file
    examples = {path for folder in (EXAMPLES, ROOT / "example_dags") for path in folder.rglob("*.py")}
    assert {ROOT / file for file, _ in shown} == examples


def dags_of(file: Path) -> dict[str, Any]:
    from airflow_parts import DagBag

    bag = DagBag(str(file))
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.mark.parametrize("file", RECIPES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("dbt")
def test_each_recipe_is_a_dag_that_ends_with_the_refresh(file: Path) -> None:
    (dag,) = dags_of(file).values()

    assert dag.dag_id == f"mstr_{file.stem}"
    (leaf,) = dag.leaves
    assert leaf.task_id == ("refresh" if file.stem == "different_tables" else "refresh_retail")


def test_the_check_is_between_the_load_and_the_refresh() -> None:
    (dag,) = dags_of(EXAMPLES / "check_first.py").values()

    assert dag.get_task("check_sales").upstream_task_ids == {"load_sales"}
    assert dag.get_task("refresh_retail").upstream_task_ids == {"check_sales"}


def run(dag_id: str, sandbox: Sandbox, home: Path, **environment: str) -> tuple[bool, str]:
    """Run a recipe in a separate Airflow; return whether the run succeeded, and its output."""
    whole = airflow_environment(home, sandbox.airflow_connection(), dags=EXAMPLES) | environment
    command = [sys.executable, str(RUNNER), str(EXAMPLES), dag_id]
    done = subprocess.run(command, env=whole, capture_output=True, text=True, timeout=180, check=False)
    return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A dbt project, and a dbt that builds two of its three models; the environment of a run with them."""
    states = {"fct_sales": "success", "dim_store": "success", "fct_orders": "skipped"}
    project = tmp_path / "retail"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("{name: retail, profile: retail, version: 1.0.0}")
    (project / "profiles.yml").write_text("retail: {outputs: {prod: {type: duckdb}}, target: prod}")
    results, nodes = [], []
    for model, status in states.items():
        (project / "models" / f"{model}.sql").write_text("select 1")
        unique_id = f"model.retail.{model}"
        results.append({"unique_id": unique_id, "status": status})
        nodes.append(
            {
                "name": model,
                "unique_id": unique_id,
                "resource_type": "model",
                "original_file_path": f"models/{model}.sql",
                "depends_on": {"nodes": []},
            }
        )
    (tmp_path / "results.json").write_text(json.dumps({"results": results}))
    (tmp_path / "nodes.json").write_text("\n".join(map(json.dumps, nodes)))
    command = tmp_path / "bin" / "dbt"
    command.parent.mkdir()
    command.write_text(
        f"""#!/bin/sh
        if [ "$1" = ls ]; then cat {tmp_path}/nodes.json; fi
        mkdir -p target && cp {tmp_path}/results.json target/run_results.json
        """
    )
    command.chmod(0o755)
    environment = {
        "DBT_PROJECT_DIR": str(project),
        "PATH": os.pathsep.join([str(command.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.mark.long
def test_the_refresh_after_dbt_loads_only_the_tables_that_dbt_has_built(
    mstr_sandbox: Sandbox, tmp_path: Path, dbt: dict[str, str]
) -> None:
    succeeded, shown_text = run("mstr_after_dbt", mstr_sandbox, tmp_path / "home", **dbt)

    assert succeeded, shown_text[-3000:]
    (publish,) = mstr_sandbox.report().publishes
    assert {table.name: table.refresh_policy for table in publish.tables} == {
        "ytd_day": "replace",
        "lu_store": "upsert",
    }


@pytest.mark.long
@pytest.mark.parametrize(
    "dag", [pytest.param(dag, marks=NEEDED[dag]) for dag in ("after_dbt_core", "after_cosmos")]
)
def test_the_refresh_after_dbt_loads_every_table(
    dag: str, mstr_sandbox: Sandbox, tmp_path: Path, dbt: dict[str, str]
) -> None:
    succeeded, shown_text = run(f"mstr_{dag}", mstr_sandbox, tmp_path / "home", **dbt)

    assert succeeded, shown_text[-3000:]
    (publish,) = mstr_sandbox.report().publishes
    assert len(publish.tables) == 4


@pytest.mark.long
def test_each_mapped_refresh_loads_its_own_tables(mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    succeeded, shown_text = run("mstr_different_tables", mstr_sandbox, tmp_path / "home")

    assert succeeded, shown_text[-3000:]
    loaded = {
        publish.data_model: {table.name: table.refresh_policy for table in publish.tables}
        for publish in mstr_sandbox.report().publishes
    }
    assert loaded == {
        "Retail": {"ytd_day": "replace", "lu_store": "upsert"},
        "Finance": {"gl_balance": "add"},
        "Supply Chain": {"shipments": "replace", "stock_level": "replace"},
    }


def migrated(name: str) -> Any:
    """Return the only task of an example of the page about migration."""
    (dag,) = dags_of(EXAMPLES / "migrate" / f"{name}.py").values()
    (task,) = dag.tasks
    return task


@pytest.fixture
def variables(mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the functions before the migration."""
    # The page imports the PythonOperator of Airflow 3.
    pytest.importorskip("airflow.providers.standard")
    user = DEFAULT_WORLD.users[0]
    values = {"URL": mstr_sandbox.url, "API": f"{mstr_sandbox.url}/api"}
    for name, value in (values | {"LOGIN": user.name, "PASSWORD": user.password}).items():
        monkeypatch.setenv(f"MSTR_{name}", value)


def call(name: str, sandbox: Sandbox, **replaced: Any) -> None:
    """Call a function before its migration; its pauses advance the clock of the sandbox."""
    publish = migrated(name).python_callable
    publish.__globals__.update(sleep=sandbox.advance, **replaced)
    publish()


@pytest.mark.usefixtures("mstr_connection", "variables")
def test_both_sides_of_the_migration_of_a_data_model_load_it(mstr_sandbox: Sandbox) -> None:
    call("data_model_with_requests", mstr_sandbox)
    perform(lambda: migrated("data_model"))

    report = mstr_sandbox.report()
    assert [publish.state for publish in report.publishes] == ["completed"] * 2
    assert report.open_sessions == 0


@pytest.mark.mstr_sandbox(publish_failure=PublishFailure("schema_comparison_error", "lu_store"))
@pytest.mark.usefixtures("mstr_connection", "variables", "brisk")
def test_only_the_operator_notices_a_table_that_fails(mstr_sandbox: Sandbox) -> None:
    call("data_model_with_requests", mstr_sandbox)

    assert isinstance(perform(lambda: migrated("data_model")).error, PublishFailed)


@pytest.fixture
def olap_cube() -> Callable[..., Any]:
    """mstrio-py's cube, without its definition, which the sandbox does not have."""
    datasets = pytest.importorskip("mstrio.project_objects.datasets")
    return lambda connection, id: datasets.OlapCube.from_dict({"id": id, "name": "Sales Cube"}, connection)


@pytest.mark.usefixtures("mstr_connection", "variables")
def test_both_sides_of_the_migration_of_a_cube_load_it(
    mstr_sandbox: Sandbox, olap_cube: Callable[..., Any]
) -> None:
    call("cube_with_mstrio", mstr_sandbox, OlapCube=olap_cube)
    perform(lambda: migrated("cube"))

    report = mstr_sandbox.report()
    assert (report.cubes_loaded, report.open_sessions) == ({"Sales Cube": 2}, 0)


@pytest.mark.mstr_sandbox(publish_failure=PublishFailure("error"), ended_job_seconds=0, publish_seconds=60)
@pytest.mark.usefixtures("mstr_connection", "variables", "brisk")
def test_only_the_operator_notices_a_cube_that_fails(
    mstr_sandbox: Sandbox, olap_cube: Callable[..., Any]
) -> None:
    # mstrio-py must see the job once before it ends.
    call("cube_with_mstrio", mstr_sandbox, OlapCube=olap_cube)

    mstr_sandbox.change(publish_seconds=0)
    assert isinstance(perform(lambda: migrated("cube")).error, OutcomeUnknown)
    assert mstr_sandbox.report().cubes_loaded == {}


FAILED_TABLE = pytest.mark.mstr_sandbox(publish_failure=PublishFailure("schema_comparison_error", "lu_store"))

# Its client accepts no address but PagerDuty's own.
PAGERDUTY = """
import json, os, urllib.request, pagerduty

def send_event(self, **event):
    urllib.request.urlopen(os.environ["RECEIVER"], json.dumps(event).encode())

pagerduty.EventsApiV2Client.send_event = send_event
"""


@pytest.mark.long
@needs.ERROR_IN_A_TRIAL
@FAILED_TABLE
@pytest.mark.parametrize(
    "dag",
    [
        pytest.param(dag, marks=NEEDED.get(dag, ()))
        for dag in ("alert_by_email", "alert_on_slack", "alert_on_pagerduty")
    ],
)
def test_an_alert_has_the_cause_and_the_links(dag: str, mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(PAGERDUTY if dag == "alert_on_pagerduty" else "")
    with receiver(Smtp if dag == "alert_by_email" else Json) as server:
        url = f"http://127.0.0.1:{server.port}"
        smtp = {"disable_ssl": True, "disable_tls": True}
        succeeded, shown_text = run(
            f"mstr_{dag}",
            mstr_sandbox,
            tmp_path / "home",
            AIRFLOW_CONN_SMTP_DEFAULT=json.dumps(
                {"conn_type": "smtp", "host": "127.0.0.1", "port": server.port, "extra": smtp}
            ),
            AIRFLOW_CONN_SLACK_DEFAULT=json.dumps(
                {"conn_type": "slackwebhook", "host": url, "password": "T0/B0/secret"}
            ),
            AIRFLOW_CONN_PAGERDUTY_EVENTS_DEFAULT=json.dumps(
                {"conn_type": "pagerduty_events", "password": "key"}
            ),
            RECEIVER=url,
            PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        )

    assert not succeeded
    assert server.received, shown_text[-3000:]
    (alert,) = map(str, server.received)
    assert all(word in alert for word in ("Retail", "lu_store", "schema_comparison_error"))
    assert f"/dags/mstr_{dag}/" in alert
    assert f"{mstr_sandbox.url}/app/" in alert


@pytest.mark.long
@needs.ERROR_IN_A_TRIAL
@FAILED_TABLE
def test_the_callback_lists_the_tables_as_the_page_shows(mstr_sandbox: Sandbox, tmp_path: Path) -> None:
    succeeded, shown_text = run("mstr_alert_with_tables", mstr_sandbox, tmp_path / "home")

    assert not succeeded
    (shown,) = re.findall(r"```text\n(.*?)```", PAGES["recipes/notify.md"], re.DOTALL)
    for line in shown.splitlines():
        assert line.removesuffix(" ...") in shown_text


@pytest.mark.long
@needs.DAGBAG
def test_the_tests_of_a_dag_pass_as_the_page_shows(tmp_path: Path) -> None:
    whole = os.environ | {"AIRFLOW_HOME": str(tmp_path), "MY_DAGS": str(ROOT / "example_dags")}
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(EXAMPLES / "testing")],
        env=whole,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "3 passed" in done.stdout


def test_a_custom_world_works_as_the_page_shows() -> None:
    (code,) = blocks("testing.md", "world", "python")
    namespace: dict[str, Any] = {}
    exec(code, namespace)

    with Sandbox(Settings(publish_seconds=0.1), namespace["world"]) as server:
        fields_of_it = json.loads(server.airflow_connection())

    assert (fields_of_it["login"], fields_of_it["schema"]) == ("etl", "Tutorial")
    (marker,) = namespace["test_my_dag"].pytestmark
    assert marker.kwargs == {"world": namespace["world"], "publish_seconds": 2}


# Get started


def commands(label: str) -> list[str]:
    lines = "".join(blocks("get-started.md", label, "console")).splitlines()
    assert all(line.startswith("$ ") for line in lines)
    return [line.removeprefix("$ ") for line in lines]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_commands_of_get_started_end_in_a_success_and_then_in_a_failure(tmp_path: Path) -> None:
    (serve,) = map(shlex.split, commands("sandbox"))
    (shown_port,) = (word for word in serve if word.isdigit())
    dag = (ROOT / "example_dags" / "example_refresh_in_one_task.py").read_text()
    unset = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def shell(script: list[str], port: str) -> subprocess.CompletedProcess[str]:
        text = "\n".join(["set -e", *script]).replace(shown_port, port)
        return subprocess.run(
            ["bash", "-c", text],
            cwd=tmp_path,
            env=unset | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    with subprocess.Popen([sys.executable, *serve[1:-1], "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = str(urlsplit(server.stdout.readline()).port)
            assert json.loads(server.stdout.readline())["password"] == DEFAULT_WORLD.users[0].password
            *prepare, test, report = commands("shell")
            (tmp_path / "airflow" / "dags").mkdir(parents=True)
            (tmp_path / "airflow" / "dags" / "refresh_retail.py").write_text(dag)
            green = shell([*prepare, f"{test} >&2", report], port)
            exports = [line for line in prepare if line.startswith("export ")]
            red = shell([*exports, *commands("failing shell")], port)
        finally:
            server.terminate()

    assert green.returncode == 0, green.stderr[-3000:]
    seen = json.loads(green.stdout.splitlines()[-1])
    assert (seen["logins"], len(seen["publishes"]), seen["logouts"], seen["open_sessions"]) == (1, 1, 1, 0)
    assert "Publishing 4 tables of data model Retail" in green.stderr
    assert red.returncode != 0
    assert "PublishFailed: the load of data model Retail failed" in red.stdout + red.stderr
    assert "table lu_store ended as schema_comparison_error" in red.stdout + red.stderr


# The log


@pytest.mark.parametrize("page", ["index.md", "get-started.md"])
@pytest.mark.mstr_sandbox(publish_seconds=2)
@pytest.mark.usefixtures("mstr_connection")
def test_the_log_of_a_refresh_has_the_lines_that_a_page_shows(
    page: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(MstrRefreshDataModelOperator, "log", ListLogger(logged))
    with caplog.at_level("INFO"):
        perform(lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL))
    logged += [record.getMessage() for record in caplog.records]

    shown = re.findall(r"```text\n(.*?)```", PAGES[page], re.DOTALL)[0].splitlines()
    assert len(shown) > 2
    for line in shown:
        pattern = alike(line.removesuffix("..."))
        assert any(alike(each).startswith(pattern) for each in logged), f"{line}: {logged}"


class ListLogger:
    """A logger that appends each message to a list.

    :param lines: the list
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def info(self, text: str, *values: object) -> None:
        self.lines.append(text % values if values else text)

    warning = info


def alike(line: str) -> str:
    """Return a line of the log without its numbers and its table's name, which change from run to run."""
    tables = "|".join(table.name for model in DEFAULT_WORLD.data_models for table in model.tables)
    return re.sub(rf"\b({tables})(?=:)", "a table", re.sub(r"\b\d+\b", "1", line)).rstrip()


# Connection and result


@pytest.mark.parametrize("shell", blocks("connection.md", "connection"), ids=["json", "uri"])
def test_each_form_of_the_connection_means_the_same_server(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, assignment = shlex.split(shell)
    monkeypatch.setenv(*assignment.split("=", 1))

    server = MstrHook().server

    assert server.url == "https://strategy.example.com/MicroStrategyLibrary"
    assert (server.credentials.login, server.credentials.password) == ("etl", "secret")
    assert (server.credentials.mode, server.project, server.timeout) == (LoginMode.LDAP, "Tutorial", 60.0)


def test_the_connection_page_has_every_field_of_the_form_under_its_label() -> None:
    (form,) = get_provider_info()["connection-types"]
    labels = UI_FIELD_BEHAVIOUR["relabeling"] | {
        name: field["label"] for name, field in form["conn-fields"].items()
    }
    shown = {row[0] for row in rows("connection.md")}
    assert {f"{label}: {name}" for name, label in labels.items()} <= shown
    assert {"login", "port"} <= shown


def test_the_connection_page_has_every_login_mode() -> None:
    modes = {(mode.name.lower(), str(mode.value)) for mode in LoginMode}
    assert modes <= {tuple(row[:2]) for row in rows("connection.md")}


@pytest.mark.usefixtures("mstr_connection")
@pytest.mark.parametrize(
    ("page", "make"),
    [
        ("cube", lambda: MstrRefreshCubeOperator(task_id="refresh", cube_id=SALES_CUBE.id)),
        ("report", lambda: MstrRunIncrementalRefreshOperator(task_id="run", report_id=SALES_UPDATE.id)),
    ],
    ids=["cube", "report"],
)
def test_the_result_of_a_cube_or_report_is_as_its_page_shows_it(page: str, make: Callable[[], Any]) -> None:
    (shown,) = map(json.loads, blocks(f"operators/{page}.md", "result"))

    assert perform(make).result | {"seconds": shown["seconds"]} == shown


@pytest.mark.usefixtures("mstr_connection")
def test_the_result_has_the_form_that_the_page_shows() -> None:
    (shown,) = map(json.loads, blocks("operators/result.md", "result"))

    result = perform(lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL)).result

    assert result.keys() == shown.keys() == {row[0] for row in rows("operators/result.md")} - {"field", "---"}
    assert result["tables"][0].keys() == shown["tables"][0].keys()


FAILS = {"publish_failure": PublishFailure("error")}
VANISHES = {"ended_job_seconds": 0}
LASTS = {"publish_seconds": 60}

# How a row of the table begins; the settings of the sandbox, the fault of a call, the arguments
VERDICTS: dict[str, tuple[dict[str, Any], tuple[str, str] | None, dict[str, Any]]] = {
    "the job is completed": ({}, None, {}),
    "the job is error or stopped": (FAILS, None, {}),
    "the job is waiting_for_autoprompt": ({}, None, {"cube_id": REGION_CUBE.id}),
    "the job is gone, and the last update": (VANISHES, None, {}),
    "the job is gone, and the cube has been idle": (FAILS | VANISHES, None, {}),
    "the user may not read jobs, and the last": ({}, ("get_job", "no_privilege"), {}),
    "the user may not read jobs, and the cube": (FAILS, ("get_job", "no_privilege"), {}),
    "the session is lost": (LASTS, ("get_job", "session_lost"), {}),
    "the job does not end within timeout": (LASTS, None, {"timeout": 0.5}),
    "another job loads the cube": (LASTS, None, {"when_busy": "fail"}),
    "the user may not publish the cube": ({}, ("publish_cube", "no_privilege"), {}),
}


@pytest.mark.parametrize("beginning", VERDICTS)
@pytest.mark.usefixtures("mstr_connection", "brisk")
@pytest.mark.mstr_sandbox(publish_seconds=0.5)
def test_a_refresh_of_a_cube_ends_as_the_page_states(beginning: str, mstr_sandbox: Sandbox) -> None:
    ((_, task, retries),) = [row for row in rows("operators/cube.md") if row[0].startswith(beginning)]
    settings, fault, arguments = VERDICTS[beginning]
    mstr_sandbox.change(**settings)
    if fault is not None:
        mstr_sandbox.add_fault(*fault, times=None)
    if beginning == "another job loads the cube":
        mstr_sandbox.start_load("Sales Cube")

    performed = perform(
        lambda: MstrRefreshCubeOperator(task_id="refresh", **{"cube_id": SALES_CUBE.id} | arguments)
    )

    error = performed.error
    if error is None:
        assert task == "succeeds"
    else:
        failed = meaning(error)
        assert f"as {type(failed).__name__}" in task
        assert retries == ("yes" if failed is error else "no")


STATED = {
    "operators/cube.md": {
        "idle for 60 seconds": poller.MAX_IDLE_SECONDS == 60,
        "no answer for five minutes": poller.MAX_RETRY_SECONDS == 300,
        "if it comes three times": cube.CONFIRMATIONS == 3,
        "reads the cube for up to 8 seconds": cube.MAX_SECONDS_TO_FIND_OUT == 8,
        "the start waits 4 seconds": start.SETTLE_PAUSE == 4,
    },
    "operators/one-task.md": {"polls for three seconds on the worker": WORKER_SECONDS == 3},
    "limits.md": {
        "two hours by default": DEFAULT_TIMEOUT == 2 * 60 * 60,
        "`timeout` of the connection, 30 seconds by default": connection.DEFAULT_TIMEOUT == 30,
        "32 MiB": body.MAX_BODY_BYTES == 32 * 2**20,
        "a tenth of the time that has passed": poller.SHARE_OF_ELAPSED == 0.1,
        "the default `poll_interval` of 30 seconds": DEFAULT_POLL_INTERVAL == 30,
    },
    "operators/index.md": {
        "a tenth of the time that has passed": poller.SHARE_OF_ELAPSED == 0.1,
        "the default of two hours": DEFAULT_TIMEOUT == 2 * 60 * 60,
    },
    "connection.md": {
        "30 by default": connection.DEFAULT_TIMEOUT == 30,
        f"{{base}}{data_model.DataModelJob.link_path}": True,
        f"{{base}}{cube.CubeJob.link_path}": True,
        "for a minute before the publish, and for five minutes after it": (
            (retry.MAX_RETRY_SECONDS, poller.MAX_RETRY_SECONDS) == (60, 300)
        ),
    },
    "how-it-works.md": {
        "the number says the same again two polls later": data_model.CONFIRMATIONS == 3,
        "the default `poll_interval` of 30 seconds": DEFAULT_POLL_INTERVAL == 30,
    },
    "security.md": {
        "It opens for a week at most": sealing.SEAL_LIFETIME == 7 * 24 * 60 * 60,
        "n = 65536, r = 8, p = 2": (
            (quick_keys.SCRYPT_COST, sealing.SCRYPT_BLOCK_SIZE, sealing.SCRYPT_PARALLELISM) == (65536, 8, 2)
        ),
        "The clocks of two machines may differ by up to ten minutes": sealing.MAX_CLOCK_DIFFERENCE == 600,
        "no more than 3,000, and one login no more than 50": (
            (hooks.MAX_REGISTERED_SECRETS, base_driver.MAX_SECRETS) == (3000, 50)
        ),
    },
}


@pytest.mark.parametrize("page", STATED)
def test_the_times_and_limits_of_a_page_are_correct(page: str) -> None:
    for sentence, is_correct in STATED[page].items():
        assert sentence in " ".join(PAGES[page].split()), sentence
        assert is_correct, sentence


# Errors


def section(name: str) -> str:
    """Return the text of an error's section."""
    return PAGES["errors.md"].split(f"\n### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]


def test_every_error_is_listed_with_whether_it_is_retried() -> None:
    listed = re.findall(
        r"^\| \[`(\w+)`\]\(#(\w+)\) \| .+ \| (yes|no)\b.* \|$", PAGES["errors.md"], re.MULTILINE
    )

    assert {name: retried == "yes" for name, _, retried in listed} == {
        name: kind.retryable for name, kind in KINDS.items()
    }
    assert all(anchor == name.lower() for name, anchor, _ in listed)


@pytest.mark.parametrize("name", KINDS)
def test_every_error_has_its_cause_and_what_to_do(name: str) -> None:
    assert re.findall(r"^\*\*(.+?)\.\*\*", section(name), re.MULTILINE) == ["Why", "What to do"]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("mstr_connection", "brisk")
def test_every_error_has_the_text_that_the_page_shows(
    name: str, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = Provocations(mstr_sandbox, monkeypatch, tmp_path).of(name)

    assert type(meaning(error)).__name__ == name
    assert steady(str(error)) == shown(name), "python tests/support/provocations.py"


# The sandbox


def test_the_testing_page_has_every_kind_of_fault() -> None:
    named = {kind for row in rows("testing.md") for kind in row[0].split(", ")}
    assert {*get_args(FaultKind)} <= named


def test_the_testing_page_has_the_sandboxs_data_models() -> None:
    shown = {row[1]: row for row in rows("testing.md")}
    tutorial = DEFAULT_WORLD.in_project(DEFAULT_WORLD.projects[0].id)
    models = [model for model in tutorial if model.name in shown]
    assert len(models) >= 4
    for model in models:
        assert shown[model.name][0] == model.id
        assert all(table.name in shown[model.name][2] for table in model.tables)


@pytest.mark.usefixtures("mstr_connection", "brisk")
def test_the_testing_page_names_the_calls_that_a_refresh_makes(mstr_sandbox: Sandbox) -> None:
    perform(lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL))

    (sentence,) = re.findall(r"The calls that a\s+refresh makes are (.+?);", PAGES["testing.md"], re.DOTALL)
    assert {*re.findall(r"`(\w+)`", sentence)} == {*mstr_sandbox.report().requests}


def test_the_reference_has_every_public_name_of_the_sandbox(site: Path) -> None:
    page = (site / "reference" / "sandbox.html").read_text()
    for name in sandbox_package.__all__:
        assert f'.{name}"' in page or f"<code>{name}</code>" in page, name
    for field in fields(Settings):
        assert field.name in page
