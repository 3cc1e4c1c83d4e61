# SPDX-License-Identifier: Apache-2.0
"""Proof that an event loop is not blocked, without a clock."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mstr.sandbox import Sandbox

# A blocked event loop is a hang. This ends it.
HANG_SECONDS = 60.0


def let_the_loop_run(loop: asyncio.AbstractEventLoop) -> None:
    """Return in another thread once the event loop has run something.

    :param loop: the event loop
    :raises TimeoutError: where it is blocked
    """
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(HANG_SECONDS)


def answer_while_the_loop_runs(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sandbox answer each call only once this event loop has run something else meanwhile."""
    loop, act = asyncio.get_running_loop(), sandbox.handle

    def acts(request: Any) -> Any:
        let_the_loop_run(loop)
        return act(request)

    monkeypatch.setattr(sandbox, "handle", acts)


def threads_of(place: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Return the threads that call a function, in order, as they do so.

    :param place: what the function is an attribute of
    :param name: its name
    """
    threads: list[threading.Thread] = []
    function: Callable[..., Any] = getattr(place, name)

    def noted(*args: Any, **kwargs: Any) -> Any:
        threads.append(threading.current_thread())
        return function(*args, **kwargs)

    monkeypatch.setattr(place, name, noted)
    return threads


def sleepers(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Return the threads that sleep, as they do so: that of an event loop must not be among them."""
    return threads_of(time, "sleep", monkeypatch)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so, while the event loop runs on.

    :param condition: what is waited for
    :raises TimeoutError: where it does not happen
    """
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)
