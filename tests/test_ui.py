# SPDX-License-Identifier: Apache-2.0
"""How the views show Airflow's answers, which may contain any JSON of a DAG."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import needs
import pytest
from examples import JSON, altered
from hypothesis import given
from hypothesis import strategies as st

import airflow_provider_mstr

pytestmark = needs.NODE

UI = Path(airflow_provider_mstr.__file__).parent / "ui"
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Calls a function of ``ui_views.js`` in one Node.js for all tests."""
    folder = tmp_path_factory.mktemp("ui")
    for script in (*UI.glob("*.js"), Path(__file__).with_name("ui_views.js")):
        shutil.copy(script, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    command = ["node", str(folder / "ui_views.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        stdin, stdout = node.stdin, node.stdout

        def call(name: str, *args: Any) -> Any:
            print(json.dumps({"call": name, "args": args}), file=stdin, flush=True)
            answer = json.loads(stdout.readline())
            assert "error" not in answer, answer["error"]
            return answer.get("value")

        yield call
        stdin.close()


def instance(**changed: Any) -> dict[str, Any]:
    """Return a task instance that has refreshed the data model Retail."""
    return {
        "dag_id": "load",
        "dag_display_name": "load",
        "dag_run_id": "run",
        "task_id": "refresh",
        "task_display_name": "refresh",
        "map_index": -1,
        "rendered_map_index": None,
        "state": "success",
        "try_number": 1,
        "start_date": "2026-01-01T00:00:00Z",
        "end_date": "2026-01-01T00:01:00Z",
        "duration": 60.0,
        "operator": "MstrRefreshDataModelOperator",
        "operator_name": "MstrRefreshDataModelOperator",
        "rendered_fields": {"data_model": "Retail", "mstr_conn_id": "mstr_default", "project_id": "Tutorial"},
    } | changed


MODEL_ID = "9F4772B837604551B4D3CC916ADC5598"
TABLES = [
    {
        "id": "A1",
        "name": "lu_store",
        "policy": "replace",
        "state": "finished",
        "word": "loaded",
        "seconds": 4,
    },
    {"id": "A2", "name": "ytd_day", "policy": "add", "state": "running", "word": "loading", "seconds": 2.5},
]
LOG = [
    {"event": "Published", "logger": "airflow_provider_mstr.tasks", "timestamp": "2026-01-01T00:00:00Z"},
    {
        "event": "Waiting",
        "logger": "airflow_provider_mstr.tasks",
        "mstr": {"tables": TABLES, "published_at": 9},
    },
    {"event": "Failed", "error_detail": [{"exc_type": "MstrError", "exc_value": "It failed. Do this."}]},
]
HANDLE = {"data_model_id": MODEL_ID, "project_id": "P1", "tables": TABLES, "published_at": 1767225600.0}
OUTCOME = {"data_model_id": MODEL_ID, "project_id": "P1", "proven": True, "seconds": 5.0, "tables": TABLES}


def in_json(value: Any) -> Any:
    """Return a value as JSON has it, which knows no NaN."""
    return json.loads(json.dumps(value), parse_constant=str)


VALUES = JSON.map(in_json)


def odd(whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return JSON like this, with other values in some places."""
    return altered(whole).map(in_json)


STEP = {"operator_name": "MstrPublishStatusSensor", "rendered_fields": {"instance": HANDLE}}
ODD_INSTANCES = st.sampled_from(
    [
        instance(dag_id="odd"),
        instance(dag_id="odd", map_index=3, rendered_map_index="third", state="failed"),
        instance(dag_id="odd", state="running", **STEP),
        instance(dag_id="odd", operator_name="MstrCreateDataModelInstanceOperator"),
    ]
).flatmap(odd)
SHOWN = ("rank", "title", "id", "name", "project", "conn", "why", "running", "link")


def is_number_or_null(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


@given(st.lists(ODD_INSTANCES | VALUES, max_size=4), st.text(max_size=9))
def test_an_odd_row_changes_no_other_row_and_holds_only_text(
    call: Call, odd_ones: list[Any], error: str
) -> None:
    good = [
        instance(
            task_id="good", rendered_fields={"data_model": "Good", "mstr_conn_id": "other"}, state="success"
        ),
        instance(
            task_id="bad", rendered_fields={"data_model": "Bad", "mstr_conn_id": "other"}, state="failed"
        ),
    ]
    rows = call("rows", [*good, *odd_ones], error)
    assert [row for row in rows if row["conn"] == "other"] == call("rows", good, error)
    for row in rows:
        assert {name: row[name] for name in SHOWN if not isinstance(row[name], str)} == {}
        assert all(isinstance(text, str) for task in row["tasks"] for text in task)
        assert is_number_or_null(row["lastSeconds"])
        assert is_number_or_null(row["median"])


@pytest.mark.parametrize("name", ["data_model_id", "data_model", "project_id", "mstr_conn_id", "instance"])
@pytest.mark.parametrize(
    "value", [5, 2.5, True, [], ["A"], {}, {"a": {}}, None, "\ud800", {"toString": 5}], ids=str
)
def test_a_rendered_field_of_any_type_gives_a_row(call: Call, name: str, value: Any) -> None:
    (row,) = call("rows", [instance(rendered_fields={name: value})], "")
    shown = {"data_model_id": "id", "data_model": "name", "project_id": "project", "mstr_conn_id": "conn"}
    if name in shown:
        text = {"5": "5", "2.5": "2.5", "'\\ud800'": "\ufffd"}.get(ascii(value), "")
        assert row[shown[name]] == text
    assert row["rank"] == "fine"


@pytest.mark.parametrize("fields", [5, "data_model", [], None, True])
def test_rendered_fields_of_another_type_give_a_row(call: Call, fields: Any) -> None:
    (row,) = call("rows", [instance(rendered_fields=fields)], "")
    assert (row["title"], row["rank"]) == ("refresh", "fine")


@pytest.mark.parametrize(
    "ti", [None, 5, "text", [], {}, {"dag_id": "d"}, instance(task_id=None), instance(dag_id=[])]
)
def test_what_names_no_task_instance_is_left_out(call: Call, ti: Any) -> None:
    assert call("attempt", ti) is None
    assert len(call("rows", [instance(), ti, instance(rendered_fields={"data_model": "Other"})], "")) == 2


@pytest.mark.parametrize("date", [None, True, "soon", "", [], {}, 1e300, "9" * 40])
def test_a_success_at_an_unknown_time_is_a_success(call: Call, date: Any) -> None:
    (row,) = call("rows", [instance(end_date=date, duration="long")], "")
    assert (row["rank"], row["why"], row["lastSeconds"]) == ("fine", "Loaded at an unknown time.", None)


@given(
    odd({"log": LOG}).map(lambda said: said.get("log")) | VALUES, odd(HANDLE) | VALUES, odd(OUTCOME) | VALUES
)
def test_a_log_and_xcoms_of_any_form_give_text_and_numbers(
    call: Call, entries: Any, handle: Any, outcome: Any
) -> None:
    progress = call("progress", entries, handle, outcome)
    assert {type(progress[name]) for name in ("error", "said", "sentence")} == {str}
    assert is_number_or_null(progress["publishedAt"])
    for table in progress["tables"]:
        assert {type(table[name]) for name in ("id", "name", "policy", "word")} == {str}
        assert table["state"] in {"running", "finished", "failed"}
        assert is_number_or_null(table["seconds"])
        assert all(isinstance(span["from"], int | float) for span in table["spans"])
    if progress["outcome"] is not None:
        assert is_number_or_null(progress["outcome"]["seconds"])
        assert isinstance(progress["outcome"]["proven"], bool)


def test_an_odd_line_or_table_costs_no_other(call: Call) -> None:
    whole = call("progress", LOG, None, None)
    spoiled = [
        LOG[0],
        None,
        "text",
        5,
        *LOG[1:],
        {"mstr": 5},
        {"mstr": {"tables": 7}},
        {"mstr": {"outcome": [1]}},
    ]
    spoiled += [{"mstr": {"tables": [None, 5, {"name": "no id"}]}}, {"error_detail": 5}, {"logger": 5}]
    assert call("progress", spoiled, None, None) == whole
    assert whole["counts"] == {"all": 2, "finished": 1, "failed": 0, "running": 1}
    assert (whole["error"], whole["publishedAt"]) == ("It failed. Do this.", 9000)


@pytest.mark.parametrize("outcome", [5, "s3://bucket/outcome", [], {}, {"tables": None}, True])
def test_what_is_no_outcome_leaves_what_the_log_says(call: Call, outcome: Any) -> None:
    assert call("progress", LOG, None, outcome) == call("progress", LOG, None, None)


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        ("https://strategy.example.com/x#/model/1", "https://strategy.example.com/x#/model/1"),
        ("HTTP://strategy.example.com/", "http://strategy.example.com/"),
        ("javascript:alert(1)", None),
        (" java\nscript:alert(1)", None),
        ("data:text/html,x", None),
        ("//strategy.example.com/", None),
        ("model/1", None),
        ("", None),
        (5, None),
        (["https://strategy.example.com/"], None),
        ({"href": "https://strategy.example.com/"}, None),
        (None, None),
    ],
)
def test_a_link_opens_only_a_page(call: Call, address: Any, opened: str | None) -> None:
    assert call("pageOf", address) == opened
