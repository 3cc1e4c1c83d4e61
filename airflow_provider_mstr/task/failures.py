# SPDX-License-Identifier: Apache-2.0
"""Which failures leave a task its retries, and which end it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_mstr.rest.errors import (
    InstanceExpired,
    InvalidHandle,
    MstrError,
    OutcomeUnknown,
    PublishFailed,
    SessionExpired,
)

if TYPE_CHECKING or find_spec("airflow.sdk"):
    _Killed = BaseException
else:
    # Airflow 2 fails a task that ends by any other error, whatever a user has marked it as. To Airflow 3,
    # which keeps that mark by itself, this one says that no retry may follow.
    from airflow.exceptions import AirflowTaskTerminated as _Killed


class TaskKilledError(_Killed):
    """Airflow stops the task: what it does is interrupted, and the session is closed.

    It may come wherever the task is, also where Airflow suppresses every ``Exception``.
    """


@contextmanager
def task_failures() -> Iterator[None]:
    """Fail the task without retries if no retry can help; otherwise leave it to the retries."""
    try:
        yield
    except MstrError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error


@contextmanager
def handle_failures() -> Iterator[None]:
    """Do the same for a task that received its session from another task: a retry cannot open a new one."""
    with task_failures():
        try:
            yield
        except (PublishFailed, OutcomeUnknown) as error:
            if error.may_answer_later:
                raise
            raise AirflowFailException(f"{error} {InvalidHandle.advice}") from error
        except (SessionExpired, InstanceExpired) as error:
            raise InvalidHandle(
                f"the session or instance that this task was given is over: {error.what}. "
                "If only this task was cleared, nothing was published for it",
                error.reply,
            ) from error
