# SPDX-License-Identifier: Apache-2.0
"""What the server sends back: answers, and the words and numbers it refuses with."""

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
class Answer:
    """An HTTP answer.

    :param status: HTTP status.
    :param body: its bytes.
    :param content_type: left out when there is no body.
    :param headers: name and value; a name may occur more than once.
    """

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def json_answer(body: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, json.dumps(body).encode(), "application/json", headers)


def text_answer(status: int, text: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Make an answer whose type follows from its text: JSON, HTML, or nothing at all."""
    kind = "application/json" if text.startswith(("{", "[")) else "text/html" if text else None
    return Answer(status, text.encode(), kind, headers)


@dataclass(frozen=True)
class Refusal:
    """A reason to say no.

    :param status: HTTP status.
    :param code: Library's code.
    :param message: Library's text.
    :param iserver_code: code of the Intelligence Server, a signed 32-bit number.
    :param modeling_code: code of the Modeling service, if it answers in its own shape.
    """

    status: int
    code: str
    message: str
    iserver_code: int | None = None
    modeling_code: str | None = None

    def answer(self, *, modeling: bool = False) -> Answer:
        """Return the refusal as an answer.

        :param modeling: whether the call was one of the Modeling service's.
        """
        if modeling and self.modeling_code:
            error = {"code": self.modeling_code, "message": self.message, "additionalProperties": {}}
            return json_answer({"errors": [error]}, self.status)
        body: dict[str, object] = {"code": self.code, "message": self.message}
        if self.iserver_code is not None:
            body["iServerCode"] = self.iserver_code
        return json_answer(body | {"ticketId": secrets.token_hex(16)}, self.status)


class Refused(Exception):
    """The server says no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def invalid_input(message: str) -> Refusal:
    return Refusal(400, "ERR006", message)


def missing_header(name: str) -> Refusal:
    return Refusal(400, "ERR005", f"Required request header '{name}' is not present.")


def cube_is_publishing(job: int) -> Refusal:
    text = f"The cube is currently being published by job {job}. Please wait until the job is finished."
    return Refusal(500, "ERR001", text, -2147072194)


def publish_failed(code: int, message: str) -> Refusal:
    return Refusal(500, "ERR001", message, code)


LOGIN_FAILED = Refusal(401, "ERR003", "Login failed", -2147216959)
SESSION_EXPIRED = Refusal(401, "ERR009", "The user's session has expired, please reauthenticate")
SESSION_LIMIT = Refusal(
    500,
    "ERR001",
    "The maximum number of concurrent interactive project sessions per user has been exceeded.",
    -2147072486,
    "8004cb0a",
)
NO_PRIVILEGE = Refusal(
    403, "ERR014", "The user does not have the privilege to publish an Intelligent Cube.", -2147213784
)
NO_MONITOR_PRIVILEGE = Refusal(
    403, "ERR014", "The user does not have the privilege to monitor user connections.", -2147213784
)
NOT_AN_ADMINISTRATOR = Refusal(
    403, "ERR014", "The user does not have the privilege to configure projects.", -2147213784
)
PROJECT_NOT_FOUND = Refusal(404, "ERR001", "The project is not registered on any node.", -2147209151)
PROJECT_NAME_NOT_FOUND = Refusal(500, "ERR001", "The project with the given name was not found.")
OBJECT_NOT_FOUND = Refusal(
    404, "ERR004", "The object with the given ID was not found in the metadata.", -2147216373, "8004140b"
)
TABLE_NOT_FOUND = Refusal(
    404, "ERR004", "The table with the given ID was not found in the data model.", -2147216373, "8004140b"
)
NOT_A_MOSAIC_MODEL = Refusal(400, "ERR006", "The object is not a Mosaic model.", None, "8004e457")
NO_PUBLISH_WORKFLOW = invalid_input("There is no publish workflow for a data model in connect live mode.")
NOT_PUBLISHED = invalid_input("The data model instance was not published.")
NULL_TABLE_SETTINGS = invalid_input("tableRefreshSettings cannot be null")
INSTANCE_LOST = Refusal(
    404,
    "ERR004",
    "The message with the given ID was not found in the user's history list. "
    "It might have been deleted from another session.",
    -2147468986,
)
