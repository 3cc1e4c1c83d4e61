# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_mstr.task_groups import refresh_data_model

RETAIL = "9F4772B837604551B4D3CC916ADC5598"


@pytest.fixture
def dag() -> DAG:
    """A load, the refresh, and a report."""
    with DAG("dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:

        @task
        def load() -> None: ...

        @task
        def report(outcome: object) -> None: ...

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
            evidence=False,
        )
        load() >> refresh
        report(refresh.outcome)
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
    assert (publish.when_busy, publish.timeout, publish.evidence) == ("fail", 60.0, False)
    assert (wait.deferrable, wait.poke_interval, wait.timeout) == (True, 5.0, 60.0)
    assert {each.mstr_conn_id for each in (create, publish, wait, delete)} == {"other"}


def test_a_data_model_may_be_named() -> None:
    with DAG("dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        refresh_data_model(data_model="Sales")

    create = dag.get_task("refresh_data_model.create")
    assert (create.data_model_id, create.data_model) == (None, "Sales")
