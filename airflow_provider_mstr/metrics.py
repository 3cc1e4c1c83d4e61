# SPDX-License-Identifier: Apache-2.0
"""What a refresh tells Airflow's metrics; where they are off or absent, nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from airflow_provider_mstr.refresh import RefreshOutcome

DURATION = "mstr.refresh.duration"
ENDED = "mstr.refresh.ended"
POLLS = "mstr.refresh.polls"
RETRIES = "mstr.refresh.retries"

log = logging.getLogger(__name__)


class Model(Protocol):
    """What names the data model that a metric is of."""

    @property
    def project_id(self) -> str:
        """The project's id."""

    @property
    def data_model_id(self) -> str:
        """The data model's id."""


def ended(outcome: RefreshOutcome) -> None:
    """Tell that a refresh has ended, how, and after which time.

    The state is part of the counter's name too, as not every receiver of metrics knows tags.

    :param outcome: how it ended
    """
    tags = _tags(outcome) | {"outcome": str(outcome.state)}
    duration = timedelta(seconds=outcome.seconds)
    _send(lambda stats: stats.timing(DURATION, duration, tags=tags))
    _send(lambda stats: stats.incr(f"{ENDED}.{outcome.state}", tags=tags))


def asked(model: Model, polls: int, retries: int) -> None:
    """Tell how often the server was asked for the end of a refresh.

    :param model: the data model
    :param polls: how many looks there were at publishStatus
    :param retries: how many requests were sent again because the server was away
    """
    if polls:
        _send(lambda stats: stats.incr(POLLS, polls, tags=_tags(model)))
    if retries:
        _send(lambda stats: stats.incr(RETRIES, retries, tags=_tags(model)))


def _tags(model: Model) -> dict[str, str]:
    return {"project": model.project_id, "data_model": model.data_model_id}


def _send(send: Callable[[Any], object]) -> None:
    """Send with what this Airflow's tasks send metrics with; that something is amiss fails no refresh."""
    try:
        from airflow.providers.common.compat.sdk import Stats

        send(Stats)
    except Exception as error:
        log.debug("A metric of the refresh was not sent: %s", error)
