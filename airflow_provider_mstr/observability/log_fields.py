# SPDX-License-Identifier: Apache-2.0
"""Structured fields of a log line in Airflow 3, for a reader that is a program."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


def log_fields(**fields: str | float | bool) -> AbstractContextManager[None]:
    """Add fields to each line that is logged in the block; Airflow shows them after its text.

    :param fields: what the line is about: strings, numbers and booleans
    """
    if not fields:
        return nullcontext()
    try:
        from structlog.contextvars import bound_contextvars
    except ImportError:
        # Airflow 2 stores lines of text only.
        return nullcontext()
    return bound_contextvars(**fields)


def with_fields(log: Callable[[str], object]) -> Callable[..., None]:
    """Return a function that logs a line with fields.

    :param log: logs a line
    """

    def log_line(line: str, **fields: str | float | bool) -> None:
        with log_fields(**fields):
            log(line)

    return log_line
