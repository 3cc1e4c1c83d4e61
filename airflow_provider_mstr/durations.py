# SPDX-License-Identifier: Apache-2.0
"""Spans of time, as people type them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidInput

# More than that overflows the clocks of sockets and of Airflow.
MOST = timedelta(days=366)


def positive_seconds(name: str, typed: Any) -> float:
    """Return a span of time in seconds.

    :param name: how the error calls it
    :param typed: a number of seconds, its text, or a timedelta
    :raises InvalidInput: where it is not a positive span of a year at most
    """
    try:
        seconds = typed.total_seconds() if isinstance(typed, timedelta) else float(typed)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if isinstance(typed, bool) or not 0 < seconds < math.inf:
        raise InvalidInput(f"{name} is {typed!r}, which is not a positive number of seconds")
    if seconds > MOST.total_seconds():
        raise InvalidInput(f"{name} is {typed!r}, which is more than a year")
    return seconds
