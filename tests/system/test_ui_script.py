# SPDX-License-Identifier: Apache-2.0
"""What ``make ui`` serves, and what it prints."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import needs
import pytest
import requests
from deployment import free_port

from airflow_provider_mstr.sandbox.world import RETAIL

pytestmark = [needs.RENDERED_IN_LISTS, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
LAST_LINE = "Ctrl-C stops"


@pytest.fixture(scope="module")
def printed() -> Iterator[str]:
    """What the script prints until it is ready; Ctrl-C ends it, with the exit code 0."""
    path = os.pathsep.join(filter(None, (str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PORT": str(free_port()), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(ROOT / "scripts" / "ui.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as script:
        lines: list[str] = []
        try:
            for line in script.stdout or ():
                lines.append(line)
                if line.startswith(LAST_LINE):
                    break
            yield "".join(lines)
        finally:
            script.send_signal(signal.SIGINT)
            assert script.wait(timeout=120) == 0, "".join(lines)


@pytest.fixture(scope="module")
def url(printed: str) -> str:
    found = re.search(r"Airflow is at (\S+),", printed)
    assert found, printed
    return found[1]


def api(url: str, path: str, body: Any = None) -> Any:
    token = requests.get(f"{url}/auth/token", timeout=60).json()["access_token"]
    method = "GET" if body is None else "POST"
    headers = {"Authorization": f"Bearer {token}"}
    response = requests.request(method, f"{url}/api/v2/{path}", json=body, headers=headers, timeout=300)
    response.raise_for_status()
    return response.json()


def test_the_connection_is_in_the_list_and_its_test_button_works(url: str) -> None:
    (connection,) = api(url, "connections")["connections"]
    assert (connection["connection_id"], connection["conn_type"]) == ("mstr_default", "mstr")
    # The button sends the connection as the list shows it; a port that is not stored, as 0.
    tested = api(url, "connections/test", connection | {"port": connection["port"] or 0})
    assert (tested["status"], "Tutorial" in tested["message"]) == (True, True)


def test_all_dags_are_ready_to_run(url: str) -> None:
    dags = {dag["dag_id"]: dag["is_paused"] for dag in api(url, "dags")["dags"]}
    assert {"mstr_refresh_in_one_task", "demo_fast", "demo_slow", "demo_stale", "demo_failing"} <= dags.keys()
    assert not any(dags.values())


def test_a_refresh_by_id_has_the_name_among_its_rendered_fields(url: str) -> None:
    refresh = api(url, "dags/demo_fast/dagRuns/history_1/taskInstances/refresh")
    assert (refresh["rendered_fields"]["data_model_id"], refresh["rendered_fields"]["data_model"]) == (
        RETAIL.id,
        RETAIL.name,
    )


def test_the_page_shows_a_failing_a_stale_and_a_fast_model(url: str, chromium: str) -> None:
    pytest.importorskip("playwright.sync_api")
    from browsing import CHROMIUM_ARGS, Pages
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(300_000)
        refreshes = Pages(page, url).refreshes()
        statuses = {"Finance": "Failing", "Supply Chain": "Stale", "Retail": "Up to date"}
        for model, status in statuses.items():
            row = refreshes.get_by_role("row").filter(has_text=model)
            expect(row.get_by_text(status, exact=True)).to_be_visible(timeout=300_000)
        browser.close()


def test_each_command_that_is_printed_works(printed: str) -> None:
    commands = [shlex.split(line) for line in printed.splitlines() if line.strip().startswith("curl ")]
    assert len(commands) == 7
    for _, *words in commands:
        done = subprocess.run(["curl", "--silent", "--show-error", "--fail", *words], capture_output=True)
        assert done.returncode == 0, (words, done.stderr)


def test_each_address_that_is_printed_exists(printed: str) -> None:
    addresses = [line.strip() for line in printed.splitlines() if line.strip().startswith("http://")]
    assert len(addresses) == 5
    for address in addresses:
        assert requests.get(address, timeout=300).ok
