# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.task_groups import refresh_data_model

RETAIL = "9F4772B837604551B4D3CC916ADC5598"


@pytest.fixture
def dag() -> DAG:
    """A load, the refresh, and a report."""
    with DAG("dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:

        @task
        def load() -> None: ...

        @task
        def report(result: object) -> None: ...

        refresh = refresh_data_model(
            "refresh",
            data_model_id=RETAIL,
            project_id="Sales",
            tables=["a"],
            refresh_policy="add",
            mstr_conn_id="other",
            deferrable=True,
            poll_interval=5,
            timeout=timedelta(minutes=1),
            when_busy="fail",
            verify_last_update=False,
        )
        load() >> refresh
        report(refresh.result)
    return dag


def test_create_is_the_setup_and_delete_its_teardown(dag: DAG) -> None:
    create, delete = dag.get_task("refresh.create"), dag.get_task("refresh.delete")

    assert (create.is_setup, delete.is_teardown) == (True, True)
    assert "refresh.delete" in create.downstream_task_ids


def test_the_steps_follow_each_other_between_what_stands_around_the_group(dag: DAG) -> None:
    assert dag.get_task("load").downstream_task_ids == {"refresh.create"}
    assert dag.get_task("refresh.publish").upstream_task_ids == {"refresh.create"}
    assert dag.get_task("refresh.wait").upstream_task_ids == {"refresh.publish"}
    assert dag.get_task("report").upstream_task_ids == {"refresh.wait"}


def test_each_argument_reaches_the_task_it_is_for(dag: DAG) -> None:
    create, publish = dag.get_task("refresh.create"), dag.get_task("refresh.publish")
    wait, delete = dag.get_task("refresh.wait"), dag.get_task("refresh.delete")

    assert (create.data_model_id, create.project_id) == (RETAIL, "Sales")
    assert (publish.tables, publish.refresh_policy) == (["a"], "add")
    assert (publish.when_busy, publish.timeout, publish.verify_last_update) == ("fail", 60.0, False)
    assert (wait.deferrable, wait.poke_interval, wait.timeout) == (True, 5.0, 60.0)
    assert {each.mstr_conn_id for each in (create, publish, wait, delete)} == {"other"}


def test_a_data_model_may_be_named() -> None:
    with DAG("dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        refresh_data_model(data_model="Sales")

    create = dag.get_task("refresh_data_model.create")
    assert (create.data_model_id, create.data_model) == (None, "Sales")


# An argument that is left out comes from the default arguments, as for every operator.

OTHER = "B8A627B44A7A421C81741B868401E446"

DEFAULTS: dict[str, Any] = {
    "project_id": "Sales",
    "tables": ["a"],
    "refresh_policy": "add",
    "mstr_conn_id": "other",
    "deferrable": "yes",
    "poll_interval": 5,
    "timeout": timedelta(minutes=1),
    "when_busy": "fail",
    "verify_last_update": "no",
    "retries": 7,
}

# The arguments of a refresh, and the task and attribute that each one reaches.
REACHES = {
    "data_model_id": [("create", "data_model_id")],
    "data_model": [("create", "data_model")],
    "project_id": [("create", "project_id")],
    "tables": [("publish", "tables")],
    "refresh_policy": [("publish", "refresh_policy")],
    "when_busy": [("publish", "when_busy")],
    "verify_last_update": [("publish", "verify_last_update")],
    "timeout": [("publish", "timeout"), ("wait", "timeout")],
    "deferrable": [("wait", "deferrable")],
    "poll_interval": [("wait", "poke_interval")],
    "mstr_conn_id": [(name, "mstr_conn_id") for name in ("create", "publish", "wait", "delete")],
    "retries": [(name, "retries") for name in ("create", "publish", "wait", "delete")],
}
AS_USED = {"timeout": 60.0, "deferrable": True, "verify_last_update": False}


def refreshed(
    dag: Mapping[str, Any], outer: Mapping[str, Any], own: Mapping[str, Any], **explicit: Any
) -> dict[str, Any]:
    """Return the arguments that reach the tasks of a refresh, with default arguments at three levels."""
    start = pendulum.datetime(2026, 1, 1, tz="UTC")
    with (
        DAG("dag", schedule=None, start_date=start, default_args=dict(dag)) as built,
        TaskGroup("outer", default_args=dict(outer)),
    ):
        refresh_data_model("g", default_args=dict(own), **explicit)
    found: dict[str, Any] = {}
    for name, places in REACHES.items():
        values = [getattr(built.get_task(f"outer.g.{task_id}"), field) for task_id, field in places]
        assert all(value == values[0] for value in values), name
        found[name] = values[0]
    return found


@pytest.mark.parametrize("level", ["dag", "outer", "own", "explicit"])
def test_every_argument_may_come_from_each_level(level: str) -> None:
    levels: dict[str, Any] = {"dag": {}, "outer": {}, "own": {}}
    arguments = {"data_model_id": RETAIL} | DEFAULTS
    if level == "explicit":
        found = refreshed(**levels, **{name: arguments[name] for name in arguments if name != "retries"})
    else:
        found = refreshed(**levels | {level: arguments})

    for name, value in arguments.items():
        if not (name == "retries" and level == "explicit"):
            assert found[name] == AS_USED.get(name, value), name


def test_what_no_level_gives_has_the_operators_defaults() -> None:
    found = refreshed({}, {}, {}, data_model_id=RETAIL)
    one_task = MstrRefreshDataModelOperator(task_id="t", data_model_id=RETAIL)

    for name in REACHES:
        assert found[name] == getattr(one_task, name), name


LEVELS = ["dag", "outer", "own", "explicit"]
VALUES: dict[str, tuple[Any, Any]] = {
    "tables": (["a"], ["b"]),
    "refresh_policy": ("add", "update"),
    "mstr_conn_id": ("one", "two"),
    "poll_interval": (5.0, 6.0),
    "timeout": (60.0, 90.0),
    "verify_last_update": (False, True),
    "deferrable": (False, True),
    "project_id": ("one", "two"),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(
    ("outer", "inner"), [(a, b) for index, a in enumerate(LEVELS) for b in LEVELS[index + 1 :]]
)
def test_the_nearer_level_decides(name: str, outer: str, inner: str) -> None:
    far, near = VALUES[name]
    levels: dict[str, dict[str, Any]] = {level: {} for level in LEVELS}
    levels[outer][name], levels[inner][name] = far, near
    explicit = levels.pop("explicit")

    assert refreshed(**levels, data_model_id=RETAIL, **explicit)[name] == near


@pytest.mark.parametrize(
    ("outer", "inner"), [(a, b) for index, a in enumerate(LEVELS) for b in LEVELS[index + 1 :]]
)
@pytest.mark.parametrize("near", ["data_model_id", "data_model"])
def test_the_nearer_of_an_id_and_a_name_decides(near: str, outer: str, inner: str) -> None:
    values = {"data_model_id": RETAIL, "data_model": "Sales"}
    far = "data_model" if near == "data_model_id" else "data_model_id"
    levels: dict[str, dict[str, Any]] = {level: {} for level in LEVELS}
    levels[outer][far], levels[inner][near] = values[far], values[near]
    explicit = levels.pop("explicit")

    found = refreshed(**levels, **explicit)

    assert (found[near], found[far]) == (values[near], None)


@pytest.mark.parametrize("level", LEVELS)
def test_an_id_and_a_name_at_one_level_are_refused(level: str) -> None:
    levels: dict[str, dict[str, Any]] = {each: {} for each in LEVELS}
    levels[level] = {"data_model_id": RETAIL, "data_model": "Sales"}
    explicit = levels.pop("explicit")

    with pytest.raises(InvalidInput, match="either data_model_id or data_model"):
        refreshed(**levels, **explicit)


@pytest.mark.parametrize(
    ("levels", "interval"),
    [
        ({"dag": {"poke_interval": 9}}, 9),
        ({"dag": {"poke_interval": 9, "poll_interval": 5}}, 5),
        ({"dag": {"poll_interval": 5}, "own": {"poke_interval": 9}}, 9),
        ({"dag": {"poke_interval": 9}, "outer": {"poll_interval": 5}}, 5),
        ({"own": {"poke_interval": 9}, "explicit": {"poll_interval": 5}}, 5),
    ],
)
def test_poke_interval_is_the_sensors_own_name_of_poll_interval(
    levels: dict[str, Any], interval: float
) -> None:
    levels = {level: {} for level in LEVELS} | levels
    explicit = levels.pop("explicit")

    assert refreshed(**levels, data_model_id=RETAIL, **explicit)["poll_interval"] == interval


@pytest.mark.parametrize("level", ["dag", "outer", "own"])
@pytest.mark.parametrize(
    "arguments",
    [{"poll_interval": "soon"}, {"when_busy": "queue"}, {"verify_last_update": "maybe"}, {"timeout": 0}],
)
def test_default_arguments_are_checked_as_others_are(level: str, arguments: dict[str, Any]) -> None:
    (name,) = arguments
    levels: dict[str, Any] = {"dag": {}, "outer": {}, "own": {}} | {level: arguments}

    with pytest.raises(InvalidInput, match=f"^{name} is "):
        refreshed(**levels, data_model_id=RETAIL)


# The operators that take an id or a name.

KINDS = [MstrRefreshDataModelOperator, MstrCreateDataModelInstanceOperator]


def in_dag(
    make: Any, defaults: Mapping[str, Any], group_defaults: Mapping[str, Any], **arguments: Any
) -> tuple[str | None, str | None]:
    start = pendulum.datetime(2026, 1, 1, tz="UTC")
    with (
        DAG("dag", schedule=None, start_date=start, default_args=dict(defaults)),
        TaskGroup("g", default_args=dict(group_defaults)),
    ):
        operator = make(task_id="t", **arguments)
    return operator.data_model_id, operator.data_model


@pytest.mark.parametrize("kind", KINDS)
def test_an_operators_own_id_or_name_decides(kind: Any) -> None:
    by_id, by_name = {"data_model_id": RETAIL}, {"data_model": "Sales"}

    assert in_dag(kind, by_name, {}, **by_id) == (RETAIL, None)
    assert in_dag(kind, by_id, {}, **by_name) == (None, "Sales")
    assert in_dag(kind, {}, by_id, **by_name) == (None, "Sales")
    assert in_dag(kind, by_id, by_name) == (None, "Sales")
    assert in_dag(kind, by_name, by_id) == (RETAIL, None)
    assert in_dag(kind, by_name, {}, default_args=by_id) == (RETAIL, None)
    assert in_dag(kind, by_name, {}, data_model_id=OTHER, default_args=by_id) == (OTHER, None)
    for both in (
        {"defaults": by_id | by_name, "group_defaults": {}},
        {"defaults": {}, "group_defaults": by_id | by_name},
    ):
        with pytest.raises(InvalidInput, match="not both"):
            in_dag(kind, **both)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mapped_operators_own_id_or_name_decides(kind: Any) -> None:
    def mapped(*, task_id: str, **arguments: Any) -> Any:
        return (
            kind.partial(task_id=task_id)
            .expand(**arguments)
            .unmap({name: values[0] for name, values in arguments.items()})
        )

    assert in_dag(mapped, {"data_model": "Sales"}, {}, data_model_id=[RETAIL]) == (RETAIL, None)
    assert in_dag(mapped, {"data_model_id": RETAIL}, {}, data_model=["Sales"]) == (None, "Sales")


def test_a_mapped_refresh_obeys_default_arguments() -> None:
    start = pendulum.datetime(2026, 1, 1, tz="UTC")
    with DAG("dag", schedule=None, start_date=start, default_args=DEFAULTS):
        mapped = MstrRefreshDataModelOperator.partial(task_id="t", refresh_policy="update").expand(
            data_model_id=[RETAIL]
        )

    operator = mapped.unmap({"data_model_id": RETAIL})

    for name in REACHES:
        if name not in ("data_model_id", "data_model", "refresh_policy"):
            assert getattr(operator, name) == AS_USED.get(name, DEFAULTS[name]), name
    assert operator.refresh_policy == "update"
