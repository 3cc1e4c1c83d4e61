# SPDX-License-Identifier: Apache-2.0
"""A data model or cube for each DAG that refreshes one of its own, so that runs can go on side by side."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Cube, DataModel, IncrementalRefreshReport, World

FORMS = ("in_one_task", "in_steps")

# Where a user marks the task that waits or its run, while it is deferred, or runs in a worker.
MARKED_DEFERRED = tuple(
    f"deferred_{what}" for what in ("task_failed", "task_success", "run_failed", "run_success")
)
MARKED_RUNNING = tuple(f"running_{what}" for what in ("task_failed", "task_success", "run_failed"))

# What is tried again where its worker was killed.
RETRIED = ("retried_blocking", "retried_deferrable", "retried_in_steps")

CUBES = tuple(
    map(
        Cube.named,
        ("cube_deferred", "cube_blocking", "cube_retried", "cube_gone", "cube_lost", "cube_marked"),
    )
)
REPORTS = (IncrementalRefreshReport.named("report_blocking", CUBES[1]),)

# Seconds that a refresh takes which execution_timeout would end, if it counted while deferred.
LONG_REFRESH = 45.0


# Tables of a large data model, and the seconds that its refresh takes.
LARGE = 5000
LARGE_REFRESH = 15.0


def model_of(dag_id: str) -> str:
    """Return the id of a DAG's own data model, which is named as the DAG is."""
    return data_model(dag_id).id


def of_both_forms(name: str) -> tuple[str, ...]:
    """Return the ids of the two DAGs that do a thing in one task, and in steps."""
    return tuple(f"{name}_{form}" for form in FORMS)


def task_of(dag_id: str) -> str:
    """Return the task of a DAG that waits for the load."""
    return "wait" if dag_id.endswith(FORMS[1]) else "refresh"


def world() -> World:
    """Return the sandbox's usual world, and the data models, cubes and reports of the DAGs."""
    names = ["deferred_mapped", "deferred_with_an_api_token", "blocking", "killed", *RETRIED]
    for name in ("deferred", *MARKED_DEFERRED, *MARKED_RUNNING):
        names += of_both_forms(name)
    for name in ("dagrun_timeout", "timeout_deferred", "timeout_blocking"):
        names += of_both_forms(name)
    for name in ("execution_timeout_blocking", "raising_trigger", "silent_trigger"):
        names += of_both_forms(name)
    long = data_model("execution_timeout_deferred", LONG_REFRESH)
    large = map(large_model, of_both_forms("large"))
    models = (*DEFAULT_WORLD.data_models, *map(data_model, names), long, *large)
    return replace(
        DEFAULT_WORLD,
        data_models=models,
        cubes=(*DEFAULT_WORLD.cubes, *CUBES),
        reports=(*DEFAULT_WORLD.reports, *REPORTS),
    )


def large_model(dag_id: str) -> DataModel:
    """Return a DAG's own data model, of so many tables that a trigger has no room for them."""
    return DataModel.named(dag_id, map("table_{:04}".format, range(LARGE)), publish_seconds=LARGE_REFRESH)


def data_model(dag_id: str, publish_seconds: float | None = None) -> DataModel:
    """Return a DAG's own data model."""
    return DataModel.named(dag_id, ("stores", "sales"), publish_seconds=publish_seconds)
