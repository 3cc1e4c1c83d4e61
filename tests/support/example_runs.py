# SPDX-License-Identifier: Apache-2.0
"""Runs an example DAG as a user would, in an Airflow of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from airflow_home import EXAMPLE_DAGS, airflow_environment

from airflow_provider_mstr.sandbox import Sandbox

_ASKED_TO_MASK = "[debug    ] Sending request                msg=MaskSecret("
RUNNER = Path(__file__).with_name("run_example.py")


def states(dag_id: str, sandbox: Sandbox, home: Path, **environment: str) -> list[tuple[str, str]]:
    """Run an example DAG in an Airflow of its own; return the states its tasks went through, in order.

    :param environment: more environment variables
    """
    environment |= {"AIRFLOW__LOGGING__JSON_LOGS": "True"}
    run = subprocess.run(
        [sys.executable, str(RUNNER), str(EXAMPLE_DAGS), dag_id],
        env=airflow_environment(home, sandbox.airflow_connection()) | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    # Airflow 3.0 shows on this way what it is asked to mask.
    output = [line for line in f"{run.stdout}\n{run.stderr}".splitlines() if _ASKED_TO_MASK not in line]
    for secret in sandbox.secrets():
        assert secret not in "\n".join(output)
    lines = (json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"task"'))
    return [(line["task"], line["state"]) for line in lines]
