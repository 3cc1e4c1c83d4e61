# SPDX-License-Identifier: Apache-2.0
"""The refresh of a cube: how its job is started, polled and closed (docs/strategy-rest-api.md 13.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import ClassVar, Self

from airflow_provider_mstr.refresh.job import (
    CONFIRMATION_PAUSE,
    CONFIRMATIONS,
    FIND_OUT_PAUSE,
    MAX_SECONDS_TO_FIND_OUT,
    Job,
    PollResult,
)
from airflow_provider_mstr.refresh.spec import JobSpec
from airflow_provider_mstr.rest.endpoints.auth import close_session
from airflow_provider_mstr.rest.endpoints.jobs import JobStatus, cancel_job, get_job, publish_cube
from airflow_provider_mstr.rest.endpoints.search import CUBE, ObjectKind
from airflow_provider_mstr.rest.errors import (
    InvalidResponse,
    MstrError,
    NotFound,
    PublishFailed,
    RequestFailed,
    ServerUnavailable,
)
from airflow_provider_mstr.rest.flow import Flow, Pause, attempt, with_retry_limit
from airflow_provider_mstr.rest.publish_status import State

# Seconds for which the cancellation of a job is retried; the logout that follows cancels the job too.
CANCEL_RETRY_SECONDS = 5.0

_FAILED_ADVICE = "Fix the cube or its source, or ask the Strategy administrator."
_PROMPT_ADVICE = "Remove the prompt from the cube, or give it a default answer."


@dataclass(frozen=True)
class CubeJob(Job):
    """The refresh of an Intelligent cube or super cube.

    :param job_id: the id of the job that loads it; empty if there is none, or if it is not known
    """

    kind: ClassVar[str] = "cube"
    object_kind: ClassVar[ObjectKind] = CUBE
    link_path: ClassVar[str] = "/app/{project_id}/{object_id}"
    details: ClassVar[tuple[str, ...]] = ("job_id",)

    job_id: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the cube is known, so that the job is more than its session."""
        return bool(self.object_id)

    def poll(self, retry_for: float) -> Flow[PollResult]:
        """Ask once for the status of the job.

        A job that is gone proves nothing: this raises an error, and the poller checks the last update.

        :param retry_for: seconds for which the request is retried
        :raises PublishFailed: if the job failed, or waits for an answer to a prompt
        :raises RequestFailed: if the job is gone
        :raises NoPrivilege: if the user may not read jobs
        """
        if not self.job_id:
            raise RequestFailed(f"the job that loads {self.name} is not known")
        status = yield from self._get_status(retry_for)
        if status.is_prompted:
            error = self._failed("it waits for an answer to a prompt, which nobody gives", _PROMPT_ADVICE)
            error.retryable = False
            raise error
        if status.state is State.FAILED:
            message = status.message or "the server reports no reason"
            raise self._failed(f"the job ended as {status.word}: {message}", _FAILED_ADVICE)
        return PollResult(status.state, self, status=status.word)

    def has_started(self, clock: Callable[[], float]) -> Flow[bool | None]:
        """Return whether a start without an answer has started a load; None if nothing shows it.

        :param clock: seconds since the epoch
        :raises SessionExpired: if the session is over
        """
        until = clock() + MAX_SECONDS_TO_FIND_OUT
        while not (yield from self.cube_shows_load()):
            if clock() >= until:
                return None
            yield Pause(FIND_OUT_PAUSE)
        return True

    def without_load(self) -> Self:
        """Return the job after its load has ended: closing it cancels nothing."""
        return replace(self, job_id="")

    def close(self) -> Flow[MstrError | None]:
        """Cancel the job if it may still run, and log out, which cancels it too.

        :return: why the job was cancelled only with its session
        :raises MstrError: if the session may still be open
        """
        problem = None
        try:
            if self.job_id:
                cancel = cancel_job(self.session, self.project_id, self.job_id, CANCEL_RETRY_SECONDS)
                problem = yield from attempt(cancel)
        finally:
            yield from close_session(self.session)
        return None if isinstance(problem, NotFound) else problem

    def _get_status(self, retry_for: float) -> Flow[JobStatus]:
        """Return the status of the job; some servers answer with error 500 if it is gone.

        :raises RequestFailed: if it is gone
        """
        job = (self.session, self.project_id, self.job_id)
        for _ in range(CONFIRMATIONS):
            try:
                return (yield from with_retry_limit(get_job(*job), retry_for, once=True))
            except NotFound as error:
                raise self._gone(error) from None
            except RequestFailed as error:
                gone = self._gone(error)
            except (ServerUnavailable, InvalidResponse) as error:
                if error.reply.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                    break
                gone = self._gone(error)
            cube = yield from self.last_update.read(self.session)
            if cube is None:
                # The server has a problem with more than this job.
                break
            if self.usable_last_update.is_older_than(cube):
                raise gone
            yield Pause(CONFIRMATION_PAUSE)
        else:
            raise gone
        return (yield from get_job(*job, retry_for))

    def _gone(self, error: MstrError) -> RequestFailed:
        return RequestFailed(f"the server no longer lists the job that loads {self.name}", error.reply)

    def _failed(self, reason: str, advice: str) -> PublishFailed:
        error = PublishFailed(f"the load of {self.name} failed: {reason}")
        error.advice = advice
        return error


@dataclass(frozen=True, kw_only=True)
class CubeSpec(JobSpec[CubeJob]):
    """Which cube to refresh."""

    job_class: ClassVar[type[Job]] = CubeJob
    needs_idle_cube: ClassVar[bool] = True

    def send(self, job: CubeJob) -> Flow[CubeJob]:
        """Publish the cube.

        :param job: the job
        """
        job_id = yield from publish_cube(job.session, job.project_id, job.object_id, job.name)
        return replace(job, job_id=job_id)
