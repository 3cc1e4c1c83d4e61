# SPDX-License-Identifier: Apache-2.0
"""What the tests that end refreshes early ask of Airflow and of the server."""

from __future__ import annotations

from deployment import HANG_SECONDS
from moments import asked
from standalone import Standalone

from airflow_provider_mstr.sandbox import PublishReport, Report, Sandbox

TOKEN, INSTANCE = "x-mstr-authtoken", "x-mstr-datamodelinstanceid"


def deferred(airflow: Standalone, dag_id: str, task_id: str) -> str:
    """Start a run, and return it once its refresh waits in the triggerer."""
    run_id = airflow.trigger(dag_id)
    airflow.task_in(dag_id, run_id, task_id, "deferred", has_trigger=True)
    return run_id


def running(airflow: Standalone, sandbox: Sandbox, dag_id: str) -> str:
    """Start a run, and return it once its refresh is watched by a worker."""
    run_id = airflow.trigger(dag_id)
    sandbox.wait_for(asked("publish_status", 3), timeout=HANG_SECONDS)
    return run_id


def clear(airflow: Standalone, dag_id: str, run_id: str, *task_ids: str) -> None:
    """Clear tasks of a run, as a user does."""
    what = {"dry_run": False, "task_ids": task_ids, "dag_run_id": run_id, "only_failed": False}
    airflow.api("POST", f"dags/{dag_id}/clearTaskInstances", what)


def closed(report: Report) -> bool:
    return report.open_sessions == 0 and report.instances_open == 0


def publish_of(dag_id: str, sandbox: Sandbox) -> PublishReport:
    """Return the one publish of a DAG that refreshes a data model of its own."""
    (publish,) = (each for each in sandbox.report().publishes if each.data_model == dag_id)
    return publish


def is_polled(dag_id: str, sandbox: Sandbox) -> bool:
    """Return whether a worker polls the load of a DAG that refreshes a data model of its own."""
    instances = {each.instance_id for each in sandbox.report().publishes if each.data_model == dag_id}
    polls = [request.headers[INSTANCE] for request in sandbox.requests if request.call == "publish_status"]
    return sum(poll in instances for poll in polls) >= 3


def logouts_of(publish: PublishReport, sandbox: Sandbox) -> int:
    """Return how often the session that a publish was sent in has been logged out."""
    sent = [request for request in sandbox.requests if request.call == "publish"]
    (session,) = (
        request.headers[TOKEN] for request in sent if request.headers[INSTANCE] == publish.instance_id
    )
    return logouts_from(session, sandbox)


def logouts_from(session: str, sandbox: Sandbox) -> int:
    """Return how often a session has been logged out."""
    return sum(each.call == "logout" and each.headers[TOKEN] == session for each in sandbox.requests)


def sessions_of(object_id: str, sandbox: Sandbox) -> set[str]:
    """Return the sessions in which an object has been used."""
    uses = [request for request in sandbox.requests if object_id in request.path]
    return {request.headers[TOKEN] for request in uses}
