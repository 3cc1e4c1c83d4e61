# SPDX-License-Identifier: Apache-2.0
"""Interrupts a command while its load runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from airflow_provider_mstr.sandbox import Sandbox


def assert_interruption_stops_the_load(
    command: list[str], number: signal.Signals, sandbox: Sandbox, *, polls: int, folder: Path
) -> None:
    """Run a command of ``airflow mstr``, interrupt it, and check that it stops the load and says so.

    :param command: the command and its arguments
    :param number: the signal that interrupts it
    :param sandbox: the server, whose publishes do not end by themselves
    :param polls: the number of polls after which the signal is sent
    :param folder: the folder that the command runs in
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow", "mstr", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        sandbox.wait_for(lambda report: report.requests.get("publish_status", 0) > polls, timeout=90)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert "Stopping the load and closing the session" in err
    assert "Traceback" not in err
    assert sandbox.report().publishes[0].state == "cancelled"
