# SPDX-License-Identifier: Apache-2.0
"""The refreshes that are run in a real Airflow: each has a DAG and a data model of its own."""

from __future__ import annotations

from airflow_provider_mstr.sandbox import DataModel

# Seconds that publishes take.
LENGTHS = (1, 10, 60)

WAYS = {
    "mstr_blocking": "airflow-provider-mstr, blocking",
    "mstr_deferred": "airflow-provider-mstr, deferred",
    "http_30": "HttpOperator and HttpSensor, every 30 s",
    "http_60": "HttpOperator and HttpSensor, every 60 s",
    "mstrio_30": "mstrio-py in a PythonOperator, every 30 s",
}

MAPPED = "mapped_refreshes"

# Seconds that Airflow's parts wait for each other at its database, which SQLite lets one at a time write to.
DATABASE = {"timeout": 60}


def model_of(way: str, seconds: int) -> DataModel:
    """Return the data model that is refreshed in a way, and takes so long; its DAG is named as it is.

    :param way: the way
    :param seconds: how long its publish takes
    """
    return DataModel.named(f"{way}_{seconds}", ("orders", "stores"), publish_seconds=seconds)


def mapped_models(number: int) -> tuple[DataModel, ...]:
    """Return the data models that one mapped task refreshes.

    :param number: how many
    """
    return tuple(DataModel.named(f"model {each}", ("orders", "stores")) for each in range(number))
