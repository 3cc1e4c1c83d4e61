# SPDX-License-Identifier: Apache-2.0
"""Which requests are sent again, when, and for how long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import tenacity

from airflow_provider_mstr.rest.errors import InvalidResponse, MstrError, ProxyError, ServerUnavailable
from airflow_provider_mstr.rest.flow import Flow, Pause, map_requests
from airflow_provider_mstr.rest.messages import Request

T = TypeVar("T")

log = logging.getLogger(__name__)

# The default of a request's retry_for.
MAX_RETRY_SECONDS = 60.0

# How often a request without a retry_for may get an invalid response.
MAX_INVALID_RESPONSES = 3

FIRST_PAUSE = 0.5
MAX_PAUSE = 15.0

_backoff: tenacity.wait.wait_base = tenacity.wait_exponential(
    multiplier=FIRST_PAUSE, max=MAX_PAUSE
) + tenacity.wait_random(0, FIRST_PAUSE)


class Observer(Protocol):
    """Sees which requests are sent again."""

    def on_retry(self, request: Request[Any], error: MstrError) -> object:  # pragma: no mutate - only a type
        """Act before a retry.

        :param request: the request
        :param error: why it is sent again
        """

    def on_answer(self) -> object:  # pragma: no mutate - only a type
        """Act after an answer."""


def with_retries(flow: Flow[T], clock: Callable[[], float], observer: Observer) -> Flow[T]:
    """Run a flow, and send its requests again after temporary errors.

    :param flow: a flow that has not started
    :param clock: returns the seconds of a monotonic clock
    :param observer: sees each retry and each answer
    """
    return map_requests(flow, lambda request: _send(request, clock, observer))


def _send(request: Request[T], clock: Callable[[], float], observer: Observer) -> Flow[T]:
    started = clock()
    state: tenacity.RetryCallState | None = None
    while True:
        try:
            answer: T = yield request
        except (ServerUnavailable, InvalidResponse) as error:
            # Most requests succeed at once, so they do not pay for this.
            state = state or tenacity.RetryCallState(_retrying(request), None, (), {})
            state.set_exception((type(error), error, error.__traceback__))
            state.start_time, state.outcome_timestamp = started, clock()
            # Raises the error if the request must not be sent again.
            state.retry_object.iter(state)
            log.debug("Retrying in %.1f s: %s", state.upcoming_sleep, error.what)
            observer.on_retry(request, error)
        except MstrError as error:
            # The server answers, but not with what was requested.
            if error.reply.status is not None and not isinstance(error, ProxyError):
                observer.on_answer()
            raise
        else:
            observer.on_answer()
            return answer
        state.prepare_for_next_attempt()
        yield Pause(state.upcoming_sleep)


def _retrying(request: Request[Any]) -> tenacity.BaseRetrying:
    """Return the rules of a request; tenacity only decides, and a driver sends and sleeps."""
    retry_for = MAX_RETRY_SECONDS if request.retry_for is None else request.retry_for
    stop: tenacity.stop.stop_base = tenacity.stop_before_delay(retry_for)
    if request.retry_for is None:
        stop = stop | _StopAfterInvalidResponses()
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(partial(_is_retryable, request)),
        stop=stop,
        wait=_pause,
        reraise=True,
    )
    retrying.begin()
    return retrying


def _is_retryable(request: Request[Any], error: BaseException) -> bool:
    if isinstance(error, ServerUnavailable):
        return request.repeatable or error.nothing_done
    return request.repeatable and isinstance(error, InvalidResponse) and not error.too_large


class _StopAfterInvalidResponses(tenacity.stop.stop_base):
    """Stops after some invalid responses: these last longer than an outage."""

    def __init__(self) -> None:
        self._left = MAX_INVALID_RESPONSES

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        self._left -= isinstance(_error(state), InvalidResponse)
        return self._left <= 0


def _pause(state: tenacity.RetryCallState) -> float:
    return max(_backoff(state), _error(state).reply.retry_after or 0.0)


def _error(state: tenacity.RetryCallState) -> ServerUnavailable | InvalidResponse:
    return state.outcome.exception()  # type: ignore[union-attr, return-value]
