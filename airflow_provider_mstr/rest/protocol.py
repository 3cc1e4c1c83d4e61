# SPDX-License-Identifier: Apache-2.0
"""Requests, responses, and how the one becomes meaning out of the other.

A procedure is a generator: it yields a :class:`Request` and is sent the :class:`Answer` that
:func:`decipher` made of the response, or has a ``MstrError`` raised at the ``yield``. Whoever runs it
(see ``transport``) owns the socket and the clock, so that each procedure is written once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.codes import ISERVER_CODES, in_words, number_of, signed
from airflow_provider_mstr.rest.cookies import Cookies
from airflow_provider_mstr.rest.errors import MstrError, ServerReply
from airflow_provider_mstr.rest.masking import Masker, secrets_among
from airflow_provider_mstr.rest.session import TOKEN_HEADER
from airflow_provider_mstr.rest.text import MAX_MESSAGE, MAX_NAME, clean

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response as it came: no status has been judged and no body read.

    :param secrets: what is masked if the answer repeats it
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def header(self, name: str) -> str | None:
        """Return the first header of that name in any casing, or None if it is absent or empty.

        :param name: the header's name; servers differ in casing (docs/strategy-rest-api.md 1.1)
        """
        return next((value for value in self._all(name) if value), None)

    @property
    def set_cookies(self) -> list[str]:
        """The values of its ``Set-Cookie`` headers."""
        return self._all("Set-Cookie")

    @property
    def own_secrets(self) -> frozenset[str]:
        """The token and the cookies that it sets."""
        cookies = (line.partition(";")[0].partition("=")[2].strip() for line in self.set_cookies)
        return secrets_among([*self._all(TOKEN_HEADER), *cookies])

    @property
    def masker(self) -> Masker:
        """The masker of its own secrets and of those of the request."""
        return Masker(self.secrets | self.own_secrets)

    def json(self) -> Any:
        """Return the body as JSON, with its secrets masked, or None where it is not JSON."""
        try:
            text = self.body.decode(json.detect_encoding(self.body), "surrogatepass")
            data, masker = json.loads(text), self.masker
            return masker.json(data) if masker.finds_in(text) else data
        except (ValueError, RecursionError):
            return None

    def _all(self, name: str) -> list[str]:
        return [value.strip() for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One call of the REST API, and how to read its answer.

    :param purpose: what the call is for, as it completes "could not ..."
    :param method: the HTTP method
    :param path: below the Library URL, beginning with ``/api``
    :param reads: makes the call's value of a good response; raises ``NotUnderstood``
    :param query: query parameters
    :param headers: headers, the session's token among them
    :param body: what to send as JSON; None for an empty body
    :param cookies: the cookies to send, which the answer may renew
    :param secrets: what must never be quoted from the answer
    :param repeatable: whether sending it twice does no harm
    :param has_session: whether a refusal means that a session is over
    :param patience: seconds of asking again where the server is away; None leaves it to the driver
    """

    purpose: str
    method: str
    path: str
    reads: Callable[[Response], T]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    cookies: Cookies = field(default_factory=Cookies, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    repeatable: bool = True
    has_session: bool = False
    patience: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A procedure's wish to go on only after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a good response meant."""

    value: T = field(repr=False)


Step: TypeAlias = "Request[Any] | Pause"
Procedure: TypeAlias = Generator[Step, Any, T]


class Run(Generic[T]):
    """A procedure under way: ``step`` is what it wants next, None once ``result`` stands.

    :param procedure: a procedure that was not started yet
    """

    def __init__(self, procedure: Procedure[T]) -> None:
        self._procedure = procedure
        self.step: Step | None
        self.result: T
        self.feed(None)

    def feed(self, outcome: Answer[Any] | BaseException | None) -> None:
        """Hand the outcome of the step to the procedure; whatever is raised ends up at its ``yield``.

        :param outcome: the answer, the exception that came instead, or None after a pause
        """
        try:
            if isinstance(outcome, BaseException):
                self.step = self._procedure.throw(outcome)
            else:
                self.step = self._procedure.send(outcome)
        except StopIteration as end:
            self.step, self.result = None, end.value


def hurried(procedure: Procedure[T], patience: float, *, once: bool = False) -> Procedure[T]:
    """Do what a procedure does, but with little patience.

    :param procedure: a procedure that was not started yet
    :param patience: seconds of asking again, and of waiting for an answer, that no request is to exceed
    :param once: whether to send each request once only, as the caller itself asks again
    """
    run = Run(procedure)
    while run.step is not None:
        outcome: Answer[Any] | BaseException | None
        try:
            outcome = yield _hurried(run.step, patience, once)
        except BaseException as error:
            outcome = error
        run.feed(outcome)
    return run.result


def _hurried(step: Step, patience: float, once: bool) -> Step:
    if isinstance(step, Pause):
        return step
    patience = patience if step.patience is None else min(step.patience, patience)
    return replace(step, patience=patience, repeatable=step.repeatable and not once)


def decipher(request: Request[T], response: Response) -> Answer[T]:
    """Return what a response means, or raise the ``MstrError`` it amounts to.

    :param request: the call that was made
    :param response: what came back
    """
    response = replace(response, secrets=response.secrets | request.secrets | request.cookies.secrets)
    if 200 <= response.status < 300:
        try:
            return Answer(request.reads(response))
        except errors.NotUnderstood as error:
            what = f"could not {request.purpose}: {error.what}"
            raise errors.NotUnderstood(what, _reply(response)) from None
    raise _refusal(request, response)


def nothing(response: Response) -> None:
    """Read an answer that carries no value: an empty body, or a JSON object that is no error.

    :param response: a response of status 2xx
    """
    if response.body.strip():
        said = response.json()
        if not isinstance(said, dict) or "code" in said or "errors" in said:
            raise errors.NotUnderstood(f"{shape(response)} came where no content was due")


def json_object(response: Response) -> dict[str, Any]:
    """Read an answer whose body is a JSON object.

    :param response: a response of status 2xx
    """
    said = response.json()
    if not isinstance(said, dict):
        raise errors.NotUnderstood(f"{shape(response)} came where a JSON object was due")
    return said


def required_header(name: str) -> Callable[[Response], str]:
    """Return a reader of an answer whose value stands in a header.

    :param name: the header's name
    """

    def read(response: Response) -> str:
        value = response.header(name)
        if value is None:
            raise errors.NotUnderstood(f"the answer lacks the header {name}")
        if not (value.isascii() and value.isprintable()):
            raise errors.NotUnderstood(
                f"the header {name} of the answer has characters that no request may send"
            )
        return value

    return read


def shape(response: Response) -> str:
    """Return what kind of body came, in words that quote nothing of it.

    :param response: any response
    """
    if not response.body.strip():
        return "an empty body"
    content_type = response.header("Content-Type") or "no content type"
    kind = clean(response.masker.text(content_type).partition(";")[0])
    sort = "odd JSON" if response.json() is not None else "something other than whole JSON"
    return f"{sort} ({kind}, {len(response.body)} bytes)"


def _refusal(request: Request[Any], response: Response) -> MstrError:
    reply = _reply(response)
    what = f"could not {request.purpose}"
    if 300 <= response.status < 400:
        return errors.NotUnderstood(f"{what}: the server redirects to {_elsewhere(response)}", reply)
    meaning = _meaning(request, response, reply)
    words = in_words(reply.iserver_code)
    what = f"{what}: {words}" if words else what
    if meaning is errors.ServerUnavailable:
        return errors.ServerUnavailable(what, reply, nothing_done=response.status == 429)
    if meaning is errors.NotUnderstood:
        what = f"{what}: {shape(response)} came with HTTP {response.status}"
    return meaning(what, reply)


def _elsewhere(response: Response) -> str:
    """Return the host of a redirect and nothing more, as the rest of it may carry a login or a ticket."""
    try:
        target = urlsplit(response.header("Location") or "")
        port = f":{target.port}" if target.port else ""
    except ValueError:
        return "nowhere that can be read"
    # Secrets are masked before the host name is in lower case, in which they are not found.
    host = response.masker.text(target.netloc.rpartition("@")[2].removesuffix(port).rstrip(":"))
    return clean(f"{host.lower()}{port}") if target.hostname else "another path"


def _meaning(request: Request[Any], response: Response, reply: ServerReply) -> type[MstrError]:
    number = ISERVER_CODES.get(reply.iserver_code or 0)
    if number is not None and number.meaning is not None:
        return number.meaning
    if response.status in _AWAY:
        return errors.ServerUnavailable
    if reply.code == "ERR006" and "publish workflow" in (reply.message or "").lower():
        return errors.NotPublishable
    known = _BY_CODE.get(reply.code or "")
    if known is not None:
        return known
    if response.status == 401:
        return errors.SessionLost if request.has_session else errors.AuthenticationRefused
    if response.status == 403:
        return errors.NotUnderstood if _is_a_page(response) else errors.NoPrivilege
    if response.status >= 500:
        # Without a number of the I-Server's, an error says nothing of why, nor whether it will last (3.5).
        return errors.ServerUnavailable if reply.iserver_code is None else errors.RequestFailed
    if not reply.code:
        return errors.NotUnderstood
    return errors.NotFound if response.status == 404 else errors.InvalidRequest


def _is_a_page(response: Response) -> bool:
    """Whether the body is none of the API's: that of a proxy, or of a firewall."""
    return bool(response.body.strip()) and response.json() is None


def _reply(response: Response) -> ServerReply:
    said = _error_body(response.json())
    code = _text(said.get("code"))
    iserver_code = number_of(said.get("iServerCode"))
    return ServerReply(
        status=response.status,
        code=_code(code),
        iserver_code=_hresult(code) if iserver_code is None else iserver_code,
        message=_text(said.get("message"), MAX_MESSAGE),
        ticket=_text(said.get("ticketId")),
        retry_after=_retry_after(response),
    )


def _error_body(said: Any) -> dict[str, Any]:
    """Return the error of either body: the Library's own, or the Modeling service's list (7.1)."""
    if isinstance(said, dict) and isinstance(said.get("errors"), list) and said["errors"]:
        first = said["errors"][0]
        return {"ticketId": said.get("ticketId")} | first if isinstance(first, dict) else {}
    return said if isinstance(said, dict) else {}


def _text(value: Any, limit: int = MAX_NAME) -> str | None:
    return clean(str(value), limit) or None if isinstance(value, (str, int)) else None


def _retry_after(response: Response) -> float | None:
    """Return the seconds of Retry-After; a date is measured against the server's own clock."""
    told = response.header("Retry-After") or ""
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        wait = parsedate_to_datetime(told) - parsedate_to_datetime(response.header("Date") or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


def _code(code: str | None) -> str | None:
    # The documentation spells some codes with one zero more than servers do (7.1).
    if code and code.upper().startswith("ERR") and code[3:].isascii() and code[3:].isdigit():
        return f"ERR{code[3:].lstrip('0').zfill(3)}"
    return code


def _hresult(code: str | None) -> int | None:
    """Return a Modeling service's code, such as 8004cb0a, as the signed number the I-Server uses."""
    try:
        return signed(int(code, 16)) if code and len(code) == 8 else None
    except ValueError:
        return None


_AWAY = frozenset({408, 425, 429, 502, 503, 504})

# docs/strategy-rest-api.md 7.1
_BY_CODE: Mapping[str, type[MstrError]] = {
    "ERR003": errors.AuthenticationRefused,
    "ERR004": errors.NotFound,
    "ERR005": errors.InvalidRequest,
    "ERR006": errors.InvalidRequest,
    "ERR007": errors.InvalidRequest,
    "ERR008": errors.ServerUnavailable,
    "ERR009": errors.SessionLost,
    "ERR013": errors.ServerUnavailable,
    "ERR014": errors.NoPrivilege,
    "ERR015": errors.InvalidRequest,
    "ERR016": errors.ServerUnavailable,
    "ERR017": errors.NoPrivilege,
}
