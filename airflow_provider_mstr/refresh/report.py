# SPDX-License-Identifier: Apache-2.0
"""The run of an incremental refresh report, which loads its target cube (docs/strategy-rest-api.md 13.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from airflow_provider_mstr.refresh.cube import CubeJob
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.spec import JobSpec, StartContext
from airflow_provider_mstr.rest.endpoints.jobs import run_incremental_refresh
from airflow_provider_mstr.rest.endpoints.reports import get_incremental_refresh_report
from airflow_provider_mstr.rest.endpoints.search import INCREMENTAL_REFRESH_REPORT, ObjectKind
from airflow_provider_mstr.rest.flow import Flow


@dataclass(frozen=True)
class ReportJob(CubeJob):
    """The run of an incremental refresh report.

    :param target_cube_id: the id of the cube that it loads
    """

    kind: ClassVar[str] = "report"
    object_kind: ClassVar[ObjectKind] = INCREMENTAL_REFRESH_REPORT
    details: ClassVar[tuple[str, ...]] = ("job_id", "target_cube_id")

    target_cube_id: str = ""

    @property
    def cube_id(self) -> str:
        """The id of the cube that the report loads."""
        return self.target_cube_id


@dataclass(frozen=True, kw_only=True)
class ReportSpec(JobSpec[ReportJob]):
    """Which incremental refresh report to run."""

    job_class: ClassVar[type[Job]] = ReportJob
    needs_idle_cube: ClassVar[bool] = True

    def open_object(self, job: ReportJob, context: StartContext) -> Flow[ReportJob]:
        """Return the job with the report's target cube.

        :param job: the job, in its session
        :param context: what it needs from its caller
        """
        report = yield from get_incremental_refresh_report(job.session, job.project_id, job.object_id)
        return replace(job, target_cube_id=report.target_cube_id, object_name=report.name or job.object_name)

    def send(self, job: ReportJob) -> Flow[ReportJob]:
        """Run the report.

        :param job: the job
        """
        job_id = yield from run_incremental_refresh(job.session, job.project_id, job.object_id, job.name)
        return replace(job, job_id=job_id)
