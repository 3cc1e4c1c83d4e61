# SPDX-License-Identifier: Apache-2.0
"""What a deferred task passes to its trigger, whatever the size of the data model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.sdk import XCom
from workers import WAYS, Performed, perform, read_xcom

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.sandbox import Sandbox, Settings
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, DataModel
from airflow_provider_mstr.sensors import MstrPublishStatusSensor
from airflow_provider_mstr.task.deferral import MAX_TRIGGER_SIZE, STORED_KEY
from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

# A TEXT column of MySQL, which holds the arguments of a trigger.
MYSQL_TEXT_BYTES = 65_535

MODELS = {
    count: DataModel.named(f"model of {count}", [f"Größentabelle_{number:05}" for number in range(count)])
    for count in (1, 100, 300, 600, 5000)
}

pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    world = replace(DEFAULT_WORLD, data_models=tuple(MODELS.values()))
    with Sandbox(Settings(publish_seconds=600), world) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", sandbox.airflow_connection())
        yield sandbox


def deferred_in_one_task(model: DataModel) -> Performed:
    def make() -> MstrRefreshDataModelOperator:
        return MstrRefreshDataModelOperator(task_id="refresh", data_model_id=model.id, deferrable=True)

    return perform(make, triggerer=False)


def deferred_in_steps(model: DataModel) -> Performed:
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=model.id))
    publish = perform(lambda: MstrPublishDataModelOperator(task_id="publish", instance=create.result))
    wait = lambda: MstrPublishStatusSensor(task_id="wait", instance=publish.result, deferrable=True)  # noqa: E731
    return perform(wait, triggerer=False)


@pytest.mark.parametrize("count", MODELS)
@pytest.mark.parametrize("deferred", [deferred_in_one_task, deferred_in_steps])
def test_the_arguments_of_a_trigger_fit_into_every_database(
    deferred: Any, count: int, server: Sandbox
) -> None:
    performed = deferred(MODELS[count])

    assert performed.deferral is not None
    classpath, kwargs = performed.deferral.trigger.serialize()
    row = Trigger(classpath=classpath, kwargs=kwargs)
    assert len(row.encrypted_kwargs.encode()) <= MYSQL_TEXT_BYTES
    assert (STORED_KEY in performed.xcoms) == (count > 200)


def test_the_largest_arguments_that_stay_with_the_trigger_fit_too() -> None:
    table = {"id": "B" * 32, "name": "n" * 40, "policy": "replace"}
    handle: dict[str, Any] = {"tables": [table] * (MAX_TRIGGER_SIZE // 100)}
    kwargs = MstrPublishStatusTrigger(handle, "mstr_default", 7200.0, 30.0).serialize()[1]
    row = Trigger(classpath="x", kwargs=kwargs)
    assert len(row.encrypted_kwargs.encode()) <= MYSQL_TEXT_BYTES


@pytest.mark.parametrize("way", ["one task, deferred", "in steps, deferred"])
@pytest.mark.parametrize("count", [100, 5000])
def test_a_deferred_refresh_reports_every_table_of_a_large_model(
    count: int, way: str, server: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.change(publish_seconds=2.0)
    monkeypatch.setattr(XCom, "get_one", read_xcom)

    refreshed = WAYS[way](MODELS[count].id, timeout=600.0)

    assert refreshed.error is None
    assert (refreshed.outcome["state"], refreshed.outcome["tables_confirmed"]) == ("finished", True)
    assert [table["name"] for table in refreshed.outcome["tables"]] == [
        table.name for table in MODELS[count].tables
    ]
    assert server.report().open_sessions == 0
