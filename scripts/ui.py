# SPDX-License-Identifier: Apache-2.0
"""Serve a real Airflow with the sandbox, the example DAGs and a history of refreshes, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_home import EXAMPLE_DAGS, airflow_environment
from demo_history import DEMO_DAGS, FAILING, FAST, RUNNING, SLOW, STALE, History, demo_world, make_history
from rich.console import Console
from standalone import Standalone

from airflow_provider_mstr.sandbox import Sandbox, Settings

PUBLISH_SECONDS = 20.0
CONNECTION_ID = "mstr_default"
SIGNALS = (signal.SIGINT, signal.SIGTERM)

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Serve until a signal comes, and return 0."""
    for number in SIGNALS:
        signal.signal(number, _stop)
    with suppress(KeyboardInterrupt):
        serve()
    console.print("Stopped.")
    return 0


def serve() -> None:
    """Start Airflow and the sandbox, and serve them until KeyboardInterrupt."""
    started_at = time.monotonic()

    def show(step: str) -> None:
        console.print(f"[dim]{time.monotonic() - started_at:6.1f} s[/]  {step}")

    with (
        tempfile.TemporaryDirectory() as home,
        Sandbox(Settings(publish_seconds=PUBLISH_SECONDS), demo_world()) as sandbox,
    ):
        show("Starting Airflow: half a minute, or more on a busy machine")
        with Standalone(ui_environment(Path(home), sandbox)) as airflow:
            show(f"Adding the connection {CONNECTION_ID}")
            airflow.api("POST", "connections", stored_connection(sandbox))
            show("Refreshing four data models for a history: a minute")
            make_history(airflow, sandbox, show)
            show("Ready")
            console.print(guide(airflow.url, sandbox), markup=False)
            threading.Event().wait()


def _stop(*_: object) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    console.print("Stopping ...")
    raise KeyboardInterrupt


def ui_environment(home: Path, sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of an Airflow with all DAGs unpaused and no connection yet.

    :param home: the folder of that Airflow
    :param sandbox: the sandbox
    """
    dags = home / "dags"
    dags.mkdir()
    for folder in (EXAMPLE_DAGS, DEMO_DAGS):
        (dags / folder.name).symlink_to(folder)
    environment = airflow_environment(home, "", dags=dags, port=_port())
    # Airflow reads a connection there first, but does not list it.
    del environment["AIRFLOW_CONN_MSTR_DEFAULT"]
    return environment | {
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # Airflow starts faster if it does not read the DAGs again meanwhile.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    }


def stored_connection(sandbox: Sandbox) -> dict[str, object]:
    """Return the connection to the sandbox in the form of Airflow's API.

    :param sandbox: the sandbox
    """
    fields: dict[str, object] = json.loads(sandbox.airflow_connection())
    # Up to Airflow 3.3.2, the Test button needs a port.
    return fields | {
        "connection_id": CONNECTION_ID,
        "description": "The sandbox of make ui",
        "port": 0,
        "extra": json.dumps(fields["extra"]),
    }


def guide(url: str, sandbox: Sandbox) -> str:
    """Return what to click, and how to break something.

    :param url: Airflow's address
    :param sandbox: the sandbox
    """
    control = f"{sandbox.origin}/sandbox"
    fast, slow, stale, failing = (each.data_model.name for each in (FAST, SLOW, STALE, FAILING))
    table_fails = {"publish_failure": {"kind": "error", "table": "lu_store"}}
    no_answer = {"call": "any", "kind": "status", "status": 503, "times": 30}
    repaired = {"publish_failure": None, "publish_seconds": PUBLISH_SECONDS}
    return f"""
Airflow is at {url}, without a login. It refreshes a sandbox, which simulates a Strategy server.

CLICK
  All refreshes, in the menu Browse
    {url}/plugin/strategy-refreshes
    {failing} fails, {stale} is stale, {slow} is slow and loads now, {fast} is up to date.
    This history is from the demo: real refreshes, made just now and dated back by some hours.
  One refresh, a tab of its task: one that runs, and one that failed
    {_tab(url, SLOW, RUNNING)}
    {_tab(url, FAILING, FAILING.last_run)}
  A DAG; press Trigger
    {url}/dags/mstr_refresh_in_one_task
  The connection; press its Test button
    {url}/connections

BREAK SOMETHING from another terminal, then trigger the DAG
  The table lu_store of Retail fails
    {_curl(table_fails, f"{control}/settings")}
  The server does not answer, 30 times
    {_curl(no_answer, f"{control}/faults")}
  Each load takes two minutes
    {_curl({"publish_seconds": 120}, f"{control}/settings")}
  Another job loads Sales Cube, so that the DAG mstr_refresh_model_and_cube waits
    {_curl({"cube": "Sales Cube"}, f"{control}/loads")}
  Repair it all, {failing} too
    {_curl(repaired, f"{control}/settings")}
    curl -X DELETE {control}/faults
    curl -X POST {control}/finish
  More faults are in docs/testing.md

Ctrl-C stops Airflow and the sandbox.
"""


def _tab(url: str, history: History, run_id: str) -> str:
    return f"{url}/dags/{history.dag_id}/runs/{run_id}/tasks/refresh/plugin/strategy-refresh"


def _curl(body: Any, url: str) -> str:
    return f"curl -d '{json.dumps(body)}' {url}"


def _port() -> int:
    """Return the port of the web server: the one asked for, else Airflow's usual one, else a free one."""
    wanted = int(os.environ.get("PORT", "8080"))
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
