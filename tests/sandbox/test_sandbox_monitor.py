# SPDX-License-Identifier: Apache-2.0
"""The monitors, and the privilege that they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox
from airflow_provider_mstr.sandbox.world import TUTORIAL

ANALYST = DEFAULT_WORLD.users[1]
NODES, CONNECTIONS = "/monitors/iServer/nodes", "/monitors/userConnections?clusterNode=sandbox-iserver"


def test_the_only_node_runs_and_lists_the_projects(client: Any) -> None:
    (node,) = client.call("GET", NODES).json()["nodes"]
    assert (node["name"], node["status"]) == ("sandbox-iserver", "running")
    assert [project["name"] for project in node["projects"]] == ["Tutorial", "Sales"]


def test_a_session_has_a_row_and_one_for_each_of_its_projects(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    connect(sandbox).log_in(ANALYST)
    client.publish(client.create_instance())
    sandbox.advance(60)

    body = client.call("GET", CONNECTIONS).json()

    assert body["totalFiltered"] == 3
    whole, within, analyst = body["userConnections"]
    assert (whole["username"], whole["configLevel"], whole["projectName"]) == ("administrator", True, "")
    assert (within["parentId"], within["configLevel"]) == (whole["id"], False)
    assert (within["projectId"], within["projectName"]) == (TUTORIAL.id, "Tutorial")
    assert (within["openJobsCount"], within["duration"]) == (1, 60)
    assert within["dateConnectionCreated"].endswith("+0000")
    assert analyst["userFullName"] == "analyst"
    assert not [secret for secret in sandbox.secrets() if secret in str(body)]


def test_user_connections_are_paged_and_need_no_project(sandbox: Sandbox, client: Any) -> None:
    del client.http.headers["X-MSTR-ProjectID"]
    page = client.call("GET", f"{CONNECTIONS}&offset=1&limit=5")
    assert page.json() == {"totalFiltered": 1, "userConnections": []}
    assert page.headers["X-MSTR-Total-Count"] == "1"
    assert sandbox.report().max_sessions_seen == {}


@pytest.mark.parametrize("path", [NODES, CONNECTIONS])
def test_a_user_without_the_privilege_is_rejected(
    sandbox: Sandbox, connect: Callable[[Sandbox], Any], path: str
) -> None:
    response = connect(sandbox).log_in(ANALYST).call("GET", path)
    assert (response.status_code, response.json()["code"]) == (403, "ERR014")
    assert response.json()["iServerCode"] == -2147213784


def test_an_unknown_node_is_invalid_input(client: Any) -> None:
    response = client.call("GET", "/monitors/userConnections")
    assert (response.status_code, response.json()["code"]) == (400, "ERR006")
