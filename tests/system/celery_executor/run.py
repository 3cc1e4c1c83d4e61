# SPDX-License-Identifier: Apache-2.0
"""Refresh many data models at once on Celery, while a worker and a triggerer are killed.

Prints figures, and for each rule that is broken a line; exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import processes
import psutil
import services
import traces
from airflow_home import airflow_environment
from airflow_on_celery import AirflowOnCelery
from deployment import free_port
from models import data_model
from rules import broken
from scenario import DAG_ID, Scenario
from seen import Seen
from sooner import SOONER

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox, Settings

DAGS = Path(__file__).parent / "dags"

# What a project holds of the user's sessions, and what the pool has slots.
SESSIONS = 5

_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return 0 where every rule has held.

    :param arguments: of the command line; the process's own if left out
    """
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # What a part that is killed leaves behind becomes a child of this process, which so knows of it.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    left: list[str] = []
    try:
        services.see_to_them()
        seen = _played(options)
    finally:
        left += _end_what_is_left()
    seen = replace(seen, left=left)
    print(seen.to_markdown())
    lines = [f"Broken: {rule}" for rule in broken(seen)]
    print("\n".join(lines or ["Every rule holds."]))
    return 1 if lines else 0


def _played(options: argparse.Namespace) -> Seen:
    names = [f"model_{number}" for number in range(options.refreshes)]
    world = replace(DEFAULT_WORLD, data_models=tuple(map(data_model, names)))
    settings = Settings(publish_seconds=options.publish_seconds, session_cap=SESSIONS)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airflow")))
        if options.keep:
            stack.callback(shutil.copytree, home, options.keep, dirs_exist_ok=True)
        sandbox = stack.enter_context(Sandbox(settings, world))
        broker = stack.enter_context(services.broker(home / "redis"))
        database = stack.enter_context(services.database())
        environment = airflow_environment(home, sandbox.airflow_connection(), dags=DAGS, port=free_port())
        environment |= SOONER
        environment |= {"DATA_MODELS": " ".join(names), "RETRY_DELAY": str(options.retry_delay)}
        with AirflowOnCelery(environment, SESSIONS, broker, database) as airflow:
            seen = Scenario(airflow, sandbox, names).play(options.timeout)
        # What is no secret is found, in the messages of the broker, too.
        looked_into = traces.of_secrets(airflow, [DAG_ID])
        if not {"table task_instance", "table xcom"} <= looked_into or "redis" not in str(looked_into):
            raise RuntimeError(f"the search for secrets has looked into no more than {looked_into}")
        return replace(seen, traces=frozenset(traces.of_secrets(airflow, sandbox.secrets())))


def _end_what_is_left() -> list[str]:
    """Kill the processes that are left, and return what they were."""
    left = list(filter(processes.lives, psutil.Process().children(recursive=True)))
    commands = list(map(processes.command, left))
    for process in left:
        process.kill()
    processes.left_of(left, timeout=10)
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return commands


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--refreshes", type=int, default=200, help="how many there are (default: %(default)s)")
    add("--publish-seconds", type=float, default=6.0, help="how long a publish takes (default: %(default)s)")
    add("--retry-delay", type=float, default=0.0, help="seconds, as the tasks have it (default: %(default)s)")
    add("--timeout", type=float, default=1200.0, help="seconds for the run to end (default: %(default)s)")
    add("--keep", type=Path, metavar="FOLDER", help="where to copy what Airflow has written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
