# SPDX-License-Identifier: Apache-2.0
"""The server with its recorded requests and injected faults. Thread-safe."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_mstr.sandbox import api
from airflow_provider_mstr.sandbox.api import Request
from airflow_provider_mstr.sandbox.clock import Clock
from airflow_provider_mstr.sandbox.faults import ANY, Fault, FaultKind, FaultQueue
from airflow_provider_mstr.sandbox.library import Library
from airflow_provider_mstr.sandbox.report import Report, make_report
from airflow_provider_mstr.sandbox.responses import Response
from airflow_provider_mstr.sandbox.settings import Settings
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, Cube, World


class Service:
    """A Library server without HTTP.

    :param settings: its behaviour.
    :param world: its users, projects and objects.
    :param clock: its clock.
    """

    def __init__(
        self, settings: Settings | None = None, world: World = DEFAULT_WORLD, clock: Clock | None = None
    ) -> None:
        self.world = world
        self.clock = clock or Clock()
        self._changed = threading.Condition()
        self._faults = FaultQueue()
        self._requests: list[Request] = []
        self._old_secrets: set[str] = set()
        self._library = Library(world, settings or Settings(), self.clock)

    # State

    @property
    def settings(self) -> Settings:
        """The current settings."""
        return self._library.settings

    @property
    def requests(self) -> tuple[Request, ...]:
        """The requests to the REST API, in order."""
        with self._changed:
            return tuple(self._requests)

    def report(self) -> Report:
        """Return what has happened."""
        with self._changed:
            return make_report(self._library, Counter(request.call for request in self._requests))

    def secrets(self) -> frozenset[str]:
        """Return all tokens, cookie values, passwords and API tokens, including those of ended sessions."""
        with self._changed:
            issued = self._old_secrets | self._library.secrets
        configured = {
            secret for user in self.world.users for secret in (user.password, user.api_token) if secret
        }
        return frozenset(issued | configured)

    def wait_for(self, predicate: Callable[[Report], bool], timeout: float = 60.0) -> Report:
        """Wait until the report satisfies a predicate, and return it.

        :param predicate: a function of the report.
        :param timeout: seconds until a TimeoutError.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate(report := self.report()):
                if (remaining := deadline - time.monotonic()) <= 0:
                    raise TimeoutError(f"condition not met within {timeout} seconds: {report}")
                self._changed.wait(self._wait_seconds(remaining))
            return report

    def _wait_seconds(self, limit: float) -> float:
        """Return the seconds until the next publish or job ends, up to a limit."""
        end = self._library.next_end_time() if self.clock.ticking else None
        return limit if end is None else min(limit, max(end - self.clock(), 0.0) + 0.001)

    # Control

    def add_fault(self, call: str, kind: FaultKind, **details: Any) -> Fault:
        """Inject a fault.

        :param call: name of the call that it affects, or ``any``.
        :param kind: what happens.
        :param details: the other fields of :class:`~airflow_provider_mstr.sandbox.faults.Fault`.
        """
        if call not in (*api.CALLS, ANY):
            raise ValueError(f"call must be one of: {', '.join((*api.CALLS, ANY))}; got {call!r}")
        fault = Fault(call, kind, **details)
        with self._changed:
            self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Remove all faults that have not happened yet."""
        with self._changed:
            self._faults.clear()

    def change(self, **settings: Any) -> Settings:
        """Change settings. Publishes and jobs that already run are not affected.

        :param settings: fields of :class:`~airflow_provider_mstr.sandbox.settings.Settings`.
        """
        with self._changed:
            self._library.settings = replace(self._library.settings, **settings)
            self._changed.notify_all()
            return self._library.settings

    def finish_publishes(self) -> None:
        """Finish every running publish and every load of a cube now."""
        with self._changed:
            self._library.finish_publishes()
            self._changed.notify_all()

    def start_load(self, cube: str) -> str:
        """Start a load of a cube as a job of the server, without a session, and return the job's id.

        :param cube: name or id of the cube.
        """
        with self._changed:
            job = self._library.start_job(self._find_cube(cube))
            self._changed.notify_all()
            return job.id

    def finish_load(self, job: str) -> None:
        """Finish one load of a cube now, or as soon as the load for which it waits ends.

        :param job: id of its job.
        """
        with self._changed:
            self._library.finish_job(job)
            self._changed.notify_all()

    def _find_cube(self, key: str) -> Cube:
        for cube in self.world.cubes:
            if key in (cube.id, cube.name):
                return cube
        raise ValueError(f"there is no cube {key!r}")

    def advance(self, seconds: float) -> None:
        """Advance the server's clock: publishes and jobs progress, idle sessions expire.

        :param seconds: number of seconds.
        """
        with self._changed:
            self.clock.advance(seconds)
            self._library.expire_idle()
            self._changed.notify_all()

    def reset(self) -> None:
        """Remove sessions, publishes, jobs, faults and requests. Settings and world remain."""
        with self._changed:
            self._old_secrets |= self._library.secrets
            self._library = Library(self.world, self.settings, self.clock)
            self._faults.clear()
            self._requests.clear()
            self._changed.notify_all()

    # Handling of a request

    def record(self, request: Request) -> Fault | None:
        """Record a request, and return the fault that affects it, if any."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
            return self._faults.pop(request.call)

    def handle(self, request: Request) -> Response:
        """Handle a request."""
        with self._changed:
            response = api.handle(self._library, request)
            self._changed.notify_all()
            return response

    def apply_loss(self, request: Request, fault: Fault) -> None:
        """Drop the session or the instance, if the fault loses it."""
        with self._changed:
            token = request.headers.get(api.AUTH_TOKEN.lower(), "")
            if fault.kind == "session_lost":
                self._library.drop_session(token)
            if fault.kind == "instance_lost":
                self._library.drop_instance(token, api.find_instance_id(request))
            self._changed.notify_all()
