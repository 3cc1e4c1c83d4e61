# SPDX-License-Identifier: Apache-2.0
"""A real Airflow on the CeleryExecutor, each part a process of its own."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Mapping

import processes
import psutil
from deployment import Deployment

WORKERS = ("first", "second")

# Processes of each worker that take tasks.
CONCURRENCY = 8

# Redis hands a worker's message to another one where it was not acknowledged for so many seconds.
VISIBILITY_TIMEOUT = 60

_TASK = "airflow worker -- "


class AirflowOnCelery(Deployment):
    """An Airflow with two workers and two triggerers.

    :param environment: what ``airflow_environment`` returned
    :param slots: how many the pool of the refreshes has
    :param broker: the address of Redis
    :param database: the address of PostgreSQL
    """

    def __init__(self, environment: Mapping[str, str], slots: int, broker: str, database: str) -> None:
        settings = {
            "CORE__EXECUTOR": "CeleryExecutor",
            "CORE__PARALLELISM": "32",
            "API__WORKERS": "1",
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "CELERY__BROKER_URL": broker,
            "CELERY__RESULT_BACKEND": f"db+{database}",
            "CELERY__WORKER_CONCURRENCY": str(CONCURRENCY),
            "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(VISIBILITY_TIMEOUT),
            "DATABASE__SQL_ALCHEMY_CONN": database,
        }
        super().__init__(
            {**environment, **{f"AIRFLOW__{name}": value for name, value in settings.items()}}, slots
        )
        self._workers: list[psutil.Process] = []

    @property
    def workers(self) -> tuple[psutil.Process, ...]:
        """The workers that run."""
        return tuple(filter(processes.lives, self._workers))

    @staticmethod
    def attempts_on(worker: psutil.Process) -> frozenset[str]:
        """Return the ids of the task instances that run on a worker.

        :param worker: the worker
        """
        titles = map(processes.command, worker.children(recursive=True))
        return frozenset(title.removeprefix(_TASK).strip() for title in titles if title.startswith(_TASK))

    def kill(self, worker: psutil.Process) -> frozenset[str]:
        """Kill a worker and all that runs on it, and return the ids of the task instances among that.

        :param worker: the worker
        """
        # What stands still neither ends nor begins between the look and the kill.
        for process in processes.tree(worker):
            process.suspend()
        attempts = self.attempts_on(worker)
        processes.kill(worker)
        return attempts

    def _start(self) -> None:
        with self.log.open("ab") as log:
            migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(migrate, env=self.environment, stdout=log, stderr=log, check=True)
        for part in ("api-server", "scheduler", "dag-processor"):
            self._part(part)
        first = self._part("triggerer")
        for name in WORKERS:
            worker = ("celery", "worker", "--celery-hostname", name, "--skip-serve-logs")
            self._workers.append(self._part(*worker, "--without-mingle", "--without-gossip"))
        self._wait_until_healthy()
        self._note_triggerer(first)
        self.start_triggerer()
        self.wait_until(self._every_worker_is_ready, timeout=120)

    def _every_worker_is_ready(self) -> bool:
        text = self.log.read_text()
        return all(f"{name} ready." in text for name in WORKERS)
