# SPDX-License-Identifier: Apache-2.0
"""What a server may tell of itself and of a project, asked once and briefly: a help, and no failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_mstr.rest.calls import within
from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.protocol import Procedure, Response, hurried, json_object
from airflow_provider_mstr.rest.session import Session

T = TypeVar("T")

# The vendor says that this release brought the publishing of data models (docs/strategy-rest-api.md 1.10).
FIRST_RELEASE = "Strategy ONE (August 2025)"
FIRST_VERSION = (11, 5, 800)

# Command Manager calls the setting MAXINTERACTIVESESSIONSPERUSER; the API's name is inferred from that.
_SESSIONS_PER_USER = re.compile("maxinteractivesessions?peruser", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Version:
    """The version of an Intelligence Server, such as ``11.5.0800.0250``.

    :param text: as the server tells it
    :param parts: its numbers, as far as there are any
    """

    text: str
    parts: tuple[int, ...]

    @classmethod
    def of(cls, told: Any) -> Version | None:
        """Return the version that a server tells, or None where it tells none.

        :param told: what stands where the version should
        """
        numbers = (
            re.match(r"\s*(\d{1,9}(?:\.\d{1,9}){0,7})", told, re.ASCII) if isinstance(told, str) else None
        )
        if numbers is None:
            return None
        return cls(numbers[1], tuple(int(number) for number in numbers[1].split(".")))

    def __str__(self) -> str:
        return self.text

    @property
    def publishes(self) -> bool:
        """Whether the server can publish data models; what a version leaves out is not held against it."""
        return self.parts[: len(FIRST_VERSION)] >= FIRST_VERSION[: len(self.parts)]

    @property
    def lack(self) -> str:
        """What the server lacks, in words; empty where it lacks nothing."""
        if self.publishes:
            return ""
        first = ".".join((*map(str, FIRST_VERSION[:2]), f"{FIRST_VERSION[2]:04}"))
        return (
            f"the server's version is {self}, but data models can be published since {FIRST_RELEASE}, "
            f"which is version {first}: update the server"
        )


def briefly(procedure: Procedure[T]) -> Procedure[T | None]:
    """Return what a procedure asks for, asked once and for a second at most; None where no good answer comes.

    :param procedure: a procedure that was not started yet
    """
    try:
        return (yield from hurried(procedure, 0.0))
    except MstrError:
        return None


def server_version(session: Session) -> Procedure[Version | None]:
    """Return the Intelligence Server's version (``GET /api/status``); some deployments do not tell (1.10).

    :param session: the session to ask in
    """
    return (yield from briefly(within(session, "ask for the version", "GET", "/api/status", _version)))


def warn_of_version(session: Session, warn: Callable[[str], object]) -> Procedure[None]:
    """Warn where the server is known to be too old to publish a data model.

    :param session: the session to ask in
    :param warn: takes the warning
    """
    version = yield from server_version(session)
    if version is not None and version.lack:
        warn(f"Most likely this refresh fails: {version.lack}")


def sessions_per_user(session: Session, project_id: str) -> Procedure[int | None]:
    """Return how many sessions a user may hold in a project (``GET /api/v2/projects/{id}/settings``, 1.9).

    Few users may read it, and nobody has documented what the setting is called here.

    :param session: the session to ask in
    :param project_id: the project's id
    """
    path = f"/api/v2/projects/{quote(project_id, safe='')}/settings"
    return (yield from briefly(within(session, "read the project's settings", "GET", path, _most_sessions)))


def _version(response: Response) -> Version | None:
    return Version.of(json_object(response).get("iServerVersion"))


def _most_sessions(response: Response) -> int | None:
    for name, setting in json_object(response).items():
        if _SESSIONS_PER_USER.fullmatch(name):
            value = setting.get("value") if isinstance(setting, dict) else setting
            return value if type(value) is int and value > 0 else None
    return None
