# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airflow_provider_mstr.sandbox import PublishFailure


def run(dag_id: str) -> str:
    """Run a DAG in this process, and return the state of the run."""
    from airflow.dag_processing.dagbag import DagBag

    return str(DagBag().dags[dag_id].test().state)


@pytest.fixture(autouse=True)
def connection(mstr_sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", mstr_sandbox.airflow_connection())


def test_the_dag_loads_the_two_tables(mstr_sandbox):
    assert run("mstr_refresh_after_loads") == "success"

    report = mstr_sandbox.report()
    assert report.tables_loaded == {"Retail": {"lu_store": 1, "ytd_day": 1}}
    assert report.open_sessions == 0


def test_the_dag_succeeds_if_the_server_is_unavailable_for_a_moment(mstr_sandbox):
    mstr_sandbox.add_fault("publish_status", "status", status=503, times=2)

    assert run("mstr_refresh_after_loads") == "success"


@pytest.mark.mstr_sandbox(publish_failure=PublishFailure("schema_comparison_error", table="lu_store"))
def test_the_run_fails_if_a_table_fails_and_leaves_no_session(mstr_sandbox):
    assert run("mstr_refresh_after_loads") == "failed"

    assert mstr_sandbox.report().open_sessions == 0
