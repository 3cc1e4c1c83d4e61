# SPDX-License-Identifier: Apache-2.0
"""The sandbox's time: it runs by itself, or stands still, and can always be pushed ahead."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch.

    :param start: what the clock shows first, in seconds since the epoch; the present if left out.
    :param ticking: whether it runs by itself; a clock that does not only moves by :meth:`advance`.
    """

    def __init__(self, start: float | None = None, *, ticking: bool = True) -> None:
        self._base = time.time() if start is None else start
        self._ticking = ticking
        self._born = time.monotonic()

    def __call__(self) -> float:
        return self._base + (time.monotonic() - self._born if self._ticking else 0.0)

    @property
    def ticking(self) -> bool:
        return self._ticking

    def advance(self, seconds: float) -> None:
        """Push the clock ahead.

        :param seconds: how far, in seconds; not negative.
        """
        if seconds < 0:
            raise ValueError("a clock cannot be turned back")
        self._base += seconds
