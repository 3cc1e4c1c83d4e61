# SPDX-License-Identifier: Apache-2.0
"""A simulated Strategy Library server, for demos and for tests of DAGs that refresh data models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_mstr.sandbox.api import Request
    from airflow_provider_mstr.sandbox.clock import Clock
    from airflow_provider_mstr.sandbox.faults import Fault
    from airflow_provider_mstr.sandbox.report import JobReport, PublishReport, Report, TableReport
    from airflow_provider_mstr.sandbox.running import Sandbox
    from airflow_provider_mstr.sandbox.settings import Settings
    from airflow_provider_mstr.sandbox.world import (
        DEFAULT_WORLD,
        Cube,
        DataModel,
        IncrementalRefreshReport,
        Project,
        PublishFailure,
        Source,
        Table,
        User,
        World,
    )

_MODULES = {
    "Clock": "clock",
    "Cube": "world",
    "DEFAULT_WORLD": "world",
    "DataModel": "world",
    "Fault": "faults",
    "IncrementalRefreshReport": "world",
    "JobReport": "report",
    "Project": "world",
    "PublishFailure": "world",
    "PublishReport": "report",
    "Report": "report",
    "Request": "api",
    "Sandbox": "running",
    "Settings": "settings",
    "Source": "world",
    "Table": "world",
    "TableReport": "report",
    "User": "world",
    "World": "world",
}

__all__ = [
    "DEFAULT_WORLD",
    "Clock",
    "Cube",
    "DataModel",
    "Fault",
    "IncrementalRefreshReport",
    "JobReport",
    "Project",
    "PublishFailure",
    "PublishReport",
    "Report",
    "Request",
    "Sandbox",
    "Settings",
    "Source",
    "Table",
    "TableReport",
    "User",
    "World",
]


def __getattr__(name: str) -> Any:
    # pytest imports the plugin in every run, so the import of this package must be cheap.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
