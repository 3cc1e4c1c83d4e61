# SPDX-License-Identifier: Apache-2.0
"""The history that ``make ui`` shows: real refreshes of the sandbox, dated back by some hours.

The DAGs are in ``demo_dags``. Finance fails because its table gl_balance fails in the sandbox, until the
setting ``publish_failure`` changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from deployment import Deployment
from sqlalchemy import DateTime, MetaData, create_engine, select

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, DataModel, PublishFailure, Sandbox, Table, World
from airflow_provider_mstr.sandbox.world import FINANCE, RETAIL, SUPPLY_CHAIN, TUTORIAL

DEMO_DAGS = Path(__file__).with_name("demo_dags")

ORDER_HISTORY = DataModel(
    "C4A1E7B25D8F4390A6B2D9C8E1F07354",
    "Order History",
    TUTORIAL.id,
    tuple(Table(f"C4A1E7B25D8F4390A6B2D9C8E1F073{year}", f"orders_20{year}") for year in range(20, 26)),
    publish_seconds=60,
)
FAILURE = PublishFailure("error", table="gl_balance", message="ORA-01653: unable to extend table GL_BALANCE")

NOTE = "History of the demo: a real refresh of the sandbox, made when make ui started and dated back."

# The run that still goes on when the history is complete.
RUNNING = "latest"

# The runs of a data model are an hour apart.
INTERVAL = timedelta(hours=1)


@dataclass(frozen=True)
class History:
    """The runs of one DAG.

    :param dag_id: the DAG
    :param data_model: its data model
    :param successes: how many runs succeed
    :param fails: whether one more run fails
    :param age: how long ago the last run was
    """

    dag_id: str
    data_model: DataModel
    successes: int
    fails: bool = False
    age: timedelta = timedelta()

    @property
    def last_run(self) -> str:
        """The id of the last run."""
        return _run_id(self.successes + self.fails - 1)


SLOW = History("demo_slow", ORDER_HISTORY, successes=1, age=INTERVAL)
FAST = History("demo_fast", RETAIL, successes=2)
# An object with fewer than three successes is never stale.
STALE = History("demo_stale", SUPPLY_CHAIN, successes=3, age=timedelta(hours=7))
FAILING = History("demo_failing", FINANCE, successes=1, fails=True)


def demo_world() -> World:
    """Return the sandbox's default world with a slow data model more; the others of the history are fast."""
    fast = (FAST.data_model, STALE.data_model, FAILING.data_model)
    models = (
        replace(each, publish_seconds=2) if each in fast else each for each in DEFAULT_WORLD.data_models
    )
    return replace(DEFAULT_WORLD, data_models=(*models, SLOW.data_model))


def make_history(airflow: Deployment, sandbox: Sandbox, show: Callable[[str], None]) -> None:
    """Refresh the data models, date the runs back, and start one more run of the slow model.

    Only the slow refresh runs beside the others, because Airflow's SQLite fails if many processes write.

    :param airflow: an Airflow with the DAGs of ``demo_dags``
    :param sandbox: a sandbox with the world of :func:`demo_world`
    :param show: shows a line of progress
    """
    slow_run = _start(airflow, SLOW, 0)
    for history in (FAST, STALE, FAILING):
        runs = []
        for number in range(history.successes + history.fails):
            if number == history.successes:
                sandbox.change(publish_failure=FAILURE)
            runs.append(_start(airflow, history, number))
            _wait(airflow, history, runs[-1], show)
        _date_back_all(airflow, history, runs)
    _wait(airflow, SLOW, slow_run, show)
    _date_back_all(airflow, SLOW, [slow_run])
    airflow.trigger(SLOW.dag_id, dag_run_id=RUNNING)


def _start(airflow: Deployment, history: History, number: int) -> str:
    return airflow.trigger(history.dag_id, dag_run_id=_run_id(number), note=NOTE)


def _run_id(number: int) -> str:
    return f"history_{number + 1}"


def _wait(airflow: Deployment, history: History, run_id: str, show: Callable[[str], None]) -> None:
    state = airflow.ended(history.dag_id, run_id)["state"]
    show(f"  {history.data_model.name:<14} {run_id}: {state}")


def _date_back_all(airflow: Deployment, history: History, runs: list[str]) -> None:
    for hours, run_id in enumerate(reversed(runs)):
        date_back(airflow.database, history.dag_id, run_id, history.age + hours * INTERVAL)


def date_back(database: str, dag_id: str, run_id: str, age: timedelta) -> None:
    """Move all dates of a run and its tasks into the past, in the demo's own Airflow database.

    :param database: the address of the database
    :param dag_id: the DAG
    :param run_id: the run, which has ended
    :param age: by how much
    """
    engine = create_engine(database)
    with engine.begin() as connection:
        for name in ("dag_run", "task_instance"):
            table = sqlalchemy.Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
            dates = [column for column in table.columns if isinstance(column.type, DateTime)]
            rows = (table.c.dag_id == dag_id) & (table.c.run_id == run_id)
            for row in connection.execute(select(table).where(rows)).mappings().all():
                values: dict[str, Any] = {
                    each.name: row[each.name] - age for each in dates if row[each.name] is not None
                }
                connection.execute(table.update().where(table.c.id == row["id"]).values(values))
    engine.dispose()
