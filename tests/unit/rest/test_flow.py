# SPDX-License-Identifier: Apache-2.0
"""Flows, and how a driver runs them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from scripted import KilledError

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.flow import Pause, run_flow, with_retry_limit
from airflow_provider_mstr.rest.messages import Request
from airflow_provider_mstr.rest.responses import expect_empty


def a_request(**more: Any) -> Request[Any]:
    how: dict[str, Any] = {"purpose": "do a thing", "parse": expect_empty}
    return Request(method="GET", path="/api/thing", **(how | more))


# run_flow


Script = Generator[Any, Any, Any]


class Answers:
    """Answers each step in turn, or raises in its place, and records the steps."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.steps: list[Any] = []

    def __call__(self, step: Any) -> Any:
        self.steps.append(step)
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def test_a_flow_receives_the_answer_to_each_step_and_returns_its_result() -> None:
    def flow() -> Script:
        first = yield Pause(1)
        second = yield a_request(purpose="second")
        return first, second

    answers = Answers(None, "good")
    assert run_flow(flow(), answers) == (None, "good")
    assert answers.steps == [Pause(1), a_request(purpose="second")]


def test_a_flow_without_a_step_ends_at_once() -> None:
    def flow() -> Script:
        return 7
        yield

    assert run_flow(flow(), Answers()) == 7


def test_a_flow_can_catch_an_error_at_its_yield() -> None:
    def flow() -> Script:
        try:
            yield Pause(1)
        except errors.SessionExpired as error:
            return error

    expired = errors.SessionExpired("expired")
    assert run_flow(flow(), Answers(expired)) is expired


@pytest.mark.parametrize(
    "raised", [errors.SessionExpired("expired"), KilledError("killed"), KeyboardInterrupt()]
)
def test_a_flow_sends_its_cleanup_requests_after_any_error(raised: BaseException) -> None:
    def flow() -> Script:
        try:
            yield Pause(1)
        finally:
            yield a_request(purpose="clean up")

    answers = Answers(raised, None)
    with pytest.raises(type(raised)) as caught:
        run_flow(flow(), answers)
    assert caught.value is raised
    assert answers.steps[1] == a_request(purpose="clean up")


def test_an_error_that_a_flow_does_not_catch_leaves_it() -> None:
    def flow() -> Script:
        yield Pause(1)

    with pytest.raises(errors.ModelBusy):
        run_flow(flow(), Answers(errors.ModelBusy("busy")))


# with_retry_limit


@pytest.mark.parametrize(("own", "limited"), [(None, 8.0), (60.0, 8.0), (8.0, 8.0), (2.0, 2.0), (0.0, 0.0)])
@pytest.mark.parametrize("field", ["retry_for", "timeout"])
def test_a_retry_limit_bounds_the_retry_time_and_the_timeout_of_each_request(
    field: str, own: float | None, limited: float
) -> None:
    def flow() -> Script:
        return (yield a_request(**{field: own}))

    answers = Answers("done")
    assert run_flow(with_retry_limit(flow(), 8.0), answers) == "done"
    assert answers.steps == [a_request(**{"retry_for": 8.0, "timeout": 8.0, field: limited})]


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("once", [True, False])
def test_a_retry_limit_can_forbid_that_a_request_is_sent_again(repeatable: bool, once: bool) -> None:
    def flow() -> Script:
        yield a_request(repeatable=repeatable)

    answers = Answers(None)
    run_flow(with_retry_limit(flow(), 8.0, once=once), answers)
    assert answers.steps[0].repeatable is (repeatable and not once)


def test_a_flow_with_a_retry_limit_pauses_cleans_up_and_fails_as_without() -> None:
    def flow() -> Script:
        try:
            yield a_request()
        finally:
            yield Pause(7)

    answers = Answers(KilledError(), None)
    with pytest.raises(KilledError):
        run_flow(with_retry_limit(flow(), 1.0), answers)
    assert answers.steps[1] == Pause(7)
