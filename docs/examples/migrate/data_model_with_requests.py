# SPDX-License-Identifier: Apache-2.0
"""Publish a data model with requests."""

from __future__ import annotations

import os
from time import sleep

import pendulum
import requests
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.python import PythonOperator

TUTORIAL = "B7CA92F04B9FAE8D941C3E9B7E0CD754"
RETAIL = "9F4772B837604551B4D3CC916ADC5598"


def publish() -> None:
    api, login, password = (os.environ[f"MSTR_{name}"] for name in ("API", "LOGIN", "PASSWORD"))
    model = f"{api}/dataModels/{RETAIL}"
    with requests.Session() as http:
        http.headers["X-MSTR-ProjectID"] = TUTORIAL
        user = {"username": login, "password": password, "loginMode": 1}
        response = http.post(f"{api}/auth/login", json=user)
        http.headers["X-MSTR-AuthToken"] = response.headers["X-MSTR-AuthToken"]
        response = http.post(f"{model}/instances")
        http.headers["X-MSTR-DataModelInstanceId"] = response.headers["X-MSTR-DataModelInstanceId"]
        found = http.get(f"{api}/model/dataModels/{RETAIL}/tables").json()["tables"]
        ids = [table["information"]["objectId"] for table in found]
        tables = [{"id": table_id, "refreshPolicy": "replace"} for table_id in ids]
        http.post(f"{model}/publish", json={"tables": tables}).raise_for_status()
        while http.get(f"{model}/publishStatus").json()["status"] != 1:
            sleep(10)
        http.post(f"{api}/auth/logout")


with DAG(
    "data_model_with_requests", schedule="0 5 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="UTC")
):
    PythonOperator(task_id="refresh_retail", python_callable=publish)
