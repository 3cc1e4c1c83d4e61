# SPDX-License-Identifier: Apache-2.0
"""The environment of an Airflow that lives in a folder of its own and knows the sandbox."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cryptography.fernet import Fernet

EXAMPLE_DAGS = Path(__file__).parents[2] / "example_dags"
WEBSERVER_CONFIG = Path(__file__).with_name("webserver_config.py")


def airflow_environment(
    home: Path | str, connection: str, *, dags: Path = EXAMPLE_DAGS, port: int = 8080
) -> dict[str, str]:
    """Return the environment variables under which Airflow's commands work in that folder.

    :param home: the folder for the database, the logs and the configuration
    :param connection: the connection ``mstr_default`` as JSON text
    :param dags: the folder of the DAGs, and of nothing else
    :param port: the port of the web server, which listens on this machine only; the logs of workers and
        triggers are served on the two that follow
    """
    settings = {
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__PARALLELISM": "4",
        "CORE__TEST_CONNECTION": "Enabled",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        # A busy machine may answer late.
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "LOGGING__WORKER_LOG_SERVER_PORT": str(port + 1),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(port + 2),
        **_as_older_airflow_calls_it(port),
    }
    return {
        **os.environ,
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_MSTR_DEFAULT": connection,
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def _as_older_airflow_calls_it(port: int) -> dict[str, str]:
    return {
        "API__ENABLE_XCOM_DESERIALIZE_SUPPORT": "True",
        "SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
        "SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "10",
        "WEBSERVER__CONFIG_FILE": str(WEBSERVER_CONFIG),
        "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
        "WEBSERVER__WEB_SERVER_PORT": str(port),
        "WEBSERVER__WORKERS": "2",
    }
