# SPDX-License-Identifier: Apache-2.0
"""Sandboxes, and an HTTP client for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Clock, Sandbox, Settings, User, World
from airflow_provider_mstr.sandbox.world import RETAIL, TUTORIAL

ADMINISTRATOR = DEFAULT_WORLD.users[0]
YTD_DAY, CITY_MNTH_SLS, LU_STORE, ORDER_DETAIL = RETAIL.tables


class Client:
    """A session with the calls of a refresh."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.headers["X-MSTR-ProjectID"] = TUTORIAL.id

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        options = {"timeout": 60, "allow_redirects": False} | options
        return self.http.request(method, f"{self.sandbox.url}/api{path}", **options)

    def log_in(self, user: User = ADMINISTRATOR) -> Client:
        response = self.call(
            "POST", "/auth/login", json={"loginMode": 1, "username": user.name, "password": user.password}
        )
        assert response.status_code == 204, response.text
        self.http.headers["X-MSTR-AuthToken"] = response.headers["X-MSTR-AuthToken"]
        return self

    def create_instance(self, model: str = RETAIL.id) -> str:
        response = self.call("POST", f"/dataModels/{model}/instances")
        assert response.status_code == 204, response.text
        return response.headers["X-MSTR-DataModelInstanceId"]

    def publish(self, instance: str, tables: Any = None, model: str = RETAIL.id) -> requests.Response:
        rows = [{"id": YTD_DAY.id, "refreshPolicy": "replace"}] if tables is None else tables
        headers = {"X-MSTR-DataModelInstanceId": instance}
        return self.call("POST", f"/dataModels/{model}/publish", headers=headers, json={"tables": rows})

    def publish_status(self, instance: str, model: str = RETAIL.id) -> requests.Response:
        headers = {"X-MSTR-DataModelInstanceId": instance}
        return self.call("GET", f"/dataModels/{model}/publishStatus", headers=headers)

    def delete_instance(self, instance: str, model: str = RETAIL.id) -> requests.Response:
        return self.call("DELETE", f"/dataModels/{model}/instances/{instance}")

    def list_tables(self, query: str = "offset=0&limit=-1") -> requests.Response:
        return self.call("GET", f"/model/dataModels/{RETAIL.id}/tables?{query}")

    def log_out(self) -> requests.Response:
        return self.call("POST", "/auth/logout")


@pytest.fixture
def serve() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes with a stopped clock."""
    with ExitStack() as running:

        def start(world: World = DEFAULT_WORLD, **settings: Any) -> Sandbox:
            return running.enter_context(Sandbox(Settings(**settings), world, clock=Clock(ticking=False)))

        yield start


@pytest.fixture
def sandbox(serve: Callable[..., Sandbox]) -> Sandbox:
    return serve(publish_seconds=100)


@pytest.fixture
def connect() -> Iterator[Callable[[Sandbox], Client]]:
    """Creates clients without a session."""
    clients: list[Client] = []

    def make(sandbox: Sandbox) -> Client:
        clients.append(Client(sandbox))
        return clients[-1]

    yield make
    for client in clients:
        client.http.close()


@pytest.fixture
def client(sandbox: Sandbox, connect: Callable[[Sandbox], Client]) -> Client:
    return connect(sandbox).log_in()
