# SPDX-License-Identifier: Apache-2.0
"""Parses responses: into a value or an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import responses as reasons
from typing import Any, TypeVar
from urllib.parse import urlsplit

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.codes import ISERVER_CODES, UNSPECIFIED, code_message, parse_number, to_signed
from airflow_provider_mstr.rest.errors import MstrError, ServerReply
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.text import MAX_MESSAGE, MAX_NAME, clean
from airflow_provider_mstr.rest.words import count

T = TypeVar("T")


def parse_response(request: Request[T], response: Response) -> T:
    """Return the value of a response.

    :param request: the request
    :param response: its response
    :raises MstrError: if the server reports an error, or the response has an unexpected format
    """
    response = replace(response, secrets=response.secrets | request.secrets | request.cookies.secrets)
    if 200 <= response.status < 300:
        try:
            return request.parse(response)
        except errors.InvalidResponse as error:
            what = f"could not {request.purpose}: {error.what}"
            advice = _page_advice(request) if response.json() is None else _UNKNOWN_FORMAT
            raise errors.InvalidResponse(what, _reply(request, response), advice=advice) from None
    raise _http_error(request, response)


def expect_empty(response: Response) -> None:
    """Check a response without a value: an empty body, or a JSON object that is not an error.

    :param response: a response of status 2xx
    """
    if response.body.strip():
        payload = response.json()
        if not isinstance(payload, dict) or "code" in payload or "errors" in payload:
            raise _unexpected(response, "an empty body")


def json_object(response: Response) -> dict[str, Any]:
    """Return the JSON object in the body of a response.

    :param response: a response of status 2xx
    """
    payload = response.json()
    if not isinstance(payload, dict):
        raise _unexpected(response, "a JSON object")
    return payload


def required_header(name: str) -> Callable[[Response], str]:
    """Return a parser of responses whose value is in a header.

    :param name: the header's name
    """

    def parse(response: Response) -> str:
        value = response.header(name)
        if value is None:
            raise errors.InvalidResponse(f"the response has no header {name}")
        if not (value.isascii() and value.isprintable()):
            raise errors.InvalidResponse(
                f"the header {name} of the response has characters that are not allowed in a request"
            )
        return value

    return parse


def describe_body(response: Response) -> str:
    """Return the kind and size of a body, without quoting it.

    :param response: any response
    """
    if not response.body.strip():
        return "an empty body"
    content_type = response.header("Content-Type") or "no content type"
    content_type = clean(response.masker.text(content_type).partition(";")[0])
    if response.json() is not None:
        kind = "other JSON"
    else:
        kind = "an HTML page" if content_type == "text/html" else "a body that is not valid JSON"
    return f"{kind} ({content_type}, {count(len(response.body), 'byte')})"


def _unexpected(response: Response, expected: str) -> errors.InvalidResponse:
    return errors.InvalidResponse(
        f"unexpected response format: {describe_body(response)} instead of {expected}"
    )


def _http_error(request: Request[Any], response: Response) -> MstrError:
    reply = _reply(request, response)
    what = f"could not {request.purpose}"
    if 300 <= response.status < 400:
        what = f"{what}: the server redirects to {_redirect_host(response)}"
        return errors.InvalidResponse(what, reply, advice=_page_advice(request))
    error_class = _error_class(request, response, reply)
    reason, advice = _explain(request, response, reply, error_class)
    what = f"{what}: {reason}" if reason else what
    if error_class is errors.ServerUnavailable:
        busy = response.status == HTTPStatus.TOO_MANY_REQUESTS
        return errors.ServerUnavailable(what, reply, nothing_done=busy, advice=advice)
    return error_class(what, reply, advice=advice)


def _explain(
    request: Request[Any], response: Response, reply: ServerReply, error_class: type[MstrError]
) -> tuple[str, str]:
    """Return the reason of an error and what to do; empty if neither is known beyond the error's class."""
    known = ISERVER_CODES.get(reply.iserver_code or 0)
    reason, advice = _REASONS.get(error_class, ""), ""
    if known:
        reason, advice = code_message(reply.iserver_code, reply.message) or "", known.advice
    if error_class is errors.NotFound:
        return reason, advice or request.object_advice
    if request.object_advice and error_class is errors.InvalidRequest:
        return reason, f"{request.object_advice} {_REPORT}"
    if request.object_advice and reply.iserver_code == UNSPECIFIED:
        return reason, f"{request.object_advice} {error_class.advice}"
    if error_class is errors.ServerUnavailable:
        failed = "" if reply.message else "the server failed without a message"
        status_reason, status_advice = _UNAVAILABLE.get(response.status, (failed, _RETRY))
        return reason or status_reason, status_advice
    if error_class is not errors.InvalidResponse:
        return reason, advice
    if response.status != HTTPStatus.NOT_FOUND:
        return f"unexpected response format: {describe_body(response)}", _page_advice(request)
    if request.has_session:
        return f"the server has no such endpoint: it returns {describe_body(response)}", _NO_ENDPOINT
    return f"this URL is not a Strategy REST API: it returns {describe_body(response)}", ""


def _page_advice(request: Request[Any]) -> str:
    """Return what to do if the response is not the API's; empty for the usual advice."""
    return _OTHER_SERVER if request.has_session else ""


def _redirect_host(response: Response) -> str:
    """Return only the host of a redirect, because the rest of the URL may contain a login or a ticket."""
    try:
        target = urlsplit(response.header("Location") or "")
        port = f":{target.port}" if target.port else ""
    except ValueError:
        return "an invalid URL"
    # Secrets are masked before the host name is converted to lower case, where they are not found.
    host = response.masker.text(target.netloc.rpartition("@")[2].removesuffix(port).rstrip(":"))
    return clean(f"{host.lower()}{port}") if target.hostname else "another path"


def _error_class(request: Request[Any], response: Response, reply: ServerReply) -> type[MstrError]:
    known_code = ISERVER_CODES.get(reply.iserver_code or 0)
    if known_code is not None and known_code.error_class is not None:
        return known_code.error_class
    if response.status in _UNAVAILABLE:
        return errors.ServerUnavailable
    if reply.code == "ERR006" and "publish workflow" in (reply.message or "").lower():
        return errors.NotPublishable
    by_code = _BY_CODE.get(reply.code or "")
    if by_code is not None:
        return by_code
    if response.status == 401:
        return errors.SessionExpired if request.has_session else errors.AuthenticationError
    if response.status == 403:
        return errors.InvalidResponse if _is_page(response) else errors.NoPrivilege
    if response.status >= 500:
        # Without a code of the I-Server, neither the cause nor the duration of an error is known (3.5).
        return errors.ServerUnavailable if reply.iserver_code is None else errors.RequestFailed
    if not reply.code:
        return errors.InvalidResponse
    return errors.NotFound if response.status == 404 else errors.InvalidRequest


def _is_page(response: Response) -> bool:
    """Return whether the body is not the API's, but that of a proxy or firewall."""
    return bool(response.body.strip()) and response.json() is None


def _reply(request: Request[Any], response: Response) -> ServerReply:
    payload = _error_body(response.json())
    code = _text(payload.get("code"))
    iserver_code = parse_number(payload.get("iServerCode"))
    message = _text(payload.get("message"), MAX_MESSAGE)
    return ServerReply(
        status=response.status,
        code=_code(code),
        iserver_code=_hresult(code) if iserver_code is None else iserver_code,
        message=None if message and _repeats_status(message, response.status) else message,
        ticket=_text(payload.get("ticketId")),
        retry_after=_retry_after(response),
        about=request.about,
    )


def _repeats_status(message: str, status: int) -> bool:
    """Return whether a message contains only the HTTP status, such as "HTTP 404 Not Found"."""
    known = f"http {status} {reasons.get(status, '')}".lower().split()
    words = set(re.findall(r"\w+", message.lower()))
    return bool(words) and words.issubset(known)


def _error_body(payload: Any) -> dict[str, Any]:
    """Return the error object of the Library, or the first of the Modeling service's list (7.1)."""
    if isinstance(payload, dict) and isinstance(payload.get("errors"), list) and payload["errors"]:
        first = payload["errors"][0]
        return {"ticketId": payload.get("ticketId")} | first if isinstance(first, dict) else {}
    return payload if isinstance(payload, dict) else {}


def _text(value: Any, limit: int = MAX_NAME) -> str | None:
    return clean(str(value), limit) or None if isinstance(value, (str, int)) else None


def _retry_after(response: Response) -> float | None:
    """Return the seconds of Retry-After; a date is compared with the server's clock."""
    value = response.header("Retry-After") or ""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(response.header("Date") or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


def _code(code: str | None) -> str | None:
    # The documentation writes some codes with one zero more than servers do (7.1).
    if code and code.upper().startswith("ERR") and code[3:].isascii() and code[3:].isdigit():
        return f"ERR{code[3:].lstrip('0').zfill(3)}"
    return code


def _hresult(code: str | None) -> int | None:
    """Return a Modeling service's code, such as 8004cb0a, as the signed number of the I-Server."""
    try:
        return to_signed(int(code, 16)) if code and len(code) == 8 else None
    except ValueError:
        return None


_RETRY = "If retries do not help, ask the administrator of the Library server or of the proxy before it."

# The statuses of a server or proxy that cannot answer now: the reason, and what to do.
_UNAVAILABLE: Mapping[int, tuple[str, str]] = {
    408: ("the server waited too long for the request", _RETRY),
    425: ("the server is not ready for the request", _RETRY),
    429: (
        "the server receives too many requests",
        "Run fewer refreshes at once, for example with an Airflow pool.",
    ),
    502: ("a proxy received an invalid answer from the server", _RETRY),
    503: ("the server is unavailable", _RETRY),
    504: ("a proxy received no answer from the server in time", _RETRY),
}

# The reasons of errors without a known code of the I-Server.
_REASONS: Mapping[type[MstrError], str] = {
    errors.SessionExpired: "the session is over",
    errors.AuthenticationError: "the server rejects the login",
    errors.NoPrivilege: "the user lacks a privilege or has no access",
    errors.NotFound: "the server does not find it",
    errors.InvalidRequest: "the server rejects the request",
}

_NO_ENDPOINT = (
    "The login succeeded, so the Library URL is correct: the server is too old for this request, or a proxy "
    "blocks its path. The test of the Airflow connection shows the server's version."
)
_OTHER_SERVER = (
    "The login succeeded, so the Library URL is correct: check that no proxy, firewall or login page answers "
    "instead of the server."
)
_REPORT = "If it is correct, report this error and the server's version to the developers of this package."
_UNKNOWN_FORMAT = (
    "This version of the server may not be supported: report this error and the server's version to the "
    "developers of this package."
)

# docs/strategy-rest-api.md 7.1
_BY_CODE: Mapping[str, type[MstrError]] = {
    "ERR003": errors.AuthenticationError,
    "ERR004": errors.NotFound,
    "ERR005": errors.InvalidRequest,
    "ERR006": errors.InvalidRequest,
    "ERR007": errors.InvalidRequest,
    "ERR008": errors.ServerUnavailable,
    "ERR009": errors.SessionExpired,
    "ERR013": errors.ServerUnavailable,
    "ERR014": errors.NoPrivilege,
    "ERR015": errors.InvalidRequest,
    "ERR016": errors.ServerUnavailable,
    "ERR017": errors.NoPrivilege,
}
