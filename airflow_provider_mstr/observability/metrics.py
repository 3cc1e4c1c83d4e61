# SPDX-License-Identifier: Apache-2.0
"""Sends metrics of a refresh, if Airflow has metrics enabled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.result import RefreshResult

DURATION = "mstr.refresh.duration"
ENDED = "mstr.refresh.ended"
POLLS = "mstr.refresh.polls"
RETRIES = "mstr.refresh.retries"

log = logging.getLogger(__name__)


def ended(result: RefreshResult) -> None:
    """Send that a refresh has ended, how, and after which time.

    The state is part of the counter's name too, as not every receiver of metrics knows tags.

    :param result: how it ended
    """
    tags = _tags(result) | {"state": str(result.state)}
    duration = timedelta(seconds=result.seconds)
    _send(lambda stats: stats.timing(DURATION, duration, tags=tags))
    _send(lambda stats: stats.incr(f"{ENDED}.{result.state}", tags=tags))


def polled(refresh: Job | RefreshResult, polls: int, retries: int) -> None:
    """Send how many requests a refresh needed.

    :param refresh: the refresh, or its result
    :param polls: how often it was polled
    :param retries: how many requests were sent again
    """
    if polls:
        _send(lambda stats: stats.incr(POLLS, polls, tags=_tags(refresh)))
    if retries:
        _send(lambda stats: stats.incr(RETRIES, retries, tags=_tags(refresh)))


def _tags(refresh: Job | RefreshResult) -> dict[str, str]:
    return {"project": refresh.project_id, refresh.kind: refresh.object_id}


def _send(send: Callable[[Any], object]) -> None:
    """Send with what this Airflow's tasks send metrics with; that something is amiss fails no refresh."""
    try:
        from airflow.providers.common.compat.sdk import Stats

        send(Stats)
    except Exception as error:
        log.debug("A metric of the refresh was not sent: %s", error)
