# SPDX-License-Identifier: Apache-2.0
"""Which errors leave a task its retries."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.errors import MstrError, ServerReply
from airflow_provider_mstr.task.failures import TaskKilledError, handle_failures, task_failures

RETRYABLE = {
    "SessionExpired",
    "SessionLimit",
    "InstanceExpired",
    "ModelBusy",
    "RequestFailed",
    "ServerUnavailable",
    "InvalidResponse",
    "PublishFailed",
    "PublishTimedOut",
    "OutcomeUnknown",
}
CLASSES = [*errors._CLASSES.values()]

each_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def an_error(kind: type[MstrError], retryable: bool, may_answer_later: bool = False) -> MstrError:
    error = kind("the reason", ServerReply(status=500))
    error.retryable, error.may_answer_later = retryable, may_answer_later
    return error


@each_class
def test_each_class_is_retryable_or_not(kind: type[MstrError]) -> None:
    assert kind("no").retryable is (kind.__name__ in RETRYABLE)
    assert kind("no").may_answer_later is False


@each_class
@pytest.mark.parametrize("later", [False, True])
def test_a_retryable_error_leaves_the_task_its_retries(kind: type[MstrError], later: bool) -> None:
    error = an_error(kind, retryable=True, may_answer_later=later)
    with pytest.raises(kind) as caught, task_failures():
        raise error
    assert caught.value is error


@each_class
@pytest.mark.parametrize("later", [False, True])
def test_another_error_fails_the_task_for_good(kind: type[MstrError], later: bool) -> None:
    error = an_error(kind, retryable=False, may_answer_later=later)
    with pytest.raises(AirflowFailException) as caught, task_failures():
        raise error
    assert str(caught.value) == str(error)
    assert caught.value.__cause__ is error


@each_class
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("retryable", [False, True])
def test_a_task_with_the_session_of_another_retries_only_what_its_session_allows(
    kind: type[MstrError], retryable: bool, later: bool
) -> None:
    error = an_error(kind, retryable=retryable, may_answer_later=later)
    is_end = kind in (errors.PublishFailed, errors.OutcomeUnknown)
    is_lost = kind in (errors.SessionExpired, errors.InstanceExpired)
    retries = retryable and not is_lost and (later or not is_end)

    with pytest.raises(kind if retries else AirflowFailException) as caught, handle_failures():
        raise error

    text = str(caught.value)
    if retries:
        assert caught.value is error
    elif is_lost:
        cause = caught.value.__cause__
        assert isinstance(cause, errors.InvalidHandle)
        assert (cause.reply, cause.__cause__) == (error.reply, error)
        assert "was given is over: the reason. If only this task was cleared" in text
    elif is_end and not later:
        assert text == f"{error} {errors.InvalidHandle.advice}"
    else:
        assert text == str(error)


@pytest.mark.parametrize("error", [ValueError("no"), TaskKilledError("no"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("failures", [task_failures, handle_failures])
def test_what_is_no_error_of_the_package_stays_as_it_is(failures: object, error: BaseException) -> None:
    assert callable(failures)
    with pytest.raises(type(error)) as caught, failures():
        raise error
    assert caught.value is error


def test_a_kill_is_no_exception_that_airflow_3_suppresses() -> None:
    pytest.importorskip("airflow.sdk")
    assert not issubclass(TaskKilledError, Exception)
