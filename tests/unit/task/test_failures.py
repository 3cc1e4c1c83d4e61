# SPDX-License-Identifier: Apache-2.0
"""Which errors leave a task its retries."""

from __future__ import annotations

import logging
import traceback

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.errors import MstrError, ServerReply
from airflow_provider_mstr.task.failures import HandleFailures, TaskFailures, TaskKilledError

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


def fail(error: BaseException) -> None:
    """Raise an error below other frames, as the flows of a task do."""
    try:
        raise KeyError("an inner error")  # noqa: TRY301
    except KeyError as inner:
        raise error from inner


def frames_of(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@each_class
@pytest.mark.parametrize("later", [False, True])
def test_a_retryable_error_leaves_the_task_its_retries(kind: type[MstrError], later: bool) -> None:
    error = an_error(kind, retryable=True, may_answer_later=later)
    with pytest.raises(kind) as caught, TaskFailures():
        fail(error)
    assert caught.value is error


@each_class
@pytest.mark.parametrize("later", [False, True])
def test_another_error_fails_the_task_for_good(kind: type[MstrError], later: bool) -> None:
    error = an_error(kind, retryable=False, may_answer_later=later)
    with pytest.raises(AirflowFailException) as caught, TaskFailures():
        fail(error)
    assert str(caught.value) == str(error)
    assert caught.value.__context__ is error


@each_class
@pytest.mark.parametrize("failures", [TaskFailures, HandleFailures])
@pytest.mark.parametrize("retryable", [False, True])
def test_airflow_shows_the_text_once_and_no_frame_of_the_block(
    kind: type[MstrError], retryable: bool, failures: type[TaskFailures], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises((kind, AirflowFailException)) as caught,
        failures(),
    ):
        fail(an_error(kind, retryable=retryable))

    assert "fail" not in frames_of(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.count("the reason") == 1
    assert "an inner error" not in shown
    assert "the reason" in shown.splitlines()[-1]
    # The log has the rest for those who look for a bug.
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "in fail" in caplog.text
    assert "an inner error" in caplog.text


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

    with pytest.raises(kind if retries else AirflowFailException) as caught, HandleFailures():
        raise error

    text = str(caught.value)
    clear = errors.InvalidHandle.advice.rstrip(".")
    if retries:
        assert caught.value is error
    elif is_lost:
        assert text == (
            f"the reason. {clear}. If only this task was cleared, nothing was published for it (HTTP 500)"
        )
    elif is_end and not later:
        assert text == f"the reason. {kind.advice} {clear} (HTTP 500)"
    else:
        assert text == str(error)


@pytest.mark.parametrize("error", [ValueError("no"), TaskKilledError("no"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("failures", [TaskFailures, HandleFailures])
def test_what_is_no_error_of_the_package_stays_as_it_is(
    failures: type[TaskFailures], error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught, failures():
        fail(error)
    assert caught.value is error
    assert frames_of(error)[-1] == "fail"
    assert isinstance(error.__cause__, KeyError)


def test_a_kill_is_no_exception_that_airflow_3_suppresses() -> None:
    pytest.importorskip("airflow.sdk")
    assert not issubclass(TaskKilledError, Exception)
