# SPDX-License-Identifier: Apache-2.0
"""Which failures leave a task its retries, and which end it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_mstr.rest.errors import (
    HandleRefused,
    InstanceLost,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    SessionLost,
)


class TaskKilledError(BaseException):
    """Airflow has told the task to stop; what it was doing is broken off, and cleaned up on the way out.

    It may come wherever the task is, also where Airflow suppresses every ``Exception``.
    """


@contextmanager
def task_failures() -> Iterator[None]:
    """Fail the task for good where no retry can mend the error, and leave it to the retries otherwise."""
    try:
        yield
    except MstrError as error:
        if error.mended_by_time:
            raise
        raise AirflowFailException(str(error)) from error


@contextmanager
def handle_failures() -> Iterator[None]:
    """Do the same for a task that was given its session: that it cannot make anew by a retry."""
    with task_failures():
        try:
            yield
        except (PublishFailed, OutcomeUnknown) as error:
            raise AirflowFailException(str(error)) from error
        except (SessionLost, InstanceLost) as error:
            raise HandleRefused(
                f"the session or instance that this task was given is over: {error.what}. "
                "If only this task was cleared, nothing was published for it",
                error.reply,
            ) from error
