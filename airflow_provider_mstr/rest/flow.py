# SPDX-License-Identifier: Apache-2.0
"""Flows: what a caller of the REST API does, written once for every driver.

A flow is a generator. It yields a request or a pause. At its ``yield``, it receives the parsed answer (None
after a pause), or the error is raised. A driver owns the socket and the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.messages import Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    """A step that only waits."""

    seconds: float


Step: TypeAlias = "Request[Any] | Pause"
Flow: TypeAlias = Generator[Step, Any, T]


def run_flow(flow: Flow[T], perform: Callable[[Step], Any]) -> T:
    """Run a flow to its end and return its result.

    :param flow: a flow that has not started
    :param perform: performs a step: returns its answer, or raises its error
    """
    try:
        step = next(flow)
        while True:
            try:
                answer = perform(step)
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def map_requests(flow: Flow[T], send: Callable[[Request[Any]], Flow[Any]]) -> Flow[T]:
    """Run a flow, but send each of its requests with another flow.

    :param flow: a flow that has not started
    :param send: the flow that sends a request and returns its answer
    """
    try:
        step = next(flow)
        while True:
            try:
                answer = (yield step) if isinstance(step, Pause) else (yield from send(step))
            except BaseException as error:
                step = flow.throw(error)
            else:
                # The answer may be large, and the next step may be a long pause.
                step, answer = flow.send(answer), None
    except StopIteration as end:
        result: T = end.value
        return result


def attempt(flow: Flow[None]) -> Flow[MstrError | None]:
    """Run a flow whose failure is no reason to fail, and return its error, if any.

    :param flow: a flow that has not started
    """
    try:
        yield from flow
    except MstrError as error:
        return error
    return None


def with_retry_limit(flow: Flow[T], seconds: float, *, once: bool = False) -> Flow[T]:
    """Run a flow, but limit how long each of its requests may take.

    :param flow: a flow that has not started
    :param seconds: the maximum total retry time, and the maximum timeout of one answer
    :param once: whether to send each request only once, because the caller itself repeats the flow
    """

    def send(request: Request[Any]) -> Flow[Any]:
        return (
            yield replace(
                request,
                retry_for=_minimum(request.retry_for, seconds),
                timeout=_minimum(request.timeout, seconds),
                repeatable=request.repeatable and not once,
            )
        )

    return map_requests(flow, send)


def _minimum(own: float | None, limit: float) -> float:
    return limit if own is None else min(own, limit)
