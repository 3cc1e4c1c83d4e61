# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.links import LINK_KEY, MstrDataModelLink, push_link
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

    push_link({"ti": ti}, LibraryServer(URL, Credentials()), "M1", "P1")  # type: ignore[typeddict-item]

    assert ti.xcoms == {LINK_KEY: f"{URL}/app/library#/model/M1"}


def test_the_link_follows_the_connections_template() -> None:
    server = LibraryServer(URL, Credentials(), link_template="{base}/app/{project_id}/{data_model_id}?x=y")

    assert server.link("M1", "My Project") == f"{URL}/app/My%20Project/M1?x=y"


@pytest.mark.parametrize("kind", [MstrRefreshDataModelOperator, MstrPublishStatusSensor])
def test_every_task_has_the_link(kind: type) -> None:
    assert [type(link) for link in kind.operator_extra_links] == [MstrDataModelLink]
