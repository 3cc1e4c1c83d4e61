# SPDX-License-Identifier: Apache-2.0
"""The state of the server: sessions, instances, publishes and jobs, and their rules. No HTTP."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from airflow_provider_mstr.sandbox import responses
from airflow_provider_mstr.sandbox.jobs import Job
from airflow_provider_mstr.sandbox.publishing import Publish, TableRefresh, applicable_failure, status_body
from airflow_provider_mstr.sandbox.responses import ApiError
from airflow_provider_mstr.sandbox.settings import Settings
from airflow_provider_mstr.sandbox.world import (
    MOSAIC_EXT_TYPE,
    Cube,
    DataModel,
    IncrementalRefreshReport,
    Project,
    Table,
    User,
    World,
    WorldObject,
)

STANDARD, ANONYMOUS, LDAP, API_TOKEN = 1, 8, 16, 4096
REFRESH_POLICIES = ("replace", "add", "update", "upsert")

JOB_OF_THE_SERVER = "scheduler"

# EnumDSSCubeStates: the status of a loaded cube, and the bit of a running publish.
_CUBE_LOADED = 17510
_CUBE_PROCESSING = 1

_ROWS_PER_TABLE = 1000


@dataclass
class Instance:
    """An instance of a data model.

    :param id: 32 hexadecimal digits.
    :param data_model: its data model.
    :param last_used: seconds since the epoch.
    :param publish: the last publish sent for it.
    """

    id: str
    data_model: DataModel
    last_used: float
    publish: Publish | None = None


@dataclass
class Session:
    """A session, which a login creates.

    :param token: value of ``X-MSTR-AuthToken``.
    :param cookies: each call must send all of them.
    :param user: the user who logged in.
    :param working_set: maximum number of instances.
    :param opened_at: seconds since the epoch.
    :param last_used: seconds since the epoch.
    :param projects: ids of the projects in which it counts as a session of the user.
    :param instances: by id, oldest first.
    :param id: its id on the Intelligence Server, which no call accepts.
    """

    token: str
    cookies: Mapping[str, str]
    user: User
    working_set: int
    opened_at: float
    last_used: float
    projects: set[str] = field(default_factory=set)
    instances: OrderedDict[str, Instance] = field(default_factory=OrderedDict)
    id: str = field(default_factory=lambda: secrets.token_hex(16).upper())


@dataclass(frozen=True)
class CubeState:
    """The in-memory data of a data model or a cube.

    :param status: bit vector of ``EnumDSSCubeStates``; 0 if nothing was loaded.
    :param last_update_time: time of the last load; None if nothing was loaded.
    """

    status: int
    last_update_time: datetime | None


class Library:
    """A Library server.

    :param world: its users, projects and objects.
    :param settings: its behaviour, which can change while it runs.
    :param clock: returns seconds since the epoch.
    """

    def __init__(self, world: World, settings: Settings, clock: Callable[[], float]) -> None:
        self.world = world
        self.settings = settings
        self.clock = clock
        self.sessions: dict[str, Session] = {}
        self.publishes: list[Publish] = []
        self.jobs: list[Job] = []
        self.events: Counter[str] = Counter()
        self.max_sessions: Counter[str] = Counter()
        self.secrets: set[str] = set()
        self._job_numbers = count(401)

    # Sessions

    def log_in(self, mode: int, username: str, password: str, working_set: int | None = None) -> Session:
        """Open a session.

        :param mode: number of the login mode.
        :param username: the user's name; the API token in mode 4096.
        :param password: ignored in modes 8 and 4096.
        :param working_set: maximum number of instances; by default that of the settings.
        """
        user = self._find_user(mode, username, password) if mode in self.settings.login_modes else None
        if user is None:
            self.events["failed_logins"] += 1
            raise ApiError(responses.LOGIN_FAILED)
        token = secrets.token_hex(20)
        cookies = {
            "JSESSIONID": secrets.token_hex(16).upper(),
            "iSession": token,
            "mstrRememberMe": secrets.token_hex(16),
            "library-ingress": secrets.token_hex(16),
        }
        now = self.clock()
        session = Session(token, cookies, user, working_set or self.settings.working_set, now, now)
        self.sessions[token] = session
        self.secrets.update(cookies.values())
        self.events["logins"] += 1
        return session

    def _find_user(self, mode: int, username: str, password: str) -> User | None:
        if mode == ANONYMOUS:
            return self.world.guest
        users = self.world.users
        if mode == API_TOKEN:
            return next((user for user in users if user.api_token and user.api_token == username), None)
        return next((user for user in users if (user.name, user.password) == (username, password)), None)

    def find_session(self, token: str, cookies: Mapping[str, str]) -> Session:
        """Find the session of a call, which must send its token and all cookies of its login."""
        session = self.sessions.get(token)
        if session is None:
            raise ApiError(responses.SESSION_EXPIRED)
        if any(cookies.get(name) != value for name, value in session.cookies.items()):
            self.events["rejected_calls_without_cookies"] += 1
            raise ApiError(responses.SESSION_EXPIRED)
        session.last_used = self.clock()
        return session

    def log_out(self, session: Session) -> None:
        """End a session, and cancel its running publishes and jobs."""
        self.events["logouts"] += 1
        self._end_session(session)

    def drop_session(self, token: str) -> None:
        """Lose a session without a logout."""
        if session := self.sessions.get(token):
            self.events["lost_sessions"] += 1
            self._end_session(session)

    def _end_session(self, session: Session) -> None:
        del self.sessions[session.token]
        for publish in self._running():
            if publish.session_token == session.token:
                publish.cancel(self.clock())
        for job in self.jobs:
            if job.session_token == session.token:
                job.stop(self.clock())

    def enter_project(self, session: Session, project_id: str) -> Project:
        """Count a session in a project until it ends, and return the project."""
        project = self.world.project(project_id)
        if project is None or not project.loaded:
            raise ApiError(responses.PROJECT_NOT_FOUND)
        if project_id in session.projects:
            return project
        open_sessions = sum(
            1
            for each in self.sessions.values()
            if each.user.name == session.user.name and project_id in each.projects
        )
        if open_sessions >= self.settings.session_cap:
            self.events["refused_by_session_cap"] += 1
            raise ApiError(responses.SESSION_LIMIT)
        session.projects.add(project_id)
        key = f"{session.user.name}/{project.name}"
        self.max_sessions[key] = max(self.max_sessions[key], open_sessions + 1)
        return project

    # Objects

    def find_object(self, project: Project, object_id: str) -> WorldObject:
        """Find the object with this id."""
        if found := self.world.find(project.id, object_id):
            return found
        raise ApiError(responses.OBJECT_NOT_FOUND)

    def find_dataset(self, project: Project, dataset_id: str) -> DataModel | Cube:
        """Find the data model or cube with this id."""
        found = self.find_object(project, dataset_id)
        if isinstance(found, IncrementalRefreshReport):
            raise ApiError(responses.OBJECT_NOT_FOUND)
        return found

    def find_data_model(self, project: Project, data_model_id: str) -> DataModel:
        """Find the Mosaic data model with this id."""
        found = self.find_object(project, data_model_id)
        if not isinstance(found, DataModel) or found.ext_type != MOSAIC_EXT_TYPE:
            raise ApiError(responses.NOT_A_MOSAIC_MODEL)
        return found

    def find_cube(self, project: Project, cube_id: str) -> Cube:
        """Find the cube with this id. Data that was pushed to the server cannot be loaded again."""
        found = self.find_object(project, cube_id)
        if not isinstance(found, Cube):
            raise ApiError(responses.NOT_A_CUBE)
        return found

    def find_report(self, project: Project, report_id: str) -> IncrementalRefreshReport:
        """Find the incremental refresh report with this id."""
        found = self.find_object(project, report_id)
        if not isinstance(found, IncrementalRefreshReport):
            raise ApiError(responses.NOT_A_REPORT)
        return found

    def find_target(self, report: IncrementalRefreshReport) -> Cube:
        """Find the cube that an incremental refresh report loads."""
        for cube in self.world.cubes:
            if cube.id == report.cube_id:
                return cube
        raise ApiError(responses.OBJECT_NOT_FOUND)

    def list_tables(self, model: DataModel, offset: int, limit: int) -> tuple[Table, ...]:
        """Return a page of a data model's tables.

        :param model: the data model.
        :param offset: number of tables to skip.
        :param limit: maximum number of tables; -1 for all.
        """
        rows = model.tables if self.settings.tables_ignore_offset else model.tables[offset:]
        caps = (limit if limit >= 0 else self.settings.tables_cut_all, self.settings.table_page_cap)
        return rows[: min((cap for cap in caps if cap is not None), default=None)]

    def read_cube(self, dataset: DataModel | Cube) -> CubeState:
        """Return the state of the in-memory data of a data model or a cube."""
        now = self.clock()
        publishes = [each for each in self.publishes if each.data_model.id == dataset.id]
        jobs = [each for each in self.jobs if each.cube.id == dataset.id and each.loads_data]
        ends = [each.ends_at for each in publishes if each.state(now) == "completed"]
        ends += [each.ends_at for each in jobs if each.has_loaded(now)]
        times = [datetime.fromtimestamp(end, UTC) for end in ends]
        last = max([*times, *filter(None, [dataset.last_update_time])], default=None)
        is_processing = any(each.state(now) == "running" for each in publishes) or any(
            each.is_running(now) for each in jobs
        )
        return CubeState((_CUBE_LOADED if last else 0) | (_CUBE_PROCESSING if is_processing else 0), last)

    def count_rows(self, dataset: DataModel | Cube) -> int:
        """Return the number of rows in memory, the same after each load."""
        tables = len(dataset.tables) if isinstance(dataset, DataModel) else 1
        return _ROWS_PER_TABLE * tables if self.read_cube(dataset).last_update_time else 0

    # Instances

    def create_instance(self, session: Session, model: DataModel) -> Instance:
        """Create an instance. If the session has too many of them, it loses the oldest."""
        instance = Instance(secrets.token_hex(16).upper(), model, self.clock())
        session.instances[instance.id] = instance
        self.events["instances_created"] += 1
        while len(session.instances) > session.working_set:
            session.instances.popitem(last=False)
            self.events["lost_instances"] += 1
        return instance

    def find_instance(self, session: Session, model: DataModel, instance_id: str) -> Instance:
        """Find an instance of the data model, which exists only in the session that created it."""
        instance = session.instances.get(instance_id)
        if instance is None or instance.data_model.id != model.id:
            raise ApiError(responses.INSTANCE_LOST)
        instance.last_used = self.clock()
        return instance

    def delete_instance(self, session: Session, model: DataModel, instance_id: str) -> None:
        """Delete an instance, and cancel its publish."""
        instance = self.find_instance(session, model, instance_id)
        if instance.publish:
            instance.publish.cancel(self.clock())
        del session.instances[instance.id]
        self.events["instances_deleted"] += 1

    def drop_instance(self, token: str, instance_id: str) -> None:
        """Lose an instance without a delete call. Its publish continues."""
        session = self.sessions.get(token)
        if session and session.instances.pop(instance_id, None):
            self.events["lost_instances"] += 1

    # Publishes

    def publish(
        self, session: Session, model: DataModel, instance_id: str, tables: Sequence[tuple[str, str]]
    ) -> Publish:
        """Start a publish.

        :param session: the session of the instance.
        :param model: the data model.
        :param instance_id: the instance.
        :param tables: id and refresh policy of each table.
        """
        if not session.user.can_publish:
            raise ApiError(responses.NO_PRIVILEGE)
        if model.data_serve_mode == "connect_live":
            raise ApiError(responses.NO_PUBLISH_WORKFLOW)
        instance = self.find_instance(session, model, instance_id)
        refreshes = tuple(_refresh(model, table_id, policy) for table_id, policy in tables)
        if not refreshes:
            raise ApiError(responses.NULL_TABLE_SETTINGS)
        instance.publish = self._start_publish(session, instance, refreshes)
        self.publishes.append(instance.publish)
        return instance.publish

    def _start_publish(
        self, session: Session, instance: Instance, tables: tuple[TableRefresh, ...]
    ) -> Publish:
        model, settings = instance.data_model, self.settings
        winner = self._find_running_publish(model)
        if instance.publish and instance.publish.lost_to is not None:
            raise ApiError(responses.cube_is_publishing(instance.publish.lost_to))
        if winner and (settings.concurrent_publish == "refuse" or winner.instance_id == instance.id):
            raise ApiError(responses.cube_is_publishing(winner.job))
        return Publish(
            job=next(self._job_numbers),
            data_model=model,
            instance_id=instance.id,
            session_token=session.token,
            user=session.user.name,
            tables=tables,
            started_at=self.clock(),
            seconds=settings.publish_seconds if model.publish_seconds is None else model.publish_seconds,
            failure=applicable_failure(model.failure or settings.publish_failure, tables),
            lost_to=winner.job if winner else None,
        )

    def publish_status(self, session: Session, model: DataModel, instance_id: str) -> dict[str, object]:
        """Return the body of publishStatus for an instance."""
        publish = self.find_instance(session, model, instance_id).publish
        if publish is None:
            return self._unpublished_status()
        if publish.lost_to is not None:
            raise ApiError(responses.cube_is_publishing(publish.lost_to))
        return status_body(publish, self.clock(), self.settings.reading)

    def _unpublished_status(self) -> dict[str, object]:
        if self.settings.unpublished == "refused":
            raise ApiError(responses.NOT_PUBLISHED)
        return {"status": 1} if self.settings.unpublished == "result" else {"status": 0, "tables": []}

    # Jobs

    def start_job(
        self,
        target: Cube | IncrementalRefreshReport,
        session: Session | None = None,
        *,
        loads_data: bool = True,
    ) -> Job:
        """Start a load of a cube. It waits for the end of another load of the cube.

        :param target: the cube, or the report that loads it.
        :param session: its session; None for a job of the server.
        :param loads_data: whether it changes the cube's data.
        """
        if session and not session.user.can_publish:
            raise ApiError(responses.NO_PRIVILEGE)
        cube = target if isinstance(target, Cube) else self.find_target(target)
        settings = self.settings
        failure = applicable_failure(settings.publish_failure, ())
        job = Job(
            number=next(self._job_numbers),
            target=target,
            cube=cube,
            session_token=session.token if session else "",
            user=session.user.name if session else JOB_OF_THE_SERVER,
            created_at=self.clock(),
            seconds=settings.publish_seconds if cube.publish_seconds is None else cube.publish_seconds,
            failure=cube.failure or (failure.message if failure else None),
            previous=next((each for each in reversed(self._running_jobs()) if each.cube.id == cube.id), None),
            loads_data=loads_data,
        )
        self.jobs.append(job)
        return job

    def monitored_jobs(self, user: User) -> tuple[Job, ...]:
        """Return the jobs that the monitor shows to a user with the privilege."""
        if not user.can_monitor:
            raise ApiError(responses.NO_JOB_PRIVILEGE)
        since = self.clock() - self.settings.ended_job_seconds
        return tuple(job for job in self.jobs if job.ends_at > since)

    def find_job(self, user: User, job_id: str) -> Job:
        """Find the job with this id, if the monitor shows it."""
        for job in self.monitored_jobs(user):
            if job.id == job_id:
                return job
        raise ApiError(responses.job_not_found(self.settings.ended_job_status))

    def finish_job(self, job_id: str) -> None:
        """Finish the job with this id."""
        jobs = {job.id: job for job in self.jobs}
        if job_id not in jobs:
            raise ValueError(f"there is no job {job_id!r}")
        jobs[job_id].finish(self.clock())

    def count_jobs(self, session: Session, project: Project) -> int:
        """Return the number of publishes and jobs that run in a session and a project.

        :param session: the session.
        :param project: the project.
        """
        now, token = self.clock(), session.token
        projects = [each.data_model.project_id for each in self._running() if each.session_token == token]
        projects += [
            each.cube.project_id
            for each in self.jobs
            if each.session_token == token and not each.has_ended(now)
        ]
        return projects.count(project.id)

    def finish_publishes(self) -> None:
        """Finish every running publish and job now. A job that waits for a prompt does not finish."""
        for each in self._running_loads():
            each.finish(self.clock())

    def next_end_time(self) -> float | None:
        """Return when the next running publish or job ends, in seconds since the epoch."""
        return min((each.ends_at for each in self._running_loads()), default=None)

    def _running_loads(self) -> tuple[Publish | Job, ...]:
        return (*self._running(), *self._running_jobs())

    def _running_jobs(self) -> tuple[Job, ...]:
        now = self.clock()
        return tuple(job for job in self.jobs if job.is_running(now))

    def _running(self) -> Iterator[Publish]:
        now = self.clock()
        return (publish for publish in self.publishes if publish.state(now) == "running")

    def _find_running_publish(self, model: DataModel) -> Publish | None:
        return next((publish for publish in self._running() if publish.data_model.id == model.id), None)

    # Time

    def expire_idle(self) -> None:
        """Remove idle sessions and instances. A session with a running publish or job is not idle."""
        now, settings = self.clock(), self.settings
        busy = {each.session_token for each in self._running_loads()}
        for session in list(self.sessions.values()):
            if session.token not in busy and now - session.last_used > settings.session_idle_seconds:
                self.events["expired_sessions"] += 1
                self._end_session(session)
            elif settings.instance_idle_seconds is not None:
                self._drop_idle_instances(session, now - settings.instance_idle_seconds)

    def _drop_idle_instances(self, session: Session, since: float) -> None:
        for instance in list(session.instances.values()):
            if instance.last_used < since:
                self.drop_instance(session.token, instance.id)


def _refresh(model: DataModel, table_id: str, policy: str) -> TableRefresh:
    table = next((table for table in model.tables if table.id == table_id), None)
    if table is None:
        raise ApiError(responses.invalid_input(f"The data model has no table with ID '{table_id}'."))
    if policy not in REFRESH_POLICIES:
        raise ApiError(responses.invalid_input(f"Invalid refresh policy '{policy}'."))
    return TableRefresh(table, policy)
