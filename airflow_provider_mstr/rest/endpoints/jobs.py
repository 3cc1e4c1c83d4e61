# SPDX-License-Identifier: Apache-2.0
"""Jobs: those that load a cube, and their status in the job monitor (docs/strategy-rest-api.md 13.1)."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.responses import expect_empty, json_object
from airflow_provider_mstr.rest.session import Session, session_request
from airflow_provider_mstr.rest.text import MAX_MESSAGE, clean, id_advice, object_id, path_segment

_ENDED = {"completed": State.FINISHED, "error": State.FAILED, "stopped": State.FAILED}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The status of a job.

    :param word: the server's word for it, in lower case
    :param message: why the job failed; empty if the server does not report it
    """

    word: str
    message: str = ""

    @property
    def state(self) -> State:
        """The state that the word means; an unknown word means running."""
        return _ENDED.get(self.word, State.RUNNING)

    @property
    def is_prompted(self) -> bool:
        """Whether the job waits for a user's answer to a prompt."""
        return self.word == "waiting_for_autoprompt"


def publish_cube(session: Session, project_id: str, cube_id: str, name: str) -> Flow[str]:
    """Start the load of a cube (``POST /api/v2/cubes/{id}``), which is not idempotent.

    :param session: the session; its end cancels the job
    :param project_id: the project's id
    :param cube_id: the cube's id
    :param name: how errors name the cube
    :return: the id of the job in the job monitor
    """
    path = f"/api/v2/cubes/{path_segment(cube_id)}"
    return (
        yield from session_request(
            session,
            f"publish {name}",
            "POST",
            path,
            _id,
            project_id,
            repeatable=False,
            object_advice=id_advice("cube_id", "cube"),
        )
    )


def run_incremental_refresh(session: Session, project_id: str, report_id: str, name: str) -> Flow[str]:
    """Run an incremental refresh report (``POST /api/incrementalRefresh/{id}``), which is not idempotent.

    :param session: the session; its end cancels the job
    :param project_id: the project's id
    :param report_id: the report's id
    :param name: how errors name the report
    :return: the id of the job in the job monitor
    """
    path = f"/api/incrementalRefresh/{path_segment(report_id)}"
    return (
        yield from session_request(
            session,
            f"run {name}",
            "POST",
            path,
            _id,
            project_id,
            query={"executionStage": "execute_data"},
            repeatable=False,
            object_advice=id_advice("report_id", "incremental refresh report"),
        )
    )


def get_job(
    session: Session, project_id: str, job_id: str, retry_for: float | None = None
) -> Flow[JobStatus]:
    """Return the status of a job (``GET /api/v2/monitors/jobs/{id}``). The server forgets an ended job.

    :param session: the session
    :param project_id: the project's id
    :param job_id: the job's id
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    :raises NotFound: if the job monitor does not list the job; some servers report this as error 500
    :raises NoPrivilege: if the user has no privilege to monitor jobs
    """
    purpose = "read the status of the job"
    return (
        yield from session_request(
            session,
            purpose,
            "GET",
            _path(job_id),
            _status,
            project_id,
            retry_for=retry_for,
            about=f"job {job_id}",
        )
    )


def cancel_job(session: Session, project_id: str, job_id: str, retry_for: float | None = None) -> Flow[None]:
    """Cancel a job (``DELETE /api/v2/monitors/jobs/{id}``).

    :param session: the session
    :param project_id: the project's id
    :param job_id: the job's id
    :param retry_for: the maximum total retry time, and the maximum timeout of one answer
    :raises NotFound: if the job monitor does not list the job
    :raises NoPrivilege: if the user has no privilege to cancel jobs
    """
    yield from session_request(
        session,
        "cancel the job",
        "DELETE",
        _path(job_id),
        expect_empty,
        project_id,
        retry_for=retry_for,
        about=f"job {job_id}",
    )


def _path(job_id: str) -> str:
    return f"/api/v2/monitors/jobs/{path_segment(job_id)}"


def _id(response: Response) -> str:
    return object_id(json_object(response).get("id"), "the job")


def _status(response: Response) -> JobStatus:
    payload = json_object(response)
    word = payload.get("status")
    if not isinstance(word, str) or not word.strip():
        raise InvalidResponse("unexpected response format: the job has no status")
    return JobStatus(clean(word).lower(), clean(str(payload.get("errorMessage") or ""), MAX_MESSAGE))
