# SPDX-License-Identifier: Apache-2.0
"""Faults that can be ordered: what goes wrong, with which call, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from airflow_provider_mstr.sandbox import answers
from airflow_provider_mstr.sandbox.answers import Answer, text_answer

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
    """Something that goes wrong.

    :param call: name of the call it happens to, or ``any``.
    :param kind: what happens. ``status``: another answer, and nothing is done. ``lost_before`` and
        ``lost_after``: the connection is reset before, or after, the call has done its work. ``slow_before``
        and ``slow_after``: a pause before, or after, the work. ``garbled``: done, but answered with 200 and
        nonsense. ``missing_header``: done, but the answer has no ``X-MSTR-...`` headers. ``session_lost`` and
        ``instance_lost``: it is gone for good; a publish of the instance runs on. ``no_privilege``: 403.
        ``redirect``: to another address, and nothing is done.
    :param times: how often it happens; for ever if None.
    :param after: how many matching calls pass before it begins.
    :param status: HTTP status of ``status``.
    :param body: body of ``status``.
    :param headers: headers of ``status``, such as ``Retry-After``.
    :param seconds: the pause, in seconds.
    :param garble: the nonsense.
    :param location: where ``redirect`` points.
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
                raise ValueError(f"{name} is one of {', '.join(choices)}, not {getattr(self, name)!r}")

    def instead(self) -> Answer | None:
        """Return the answer that takes the place of the work, if this fault is of that sort."""
        match self.kind:
            case "status":
                return text_answer(self.status, self.body, tuple(self.headers.items()))
            case "redirect":
                return text_answer(302, headers=(("Location", self.location),))
            case "no_privilege":
                return answers.NO_PRIVILEGE.answer()
            case "session_lost":
                return answers.SESSION_EXPIRED.answer()
            case "instance_lost":
                return answers.INSTANCE_LOST.answer()
        return None

    def spoil(self, answer: Answer) -> Answer:
        """Return the answer as it arrives, after the work was done."""
        match self.kind:
            case "garbled":
                return self._garbled(answer)
            case "missing_header":
                kept = tuple(each for each in answer.headers if not each[0].lower().startswith("x-mstr-"))
                return replace(answer, headers=kept)
        return answer

    def _garbled(self, answer: Answer) -> Answer:
        match self.garble:
            case "html":
                return text_answer(200, "<!doctype html><html><body>Please sign in</body></html>")
            case "empty":
                return text_answer(200)
            case "truncated":
                half = answer.body[: len(answer.body) // 2].decode(errors="ignore")
                return Answer(200, (half or '{"status":').encode(), "application/json")
            case "other_shape":
                return text_answer(200, '["something", {"else": true}]')


class FaultBook:
    """The faults that are still to come, oldest order first."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._orders.append(fault)

    def clear(self) -> None:
        self._orders.clear()

    def take(self, call: str) -> Fault | None:
        """Return the fault that happens to this call, if any; it then has one time less to happen."""
        for place, fault in enumerate(self._orders):
            if fault.call not in (call, ANY):
                continue
            if fault.after:
                self._orders[place] = replace(fault, after=fault.after - 1)
                continue
            self._use(place, fault)
            return fault
        return None

    def _use(self, place: int, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times <= 1:
            del self._orders[place]
        else:
            self._orders[place] = replace(fault, times=fault.times - 1)
