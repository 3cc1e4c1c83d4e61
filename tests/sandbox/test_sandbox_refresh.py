# SPDX-License-Identifier: Apache-2.0
"""The calls of a refresh: projects, data models, tables, instances and publishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Project, Sandbox, Table
from airflow_provider_mstr.sandbox.world import (
    LIVE_INVENTORY,
    PIPELINE,
    PUSHED_TARGETS,
    RETAIL,
    SALES,
    TUTORIAL,
)

YTD_DAY, CITY_MNTH_SLS, LU_STORE, ORDER_DETAIL = RETAIL.tables
UNKNOWN_ID = "0" * 32


def row(table: Table, policy: str = "replace") -> dict[str, str]:
    return {"id": table.id, "refreshPolicy": policy}


def assert_rejected(response: Any, status: int, code: str, iserver_code: int | None = None) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json().get("iServerCode") == iserver_code


# Projects and objects


def test_an_unknown_path_returns_tomcats_error_page(client: Any) -> None:
    for path in ("/nothing", "/dataModels", "/auth/login/"):
        response = client.call("GET", path)
        assert response.status_code == 404
        assert response.headers["Content-Type"].startswith("text/html")
        assert "Apache Tomcat" in response.text


def test_projects_are_an_array_and_are_found_by_name(client: Any) -> None:
    assert [
        (each["id"], each["name"], each["status"]) for each in client.call("GET", "/projects").json()
    ] == [
        (TUTORIAL.id, "Tutorial", 0),
        (SALES.id, "Sales", 0),
    ]
    assert client.call("GET", "/projects/Sales").json()["id"] == SALES.id
    assert_rejected(client.call("GET", "/projects/Nothing"), 500, "ERR001")


def test_a_project_that_is_not_loaded_is_listed_but_rejected(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    project = Project(UNKNOWN_ID, "Asleep", loaded=False)
    client = connect(serve(replace(DEFAULT_WORLD, projects=(TUTORIAL, project)))).log_in()
    assert client.call("GET", "/projects").json()[1]["status"] != 0
    client.http.headers["X-MSTR-ProjectID"] = project.id
    assert_rejected(client.list_tables(), 404, "ERR001", -2147209151)


def test_the_project_header_is_required_and_validated(client: Any) -> None:
    client.http.headers["X-MSTR-ProjectID"] = UNKNOWN_ID
    assert_rejected(client.call("POST", f"/dataModels/{RETAIL.id}/instances"), 404, "ERR001", -2147209151)
    del client.http.headers["X-MSTR-ProjectID"]
    assert_rejected(client.call("POST", f"/dataModels/{RETAIL.id}/instances"), 400, "ERR005")
    assert client.list_tables().status_code == 400


def test_an_unknown_data_model_has_the_error_of_each_service(client: Any) -> None:
    for path in (f"/dataModels/{UNKNOWN_ID}/instances", f"/dataModels/{PIPELINE.id}/instances"):
        assert_rejected(client.call("POST", path), 404, "ERR004", -2147216373)
    response = client.call("GET", f"/model/dataModels/{UNKNOWN_ID}/tables")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (404, "8004140b")


def test_the_modeling_service_rejects_other_datasets(client: Any) -> None:
    response = client.call("GET", f"/model/dataModels/{PUSHED_TARGETS.id}")
    assert response.json()["errors"][0]["code"] == "8004e457"
    assert client.call("POST", f"/dataModels/{PUSHED_TARGETS.id}/instances").status_code == 400


def test_a_data_model_has_its_mode(client: Any) -> None:
    body = client.call("GET", f"/model/dataModels/{LIVE_INVENTORY.id}").json()
    assert (body["dataServeMode"], body["information"]["name"]) == ("connect_live", "Live Inventory")


def test_objects_have_type_subtype_and_extended_type(client: Any) -> None:
    body = client.call("GET", f"/objects/{RETAIL.id}?type=3").json()
    assert (body["type"], body["subtype"], body["extType"], body["name"]) == (3, 779, 448, "Retail")
    assert client.call("GET", f"/objects/{TUTORIAL.id}?type=32").json()["name"] == "Tutorial"
    assert_rejected(client.call("GET", f"/objects/{UNKNOWN_ID}?type=32"), 404, "ERR001", -2147209151)
    assert_rejected(client.call("GET", f"/objects/{RETAIL.id}?type=8"), 404, "ERR004", -2147216373)
    assert_rejected(client.call("GET", f"/objects/{RETAIL.id}?type=x"), 400, "ERR006")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=retail&type=779&pattern=2&limit=-1", ["Retail"]),
        ("name=chain%20live&pattern=0", ["Supply Chain", "Live Inventory"]),
        ("name=P&pattern=1", ["Pushed Targets"]),
        ("name=in&pattern=4", ["Finance", "Supply Chain", "Live Inventory"]),
        ("name=in&pattern=4&offset=1&limit=1", ["Supply Chain"]),
        ("name=Retail&type=8", []),
        ("name=Pipeline&pattern=2", []),
    ],
)
def test_search_finds_datasets_of_the_project_by_name(client: Any, query: str, names: list[str]) -> None:
    body = client.call("GET", f"/searches/results?{query}").json()
    assert [each["name"] for each in body["result"]] == names


def test_search_results_have_the_extended_type(client: Any) -> None:
    hits = client.call("GET", "/searches/results?type=779").json()["result"]
    assert {each["name"] for each in hits if each["extType"] != 448} == {"Pushed Targets", "Customer Cube"}
    assert {each["subtype"] for each in hits} == {779}


def test_search_results_have_ancestors_on_request(client: Any) -> None:
    (bare,) = client.call("GET", "/searches/results?name=Retail&pattern=2").json()["result"]
    (found,) = client.call("GET", "/searches/results?name=Retail&pattern=2&getAncestors=true").json()[
        "result"
    ]
    assert "ancestors" not in bare
    assert [(each["name"], each["level"]) for each in found["ancestors"]] == [
        ("Tutorial", 3),
        ("Public Objects", 2),
        ("Data Models", 1),
    ]


def test_search_counts_as_a_session_of_the_project(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(session_cap=1)
    connect(sandbox).log_in().create_instance()
    assert_rejected(connect(sandbox).log_in().call("GET", "/searches/results"), 500, "ERR001", -2147072486)


# Tables


def test_tables_are_listed_as_documented(client: Any) -> None:
    body = client.list_tables().json()
    assert (body["offset"], body["limit"], body["total"]) == (0, -1, 4)
    first = body["tables"][0]
    assert set(first) == {"information"}
    assert first["information"]["objectId"] == YTD_DAY.id
    assert first["information"]["subType"] == "logical_table"


def test_tables_have_stored_policies_on_request(client: Any) -> None:
    rows = client.list_tables("fields=information,refreshPolicy").json()["tables"]
    assert [each["refreshPolicy"] for each in rows] == ["replace", "replace", "upsert", "add"]
    one = client.call("GET", f"/model/dataModels/{RETAIL.id}/tables/{LU_STORE.id}").json()
    assert (one["information"]["name"], one["refreshPolicy"]) == ("lu_store", "upsert")
    assert client.call("GET", f"/model/dataModels/{RETAIL.id}/tables/{UNKNOWN_ID}").status_code == 404


def test_tables_have_sources_on_request(client: Any) -> None:
    rows = client.list_tables("fields=information,physicalTable").json()["tables"]
    assert all(set(row) == {"information", "physicalTable"} for row in rows)
    pipelines = [json.loads(row["physicalTable"]["pipeline"])["rootTable"]["children"] for row in rows]
    assert pipelines[0][0]["importSource"] == {
        "type": "single_table",
        "dataSourceId": "E93B0C144F9EAF781E3993B5C439220D",
        "namespace": "public",
        "tableName": "ytd_day_sls",
        "sql": "",
    }
    assert [child["name"] for child in pipelines[2][0]["children"]] == ["lu_store", "lu_region"]
    one = client.call("GET", f"/model/dataModels/{RETAIL.id}/tables/{LU_STORE.id}").json()
    assert one["physicalTable"] == rows[2]["physicalTable"]


@pytest.mark.parametrize(
    ("settings", "query", "names"),
    [
        ({}, "offset=1&limit=2", ["city_mnth_sls", "lu_store"]),
        ({}, "offset=9&limit=2", []),
        ({"table_page_cap": 3}, "offset=0&limit=-1", ["ytd_day", "city_mnth_sls", "lu_store"]),
        ({"table_page_cap": 3}, "offset=3&limit=1000", ["order_detail"]),
        ({"tables_ignore_offset": True}, "offset=2&limit=2", ["ytd_day", "city_mnth_sls"]),
        ({"tables_cut_all": 1}, "offset=0&limit=-1", ["ytd_day"]),
        ({"tables_cut_all": 1}, "offset=0&limit=2", ["ytd_day", "city_mnth_sls"]),
    ],
)
def test_pages_of_tables_follow_the_settings_and_the_total_is_correct(
    serve: Callable[..., Sandbox],
    connect: Callable[[Sandbox], Any],
    settings: dict[str, Any],
    query: str,
    names: list[str],
) -> None:
    body = connect(serve(**settings)).log_in().list_tables(query).json()
    assert [each["information"]["name"] for each in body["tables"]] == names
    assert body["total"] == 4
    assert f"limit={body['limit']}" in query


# Instances


@pytest.mark.parametrize("status", [201, 204])
def test_the_id_of_an_instance_is_a_header(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any], status: int
) -> None:
    sandbox = serve(instance_created_status=status)
    response = connect(sandbox).log_in().call("POST", f"/dataModels/{RETAIL.id}/instances", json={})
    assert (response.status_code, len(response.headers["X-MSTR-DataModelInstanceId"])) == (status, 32)
    assert sandbox.report().instances_open == 1


def test_an_instance_exists_only_in_its_session_and_data_model(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    instance, other = client.create_instance(), connect(sandbox).log_in()
    for response in (
        other.publish(instance),
        other.publish_status(instance),
        other.delete_instance(instance),
        client.publish_status(instance, DEFAULT_WORLD.data_models[1].id),
    ):
        assert_rejected(response, 404, "ERR004", -2147468986)
        assert "history list" in response.json()["message"]


def test_a_deleted_instance_does_not_exist(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    assert client.delete_instance(instance).status_code == 204
    assert_rejected(client.delete_instance(instance), 404, "ERR004", -2147468986)
    report = sandbox.report()
    assert (report.instances_created, report.instances_deleted, report.instances_open) == (1, 1, 0)


def test_the_eleventh_instance_drops_the_oldest(client: Any) -> None:
    instances = [client.create_instance() for _ in range(11)]
    assert client.publish_status(instances[0]).status_code == 404
    assert client.publish_status(instances[1]).status_code == 200


def test_an_idle_instance_expires_and_its_publish_continues(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(publish_seconds=1000, instance_idle_seconds=120)
    client = connect(sandbox).log_in()
    instance = client.create_instance()
    client.publish(instance)
    sandbox.advance(100)
    assert client.publish_status(instance).status_code == 200
    sandbox.advance(121)
    assert client.publish_status(instance).status_code == 404
    sandbox.advance(1000)
    assert sandbox.report().tables_loaded == {"Retail": {"ytd_day": 1}}


# Publishes


def test_a_publish_loads_only_its_tables(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    response = client.publish(instance, [row(YTD_DAY), row(LU_STORE, "upsert")])
    assert (response.status_code, response.content) == (204, b"")
    sandbox.advance(100)
    assert client.publish_status(instance).json() == {
        "status": 1,
        "tables": [{"id": YTD_DAY.id, "status": "completed"}, {"id": LU_STORE.id, "status": "completed"}],
    }
    report = sandbox.report()
    assert report.tables_loaded == {"Retail": {"ytd_day": 1, "lu_store": 1}}
    assert [(each.name, each.refresh_policy) for each in report.publishes[0].tables] == [
        ("ytd_day", "replace"),
        ("lu_store", "upsert"),
    ]


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"json": {"tables": None}}, {"json": {"tables": []}}])
def test_a_publish_without_tables_is_rejected(client: Any, options: dict[str, Any]) -> None:
    headers = {"X-MSTR-DataModelInstanceId": client.create_instance()}
    response = client.call("POST", f"/dataModels/{RETAIL.id}/publish", headers=headers, **options)
    assert_rejected(response, 400, "ERR006")
    assert response.json()["message"] == "tableRefreshSettings cannot be null"


@pytest.mark.parametrize(
    "tables",
    [
        [{"id": UNKNOWN_ID, "refreshPolicy": "replace"}],
        [{"id": YTD_DAY.name, "refreshPolicy": "replace"}],
        [{"id": YTD_DAY.id, "refreshPolicy": "overwrite"}],
        [{"id": YTD_DAY.id}],
        ["ytd_day"],
        "ytd_day",
    ],
)
def test_a_publish_of_unknown_tables_or_policies_is_rejected(
    sandbox: Sandbox, client: Any, tables: Any
) -> None:
    assert_rejected(client.publish(client.create_instance(), tables), 400, "ERR006")
    assert sandbox.report().publishes == ()


def test_a_publish_needs_its_instance_header_and_a_json_body(client: Any) -> None:
    path = f"/dataModels/{RETAIL.id}/publish"
    assert_rejected(client.call("POST", path, json={"tables": [row(YTD_DAY)]}), 400, "ERR005")
    headers = {"X-MSTR-DataModelInstanceId": client.create_instance()}
    assert_rejected(client.call("POST", path, data="{", headers=headers), 400, "ERR006")
    assert_rejected(client.call("GET", f"/dataModels/{RETAIL.id}/publishStatus"), 400, "ERR005")


def test_a_connect_live_model_has_no_publish_workflow(client: Any) -> None:
    instance = client.create_instance(LIVE_INVENTORY.id)
    response = client.publish(instance, [row(LIVE_INVENTORY.tables[0])], LIVE_INVENTORY.id)
    assert_rejected(response, 400, "ERR006")
    assert "no publish workflow" in response.json()["message"]


def test_a_user_without_the_privilege_cannot_publish(
    sandbox: Sandbox, connect: Callable[[Sandbox], Any]
) -> None:
    client = connect(sandbox).log_in(DEFAULT_WORLD.users[1])
    assert_rejected(client.publish(client.create_instance()), 403, "ERR014", -2147213784)


def test_the_second_of_two_publishes_is_rejected_during_and_after_the_first(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    winner, other = client.create_instance(), connect(sandbox).log_in()
    loser = other.create_instance()
    client.publish(winner)
    job = sandbox.report().publishes[0].job
    assert other.publish(loser).status_code == 204
    for _ in range(2):
        response = other.publish_status(loser)
        assert_rejected(response, 500, "ERR001", -2147072194)
        assert str(job) in response.json()["message"]
        sandbox.advance(100)
    assert_rejected(other.publish(loser), 500, "ERR001", -2147072194)
    report = sandbox.report()
    assert [(each.state, each.lost_to) for each in report.publishes] == [("completed", None), ("failed", job)]
    assert report.tables_loaded == {"Retail": {"ytd_day": 1}}


def test_a_second_publish_is_rejected_at_once_with_that_setting(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any]
) -> None:
    sandbox = serve(concurrent_publish="refuse", publish_seconds=100)
    client = connect(sandbox).log_in()
    first, second = client.create_instance(), client.create_instance()
    client.publish(first)
    assert_rejected(client.publish(second), 500, "ERR001", -2147072194)
    sandbox.advance(100)
    assert client.publish(second).status_code == 204


def test_an_instance_cannot_publish_twice_at_a_time(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    client.publish(instance)
    assert_rejected(client.publish(instance), 500, "ERR001", -2147072194)
    assert client.publish_status(instance).json()["status"] == 0
    assert len(sandbox.report().publishes) == 1


@pytest.mark.parametrize("end", ["logout", "delete"])
def test_logout_and_deletion_cancel_a_running_publish(sandbox: Sandbox, client: Any, end: str) -> None:
    instance = client.create_instance()
    client.publish(instance)
    sandbox.advance(50)
    response = client.log_out() if end == "logout" else client.delete_instance(instance)
    assert response.status_code == 204
    sandbox.advance(100)
    report = sandbox.report()
    assert report.publishes[0].state == "cancelled"
    assert report.tables_loaded == {}


def test_a_finished_publish_is_not_cancelled(sandbox: Sandbox, client: Any) -> None:
    client.publish(client.create_instance())
    sandbox.advance(100)
    client.log_out()
    assert sandbox.report().publishes[0].state == "completed"


@pytest.mark.parametrize(
    ("unpublished", "status", "body"),
    [("running", 200, {"status": 0, "tables": []}), ("result", 200, {"status": 1}), ("refused", 400, None)],
)
def test_the_status_of_an_unpublished_instance_is_a_setting(
    serve: Callable[..., Sandbox], connect: Callable[[Sandbox], Any], unpublished: str, status: int, body: Any
) -> None:
    client = connect(serve(unpublished=unpublished)).log_in()
    response = client.publish_status(client.create_instance())
    assert response.status_code == status
    assert body is None or response.json() == body


# The cube of a data model


def test_any_session_reads_the_last_update_of_a_cube(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any]
) -> None:
    def read_cube() -> tuple[int, str]:
        info = connect(sandbox).log_in().call("GET", f"/cubes?id={RETAIL.id}").json()["cubesInfos"][0]
        status = client.call("HEAD", f"/cubes/{RETAIL.id}").headers["X-MSTR-CubeStatus"]
        assert int(status) == info["status"]
        return info["status"], info["lastUpdateTime"]

    before = read_cube()
    assert before == (17510, "01/01/2026 06:00:00")
    client.publish(client.create_instance())
    assert read_cube() == (17511, before[1])
    sandbox.advance(100)
    status, updated = read_cube()
    assert status == 17510
    assert updated != before[1]


def test_a_cube_that_was_never_loaded_has_no_status(client: Any) -> None:
    path = f"/cubes/?id={DEFAULT_WORLD.data_models[1].id}"
    info = client.call("GET", path).json()["cubesInfos"][0]
    assert info["status"] == 0
    assert "lastUpdateTime" not in info
