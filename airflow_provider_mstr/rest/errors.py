# SPDX-License-Identifier: Apache-2.0
"""The errors of a refresh; each class is one that a caller can handle."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerReply:
    """The server's own report of a failure, which a support ticket needs.

    :param about: the kind and id of the object, if the error does not name it
    """

    status: int | None = None
    code: str | None = None
    iserver_code: int | None = None
    message: str | None = None
    ticket: str | None = None
    retry_after: float | None = None
    about: str | None = None

    def __str__(self) -> str:
        """Return its ids and codes, which end the text of an error."""
        facts = (
            ("HTTP", self.status),
            ("code", self.code),
            ("iServerCode", self.iserver_code),
            ("ticket", self.ticket),
        )
        known = [f"{name} {value}" for name, value in facts if value is not None]
        return ", ".join([self.about, *known] if self.about else known)


# The attributes that an instance can override.
_OVERRIDABLE = {"advice": str, "retryable": bool, "may_answer_later": bool}


class MstrError(Exception):
    """The base class of all errors of this package.

    :param what: what failed, with the name of the data model and table
    :param reply: the server's report of the failure, if it sent one
    :param advice: what to do; without it, the advice of the class
    """

    advice: str = ""
    retryable: bool = False
    # Whether a later poll may still show the end of the load.
    may_answer_later: bool = False

    def __init__(self, what: str, reply: ServerReply | None = None, *, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.reply = reply or ServerReply()
        if advice:
            self.advice = advice

    def __str__(self) -> str:
        """Return the cause, then what to do, and the codes last."""
        return self._text(self.advice)

    @property
    def problem(self) -> str:
        """The text without what to do."""
        return self._text("")

    def _text(self, advice: str) -> str:
        message = f"Server message: {self.reply.message}" if self.reply.message else ""
        *first, last = filter(None, (self.what, message, advice))
        text = " ".join([*map(_end_sentence, first), last])
        codes = str(self.reply)
        return f"{text.rstrip('.')} ({codes})" if codes else text

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


def _end_sentence(text: str) -> str:
    return text if text.endswith((".)", "?", "!")) else f"{text.rstrip('.')}."


class InvalidInput(MstrError, ValueError):
    """An argument or a connection field is invalid; nothing was published."""


class CertificateError(MstrError):
    """A certificate is not trusted; the text gives the reason and the fix."""


class ProxyError(MstrError):
    """A proxy refuses the connection: the server is not the cause, and a retry does not help."""

    advice = (
        "After a change, restart the workers and the triggerer: they read environment variables when they "
        "start."
    )


class AuthenticationError(MstrError):
    advice = "Correct login, password or login_mode of the Airflow connection."


class SessionExpired(MstrError):
    advice = (
        "A new attempt logs in again. If this happens often, raise the idle limits of the server, or have "
        "the load balancer keep each session on one node."
    )
    retryable = True


class SessionLimit(MstrError):
    advice = (
        "Close sessions of this user, run fewer refreshes at once (an Airflow pool), or raise the limit in "
        "the project's governing settings. Set a retry_delay of minutes."
    )
    retryable = True


class InstanceExpired(MstrError):
    advice = "A new attempt creates another instance."
    retryable = True


class ModelBusy(MstrError):
    advice = "Wait for that job, or let only one task refresh this object."
    retryable = True


class NotPublishable(MstrError):
    advice = (
        "Only in-memory Mosaic data models can be published. Remove this task if the model is connect_live: "
        "it reads its source directly."
    )


class NotFound(MstrError):
    advice = "Check that the id or name is correct, and that the object is in this project."


class NoPrivilege(MstrError):
    advice = (
        "Give the user of the Airflow connection the required privilege and access to the project and the "
        "object, or use another user."
    )


class InvalidRequest(MstrError):
    advice = (
        "Check the arguments of the task. If they are correct, report this error and the server's version to "
        "the developers of this package."
    )


class RequestFailed(MstrError):
    """The server accepted the request, but failed to process it."""

    advice = "If a retry does not help, ask the Strategy administrator."
    retryable = True


class ServerUnavailable(MstrError):
    """The request got no response from the API: the network, a proxy or the server is unavailable.

    :param what: what failed
    :param reply: the server's report of the failure, if it sent one
    :param nothing_done: whether it is certain that the request had no effect
    :param advice: what to do; without it, the advice of the class
    """

    advice = (
        "Check host and port of the Airflow connection, and that this machine can reach the Library server."
    )
    retryable = True

    def __init__(
        self, what: str, reply: ServerReply | None = None, *, nothing_done: bool = False, advice: str = ""
    ) -> None:
        super().__init__(what, reply, advice=advice)
        self.nothing_done = nothing_done


class InvalidResponse(MstrError):
    """The response has an unexpected format.

    :param what: what failed
    :param reply: the server's report of the failure, if it sent one
    :param too_large: whether the response exceeds the size limit; a request for less may succeed
    :param advice: what to do; without it, the advice of the class
    """

    advice = (
        "Check that the connection's host is the Library URL (it usually ends with /MicroStrategyLibrary) "
        "and that no proxy or login page answers instead of the server."
    )
    retryable = True

    def __init__(
        self, what: str, reply: ServerReply | None = None, *, too_large: bool = False, advice: str = ""
    ) -> None:
        super().__init__(what, reply, advice=advice)
        self.too_large = too_large


class PublishFailed(MstrError):
    advice = "Fix the data model or its source, or ask the Strategy administrator."
    retryable = True


class PublishTimedOut(MstrError):
    advice = "Increase timeout if the load needs longer."
    retryable = True


class OutcomeUnknown(MstrError):
    """The outcome of the publish is unknown; it may still succeed."""

    advice = "Check the last update in Strategy. A new attempt starts the load again."
    retryable = True


class InvalidHandle(MstrError):
    advice = "Clear the task that created the data model instance, together with its downstream tasks."


_CLASSES = {MstrError.__name__: MstrError} | {each.__name__: each for each in MstrError.__subclasses__()}
