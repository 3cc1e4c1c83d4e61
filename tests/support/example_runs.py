# SPDX-License-Identifier: Apache-2.0
"""Runs an example DAG as a user would, in an Airflow of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from airflow_home import EXAMPLE_DAGS, airflow_environment

from airflow_provider_mstr.sandbox import Sandbox

_ASKED_TO_MASK = "[debug    ] Sending request                msg=MaskSecret("
RUNNER = Path(__file__).with_name("run_example.py")


def states(dag_id: str, sandbox: Sandbox, home: Path, **environment: str) -> list[tuple[str, str]]:
    """Run an example DAG in an Airflow of its own; return the states its tasks went through, in order.

    :param environment: more environment variables
    """
    run = run_example(dag_id, sandbox, home, **environment)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    # Airflow 3.0 shows on this way what it is asked to mask.
    output = [line for line in f"{run.stdout}\n{run.stderr}".splitlines() if _ASKED_TO_MASK not in line]
    for secret in sandbox.secrets():
        assert secret not in "\n".join(output)
    lines = (json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"task"'))
    return [(line["task"], line["state"]) for line in lines]


def run_example(
    dag_id: str, sandbox: Sandbox, home: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run an example DAG in an Airflow of its own, and return the process that has ended.

    :param environment: more environment variables
    """
    return subprocess.run(
        [sys.executable, str(RUNNER), str(EXAMPLE_DAGS), dag_id],
        env=airflow_environment(home, sandbox.airflow_connection())
        | {"AIRFLOW__LOGGING__JSON_LOGS": "True"}
        | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@dataclass(frozen=True)
class ShownError:
    """An error as Airflow's log of a task shows it.

    :param lines: the type and the text of each error of the chain, as one line, the last error last
    :param files: the files of all frames
    """

    lines: list[str]
    files: list[str]


def shown_error(run: subprocess.CompletedProcess[str]) -> ShownError:
    """Return the error in the log of the first task that failed.

    :param run: a run of an example
    """
    for line in run.stdout.splitlines():
        if line.startswith("{") and (chain := json.loads(line).get("exception")):
            # The first error is the one that was raised.
            lines = [f"{error['exc_type']}: {error['exc_value']}" for error in reversed(chain)]
            return ShownError(lines, [frame["filename"] for error in chain for frame in error["frames"]])
    # Airflow 2 writes the text of a traceback.
    text = run.stdout.split("Task failed with exception\n")[1]
    block = re.split(r"^[\[{]", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in block.splitlines() if re.match(r"[\w.]+: ", line)]
    return ShownError(lines, re.findall(r'^  File "(.+?)"', block, re.MULTILINE))
