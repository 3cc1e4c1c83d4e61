# SPDX-License-Identifier: Apache-2.0
"""The seam: what to refresh, and what is special about starting it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Protocol, TypeVar, cast

from airflow_provider_mstr.refresh.job import Job, Log
from airflow_provider_mstr.refresh.options import DEFAULT_TIMEOUT, WhenBusy
from airflow_provider_mstr.rest.endpoints.auth import CLEANUP_RETRY_SECONDS, login, logout
from airflow_provider_mstr.rest.endpoints.projects import find_project_id
from airflow_provider_mstr.rest.endpoints.search import find_object_id
from airflow_provider_mstr.rest.flow import Flow, attempt
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.rest.text import clean, is_id
from airflow_provider_mstr.rest.words import NAME_WIDTH, fit

J = TypeVar("J", bound=Job)


class OnProgress(Protocol):
    """Stores how far a refresh is, before and after each step that must not be forgotten."""

    def __call__(self, job: Job, accepted: bool = False) -> object:  # pragma: no mutate - only a type
        """Store it.

        :param job: the job as it is; its start is stored before it is sent
        :param accepted: whether the server has accepted the start
        """


def ignore_progress(job: Job, accepted: bool = False) -> None:  # pragma: no mutate - not read
    """Store nothing.

    :param job: the job as it is
    :param accepted: whether the server has accepted the start
    """


@dataclass(frozen=True)
class StartContext:
    """What starting a job needs from its caller.

    :param credentials: who logs in
    :param clock: seconds since the epoch
    :param log: logs a line
    :param on_progress: stores how far the start is
    :param on_found: receives the job as soon as its object is known
    :param warn: receives the warning that the server is too old; None not to ask for its version
    :param owns_session: whether the start may close the session and open another
    """

    credentials: Credentials
    clock: Callable[[], float]
    log: Log
    warn: Callable[[str], object] | None = None
    on_progress: OnProgress = ignore_progress
    on_found: Callable[[Job], object] = ignore_progress
    owns_session: bool = True


@dataclass(frozen=True, kw_only=True)
class JobSpec(ABC, Generic[J]):
    """What to refresh, and what is special about starting it.

    A kind sets ``job_class``, and ``needs_idle_cube`` if only the cube shows the end of some loads, so that
    a load starts once the cube is idle and its last update can be compared.

    :param project: the project's id or name
    :param target: the object's id or name
    :param verify_last_update: whether to compare the cube's last update before and after
    :param when_busy: what to do if another job refreshes the object
    :param timeout: seconds to wait for that other job
    """

    job_class: ClassVar[type[Job]]
    needs_idle_cube: ClassVar[bool] = False

    project: str = ""
    target: str = ""
    verify_last_update: bool = True
    when_busy: WhenBusy = WhenBusy.WAIT
    timeout: float = DEFAULT_TIMEOUT

    def open(self, context: StartContext) -> Flow[J]:
        """Log in and open the object; leave no session open if that fails.

        :param context: what it needs from its caller
        """
        session = yield from login(context.credentials)
        try:
            context.on_progress(self.job_class(session, "", ""))
            project_id = yield from find_project_id(session, self.project)
            kind = self.job_class.object_kind
            object_id = yield from find_object_id(session, project_id, kind, self.target)
            name, project = (clean("" if is_id(each) else each) for each in (self.target, self.project))
            found = self.job_class(session, project_id, object_id, name, project)
            job = cast("J", found)
            if job.object_name:
                target = fit(repr(job.object_name), NAME_WIDTH)
                context.log(f"{kind.name.capitalize()} {target} is {object_id}")
            context.on_found(job)
            job = yield from self.open_object(job, context)
        except BaseException:
            yield from attempt(logout(session, CLEANUP_RETRY_SECONDS))
            raise
        context.on_progress(job)
        return job

    def reopen(self, job: J, context: StartContext) -> Flow[J]:
        """Return the job in a new session.

        :param job: the job, whose session is closed
        :param context: what it needs from its caller
        """
        opened = yield from replace(self, project=job.project_id, target=job.object_id).open(context)
        return replace(job, session=opened.session, **{name: getattr(opened, name) for name in job.details})

    def open_object(self, job: J, context: StartContext) -> Flow[J]:
        """Return the job with what its session must hold before the start.

        :param job: the job, in its session
        :param context: what it needs from its caller
        """
        yield from ()
        return job

    def prepare(self, job: J) -> Flow[J]:
        """Return the job as it is to be started.

        :param job: the job that was opened
        """
        yield from ()
        return job

    def log_start(self, job: J, log: Log) -> None:
        """Log what is started.

        :param job: the job
        :param log: logs a line
        """
        log(fit(f"Publishing {job.name}"))

    @abstractmethod
    def send(self, job: J) -> Flow[J]:
        """Send the start once, and return the job.

        :param job: the job
        """

    def renew(self, job: J) -> Flow[J]:
        """Return the job to start after a start that did nothing.

        :param job: the job
        """
        yield from ()
        return job
