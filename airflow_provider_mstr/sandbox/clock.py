# SPDX-License-Identifier: Apache-2.0
"""The sandbox's clock, which runs or is stopped, and can be advanced."""

from __future__ import annotations

import time


class Clock:
    """Returns seconds since the epoch.

    :param start: its first time, in seconds since the epoch; by default the current time.
    :param ticking: whether it runs; if not, it changes only with :meth:`advance`.
    """

    def __init__(self, start: float | None = None, *, ticking: bool = True) -> None:
        self._base = time.time() if start is None else start
        self._ticking = ticking
        self._started_at = time.monotonic()

    def __call__(self) -> float:
        return self._base + (time.monotonic() - self._started_at if self._ticking else 0.0)

    @property
    def ticking(self) -> bool:
        return self._ticking

    def advance(self, seconds: float) -> None:
        """Advance the clock.

        :param seconds: number of seconds, not negative.
        """
        if seconds < 0:
            raise ValueError("seconds must not be negative")
        self._base += seconds
