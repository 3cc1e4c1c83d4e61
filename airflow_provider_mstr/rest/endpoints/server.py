# SPDX-License-Identifier: Apache-2.0
"""Optional facts about the server: short requests that may fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.flow import Flow, with_retry_limit
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request

T = TypeVar("T")

# The vendor says that this release brought the publishing of data models (docs/strategy-rest-api.md 1.10).
FIRST_RELEASE = "Strategy ONE (August 2025)"
FIRST_VERSION = (11, 5, 800)


@dataclass(frozen=True, slots=True)
class Version:
    """The version of an Intelligence Server, such as ``11.5.0800.0250``.

    :param text: the version as text
    :param parts: its numbers
    """

    text: str
    parts: tuple[int, ...]

    @classmethod
    def of(cls, text: Any) -> Version | None:
        """Return the version in a text, None if it contains none.

        :param text: the text
        """
        numbers = (
            re.match(r"\s*(\d{1,9}(?:\.\d{1,9}){0,7})", text, re.ASCII) if isinstance(text, str) else None
        )
        if numbers is None:
            return None
        return cls(numbers[1], tuple(int(number) for number in numbers[1].split(".")))

    def __str__(self) -> str:
        return self.text

    @property
    def can_publish(self) -> bool:
        """Whether the server can publish data models; a missing part of the version counts as new enough."""
        return self.parts[: len(FIRST_VERSION)] >= FIRST_VERSION[: len(self.parts)]

    @property
    def problem(self) -> str:
        """Why the server cannot publish data models; empty if it can."""
        if self.can_publish:
            return ""
        first = ".".join((*map(str, FIRST_VERSION[:2]), f"{FIRST_VERSION[2]:04}"))
        return (
            f"the server's version is {self}, but data models can be published since {FIRST_RELEASE}, "
            f"which is version {first}: update the server"
        )


def try_once(flow: Flow[T]) -> Flow[T | None]:
    """Run a flow without retries, and with a timeout of one second; return None if it fails.

    :param flow: a flow that has not started
    """
    try:
        return (yield from with_retry_limit(flow, 0.0))
    except MstrError:
        return None


def server_version(session: Session) -> Flow[Version | None]:
    """Return the Intelligence Server's version (``GET /api/status``); not on all deployments (1.10).

    :param session: the session
    """
    return (yield from try_once(session_request(session, "read the version", "GET", "/api/status", _version)))


def warn_of_version(session: Session, warn: Callable[[str], object]) -> Flow[None]:
    """Warn if the server is too old to publish data models.

    :param session: the session
    :param warn: takes the warning
    """
    version = yield from server_version(session)
    if version is not None and version.problem:
        warn(f"This refresh will probably fail: {version.problem}")


def _version(response: Response) -> Version | None:
    return Version.of(json_object(response).get("iServerVersion"))
