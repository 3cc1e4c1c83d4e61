# SPDX-License-Identifier: Apache-2.0
"""A real ``airflow standalone``."""

from __future__ import annotations

import processes
import psutil
from deployment import Deployment
from processes import command


class Standalone(Deployment):
    """An Airflow whose tasks run on this machine, by the LocalExecutor."""

    def stop(self) -> None:
        """End Airflow: its parts first, as it hands on no signal but one from a terminal."""
        if self._started and self._started[0].poll() is None:
            processes.end(self._standalone.children())
        super().stop()

    def kill_worker(self, dag_id: str, run_id: str, task_id: str, *, with_supervisor: bool = False) -> None:
        """Kill the process in which a task runs.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param with_supervisor: whether to kill its supervisor too, so that Airflow gets no report
        """
        ours = self._worker_of(dag_id, run_id, task_id)
        (task,) = (process for process in ours if "LocalExecutor" not in command(process))
        for process in ours if with_supervisor else [task]:
            process.kill()

    def await_the_end_of_the_worker(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Return once no process runs a task any more: one that is killed may go on for seconds.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        """
        self.wait_until(lambda: not self._worker_of(dag_id, run_id, task_id))

    def _start(self) -> None:
        self._part("standalone")
        self._wait_until_healthy()
        (first,) = (part for part in self._standalone.children() if "triggerer" in command(part))
        self._note_triggerer(first)

    @property
    def _standalone(self) -> psutil.Process:
        return psutil.Process(self._started[0].pid)

    def _worker_of(self, dag_id: str, run_id: str, task_id: str) -> list[psutil.Process]:
        """Return the processes that run a task: its own, and those which watch over it."""
        task = self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")
        marks = self.rest.marks_of_worker(task)
        ours = self._standalone.children(recursive=True)
        return [each for each in ours if all(mark in command(each) for mark in marks)]
