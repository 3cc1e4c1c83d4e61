# SPDX-License-Identifier: Apache-2.0
"""What a deferred task passes to its trigger, and which wait it is deferred to."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import XCom
from workers import TaskInstance

from airflow_provider_mstr.task.deferral import (
    MAX_TRIGGER_SIZE,
    STORED_KEY,
    WAIT_KEY,
    fit_trigger,
    is_deferred_to,
    load_stored,
    store_wait,
)

IDS = {"dag_id": "dag", "task_id": "wait", "run_id": "run", "map_index": -1}


def a_handle(tables: int = 1, **fields: Any) -> dict[str, Any]:
    table = {"id": "B" * 32, "name": "n" * 40, "policy": "replace"}
    handle = {"kind": "data_model", "session": "sealed", "tables": [table] * tables, "cube": {}}
    return handle | fields


def context_of(ti: TaskInstance) -> Any:
    return {"ti": ti}


# The size of a trigger


def handle_of_size(size: int) -> dict[str, Any]:
    """Return a handle that is so long as JSON, together with ``{"t": 1}``."""
    handle = a_handle(tables=0, text="")
    handle["text"] = "x" * (size - len(json.dumps([handle, {"t": 1}])))
    return handle


def test_arguments_that_fit_stay_with_the_trigger() -> None:
    ti, handle = TaskInstance("wait"), handle_of_size(MAX_TRIGGER_SIZE)
    assert fit_trigger(context_of(ti), handle, {"t": 1}) == {"handle": handle, "seen": {"t": 1}}
    assert ti.xcoms == {}


def test_one_character_more_moves_the_largest_field() -> None:
    ti, handle = TaskInstance("wait"), handle_of_size(MAX_TRIGGER_SIZE + 1)
    fitted = fit_trigger(context_of(ti), handle, {"t": 1})
    assert fitted == {"handle": {**handle, "text": ""}, "stored_in": IDS}
    assert ti.xcoms == {STORED_KEY: {"handle": {"text": handle["text"]}, "seen": {"t": 1}}}


@pytest.mark.parametrize(
    ("large", "empty"),
    [({"tables": ["x" * 100] * 400}, []), ({"cube": {str(n): n for n in range(9000)}}, {})],
    ids=["list", "mapping"],
)
def test_the_field_that_moves_leaves_an_empty_one_of_its_type(large: dict[str, Any], empty: Any) -> None:
    (name,) = large
    handle = a_handle() | large
    fitted = fit_trigger(context_of(TaskInstance("wait")), handle, {})
    assert fitted["handle"] == {**handle, name: empty}
    assert handle[name] != empty


def test_the_session_never_moves() -> None:
    ti, handle = TaskInstance("wait"), a_handle(tables=5, session="s" * MAX_TRIGGER_SIZE)
    fitted = fit_trigger(context_of(ti), handle, {})
    assert fitted["handle"] == {**handle, "tables": []}
    assert ti.xcoms[STORED_KEY]["handle"] == {"tables": handle["tables"]}


def test_what_was_seen_counts_and_moves_with_the_field() -> None:
    ti, seen = TaskInstance("wait", map_index=3), {"t": ["x" * MAX_TRIGGER_SIZE, 1.0]}
    fitted = fit_trigger(context_of(ti), a_handle(), seen)
    assert fitted == {"handle": a_handle(tables=0), "stored_in": IDS | {"map_index": 3}}
    assert ti.xcoms[STORED_KEY] == {"handle": {"tables": a_handle()["tables"]}, "seen": seen}


class StoredXComs:
    """The XComs of Airflow's database, each found only under all of its ids."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.values: dict[tuple[Any, ...], Any] = {}
        monkeypatch.setattr(XCom, "get_one", self.get_one)

    def put(self, key: str, value: Any, **ids: Any) -> None:
        self.values[(key, *(IDS | ids).values())] = value

    def get_one(self, *, key: str, dag_id: str, task_id: str, run_id: str, map_index: int) -> Any:
        return self.values.get((key, dag_id, task_id, run_id, map_index))


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> StoredXComs:
    return StoredXComs(monkeypatch)


def test_what_has_moved_is_loaded_from_its_task_instance(xcoms: StoredXComs) -> None:
    xcoms.put(STORED_KEY, {"handle": {}}, map_index=3)
    assert load_stored(IDS | {"map_index": 3}) == {"handle": {}}
    with pytest.raises(LookupError, match="XCom mstr_trigger of task wait no longer exists"):
        load_stored(IDS)


# Which wait a task is deferred to

HANDLE = a_handle()


def wait_of(handle: dict[str, Any]) -> Any:
    """Return what a task stores about the wait with a handle."""
    ti = TaskInstance("wait")
    store_wait(context_of(ti), handle)
    assert list(ti.xcoms) == [WAIT_KEY]
    return ti.xcoms[WAIT_KEY]


class States:
    """Airflow's states of task instances, as its API server returns them for one task."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
        self.states: dict[tuple[str, str, str, int], str] = {}
        self.requested: list[int | None] = []
        monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", self.get_task_states)

    def put(self, state: str, **ids: Any) -> None:
        dag_id, task_id, run_id, map_index = (IDS | ids).values()
        self.states[dag_id, task_id, run_id, map_index] = state

    def get_task_states(
        self, *, dag_id: str, task_ids: list[str], run_ids: list[str], map_index: int | None
    ) -> dict[str, dict[str, str]]:
        assert map_index is None or map_index >= 0
        self.requested.append(map_index)
        found: dict[str, dict[str, str]] = {}
        for (dag, task, run, index), state in self.states.items():
            is_wanted = (dag, task in task_ids, run in run_ids) == (dag_id, True, True)
            if is_wanted and map_index in (None, index):
                found.setdefault(run, {})[task if index < 0 else f"{task}_{index}"] = state
        return found


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> States:
    return States(monkeypatch)


def is_deferred(map_index: int | None = -1) -> bool:
    return is_deferred_to(SimpleNamespace(**IDS | {"map_index": map_index}), HANDLE)


@pytest.mark.parametrize("map_index", [-1, 0, 3])
def test_a_task_is_deferred_to_the_wait_that_it_has_stored(
    map_index: int, states: States, xcoms: StoredXComs
) -> None:
    states.put("deferred", map_index=map_index)
    xcoms.put(WAIT_KEY, wait_of(HANDLE), map_index=map_index)
    assert is_deferred(map_index) is True
    assert states.requested == [None if map_index < 0 else map_index]


def test_a_task_without_a_map_index_is_not_mapped(states: States, xcoms: StoredXComs) -> None:
    states.put("deferred")
    xcoms.put(WAIT_KEY, wait_of(HANDLE), map_index=None)
    assert is_deferred(None) is True


@pytest.mark.parametrize("state", ["running", "failed", "up_for_retry", "scheduled", "success", "removed"])
@pytest.mark.parametrize("map_index", [-1, 3])
def test_a_task_in_another_state_is_not_deferred(
    map_index: int, state: str, states: States, xcoms: StoredXComs
) -> None:
    states.put(state, map_index=map_index)
    xcoms.put(WAIT_KEY, wait_of(HANDLE), map_index=map_index)
    assert is_deferred(map_index) is False


OTHERS: list[dict[str, Any]] = [
    {"dag_id": "other"},
    {"task_id": "other"},
    {"task_id": "wait_3"},
    {"run_id": "other"},
    {"map_index": 4},
]


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_the_state_of_another_task_instance_does_not_count(
    other: dict[str, Any], states: States, xcoms: StoredXComs
) -> None:
    states.put("deferred", **{"map_index": 3} | other)
    xcoms.put(WAIT_KEY, wait_of(HANDLE), map_index=3)
    assert is_deferred(3) is False


@pytest.mark.parametrize("other", [*OTHERS, {"key": "other"}], ids=str)
def test_the_wait_of_another_task_instance_does_not_count(
    other: dict[str, Any], states: States, xcoms: StoredXComs
) -> None:
    states.put("deferred", map_index=3)
    xcoms.put(**{"key": WAIT_KEY, "value": wait_of(HANDLE), "map_index": 3} | other)
    assert is_deferred(3) is False


def test_a_task_is_not_deferred_to_a_wait_with_another_session(states: States, xcoms: StoredXComs) -> None:
    states.put("deferred")
    xcoms.put(WAIT_KEY, wait_of(a_handle(session="sealed anew")))
    assert is_deferred() is False


def test_the_session_alone_identifies_a_wait() -> None:
    assert wait_of(a_handle(tables=0)) == wait_of(HANDLE)
    assert "sealed" not in wait_of(HANDLE)
