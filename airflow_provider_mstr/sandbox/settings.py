# SPDX-License-Identifier: Apache-2.0
"""The settings of the server, where servers differ or the documentation is ambiguous."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from airflow_provider_mstr.sandbox.world import PublishFailure

Reading = Literal["result", "loaded", "plain", "empty", "text"]
Unpublished = Literal["running", "result", "refused"]
ConcurrentPublish = Literal["accept", "refuse"]
HeaderCase = Literal["title", "lower"]
EndedJobStatus = Literal[404, 500]

_CHOICES: dict[str, tuple[object, ...]] = {
    "reading": get_args(Reading),
    "unpublished": get_args(Unpublished),
    "concurrent_publish": get_args(ConcurrentPublish),
    "header_case": get_args(HeaderCase),
    "instance_created_status": (201, 204),
    "ended_job_status": get_args(EndedJobStatus),
}


@dataclass(frozen=True)
class Settings:
    """The behaviour of the server.

    :param base_path: path of the Library application. The REST API is ``/api`` below it.
    :param publish_seconds: duration of a publish, or of a load of a cube, in seconds.
    :param publish_failure: how every publish fails, unless its data model has its own failure. A cube has no
        tables, so that its load fails with the message, unless the failure is that of one table.
    :param reading: the form of publishStatus. ``result``: 1 is finished, 0, 5 and 6 are running, tables are
        listed. ``loaded``: 0 is finished, 1 is running, a finished table is ``loaded``. ``plain``: only a
        status. ``empty``: a status and an empty list of tables. ``text``: like ``result``, but numbers are
        strings.
    :param unpublished: publishStatus of an instance without a publish: ``running`` (0 and no tables),
        ``result`` (1), or ``refused`` (HTTP 400).
    :param concurrent_publish: whether a publish during another one is accepted and then fails, or is rejected
        at once.
    :param ended_job_seconds: how long the monitor shows an ended job, in seconds; 0 if it vanishes at once.
    :param ended_job_status: HTTP status of the response to a request for a job that does not exist any more,
        404 or 500.
    :param cube_instance_ids: whether the start of a load of a cube returns ``instanceId``.
    :param session_cap: maximum sessions per user and project.
    :param session_idle_seconds: lifetime of an idle session in seconds.
    :param instance_idle_seconds: lifetime of an idle instance in seconds; by default that of its session.
    :param working_set: maximum instances per session; one more drops the oldest.
    :param instance_created_status: HTTP status of a created instance, 204 or 201.
    :param header_case: case of the ``X-MSTR-...`` header names.
    :param login_modes: numbers of the enabled login modes.
    :param table_page_cap: maximum tables per response.
    :param tables_ignore_offset: whether every page of tables starts with the first table.
    :param tables_cut_all: maximum tables per response to ``limit=-1``.
    :param iserver_version: version of the Intelligence Server in ``/api/status``.
    :param web_version: version of the Library server in ``/api/status``.
    """

    base_path: str = "/MicroStrategyLibrary"
    publish_seconds: float = 0.2
    publish_failure: PublishFailure | None = None
    reading: Reading = "result"
    unpublished: Unpublished = "running"
    concurrent_publish: ConcurrentPublish = "accept"
    ended_job_seconds: float = 60
    ended_job_status: EndedJobStatus = 404
    cube_instance_ids: bool = True
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
                raise ValueError(f"{name} must be one of: {', '.join(map(str, choices))}; got {value!r}")
