# SPDX-License-Identifier: Apache-2.0
"""Refresh a data model of the sandbox from an example DAG, and show it while it happens.

Exit code 0 only where the sandbox says that every table was loaded and nothing was left open.
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
from rich.table import Table

from airflow_provider_mstr.sandbox import Report, Sandbox, Settings

DAG_ID = "mstr_refresh_in_steps"
DATA_MODEL = "Retail"
PUBLISH_SECONDS = 8.0

STYLES = {"running": "yellow", "success": "green", "failed": "bold red"}

console = Console(highlight=False, soft_wrap=True)


class Screen:
    """Shows the JSON lines of a running DAG to a person."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._task = ""

    def show(self, line: str) -> None:
        """Show a line, if a person would care for it.

        :param line: a JSON line of the run, or whatever else it printed
        """
        said = _json(line)
        if "task" in said:
            self._task = said["task"]
            self._print(self._task, f"[{STYLES[said['state']]}]{said['state']}[/] {said.get('error', '')}")
        elif "airflow_provider_mstr" in said.get("logger", ""):
            who = "triggerer" if ".triggers." in said["logger"] else self._task
            self._print(who, said["event"])

    def _print(self, who: str, what: str) -> None:
        console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/]  {who:<10} {what}")


def main() -> int:
    """Run the demo, and return its exit code."""
    with tempfile.TemporaryDirectory() as home, Sandbox(Settings(publish_seconds=PUBLISH_SECONDS)) as sandbox:
        console.rule(f"[bold]{DAG_ID}[/] against a sandbox Library server")
        console.print(
            f"The server is {sandbox.url}; an Airflow of its own is set up, which takes some seconds.\n"
        )
        succeeded = run_dag(home, sandbox.airflow_connection())
        report = sandbox.report()
    return show(report) if succeeded else 1


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
        console.print(f"[bold red]The run failed.[/]\n{log.read_text()[-2000:]}")
    return run.returncode == 0


def show(report: Report) -> int:
    """Show what the sandbox saw, and return 0 where it saw a whole refresh with nothing left behind.

    :param report: the sandbox's report
    """
    console.print()
    console.rule("What the sandbox saw")
    console.print(_tables(report))
    facts = {
        "logins": report.logins,
        "logouts": report.logouts,
        "publishes": len(report.publishes),
        "sessions left": report.open_sessions,
        "instances left": report.instances_open,
    }
    console.print("   ".join(f"{name} [bold]{number}[/]" for name, number in facts.items()))
    console.print("   ".join(f"[dim]{call} {number}[/]" for call, number in report.requests.items()))
    loaded = [table.status == "completed" for publish in report.publishes for table in publish.tables]
    clean = report.open_sessions == report.instances_open == 0 and len(report.publishes) == 1
    good = bool(loaded) and all(loaded) and clean
    verdict = "[green]Every table was loaded, nothing is left open." if good else "[red]Not all is well."
    console.print(f"\n[bold]{verdict}")
    return 0 if good else 1


def _tables(report: Report) -> Table:
    tables = Table(title=f"Data model {DATA_MODEL}", title_justify="left")
    for column in ("Table", "Refresh policy", "State"):
        tables.add_column(column)
    for publish in report.publishes:
        for table in publish.tables:
            tables.add_row(table.name, table.refresh_policy, f"[green]{table.status}[/]")
    return tables


def _json(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
