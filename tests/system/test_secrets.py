# SPDX-License-Identifier: Apache-2.0
"""No secret is in anything that Airflow writes: runs last, when all the others have left their traces."""

from __future__ import annotations

import json

import pytest
import traces
from standalone import Standalone
from watching import closed, deferred

from airflow_provider_mstr.sandbox import Sandbox

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def token_connection(airflow: Standalone, sandbox: Sandbox) -> None:
    """A connection with an API token, kept in Airflow's own database."""
    fields = json.loads(sandbox.airflow_connection())
    airflow.api(
        "POST",
        "connections",
        {
            "connection_id": "mstr_token",
            "conn_type": "mstr",
            "host": fields["host"],
            "schema": fields["schema"],
            "password": sandbox.world.users[0].api_token,
            "extra": json.dumps({"login_mode": "api_token"}),
        },
    )


@pytest.mark.usefixtures("token_connection")
def test_no_secret_is_in_the_database_or_the_logs(airflow: Standalone, sandbox: Sandbox) -> None:
    runs = {
        dag_id: deferred(airflow, dag_id, task_id)
        for dag_id, task_id in (("deferred_with_an_api_token", "refresh"), ("deferred_in_steps", "wait"))
    }
    model = sandbox.report().publishes[-1].data_model_id
    assert len(sandbox.secrets()) > 10
    # What is no secret is found, and in the row of the trigger, too.
    assert {"airflow.db", "table trigger", "table xcom"} <= traces.of_secrets(airflow, [model])

    assert traces.of_secrets(airflow, sandbox.secrets()) == set()
    sandbox.finish_publishes()
    assert {airflow.ended(*run)["state"] for run in runs.items()} == {"success"}
    sandbox.wait_for(closed)
    assert traces.of_secrets(airflow, sandbox.secrets()) == set()
