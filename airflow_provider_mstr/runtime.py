# SPDX-License-Identifier: Apache-2.0
"""The modules that a task needs only once it runs, each loaded when it is first asked for.

DAG files are parsed over and over, and what they import is loaded each time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_mstr import (
        adoption,
        assets,
        deferral,
        facts,
        hooks,
        lineage,
        metrics,
        refresh,
        summary,
        triggers,
        watch,
    )

__all__ = [
    "adoption",
    "assets",
    "deferral",
    "facts",
    "hooks",
    "lineage",
    "metrics",
    "refresh",
    "summary",
    "triggers",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"airflow_provider_mstr.{name}")
