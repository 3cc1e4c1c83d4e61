# SPDX-License-Identifier: Apache-2.0
"""Logs since when a server does not answer, and that it answers again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_mstr.refresh.job import Log
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.messages import Request
from airflow_provider_mstr.rest.words import duration, fit

# Seconds between two lines about the same outage.
LOG_INTERVAL = 60.0

# Columns of the cause in a line.
CAUSE_WIDTH = 70

_logger = logging.getLogger(__name__)


def log_warning(line: str, **fields: str | float | bool) -> None:
    """Log a line without its fields.

    :param line: the text
    :param fields: what the line is about
    """
    _logger.warning(line)


@dataclass
class Outage:
    """The time since when a server does not answer, if it does not.

    :param log: logs a line
    :param clock: seconds since the epoch

    ``retries`` counts the requests that were sent again.
    """

    log: Log
    clock: Callable[[], float] = time.time
    retries: int = field(default=0, init=False)
    _since: float | None = field(default=None, init=False)
    _logged_at: float = field(default=0.0, init=False)

    def on_retry(self, request: Request[Any], error: MstrError) -> None:
        """Log that the server does not answer, now and then: the cause first.

        :param request: the request
        :param error: why it is sent again
        """
        self.retries += 1
        now = self.clock()
        if self._since is None:
            self._since = now
        elif now - self._logged_at < LOG_INTERVAL:
            return
        self._logged_at = now
        since = datetime.fromtimestamp(self._since, UTC)
        reason = error.what.removeprefix(f"could not {request.purpose}").removeprefix(": ")
        cause = fit(reason or error.reply.message or "the server failed", CAUSE_WIDTH)
        self.log(
            f"{cause}; retrying since {since:%H:%M:%S} UTC",
            server="unavailable",
            since=since.isoformat(timespec="seconds"),
        )

    def on_answer(self) -> None:
        """Log that the server answers again, if it did not."""
        if self._since is not None:
            outage = duration(self.clock() - self._since)
            self._since = None
            self.log(f"The server answers again, after {outage}", server="available")
