# SPDX-License-Identifier: Apache-2.0
"""How a server behaves where servers differ, or where what is known of them does not agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from airflow_provider_mstr.sandbox.world import PublishFailure

Reading = Literal["result", "loaded", "plain", "empty", "text"]
Unpublished = Literal["running", "result", "refused"]
ConcurrentPublish = Literal["accept", "refuse"]
HeaderCase = Literal["title", "lower"]

_CHOICES: dict[str, tuple[object, ...]] = {
    "reading": get_args(Reading),
    "unpublished": get_args(Unpublished),
    "concurrent_publish": get_args(ConcurrentPublish),
    "header_case": get_args(HeaderCase),
    "instance_created_status": (201, 204),
}


@dataclass(frozen=True)
class Settings:
    """How the server behaves.

    :param base_path: path of the Library application, under which ``/api`` stands.
    :param publish_seconds: how long a publish takes, in seconds.
    :param publish_failure: how every publish goes wrong, unless its data model says otherwise.
    :param reading: what publishStatus says. ``result``: 1 is done, 0, 5 and 6 are running, tables are listed.
        ``loaded``: 0 is done, 1 is running, a table that is done is ``loaded``. ``plain``: a status and
        nothing else. ``empty``: a status and an empty list of tables. ``text``: as ``result``, but numbers
        are strings.
    :param unpublished: what publishStatus says of an instance that was never published: ``running`` (0 and no
        tables), ``result`` (1), or ``refused`` (HTTP 400).
    :param concurrent_publish: whether a publish that comes while another one runs is accepted and then fails,
        or refused at once.
    :param session_cap: sessions a user may have in one project.
    :param session_idle_seconds: how long a session lives without a call, in seconds.
    :param instance_idle_seconds: how long an instance lives without a call, in seconds; as long as its
        session if left out.
    :param working_set: instances a session may have; one more drops the oldest.
    :param instance_created_status: HTTP status of a created instance, 204 or 201.
    :param header_case: how ``X-MSTR-...`` headers are spelt.
    :param login_modes: modes that are enabled, Strategy's numbers.
    :param table_page_cap: most tables sent in one answer, whatever was asked.
    :param tables_ignore_offset: whether every page of tables starts with the first.
    :param tables_cut_all: most tables sent when all were asked for with ``limit=-1``.
    :param iserver_version: what ``/api/status`` says of the Intelligence Server.
    :param web_version: what ``/api/status`` says of the Library server.
    """

    base_path: str = "/MicroStrategyLibrary"
    publish_seconds: float = 0.2
    publish_failure: PublishFailure | None = None
    reading: Reading = "result"
    unpublished: Unpublished = "running"
    concurrent_publish: ConcurrentPublish = "accept"
    session_cap: int = 5
    session_idle_seconds: float = 1800
    instance_idle_seconds: float | None = None
    working_set: int = 10
    instance_created_status: int = 204
    header_case: HeaderCase = "title"
    login_modes: tuple[int, ...] = (1, 8, 16, 4096)
    table_page_cap: int | None = None
    tables_ignore_offset: bool = False
    tables_cut_all: int | None = None
    iserver_version: str = "11.5.0800.0250"
    web_version: str = "11.5.0800.0250"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name} is one of {', '.join(map(str, choices))}, not {value!r}")
