# SPDX-License-Identifier: Apache-2.0
"""A server as its keeper sees it: what was asked of it, what is ordered to go wrong. Safe across threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_mstr.sandbox import api
from airflow_provider_mstr.sandbox.answers import Answer
from airflow_provider_mstr.sandbox.api import Request
from airflow_provider_mstr.sandbox.clock import Clock
from airflow_provider_mstr.sandbox.faults import ANY, Fault, FaultBook, FaultKind
from airflow_provider_mstr.sandbox.library import Library
from airflow_provider_mstr.sandbox.report import Report, make_report
from airflow_provider_mstr.sandbox.settings import Settings
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, World


class Service:
    """A Library server without its socket.

    :param settings: how it behaves.
    :param world: what it holds.
    :param clock: its time.
    """

    def __init__(
        self, settings: Settings | None = None, world: World = DEFAULT_WORLD, clock: Clock | None = None
    ) -> None:
        self.world = world
        self.clock = clock or Clock()
        self._changed = threading.Condition()
        self._faults = FaultBook()
        self._requests: list[Request] = []
        self._old_secrets: set[str] = set()
        self._library = Library(world, settings or Settings(), self.clock)

    # What goes on

    @property
    def settings(self) -> Settings:
        """How it behaves now."""
        return self._library.settings

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request to the REST API so far, in the order they came."""
        with self._changed:
            return tuple(self._requests)

    def report(self) -> Report:
        """Return everything that happened so far."""
        with self._changed:
            return make_report(self._library, Counter(request.call for request in self._requests))

    def secrets(self) -> frozenset[str]:
        """Return every token and cookie value ever given out, and every password and API token there is."""
        with self._changed:
            issued = self._old_secrets | self._library.secrets
        known = {secret for user in self.world.users for secret in (user.password, user.api_token) if secret}
        return frozenset(issued | known)

    def wait_for(self, predicate: Callable[[Report], bool], timeout: float = 60.0) -> Report:
        """Wait until the report is as wanted, and return it.

        :param predicate: what is wanted of the report.
        :param timeout: how long to wait, in seconds; then TimeoutError is raised.
        """
        deadline = Clock()
        latest = deadline() + timeout
        with self._changed:
            while not predicate(report := self.report()):
                if (left := latest - deadline()) <= 0:
                    raise TimeoutError(f"not so within {timeout} seconds: {report}")
                self._changed.wait(self._nap(left))
            return report

    def _nap(self, longest: float) -> float:
        """Return the seconds until something may change by itself, if the clock ticks."""
        end = self._library.next_end() if self.clock.ticking else None
        return longest if end is None else min(longest, max(end - self.clock(), 0.0) + 0.001)

    # What can be ordered

    def add_fault(self, call: str, kind: FaultKind, **details: Any) -> Fault:
        """Order something to go wrong.

        :param call: name of the call it happens to, or ``any``.
        :param kind: what happens.
        :param details: the other fields of :class:`~airflow_provider_mstr.sandbox.faults.Fault`.
        """
        if call not in (*api.CALLS, ANY):
            raise ValueError(f"call is one of {', '.join((*api.CALLS, ANY))}, not {call!r}")
        fault = Fault(call, kind, **details)
        with self._changed:
            self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Take back every fault that has not happened yet."""
        with self._changed:
            self._faults.clear()

    def change(self, **settings: Any) -> Settings:
        """Change how the server behaves from now on; publishes that run already keep their course.

        :param settings: fields of :class:`~airflow_provider_mstr.sandbox.settings.Settings`.
        """
        with self._changed:
            self._library.settings = replace(self._library.settings, **settings)
            self._changed.notify_all()
            return self._library.settings

    def finish_publishes(self) -> None:
        """Bring every running publish to its end now."""
        with self._changed:
            self._library.finish_publishes()
            self._changed.notify_all()

    def advance(self, seconds: float) -> None:
        """Push the server's clock ahead: publishes come along, idle sessions expire.

        :param seconds: how far, in seconds.
        """
        with self._changed:
            self.clock.advance(seconds)
            self._library.sweep()
            self._changed.notify_all()

    def reset(self) -> None:
        """Forget sessions, publishes, faults and requests; settings and world stay."""
        with self._changed:
            self._old_secrets |= self._library.secrets
            self._library = Library(self.world, self.settings, self.clock)
            self._faults.clear()
            self._requests.clear()
            self._changed.notify_all()

    # What a request goes through

    def receive(self, request: Request) -> Fault | None:
        """Note a request, and say what is to go wrong with it."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
            return self._faults.take(request.call)

    def act(self, request: Request) -> Answer:
        """Do what is asked and answer it."""
        with self._changed:
            answer = api.answer(self._library, request)
            self._changed.notify_all()
            return answer

    def lose(self, request: Request, fault: Fault) -> None:
        """Lose what the fault says is lost."""
        with self._changed:
            token = request.headers.get(api.AUTH_TOKEN.lower(), "")
            if fault.kind == "session_lost":
                self._library.drop_session(token)
            if fault.kind == "instance_lost":
                self._library.drop_instance(token, api.instance_id(request))
            self._changed.notify_all()
