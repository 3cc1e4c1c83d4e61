# SPDX-License-Identifier: Apache-2.0
"""What a server tells of itself, the user and the project, asked once and briefly: a help, and no failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_mstr.rest.errors import MstrError
from airflow_provider_mstr.rest.protocol import Answer, Procedure, Request, Response, json_object
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
        numbers = re.match(r"\s*(\d{1,9}(?:\.\d{1,9})*)", told, re.ASCII) if isinstance(told, str) else None
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


def server_version(session: Session) -> Procedure[Version | None]:
    """Return the Intelligence Server's version (``GET /api/status``); some deployments do not tell (1.10).

    :param session: the session to ask in
    """
    return (yield from _told(session, "/api/status", lambda said: Version.of(said.get("iServerVersion"))))


def warn_of_version(session: Session, warn: Callable[[str], object]) -> Procedure[None]:
    """Warn where the server is known to be too old to publish a data model.

    :param session: the session to ask in
    :param warn: takes the warning
    """
    version = yield from server_version(session)
    if version is not None and version.lack:
        warn(f"Most likely this refresh fails: {version.lack}")


def user_name(session: Session) -> Procedure[str | None]:
    """Return the full name of who has logged in (``GET /api/sessions/userInfo``, 1.6).

    :param session: the session to ask about
    """
    return (yield from _told(session, "/api/sessions/userInfo", lambda said: _text(said.get("fullName"))))


def sessions_per_user(session: Session, project_id: str) -> Procedure[int | None]:
    """Return how many sessions a user may hold in a project (``GET /api/v2/projects/{id}/settings``, 1.9).

    Few users may read it, and nobody has documented what the setting is called here.

    :param session: the session to ask in
    :param project_id: the project's id
    """
    path = f"/api/v2/projects/{quote(project_id, safe='')}/settings"
    return (yield from _told(session, path, _most_sessions))


def _told(session: Session, path: str, find: Callable[[dict[str, Any]], T | None]) -> Procedure[T | None]:
    """Ask for a JSON object and return what is found in it, or None where there is no good answer."""

    def read(response: Response) -> T | None:
        return find(json_object(response))

    try:
        answer: Answer[T | None] = yield Request(
            purpose=f"read {path}",
            method="GET",
            path=path,
            reads=read,
            headers=session.headers(),
            secrets=session.secrets,
            repeatable=False,
            patience=0.0,
        )
    except MstrError:
        return None
    session.renew(answer.cookies)
    return answer.value


def _text(said: Any) -> str | None:
    return said.strip() or None if isinstance(said, str) else None


def _most_sessions(settings: dict[str, Any]) -> int | None:
    for name, setting in settings.items():
        if _SESSIONS_PER_USER.fullmatch(name):
            value = setting.get("value") if isinstance(setting, dict) else setting
            return value if type(value) is int and value > 0 else None
    return None
