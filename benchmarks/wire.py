# SPDX-License-Identifier: Apache-2.0
"""What one refresh sends, counted at the sandbox: requests, sessions, and connections of TCP.

Beside the same refresh as HttpOperator and HttpSensor send it, with one hook of the http provider in each
task, and as a PythonOperator does with mstrio-py.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from tables import show, surroundings

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh.data_model import DataModelSpec
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.sandbox import Sandbox, Settings
from airflow_provider_mstr.sandbox.world import RETAIL, TUTORIAL

IDS = [table.id for table in RETAIL.tables]
NAMES = [table.name for table in RETAIL.tables]

# What of a refresh is to be repeated, and is shown by itself.
POLLS = "publish_status"


def in_one_task(sandbox: Sandbox, tables: list[str] | None, project: str | None = None) -> None:
    """Refresh as one task of this package does, which has one hook.

    :param sandbox: the server
    :param tables: which tables, as the task is given them
    :param project: the project's id; None for the connection's, which names it
    """
    hook = MstrHook()
    _refresh(lambda: hook, tables, project)


def in_steps(sandbox: Sandbox, tables: list[str] | None) -> None:
    """Refresh as the four tasks of this package do, each of which has a hook of its own.

    :param sandbox: the server
    :param tables: which tables, as the task is given them
    """
    _refresh(MstrHook, tables)


def with_http(sandbox: Sandbox, tables: list[str]) -> None:
    """Refresh with the hook of the http provider, a new one in each task.

    :param sandbox: the server
    :param tables: the ids of the tables
    """
    from airflow.providers.http.hooks.http import HttpHook

    def send(method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
        # The login's cookies are in its answer, and are passed on as the token is.
        hook = HttpHook(method=method, http_conn_id="library")
        data = json.dumps(body) if body is not None else None
        return hook.run(path, data=data, headers={"Content-Type": "application/json", **headers})

    user = sandbox.world.users[0]
    who = {"loginMode": 1, "username": user.name, "password": user.password}
    said = send("POST", "api/auth/login", {}, who)
    cookies = "; ".join(f"{name}={value}" for name, value in said.cookies.items())
    headers = {"X-MSTR-AuthToken": said.headers["X-MSTR-AuthToken"], "Cookie": cookies}
    within = headers | {"X-MSTR-ProjectID": TUTORIAL.id}
    _in_session(lambda method, path, more, body=None: send(method, path, within | more, body), tables)
    send("POST", "api/auth/logout", headers)


def with_mstrio(sandbox: Sandbox, tables: list[str]) -> None:
    """Refresh with the vendor's client, in one task.

    :param sandbox: the server
    :param tables: the ids of the tables
    """
    from mstrio.connection import Connection

    user = sandbox.world.users[0]
    with Connection(sandbox.url, user.name, user.password, TUTORIAL.name, verbose=False) as connection:

        def send(method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
            how: dict[str, Any] = {"headers": headers} | ({} if body is None else {"json": body})
            return getattr(connection, method.lower())(endpoint=f"/{path}", **how)

        _in_session(send, tables)


WAYS: dict[str, tuple[Callable[[Sandbox, Any], None], list[str] | None]] = {
    "one task, ids of project and tables": (partial(in_one_task, project=TUTORIAL.id), IDS),
    "one task, table ids": (in_one_task, IDS),
    "one task, table names": (in_one_task, NAMES),
    "one task, every table": (in_one_task, None),
    "four tasks, table ids": (in_steps, IDS),
    "HttpOperator and HttpSensor, table ids": (with_http, IDS),
    "mstrio-py, table ids": (with_mstrio, IDS),
}


def main() -> None:
    """Count, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish-seconds", type=float, default=2.0)
    options = parser.parse_args()
    print(surroundings())
    counted = {way: count(*how, options.publish_seconds) for way, how in WAYS.items()}
    show(
        f"A refresh whose publish takes {options.publish_seconds:g} s",
        ("way", "requests, without polls", "polls", "sessions", "connections", "CPU s"),
        (
            (way, sum(requests.values()) - requests[POLLS], requests[POLLS], *more)
            for way, (requests, *more) in counted.items()
        ),
    )
    calls = list(dict.fromkeys(call for requests, *_ in counted.values() for call in requests))
    show(
        "Its requests, by call",
        ("way", *calls),
        ((way, *(requests[call] for call in calls)) for way, (requests, *_) in counted.items()),
    )


def count(
    refresh: Callable[[Sandbox, Any], None], tables: list[str] | None, seconds: float
) -> tuple[Counter[str], int, int, float]:
    """Return the requests of a refresh by call, its sessions, its connections, and its seconds of a core.

    :param refresh: does it
    :param tables: which tables
    :param seconds: how long the publish takes
    """
    with Sandbox(Settings(publish_seconds=seconds)) as sandbox, _connections() as connections:
        os.environ["AIRFLOW_CONN_MSTR_DEFAULT"] = sandbox.airflow_connection()
        os.environ["AIRFLOW_CONN_LIBRARY"] = json.dumps({"conn_type": "http", "host": sandbox.url})
        began = time.process_time()
        refresh(sandbox, tables)
        cpu = time.process_time() - began
        report = sandbox.report()
    if report.open_sessions or report.instances_open or not report.tables_loaded:
        raise RuntimeError(f"this was no whole refresh: {report}")
    return Counter(report.requests), report.logins, len(connections), cpu


def _refresh(hook: Callable[[], MstrHook], tables: list[str] | None, project: str | None = None) -> None:
    """Refresh in the steps of this package's tasks.

    :param hook: returns the hook of the task that comes next
    """
    creates = hook()
    choice = TableChoice.of(tables, "replace")
    spec = DataModelSpec(project=creates.project(project), target=RETAIL.id, choice=choice)
    opened = creates.handle(creates.open_job(spec))
    publishes = hook()
    handle = publishes.handle(publishes.start_job(spec, publishes.load_job(opened), owns_session=False))
    waits = hook()
    job, who, log = waits.load_job(handle), waits.server.credentials, lambda line, **fields: None
    waits.run(Poller(job, 600.0, 30.0, who, time.time, log).wait())
    closes = hook()
    closes.close(closes.load_job(opened))


def _in_session(send: Callable[..., Any], tables: list[str]) -> None:
    """Refresh in an open session, as the vendor's page has it, with a poll each second.

    :param send: sends a request, and returns its response
    :param tables: the ids of the tables
    """
    path = f"api/dataModels/{RETAIL.id}"
    name = "X-MSTR-DataModelInstanceId"
    instance = {name: send("POST", f"{path}/instances", {}).headers[name]}
    chosen = [{"id": each, "refreshPolicy": "replace"} for each in tables]
    send("POST", f"{path}/publish", instance, {"tables": chosen})
    while send("GET", f"{path}/publishStatus", instance).json()["status"] != 1:
        time.sleep(1.0)
    send("DELETE", f"{path}/instances/{instance[name]}", {})


@contextmanager
def _connections() -> Iterator[list[Any]]:
    """Yield a list that gets an entry for each connection that is opened while the block lasts."""
    opened: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        opened.append(address)
        connect(self, address)

    with patch.object(socket.socket, "connect", noted):
        yield opened


if __name__ == "__main__":
    main()
