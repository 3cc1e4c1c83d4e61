# SPDX-License-Identifier: Apache-2.0
"""The living server: sessions, instances and publishes, and the rules they obey. No HTTP, no clock."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from airflow_provider_mstr.sandbox import answers
from airflow_provider_mstr.sandbox.answers import Refused
from airflow_provider_mstr.sandbox.publishing import Publish, TableRefresh, failure_of, status_body
from airflow_provider_mstr.sandbox.settings import Settings
from airflow_provider_mstr.sandbox.world import MOSAIC_EXT_TYPE, DataModel, Project, Table, User, World

STANDARD, ANONYMOUS, LDAP, API_TOKEN = 1, 8, 16, 4096
REFRESH_POLICIES = ("replace", "add", "update", "upsert")

# EnumDSSCubeStates: what a healthy loaded cube shows, and the bit of one that is being published.
_CUBE_LOADED = 17510
_CUBE_PROCESSING = 1


@dataclass
class Instance:
    """An instance of a data model.

    :param id: 32 hexadecimal digits.
    :param data_model: what it is an instance of.
    :param last_used: seconds since the epoch.
    :param publish: the last publish sent for it.
    """

    id: str
    data_model: DataModel
    last_used: float
    publish: Publish | None = None


@dataclass
class Session:
    """What a login opens.

    :param token: value of ``X-MSTR-AuthToken``.
    :param cookies: every one of them must come back with every call.
    :param user: who logged in.
    :param working_set: instances it may have.
    :param opened_at: seconds since the epoch.
    :param last_used: seconds since the epoch.
    :param projects: ids of the projects it takes a slot in.
    :param instances: by id, oldest first.
    :param id: what the Intelligence Server calls it; good for no call.
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
class Cube:
    """The cache behind a data model.

    :param status: bit vector of ``EnumDSSCubeStates``; 0 if there is none.
    :param last_update_time: when it was last loaded, if ever.
    """

    status: int
    last_update_time: datetime | None


class Library:
    """A Library server.

    :param world: what it holds.
    :param settings: how it behaves; may be replaced while it runs.
    :param clock: seconds since the epoch.
    """

    def __init__(self, world: World, settings: Settings, clock: Callable[[], float]) -> None:
        self.world = world
        self.settings = settings
        self.clock = clock
        self.sessions: dict[str, Session] = {}
        self.publishes: list[Publish] = []
        self.events: Counter[str] = Counter()
        self.max_sessions: Counter[str] = Counter()
        self.secrets: set[str] = set()
        self._jobs = count(401)

    # Sessions

    def log_in(self, mode: int, username: str, password: str, working_set: int | None = None) -> Session:
        """Open a session, or refuse to.

        :param mode: Strategy's number of the login mode.
        :param username: in mode 4096 the API token.
        :param password: not looked at in modes 8 and 4096.
        :param working_set: instances the session may have; the server's setting if left out.
        """
        user = self._user(mode, username, password) if mode in self.settings.login_modes else None
        if user is None:
            self.events["failed_logins"] += 1
            raise Refused(answers.LOGIN_FAILED)
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

    def _user(self, mode: int, username: str, password: str) -> User | None:
        if mode == ANONYMOUS:
            return self.world.guest
        users = self.world.users
        if mode == API_TOKEN:
            return next((user for user in users if user.api_token and user.api_token == username), None)
        return next((user for user in users if (user.name, user.password) == (username, password)), None)

    def session(self, token: str, cookies: Mapping[str, str]) -> Session:
        """Find the session of a call, which must bring its token and every cookie of its login."""
        session = self.sessions.get(token)
        if session is None:
            raise Refused(answers.SESSION_EXPIRED)
        if any(cookies.get(name) != value for name, value in session.cookies.items()):
            self.events["rejected_calls_without_cookies"] += 1
            raise Refused(answers.SESSION_EXPIRED)
        session.last_used = self.clock()
        return session

    def log_out(self, session: Session) -> None:
        """End a session, and with it every publish that runs in it."""
        self.events["logouts"] += 1
        self._end(session)

    def drop_session(self, token: str) -> None:
        """Lose a session as servers do: without being asked."""
        if session := self.sessions.get(token):
            self.events["lost_sessions"] += 1
            self._end(session)

    def _end(self, session: Session) -> None:
        del self.sessions[session.token]
        for publish in self._running():
            if publish.session_token == session.token:
                publish.cancel(self.clock())

    def enter(self, session: Session, project_id: str) -> Project:
        """Use a project, which takes one of the user's sessions there until the session ends."""
        project = self.world.project(project_id)
        if project is None or not project.loaded:
            raise Refused(answers.PROJECT_NOT_FOUND)
        if project_id in session.projects:
            return project
        taken = sum(
            1
            for each in self.sessions.values()
            if each.user.name == session.user.name and project_id in each.projects
        )
        if taken >= self.settings.session_cap:
            self.events["refused_by_session_cap"] += 1
            raise Refused(answers.SESSION_LIMIT)
        session.projects.add(project_id)
        key = f"{session.user.name}/{project.name}"
        self.max_sessions[key] = max(self.max_sessions[key], taken + 1)
        return project

    # Data models

    def data_model(self, project: Project, data_model_id: str) -> DataModel:
        """Find the Mosaic data model with this id."""
        model = self.dataset(project, data_model_id)
        if model.ext_type != MOSAIC_EXT_TYPE:
            raise Refused(answers.NOT_A_MOSAIC_MODEL)
        return model

    def dataset(self, project: Project, dataset_id: str) -> DataModel:
        """Find the dataset with this id, whether it is a Mosaic data model or not."""
        if model := self.world.data_model(project.id, dataset_id):
            return model
        raise Refused(answers.OBJECT_NOT_FOUND)

    def table_page(self, model: DataModel, offset: int, limit: int) -> tuple[Table, ...]:
        """Return one page of a data model's tables.

        :param model: the data model.
        :param offset: how many to skip.
        :param limit: how many to send at most; -1 for all.
        """
        rows = model.tables if self.settings.tables_ignore_offset else model.tables[offset:]
        caps = (limit if limit >= 0 else self.settings.tables_cut_all, self.settings.table_page_cap)
        return rows[: min((cap for cap in caps if cap is not None), default=None)]

    def cube(self, model: DataModel) -> Cube:
        """Read the state of the cache behind a data model, which any session can do."""
        now = self.clock()
        ends = [
            datetime.fromtimestamp(publish.ends_at, UTC)
            for publish in self.publishes
            if publish.data_model.id == model.id and publish.state(now) == "completed"
        ]
        last = max([*ends, *filter(None, [model.last_update_time])], default=None)
        processing = _CUBE_PROCESSING if self._running_publish_of(model) else 0
        return Cube((_CUBE_LOADED if last else 0) | processing, last)

    # Instances

    def create_instance(self, session: Session, model: DataModel) -> Instance:
        """Make an instance; if the session has too many of them, the oldest is lost."""
        instance = Instance(secrets.token_hex(16).upper(), model, self.clock())
        session.instances[instance.id] = instance
        self.events["instances_created"] += 1
        while len(session.instances) > session.working_set:
            session.instances.popitem(last=False)
            self.events["lost_instances"] += 1
        return instance

    def instance(self, session: Session, model: DataModel, instance_id: str) -> Instance:
        """Find an instance of the data model, known only to the session that made it."""
        instance = session.instances.get(instance_id)
        if instance is None or instance.data_model.id != model.id:
            raise Refused(answers.INSTANCE_LOST)
        instance.last_used = self.clock()
        return instance

    def delete_instance(self, session: Session, model: DataModel, instance_id: str) -> None:
        """Delete an instance, which cancels its publish."""
        instance = self.instance(session, model, instance_id)
        if instance.publish:
            instance.publish.cancel(self.clock())
        del session.instances[instance.id]
        self.events["instances_deleted"] += 1

    def drop_instance(self, token: str, instance_id: str) -> None:
        """Lose an instance as servers do: without being asked. Its publish runs on."""
        session = self.sessions.get(token)
        if session and session.instances.pop(instance_id, None):
            self.events["lost_instances"] += 1

    # Publishes

    def publish(
        self, session: Session, model: DataModel, instance_id: str, tables: Sequence[tuple[str, str]]
    ) -> Publish:
        """Start a publish.

        :param session: the session the instance belongs to.
        :param model: the data model.
        :param instance_id: the instance.
        :param tables: id and refresh policy of each table.
        """
        if not session.user.can_publish:
            raise Refused(answers.NO_PRIVILEGE)
        if model.data_serve_mode == "connect_live":
            raise Refused(answers.NO_PUBLISH_WORKFLOW)
        instance = self.instance(session, model, instance_id)
        refreshes = tuple(_refresh(model, table_id, policy) for table_id, policy in tables)
        if not refreshes:
            raise Refused(answers.NULL_TABLE_SETTINGS)
        instance.publish = self._start(session, instance, refreshes)
        self.publishes.append(instance.publish)
        return instance.publish

    def _start(self, session: Session, instance: Instance, tables: tuple[TableRefresh, ...]) -> Publish:
        model, settings = instance.data_model, self.settings
        winner = self._running_publish_of(model)
        if instance.publish and instance.publish.lost_to is not None:
            raise Refused(answers.cube_is_publishing(instance.publish.lost_to))
        if winner and (settings.concurrent_publish == "refuse" or winner.instance_id == instance.id):
            raise Refused(answers.cube_is_publishing(winner.job))
        return Publish(
            job=next(self._jobs),
            data_model=model,
            instance_id=instance.id,
            session_token=session.token,
            user=session.user.name,
            tables=tables,
            started_at=self.clock(),
            seconds=settings.publish_seconds if model.publish_seconds is None else model.publish_seconds,
            failure=failure_of(model.failure or settings.publish_failure, tables),
            lost_to=winner.job if winner else None,
        )

    def publish_status(self, session: Session, model: DataModel, instance_id: str) -> dict[str, object]:
        """Return the body of publishStatus for an instance."""
        publish = self.instance(session, model, instance_id).publish
        if publish is None:
            return self._unpublished_status()
        if publish.lost_to is not None:
            raise Refused(answers.cube_is_publishing(publish.lost_to))
        return status_body(publish, self.clock(), self.settings.reading)

    def _unpublished_status(self) -> dict[str, object]:
        if self.settings.unpublished == "refused":
            raise Refused(answers.NOT_PUBLISHED)
        return {"status": 1} if self.settings.unpublished == "result" else {"status": 0, "tables": []}

    def jobs_of(self, session: Session, project: Project) -> int:
        """Return how many publishes run in a session and a project.

        :param session: the session.
        :param project: the project.
        """
        ours = (publish for publish in self._running() if publish.session_token == session.token)
        return sum(publish.data_model.project_id == project.id for publish in ours)

    def finish_publishes(self) -> None:
        """Bring every running publish to its end now."""
        for publish in self._running():
            publish.finish(self.clock())

    def next_end(self) -> float | None:
        """When the next running publish ends, in seconds since the epoch."""
        return min((publish.ends_at for publish in self._running()), default=None)

    def _running(self) -> Iterator[Publish]:
        now = self.clock()
        return (publish for publish in self.publishes if publish.state(now) == "running")

    def _running_publish_of(self, model: DataModel) -> Publish | None:
        return next((publish for publish in self._running() if publish.data_model.id == model.id), None)

    # Time

    def sweep(self) -> None:
        """End what has been idle for too long. A session whose publish runs is not idle."""
        now, settings = self.clock(), self.settings
        busy = {publish.session_token for publish in self._running()}
        for session in list(self.sessions.values()):
            if session.token not in busy and now - session.last_used > settings.session_idle_seconds:
                self.events["expired_sessions"] += 1
                self._end(session)
            elif settings.instance_idle_seconds is not None:
                self._lose_idle_instances(session, now - settings.instance_idle_seconds)

    def _lose_idle_instances(self, session: Session, since: float) -> None:
        for instance in list(session.instances.values()):
            if instance.last_used < since:
                self.drop_instance(session.token, instance.id)


def _refresh(model: DataModel, table_id: str, policy: str) -> TableRefresh:
    table = next((table for table in model.tables if table.id == table_id), None)
    if table is None:
        raise Refused(answers.invalid_input(f"The data model has no table with ID '{table_id}'."))
    if policy not in REFRESH_POLICIES:
        raise Refused(answers.invalid_input(f"Invalid refresh policy '{policy}'."))
    return TableRefresh(table, policy)
