# SPDX-License-Identifier: Apache-2.0
"""Moments at the server that tests wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_mstr.sandbox import Report, Sandbox


def asked(call: str, times: int = 1) -> Callable[[Report], bool]:
    """Return what is true of the report once a call has come so often."""
    return lambda report: report.requests.get(call, 0) >= times


def finish_once_asked(sandbox: Sandbox, call: str, times: int) -> None:
    """Bring every running publish to its end once a call has come so often."""
    sandbox.wait_for(asked(call, times))
    sandbox.finish_publishes()


@contextmanager
def finishing_once_asked(sandbox: Sandbox, call: str = "publish_status", times: int = 6) -> Iterator[None]:
    """Finish every running publish as soon as a call has come so often; by default, after any deferral."""
    finish = threading.Thread(target=finish_once_asked, args=(sandbox, call, times))
    finish.start()
    yield
    finish.join()
