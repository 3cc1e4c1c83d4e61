# SPDX-License-Identifier: Apache-2.0
"""Serve a real Airflow with the sandbox and the example DAGs, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading

from airflow_home import airflow_environment
from rich.console import Console
from standalone import Standalone

from airflow_provider_mstr.sandbox import Sandbox, Settings

PUBLISH_SECONDS = 20.0

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Serve until a signal comes, and return 0."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    settings = Settings(publish_seconds=PUBLISH_SECONDS)
    with tempfile.TemporaryDirectory() as home, Sandbox(settings) as sandbox:
        console.print("Starting Airflow, which takes half a minute ...")
        environment = airflow_environment(home, sandbox.airflow_connection(), port=_port())
        with Standalone(environment) as airflow:
            console.print(f"\nAirflow   [bold]{airflow.url}[/]   (no login needed; see the DAGs tagged mstr)")
            console.print(f"Sandbox   {sandbox.url}   (what it saw: {sandbox.origin}/sandbox/report)")
            console.print("\nCtrl-C stops both.")
            stopped.wait()
            console.print("Stopping ...")
    console.print("Stopped.")
    return 0


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
