# SPDX-License-Identifier: Apache-2.0
"""Options of a refresh, with their defaults."""

from __future__ import annotations

import math
from datetime import timedelta
from enum import StrEnum
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidInput

DEFAULT_CONN_ID = "mstr_default"
DEFAULT_POLL_INTERVAL = 30.0
DEFAULT_REFRESH_POLICY = "replace"

# Cold warehouses stretch a publish without a sign of life (docs/strategy-rest-api.md 4).
DEFAULT_TIMEOUT = 2 * 60 * 60.0


class WhenBusy(StrEnum):
    """What to do where another job publishes the model."""

    WAIT = "wait"
    FAIL = "fail"

    @classmethod
    def of(cls, value: str) -> WhenBusy:
        """Return the choice that a DAG author wrote.

        :param value: ``wait`` or ``fail``
        :raises InvalidInput: where it is neither
        """
        try:
            return cls(value)
        except ValueError:
            raise InvalidInput(f"when_busy is {value!r}; it must be one of: {', '.join(cls)}") from None


# More than that overflows the clocks of sockets and of Airflow.
MOST = timedelta(days=366)


def positive_seconds(name: str, value: Any) -> float:
    """Return a span of time in seconds.

    :param name: how the error calls it
    :param value: a number of seconds, its text, or a timedelta
    :raises InvalidInput: where it is not a positive span of a year at most
    """
    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if isinstance(value, bool) or not 0 < seconds < math.inf:
        raise InvalidInput(f"{name} is {value!r}, which is not a positive number of seconds")
    if seconds > MOST.total_seconds():
        raise InvalidInput(f"{name} is {value!r}, which is more than a year")
    return seconds
