# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model of the sandbox with the DAG that README shows first, and show it while it happens.

Exit code 0 only if the sandbox confirms that every table was loaded and nothing was left open.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from airflow_home import EXAMPLE_DAGS, airflow_environment
from example_runs import RUNNER
from rich.console import Console
from rich.text import Text

from airflow_provider_mstr.sandbox import Report, Sandbox, Settings

DAG_ID = "mstr_refresh_in_one_task"
PUBLISH_SECONDS = 8.0

STYLES = {"finished": "green", "failed": "bold red", "warning": "yellow"}

NEXT = """
Next
  make ui                 the same in Airflow's web UI, with a history and ways to break it
  docs/connection.md      connect your own Strategy server
  docs/recipes/index.md   refresh after your loads: dbt, Snowflake, assets
"""

console = Console(highlight=False, soft_wrap=True)


class Screen:
    """Shows the JSON lines of a running DAG to a person."""

    def __init__(self) -> None:
        self._started_at = 0.0

    def show(self, line: str) -> None:
        """Show a line if it belongs to the refresh.

        :param line: a JSON line of the run, or other output of it
        """
        entry = _parse(line)
        event, logger = entry.get("event", ""), entry.get("logger", "")
        if "task" in entry:
            self._show_state(**entry)
        elif event.startswith("Pausing task as DEFERRED"):
            self._print("worker", "the task is deferred: from here on, it occupies no worker", "bold")
        elif "airflow_provider_mstr" in logger:
            style = STYLES.get(entry.get("level", "")) or STYLES.get(entry.get("state", ""))
            self._print("triggerer" if ".triggers." in logger else "worker", event, style)

    def _show_state(self, task: str, state: str, error: str = "") -> None:
        if state == "running":
            verb = "resumes" if self._started_at else "starts"
            self._started_at = self._started_at or time.monotonic()
            self._print("worker", f"task {task} {verb}", "bold")
        else:
            style = "bold green" if state == "success" else "bold red"
            self._print("worker", f"task {task}: {state} {error}", style)

    def _print(self, process: str, text: str, style: str | None = None) -> None:
        seconds = time.monotonic() - self._started_at
        console.print(
            Text.assemble((f"{seconds:5.1f} s  ", "dim"), f"{process:<11}", (text.rstrip(), style or ""))
        )


def main() -> int:
    """Run the demo, and return its exit code."""
    with tempfile.TemporaryDirectory() as home, Sandbox(Settings(publish_seconds=PUBLISH_SECONDS)) as sandbox:
        console.print("\n[bold]A DAG refreshes the data model Retail[/]")
        console.print(f"  DAG      example_dags/example_refresh_in_one_task.py ({DAG_ID})")
        console.print(f"  Server   {sandbox.url}, a sandbox that simulates a Strategy server")
        console.print("  Airflow  new, in a temporary folder; its setup takes 10 to 30 seconds ...\n")
        has_succeeded = run_dag(home, sandbox.airflow_connection())
        report = sandbox.report()
    return show(report) if has_succeeded else 1


def run_dag(home: str, connection: str) -> bool:
    """Run the example DAG in another process and show it; return whether the run succeeded.

    :param home: the folder of that Airflow
    :param connection: the connection to the sandbox, as JSON text
    """
    screen = Screen()
    log = Path(home, "demo.log")
    environment = airflow_environment(home, connection) | {"AIRFLOW__LOGGING__JSON_LOGS": "True"}
    command = [sys.executable, str(RUNNER), str(EXAMPLE_DAGS), DAG_ID]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True) as run,
    ):
        for line in run.stdout or ():
            screen.show(line)
    if run.returncode:
        console.print("[bold red]The run failed.")
        console.print(log.read_text()[-2000:], markup=False)
    return run.returncode == 0


def show(report: Report) -> int:
    """Show whether the sandbox confirms the refresh; return 0 if so, otherwise 1.

    :param report: the sandbox's report
    """
    tables = [table for publish in report.publishes for table in publish.tables]
    loaded = [table for table in tables if table.status == "completed"]
    is_closed = report.open_sessions == report.instances_open == 0
    is_confirmed = bool(tables) and loaded == tables and is_closed and len(report.publishes) == 1
    verdict = "[bold green]The sandbox confirms" if is_confirmed else "[bold red]The sandbox does not confirm"
    console.print(f"\n{verdict} the refresh:[/]")
    console.print(f"  {len(loaded)} of {len(tables)} tables loaded")
    console.print(f"  {report.logins} login, {len(report.publishes)} publish, {report.logouts} logout")
    console.print(f"  {report.open_sessions} sessions and {report.instances_open} instances left open")
    if is_confirmed:
        console.print(NEXT)
    return 0 if is_confirmed else 1


def _parse(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
