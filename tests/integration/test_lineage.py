# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage receives about a refresh, and what a refresh costs without it: nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from example_runs import states
from moments import finishing_once_asked
from workers import Performed, perform

from airflow_provider_mstr.observability import lineage
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshCubeOperator,
    MstrRefreshDataModelOperator,
    MstrRunIncrementalRefreshOperator,
)
from airflow_provider_mstr.refresh import data_model
from airflow_provider_mstr.sandbox import DEFAULT_WORLD, PublishFailure, Sandbox, Settings, Table
from airflow_provider_mstr.sandbox.world import RETAIL, SALES, SALES_CUBE, SALES_UPDATE, TUTORIAL, Source
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

conf = pytest.importorskip("airflow.providers.openlineage.conf")

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

WAREHOUSE = "E93B0C144F9EAF781E3993B5C439220D"
TABLES = ("public.ytd_day_sls", "public.city_mnth_sls", "public.lu_store", "public.lu_region")

Make = Callable[[], Any]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set Airflow's configuration of OpenLineage, which that remembers for good otherwise."""

    def forget() -> None:
        for each in vars(conf).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()

    def configure(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(f"AIRFLOW__OPENLINEAGE__{name.upper()}", value)
        forget()

    yield configure
    monkeypatch.undo()
    forget()


@pytest.fixture
def listening(configured: Callable[..., None], tmp_path: Path) -> None:
    configured(transport=json.dumps({"type": "file", "log_file_path": str(tmp_path / "events")}))


def operator_lineage(make: Make) -> tuple[Performed, Any]:
    """Perform a task, and return what OpenLineage's extractor gets to know from its last worker."""
    from airflow.providers.openlineage.extractors.base import DefaultExtractor

    made: list[Any] = []

    def remembered() -> Any:
        made.append(make())
        return made[-1]

    task = perform(remembered)
    extractor = DefaultExtractor(made[-1])
    return task, (extractor.extract_on_failure if task.error else extractor.extract_on_complete)(task.ti)


def refresh(**more: Any) -> Make:
    arguments = {"data_model_id": RETAIL.id, "poll_interval": 0.1} | more
    return lambda: MstrRefreshDataModelOperator(task_id="refresh", **arguments)


def names(datasets: list[Any]) -> list[str]:
    return [dataset.name for dataset in datasets]


def listings(sandbox: Sandbox) -> int:
    return sandbox.report().requests["list_tables"]


def closed(sandbox: Sandbox) -> bool:
    report = sandbox.report()
    return (report.logins, report.logouts, report.open_sessions, report.instances_open) == (1, 1, 0, 0)


@pytest.mark.usefixtures("listening")
@pytest.mark.mstr_sandbox(publish_seconds=600)
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_refresh_loads_the_data_model_from_its_tables_sources(
    deferrable: bool, mstr_sandbox: Sandbox
) -> None:
    with finishing_once_asked(mstr_sandbox):
        task, facets = operator_lineage(
            refresh(deferrable=deferrable, tables=["ytd_day", "city_mnth_sls", "lu_store"])
        )

    assert (task.error, task.deferral is not None) == (None, deferrable)
    namespace = f"mstr://{mstr_sandbox.origin.removeprefix('http://')}"
    assert names(facets.inputs) == list(TABLES)
    assert {source.namespace for source in facets.inputs} == {f"{namespace}/datasources/{WAREHOUSE}"}
    assert [(model.namespace, model.name) for model in facets.outputs] == [
        (namespace, f"Tutorial/{RETAIL.id}")
    ]
    facet = facets.run_facets["mstr_refresh"]
    assert (facet.state, facet.tablesConfirmed, facet.tableCount) == ("finished", True, 3)
    assert sorted(facet.tables, key=str) == sorted(task.result["tables"], key=str)
    assert closed(mstr_sandbox)
    # Once for the names, once for the sources.
    assert listings(mstr_sandbox) == 2


@pytest.mark.usefixtures("listening")
@pytest.mark.mstr_sandbox(publish_seconds=0.4)
@pytest.mark.parametrize("deferrable", [False, True])
def test_in_steps_the_publish_tells_the_sources_and_the_wait_the_result(
    deferrable: bool, mstr_sandbox: Sandbox
) -> None:
    created, of_create = operator_lineage(
        lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL.id)
    )
    published, of_publish = operator_lineage(
        lambda: MstrPublishDataModelOperator(task_id="publish", instance=created.result, tables=["ytd_day"])
    )
    _, of_wait = operator_lineage(
        lambda: MstrPublishStatusSensor(
            task_id="wait", instance=published.result, deferrable=deferrable, poke_interval=0.1
        )
    )
    _, of_delete = operator_lineage(
        lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance=created.result)
    )

    assert (of_create, of_delete) == (None, None)
    assert names(of_publish.inputs) == ["public.ytd_day_sls"]
    assert names(of_publish.outputs) == names(of_wait.outputs) == [f"Tutorial/{RETAIL.id}"]
    assert (of_publish.run_facets, of_wait.inputs) == ({}, [])
    assert of_wait.run_facets["mstr_refresh"].state == "finished"
    assert closed(mstr_sandbox)


@pytest.mark.usefixtures("listening")
@pytest.mark.mstr_sandbox(publish_seconds=600)
@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("operator", "object_id"),
    [(MstrRefreshCubeOperator, SALES_CUBE.id), (MstrRunIncrementalRefreshOperator, SALES_UPDATE.id)],
    ids=["cube", "report"],
)
def test_a_cube_and_a_report_update_the_cube(
    operator: Any, object_id: str, deferrable: bool, mstr_sandbox: Sandbox
) -> None:
    from airflow_provider_mstr.assets import cube_asset, to_openlineage

    arguments = {f"{operator.kind}_id": object_id, "deferrable": deferrable, "poll_interval": 0.1}
    with finishing_once_asked(mstr_sandbox, "get_job", 3):
        task, facets = operator_lineage(lambda: operator(task_id="refresh", **arguments))

    assert (task.error, task.deferral is not None) == (None, deferrable)
    assert facets.inputs == []
    assert facets.outputs == [to_openlineage(cube_asset(SALES_CUBE.id), None)]
    facet = facets.run_facets["mstr_refresh"]
    assert (facet.state, facet.tableCount, facet.tables) == ("finished", 0, [])
    assert closed(mstr_sandbox)


@pytest.mark.usefixtures("listening")
def test_openlineage_knows_the_refreshed_model_as_it_knows_its_asset() -> None:
    from airflow_provider_mstr.assets import data_model_asset, to_openlineage

    _, facets = operator_lineage(refresh())

    assert facets.outputs == [to_openlineage(data_model_asset(RETAIL.id), None)]


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("project", [TUTORIAL, SALES])
def test_a_project_that_the_connection_does_not_name_is_known_by_its_id(project: Any) -> None:
    model = next(model for model in DEFAULT_WORLD.data_models if model.project_id == project.id)

    _, facets = operator_lineage(refresh(data_model_id=model.id, project_id=project.id))

    known = "Tutorial" if project is TUTORIAL else SALES.id
    assert names(facets.outputs) == [f"{known}/{model.id}"]


@pytest.mark.usefixtures("listening")
@pytest.mark.mstr_sandbox(publish_seconds=0.4, publish_failure=PublishFailure("error", "lu_store"))
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_failure_tells_its_result_the_failed_table_first(deferrable: bool) -> None:
    task, facets = operator_lineage(refresh(deferrable=deferrable))

    assert task.error is not None
    facet = facets.run_facets["mstr_refresh"]
    assert (facet.state, facet.tables[0]["name"], facet.tables[0]["state"]) == (
        "failed",
        "lu_store",
        "failed",
    )


@pytest.mark.usefixtures("listening")
def test_a_refresh_that_was_never_published_tells_nothing() -> None:
    task, facets = operator_lineage(refresh(tables=["no such table"]))

    assert task.error is not None
    assert facets is None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"transport": '{"type": "console"}', "disabled": "True"},
        {
            "transport": '{"type": "console"}',
            "disabled_for_operators": (
                "airflow_provider_mstr.operators.data_model.MstrRefreshDataModelOperator"
            ),
        },
        {"transport": '{"type": "console"}', "selective_enable": "True"},
    ],
)
def test_where_openlineage_does_not_listen_nothing_is_asked_for_it(
    settings: dict[str, str], configured: Callable[..., None], mstr_sandbox: Sandbox
) -> None:
    configured(**settings)

    task, facets = operator_lineage(refresh())

    assert (task.error, facets) == (None, None)
    assert (listings(mstr_sandbox), "projects" in mstr_sandbox.report().requests) == (1, True)
    assert mstr_sandbox.report().requests["projects"] == 1


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 403, "body": '{"code": "ERR014", "message": "no"}'},
        {"kind": "garbled", "garble": "other_shape"},
        {"kind": "garbled", "garble": "html"},
        {"kind": "lost_after"},
        {"kind": "slow_before", "seconds": 30.0},
    ],
    ids=str,
)
def test_a_server_that_does_not_tell_the_sources_costs_the_refresh_nothing(
    fault: dict[str, Any], mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "MAX_RETRY_SECONDS", 1.0)
    mstr_sandbox.add_fault("list_tables", after=1, times=None, **fault)

    task, facets = operator_lineage(refresh())

    assert (task.error, task.result["state"]) == (None, "finished")
    assert (names(facets.inputs), names(facets.outputs)) == ([], [f"Tutorial/{RETAIL.id}"])
    assert listings(mstr_sandbox) == 2
    assert closed(mstr_sandbox)


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("kind", ["lost_after", "garbled", "no_privilege"])
def test_a_server_that_does_not_tell_its_projects_leaves_the_refresh_as_it_is(
    kind: str, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "MAX_RETRY_SECONDS", 1.0)
    mstr_sandbox.add_fault("projects", kind, after=1, times=None)

    task, facets = operator_lineage(refresh())

    assert (task.error, facets) == (None, None)
    assert closed(mstr_sandbox)


@pytest.mark.usefixtures("listening", "brisk")
def test_a_model_of_thousands_of_tables_is_asked_for_some_of_them_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = tuple(
        Table(f"{number:032X}", f"table_{number}", sources=(Source(f"source_{number}"),))
        for number in range(5000)
    )
    world = replace(DEFAULT_WORLD, data_models=(replace(RETAIL, tables=many),))
    with Sandbox(Settings(), world) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", sandbox.airflow_connection())

        task, facets = operator_lineage(refresh(timeout=60))

        assert task.error is None
        most = data_model.MAX_SOURCES_PAGES * data_model.SOURCES_PAGE_SIZE
        assert names(facets.inputs) == [f"public.source_{number}" for number in range(most)]
        assert facets.run_facets["mstr_refresh"].tableCount == 5000
        assert len(facets.run_facets["mstr_refresh"].tables) == 500
        assert listings(sandbox) == 1 + data_model.MAX_SOURCES_PAGES


@pytest.mark.long
@pytest.mark.mstr_sandbox(publish_seconds=5)
def test_openlineages_own_event_of_a_deferred_refresh_names_all(
    mstr_sandbox: Sandbox, tmp_path: Path
) -> None:
    transport = {"type": "file", "log_file_path": str(tmp_path / "events"), "append": True}

    seen = states(
        "mstr_refresh_in_one_task",
        mstr_sandbox,
        tmp_path / "airflow",
        AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(transport),
    )

    assert seen.count(("refresh_retail", "running")) == 2
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    (event,) = (
        event
        for event in events
        if event["eventType"] == "COMPLETE" and event["job"]["name"].endswith("refresh_retail")
    )
    namespace = f"mstr://{mstr_sandbox.origin.removeprefix('http://')}"
    assert [source["name"] for source in event["inputs"]] == [*TABLES, "sales.order_detail"]
    assert [(model["namespace"], model["name"]) for model in event["outputs"]] == [
        (namespace, f"Tutorial/{RETAIL.id}")
    ]
    facet = event["run"]["facets"]["mstr_refresh"]
    assert (facet["state"], facet["tablesConfirmed"], facet["tableCount"]) == ("finished", True, 4)
    assert {(table["name"], table["state"]) for table in facet["tables"]} == {
        (table.name, "finished") for table in RETAIL.tables
    }
    assert all(0 < table["seconds"] <= facet["seconds"] for table in facet["tables"])
    for secret in mstr_sandbox.secrets():
        assert secret not in (tmp_path / "events").read_text()
    assert closed(mstr_sandbox)


def test_what_is_kept_for_the_way_through_a_deferral_comes_back_whole() -> None:
    kept = lineage.Lineage(
        lineage.DatasetId("n", "m"), (lineage.DatasetId("a", "b"), lineage.DatasetId("c", "d"))
    )

    assert lineage.Lineage.from_json(json.loads(json.dumps(kept.to_json()))) == kept
