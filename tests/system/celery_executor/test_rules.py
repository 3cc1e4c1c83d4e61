# SPDX-License-Identifier: Apache-2.0
"""Each rule of the run on Celery reports what breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rules import broken
from seen import Kill, Seen

from airflow_provider_mstr.sandbox import PublishReport, Sandbox

FIRST, SECOND = (
    PublishReport(job, name, name, name, "administrator", "completed", None, 0.0, ())
    for job, name in enumerate(("first", "second"))
)


@pytest.fixture
def good() -> Seen:
    """A run in which every rule holds."""
    report = replace(Sandbox().report(), publishes=(FIRST, SECOND))
    kill = Kill("worker", tasks=2, running=1, took=(1.0,))
    return Seen(2, "success", 9.0, (kill,), tries=(1, 2), output="", report=report)


def test_nothing_is_told_of_a_run_in_which_every_rule_holds(good: Seen) -> None:
    assert list(broken(good)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"publishes": (FIRST,)}, "1 of 2 data models were published"),
        ({"publishes": (FIRST, SECOND, FIRST)}, "published more than once: first"),
        ({"publishes": (FIRST, replace(SECOND, state="failed"))}, "otherwise than well: {'failed': 1}"),
        ({"refused_by_session_cap": 3}, "3 calls were refused"),
        ({"lost_sessions": 1}, "1 sessions were lost"),
        ({"expired_sessions": 1}, "1 have idled out"),
        ({"open_sessions": 1}, "1 sessions and 0 instances are left"),
        ({"instances_open": 1}, "0 sessions and 1 instances are left"),
    ],
)
def test_what_the_server_saw_is_told_where_it_breaks_a_rule(
    change: dict[str, Any], expected: str, good: Seen
) -> None:
    (line,) = broken(replace(good, report=replace(good.report, **change)))
    assert expected in line


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"state": "failed"}, "the run is failed after 9 s"),
        ({"traces": frozenset({"airflow.log"})}, "a secret stands in airflow.log"),
        ({"left": ["airflow scheduler"]}, "processes are left: airflow scheduler"),
        ({"kills": (Kill("worker", 2, 2, (1.0,)),)}, "1 of 2 publishes went on that the worker had"),
        ({"kills": (Kill("triggerer", 0, 0, ()),)}, "0 of 0 publishes went on that the triggerer had"),
    ],
)
def test_what_airflow_did_is_told_where_it_breaks_a_rule(
    change: dict[str, Any], expected: str, good: Seen
) -> None:
    (line,) = broken(replace(good, **change))
    assert expected in line
