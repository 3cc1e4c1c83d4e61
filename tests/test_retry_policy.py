# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_mstr.rest import errors

compat = pytest.importorskip(
    "airflow.sdk.definitions.retry_policy", reason="retry policies came with Airflow 3.3"
)

from airflow_provider_mstr.retry_policy import MstrRetryPolicy  # noqa: E402


@pytest.mark.parametrize(
    ("kind", "action", "delay"),
    [
        (errors.SessionLimit, compat.RetryAction.RETRY, timedelta(minutes=7)),
        (errors.ModelBusy, compat.RetryAction.RETRY, timedelta(minutes=7)),
        (errors.SessionLost, compat.RetryAction.RETRY, timedelta(seconds=10)),
        (errors.OutcomeUnknown, compat.RetryAction.RETRY, timedelta(seconds=10)),
        (errors.AuthenticationRefused, compat.RetryAction.FAIL, None),
        (errors.PublishFailed, compat.RetryAction.DEFAULT, None),
        (RuntimeError, compat.RetryAction.DEFAULT, None),
    ],
)
def test_each_error_is_retried_when_time_may_have_mended_it(
    kind: type[Exception], action: object, delay: timedelta | None
) -> None:
    decision = MstrRetryPolicy(minutes=7).evaluate(kind("x"), 1, 3)

    assert (decision.action, decision.retry_delay) == (action, delay)


def test_the_policy_survives_the_serialization_of_its_dag() -> None:
    policy = MstrRetryPolicy(minutes=3)

    assert MstrRetryPolicy.deserialize(policy.serialize()).minutes == 3
