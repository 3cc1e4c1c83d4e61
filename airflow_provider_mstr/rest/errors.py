# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a refresh, in the few meanings a caller can act on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What the server itself said of a failure: the part a support ticket needs."""

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
        said = f"the server said: {self.message}" if self.message else ""
        return "; ".join(part for part in (said, known) if part)


# The attributes that an error can set to another value than its class.
_OWN = {"advice": str, "mended_by_time": bool, "may_answer_later": bool}


class MstrError(Exception):
    """A refresh could not go on; the class says what that means, the text what to do.

    :param what: what happened, naming the data model and table concerned
    :param reply: the server's own words, where it said anything
    """

    advice: str = ""
    mended_by_time: bool = False
    # Whether the server may still show how a load ends, once it answers again.
    may_answer_later: bool = False

    def __init__(self, what: str, reply: ServerReply | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.reply = reply or ServerReply()

    def __str__(self) -> str:
        reply = str(self.reply)
        told = f"{self.what} ({reply})" if reply else self.what
        return f"{told}. {self.advice}" if self.advice else told

    def to_json(self) -> dict[str, Any]:
        """Return the error as plain JSON, for the way from the triggerer to a worker."""
        own = {name: value for name, value in vars(self).items() if name in _OWN}
        return {"error": type(self).__name__, "what": self.what, "reply": asdict(self.reply), **own}

    @staticmethod
    def from_json(data: dict[str, Any]) -> MstrError:
        """Return the error that :meth:`to_json` described; an unknown kind is not understood.

        :param data: what :meth:`to_json` returned
        """
        kind = _MEANINGS.get(str(data.get("error")), NotUnderstood)
        told = data.get("reply")
        known = {field.name for field in fields(ServerReply)}
        reply = {key: value for key, value in told.items() if key in known} if isinstance(told, dict) else {}
        error = kind(str(data.get("what") or "an error without a text"), ServerReply(**reply))
        for name, sort in _OWN.items():
            if isinstance(data.get(name), sort):
                setattr(error, name, data[name])
        return error


class InvalidInput(MstrError, ValueError):
    """An argument or a connection field makes no sense; nothing was published."""


class CertificateRefused(MstrError):
    """A certificate is not trusted; the text gives the reason and the fix."""


class ProxyError(MstrError):
    """A proxy refuses the connection: the server is not the cause, and a retry does not help."""

    advice = "Environment variables are read when a worker or triggerer starts: restart them after a change."


class AuthenticationRefused(MstrError):
    advice = "Check login, password and login_mode of the Airflow connection."


class SessionLost(MstrError):
    advice = (
        "The Strategy session is over: it expired, was closed, or its cookies did not reach the same node. "
        "A new attempt logs in again."
    )
    mended_by_time = True


class SessionLimit(MstrError):
    advice = (
        "The user holds as many sessions in this project as the server allows. Close sessions, run fewer "
        "refreshes at once (an Airflow pool), or raise the limit in the project's governing settings; "
        "a retry should wait minutes."
    )
    mended_by_time = True


class InstanceLost(MstrError):
    advice = "The data model instance is gone from its session. A new attempt creates another."
    mended_by_time = True


class ModelBusy(MstrError):
    advice = "Another job is publishing this data model. Wait for it, or let only one task refresh a model."
    mended_by_time = True


class NotPublishable(MstrError):
    advice = (
        "Only in-memory Mosaic data models can be published; connect_live models read their source directly."
    )


class NotFound(MstrError):
    advice = "Check the id or name, and that it belongs to this project, which the server must have loaded."


class NoPrivilege(MstrError):
    advice = "Give the connection's user the privilege and access this needs, or use another user."


class InvalidRequest(MstrError):
    advice = "The server refuses the request as it stands; a retry would not help."


class RequestFailed(MstrError):
    """The server understood the request and failed at it, for a reason of its own."""

    advice = "Give the code and the ticket to the Strategy administrator."
    mended_by_time = True


class ServerUnavailable(MstrError):
    """The request got no answer of the API's: the network, a proxy or the server is away.

    :param what: what happened
    :param reply: the server's own words, where it said anything
    :param nothing_done: whether it is certain that the request had no effect
    """

    advice = "Check that the Library server can be reached from this machine."
    mended_by_time = True

    def __init__(self, what: str, reply: ServerReply | None = None, *, nothing_done: bool = False) -> None:
        super().__init__(what, reply)
        self.nothing_done = nothing_done


class NotUnderstood(MstrError):
    """An answer came, but not one of the API's.

    :param what: what happened
    :param reply: what the server answered, if it did
    :param too_large: whether the answer exceeds the size limit; a request for less may succeed
    """

    advice = (
        "Check that the connection's host is the Library URL (it usually ends with /MicroStrategyLibrary) "
        "and that no proxy or login page stands before it."
    )
    mended_by_time = True

    def __init__(self, what: str, reply: ServerReply | None = None, *, too_large: bool = False) -> None:
        super().__init__(what, reply)
        self.too_large = too_large


class PublishFailed(MstrError):
    advice = "Mend what the server names, or give the code and the ticket to the Strategy administrator."
    mended_by_time = True


class PublishTimedOut(MstrError):
    advice = "The publish was given up. Raise timeout if the data model needs longer."
    mended_by_time = True


class OutcomeUnknown(MstrError):
    """Whether the publish has ended, and how, can no longer be told; it is not known to have failed."""

    advice = "Look at the data model's last update in Strategy; a new attempt publishes again."
    mended_by_time = True


class HandleRefused(MstrError):
    advice = "Clear the task that created the data model instance, with its downstream tasks."


def _meanings(kind: type[MstrError]) -> dict[str, type[MstrError]]:
    found = {kind.__name__: kind}
    for narrower in kind.__subclasses__():
        found |= _meanings(narrower)
    return found


_MEANINGS = _meanings(MstrError)
