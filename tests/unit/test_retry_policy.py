# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import needs
import pytest

from airflow_provider_mstr.rest import errors


@pytest.fixture
def policy() -> Any:
    from airflow_provider_mstr.retry_policy import MstrRetryPolicy

    return MstrRetryPolicy(minutes=7)


@needs.RETRY_POLICIES
@pytest.mark.parametrize(
    ("kind", "action", "delay"),
    [
        (errors.SessionLimit, "RETRY", timedelta(minutes=7)),
        (errors.ModelBusy, "RETRY", timedelta(minutes=7)),
        (errors.SessionExpired, "RETRY", timedelta(seconds=10)),
        (errors.OutcomeUnknown, "RETRY", timedelta(seconds=10)),
        (errors.AuthenticationError, "FAIL", None),
        (errors.PublishFailed, "DEFAULT", None),
        (RuntimeError, "DEFAULT", None),
    ],
)
def test_each_error_is_retried_when_time_may_have_mended_it(
    kind: type[Exception], action: str, delay: timedelta | None, policy: Any
) -> None:
    decision = policy.evaluate(kind("x"), 1, 3)

    assert (decision.action.name, decision.retry_delay) == (action, delay)


@needs.RETRY_POLICIES
def test_the_policy_survives_the_serialization_of_its_dag(policy: Any) -> None:
    assert type(policy).deserialize(policy.serialize()).minutes == 7


def test_where_airflow_has_no_retry_policies_it_is_said_which_has(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat import sdk

    monkeypatch.delitem(sys.modules, "airflow_provider_mstr.retry_policy", raising=False)
    monkeypatch.setitem(sys.modules, sdk.__name__, _Without(sdk, "RetryPolicy"))

    with pytest.raises(ImportError, match=r"needs the retry policies of Airflow 3.3 or newer"):
        import airflow_provider_mstr.retry_policy  # noqa: F401


class _Without:
    """A module that lacks one of its names.

    :param module: the module
    :param name: the name
    """

    def __init__(self, module: Any, name: str) -> None:
        self.module, self.name = module, name

    def __getattr__(self, name: str) -> Any:
        if name == self.name:
            raise AttributeError(name)
        return getattr(self.module, name)
