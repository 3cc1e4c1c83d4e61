# SPDX-License-Identifier: Apache-2.0
"""The processes of an Airflow: each part is a tree of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

import psutil


def tree(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all that it has started.

    :param process: the process
    """
    return [process, *process.children(recursive=True)]


def lives(process: psutil.Process) -> bool:
    """Return whether a process still runs.

    :param process: the process
    """
    # standalone does not collect its children, so what has ended remains as a zombie.
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def left_of(processes: Iterable[psutil.Process], timeout: float) -> list[psutil.Process]:
    """Wait until processes have ended, and return those that have not in time.

    :param processes: the processes
    :param timeout: seconds to wait
    """
    deadline = time.monotonic() + timeout
    left = list(processes)
    while left and time.monotonic() < deadline:
        left = [process for process in left if lives(process)]
        time.sleep(0.1)
    return left


def kill(process: psutil.Process) -> None:
    """Kill a process and all that it has started, as if their machine had failed; return when they are gone.

    :param process: the process
    """
    whole = tree(process)
    for each in whole:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    left_of(whole, timeout=30)


def end(parts: Iterable[psutil.Process]) -> None:
    """End processes cleanly; kill what of them, or of all that they have started, does not end.

    :param parts: the processes
    """
    parts = list(parts)
    everything = [process for part in parts for process in tree(part)]
    for part in parts:
        part.terminate()
        part.resume()
    left_of(parts, timeout=10)
    for process in left_of(everything, timeout=10):
        process.kill()


def command(process: psutil.Process) -> str:
    """Return what a process runs, as it says itself; nothing where it is gone.

    :param process: the process
    """
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
