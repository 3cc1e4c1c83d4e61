# SPDX-License-Identifier: Apache-2.0
"""Lets mutmut fork a process that ran tests: a fork has no threads, and asgiref awaits its own forever."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import SyncToAsync


def _renew_thread() -> None:
    SyncToAsync.single_thread_executor = ThreadPoolExecutor(max_workers=1)


os.register_at_fork(after_in_child=_renew_thread)
