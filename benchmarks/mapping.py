# SPDX-License-Identifier: Apache-2.0
"""What many refreshes by one mapped task cost a real Airflow, whose triggerer holds all of them at once."""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from real_airflow import environment
from standalone import Standalone
from tables import show, surroundings
from ways import MAPPED, mapped_models

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox, Settings

# Seconds that the stages may take at most.
LONGEST_STAGE = 3600.0

BLOCKED = "Triggerer's async thread was blocked"


def main() -> None:
    """Run the mapped task, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refreshes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    print(surroundings())
    number = options.refreshes
    world = replace(DEFAULT_WORLD, data_models=mapped_models(number))
    # Their publishes end when all of them have begun, and been watched.
    settings = Settings(publish_seconds=LONGEST_STAGE, session_cap=number)
    with tempfile.TemporaryDirectory() as home, Sandbox(settings, world) as sandbox:
        with Standalone(_environment(home, sandbox, number)) as airflow:
            began = time.monotonic()
            run_id = airflow.trigger(MAPPED)
            airflow.wait_until(lambda: _in_state(airflow, run_id, "deferred") == number, LONGEST_STAGE)
            deferred = time.monotonic() - began
            _await_polls(airflow, sandbox, number)
            waiting = list(_waiting(airflow, sandbox, options.seconds))
            stored = list(_kept(airflow.home))
            began = time.monotonic()
            sandbox.finish_publishes()
            run = airflow.ended(MAPPED, run_id, LONGEST_STAGE)
            ended = time.monotonic() - began
            stored += _left_behind(airflow.home)
        report = sandbox.report()
    done = sum(publish.state == "completed" for publish in report.publishes)
    if (run["state"], done, len(report.publishes)) != ("success", number, number) or report.open_sessions:
        raise RuntimeError(
            f"the run has ended as {run['state']}, with {done} publishes: {report.open_sessions}"
        )
    show(
        f"{number:,} deferred tasks in one triggerer, for {options.seconds:g} s", ("what", "figure"), waiting
    )
    stages = (
        ("until all were deferred, s", deferred),
        ("from the end of all publishes to the run's, s", ended),
    )
    show(f"{number:,} mapped refreshes in one run", ("what", "figure"), stages)
    show("What each of them stores", ("what", "bytes on average", "bytes at most"), stored)


def _environment(home: str, sandbox: Sandbox, number: int) -> dict[str, str]:
    return environment(
        home,
        sandbox,
        mapped=number,
        CORE__PARALLELISM="16",
        CORE__MAX_ACTIVE_TASKS_PER_DAG=str(number),
        CORE__MAX_MAP_LENGTH=str(number),
        SCHEDULER__MAX_TIS_PER_QUERY="64",
        TRIGGERER__CAPACITY=str(number),
    )


def _in_state(airflow: Standalone, run_id: str, state: str) -> int:
    """Return how many of the mapped tasks are in a state."""
    path = f"dags/{MAPPED}/dagRuns/{run_id}/taskInstances"
    failed = airflow.api("GET", f"{path}?state=failed&limit=1")["total_entries"]
    if failed and state != "failed":
        raise RuntimeError(f"{failed} refreshes have failed")
    return int(airflow.api("GET", f"{path}?state={state}&limit=1")["total_entries"])


def _await_polls(airflow: Standalone, sandbox: Sandbox, number: int) -> None:
    """Return once each refresh was polled by its trigger for some time."""
    polls = _polls(sandbox)
    airflow.wait_until(lambda: _polls(sandbox) - polls > 3 * number, LONGEST_STAGE)


def _polls(sandbox: Sandbox) -> int:
    return sandbox.report().requests["publish_status"]


def _waiting(airflow: Standalone, sandbox: Sandbox, seconds: float) -> Iterator[tuple[str, Any]]:
    """Yield what the triggerer uses while all wait."""
    parent, runner = _triggerer()
    processes = {"that of its log and its database": parent, "that of its event loop": runner}
    polls, blocked = _polls(sandbox), airflow.log.read_text().count(BLOCKED)
    before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    polls = _polls(sandbox) - polls
    yield "polls/s", polls / took
    for name, process in processes.items():
        cpu = sum(process.cpu_times()[:2]) - before[name]
        yield f"CPU of a core, {name}", f"{cpu / took:.1%}"
        yield f"CPU s per 1,000 polls, {name}", 1000 * cpu / polls
        yield f"memory, MiB, {name}", process.memory_full_info().uss / 2**20
    yield "times the loop was blocked for over 0.2 s", airflow.log.read_text().count(BLOCKED) - blocked


def _triggerer() -> tuple[psutil.Process, psutil.Process]:
    """Return the triggerer's two processes: the one that talks to Airflow, and the one that runs triggers."""
    ours = psutil.Process().children(recursive=True)
    parent = next(each for each in ours if "triggerer" in " ".join(each.cmdline()) and each.children())
    runner = max(parent.children(), key=lambda child: sum(child.cpu_times()[:2]))
    return parent, runner


def _kept(home: Path) -> Iterator[tuple[object, ...]]:
    """Yield the sizes of what Airflow's database keeps of a refresh that waits."""
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        yield (
            "trigger row",
            *database.execute("select avg(length(kwargs)), max(length(kwargs)) from trigger").fetchone(),
        )


def _left_behind(home: Path) -> Iterator[tuple[object, ...]]:
    """Yield the sizes of what is left of a refresh that is done."""
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        sizes = "select key, avg(length(value)), max(length(value)) from xcom group by key order by key"
        for key, average, most in database.execute(sizes):
            yield f"XCom {key}", average, most
    logs = Counter[Path]()
    for path in (home / "logs").rglob("attempt=1.log*"):
        logs[path.parent] += path.stat().st_size
    yield "log", sum(logs.values()) / len(logs), max(logs.values())


if __name__ == "__main__":
    main()
