# SPDX-License-Identifier: Apache-2.0
"""The environment of a real Airflow that knows the sandbox, and the DAGs of ``ways``."""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow_home import airflow_environment
from deployment import free_port

from airflow_provider_mstr.sandbox import Sandbox

DAGS = Path(__file__).with_name("dags")


def environment(home: str, sandbox: Sandbox, *, mapped: int = 1, **settings: str) -> dict[str, str]:
    """Return the environment variables of an Airflow.

    :param home: the folder for its database, its logs and its configuration
    :param sandbox: the server
    :param mapped: how many refreshes the mapped task has
    :param settings: more of Airflow's settings, each called as its variable is, without ``AIRFLOW__``
    """
    settings["DATABASE__SQL_ALCHEMY_CONNECT_ARGS"] = "ways.DATABASE"
    return {
        **airflow_environment(home, sandbox.airflow_connection(), dags=DAGS, port=free_port()),
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_CONN_LIBRARY": json.dumps({"conn_type": "http", "host": sandbox.url}),
        "MAPPED_REFRESHES": str(mapped),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(DAGS.parent), os.environ.get("PYTHONPATH")))),
    }
