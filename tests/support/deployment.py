# SPDX-License-Identifier: Apache-2.0
"""A real Airflow, whatever it is made of: it starts, is asked through its public API, and stops cleanly."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import processes
import psutil
import requests
import tenacity
from airflow_rest import RestApi, rest_api_of
from sqlalchemy import create_engine, text

POOL: dict[str, Any] = {
    "name": "mstr_sessions",
    "slots": 4,
    "description": "Strategy sessions",
    "include_deferred": True,
}

# Longer is a hang: all that is awaited takes seconds, but on a busy machine many.
HANG_SECONDS = 300.0


def free_port() -> int:
    """Return a port that is free; the two that follow it are so most likely."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NotReadyError(Exception):
    """Airflow does not answer yet, or not as healthy."""


class Deployment(ABC):
    """Runs while the ``with`` block does.

    :param environment: what ``airflow_environment`` returned
    :param slots: how many the pool of the refreshes has
    :param user: the name and password to call its API with, where that wants any
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        slots: int = POOL["slots"],
        user: tuple[str, str] | None = None,
    ) -> None:
        self.environment = dict(environment)
        self.home = Path(environment["AIRFLOW_HOME"])
        self.url = f"http://127.0.0.1:{environment['AIRFLOW__API__PORT']}"
        self.log = self.home / "airflow.log"
        self.rest = RestApi()
        self._slots = slots
        self._user = user
        self._token: str | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self._triggerers: dict[int, psutil.Process] = {}

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        try:
            self._start()
            self.api("POST", "pools", POOL | {"slots": self._slots})
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def database(self) -> str:
        """The address of Airflow's database."""
        return self.environment.get(
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{self.home}/airflow.db"
        )

    @abstractmethod
    def _start(self) -> None:
        """Start every part, and return once they are healthy."""

    def stop(self) -> None:
        """End Airflow."""
        processes.end(psutil.Process(part.pid) for part in self._started if part.poll() is None)
        for part in self._started:
            part.wait(timeout=20)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call Airflow's public API, and return the JSON of its answer.

        :param method: the HTTP method
        :param path: what stands behind ``/api/v2/``
        :param body: what to send as JSON
        """
        if self._token is None:
            self._token = self.rest.token(self.url, self._user)
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        address = f"{self.url}{self.rest.root}{path}"
        for _ in range(3):
            response = requests.request(method, address, json=body, headers=headers, timeout=HANG_SECONDS)
            # Airflow changes nothing if its SQLite is locked for more than five seconds.
            if response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        response.raise_for_status()
        return response.json() if response.content else None

    def token(self, name: str, password: str) -> str:
        """Log in, and return what a browser keeps as the cookie ``_token``.

        :param name: the user's name
        :param password: the user's password
        """
        return self.rest.token(self.url, (name, password))

    def run(self, dag_id: str, timeout: float = HANG_SECONDS) -> dict[str, Any]:
        """Run a DAG, and return its run once that has ended.

        :param dag_id: the DAG
        :param timeout: seconds to wait for the DAG to be known, and for the run to end
        """
        run_id = self.trigger(dag_id, timeout)
        return self.ended(dag_id, run_id, timeout)

    def trigger(self, dag_id: str, timeout: float = HANG_SECONDS, **fields: str) -> str:
        """Start a run of a DAG, once Airflow knows it, and return the run's id.

        :param dag_id: the DAG
        :param timeout: seconds to wait for the DAG to be known
        :param fields: more fields of the run
        """
        known = self._until(timeout)(self._known, dag_id)
        self.api("PATCH", f"dags/{known}", {"is_paused": False})
        return str(self.api("POST", f"dags/{known}/dagRuns", self.rest.new_run | fields)["dag_run_id"])

    def ended(self, dag_id: str, run_id: str, timeout: float = HANG_SECONDS) -> dict[str, Any]:
        """Return a run once it has ended.

        :param dag_id: the DAG
        :param run_id: the run
        :param timeout: seconds to wait for its end
        """
        run: dict[str, Any] = self._until(timeout)(self._ended, f"dags/{dag_id}/dagRuns/{run_id}")
        return run

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run, by task id and map index.

        :param dag_id: the DAG
        :param run_id: the run
        """
        listed: list[dict[str, Any]] = []
        while len(listed) < (page := self._page_of_tasks(dag_id, run_id, len(listed)))["total_entries"]:
            listed += page["task_instances"]
        mapped = {True: "{task_id}[{map_index}]", False: "{task_id}"}
        return {mapped[task["map_index"] >= 0].format(**task): task for task in listed}

    def task_in(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        state: str,
        *,
        has_trigger: bool,
        timeout: float = HANG_SECONDS,
    ) -> dict[str, Any]:
        """Return a task instance once it is in a state.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param state: the state to wait for
        :param has_trigger: whether a triggerer must have taken its trigger
        :param timeout: seconds to wait
        """
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        task: dict[str, Any] = self._until(timeout)(self._task_in, path, state, has_trigger)
        return task

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task instance, as a user does.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param state: its new state
        """
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self.api("PATCH", path, self.rest.new_state(state))

    def links_of(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str]:
        """Return the links on a task instance, by their names.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        """
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        return self.rest.links(self.api("GET", path))

    def log_of(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return the log of an attempt of a task, its errors' tracebacks with it, as JSON text.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task, with ``/`` and the map index if it is mapped
        :param attempt: which attempt
        """
        return json.dumps(self._log(dag_id, run_id, task_id, attempt), ensure_ascii=False)

    def log_lines_of(self, dag_id: str, run_id: str, task_id: str) -> list[str]:
        """Return the messages in the log of the first attempt of a task.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task, with ``/`` and the map index if it is mapped
        """
        return self.rest.log_lines(self._log(dag_id, run_id, task_id, 1))

    def wait_until(self, predicate: Callable[[], bool], timeout: float = HANG_SECONDS) -> None:
        """Return once something is so.

        :param predicate: whether it is
        :param timeout: seconds to wait
        """
        self._until(timeout)(self._so, predicate)

    @property
    def triggerers(self) -> tuple[int, ...]:
        """The triggerers that run, by the number of their job, oldest first."""
        return tuple(job for job, process in self._triggerers.items() if processes.lives(process))

    def start_triggerer(self, timeout: float = HANG_SECONDS) -> int:
        """Start one more triggerer, and return the number of its job once it is alive.

        :param timeout: seconds to wait
        """
        process = self._part("triggerer", AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(free_port()))
        return self._note_triggerer(process, timeout)

    def signal_triggerer(self, job: int, number: signal.Signals) -> None:
        """Send a signal to a triggerer: SIGTERM to itself, any other to all of its processes.

        :param job: the number of its job
        :param number: the signal
        """
        whole = processes.tree(self._triggerers[job])
        for each in whole[:1] if number is signal.SIGTERM else whole:
            each.send_signal(number)
        if number in (signal.SIGTERM, signal.SIGKILL):
            processes.left_of(whole, timeout=30)

    def _part(self, *command: str, **settings: str) -> psutil.Process:
        """Start a part of Airflow.

        :param command: what stands behind ``airflow``
        :param settings: environment variables of its own
        """
        with self.log.open("ab") as log:
            part = subprocess.Popen(
                [sys.executable, "-m", "airflow", *command],
                env=self.environment | settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(part)
        return psutil.Process(part.pid)

    def _wait_until_healthy(self) -> None:
        self._until(HANG_SECONDS)(self._healthy)

    def _note_triggerer(self, process: psutil.Process, timeout: float = HANG_SECONDS) -> int:
        job: int = self._until(timeout)(self._new_triggerer)
        self._triggerers[job] = process
        return job

    def _new_triggerer(self) -> int:
        # The API of Airflow 2 tells of no jobs.
        engine = create_engine(self.database)
        with engine.connect() as database:
            started = "SELECT id FROM job WHERE job_type = 'TriggererJob' ORDER BY id"
            jobs = database.execute(text(started)).scalars().all()
        engine.dispose()
        for job in jobs:
            if job not in self._triggerers:
                return int(job)
        raise NotReadyError("no other triggerer is alive yet")

    def _page_of_tasks(self, dag_id: str, run_id: str, offset: int) -> Any:
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return self.api("GET", f"{path}?limit=100&offset={offset}")

    def _log(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> Any:
        task, _, map_index = task_id.partition("/")
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/logs/{attempt}"
        return self.api("GET", f"{path}?map_index={map_index or -1}")["content"]

    @staticmethod
    def _so(predicate: Callable[[], bool]) -> None:
        if not predicate():
            raise NotReadyError("not so yet")

    def _healthy(self) -> None:
        for part in self._started:
            if part.poll() is not None:
                raise RuntimeError(f"{part.args!r} has ended:\n{self.log.read_text()[-3000:]}")
        try:
            self.rest = rest_api_of(self.url) or self.rest
            parts = self.api("GET", self.rest.health)
        except requests.RequestException as error:
            raise NotReadyError(str(error)) from None
        # Airflow 2 has a DAG processor of its own only where it is asked for, else its state is None.
        if any(part["status"] not in ("healthy", None) for part in parts.values()):
            raise NotReadyError(str(parts))

    def _known(self, dag_id: str) -> str:
        try:
            return str(self.api("GET", f"dags/{dag_id}")["dag_id"])
        except requests.HTTPError as error:
            raise NotReadyError(f"{error}: {self.api('GET', 'importErrors')}") from None

    def _ended(self, path: str) -> dict[str, Any]:
        try:
            run: dict[str, Any] = self.api("GET", path)
        except requests.HTTPError as error:
            # Airflow 3.0 answers before it has written the run down.
            raise NotReadyError(str(error)) from None
        if run["state"] not in ("success", "failed"):
            raise NotReadyError(f"the run is {run['state']}")
        return run

    def _task_in(self, path: str, state: str, has_trigger: bool) -> dict[str, Any]:
        task: dict[str, Any] = self.api("GET", path)
        if task["state"] != state or (has_trigger and not task["triggerer_job"]):
            raise NotReadyError(f"the task is {task['state']}")
        return task

    @staticmethod
    def _until(timeout: float) -> tenacity.Retrying:
        # Airflow's API has no event to await: these are its states, asked for until they come.
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(NotReadyError),
            stop=tenacity.stop_after_delay(timeout),
            wait=tenacity.wait_fixed(0.5),
            sleep=time.sleep,
            reraise=True,
        )
