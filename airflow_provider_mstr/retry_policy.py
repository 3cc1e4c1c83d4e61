# SPDX-License-Identifier: Apache-2.0
"""How soon a refresh is worth another attempt, for the retry policies of Airflow 3.3."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_mstr.rest.errors import (
    InstanceExpired,
    ModelBusy,
    MstrError,
    OutcomeUnknown,
    SessionExpired,
    SessionLimit,
)

try:
    from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy
except ImportError:
    raise ImportError(
        "MstrRetryPolicy needs the retry policies of Airflow 3.3 or newer;"
        " before that, give the task a retry_delay"
    ) from None

# Requests while the project is full may keep its idle sessions alive (docs/strategy-rest-api.md 1.9).
_MINUTES = (SessionLimit, ModelBusy)
_SOON = (SessionExpired, InstanceExpired, OutcomeUnknown)


class MstrRetryPolicy(RetryPolicy):
    """Waits minutes for a session or a busy model, seconds after a lost session, and does not retry in vain.

    The task's ``retries`` still decide how many attempts follow.

    :param minutes: minutes to wait for a free session, or for another job's publish
    """

    def __init__(self, minutes: float = 5.0) -> None:
        self.minutes = minutes

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Return whether and when another attempt follows.

        :param exception: the error of the task
        :param try_number: the number of the failed attempt
        :param max_tries: the maximum number of attempts
        :param context: the task's context
        """
        kind = type(exception).__name__
        if isinstance(exception, MstrError) and not exception.retryable:
            return RetryDecision.fail(reason=f"{kind}: a retry does not help")
        if isinstance(exception, _MINUTES):
            return RetryDecision.retry(timedelta(minutes=self.minutes), reason=f"{kind}: the cause may pass")
        if isinstance(exception, _SOON):
            return RetryDecision.retry(timedelta(seconds=10), reason=f"{kind}: a retry opens a new session")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the policy as plain JSON."""
        return {"minutes": self.minutes}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> MstrRetryPolicy:
        """Return the policy from the JSON of :meth:`serialize`.

        :param data: the JSON
        """
        return cls(**data)
