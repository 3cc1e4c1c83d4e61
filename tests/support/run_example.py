# SPDX-License-Identifier: Apache-2.0
"""Run one example DAG to its end in this process, and print what happens as JSON lines.

Run it under the environment of ``airflow_home`` with ``AIRFLOW__LOGGING__JSON_LOGS=True``: Airflow's own
log then comes as JSON lines too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from airflow.listeners import hookimpl
from airflow.utils.db import initdb
from airflow_parts import dags_of, get_listener_manager


class States:
    """A listener that prints each change of a task's state."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        _say(task=task_instance.task_id, state="running")

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        _say(task=task_instance.task_id, state="success")

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        _say(task=task_instance.task_id, state="failed", error=str(error))


def main(dags_folder: str, dag_id: str) -> int:
    """Run the DAG, and return 0 where the run succeeded.

    :param dags_folder: the folder that holds the DAG, Airflow's own DAGs folder
    :param dag_id: the DAG
    """
    # Airflow 3.0 does not make it.
    Path(os.environ["AIRFLOW_HOME"]).mkdir(exist_ok=True)
    initdb()
    manager: Any = get_listener_manager()
    manager.add_listener(States())
    run = dags_of(dags_folder)[dag_id].test()
    return 0 if str(run.state) == "success" else 1


def _say(**facts: str) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
