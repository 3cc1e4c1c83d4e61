# SPDX-License-Identifier: Apache-2.0
"""What a line of a task's log says, beside it in Airflow 3's log, for a reader that is no person."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def beside(**facts: Any) -> AbstractContextManager[None]:
    """Keep facts beside each line that is told in the block, under ``mstr``.

    :param facts: what the line says, as plain JSON
    """
    try:
        from structlog.contextvars import bound_contextvars
    except ImportError:
        # Airflow 2 keeps lines of text only.
        return nullcontext()
    return bound_contextvars(mstr=facts)
