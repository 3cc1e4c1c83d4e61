# SPDX-License-Identifier: Apache-2.0
"""What ``make demo`` runs, and the dates of the history of ``make ui``."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import needs
import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, create_engine, insert, select

from airflow_provider_mstr.sandbox import Report, Sandbox
from airflow_provider_mstr.sandbox.report import PublishReport, TableReport

SCRIPTS = Path(__file__).parents[2] / "scripts"
SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@needs.JSON_LOGS
@pytest.mark.long
def test_the_demo_shows_the_refresh_and_ends_with_the_next_steps() -> None:
    path = os.pathsep.join(filter(None, (str(SUPPORT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, str(SCRIPTS / "demo.py")]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=250
    )
    assert (done.returncode, done.stderr) == (0, "")
    parts = [
        "task refresh_retail starts",
        "Table ytd_day: ",
        "the task is deferred",
        "task refresh_retail resumes",
        "task refresh_retail: success",
        "The sandbox confirms the refresh",
        "4 of 4 tables loaded",
        "make ui",
    ]
    positions = [done.stdout.find(part) for part in parts]
    assert -1 not in positions, done.stdout
    assert positions == sorted(positions)


def report_of(*statuses: str, **fields: Any) -> Report:
    """Return the sandbox's report after one publish of tables with these statuses."""
    tables = tuple(
        TableReport(f"{number:032X}", f"table_{number}", "replace", status)
        for number, status in enumerate(statuses)
    )
    publish = PublishReport(1, "Retail", "A" * 32, "B" * 32, "etl", "completed", None, 0.0, tables)
    with Sandbox() as sandbox:
        return replace(sandbox.report(), **{"publishes": (publish,), **fields})


@pytest.mark.parametrize(
    ("statuses", "fields", "status"),
    [
        (["completed", "completed"], {}, 0),
        (["completed", "error"], {}, 1),
        ([], {}, 1),
        (["completed"], {"publishes": ()}, 1),
        (["completed"], {"open_sessions": 1}, 1),
        (["completed"], {"instances_open": 1}, 1),
    ],
    ids=["loaded", "a table failed", "no table", "no publish", "a session left", "an instance left"],
)
def test_the_demo_succeeds_only_if_the_sandbox_confirms_the_refresh(
    statuses: list[str], fields: dict[str, Any], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_module("demo").show(report_of(*statuses, **fields)) == status
    printed = capsys.readouterr().out
    assert ("does not confirm" in printed) is bool(status)
    assert ("make ui" in printed) is not bool(status)


def test_a_run_is_dated_back_with_its_tasks_and_no_other_run_is(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/airflow.db"
    engine = create_engine(database)
    metadata = MetaData()
    tables = [
        Table(
            name,
            metadata,
            Column("id", Integer, primary_key=True),
            Column("dag_id", String),
            Column("run_id", String),
            Column("start_date", DateTime),
            Column("end_date", DateTime),
        )
        for name in ("dag_run", "task_instance")
    ]
    metadata.create_all(engine)
    started = datetime(2026, 1, 2, 3, 4, 5, 678901)
    runs = [("demo", "1"), ("demo", "2"), ("other", "1")]
    with engine.begin() as connection:
        for table in tables:
            for dag_id, run_id in runs:
                connection.execute(insert(table).values(dag_id=dag_id, run_id=run_id, start_date=started))

    import_module("demo_history").date_back(database, "demo", "1", timedelta(hours=5))

    with engine.connect() as connection:
        for table in tables:
            dates = {
                (row.dag_id, row.run_id): (row.start_date, row.end_date)
                for row in connection.execute(select(table))
            }
            earlier = started - timedelta(hours=5)
            assert dates == {runs[0]: (earlier, None), runs[1]: (started, None), runs[2]: (started, None)}
    engine.dispose()
