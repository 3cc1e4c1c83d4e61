# SPDX-License-Identifier: Apache-2.0
"""The errors of a refresh; each class is one that a caller can handle."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerReply:
    """The server's own report of a failure, which a support ticket needs."""

    status: int | None = None
    code: str | None = None
    iserver_code: int | None = None
    message: str | None = None
    ticket: str | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        facts = (
            ("HTTP", self.status),
            ("code", self.code),
            ("iServerCode", self.iserver_code),
            ("ticket", self.ticket),
        )
        known = ", ".join(f"{name} {value}" for name, value in facts if value is not None)
        message = f"server message: {self.message}" if self.message else ""
        return "; ".join(part for part in (message, known) if part)


# The attributes that an instance can override.
_OVERRIDABLE = {"advice": str, "retryable": bool, "may_answer_later": bool}


class MstrError(Exception):
    """The base class of all errors of this package.

    :param what: what failed, with the name of the data model and table
    :param reply: the server's report of the failure, if it sent one
    """

    advice: str = ""
    retryable: bool = False
    # Whether a later poll may still show the end of the load.
    may_answer_later: bool = False

    def __init__(self, what: str, reply: ServerReply | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.reply = reply or ServerReply()

    def __str__(self) -> str:
        reply = str(self.reply)
        text = f"{self.what} ({reply})" if reply else self.what
        return f"{text}. {self.advice}" if self.advice else text

    def to_json(self) -> dict[str, Any]:
        """Return the error as plain JSON, which a trigger event can carry."""
        overridden = {name: value for name, value in vars(self).items() if name in _OVERRIDABLE}
        return {"error": type(self).__name__, "what": self.what, "reply": asdict(self.reply), **overridden}

    @staticmethod
    def from_json(data: dict[str, Any]) -> MstrError:
        """Return the error that :meth:`to_json` described; an unknown class becomes ``InvalidResponse``.

        :param data: what :meth:`to_json` returned
        """
        error_class = _CLASSES.get(str(data.get("error")), InvalidResponse)
        stored = data.get("reply")
        known = {field.name for field in fields(ServerReply)}
        reply = {key: stored[key] for key in known & stored.keys()} if isinstance(stored, dict) else {}
        error = error_class(str(data.get("what") or "an error without a message"), ServerReply(**reply))
        for name, kind in _OVERRIDABLE.items():
            if isinstance(data.get(name), kind):
                setattr(error, name, data[name])
        return error


class InvalidInput(MstrError, ValueError):
    """An argument or a connection field is invalid; nothing was published."""


class CertificateError(MstrError):
    """A certificate is not trusted; the text gives the reason and the fix."""


class ProxyError(MstrError):
    """A proxy refuses the connection: the server is not the cause, and a retry does not help."""

    advice = "Environment variables are read when a worker or triggerer starts: restart them after a change."


class AuthenticationError(MstrError):
    advice = "Check login, password and login_mode of the Airflow connection."


class SessionExpired(MstrError):
    advice = (
        "The Strategy session ended: it expired, was closed, or its cookies did not reach the same node. "
        "A new attempt logs in again."
    )
    retryable = True


class SessionLimit(MstrError):
    advice = (
        "The user has the maximum number of sessions in this project. Close sessions, run fewer "
        "refreshes at once (an Airflow pool), or raise the limit in the project's governing settings. "
        "Let retries wait for minutes."
    )
    retryable = True


class InstanceExpired(MstrError):
    advice = "The data model instance no longer exists in its session. A new attempt creates another."
    retryable = True


class ModelBusy(MstrError):
    advice = "Wait for that job, or let only one task refresh this object."
    retryable = True


class NotPublishable(MstrError):
    advice = (
        "Only in-memory Mosaic data models can be published; connect_live models read their source directly."
    )


class NotFound(MstrError):
    advice = "Check that the id or name belongs to this project, and that the server has loaded the project."


class NoPrivilege(MstrError):
    advice = "Give the connection's user the required privilege and access, or use another user."


class InvalidRequest(MstrError):
    advice = "The server rejects this request; a retry does not help."


class RequestFailed(MstrError):
    """The server accepted the request, but failed to process it."""

    advice = "Give the code and the ticket to the Strategy administrator."
    retryable = True


class ServerUnavailable(MstrError):
    """The request got no response from the API: the network, a proxy or the server is unavailable.

    :param what: what failed
    :param reply: the server's report of the failure, if it sent one
    :param nothing_done: whether it is certain that the request had no effect
    """

    advice = "Check that this machine can reach the Library server."
    retryable = True

    def __init__(self, what: str, reply: ServerReply | None = None, *, nothing_done: bool = False) -> None:
        super().__init__(what, reply)
        self.nothing_done = nothing_done


class InvalidResponse(MstrError):
    """The response has an unexpected format.

    :param what: what failed
    :param reply: the server's report of the failure, if it sent one
    :param too_large: whether the response exceeds the size limit; a request for less may succeed
    """

    advice = (
        "Check that the connection's host is the Library URL (it usually ends with /MicroStrategyLibrary) "
        "and that no proxy or login page answers instead of the server."
    )
    retryable = True

    def __init__(self, what: str, reply: ServerReply | None = None, *, too_large: bool = False) -> None:
        super().__init__(what, reply)
        self.too_large = too_large


class PublishFailed(MstrError):
    advice = (
        "Fix the table in the model or its source, or give the code and the ticket to the Strategy "
        "administrator."
    )
    retryable = True


class PublishTimedOut(MstrError):
    advice = "Increase timeout if the load needs longer."
    retryable = True


class OutcomeUnknown(MstrError):
    """The outcome of the publish is unknown; it may still succeed."""

    advice = "Check the last update in Strategy; a new attempt starts the load again."
    retryable = True


class InvalidHandle(MstrError):
    advice = "Clear the task that created the data model instance, with its downstream tasks."


_CLASSES = {MstrError.__name__: MstrError} | {each.__name__: each for each in MstrError.__subclasses__()}
