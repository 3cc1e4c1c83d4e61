# SPDX-License-Identifier: Apache-2.0
"""What a refresh costs in a real Airflow, and how soon its end is known there, each way beside the others.

Late are the task's success in Airflow's database, and the start of the task that follows, both counted from
the moment when the server had loaded the last table. All ways run side by side, begun one after the other.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any

import psutil
from real_airflow import environment
from standalone import Standalone
from tables import show, surroundings
from ways import LENGTHS, WAYS, model_of

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox, Settings

# Seconds between the starts of two ways, and between two samples of the workers.
STAGGER = 3.0
SAMPLING = 0.25

LONGEST_RUN = 600.0

HEADER = (
    "publish, s",
    "way",
    "success late, s",
    "next task late, s",
    "worker held, s",
    "its CPU, s",
    "its memory, MiB",
)


@dataclass
class Use:
    """What worker processes have used, as far as samples show it.

    :param command: what the process is called
    :param seconds: how long they were there
    :param cpu: seconds of a core
    :param mib: memory that is their own, at most
    """

    command: str = ""
    seconds: float = 0.0
    cpu: float = 0.0
    mib: float = 0.0


class Sampler(threading.Thread):
    """Samples the worker processes of an Airflow while the ``with`` block lasts."""

    def __init__(self) -> None:
        super().__init__(name="sampler")
        self._stopped = threading.Event()
        self._used: dict[psutil.Process, Use] = {}

    def __enter__(self) -> Sampler:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Sample until the block ends."""
        while not self._stopped.wait(SAMPLING):
            for process in psutil.Process().children(recursive=True):
                try:
                    self._sample(process)
                except psutil.Error:
                    continue

    def used_by(self, attempts: Sequence[str]) -> Use:
        """Return what task instances have used.

        :param attempts: their ids
        """
        ours = [use for use in self._used.values() if any(each in use.command for each in attempts)]
        return Use(
            "all",
            sum(use.seconds for use in ours),
            sum(use.cpu for use in ours),
            max((use.mib for use in ours), default=0.0),
        )

    def _sample(self, process: psutil.Process) -> None:
        command = " ".join(process.cmdline())
        # What watches over a task is named after it too.
        if "LocalExecutor" in command or "airflow" not in command:
            return
        use = self._used.setdefault(process, Use())
        times = process.cpu_times()
        # A worker is named after its task only once it has begun.
        use.command = command
        use.seconds = time.time() - process.create_time()
        use.cpu = times.user + times.system
        use.mib = max(use.mib, process.memory_full_info().uss / 2**20)


def main() -> None:
    """Run every way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", choices=LENGTHS, default=list(LENGTHS))
    options = parser.parse_args()
    print(surroundings())
    models = tuple(model_of(way, seconds) for way in WAYS for seconds in LENGTHS)
    world = replace(DEFAULT_WORLD, data_models=models)
    with (
        tempfile.TemporaryDirectory() as home,
        Sandbox(Settings(session_cap=20), world) as sandbox,
        Standalone(environment(home, sandbox, CORE__PARALLELISM="8")) as airflow,
        Sampler() as sampler,
    ):
        # The first tasks of a worker load Airflow itself.
        _run_all(airflow, LENGTHS[0])
        rows = [
            (seconds, WAYS[way], *_figures(run, _end_of(sandbox, way, seconds), sampler))
            for seconds in options.lengths
            for way, run in _run_all(airflow, seconds).items()
        ]
    show("A refresh in a real Airflow", HEADER, rows)


def _run_all(airflow: Standalone, seconds: int) -> dict[str, dict[str, Any]]:
    """Refresh in all ways side by side, and return the task instances of each by task id."""
    runs = {}
    for way in WAYS:
        dag_id = model_of(way, seconds).name
        runs[way] = (dag_id, airflow.trigger(dag_id))
        time.sleep(STAGGER)
    return {way: _tasks(airflow, *run) for way, run in runs.items()}


def _tasks(airflow: Standalone, dag_id: str, run_id: str) -> dict[str, Any]:
    ended = airflow.ended(dag_id, run_id, LONGEST_RUN)
    if ended["state"] != "success":
        raise RuntimeError(f"{dag_id} has failed")
    return airflow.tasks(dag_id, run_id)


def _end_of(sandbox: Sandbox, way: str, seconds: int) -> float:
    """Return when the last publish of a way has ended, in seconds since the epoch."""
    name = model_of(way, seconds).name
    *_, last = (publish for publish in sandbox.report().publishes if publish.data_model == name)
    if last.state != "completed" or last.ended_at is None:
        raise RuntimeError(f"{name} was not loaded: {last}")
    return last.ended_at


def _figures(tasks: dict[str, Any], end: float, sampler: Sampler) -> tuple[float, ...]:
    known = datetime.fromisoformat(tasks["refresh"]["end_date"]).timestamp()
    followed = datetime.fromisoformat(tasks["following"]["start_date"]).timestamp()
    used = sampler.used_by([task["id"] for name, task in tasks.items() if name != "following"])
    return known - end, followed - end, used.seconds, used.cpu, used.mib


if __name__ == "__main__":
    main()
