# SPDX-License-Identifier: Apache-2.0
"""What it costs to import the operators, and to parse a DAG file that uses them.

Each figure is the median of fresh processes, in which Airflow's SDK is loaded already: that is where Airflow
parses DAG files.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tables import show, surroundings

WARM = "from airflow.sdk import DAG, BaseOperator, BaseSensorOperator"

IMPORTERS = {
    "airflow-provider-mstr": (
        "airflow_provider_mstr.operators",
        "airflow_provider_mstr.sensors",
    ),
    "http": ("airflow.providers.http.operators.http", "airflow.providers.http.sensors.http"),
    "dbt-cloud": ("airflow.providers.dbt.cloud.operators.dbt", "airflow.providers.dbt.cloud.sensors.dbt"),
    "airbyte": ("airflow.providers.airbyte.operators.airbyte", "airflow.providers.airbyte.sensors.airbyte"),
    "tableau": ("airflow.providers.tableau.operators.tableau", "airflow.providers.tableau.sensors.tableau"),
    "databricks": ("airflow.providers.databricks.operators.databricks",),
    "powerbi": ("airflow.providers.microsoft.azure.operators.powerbi",),
}

HEAVY = ("requests", "aiohttp", "cryptography", "tenacity")

_IMPORT = """\
import json, sys, time
{warm}
before, began = set(sys.modules), time.perf_counter()
import {modules}
seconds, loaded = time.perf_counter() - began, set(sys.modules) - before
print(json.dumps([seconds, len(loaded), sorted(loaded & set({heavy!r}))]))
"""

_DAG = """\
from datetime import datetime
from airflow.sdk import DAG
from {module} import {operator}
with DAG("many", start_date=datetime(2026, 1, 1), schedule=None):
    for number in range({tasks}):
        {operator}(task_id=f"task_{{number}}"{arguments})
"""

_PARSE = """\
import json, time
{warm}
code = compile({dag!r}, "dag.py", "exec")
seconds = []
for _ in range(2):
    began = time.perf_counter()
    exec(code, {{}})
    seconds.append(time.perf_counter() - began)
print(json.dumps(seconds))
"""


@dataclass(frozen=True)
class Task:
    """A task that a DAG file makes many of.

    :param module: where its operator is
    :param operator: its operator
    :param arguments: what the operator is given beside the task's id
    """

    module: str
    operator: str
    arguments: str = ""

    def probe(self, tasks: int) -> str:
        """Return the code that parses a DAG file of such tasks, with what it imports and without.

        :param tasks: how many there are
        """
        dag = _DAG.format(module=self.module, operator=self.operator, arguments=self.arguments, tasks=tasks)
        return _PARSE.format(warm=WARM, dag=dag)


MODEL = "9F4772B837604551B4D3CC916ADC5598"
TASKS = (
    Task("airflow.providers.standard.operators.empty", "EmptyOperator"),
    Task(
        "airflow_provider_mstr.operators",
        "MstrRefreshDataModelOperator",
        f", data_model_id={MODEL!r}, tables=['orders', 'stores']",
    ),
    Task(
        "airflow.providers.http.operators.http",
        "HttpOperator",
        ", endpoint='/api/publish', deferrable=True",
    ),
    Task(
        "airflow.providers.dbt.cloud.operators.dbt",
        "DbtCloudRunJobOperator",
        ", job_id=1, deferrable=True",
    ),
)


def main() -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=21)
    parser.add_argument("--tasks", type=int, default=200)
    options = parser.parse_args()
    print(surroundings())
    show(
        f"Import, median of {options.repetitions} processes",
        ("operators and sensors of", "ms", "modules", "of these at parse"),
        imports(options.repetitions),
    )
    show(
        f"A DAG file of {options.tasks} tasks, median of {options.repetitions} processes",
        ("operator", "first parse, ms", "times EmptyOperator", "next parse, ms", "times EmptyOperator"),
        parses(options.repetitions, options.tasks),
    )


def imports(repetitions: int) -> list[tuple[object, ...]]:
    """Return a row for each provider.

    :param repetitions: how many processes to ask for each
    """
    codes = {
        name: _IMPORT.format(warm=WARM, modules=", ".join(modules), heavy=HEAVY)
        for name, modules in IMPORTERS.items()
    }
    answers = _ask(codes, repetitions)
    return [
        (name, 1000 * statistics.median(each[0] for each in said), said[0][1], ", ".join(said[0][2]) or "-")
        for name, said in answers.items()
    ]


def parses(repetitions: int, tasks: int) -> list[tuple[object, ...]]:
    """Return a row for each operator.

    :param repetitions: how many processes to ask for each
    :param tasks: how many tasks the DAG file has
    """
    answers = _ask({task.operator: task.probe(tasks) for task in TASKS}, repetitions)
    medians = {
        name: [1000 * statistics.median(seconds) for seconds in zip(*said, strict=True)]
        for name, said in answers.items()
    }
    first, again = medians[TASKS[0].operator]
    return [(name, one, one / first, two, two / again) for name, (one, two) in medians.items()]


def _ask(codes: dict[str, str], repetitions: int) -> dict[str, list[list[Any]]]:
    """Return what each code prints in a process of its own; they take turns, as machines have moods."""
    answers: dict[str, list[list[Any]]] = {name: [] for name in codes}
    for _ in range(repetitions):
        for name, code in codes.items():
            done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
            answers[name].append(json.loads(done.stdout.splitlines()[-1]))
    return answers


if __name__ == "__main__":
    main()
