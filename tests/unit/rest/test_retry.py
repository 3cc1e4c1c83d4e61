# SPDX-License-Identifier: Apache-2.0
"""Which requests are sent again, when and how often: no socket, and a clock that only pauses move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scripted import FakeClock, KilledError

from airflow_provider_mstr.rest.errors import (
    InvalidResponse,
    ModelBusy,
    MstrError,
    ProxyError,
    ServerReply,
    ServerUnavailable,
)
from airflow_provider_mstr.rest.flow import Flow, Pause, Step, run_flow
from airflow_provider_mstr.rest.messages import Request
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.retry import (
    FIRST_PAUSE,
    MAX_INVALID_RESPONSES,
    MAX_PAUSE,
    MAX_RETRY_SECONDS,
    with_retries,
)


def away(retry_after: float | None = None, *, nothing_done: bool = False) -> ServerUnavailable:
    reply = ServerReply(status=503, retry_after=retry_after)
    return ServerUnavailable("could not ask", reply, nothing_done=nothing_done)


def invalid(*, too_large: bool = False) -> InvalidResponse:
    return InvalidResponse("could not ask", too_large=too_large)


class Server:
    """Answers from a list, whose last entry it repeats; each answer takes some seconds."""

    def __init__(self, *answers: Any, seconds: float = 0.0) -> None:
        self.clock = FakeClock()
        self.sent = 0
        self.pauses: list[float] = []
        self.retries = 0
        self.answers = 0
        self._answers = list(answers)
        self._seconds = seconds

    def run(self, **fields: Any) -> Any:
        flow = with_retries(self._ask(**fields), self.clock, self)
        return run_flow(flow, self._perform)

    def error(self, **fields: Any) -> MstrError:
        with pytest.raises(MstrError) as caught:
            self.run(**fields)
        return caught.value

    def on_retry(self, request: Request[Any], error: MstrError) -> None:
        assert (request.purpose, error.what) == ("ask", "could not ask")
        self.retries += 1

    def on_answer(self) -> None:
        self.answers += 1

    def _ask(self, **fields: Any) -> Flow[Any]:
        return (yield Request("ask", "GET", "/api/x", json_object, **fields))

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            self.clock.now += step.seconds
            return None
        self.sent += 1
        self.clock.now += self._seconds
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.mark.parametrize("error", [away, invalid])
def test_a_temporary_error_is_retried(error: Callable[[], MstrError]) -> None:
    server = Server(error(), error(), "good")
    assert server.run() == "good"
    assert (server.sent, server.retries, len(server.pauses), server.answers) == (3, 2, 2, 1)


def test_an_answer_at_once_needs_no_retry() -> None:
    server = Server("good")
    assert server.run() == "good"
    assert (server.sent, server.retries, server.pauses, server.answers) == (1, 0, [], 1)


@pytest.mark.parametrize("error", [ModelBusy("busy"), invalid(too_large=True), KilledError()], ids=repr)
def test_another_error_is_not_retried(error: BaseException) -> None:
    server = Server(error)
    with pytest.raises(type(error)) as caught:
        server.run()
    assert caught.value is error
    assert (server.sent, server.retries, server.answers) == (1, 0, 0)


def test_an_error_of_the_server_is_an_answer() -> None:
    server = Server(away(), ModelBusy("busy", ServerReply(500)))
    assert isinstance(server.error(), ModelBusy)
    assert (server.retries, server.answers) == (1, 1)
    server = Server(away(), ProxyError("refused", ServerReply(407)))
    assert isinstance(server.error(), ProxyError)
    assert (server.retries, server.answers) == (1, 0)


@pytest.mark.parametrize("error", [away(), invalid()], ids=repr)
def test_a_request_that_is_not_repeatable_is_sent_once(error: MstrError) -> None:
    server = Server(error)
    assert server.error(repeatable=False) is error
    assert server.sent == 1


def test_a_request_that_is_not_repeatable_is_sent_again_if_nothing_was_done() -> None:
    server = Server(away(nothing_done=True), "good")
    assert server.run(repeatable=False) == "good"


def test_pauses_double_up_to_a_maximum() -> None:
    server = Server(away())
    server.error(retry_for=100.0)
    expected = [*(FIRST_PAUSE * 2**number for number in range(5)), MAX_PAUSE, MAX_PAUSE]
    for pause, least in zip(server.pauses, expected, strict=False):
        assert least <= pause <= least + FIRST_PAUSE


def test_pauses_have_jitter() -> None:
    servers = [Server(away(), "good") for _ in range(20)]
    for server in servers:
        server.run()
    pauses = {server.pauses[0] for server in servers}
    assert len(pauses) > 1
    assert all(FIRST_PAUSE <= pause <= 2 * FIRST_PAUSE for pause in pauses)


def test_a_longer_retry_after_replaces_the_pause() -> None:
    server = Server(away(20.0), away(0.0), "good")
    server.run()
    assert server.pauses[0] == 20.0
    assert server.pauses[1] >= 2 * FIRST_PAUSE


def test_a_retry_after_beyond_the_retry_time_ends_the_retries_at_once() -> None:
    server = Server(away(61.0))
    assert server.error().reply.retry_after == 61.0
    assert (server.sent, server.pauses) == (1, [])


@pytest.mark.parametrize(("retry_for", "seconds"), [(None, MAX_RETRY_SECONDS), (10.0, 10.0), (300.0, 300.0)])
def test_the_retry_time_bounds_the_retries(retry_for: float | None, seconds: float) -> None:
    server = Server(away())
    server.error(retry_for=retry_for)
    assert seconds - MAX_PAUSE - FIRST_PAUSE <= sum(server.pauses) < seconds
    assert server.sent == server.retries + 1


def test_slow_answers_count_in_the_retry_time() -> None:
    server = Server(away(), seconds=25.0)
    server.error()
    assert server.sent == 3


def test_a_retry_time_of_zero_means_one_attempt() -> None:
    server = Server(away())
    server.error(retry_for=0.0)
    assert server.sent == 1


def test_invalid_responses_are_retried_a_few_times() -> None:
    server = Server(invalid())
    server.error()
    assert server.sent == MAX_INVALID_RESPONSES


def test_other_errors_do_not_count_as_invalid_responses() -> None:
    server = Server(away(), away(), invalid(), invalid(), "good")
    assert server.run() == "good"


def test_invalid_responses_are_retried_for_the_retry_time_of_a_request() -> None:
    server = Server(*[invalid()] * (MAX_INVALID_RESPONSES + 2), "good")
    assert server.run(retry_for=60.0) == "good"


def test_each_request_has_its_own_retry_time() -> None:
    server = Server(away(40.0), "first", away(40.0), "second")

    def two() -> Flow[Any]:
        request: Request[Any] = Request("ask", "GET", "/api/x", json_object)
        return [(yield request), (yield request)]

    assert run_flow(with_retries(two(), server.clock, server), server._perform) == ["first", "second"]


def test_an_error_during_a_pause_ends_the_retries() -> None:
    flow = with_retries(Server()._ask(), FakeClock(), Server())
    next(flow)
    assert isinstance(flow.throw(away()), Pause)
    with pytest.raises(KilledError):
        flow.throw(KilledError())
