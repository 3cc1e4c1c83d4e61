# SPDX-License-Identifier: Apache-2.0
"""How long a task usually takes, from the durations that Airflow stores."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from statistics import median
from typing import Any

from airflow.providers.common.compat.sdk import Context, TaskInstanceState

# How many successful runs are compared; each costs a request to Airflow's API.
MAX_RUNS = 5

log = logging.getLogger(__name__)


def usual_duration(context: Context) -> float | None:
    """Return the median of the task's last successful runs, in seconds; None if there is none.

    :param context: the task's context
    """
    ti = context["ti"]
    # Airflow 3.2 and newer.
    if not hasattr(ti, "get_previous_ti"):
        return None
    try:
        durations = list(_last_durations(ti))
    except Exception as error:
        log.debug("Airflow does not return the task's last runs: %s", error)
        return None
    return median(durations) if durations else None


def _last_durations(ti: Any) -> Iterator[float]:
    before = None
    for _ in range(MAX_RUNS):
        previous = ti.get_previous_ti(
            state=TaskInstanceState.SUCCESS, logical_date=before, map_index=ti.map_index
        )
        if previous is None:
            return
        if previous.duration is not None:
            yield previous.duration
        before = previous.logical_date
        if before is None:
            return
