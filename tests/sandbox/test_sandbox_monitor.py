# SPDX-License-Identifier: Apache-2.0
"""The monitors, and the privilege that they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox
from airflow_provider_mstr.sandbox.world import FINANCE, RETAIL, TUTORIAL

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


CACHES = f"/monitors/caches/cubes?clusterNode=sandbox-iserver&projectIds={TUTORIAL.id}"


def test_the_caches_of_a_project_are_listed_with_their_rows(client: Any) -> None:
    caches = {cache["source"]["name"]: cache for cache in client.call("GET", CACHES).json()["cubeCaches"]}
    assert (caches["Retail"]["rowCount"], caches["Retail"]["state"]["processing"]) == (4000, False)
    assert caches["Retail"]["lastUpdateTime"] == "2026-01-01T06:00:00.000+0000"
    assert {"Finance", "Pipeline"} & caches.keys() == set()

    client.publish(client.create_instance())
    (retail,) = (each for each in client.call("GET", CACHES).json()["cubeCaches"] if each["rowCount"] == 4000)
    assert retail["state"]["processing"] is True


@pytest.mark.parametrize("node", ["", "elsewhere"])
def test_the_caches_of_an_unknown_node_are_refused(node: str, client: Any) -> None:
    assert client.call("GET", CACHES.replace("sandbox-iserver", node)).status_code == 400


def test_the_caches_need_the_privilege(sandbox: Sandbox, connect: Callable[[Sandbox], Any]) -> None:
    refused = connect(sandbox).log_in(ANALYST).call("GET", CACHES)
    assert (refused.status_code, refused.json()["code"]) == (403, "ERR014")


def test_a_query_of_a_loaded_cube_counts_its_rows(client: Any) -> None:
    answer = client.call("POST", f"/v2/cubes/{RETAIL.id}/instances?limit=1", json={})
    assert (answer.status_code, answer.json()["data"]["paging"]["total"]) == (200, 4000)
    never_loaded = client.call("POST", f"/v2/cubes/{FINANCE.id}/instances?limit=1", json={})
    assert (never_loaded.status_code, never_loaded.json()["iServerCode"]) == (500, -2147072488)


def test_the_description_of_the_api_needs_no_session(
    sandbox: Sandbox, connect: Callable[[Sandbox], Any]
) -> None:
    description = connect(sandbox).call("GET", "/openapi.json").json()
    assert "DataModelPublishStatus" in description["components"]["schemas"]
