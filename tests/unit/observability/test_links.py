# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.observability.links import LINK_KEY, MstrLink, push_link
from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

URL = "https://strategy.example.com/MicroStrategyLibrary"


class TaskInstance:
    """Keeps what is pushed."""

    def __init__(self) -> None:
        self.xcoms: dict[str, str] = {}

    def xcom_push(self, key: str, value: str) -> None:
        self.xcoms[key] = value


def test_the_link_leads_to_the_data_model_in_library() -> None:
    ti = TaskInstance()

    push_link({"ti": ti}, LibraryServer(URL, Credentials()), "data_model", "M1", "P1")  # type: ignore[typeddict-item]

    assert ti.xcoms == {LINK_KEY: f"{URL}/app/library#/model/M1"}


def test_the_link_follows_the_connections_template() -> None:
    server = LibraryServer(URL, Credentials(), link_template="{base}/app/{project_id}/{data_model_id}?x=y")

    assert server.link("data_model", "", "M1", "My Project") == f"{URL}/app/My%20Project/M1?x=y"


@pytest.mark.parametrize("kind", [MstrRefreshDataModelOperator, MstrPublishStatusSensor])
def test_every_task_has_the_link(kind: type) -> None:
    assert [type(link) for link in kind.operator_extra_links] == [MstrLink]


class Supervisor:
    """Stands for the process that stores what a task of Airflow 3 pushes."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}

    def send(self, message: Any) -> Any:
        comms = pytest.importorskip("airflow.sdk.execution_time.comms")
        if isinstance(message, comms.SetXCom):
            self.stored[message.key] = message.value
            return None
        assert isinstance(message, comms.GetXCom)
        return comms.XComResult(key=message.key, value=self.stored.get(message.key))


@pytest.fixture
def custom_backend(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """An XCom backend that stores values elsewhere, and a reference in the database."""
    task_runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
    from airflow.providers.common.compat import sdk
    from airflow.sdk.bases.xcom import BaseXCom

    elsewhere: dict[str, Any] = {}

    class Backend(BaseXCom):
        @staticmethod
        def serialize_value(value: Any, *, key: str | None = None, **_: Any) -> Any:
            elsewhere[f"s3://xcoms/{key}"] = value
            return f"s3://xcoms/{key}"

        @staticmethod
        def deserialize_value(result: Any) -> Any:
            return elsewhere[result.value]

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    monkeypatch.setattr(sdk, "XCom", Backend)
    monkeypatch.setattr(task_runner, "XCom", Backend)
    return supervisor


def test_a_custom_xcom_backend_leaves_the_link_readable_for_the_api_server(
    custom_backend: Supervisor,
) -> None:
    from airflow.sdk.execution_time import task_runner

    ids = {"dag_id": "dag", "task_id": "refresh", "run_id": "run", "map_index": -1}
    ti = SimpleNamespace(**ids, task=SimpleNamespace(returns_dag_result=False))
    ti.xcom_push = lambda key, value: task_runner._xcom_push(ti, key, value)

    push_link({"ti": ti}, LibraryServer(URL, Credentials()), "data_model", "M1", "P1")  # type: ignore[typeddict-item]
    ti.xcom_push("other", "value")

    assert custom_backend.stored == {LINK_KEY: f"{URL}/app/library#/model/M1", "other": "s3://xcoms/other"}
    # Airflow asks for the link at the end of each process of the task, and stores the answer.
    assert MstrLink().get_link(None, ti_key=ti) == f"{URL}/app/library#/model/M1"


def test_a_custom_xcom_backend_has_no_link_before_one_was_pushed(custom_backend: Supervisor) -> None:
    ids = {"dag_id": "dag", "task_id": "refresh", "run_id": "run", "map_index": -1}

    assert MstrLink().get_link(None, ti_key=SimpleNamespace(**ids)) == ""
