# SPDX-License-Identifier: Apache-2.0
"""Records each call of a flow: what was called, and with which codes the server answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from airflow_provider_mstr.probe.vocabulary import Vocabulary
from airflow_provider_mstr.rest.errors import MstrError, ServerReply
from airflow_provider_mstr.rest.flow import Flow, map_requests
from airflow_provider_mstr.rest.messages import Request, Response

T = TypeVar("T")

_PATHS = """
api v2 auth login logout status sessions projects searches results objects model dataModels tables instances
publish publishStatus cubes monitors iServer nodes jobs caches openapi.json
"""

# The segments of a path that are no id.
_SEGMENTS = frozenset(_PATHS.split())
# A code of the Library, or of the Modeling service.
_CODE = re.compile(r"ERR\d{3,4}|8004[0-9A-Fa-f]{4}")

# The paths of the responses whose fields are shown.
_SHOWN = frozenset(
    {
        "/api/status",
        "/api/dataModels/{id}/publishStatus",
        "/api/cubes",
        "/api/v2/monitors/jobs",
        "/api/v2/monitors/jobs/{id}",
        "/api/monitors/caches/cubes",
    }
)

OPENAPI_PATH = "/api/openapi.json"


@dataclass(frozen=True)
class Call:
    """One call and its answer.

    :param path: the path, with ``{id}`` for each id
    :param status: the HTTP status; None if no answer came
    :param code: the Library's code; empty if there is none
    :param iserver_code: the I-Server's code; None if there is none
    :param problem: the class of the error; empty if the answer is valid
    :param seconds: how long the answer took
    """

    method: str
    path: str
    status: int | None
    code: str = ""
    iserver_code: int | None = None
    problem: str = ""
    seconds: float = 0.0

    @property
    def answer(self) -> str:
        """The codes of the answer in one line."""
        status = "no answer" if self.status is None else f"HTTP {self.status}"
        iserver_code = "" if self.iserver_code is None else str(self.iserver_code)
        problem = self.problem and f"({self.problem})"
        return " ".join(part for part in (status, self.code, iserver_code, problem) if part)


@dataclass
class Recorder:
    """Records the calls of flows.

    :param clock: the seconds of a monotonic clock
    :param vocabulary: learns the words of the responses
    :param calls: the calls, in order
    :param response: the last response, if it was one of status 2xx
    :param fields: the names of the fields of some responses, by where they are
    """

    clock: Callable[[], float]
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    calls: list[Call] = field(default_factory=list)
    response: Response | None = None
    fields: dict[str, dict[str, None]] = field(default_factory=dict)

    def record(self, flow: Flow[T]) -> Flow[T]:
        """Run a flow, and record its calls.

        :param flow: a flow that has not started
        """
        return map_requests(flow, self._send)

    def last(self, method: str, path: str) -> Call | None:
        """Return the last call of an endpoint, None if there was none.

        :param method: the HTTP method
        :param path: the path, with ``{id}`` for each id
        """
        found = (call for call in reversed(self.calls) if (call.method, call.path) == (method, path))
        return next(found, None)

    def _send(self, request: Request[Any]) -> Flow[Any]:
        started, self.response = self.clock(), None
        self.vocabulary.learn_secrets(request.secrets)
        self.vocabulary.learn([request.body, *request.query.values()])

        def parse(response: Response) -> Any:
            self.response = response
            self.vocabulary.learn_secrets(response.own_secrets)
            if request.path != OPENAPI_PATH:
                data = response.json()
                self.vocabulary.learn(data)
                if (path := _template(request.path)) in _SHOWN:
                    self._add_fields(f"{request.method} {path}", data)
            return request.parse(response)

        try:
            answer = yield replace(request, parse=parse)
        except MstrError as error:
            self._add(request, started, error.reply, type(error).__name__)
            raise
        status = None if self.response is None else self.response.status
        self._add(request, started, ServerReply(status))
        return answer

    def _add_fields(self, place: str, data: Any) -> None:
        if isinstance(data, list):
            for part in data:
                self._add_fields(place, part)
        elif isinstance(data, dict):
            self.fields.setdefault(place, {}).update(dict.fromkeys(data))
            for key, value in data.items():
                self._add_fields(f"{place} {key}", value)

    def _add(self, request: Request[Any], started: float, reply: ServerReply, problem: str = "") -> None:
        code = reply.code or ""
        call = Call(
            method=request.method,
            path=_template(request.path),
            status=reply.status,
            code=code if _CODE.fullmatch(code) else "",
            iserver_code=reply.iserver_code,
            problem=problem,
            seconds=self.clock() - started,
        )
        self.calls.append(call)


def _template(path: str) -> str:
    return "/".join(part if part in _SEGMENTS or not part else "{id}" for part in path.split("/"))
