# SPDX-License-Identifier: Apache-2.0
"""Runs a flow with scripted answers: no socket, no clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_mstr.rest.cookies import Cookie, Cookies
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.flow import Flow, Pause, run_flow
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.responses import parse_response
from airflow_provider_mstr.rest.session import Session

PROJECT = "B7CA92F04B9FAE8D941C3E9B7E0CD754"
MODEL = "9F4772B837604551B4D3CC916ADC5598"
MODEL_NAME = "Sales"
INSTANCE = "CBE2C87449CEFFF7C089AEA0EE6BBA9C"
YTD_DAY = "B8A627B44A7A421C81741B868401E446"
CITY = "612801B773AF4EFD974FF1F54FFAFB32"
LIBRARY = "https://library.example.com/MicroStrategyLibrary"
NOW = 1_700_000_000.0
TOKEN = "nllmm5lpmkjdsj4d4etgdikc6c"

PUBLISHED = (
    TableRefresh(YTD_DAY, "ytd_day", RefreshPolicy.REPLACE),
    TableRefresh(CITY, "city_mnth_sls", RefreshPolicy.UPSERT),
)


class KilledError(BaseException):
    """Kills a task: not an Exception, like KeyboardInterrupt and CancelledError."""


class FakeClock:
    """Seconds that pass only when a flow pauses."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


Reply = Response | BaseException


@dataclass
class Played:
    """The steps of a flow, in order, and its result."""

    steps: list[Request[Any] | Pause] = field(default_factory=list)
    error: BaseException | None = None
    value: Any = None

    @property
    def requests(self) -> list[Request[Any]]:
        return [step for step in self.steps if isinstance(step, Request)]

    @property
    def pauses(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Pause)]

    @property
    def calls(self) -> list[str]:
        """Method and path of each request."""
        return [f"{request.method} {request.path.split('?')[0]}" for request in self.requests]

    @property
    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


def serve(
    flow: Flow[Any],
    server: Callable[[Request[Any]], Reply],
    clock: FakeClock | None = None,
) -> Played:
    """Run a flow with a server, which answers each request or raises an error.

    A ``MstrError``, or an error that the server raised, is recorded; other errors are bugs.
    """
    played = Played()
    raised: list[BaseException] = []

    def perform(step: Request[Any] | Pause) -> Any:
        played.steps.append(step)
        try:
            return _answer(step, server, clock)
        except BaseException as error:
            raised.append(error)
            raise

    try:
        played.value = run_flow(flow, perform)
    except MstrError as error:
        played.error = error
    except BaseException as error:
        if not any(error is known for known in raised):
            raise
        played.error = error
    return played


def play(flow: Flow[Any], *replies: Reply, clock: FakeClock | None = None) -> Played:
    """Run a flow with exactly these replies; a missing or unused one fails the test."""
    left: Iterator[Reply] = iter(replies)

    def next_reply(request: Request[Any]) -> Reply:
        reply = next(left, None)
        assert reply is not None, f"no answer is scripted for {request}"
        return reply

    played = serve(flow, next_reply, clock)
    unused = list(left)
    assert not unused, f"unused answers: {unused}; requests: {played.calls}"
    return played


def _answer(
    step: Request[Any] | Pause, server: Callable[[Request[Any]], Reply], clock: FakeClock | None
) -> Any:
    if isinstance(step, Pause):
        if clock is not None:
            clock.now += step.seconds
        return None
    reply = server(step)
    if isinstance(reply, BaseException):
        raise reply
    step.cookies.store(LIBRARY, reply.set_cookies, NOW if clock is None else clock.now)
    return parse_response(step, reply)


def answer(payload: Any = None, status: int = 200, **headers: str) -> Response:
    """Return an answer with a JSON body; header names are written with underscores."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, named, json.dumps(payload).encode())


def empty(status: int = 204, **headers: str) -> Response:
    """Return an answer without a body."""
    return Response(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()))


def refusal(
    status: int, code: str = "ERR001", iserver_code: int | None = None, message: str = "no"
) -> Response:
    """Return the Library's own error body."""
    payload: dict[str, Any] = {"code": code, "message": message, "ticketId": "ticket-1"}
    return answer(payload if iserver_code is None else payload | {"iServerCode": iserver_code}, status)


def logged_in(**headers: str) -> Response:
    return empty(X_MSTR_AuthToken=TOKEN, **headers)


def created(instance_id: str = INSTANCE) -> Response:
    return empty(X_MSTR_DataModelInstanceId=instance_id)


def published(status: int | str, *tables: tuple[str, str], **more: Any) -> Response:
    """Return an answer of publishStatus."""
    return answer({"status": status, "tables": [{"id": i, "status": word} for i, word in tables]} | more)


def table_row(table_id: str, name: str) -> dict[str, Any]:
    return {"information": {"objectId": table_id, "name": name, "subType": "logical_table", "acg": 255}}


def table_list(*rows: dict[str, Any], **more: Any) -> Response:
    return answer({"offset": 0, "limit": -1, "total": len(rows), "tables": list(rows)} | more)


def a_session(**cookies: str) -> Session:
    return Session(TOKEN, some_cookies(cookies))


def some_cookies(values: Mapping[str, str]) -> Cookies:
    """Return cookies as the Library server sets them, by name."""
    return Cookies(
        Cookie(name, value, "library.example.com", "/MicroStrategyLibrary") for name, value in values.items()
    )


def an_instance(session: Session | None = None, instance_id: str = INSTANCE) -> DataModelInstance:
    session = session or a_session(JSESSIONID="jsession-cookie")
    return DataModelInstance(session, PROJECT, MODEL, instance_id, MODEL_NAME)


INSTANCE_LOST = refusal(404, "ERR004", -2147468986, "message not found in history list")
MODEL_BUSY = refusal(500, "ERR001", -2147072194, "Cube is being published by job 7")
SESSION_OVER = refusal(401, "ERR009", message="the user's session has expired, please reauthenticate")
GATEWAY_GONE = Response(502, (("Content-Type", "text/html"),), b"<html>bad gateway</html>")
SESSIONS_FULL = refusal(500, "ERR001", -2147072486, "too many sessions")
PUBLISH_FAILED = refusal(500, "ERR002", -2147212544, "parallel mode execution stalled")
