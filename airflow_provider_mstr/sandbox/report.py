# SPDX-License-Identifier: Apache-2.0
"""A report of what has happened on the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from airflow_provider_mstr.sandbox.jobs import Job, JobStatus
from airflow_provider_mstr.sandbox.library import Library
from airflow_provider_mstr.sandbox.publishing import COMPLETED, Publish, PublishState


@dataclass(frozen=True)
class TableReport:
    """One table of a publish.

    :param id: its id.
    :param name: its name.
    :param refresh_policy: the policy of the publish.
    :param status: its status.
    """

    id: str
    name: str
    refresh_policy: str
    status: str


@dataclass(frozen=True)
class PublishReport:
    """One publish.

    :param job: number of its job.
    :param data_model: name of the data model.
    :param data_model_id: id of the data model.
    :param instance_id: the instance of the call.
    :param user: name of the user who sent it.
    :param state: ``running``, ``completed``, ``failed`` or ``cancelled``.
    :param lost_to: the other job because of which it failed, if any.
    :param ended_at: its end in seconds since the epoch; None while it runs.
    :param tables: its tables, in the order of the call.
    """

    job: int
    data_model: str
    data_model_id: str
    instance_id: str
    user: str
    state: PublishState
    lost_to: int | None
    ended_at: float | None
    tables: tuple[TableReport, ...]


@dataclass(frozen=True)
class JobReport:
    """One load of a cube.

    :param number: its number.
    :param id: its id.
    :param object: name of the cube or the incremental refresh report that was started.
    :param cube: name of the cube that it loads.
    :param cube_id: id of the cube that it loads.
    :param user: name of the user who started it; ``scheduler`` for a job of the server.
    :param status: its status, such as ``executing`` or ``completed``.
    :param ended_at: its end in seconds since the epoch; None while it runs.
    """

    number: int
    id: str
    object: str
    cube: str
    cube_id: str
    user: str
    status: JobStatus
    ended_at: float | None


@dataclass(frozen=True)
class Report:
    """What has happened since the server started or was reset.

    :param logins: successful logins.
    :param failed_logins: failed logins.
    :param logouts: sessions ended by logout.
    :param open_sessions: open sessions.
    :param expired_sessions: sessions ended because they were idle.
    :param lost_sessions: sessions ended by a fault.
    :param max_sessions_seen: the maximum number of simultaneous sessions, by ``user/project``.
    :param refused_by_session_cap: calls rejected because a user had too many sessions in a project.
    :param rejected_calls_without_cookies: calls with a valid token but not all cookies of its login.
    :param instances_created: created instances.
    :param instances_deleted: instances deleted by a call.
    :param instances_open: existing instances.
    :param publishes: the accepted publishes, in order.
    :param tables_loaded: number of loads by name of the data model and the table.
    :param jobs: the loads of cubes, in order, including those that the monitor does not show any more.
    :param jobs_running: number of jobs that have not ended, without jobs of the server.
    :param cubes_started: number of loads that users have started, by name of the cube.
    :param cubes_loaded: number of completed loads, by name of the cube.
    :param requests: number of requests by name of the call.
    """

    logins: int
    failed_logins: int
    logouts: int
    open_sessions: int
    expired_sessions: int
    lost_sessions: int
    max_sessions_seen: Mapping[str, int]
    refused_by_session_cap: int
    rejected_calls_without_cookies: int
    instances_created: int
    instances_deleted: int
    instances_open: int
    publishes: tuple[PublishReport, ...]
    tables_loaded: Mapping[str, Mapping[str, int]]
    jobs: tuple[JobReport, ...]
    jobs_running: int
    cubes_started: Mapping[str, int]
    cubes_loaded: Mapping[str, int]
    requests: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return asdict(self)


def make_report(library: Library, requests: Mapping[str, int]) -> Report:
    """Create the report of a server.

    :param library: the server.
    :param requests: number of requests by name of the call.
    """
    library.expire_idle()
    now, events = library.clock(), library.events
    publishes = tuple(_publish(publish, now) for publish in library.publishes)
    jobs_of_users = [job for job in library.jobs if job.session_token]
    return Report(
        logins=events["logins"],
        failed_logins=events["failed_logins"],
        logouts=events["logouts"],
        open_sessions=len(library.sessions),
        expired_sessions=events["expired_sessions"],
        lost_sessions=events["lost_sessions"],
        max_sessions_seen=dict(library.max_sessions),
        refused_by_session_cap=events["refused_by_session_cap"],
        rejected_calls_without_cookies=events["rejected_calls_without_cookies"],
        instances_created=events["instances_created"],
        instances_deleted=events["instances_deleted"],
        instances_open=sum(len(session.instances) for session in library.sessions.values()),
        publishes=publishes,
        tables_loaded=_tables_loaded(publishes),
        jobs=tuple(_job(job, now) for job in library.jobs),
        jobs_running=sum(not job.has_ended(now) for job in jobs_of_users),
        cubes_started=dict(Counter(job.cube.name for job in jobs_of_users)),
        cubes_loaded=dict(Counter(job.cube.name for job in library.jobs if job.has_loaded(now))),
        requests=dict(requests),
    )


def _publish(publish: Publish, now: float) -> PublishReport:
    return PublishReport(
        job=publish.job,
        data_model=publish.data_model.name,
        data_model_id=publish.data_model.id,
        instance_id=publish.instance_id,
        user=publish.user,
        state=publish.state(now),
        lost_to=publish.lost_to,
        ended_at=publish.ended_at(now),
        tables=tuple(
            TableReport(each.table.id, each.table.name, each.refresh_policy, status)
            for each, status in zip(publish.tables, publish.table_states(now), strict=True)
        ),
    )


def _job(job: Job, now: float) -> JobReport:
    return JobReport(
        number=job.number,
        id=job.id,
        object=job.target.name,
        cube=job.cube.name,
        cube_id=job.cube.id,
        user=job.user,
        status=job.status(now),
        ended_at=job.ends_at if job.has_ended(now) else None,
    )


def _tables_loaded(publishes: tuple[PublishReport, ...]) -> dict[str, dict[str, int]]:
    loaded: dict[str, Counter[str]] = {}
    for publish in publishes:
        names = [table.name for table in publish.tables if table.status == COMPLETED]
        if names:
            loaded.setdefault(publish.data_model, Counter()).update(names)
    return {model: dict(tables) for model, tables in loaded.items()}
