# SPDX-License-Identifier: Apache-2.0
"""The fields of the log lines of a refresh in Airflow 3's log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_mstr.observability.log_fields import log_fields, with_fields

contextvars = pytest.importorskip("structlog.contextvars")


Lines = list[tuple[str, dict[str, Any]]]


def current_fields() -> dict[str, Any]:
    """Return the fields that Airflow's log would add to a line that is logged now."""
    return dict(contextvars.get_contextvars())


def log_to(lines: Lines) -> Callable[..., None]:
    """Return a log that stores each line with its fields."""
    return with_fields(lambda line: lines.append((line, current_fields())))


def test_fields_are_added_to_the_lines_of_the_block_and_no_others() -> None:
    with log_fields(table="a"):
        assert current_fields() == {"table": "a"}

    assert current_fields() == {}


def test_a_line_without_fields_has_none() -> None:
    lines: Lines = []

    log_to(lines)("a line")

    assert lines == [("a line", {})]
    with log_fields():
        assert current_fields() == {}
