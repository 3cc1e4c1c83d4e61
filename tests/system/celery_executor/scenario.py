# SPDX-License-Identifier: Apache-2.0
"""What happens: a run of many refreshes, in which a worker and a triggerer are killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil
from airflow_on_celery import AirflowOnCelery
from deployment import NotReadyError
from seen import Kill, Seen

from airflow_provider_mstr.sandbox import Sandbox

DAG_ID = "refresh_many_models"

# The shares of the refreshes that have published when a worker, and then a triggerer, is killed.
WORKER_AT, TRIGGERER_AT = 0.25, 0.6

# How many publishes that run a part has when it is killed, at least.
RUNNING = 2

# Seconds to wait for a moment at which a kill hurts, and for what was killed to go on.
MAX_RETRY_SECONDS = 180.0

TOKEN = "x-mstr-authtoken"
INSTANCE = "x-mstr-datamodelinstanceid"

Task = Mapping[str, Any]
Part = TypeVar("Part")


@dataclass(frozen=True)
class Scenario:
    """One run.

    :param airflow: the Airflow
    :param sandbox: the server
    :param names: the names of the data models, in the order in which they are refreshed
    """

    airflow: AirflowOnCelery
    sandbox: Sandbox
    names: Sequence[str]

    def play(self, timeout: float) -> Seen:
        """Play it, and return what was seen.

        :param timeout: seconds for the run to end
        """
        run_id = self.airflow.trigger(DAG_ID)
        began, kills = time.monotonic(), []
        for share, kill in ((WORKER_AT, self._kill_a_worker), (TRIGGERER_AT, self._kill_a_triggerer)):
            published = share * len(self.names)
            self.sandbox.wait_for(lambda report, n=published: len(report.publishes) >= n, timeout)
            kills.append(kill(run_id))
        with suppress(NotReadyError):
            self.airflow.ended(DAG_ID, run_id, timeout - (time.monotonic() - began))
        return Seen(
            refreshes=len(self.names),
            state=self.airflow.api("GET", f"dags/{DAG_ID}/dagRuns/{run_id}")["state"],
            seconds=time.monotonic() - began,
            kills=tuple(kills),
            tries=tuple(task["try_number"] for task in self._tasks(run_id)),
            output=self._said(),
            report=self.sandbox.report(),
        )

    def _kill_a_worker(self, run_id: str) -> Kill:
        """Kill a worker that has refreshes whose publish runs."""

        def tasks(worker: psutil.Process) -> list[Task]:
            attempts = self.airflow.attempts_on(worker)
            return [task for task in self._tasks(run_id) if task["id"] in attempts]

        worker = self._first(self.airflow.workers, lambda worker: len(self._sessions(tasks(worker))))
        attempts = self.airflow.kill(worker)
        # What had told Airflow already that it defers was not cut off.
        cut_off = [
            task for task in self._tasks(run_id) if task["id"] in attempts and task["state"] == "running"
        ]
        return self._going_on("worker", cut_off)

    def _kill_a_triggerer(self, run_id: str) -> Kill:
        """Kill a triggerer that waits for publishes which run."""

        def tasks(job: int) -> list[Task]:
            deferred = (task for task in self._tasks(run_id) if task["state"] == "deferred")
            return [task for task in deferred if (task["triggerer_job"] or {}).get("id") == job]

        job = self._first(self.airflow.triggerers, lambda job: len(self._sessions(tasks(job))))
        self.airflow.signal_triggerer(job, signal.SIGKILL)
        return self._going_on("triggerer", tasks(job))

    def _first(self, parts: Iterable[Part], running: Callable[[Part], int]) -> Part:
        """Return the first part that has as many publishes that run, once one does."""
        found = list[Part]()

        def one_does() -> bool:
            found.extend(part for part in parts if running(part) >= RUNNING)
            return bool(found)

        self.airflow.wait_until(one_does, MAX_RETRY_SECONDS)
        return found[0]

    def _going_on(self, part: str, tasks: Sequence[Task]) -> Kill:
        """Wait until the server is asked again in each session whose publish runs."""
        began, before = time.monotonic(), len(self.sandbox.requests)
        sessions, took = self._sessions(tasks), dict[str, float]()

        def each_is_asked(_: object) -> bool:
            asked = {request.headers.get(TOKEN) for request in self.sandbox.requests[before:]}
            for session in sessions & asked:
                took.setdefault(session, time.monotonic() - began)
            return took.keys() == sessions

        with suppress(TimeoutError):
            self.sandbox.wait_for(each_is_asked, MAX_RETRY_SECONDS)
        return Kill(part, len(tasks), len(sessions), tuple(took.values()))

    def _tasks(self, run_id: str) -> Iterable[Task]:
        return self.airflow.tasks(DAG_ID, run_id).values()

    def _sessions(self, tasks: Iterable[Task]) -> set[str]:
        """Return the tokens of the sessions in which the tasks' publishes run."""
        names = {self.names[task["map_index"]] for task in tasks}
        running = {
            publish.instance_id
            for publish in self.sandbox.report().publishes
            if publish.state == "running" and publish.data_model in names
        }
        sent = (request for request in self.sandbox.requests if request.call == "publish")
        return {request.headers[TOKEN] for request in sent if request.headers[INSTANCE] in running}

    def _said(self) -> str:
        """Return all that the tasks have logged."""
        return "".join(path.read_text() for path in (self.airflow.home / "logs").rglob("*.log"))
