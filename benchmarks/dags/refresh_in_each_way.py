# SPDX-License-Identifier: Apache-2.0
"""A refresh in each way, for each length of its publish, and a task that follows it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.providers.standard.operators.python import PythonOperator
from ways import LENGTHS, WAYS, model_of

from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.sandbox import DataModel

CREDENTIALS = json.loads(os.environ["AIRFLOW_CONN_MSTR_DEFAULT"])
TOKEN, PROJECT, INSTANCE = "X-MSTR-AuthToken", "X-MSTR-ProjectID", "X-MSTR-DataModelInstanceId"
LOGIN = {"loginMode": 1, "username": CREDENTIALS["login"], "password": CREDENTIALS["password"]}


def with_this_package(model: DataModel, *, deferrable: bool) -> Any:
    return MstrRefreshDataModelOperator(
        task_id="refresh", data_model_id=model.id, tables=_tables(model), deferrable=deferrable
    )


def with_http(model: DataModel, interval: int) -> Any:
    path = f"api/dataModels/{model.id}"

    def opened(response: Any) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in response.cookies.items())
        return {TOKEN: response.headers[TOKEN], "Cookie": cookies, PROJECT: model.project_id}

    def created(response: Any) -> dict[str, str]:
        sent = {name: response.request.headers[name] for name in (TOKEN, "Cookie", PROJECT)}
        return {**sent, INSTANCE: response.headers[INSTANCE]}

    login = _request("login", "POST", "api/auth/login", {}, LOGIN, opened)
    create = _request("create", "POST", f"{path}/instances", login.output, {}, created)
    publish = _request("publish", "POST", f"{path}/publish", create.output, _settings(model))
    wait = HttpSensor(
        task_id="refresh",
        http_conn_id="library",
        endpoint=f"{path}/publishStatus",
        headers=create.output,
        response_check=lambda response: response.json()["status"] == 1,
        poke_interval=interval,
    )
    delete = _request(
        "delete", "DELETE", f"{path}/instances/{{{{ ti.xcom_pull('create')['{INSTANCE}'] }}}}", create.output
    )
    logout = _request("logout", "POST", "api/auth/logout", login.output)
    publish >> wait >> delete >> logout
    return wait


def with_mstrio(model: DataModel, interval: int) -> Any:
    def refresh() -> None:
        from mstrio.connection import Connection

        who = (CREDENTIALS["host"], CREDENTIALS["login"], CREDENTIALS["password"])
        with Connection(*who, project_id=model.project_id, verbose=False) as connection:
            path = f"/api/dataModels/{model.id}"
            created = connection.post(endpoint=f"{path}/instances", json={})
            instance = {INSTANCE: created.headers[INSTANCE]}
            connection.post(endpoint=f"{path}/publish", headers=instance, json=_settings(model))
            while connection.get(endpoint=f"{path}/publishStatus", headers=instance).json()["status"] != 1:
                time.sleep(interval)
            connection.delete(endpoint=f"{path}/instances/{instance[INSTANCE]}", headers=instance)

    return PythonOperator(task_id="refresh", python_callable=refresh)


def _request(
    task_id: str,
    method: str,
    path: str,
    headers: Any,
    body: Any = None,
    read: Callable[[Any], Any] = lambda response: None,
) -> HttpOperator:
    return HttpOperator(
        task_id=task_id,
        http_conn_id="library",
        method=method,
        endpoint=path,
        headers=headers or {"Content-Type": "application/json"},
        data=json.dumps(body) if body is not None else None,
        response_filter=read,
    )


def _tables(model: DataModel) -> list[str]:
    return [table.id for table in model.tables]


def _settings(model: DataModel) -> dict[str, Any]:
    return {"tables": [{"id": table, "refreshPolicy": "replace"} for table in _tables(model)]}


MAKERS: dict[str, Callable[[DataModel], Any]] = {
    "mstr_blocking": lambda model: with_this_package(model, deferrable=False),
    "mstr_deferred": lambda model: with_this_package(model, deferrable=True),
    "http_30": lambda model: with_http(model, 30),
    "http_60": lambda model: with_http(model, 60),
    "mstrio_30": lambda model: with_mstrio(model, 30),
}

for way in WAYS:
    for seconds in LENGTHS:
        model = model_of(way, seconds)
        with DAG(model.name, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
            MAKERS[way](model) >> PythonOperator(task_id="following", python_callable=print)
        globals()[model.name] = dag
