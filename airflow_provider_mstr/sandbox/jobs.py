# SPDX-License-Identifier: Apache-2.0
"""The job of a load of a cube. It depends only on the clock; nothing runs in the background."""

from __future__ import annotations

import math
from base64 import b64encode
from dataclasses import dataclass
from typing import Literal

from airflow_provider_mstr.sandbox.world import Cube, IncrementalRefreshReport

JobStatus = Literal[
    "waiting_for_autoprompt", "waiting_on_governor", "executing", "completed", "error", "stopped"
]

NODE = "sandbox-iserver"
NODE_ID = b64encode(NODE.encode()).decode()

_ENDED = ("completed", "error", "stopped")


@dataclass
class Job:
    """One load of a cube.

    :param number: its number, by which no call finds it.
    :param target: the cube or the incremental refresh report that was started.
    :param cube: the cube that it loads.
    :param session_token: the token of its session; empty for a job of the server.
    :param user: name of the user who started it.
    :param created_at: seconds since the epoch.
    :param seconds: its duration, without the wait for the previous job.
    :param failure: its error message, if it fails.
    :param previous: the job that loads the cube before this one.
    :param loads_data: whether it changes the cube's data.
    :param stopped_at: seconds since the epoch.
    """

    number: int
    target: Cube | IncrementalRefreshReport
    cube: Cube
    session_token: str
    user: str
    created_at: float
    seconds: float
    failure: str | None = None
    previous: Job | None = None
    loads_data: bool = True
    stopped_at: float | None = None

    @property
    def id(self) -> str:
        return f"{self.number}:{NODE_ID}"

    @property
    def starts_at(self) -> float:
        return max(self.created_at, self.previous.ends_at) if self.previous else self.created_at

    @property
    def ends_at(self) -> float:
        if self.stopped_at is not None:
            return self.stopped_at
        return math.inf if self.cube.prompted else self.starts_at + self.seconds

    def status(self, now: float) -> JobStatus:
        if self.stopped_at is not None:
            return "stopped"
        if self.cube.prompted:
            return "waiting_for_autoprompt"
        if now >= self.ends_at:
            return "error" if self.failure else "completed"
        return "waiting_on_governor" if now < self.starts_at + self.seconds * 0.1 else "executing"

    def has_ended(self, now: float) -> bool:
        return self.status(now) in _ENDED

    def is_running(self, now: float) -> bool:
        """Return whether it will end without an answer to a prompt."""
        return not self.has_ended(now) and not self.cube.prompted

    def has_loaded(self, now: float) -> bool:
        """Return whether the cube has the data of this job."""
        return self.loads_data and self.status(now) == "completed"

    def stop(self, now: float) -> None:
        if not self.has_ended(now):
            self.stopped_at = now

    def finish(self, now: float) -> None:
        """End it with its result, at once or as soon as the previous job ends."""
        if self.is_running(now):
            self.seconds = max(now - self.starts_at, 0.0)
