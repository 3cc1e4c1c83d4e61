# SPDX-License-Identifier: Apache-2.0
"""Which kinds of refresh there are."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from airflow_provider_mstr.refresh.cube import CubeJob
from airflow_provider_mstr.refresh.data_model import DataModelJob
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.literals import parse_literal
from airflow_provider_mstr.refresh.report import ReportJob
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.rest.errors import InvalidHandle

JOBS: dict[str, type[Job]] = {job.kind: job for job in (DataModelJob, CubeJob, ReportJob)}


def load_job(handle: Any, seal: Seal) -> Job:
    """Return the job of a handle.

    :param handle: what ``Job.to_json`` returned, or the text that a template made of it
    :param seal: the connection's seal
    :raises InvalidHandle: if it is something else, or was sealed under another connection
    """
    data = parse_literal(handle) if isinstance(handle, str) else handle
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in JOBS:
        raise InvalidHandle(f"instance is {reprlib.repr(handle)}, not a handle of a refresh")
    return JOBS[kind].from_json(data, seal)
