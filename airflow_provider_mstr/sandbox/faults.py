# SPDX-License-Identifier: Apache-2.0
"""Injected faults: the call, what happens, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from airflow_provider_mstr.sandbox import responses
from airflow_provider_mstr.sandbox.responses import Response, text_response

FaultKind = Literal[
    "status",
    "lost_before",
    "lost_after",
    "slow_before",
    "slow_after",
    "garbled",
    "missing_header",
    "session_lost",
    "instance_lost",
    "no_privilege",
    "redirect",
]
Garble = Literal["html", "empty", "truncated", "other_shape"]

ANY = "any"


@dataclass(frozen=True)
class Fault:
    """An injected fault.

    :param call: name of the call that it affects, or ``any``.
    :param kind: what happens. ``status``: the server sends another response and does not handle the call.
        ``lost_before`` and ``lost_after``: the connection is reset before or after the call is handled.
        ``slow_before`` and ``slow_after``: a pause before or after the call is handled. ``garbled``: the call
        is handled, but the response is 200 with an invalid body. ``missing_header``: the call is handled, but
        the response has no ``X-MSTR-...`` headers. ``session_lost`` and ``instance_lost``: the session or
        instance no longer exists; a publish of the instance continues. ``no_privilege``: 403. ``redirect``:
        the server redirects to another host and does not handle the call.
    :param times: how often it happens; None for no limit.
    :param after: number of matching calls before the first fault.
    :param status: HTTP status of ``status``.
    :param body: body of ``status``.
    :param headers: headers of ``status``, such as ``Retry-After``.
    :param seconds: the pause in seconds.
    :param garble: the invalid body of ``garbled``.
    :param location: the target of ``redirect``.
    """

    call: str
    kind: FaultKind
    times: int | None = 1
    after: int = 0
    status: int = 503
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    garble: Garble = "html"
    location: str = "https://login.example.com/"

    def __post_init__(self) -> None:
        for name, choices in (("kind", get_args(FaultKind)), ("garble", get_args(Garble))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of: {', '.join(choices)}; got {getattr(self, name)!r}")

    def replacement(self) -> Response | None:
        """Return the response that replaces the call, if the fault has one."""
        match self.kind:
            case "status":
                return text_response(self.status, self.body, tuple(self.headers.items()))
            case "redirect":
                return text_response(302, headers=(("Location", self.location),))
            case "no_privilege":
                return responses.NO_PRIVILEGE.to_response()
            case "session_lost":
                return responses.SESSION_EXPIRED.to_response()
            case "instance_lost":
                return responses.INSTANCE_LOST.to_response()
        return None

    def corrupt(self, response: Response) -> Response:
        """Return the response as the client receives it."""
        match self.kind:
            case "garbled":
                return self._garble(response)
            case "missing_header":
                headers = tuple(
                    header for header in response.headers if not header[0].lower().startswith("x-mstr-")
                )
                return replace(response, headers=headers)
        return response

    def _garble(self, response: Response) -> Response:
        match self.garble:
            case "html":
                return text_response(200, "<!doctype html><html><body>Please sign in</body></html>")
            case "empty":
                return text_response(200)
            case "truncated":
                half = response.body[: len(response.body) // 2].decode(errors="ignore")
                return Response(200, (half or '{"status":').encode(), "application/json")
            case "other_shape":
                return text_response(200, '["something", {"else": true}]')


class FaultQueue:
    """The faults that have not happened yet, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def pop(self, call: str) -> Fault | None:
        """Return the fault that affects this call, if any, and count it."""
        for index, fault in enumerate(self._faults):
            if fault.call not in (call, ANY):
                continue
            if fault.after:
                self._faults[index] = replace(fault, after=fault.after - 1)
                continue
            self._count(index, fault)
            return fault
        return None

    def _count(self, index: int, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times <= 1:
            del self._faults[index]
        else:
            self._faults[index] = replace(fault, times=fault.times - 1)
