# SPDX-License-Identifier: Apache-2.0
"""The views in Airflow's UI: the status of objects, the progress of attempts, and odd JSON of a DAG."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import needs
import pytest
from examples import JSON, altered
from hypothesis import given
from hypothesis import strategies as st

import airflow_provider_mstr

pytestmark = needs.NODE

UI = Path(airflow_provider_mstr.__file__).parent / "ui" / "static"
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Calls a function of ``ui_views.js`` in one Node.js process for all tests."""
    folder = tmp_path_factory.mktemp("ui")
    for script in (*UI.glob("*.js"), Path(__file__).parents[2] / "support" / "ui_views.js"):
        shutil.copy(script, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    command = [str(needs.NODE_PATH), str(folder / "ui_views.js")]
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


# The time at which ui_views.js evaluates the models.
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def instance(**changes: Any) -> dict[str, Any]:
    """Return a task instance that refreshed the data model Retail."""
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
    } | changes


def run(hours: float, state: str = "success", **changes: Any) -> dict[str, Any]:
    """Return a task instance that started a minute before it ended, some hours ago.

    A task instance that is not finished started some hours ago.
    """
    time = NOW - timedelta(hours=hours)
    times: dict[str, Any] = {"start_date": (time - timedelta(minutes=1)).isoformat()}
    if state in {"success", "failed", "skipped", "up_for_retry"}:
        times["end_date"] = time.isoformat()
    else:
        times = {"start_date": time.isoformat(), "end_date": None, "duration": None}
    return instance(dag_run_id=f"run-{hours}", state=state, **times) | changes


MODEL_ID = "9F4772B837604551B4D3CC916ADC5598"
TABLES = [
    {"id": "A1", "name": "lu_store", "policy": "replace"},
    {"id": "A2", "name": "ytd_day", "policy": "add"},
]
STARTED_AT = 1_767_225_600.0


def entry(event: Any = "A line", **fields: Any) -> dict[str, Any]:
    """Return a log entry of the provider. With `seconds`, it is that long after the start of the load."""
    time = datetime.fromtimestamp(STARTED_AT + fields.get("seconds", 0), UTC).isoformat()
    return {"event": event, "logger": "airflow_provider_mstr.task.run", "timestamp": time} | fields


STORE_LOADED = entry(table="lu_store", state="finished", seconds=4)
DAY_LOADING = entry(table="ytd_day", state="loading", seconds=2.5)
FAILURE = {
    "event": "Failed",
    "logger": "task",
    "error_detail": [{"exc_type": "MstrError", "exc_value": "It failed. Do this."}],
}
RUNNING_LOG = [entry("Published"), DAY_LOADING, STORE_LOADED]
LOG = [*RUNNING_LOG, FAILURE]
LOAD = {
    "kind": "data_model",
    "data_model_id": MODEL_ID,
    "name": "Retail",
    "project_id": "P1",
    "project": "Tutorial",
    "tables": TABLES,
    "started_at": STARTED_AT,
}
HANDLE = {"data_model_id": MODEL_ID, "project_id": "P1", "tables": TABLES, "started_at": STARTED_AT}
LOADED = [table | {"state": "finished", "word": "loaded", "seconds": 4} for table in TABLES]
RESULT = {
    "data_model_id": MODEL_ID,
    "project_id": "P1",
    "tables_confirmed": True,
    "seconds": 5.0,
    "tables": LOADED,
}


# The status of a data model


@pytest.mark.parametrize(
    ("hours", "status"),
    [
        # Twice the median interval of 24 hours.
        ([2, 26, 50], "up-to-date"),
        ([47.9, 71.9, 95.9], "up-to-date"),
        ([48.1, 72.1, 96.1], "stale"),
        # Two successes are one interval, which is not enough.
        ([99, 123], "up-to-date"),
        # The median of 1, 10 and 10 hours is 10, the mean is 7.
        ([17, 18, 28, 38], "up-to-date"),
        ([20.1, 21.1, 31.1, 41.1], "stale"),
        # The median of 5.5, 5.5 and 10 hours is 5.5, the mean is 7.
        ([13, 18.5, 24, 34], "stale"),
        # The median of 6, 6, 10 and 10 hours is 8.
        ([15.9, 21.9, 27.9, 37.9, 47.9], "up-to-date"),
        ([16.1, 22.1, 28.1, 38.1, 48.1], "stale"),
        # 1.2 times the longest interval, of 72 hours over a weekend.
        ([86.3, 110.3, 134.3, 206.3, 230.3, 254.3], "up-to-date"),
        ([86.5, 110.5, 134.5, 206.5, 230.5, 254.5], "stale"),
        # At least half an hour.
        ([0.49, 0.52, 0.55], "up-to-date"),
        ([0.51, 0.54, 0.57], "stale"),
    ],
)
def test_a_model_is_stale_after_two_median_intervals_and_the_longest(
    call: Call, hours: list[float], status: str
) -> None:
    (row,) = call("rows", [run(each) for each in hours])

    assert row["status"] == status


def test_failed_runs_do_not_count_as_successes_for_staleness(call: Call) -> None:
    successes = [run(hours) for hours in (30, 54, 78)]
    failures = [run(31 + index, "failed") for index in range(10)]

    (row,) = call("rows", [*successes, *failures])

    assert row["status"] == "up-to-date"


@pytest.mark.parametrize(
    ("last", "status"),
    [
        # The long interval is between the 19th and the 20th run, or between the 20th and the 21st.
        (19, "up-to-date"),
        (20, "stale"),
    ],
)
def test_only_the_last_twenty_finished_runs_decide(call: Call, last: int, status: str) -> None:
    hourly = [run(2.5 + index) for index in range(last)]

    (row,) = call("rows", [*hourly, run(2.5 + last + 99)])

    assert row["status"] == status
    assert row["finishedCount"] == 20


def test_a_success_without_an_end_has_no_interval(call: Call) -> None:
    successes = [run(hours) for hours in (49, 73, 97)]

    (row,) = call("rows", [*successes, run(60, end_date=None)])

    assert row["status"] == "stale"


STALE = (run(49), run(73), run(97))
QUEUED: dict[str, Any] = {"start_date": None}


@pytest.mark.parametrize(
    ("runs", "statuses", "reason", "activity"),
    [
        ([run(2)], ["up-to-date"], "", ""),
        ([run(2), run(3, "failed")], ["up-to-date"], "", ""),
        ([run(1, "skipped"), run(2)], ["up-to-date"], "", ""),
        ([run(2, "failed"), run(3)], ["failing"], "Failed 2 hours ago.", ""),
        ([run(2, "failed"), *STALE], ["failing"], "Failed 2 hours ago.", ""),
        ([run(2, "upstream_failed")], ["failing"], "Failed: an upstream task failed.", ""),
        (
            [run(1, "running"), run(2, "failed")],
            ["failing", "running"],
            "Failed 2 hours ago.",
            "Running for 1 h",
        ),
        (
            [run(2, "up_for_retry", try_number=3), run(3)],
            ["failing"],
            "Failed 2 hours ago. Attempt 3 failed; Airflow will retry.",
            "",
        ),
        (STALE, ["stale"], "Last loaded 2 days ago, usually every 24 hours. No refresh since then.", ""),
        (
            [run(1, "deferred"), *STALE[:2], STALE[2] | {"duration": 4000.0}],
            ["stale", "running"],
            "Last loaded 2 days ago, usually every 24 hours.",
            "Running for 1 h, usually 1 min",
        ),
        ([run(1, "skipped")], ["never"], "No successful refresh found.", ""),
        ([run(1, "running")], ["running"], "Loading for the first time.", "Running for 1 h"),
        ([run(1, "deferred"), run(2)], ["running"], "", "Running for 1 h, usually 1 min"),
        ([run(1, "queued", **QUEUED), run(2)], ["queued"], "", "Queued"),
        (
            [run(0, "scheduled", queued_when=None, scheduled_when="2026-01-01T23:50:00Z", **QUEUED), run(2)],
            ["queued"],
            "",
            "Queued for 10 min",
        ),
        ([run(1, "queued", queued_when="2026-01-01T23:59:00Z"), run(2)], ["queued"], "", "Queued for 1 min"),
        ([run(1, None), run(2)], ["queued"], "", "Queued: upstream tasks have not finished"),
        ([run(1, "restarting", **QUEUED)], ["queued"], "Loading for the first time.", "Queued"),
    ],
)
def test_the_statuses_of_a_model_with_the_reason_and_what_it_does_now(
    call: Call, runs: list[dict[str, Any]], statuses: list[str], reason: str, activity: str
) -> None:
    (row,) = call("rows", runs)

    assert (row["statuses"], row["reason"], row["activity"]) == (statuses, reason, activity)


@pytest.mark.parametrize("state", ["running", "restarting", "up_for_reschedule"])
def test_a_run_in_an_active_state_is_shown_as_running(call: Call, state: str) -> None:
    (row,) = call("rows", [run(1, state), run(2)])

    assert row["status"] == "running"


WAITS = {"isBusy": True, "unavailableSince": None}
NO_ANSWER = {"isBusy": True, "unavailableSince": 1_767_311_000_000}


@pytest.mark.parametrize(
    ("progress", "status", "activity"),
    [
        ({"total": 2, "finished": 1}, "running", "1 of 2 tables loaded after 1 h, usually 1 min"),
        (WAITS, "waiting", "Waiting for another refresh to finish"),
        (WAITS | {"busySince": 1_767_311_880_000}, "waiting", "Waiting for another refresh for 2 min"),
        (NO_ANSWER, "unavailable", "The Strategy server has not answered"),
    ],
)
def test_an_active_run_has_the_state_of_its_log(
    call: Call, progress: dict[str, Any], status: str, activity: str
) -> None:
    (row,) = call("rows", [run(1, "deferred"), run(2)], {"progress": {"refresh": progress}})

    assert (row["status"], row["activity"]) == (status, activity)


def test_the_time_since_which_the_server_does_not_answer_is_shown(call: Call) -> None:
    texts = call("explanationTexts", [run(1, "deferred")], {"progress": {"refresh": NO_ANSWER}})

    assert texts[0] == "Loading for the first time."
    assert re.fullmatch(r"The Strategy server has not answered since \d+:43.*\.", texts[1])


def test_of_several_active_runs_the_one_that_loads_is_shown(call: Call) -> None:
    runs = [run(0, "queued", **QUEUED), run(1, "deferred", task_id="second"), run(2, "deferred")]
    progress = {"second": WAITS, "refresh": {"total": 2, "finished": 1}}

    (row,) = call("rows", [*runs[1:], runs[0] | {"rendered_fields": {}}], {"progress": progress})

    assert (row["statuses"], row["activity"]) == (["running"], "1 of 2 tables loaded after 2 h")
    assert " 1 other run waits for it." in call("explanationTexts", runs, {"progress": progress})


def dag(dag_id: str = "load", run_in: float | None = None, **more: Any) -> dict[str, Any]:
    """Return a DAG in the form of Airflow's API, whose next run is in some hours."""
    run_after = None if run_in is None else (NOW + timedelta(hours=run_in)).isoformat()
    values = {"dag_id": dag_id, "is_paused": False, "next_dagrun_run_after": run_after}
    return values | {"timetable_summary": None} | more


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ([run(2)], "Its DAG is paused."),
        (STALE, "Last loaded 2 days ago, usually every 24 hours. Its DAG is paused."),
        ([run(1, "skipped")], "No successful refresh found. Its DAG is paused."),
    ],
)
def test_the_reason_names_a_paused_dag(call: Call, runs: list[dict[str, Any]], reason: str) -> None:
    (row,) = call("rows", runs, {"dags": [dag(is_paused=True)]})
    (other,) = call("rows", runs, {"dags": [dag("other", is_paused=True)]})

    assert row["reason"] == reason
    assert "paused" not in other["reason"]


def test_the_reason_of_a_stale_model_names_a_missing_schedule(call: Call) -> None:
    (row,) = call("rows", STALE, {"dags": [dag()]})

    assert row["reason"] == "Last loaded 2 days ago, usually every 24 hours. Its DAG has no schedule."


@pytest.mark.parametrize(
    ("dags", "kind", "run_in"),
    [
        ([], None, None),
        ([dag("other", 1)], None, None),
        ([dag()], "none", None),
        ([dag(timetable_summary="Asset")], "assets", None),
        ([dag(is_paused=True, timetable_summary="Asset")], "paused", None),
        ([dag(run_in=2), dag("second", 1)], "time", 1),
        ([dag(run_in=2), dag("second", 1, is_paused=True)], "time", 2),
        ([dag(timetable_summary="Asset"), dag("second", 1)], "time", 1),
        ([dag(next_dagrun_run_after=5.5e99, is_paused="no")], "none", None),
    ],
)
def test_the_next_run_is_the_soonest_of_the_dags_that_are_not_paused(
    call: Call, dags: list[dict[str, Any]], kind: str | None, run_in: float | None
) -> None:
    (row,) = call("rows", [run(2), run(3, dag_id="second")], {"dags": dags})

    time = None if run_in is None else (NOW + timedelta(hours=run_in)).timestamp() * 1000
    assert row["nextRun"] == (kind and {"kind": kind, "time": time})


def test_a_failing_model_shows_its_error_in_one_line(call: Call) -> None:
    error = f"publish of data model {MODEL_ID} failed: full. Fix table entries."

    (row,) = call("rows", [run(2, "failed")], {"error": error})

    assert row["reason"] == "Failed 2 hours ago: publish of the data model failed: full. Fix table entries."
    assert call("explanationTexts", [run(2, "failed")], {"error": error})[1:] == [
        " ",
        "Details",
        error,
        "Open the failed task",
    ]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("the load of cube Sales failed: out of memory. Fix it.", "out of memory. Fix it."),
        (f"could not load cube {MODEL_ID.lower()}: no.\nCheck it.", "could not load the cube: no. Check it."),
        ("the cube Sales is gone. Ask.", "the cube is gone. Ask."),
        ("could not load cube Sales: no. Ask (HTTP 403, code A)", "could not load the cube: no. Ask"),
        (f"it is full. Ask (cube {MODEL_ID})", "it is full. Ask"),
        ("it is full (HTTP 302). Check the host.", "it is full (HTTP 302). Check the host."),
        ("it ended (5: Column day is missing).", "it ended (5: Column day is missing)."),
    ],
)
def test_an_error_in_one_line_has_no_codes(call: Call, error: str, line: str) -> None:
    assert call("formatError", error, {"kind": "cube", "name": "Sales"}) == line


def test_an_error_without_more_details_has_none(call: Call) -> None:
    texts = call("explanationTexts", [run(2, "failed")], {"error": "it is full. Fix it."})

    assert texts == ["Failed 2 hours ago: it is full. Fix it.", " ", "Open the failed task"]


@pytest.mark.parametrize(
    ("minutes", "slowness"),
    [
        # 1.5 times the median of 1, 4, 4 and 7 minutes is 6 minutes, and the longest is 7 minutes.
        (6.9, ""),
        (7.1, "longer than usual: 7 min 6 s, usually 4 min."),
    ],
)
def test_an_unusually_long_run_is_compared_with_the_usual_duration(
    call: Call, minutes: float, slowness: str
) -> None:
    earlier = [run(9 + index, duration=60 * each) for index, each in enumerate((1, 4, 7, 4))]

    (active,) = call("rows", [run(minutes / 60, "deferred"), *earlier])
    (last,) = call("rows", [run(2, duration=60 * minutes), *earlier])

    assert active["slowness"] == (slowness and f"Takes {slowness}")
    assert last["slowness"] == (slowness and f"Took {slowness}")
    assert ("usually" in active["activity"]) == (slowness == "")


def test_a_run_is_not_unusually_long_if_it_is_below_1_5_times_the_median(call: Call) -> None:
    earlier = [run(9 + index, duration=240.0) for index in range(3)]

    assert call("rows", [run(2, duration=360.0), *earlier])[0]["slowness"] == ""
    assert call("rows", [run(2, duration=361.0), *earlier])[0]["slowness"] != ""
    # A failure is of more interest.
    assert call("rows", [run(1, "failed"), run(2, duration=361.0), *earlier])[0]["slowness"] == ""
    # Two runs do not show what is usual.
    assert call("rows", [run(2, duration=361.0), *earlier[:2]])[0]["slowness"] == ""


def test_a_queued_run_is_not_unusually_long(call: Call) -> None:
    (row,) = call("rows", [run(5, "queued"), *[run(9 + 9 * index) for index in range(3)]])

    assert (row["status"], row["slowness"]) == ("queued", "")


def test_durations_and_counts_are_those_of_successes(call: Call) -> None:
    runs = [
        run(1, "failed", duration=1.0),
        run(2, duration=40.0),
        run(3, duration=None),
        run(4, duration=100.0),
        run(5, duration=10.0),
    ]

    (row,) = call("rows", runs)

    assert (row["lastSeconds"], row["medianSeconds"]) == (40.0, 40.0)
    assert (row["successCount"], row["finishedCount"]) == (4, 5)
    assert call("chartTexts", runs) == ["(Durations of the last 5 runs: last 40 s, median 40 s, 1 failed)"]


@pytest.mark.parametrize(
    ("runs", "has_chart"), [([run(2), run(3)], True), ([run(2)], False), ([run(2, "failed")], False)]
)
def test_only_several_runs_with_a_success_are_a_chart(
    call: Call, runs: list[dict[str, Any]], has_chart: bool
) -> None:
    assert any("Durations of" in text for text in call("rowTexts", runs)) == has_chart


def test_more_than_two_tasks_are_shown_on_demand(call: Call) -> None:
    texts = call(
        "rowTexts", [run(1 + index, task_id=f"t{index}", task_display_name=f"t{index}") for index in range(4)]
    )

    assert texts.index("t1") < texts.index("and 2 other tasks") < texts.index("t2")
    assert "and 1 other task" not in call("rowTexts", [run(1), run(2, task_id="t2", task_display_name="t2")])


def named(model: str, *runs: dict[str, Any]) -> list[dict[str, Any]]:
    """Return runs of another data model, in its own DAG."""
    fields = {"data_model": model, "mstr_conn_id": "mstr_default"}
    return [each | {"dag_id": model, "rendered_fields": fields} for each in runs]


def test_rows_are_sorted_by_urgency_and_then_by_the_age_of_the_last_success(call: Call) -> None:
    instances = [
        *named("fresh", run(2)),
        *named("old", run(3)),
        *named("running", run(1, "running")),
        *named("never", run(1, "skipped")),
        *named("stale", *STALE),
        *named("failing", run(1, "failed"), run(5)),
        *named("failing longer", run(1, "failed"), run(9)),
        *named("never succeeded", run(1, "failed")),
    ]

    titles = [row["title"] for row in call("rows", instances)]

    assert titles == [
        "never succeeded",
        "failing longer",
        "failing",
        "stale",
        "never",
        "running",
        "old",
        "fresh",
    ]


@pytest.mark.parametrize(
    ("column", "ascending", "descending"),
    [
        # Rows of the same status remain in order of urgency.
        ("Status", ["bad", "new", "old", "fresh"], ["old", "fresh", "new", "bad"]),
        ("Object", ["bad", "fresh", "new", "old"], ["old", "new", "fresh", "bad"]),
        ("Last success", ["fresh", "old", "bad", "new"], ["bad", "old", "fresh", "new"]),
        ("Next run", ["old", "fresh", "bad", "new"], ["fresh", "old", "bad", "new"]),
        ("Duration", ["old", "bad", "fresh", "new"], ["fresh", "bad", "old", "new"]),
        ("Successes", ["bad", "old", "fresh", "new"], ["old", "fresh", "bad", "new"]),
        ("DAG and task", ["new", "bad", "fresh", "old"], ["old", "bad", "fresh", "new"]),
    ],
)
def test_rows_are_sorted_by_a_column_and_those_without_a_value_are_last(
    call: Call, column: str, ascending: list[str], descending: list[str]
) -> None:
    instances = [
        *named("fresh", run(2, duration=90.0)),
        *named("old", run(3, duration=20.0, dag_display_name="reload")),
        *named("bad", run(1, "failed"), run(5, duration=60.0)),
        *named("new", run(1, "skipped", dag_display_name="a new one")),
    ]
    details = {"dags": [dag("fresh", 5), dag("old", 2), dag("new")]}
    order = {"column": column, "isDescending": False}

    assert call("sortedTitles", instances, order, details) == ascending
    assert call("sortedTitles", instances, order | {"isDescending": True}, details) == descending


# Which runs belong to a data model


def test_runs_are_grouped_by_connection_and_model(call: Call) -> None:
    other = {"data_model": "Retail", "mstr_conn_id": "other"}
    by_id = {"data_model_id": MODEL_ID.lower(), "mstr_conn_id": "other"}
    instances = [
        run(1),
        run(2, dag_id="second"),
        run(3, rendered_fields=other),
        run(4, rendered_fields=by_id),
        run(5, rendered_fields=by_id | {"data_model_id": MODEL_ID, "data_model": "Sales"}),
    ]

    rows = call("rows", instances)

    found = {(row["conn"], row["name"], row["id"]): len(row["tasks"]) for row in rows}
    assert found == {
        ("mstr_default", "Retail", ""): 2,
        ("other", "Retail", ""): 1,
        ("other", "Sales", MODEL_ID): 2,
    }


def test_a_run_that_has_not_started_belongs_to_the_newest_model_of_its_task(call: Call) -> None:
    queued = run(0, "queued", rendered_fields={}, **QUEUED)
    before = run(9, rendered_fields={"data_model": "Former", "mstr_conn_id": "mstr_default"})

    former, retail = sorted(call("rows", [before, run(2), queued]), key=lambda row: row["title"])

    assert (former["title"], former["status"]) == ("Former", "up-to-date")
    assert (retail["title"], retail["status"], len(retail["tasks"])) == ("Retail", "queued", 2)


def test_a_queued_run_of_another_map_index_is_another_row(call: Call) -> None:
    queued = run(0, "queued", rendered_fields={}, map_index=1, **QUEUED)

    rows = call("rows", [run(2, map_index=0), queued])

    assert {row["title"] for row in rows} == {"Retail", "Unnamed data model"}


def step(task: str, operator: str, **changes: Any) -> dict[str, Any]:
    fields = {"mstr_conn_id": "mstr_default"}
    return (
        run(2, task_id=task, task_display_name=task, operator_name=operator, rendered_fields=fields) | changes
    )


CREATE = step(
    "group.create",
    "MstrCreateDataModelInstanceOperator",
    rendered_fields={"data_model": "Retail", "project_id": "Tutorial", "mstr_conn_id": "mstr_default"},
)
WAIT = step("group.wait", "MstrPublishStatusSensor", rendered_fields={"mstr_conn_id": "mstr_default"})


def test_the_steps_of_a_refresh_are_one_row_with_the_name_of_the_create_step(call: Call) -> None:
    publish = step("group.publish", "MstrPublishDataModelOperator")
    delete = step("group.delete", "MstrDeleteDataModelInstanceOperator")

    (row,) = call("rows", [CREATE, publish, WAIT, delete])

    assert (row["title"], row["project"], row["status"]) == ("Retail", "Tutorial", "up-to-date")
    assert [task for _, task, *_ in row["tasks"]] == ["group.wait"]


def test_a_sensor_without_a_start_shows_the_step_that_failed(call: Call) -> None:
    publish = step("group.publish", "MstrPublishDataModelOperator", state="failed")
    wait = WAIT | {"state": "upstream_failed", "start_date": None, "end_date": None}

    (row,) = call("rows", [CREATE, publish, wait])

    assert (row["title"], row["status"], row["failedTask"]) == ("Retail", "failing", "group.publish")
    assert row["reason"] == "Failed 2 hours ago: an upstream task failed."


@pytest.mark.parametrize(
    "other",
    [
        CREATE | {"task_id": "group.create_other"},
        None,
    ],
    ids=["two creates in the group", "create in another group"],
)
def test_a_step_that_cannot_be_assigned_gives_no_name(call: Call, other: dict[str, Any] | None) -> None:
    creates = [CREATE, other] if other else [CREATE | {"task_id": "another.create"}]

    (row,) = call("rows", [*creates, WAIT])

    assert (row["title"], row["name"]) == ("Unnamed data model", "")


@pytest.mark.parametrize("changes", [{}, {"map_index": 3, "rendered_map_index": "third"}])
def test_a_model_without_a_name_has_a_title_of_its_kind_and_id(call: Call, changes: dict[str, Any]) -> None:
    by_id = {"data_model_id": MODEL_ID}

    (row,) = call("rows", [run(1, rendered_fields=by_id, **changes)])
    (same,) = call("rows", [run(1, rendered_fields=by_id | {"data_model": MODEL_ID.lower()}, **changes)])

    assert (row["title"], row["name"]) == (same["title"], same["name"]) == ("Data model 9F4772B8…", "")


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("", ["Retail", "Finance"]),
        ("RET", ["Retail"]),
        ("tutorial", ["Retail"]),
        ("tutorial ret", ["Retail"]),
        ("tutorial fin", []),
        ("load_finance", ["Finance"]),
        ("mstr_default", ["Retail", "Finance"]),
        ("nothing", []),
    ],
)
def test_a_filter_matches_models_that_contain_each_word(call: Call, text: str, titles: list[str]) -> None:
    finance = run(
        2, dag_id="load_finance", rendered_fields={"data_model": "Finance", "mstr_conn_id": "mstr_default"}
    )

    assert call("filter", [run(1), finance], text) == titles


# Objects of each kind


def cube_run(hours: float, state: str = "success", **changes: Any) -> dict[str, Any]:
    """Return a task instance that refreshed a cube."""
    fields = {"cube": "Sales Cube", "cube_id": None, "project_id": None, "mstr_conn_id": "mstr_default"}
    values: dict[str, Any] = {
        "task_id": "refresh_cube",
        "operator_name": "MstrRefreshCubeOperator",
        "rendered_fields": fields,
    }
    return run(hours, state, **values | changes)


CUBE_ID = "4B7D9E2A6C1F4830A5E8B3D7F0C6921A"
CUBE_BY_ID = {"cube": None, "cube_id": CUBE_ID, "project_id": None, "mstr_conn_id": "mstr_default"}
CUBE_RESULT = {
    "kind": "cube",
    "project_id": "B7CA92F04B9FAE8D941C3E9B7E0CD754",
    "project": "Tutorial",
    "cube_id": CUBE_ID,
    "name": "Sales Cube",
    "tables_confirmed": True,
    "seconds": 5.0,
    "tables": [],
}
REPORT_RESULT = CUBE_RESULT | {"kind": "report", "report_id": MODEL_ID, "name": "Sales Update"}


@pytest.mark.parametrize(
    ("operator", "fields", "kind", "title"),
    [
        ("MstrRefreshDataModelOperator", {"data_model": "Retail"}, "data_model", "Retail"),
        ("MstrRefreshCubeOperator", {"cube": "Sales Cube"}, "cube", "Sales Cube"),
        ("MstrRunIncrementalRefreshOperator", {"report": "Sales Update"}, "report", "Sales Update"),
        ("MstrPublishStatusSensor", {"instance": HANDLE | {"name": "Retail"}}, "data_model", "Retail"),
        ("MstrPublishStatusSensor", {"instance": CUBE_RESULT}, "cube", "Sales Cube"),
        ("MstrPublishStatusSensor", {"instance": REPORT_RESULT}, "report", "Sales Update"),
        ("A subclass", {"cube_id": None, "cube": "Sales Cube"}, "cube", "Sales Cube"),
        ("A subclass", {"report_id": MODEL_ID}, "report", "Incremental refresh report 9F4772B8…"),
        ("A subclass", {}, "data_model", "Unnamed data model"),
        ("MstrRefreshCubeOperator", {}, "cube", "Unnamed cube"),
    ],
)
def test_a_row_has_the_kind_and_the_name_of_its_object(
    call: Call, operator: str, fields: dict[str, Any], kind: str, title: str
) -> None:
    (row,) = call("rows", [instance(operator_name=operator, rendered_fields=fields)])

    assert (row["kind"], row["title"]) == (kind, title)


def test_a_run_by_id_has_the_name_of_its_result(call: Call) -> None:
    (row,) = call("rows", [cube_run(1, rendered_fields=CUBE_BY_ID, result=CUBE_RESULT)])

    assert (row["title"], row["id"], row["project"]) == ("Sales Cube", CUBE_ID, "Tutorial")


def test_a_result_with_the_id_in_place_of_the_name_gives_no_name(call: Call) -> None:
    result = CUBE_RESULT | {"name": CUBE_ID}

    (row,) = call("rows", [cube_run(1, rendered_fields=CUBE_BY_ID, result=result)])

    assert (row["title"], row["name"], row["id"]) == ("Cube 4B7D9E2A…", "", CUBE_ID)


@pytest.mark.parametrize("project", [None, "Tutorial", "B7CA92F04B9FAE8D941C3E9B7E0CD754"])
def test_an_object_by_id_and_by_name_is_one_row(call: Call, project: str | None) -> None:
    by_name = CUBE_BY_ID | {"cube": "SALES cube", "cube_id": None, "project_id": project}
    instances = [
        cube_run(1, rendered_fields=CUBE_BY_ID, result=CUBE_RESULT),
        cube_run(2, task_id="by_name", rendered_fields=by_name),
        cube_run(3, rendered_fields=CUBE_BY_ID),
    ]

    (row,) = call("rows", instances)

    assert (row["title"], row["finishedCount"]) == ("Sales Cube", 3)


@pytest.mark.parametrize(
    "other",
    [
        {"rendered_fields": CUBE_BY_ID | {"cube": "Sales Cube", "cube_id": None, "project_id": "Sales"}},
        {"rendered_fields": CUBE_BY_ID | {"cube": "Sales Cube", "cube_id": None, "mstr_conn_id": "other"}},
        {"rendered_fields": CUBE_BY_ID | {"mstr_conn_id": "other"}},
        {
            "operator_name": "MstrRefreshDataModelOperator",
            "rendered_fields": {"data_model": "Sales Cube", "mstr_conn_id": "mstr_default"},
        },
    ],
    ids=["project", "connection", "connection by id", "kind"],
)
def test_an_object_of_another_project_connection_or_kind_is_another_row(
    call: Call, other: dict[str, Any]
) -> None:
    by_id = cube_run(1, rendered_fields=CUBE_BY_ID, result=CUBE_RESULT)

    assert len(call("rows", [by_id, cube_run(2, task_id="other", **other)])) == 2


def test_two_runs_by_name_whose_results_have_the_same_id_are_one_row(call: Call) -> None:
    named = CUBE_BY_ID | {"cube": "Sales Cube", "cube_id": None, "project_id": "Tutorial"}
    default = cube_run(2, task_id="default", result=CUBE_RESULT)

    (row,) = call("rows", [cube_run(1, rendered_fields=named), default])

    assert (row["id"], row["finishedCount"]) == (CUBE_ID, 2)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_run_that_shows_id_and_name_unites_the_runs_by_either_in_all_dags(
    call: Call, order: tuple[int, ...]
) -> None:
    fields = [
        CUBE_BY_ID | {"cube": "Sales Cube"},
        CUBE_BY_ID | {"cube_id": CUBE_ID.lower()},
        CUBE_BY_ID | {"cube": "sales cube", "cube_id": None},
    ]
    instances = [
        cube_run(1 + hours, dag_id=f"dag{each}", rendered_fields=fields[each])
        for hours, each in enumerate(order)
    ]

    (row,) = call("rows", instances)

    assert (row["title"].lower(), row["id"], row["finishedCount"]) == ("sales cube", CUBE_ID, 3)


def test_without_rendered_fields_tasks_whose_connection_was_read_are_one_row(call: Call) -> None:
    read = {"rendered_fields": None, "result": CUBE_RESULT, "conn": "mstr_default"}
    instances = [
        cube_run(1, **read),
        cube_run(2, rendered_fields=None),
        cube_run(3, dag_id="other", **read),
        cube_run(4, dag_id="third", **read | {"conn": "another"}),
    ]

    rows = call("rows", instances)

    assert [(row["conn"], row["finishedCount"]) for row in rows] == [("another", 1), ("mstr_default", 3)]


def test_without_rendered_fields_each_task_is_a_row_with_the_name_of_its_result(call: Call) -> None:
    instances = [
        cube_run(1, rendered_fields=None, result=CUBE_RESULT),
        cube_run(2, rendered_fields=None),
        cube_run(3, task_id="other", rendered_fields=None, result=CUBE_RESULT),
    ]

    rows = call("rows", instances)

    assert [(row["title"], row["finishedCount"]) for row in rows] == [("Sales Cube", 1), ("Sales Cube", 2)]


def test_the_page_reads_the_result_of_the_last_success_of_an_object_without_a_name(call: Call) -> None:
    by_id = {"rendered_fields": CUBE_BY_ID}

    assert call("unidentified", [cube_run(1, "failed", **by_id), cube_run(2, **by_id)]) == [
        "refresh_cube run-2"
    ]
    assert call("unidentified", [cube_run(1, "deferred", **by_id)]) == ["refresh_cube run-1"]
    assert call("unidentified", [cube_run(1, "queued", **by_id, **QUEUED)]) == []
    assert call("unidentified", [cube_run(1, **by_id, result=CUBE_RESULT)]) == []


def test_the_page_reads_the_result_of_an_object_with_a_name_only_if_another_row_has_it(call: Call) -> None:
    in_project = cube_run(2, task_id="b", rendered_fields={"cube": "sales cube", "project_id": "Tutorial"})
    in_project["rendered_fields"]["mstr_conn_id"] = "mstr_default"

    assert call("unidentified", [cube_run(1)]) == []
    assert call("unidentified", [cube_run(1), run(2)]) == []
    assert call("unidentified", [cube_run(1), in_project]) == ["refresh_cube run-1", "b run-2"]
    assert call("unidentified", [cube_run(1) | {"result": CUBE_RESULT}, in_project]) == []


@pytest.mark.parametrize("text", ["cube", "incremental sales", "data model"])
def test_a_filter_matches_the_kind(call: Call, text: str) -> None:
    report = run(3, operator_name="MstrRunIncrementalRefreshOperator", rendered_fields={"report": "Sales up"})
    cube = cube_run(2, rendered_fields={"cube": "Region"})
    titles = {"cube": "Region", "incremental sales": "Sales up", "data model": "Retail"}

    assert call("filter", [run(1), cube, report], text) == [titles[text]]


# The texts of the page


@pytest.mark.parametrize(
    ("props", "title"),
    [
        ({"isLoading": True}, "Loading refreshes …"),
        ({"isFiltered": True, "summaries": [{}]}, "No objects match this filter."),
        ({"isFiltered": True}, "Nothing has been refreshed yet."),
        ({}, "Nothing has been refreshed yet."),
    ],
)
def test_an_empty_page_explains_itself(call: Call, props: dict[str, Any], title: str) -> None:
    assert call("bodyTexts", props)[0] == title


def test_a_page_with_an_error_shows_no_notice_of_its_own(call: Call) -> None:
    assert call("bodyTexts", {"error": {}}) == []


@pytest.mark.parametrize(
    ("read", "total", "text"),
    [
        (23, 23, "Based on 23 task runs you can access."),
        (1, 1, "Based on 1 task run you can access."),
        (3000, 4000, "Based on the last 3,000 of 4,000 task runs you can access."),
    ],
)
def test_the_footer_counts_the_task_runs(call: Call, read: int, total: int, text: str) -> None:
    assert call("footerTexts", {"readCount": read, "total": total})[0].strip() == text


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (0, "Airflow does not respond."),
        (200, "Airflow's API returned an unexpected response."),
        (401, "You are signed out."),
        (403, "You do not have permission to view this."),
        (500, "Airflow's API returned an error (HTTP 500)."),
    ],
)
def test_an_error_of_the_api_names_the_cause_first(call: Call, status: int, advice: str) -> None:
    assert call("advice", status).startswith(advice)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.04, "0 s"),
        (2.54, "2.5 s"),
        (10.4, "10 s"),
        (60, "1 min"),
        (84, "1 min 24 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400 + 59, "1 d"),
    ],
)
def test_a_duration_has_at_most_two_units(call: Call, seconds: float, text: str) -> None:
    assert call("formatDuration", seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, "under a minute"),
        (60, "1 minute"),
        (5399, "90 minutes"),
        (5400, "2 hours"),
        (1.5 * 86_400 - 1, "36 hours"),
        (1.5 * 86_400, "2 days"),
    ],
)
def test_an_age_has_one_unit(call: Call, seconds: float, text: str) -> None:
    assert call("formatAge", seconds) == text


@pytest.mark.parametrize(("numbers", "middle"), [([5], 5), ([9, 100, 1], 9), ([10, 1, 2, 100], 6)])
def test_the_median_is_the_middle_in_numeric_order(call: Call, numbers: list[float], middle: float) -> None:
    assert call("median", numbers) == middle


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("It failed. Do this.", "It failed"),
        ("It failed.", "It failed"),
        ("It failed: v1.2. see", "It failed: v1.2. see"),
        ("\nIt failed\nDetails. More", "It failed"),
        (f"the load of data model {MODEL_ID} failed", "the load of the data model failed"),
        (f"the load of cube {MODEL_ID} failed", "the load of the cube failed"),
        (
            f"the load of incremental refresh report {MODEL_ID} failed",
            "the load of the incremental refresh report failed",
        ),
        ("the load of cube Sales failed", "the load of cube Sales failed"),
    ],
)
def test_the_first_sentence_of_an_error(call: Call, error: str, sentence: str) -> None:
    assert call("firstSentence", error) == sentence


# An attempt in the tab

USUAL = {"seconds": 43_200.0, "longest": 50_000.0, "count": 3}
BUSY = entry("Waiting for another refresh", busy=True)
UNAVAILABLE = entry("No response", server="unavailable", since="2026-01-01T23:58:50Z", timestamp=None)
ENDED = entry("Refreshed", refresh="ended", state="failed", seconds=43.0)


@pytest.mark.parametrize(
    ("state", "log", "result", "texts"),
    [
        ("success", RUNNING_LOG, RESULT, ["Loaded", "2 tables in 5 s"]),
        (
            "success",
            RUNNING_LOG,
            RESULT | {"tables_confirmed": False},
            ["Loaded", "2 tables in 5 s. The server reported success, but no status for each table."],
        ),
        ("success", [], None, ["Loaded"]),
        ("failed", LOG, None, ["Failed", "1 of 2 tables loaded; status unknown: ytd_day."]),
        (
            "up_for_retry",
            [*LOG, ENDED],
            None,
            [
                "Failed",
                "after 43 s. 1 of 2 tables loaded; status unknown: ytd_day. "
                "Airflow retries the task automatically.",
            ],
        ),
        (
            "failed",
            [],
            None,
            [
                "Failed",
                "The log contains no error: a user marked the task as failed, or its worker was lost.",
            ],
        ),
        (
            "failed",
            None,
            None,
            [
                "Failed",
                "The cause is unknown: the log does not exist or you do not have permission to read it.",
            ],
        ),
        ("upstream_failed", None, None, ["Failed", "An upstream task failed. Open that task for details."]),
        ("skipped", [], None, ["Skipped", "Nothing was loaded."]),
        ("queued", [], None, ["Queued", "The refresh has not started."]),
        ("scheduled", [], None, ["Queued", "The refresh has not started."]),
        (
            "running",
            RUNNING_LOG,
            None,
            ["Loading", "1 of 2 tables loaded", "1 d so far", "(Tables loaded)"],
        ),
        ("deferred", [entry("Waiting")], None, ["Starting", "Waiting"]),
        ("running", [], None, ["Starting", "The refresh is starting."]),
        (
            "deferred",
            [STORE_LOADED, entry(table="ytd_day", state="finished", seconds=9)],
            None,
            [
                "Loading",
                "2 of 2 tables loaded. Waiting for the server to finish",
                "1 d so far",
                "(Tables loaded)",
            ],
        ),
        (
            "deferred",
            [BUSY],
            None,
            [
                "Waiting for another refresh",
                "This refresh starts when the other one has ended.",
                "1 d so far",
            ],
        ),
        (
            "failed",
            [STORE_LOADED, entry(table="ytd_day", state="failed", seconds=9), ENDED, FAILURE],
            None,
            ["Failed", "after 43 s. 1 of 2 tables loaded."],
        ),
        ("failed", [BUSY, FAILURE], None, ["Failed", "(Error)", "It failed. Do this."]),
    ],
)
def test_the_status_of_an_attempt(call: Call, state: str, log: Any, result: Any, texts: list[str]) -> None:
    assert call("attemptTexts", state, log, None, result)[: len(texts)] == texts


@pytest.mark.parametrize(
    ("log", "description", "elapsed"),
    [
        ([UNAVAILABLE], r"since 11:58:50\sPM; retrying\.", "1 min 10 s so far"),
        (
            [*RUNNING_LOG, UNAVAILABLE],
            r"since 11:58:50\sPM; retrying\. 1 of 2 tables loaded before\.",
            "1 min 10 s so far",
        ),
    ],
)
def test_a_server_that_does_not_answer_is_shown(
    call: Call, log: list[dict[str, Any]], description: str, elapsed: str
) -> None:
    texts = call("attemptTexts", "deferred", log, None, None, USUAL)

    assert texts[0] == "Server not answering"
    assert re.fullmatch(description, texts[1])
    assert texts[2] == elapsed


@pytest.mark.parametrize(
    ("state", "usual", "text"),
    [
        ("deferred", USUAL | {"seconds": 86_400.0}, "1 d so far, usually takes 1 d"),
        ("deferred", USUAL, "1 d so far, longer than usual (12 h)"),
        ("deferred", USUAL | {"longest": 90_000.0}, "1 d so far, usually takes 12 h"),
        ("deferred", USUAL | {"count": 2}, "1 d so far, usually takes 12 h"),
        ("success", {"seconds": 4.0, "longest": 4.5, "count": 3}, "2 tables in 5 s, usually 4 s"),
        ("success", {"seconds": 2.0, "longest": 4.5, "count": 3}, "2 tables in 5 s, longer than usual (2 s)"),
        (
            "queued",
            {"seconds": 240.0, "longest": 300.0, "count": 3},
            "The refresh has not started. It usually takes 4 min.",
        ),
    ],
)
def test_the_duration_is_compared_with_the_usual_one(
    call: Call, state: str, usual: dict[str, float], text: str
) -> None:
    result = RESULT if state == "success" else None

    assert text in call("attemptTexts", state, RUNNING_LOG, LOAD, result, usual)


CUBE_LOG = [entry("Publishing cube Sales Cube"), entry("Job: loading_data", state="loading_data", seconds=3)]


@pytest.mark.parametrize(
    ("state", "log", "result", "texts"),
    [
        ("success", CUBE_LOG, CUBE_RESULT, ["Loaded", "in 5 s"]),
        ("success", [], CUBE_RESULT | {"tables_confirmed": False}, ["Loaded", "in 5 s"]),
        ("success", [], None, ["Loaded"]),
        ("deferred", CUBE_LOG[:1], None, ["Starting", "Publishing cube Sales Cube"]),
        ("deferred", CUBE_LOG, None, ["Loading", 'The job\'s status is "loading data"', "1 d so far"]),
        ("failed", [*CUBE_LOG, LOG[-1]], None, ["Failed", "(Error)", "It failed. Do this."]),
        ("queued", [], None, ["Queued", "The refresh has not started."]),
    ],
)
def test_an_attempt_without_tables_shows_the_status_of_its_job(
    call: Call, state: str, log: Any, result: Any, texts: list[str]
) -> None:
    assert call("attemptTexts", state, log, None, result) == texts


def test_a_load_without_a_status_shows_the_last_message(call: Call) -> None:
    load = LOAD | {"tables": []}

    assert call("attemptTexts", "deferred", CUBE_LOG[:1], load) == [
        "Loading",
        "Publishing cube Sales Cube",
        "1 d so far",
    ]


DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("state", "word", "label", "bars"),
    [
        ("running", "reserved", "Waiting", ["mstr-bar-waiting"]),
        ("running", "loading", "Loading", ["mstr-bar-waiting", "mstr-bar-loading"]),
        ("failed", "loading", "Unknown", ["mstr-bar-waiting", "mstr-bar-unknown"]),
        ("failed", "reserved", "Unknown", ["mstr-bar-waiting"]),
    ],
)
def test_a_table_that_is_not_loaded_is_unknown_only_after_the_attempt(
    call: Call, state: str, word: str, label: str, bars: list[str]
) -> None:
    reserved = entry(table="ytd_day", state="reserved", seconds=0)
    log = [reserved, entry(table="ytd_day", state=word, seconds=2), STORE_LOADED]

    texts = call("attemptTexts", state, log, LOAD)
    kinds = [bar["className"].split()[1] for bar in call("attemptBars", state, log, LOAD)]

    assert texts[texts.index("ytd_day") :] == ["ytd_day", "add", label, DASH, DASH]
    store = texts[texts.index("lu_store") : texts.index("ytd_day")]
    assert store == ["lu_store", "replace", "Loaded", "+4 s", DASH]
    assert kinds == ["mstr-bar-loaded", *bars]


def test_a_table_without_a_state_is_waiting(call: Call) -> None:
    load = LOAD | {"tables": [{"id": "A1", "name": "lu_store"}]}

    texts = call("attemptTexts", "running", [], load)

    assert texts[texts.index("lu_store") :] == ["lu_store", DASH, "Waiting", DASH, DASH]


TIMED_LOG = [
    entry(table="lu_store", state="reserved", seconds=0),
    entry(table="lu_store", state="loading", seconds=1),
    STORE_LOADED,
    entry(table="ytd_day", state="failed", seconds=10),
]


def test_a_table_has_its_end_and_its_load_time(call: Call) -> None:
    texts = call("attemptTexts", "failed", TIMED_LOG)

    assert texts[texts.index("lu_store") :] == [
        *["lu_store", DASH, "Loaded", "+4 s", "3 s"],
        *["ytd_day", DASH, "Failed", "+10 s", DASH],
    ]


def test_the_bars_of_a_table_are_its_waiting_and_its_loading_time(call: Call) -> None:
    waiting, loading, failed = call("attemptBars", "failed", TIMED_LOG)

    assert (waiting["left"], waiting["width"]) == ("0%", "10%")
    assert (loading["className"], loading["left"], loading["width"]) == (
        "mstr-bar mstr-bar-loaded",
        "10%",
        "30%",
    )
    assert (failed["className"], failed["width"]) == ("mstr-bar mstr-bar-failed", "100%")


def test_the_state_of_a_table_is_unknown_while_the_server_does_not_answer(call: Call) -> None:
    bars = call("attemptBars", "deferred", [DAY_LOADING, UNAVAILABLE | {"since": "2026-01-01T00:00:10Z"}])

    assert [bar["className"].split()[1] for bar in bars] == [
        "mstr-bar-waiting",
        "mstr-bar-loading",
        "mstr-bar-unknown",
    ]


def test_a_long_list_of_tables_names_the_unfinished_ones(call: Call) -> None:
    tables = [{"id": f"T{index}", "name": f"t{index}"} for index in range(11)]
    log = [entry(tables="1-4", state="finished", seconds=3)]

    texts = call("attemptTexts", "running", log, LOAD | {"tables": tables})
    few = call("attemptTexts", "running", log, LOAD | {"tables": tables[:10]})

    assert texts[1] == "4 of 11 tables loaded; left: t4, t5, t6, t7, t8 and 2 more"
    assert few[1] == "4 of 10 tables loaded"


# The last runs in the tab

REFRESH_KEY = {"dagId": "load", "runId": "run-1", "taskId": "refresh", "mapIndex": -1}
RETAIL = {"id": MODEL_ID, "name": "Retail"}


def test_the_last_runs_are_those_of_the_task(call: Call) -> None:
    runs = [run(hours) for hours in range(1, 25)]
    others = [run(0.1, task_id="other"), run(0.2, map_index=1), run(0.3, "running"), run(0.4, "skipped")]

    found = call("lastRuns", [*others, None, {}, *runs], REFRESH_KEY, RETAIL)

    assert found == [f"run-{hours}" for hours in range(1, 21)]


@pytest.mark.parametrize(
    ("rendered", "is_same"),
    [
        ({"data_model": "RETAIL"}, True),
        ({"data_model": "Finance"}, False),
        ({"data_model": "New name", "data_model_id": MODEL_ID.lower()}, True),
        ({"data_model": "Retail", "data_model_id": "A" * 32}, False),
        ({}, True),
        (None, True),
    ],
)
def test_the_last_runs_are_those_of_the_object(call: Call, rendered: Any, is_same: bool) -> None:
    found = call("lastRuns", [run(1, rendered_fields=rendered)], REFRESH_KEY, RETAIL)

    assert found == (["run-1"] if is_same else [])


@pytest.mark.parametrize(
    ("durations", "logged", "usual"),
    [
        ([9.0, 1.0, 2.0, 4.0], 240.0, {"seconds": 2.0, "longest": 4.0, "count": 3}),
        ([9.0], 240.0, {"seconds": 240.0, "longest": 240.0, "count": 0}),
        ([9.0, None], None, None),
        ([], None, None),
    ],
)
def test_the_usual_duration_is_the_median_of_the_other_successes(
    call: Call, durations: list[float | None], logged: float | None, usual: Any
) -> None:
    runs = [run(hours, duration=seconds) for hours, seconds in enumerate(durations, 1)]
    failed = run(30, "failed", duration=1000.0)

    assert call("usualDuration", [*runs, failed], "run-1", logged) == usual


def test_the_last_runs_show_their_durations_and_link_to_their_tabs(call: Call) -> None:
    runs = [run(1, duration=30.0), run(2, "failed", duration=5.0), run(3, duration=None)]

    texts = call("lastRunsTexts", runs, {"seconds": 40.0, "longest": 40.0, "count": 3})
    links = call("lastRunsLinks", runs)

    assert texts[:4] == [
        "Last 3 runs",
        "2 of 3 succeeded. ",
        "Usually 40 s (dashed line). ",
        "Select a run to open it.",
    ]
    endings = [text.rsplit(": ", 1)[1] for text in texts if text.startswith("(Jan")]
    assert endings == ["loaded)", "failed after 5 s)", "loaded in 30 s)"]
    path = "http://airflow.example.com/dags/load/runs/run-{}/tasks/refresh/plugin/strategy-refresh"
    assert links == [path.format(number) for number in (3, 2, 1)]


def test_failed_runs_alone_have_no_usual_duration(call: Call) -> None:
    texts = call("lastRunsTexts", [run(1, "failed", duration=None)], None)

    assert texts[:3] == ["Last 1 run", "0 of 1 succeeded. ", "Select a run to open it."]
    assert any(text.endswith(": failed)") for text in texts)


# The progress in a log and in XComs


def states(progress: dict[str, Any]) -> dict[str, tuple[str, str, float | None]]:
    """Return the state, the server's word and the end of each table, by name."""
    return {
        table["name"]: (table["state"], table["serverState"], table["seconds"])
        for table in progress["tables"]
    }


def test_later_lines_of_a_log_replace_earlier_ones(call: Call) -> None:
    failed = entry(table="ytd_day", state="failed", seconds=9)
    second = {"error_detail": [{"exc_type": "MstrError", "exc_value": "Second."}]}

    progress = call("progress", [*LOG, failed, second], LOAD)

    assert states(progress) == {"lu_store": ("finished", "", 4), "ytd_day": ("failed", "", 9)}
    history = progress["tables"][1]["history"]
    assert history == [
        {"state": "running", "serverState": "loading", "from": 2.5},
        {"state": "failed", "serverState": "", "from": 9},
    ]
    assert progress["error"] == "Second."
    assert progress["counts"] == {"total": 2, "finished": 1, "failed": 1, "running": 0}


def test_the_tables_of_a_load_are_known_before_the_first_line_about_them(call: Call) -> None:
    progress = call("progress", [], LOAD)

    assert states(progress) == {"lu_store": ("running", "", None), "ytd_day": ("running", "", None)}
    assert [table["policy"] for table in progress["tables"]] == ["replace", "add"]
    assert progress["startedAt"] == STARTED_AT * 1000
    assert progress["identity"]["name"] == "Retail"


def test_a_log_without_the_xcom_gives_the_tables_of_its_lines_and_the_start(call: Call) -> None:
    progress = call("progress", LOG)

    assert states(progress) == {"ytd_day": ("running", "loading", None), "lu_store": ("finished", "", 4)}
    assert progress["startedAt"] == STARTED_AT * 1000


def test_a_line_names_a_table_by_its_id_if_its_name_is_not_unique(call: Call) -> None:
    tables = [{"id": "A1", "name": "day"}, {"id": "A2", "name": "day"}]
    log = [entry(table="A2", state="finished", seconds=3)]

    progress = call("progress", log, LOAD | {"tables": tables}, RESULT | {"tables": []})

    assert [(table["id"], table["state"]) for table in progress["tables"]] == [
        ("A1", "running"),
        ("A2", "finished"),
    ]


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("1-37,40", [*range(1, 38), 40]),
        ("2", [2]),
        ("39-41", [39, 40]),
        ("1, 3-4", [1, 3, 4]),
        ("0-2,50,4-3,-1,x,,1-2-3", []),
        (7, [7]),
        ([1, 2], []),
        (None, []),
    ],
    ids=str,
)
def test_a_line_about_many_tables_has_their_positions(call: Call, text: Any, positions: list[int]) -> None:
    tables = [{"id": f"T{number}", "name": f"t{number}"} for number in range(1, 41)]
    log = [entry(tables=text, state="finished", seconds=12.0)]

    progress = call("progress", log, LOAD | {"tables": tables})

    finished = [table["name"] for table in progress["tables"] if table["state"] == "finished"]
    assert finished == [f"t{number}" for number in positions]
    assert len(progress["tables"]) == 40


def test_a_line_about_many_tables_without_the_xcom_changes_no_table(call: Call) -> None:
    log = [STORE_LOADED, entry(tables="1-3", state="failed", seconds=12.0)]

    assert states(call("progress", log)) == {"lu_store": ("finished", "", 4)}


@pytest.mark.parametrize(
    ("log", "is_busy", "busy_since"),
    [
        ([], False, None),
        ([BUSY], True, STARTED_AT * 1000),
        ([BUSY, BUSY | {"timestamp": "2026-01-01T00:05:00Z"}, entry()], True, STARTED_AT * 1000),
        ([BUSY, entry(busy=False)], False, None),
        ([BUSY, STORE_LOADED], False, None),
        ([entry(busy="true")], False, None),
        ([BUSY | {"logger": "other"}], False, None),
    ],
)
def test_a_refresh_waits_for_another_one_until_it_starts(
    call: Call, log: list[dict[str, Any]], is_busy: bool, busy_since: float | None
) -> None:
    progress = call("progress", log)

    assert (progress["isBusy"], progress["busySince"]) == (is_busy, busy_since)


SILENT = NOW.timestamp() - 70


@pytest.mark.parametrize(
    ("log", "since"),
    [
        ([], None),
        ([STORE_LOADED, UNAVAILABLE], SILENT * 1000),
        ([UNAVAILABLE | {"since": "soon"}], None),
        ([UNAVAILABLE | {"since": 5.5e300, "timestamp": "2026-01-01T00:00:00Z"}], STARTED_AT * 1000),
        ([UNAVAILABLE, entry(server="available")], None),
        ([UNAVAILABLE, STORE_LOADED], None),
        ([UNAVAILABLE, entry("Still no response")], SILENT * 1000),
        ([UNAVAILABLE | {"logger": "other"}], None),
    ],
)
def test_a_server_is_unavailable_until_it_answers(
    call: Call, log: list[dict[str, Any]], since: float | None
) -> None:
    assert call("progress", log)["unavailableSince"] == since


@pytest.mark.parametrize(
    ("value", "seconds"), [(240.0, 240), (0, None), (-1, None), ("4 min", None), ([], None)]
)
def test_the_usual_duration_is_a_positive_number(call: Call, value: Any, seconds: float | None) -> None:
    assert call("progress", [entry(usual_seconds=value), entry()])["usualSeconds"] == seconds


def test_the_last_line_of_a_refresh_has_its_duration(call: Call) -> None:
    log = [*RUNNING_LOG, entry("Refreshed", refresh="ended", state="failed", seconds=22.1)]

    progress = call("progress", log, LOAD)

    assert (progress["endSeconds"], progress["jobStatus"]) == (22.1, "")
    assert states(progress) == states(call("progress", RUNNING_LOG, LOAD))


def test_the_duration_of_the_result_comes_before_that_of_the_log(call: Call) -> None:
    log = [entry(refresh="ended", state="finished", seconds=22.1)]

    assert call("progress", log, None, RESULT)["endSeconds"] == 5
    assert call("progress", log, None, RESULT | {"seconds": None})["endSeconds"] == 22.1


def test_a_loaded_table_without_a_time_has_the_time_of_the_result(call: Call) -> None:
    tables = [
        LOADED[0] | {"seconds": None},
        LOADED[1] | {"seconds": None, "state": "failed"},
    ]

    loaded, failed = call("progress", [], None, RESULT | {"tables": tables})["tables"]

    assert (loaded["seconds"], failed["seconds"]) == (5.0, None)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_handle_is_read_from_truncated_text(call: Call, quote: str) -> None:
    text = f"{{'data_model_id': '{MODEL_ID}', 'name': 'Retail', 'tables': [{{'name': 'lu_...'"
    text = text.replace("'", quote)

    assert call("parseHandle", text) == {"data_model_id": MODEL_ID, "name": "Retail"}


def test_a_handle_of_a_cube_is_read_from_truncated_text(call: Call) -> None:
    text = f"{{'kind': 'cube', 'project_id': 'P1', 'cube_id': '{CUBE_ID}', 'name': 'Sales', 'session': 'gA..."

    (row,) = call("rows", [WAIT | {"rendered_fields": {"instance": text}}])

    assert (row["kind"], row["id"], row["name"], row["project"]) == ("cube", CUBE_ID, "Sales", "P1")


def test_a_line_with_the_status_of_a_job_is_not_the_last_message(call: Call) -> None:
    progress = call("progress", CUBE_LOG)

    assert (progress["jobStatus"], progress["lastMessage"]) == ("loading_data", "Publishing cube Sales Cube")
    assert progress["startedAt"] == STARTED_AT * 1000


@pytest.mark.parametrize(
    ("result", "kind"), [(RESULT, "data_model"), (CUBE_RESULT, "cube"), (REPORT_RESULT, "report")]
)
def test_a_result_contains_its_object(call: Call, result: dict[str, Any], kind: str) -> None:
    identity = call("parseOutcome", result)["identity"]

    assert identity == {
        "kind": kind,
        "id": result[f"{kind}_id"],
        "name": result.get("name", ""),
        "projectId": result["project_id"],
        "project": result.get("project", result["project_id"]),
    }


# The client of Airflow's API


TI_KEY = {"dagId": "a/b", "runId": "run +1", "taskId": "group.wait", "mapIndex": -1}
TASK_PATH = "http://airflow.example.com/api/v2/dags/a%2Fb/dagRuns/run%20%2B1/taskInstances/group.wait"


def response(body: Any, status: int = 200, ahead: int | None = None) -> dict[str, Any]:
    """Return a response of Airflow, whose clock may be ahead by some seconds."""
    return {"status": status, "body": json.dumps(body), "aheadSeconds": ahead}


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ('"text"', "text"),
        ("{broken", "{broken"),
        ("s3://bucket/key", "s3://bucket/key"),
        ("5", "5"),
        (None, None),
    ],
)
def test_an_xcom_is_parsed_if_it_is_json(call: Call, stored: Any, value: Any) -> None:
    result = call("request", "getXCom", [TI_KEY, "mstr_outcome"], response({"value": stored}))

    assert result["value"] == value
    assert result["urls"] == [f"{TASK_PATH}/xcomEntries/mstr_outcome?map_index=-1&deserialize=true"]


@pytest.mark.parametrize("status", [403, 404])
def test_a_missing_or_forbidden_xcom_or_log_is_empty(call: Call, status: int) -> None:
    rejected = response({}, status)

    assert call("request", "getXCom", [TI_KEY, "key"], rejected)["value"] is None
    assert call("request", "getLog", [TI_KEY, 1], rejected)["value"] is None
    assert call("request", "getXComKeys", [TI_KEY], rejected)["value"] == []


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (response({}, 401), 401),
        (response({}, 500), 500),
        ({"status": 200, "body": "<html>"}, 200),
        ({}, 0),
    ],
)
def test_any_other_failed_request_is_an_error(call: Call, reply: dict[str, Any], status: int) -> None:
    assert call("request", "getLog", [TI_KEY, 1], reply)["status"] == status
    assert call("request", "getTries", [TI_KEY], reply)["status"] == status


def test_a_forbidden_task_instance_is_an_error(call: Call) -> None:
    assert call("request", "getTaskInstance", [TI_KEY], response({}, 403))["status"] == 403


def test_a_task_instance_without_a_state_is_scheduled(call: Call) -> None:
    result = call("request", "getTaskInstance", [TI_KEY | {"mapIndex": 2}], response({"state": None}))

    assert (result["value"]["state"], result["value"]["try_number"]) == ("scheduled", 0)
    assert result["urls"] == [f"{TASK_PATH}/2"]


def test_tries_are_sorted_by_number(call: Call) -> None:
    tries = [{"try_number": 10}, {"try_number": 2}, {"try_number": 1}]

    result = call("request", "getTries", [TI_KEY], response({"task_instances": tries}))

    assert [each["try_number"] for each in result["value"]] == [1, 2, 10]


def test_a_log_without_a_list_of_entries_is_empty(call: Call) -> None:
    assert call("request", "getLog", [TI_KEY, 1], response({"content": "text"}))["value"] is None
    assert call("request", "getLog", [TI_KEY, 1], response({"content": LOG}))["value"] == LOG


def test_a_list_repeats_a_query_parameter_for_each_value(call: Call) -> None:
    page = {"task_instances": [{}], "total_entries": 7}

    result = call(
        "request", "listTaskInstances", ["~", "~", {"operator": ["A", "B"], "limit": 5}], response(page)
    )

    assert result["value"] == {"instances": [{}], "total": 7}
    assert result["urls"][0].endswith("/dags/~/dagRuns/~/taskInstances?operator=A&operator=B&limit=5")


def test_the_time_is_that_of_airflows_clock(call: Call) -> None:
    for seconds in (3600, -5):
        assert call("request", "get", ["version"], response({}, ahead=seconds))["aheadSeconds"] == seconds
        assert call("request", "get", ["version"], response({}))["aheadSeconds"] == seconds


# JSON of any form


def in_json(value: Any) -> Any:
    """Return a value as JSON represents it, without NaN."""
    return json.loads(json.dumps(value), parse_constant=str)


VALUES = JSON.map(in_json)


def odd(whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return JSON like this, with other values in some places."""
    return altered(whole).map(in_json)


SENSOR = {"operator_name": "MstrPublishStatusSensor", "rendered_fields": {"instance": HANDLE}}
ODD_INSTANCES = st.sampled_from(
    [
        instance(dag_id="odd"),
        instance(dag_id="odd", map_index=3, rendered_map_index="third", state="failed"),
        instance(dag_id="odd", state="running", **SENSOR),
        instance(dag_id="odd", operator_name="MstrCreateDataModelInstanceOperator"),
        cube_run(1, dag_id="odd", result=CUBE_RESULT),
    ]
).flatmap(odd)
TEXT_FIELDS = ("status", "title", "kind", "id", "name", "project", "conn", "reason", "activity", "link")


def is_number_or_null(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


@given(st.lists(ODD_INSTANCES | VALUES, max_size=4), st.text(max_size=9))
def test_an_odd_row_changes_no_other_row_and_contains_only_text(
    call: Call, odd_instances: list[Any], error: str
) -> None:
    good = [
        instance(
            task_id="good", rendered_fields={"data_model": "Good", "mstr_conn_id": "other"}, state="success"
        ),
        instance(
            task_id="bad", rendered_fields={"data_model": "Bad", "mstr_conn_id": "other"}, state="failed"
        ),
    ]
    details = {"error": error}
    rows = call("rows", [*good, *odd_instances], details)
    assert [row for row in rows if row["conn"] == "other"] == call("rows", good, details)
    for row in rows:
        assert {name: row[name] for name in TEXT_FIELDS if not isinstance(row[name], str)} == {}
        assert all(isinstance(text, str) for task in row["tasks"] for text in task)
        assert is_number_or_null(row["lastSeconds"])
        assert is_number_or_null(row["medianSeconds"])


@pytest.mark.parametrize("name", ["data_model_id", "data_model", "project_id", "mstr_conn_id", "instance"])
@pytest.mark.parametrize(
    "value", [5, 2.5, True, [], ["A"], {}, {"a": {}}, None, "\ud800", {"toString": 5}], ids=str
)
def test_a_rendered_field_of_any_type_gives_a_row(call: Call, name: str, value: Any) -> None:
    (row,) = call("rows", [instance(rendered_fields={name: value})])
    shown = {"data_model_id": "id", "data_model": "name", "project_id": "project", "mstr_conn_id": "conn"}
    if name in shown:
        text = {"5": "5", "2.5": "2.5", "'\\ud800'": "\ufffd"}.get(ascii(value), "")
        assert row[shown[name]] == text
    assert row["status"] == "up-to-date"


@pytest.mark.parametrize("fields", [5, "data_model", [], None, True])
def test_rendered_fields_of_another_type_give_a_row(call: Call, fields: Any) -> None:
    (row,) = call("rows", [instance(rendered_fields=fields)])
    assert (row["title"], row["status"]) == ("Unnamed data model", "up-to-date")


@pytest.mark.parametrize(
    "ti", [None, 5, "text", [], {}, {"dag_id": "d"}, instance(task_id=None), instance(dag_id=[])]
)
def test_a_value_without_the_id_of_a_task_instance_is_ignored(call: Call, ti: Any) -> None:
    assert call("parseRun", ti) is None
    assert len(call("rows", [instance(), ti, instance(rendered_fields={"data_model": "Other"})])) == 2


@pytest.mark.parametrize("date", [None, True, "soon", "", [], {}, 1e300, "9" * 40])
def test_a_success_at_an_unknown_time_is_a_success(call: Call, date: Any) -> None:
    (row,) = call("rows", [instance(end_date=date, duration="long")])
    assert (row["status"], row["reason"], row["lastSeconds"]) == ("up-to-date", "", None)


WHOLE_LOG = [
    entry("Publishing data model Retail", usual_seconds=240.0),
    *LOG,
    BUSY,
    entry(tables="1-2", state="finished", seconds=12.0),
    UNAVAILABLE,
    entry(refresh="ended", state="failed", seconds=22.1),
]


@given(
    odd({"log": WHOLE_LOG}).map(lambda value: value.get("log")) | VALUES,
    odd(LOAD) | VALUES,
    odd(RESULT) | VALUES,
)
def test_a_log_and_xcoms_of_any_form_give_text_and_numbers(
    call: Call, entries: Any, load: Any, result: Any
) -> None:
    progress = call("progress", entries, load, result)
    assert {type(progress[name]) for name in ("error", "lastMessage", "sentence", "jobStatus")} == {str}
    times = ("startedAt", "busySince", "unavailableSince", "usualSeconds", "endSeconds")
    assert all(is_number_or_null(progress[name]) for name in times)
    assert isinstance(progress["isBusy"], bool)
    for table in progress["tables"]:
        assert {type(table[name]) for name in ("id", "name", "policy", "serverState")} == {str}
        assert table["state"] in {"running", "finished", "failed"}
        assert is_number_or_null(table["seconds"])
        assert all(isinstance(change["from"], int | float) for change in table["history"])
    if progress["outcome"] is not None:
        assert is_number_or_null(progress["outcome"]["seconds"])
        assert isinstance(progress["outcome"]["areTablesConfirmed"], bool)
    for state in ("deferred", "failed", "success"):
        assert {type(text) for text in call("attemptTexts", state, entries, load, result, USUAL)} == {str}


def test_an_odd_line_or_table_changes_no_other(call: Call) -> None:
    whole = call("progress", LOG)
    spoiled = [
        LOG[0],
        None,
        "text",
        5,
        *LOG[1:],
        entry(table=["lu_store"], state="failed"),
        entry(tables={}, state=5),
        entry([], table="ytd_day", state=None),
        entry({}, busy=7, server=[], usual_seconds="4 min", refresh={}),
        STORE_LOADED | {"logger": "other", "state": "failed"},
        {"error_detail": 5},
        {"logger": 5},
    ]
    assert call("progress", spoiled) == whole
    assert whole["counts"] == {"total": 2, "finished": 1, "failed": 0, "running": 1}
    assert (whole["error"], whole["startedAt"]) == ("It failed. Do this.", STARTED_AT * 1000)


@pytest.mark.parametrize("result", [5, "s3://bucket/result", [], {}, {"tables": None}, True])
def test_a_value_that_is_no_result_leaves_the_progress_of_the_log(call: Call, result: Any) -> None:
    assert call("progress", LOG, None, result) == call("progress", LOG)


@pytest.mark.parametrize(
    ("address", "url"),
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
def test_a_link_opens_only_a_web_page(call: Call, address: Any, url: str | None) -> None:
    assert call("toWebUrl", address) == url
