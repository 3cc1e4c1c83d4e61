# SPDX-License-Identifier: Apache-2.0
"""Which failures leave a task its retries, which end it at once, and what Airflow shows of them."""

from __future__ import annotations

import logging
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


log = logging.getLogger(__name__)


class TaskKilledError(_Killed):
    """Airflow stops the task: what it does is interrupted, and the session is closed.

    It may come wherever the task is, also where Airflow suppresses every ``Exception``.
    """


class TaskFailures:
    """Ends a task whose ``with`` block fails: at once if no retry can help, otherwise by the error itself.

    The text of an error of this package is all that a user needs. So Airflow receives it without the frames
    and errors that led to it, which the log has at level DEBUG. Any other error is a bug and stays as it is.
    """

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """End the block, and the task if the block failed.

        :param error: the error of the block, if it failed
        """
        if isinstance(error, MstrError):
            log.debug("The complete traceback of the error that ends this task:", exc_info=error)
            raise self.task_error(error).with_traceback(None) from None

    def task_error(self, error: MstrError) -> Exception:
        """Return the error that ends the task.

        :param error: the error of the block
        """
        return error if error.retryable else AirflowFailException(str(error))


class HandleFailures(TaskFailures):
    """Does the same for a task that received its session from another task: a retry cannot open a new one."""

    def task_error(self, error: MstrError) -> Exception:
        """Return the error that ends the task.

        :param error: the error of the block
        """
        if isinstance(error, (PublishFailed, OutcomeUnknown)) and not error.may_answer_later:
            error.advice = f"{error.advice} {InvalidHandle.advice}"
            return AirflowFailException(str(error))
        if isinstance(error, (SessionExpired, InstanceExpired)):
            advice = f"{InvalidHandle.advice} If only this task was cleared, nothing was published for it."
            error = InvalidHandle(error.what, error.reply, advice=advice)
        return super().task_error(error)
