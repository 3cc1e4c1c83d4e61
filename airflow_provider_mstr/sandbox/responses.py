# SPDX-License-Identifier: Apache-2.0
"""The server's HTTP responses, and the codes and messages of its errors."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

TOMCAT_404 = (
    '<!doctype html><html lang="en"><head><title>HTTP Status 404 - Not Found</title></head><body>'
    '<h1>HTTP Status 404 - Not Found</h1><hr class="line" /><p><b>Type</b> Status Report</p>'
    "<p><b>Description</b> The origin server did not find a current representation for the target resource "
    'or is not willing to disclose that one exists.</p><hr class="line" /><h3>Apache Tomcat</h3>'
    "</body></html>"
)


@dataclass(frozen=True)
class Response:
    """An HTTP response.

    :param status: HTTP status.
    :param body: the bytes of the body.
    :param content_type: None without a body.
    :param headers: names and values. A name may occur more than once.
    """

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def json_response(body: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, json.dumps(body).encode(), "application/json", headers)


def text_response(status: int, text: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return a response whose type depends on its text: JSON, HTML, or none."""
    kind = "application/json" if text.startswith(("{", "[")) else "text/html" if text else None
    return Response(status, text.encode(), kind, headers)


@dataclass(frozen=True)
class ErrorResponse:
    """An error in the form of the Library REST API.

    :param status: HTTP status.
    :param code: Library's code.
    :param message: Library's message.
    :param iserver_code: code of the Intelligence Server, a signed 32-bit number.
    :param modeling_code: code of the Modeling service, if it has its own.
    """

    status: int
    code: str
    message: str
    iserver_code: int | None = None
    modeling_code: str | None = None

    def to_response(self, *, modeling: bool = False) -> Response:
        """Return the HTTP response.

        :param modeling: whether the call belongs to the Modeling service.
        """
        if modeling and self.modeling_code:
            error = {"code": self.modeling_code, "message": self.message, "additionalProperties": {}}
            return json_response({"errors": [error]}, self.status)
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.iserver_code is not None:
            body["iServerCode"] = self.iserver_code
        return json_response(body | {"ticketId": secrets.token_hex(16)}, self.status)


class ApiError(Exception):
    """A call fails with an error response."""

    def __init__(self, response: ErrorResponse) -> None:
        super().__init__(response.message)
        self.response = response


def invalid_input(message: str) -> ErrorResponse:
    return ErrorResponse(400, "ERR006", message)


def missing_header(name: str) -> ErrorResponse:
    return ErrorResponse(400, "ERR005", f"Required request header '{name}' is not present.")


def cube_is_publishing(job: int) -> ErrorResponse:
    text = f"The cube is currently being published by job {job}. Please wait until the job is finished."
    return ErrorResponse(500, "ERR001", text, -2147072194)


def job_not_found(status: int) -> ErrorResponse:
    code = "ERR004" if status == 404 else "ERR001"
    return ErrorResponse(status, code, "The job with the given ID does not exist.")


def publish_failed(code: int, message: str) -> ErrorResponse:
    return ErrorResponse(500, "ERR001", message, code)


LOGIN_FAILED = ErrorResponse(401, "ERR003", "Login failed", -2147216959)
SESSION_EXPIRED = ErrorResponse(401, "ERR009", "The user's session has expired, please reauthenticate")
SESSION_LIMIT = ErrorResponse(
    500,
    "ERR001",
    "The maximum number of concurrent interactive project sessions per user has been exceeded.",
    -2147072486,
    "8004cb0a",
)
NO_PRIVILEGE = ErrorResponse(
    403, "ERR014", "The user does not have the privilege to publish an Intelligent Cube.", -2147213784
)
NO_MONITOR_PRIVILEGE = ErrorResponse(
    403, "ERR014", "The user does not have the privilege to monitor user connections.", -2147213784
)
NO_JOB_PRIVILEGE = ErrorResponse(
    403, "ERR014", "The user does not have the privilege to monitor jobs.", -2147213784
)
PROJECT_NOT_FOUND = ErrorResponse(404, "ERR001", "The project is not registered on any node.", -2147209151)
PROJECT_NAME_NOT_FOUND = ErrorResponse(500, "ERR001", "The project with the given name was not found.")
OBJECT_NOT_FOUND = ErrorResponse(
    404, "ERR004", "The object with the given ID was not found in the metadata.", -2147216373, "8004140b"
)
TABLE_NOT_FOUND = ErrorResponse(
    404, "ERR004", "The table with the given ID was not found in the data model.", -2147216373, "8004140b"
)
NOT_A_CUBE = ErrorResponse(
    500, "ERR001", "The object is not an Intelligent cube or a super cube.", -2147467259
)
NOT_A_REPORT = ErrorResponse(500, "ERR001", "The object is not an incremental refresh report.", -2147467259)
NOT_A_MOSAIC_MODEL = ErrorResponse(400, "ERR006", "The object is not a Mosaic model.", None, "8004e457")
NO_PUBLISH_WORKFLOW = invalid_input("There is no publish workflow for a data model in connect live mode.")
CUBE_NOT_PUBLISHED = ErrorResponse(500, "ERR001", "The cube is not published.", -2147072488)
NOT_PUBLISHED = invalid_input("The data model instance was not published.")
NULL_TABLE_SETTINGS = invalid_input("tableRefreshSettings cannot be null")
INSTANCE_LOST = ErrorResponse(
    404,
    "ERR004",
    "The message with the given ID was not found in the user's history list. "
    "It might have been deleted from another session.",
    -2147468986,
)
