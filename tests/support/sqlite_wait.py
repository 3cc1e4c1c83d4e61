# SPDX-License-Identifier: Apache-2.0
"""Lets Airflow wait for SQLite, which only one process writes at a time, on a busy machine too."""

from __future__ import annotations

from typing import Any

# Seconds; by default, SQLite answers "database is locked" after 5.
CONNECT_ARGS: dict[str, Any] = {"timeout": 120}
