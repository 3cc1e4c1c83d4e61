# SPDX-License-Identifier: Apache-2.0
"""What a line of a task's log says, beside it in Airflow 3's log, for a reader that is no person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

try:
    from structlog.contextvars import bound_contextvars
except ImportError:  # Airflow 2 keeps lines of text only
    bound_contextvars = None

KEY = "mstr"


@contextmanager
def beside(**facts: Any) -> Iterator[None]:
    """Keep facts beside each line that is told in the block.

    :param facts: what the line says, as plain JSON
    """
    if bound_contextvars is None:
        yield
        return
    with bound_contextvars(**{KEY: facts}):
        yield
