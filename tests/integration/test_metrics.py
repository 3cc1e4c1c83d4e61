# SPDX-License-Identifier: Apache-2.0
"""What a statsd server receives of a refresh."""

from __future__ import annotations

import re
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from moments import finishing_once_asked
from workers import CUBE_WAYS, Way, every_way

from airflow_provider_mstr.observability import metrics
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.sandbox import PublishFailure, Sandbox

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

RETAIL = "9F4772B837604551B4D3CC916ADC5598"
TUTORIAL = "B7CA92F04B9FAE8D941C3E9B7E0CD754"
CUBE_OBJECTS = {"cube": "4B7D9E2A6C1F4830A5E8B3D7F0C6921A", "report": "1D9B6F3A8E1C4750A4F7C0B5E8D3196B"}

Received = Callable[[], list[str]]


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """A statsd server, which Airflow's tasks are told to send to; returns the metrics of ours it has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        settings = {"ON": "True", "HOST": "127.0.0.1", "PORT": str(server.getsockname()[1])}
        settings |= {"INFLUXDB_ENABLED": "True", "PREFIX": "airflow"}
        for name, value in settings.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", value)
        _configure_anew()
        yield lambda: [metric for metric in _datagrams(server) if metric.startswith("airflow.mstr.")]
    monkeypatch.undo()
    _configure_anew()


def _configure_anew() -> None:
    """Let Airflow read its configuration of metrics once more."""
    try:
        from airflow.sdk.observability import stats
        from airflow.sdk.observability.metrics import stats_utils
    except ImportError:
        _configure_older_anew()
        return
    if hasattr(stats, "initialize"):
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
    else:
        stats.Stats.initialize(factory=stats_utils.get_stats_factory(stats.Stats))


def _configure_older_anew() -> None:
    stats: Any = import_module("airflow.stats").Stats
    del type(stats).factory
    stats.instance = None
    # What is made of it sets its factory again.
    type(stats)("Stats", (), {})


def _datagrams(server: socket.socket) -> Iterator[str]:
    while True:
        try:
            yield server.recv(65536).decode()
        except BlockingIOError:
            return


def counts(received: list[str]) -> Counter[str]:
    """Return the sum of each counter, without its tags."""
    total: Counter[str] = Counter()
    for metric in received:
        if match := re.fullmatch(r"airflow\.([\w.]+)[^:]*:(\d+)\|c", metric):
            total[match[1]] += int(match[2])
    return total


@every_way
@pytest.mark.mstr_sandbox(publish_seconds=0.3)
def test_a_refresh_tells_its_duration_its_end_and_its_polls(
    refresh: Way, mstr_sandbox: Sandbox, received: Received
) -> None:
    result = refresh(RETAIL).outcome

    metric = received()
    (duration,) = (each for each in metric if each.startswith("airflow.mstr.refresh.duration"))
    name, _, milliseconds = duration.removesuffix("|ms").rpartition(":")
    assert set(name.split(",")[1:]) == {f"project={TUTORIAL}", f"data_model={RETAIL}", "state=finished"}
    assert float(milliseconds) == pytest.approx(result["seconds"] * 1000, abs=60)
    # The publish itself asks once, whether another job keeps it waiting.
    polls = mstr_sandbox.report().requests["publish_status"] - 1
    assert counts(metric) == {"mstr.refresh.ended.finished": 1, "mstr.refresh.polls": polls}


@pytest.mark.parametrize("way", CUBE_WAYS)
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_the_tags_of_a_cube_or_report_name_it(way: str, mstr_sandbox: Sandbox, received: Received) -> None:
    kind = way.partition(",")[0]

    with finishing_once_asked(mstr_sandbox, "get_job", 3):
        assert CUBE_WAYS[way](CUBE_OBJECTS[kind]).error is None

    metric = received()
    tags = f",project={TUTORIAL},{kind}={CUBE_OBJECTS[kind]}"
    (duration,) = (each for each in metric if each.startswith("airflow.mstr.refresh.duration"))
    assert duration.startswith(f"airflow.mstr.refresh.duration{tags},state=finished:")
    assert all(tags in each for each in metric)
    polls = mstr_sandbox.report().requests["get_job"]
    assert counts(metric) == {"mstr.refresh.ended.finished": 1, "mstr.refresh.polls": polls}


@every_way
@pytest.mark.mstr_sandbox(publish_failure=PublishFailure("error"))
def test_a_failure_counts_as_one(refresh: Way, received: Received) -> None:
    refresh(RETAIL)

    assert counts(received())["mstr.refresh.ended.failed"] == 1


@every_way
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_requests_that_were_sent_again_are_counted(
    refresh: Way, mstr_sandbox: Sandbox, received: Received
) -> None:
    mstr_sandbox.add_fault("publish_status", "status", status=503, after=4)

    with finishing_once_asked(mstr_sandbox, times=8):
        assert refresh(RETAIL).error is None

    assert counts(received())["mstr.refresh.retries"] == 1


def test_metrics_that_cannot_be_sent_fail_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.common.compat.sdk", None)

    metrics.ended(RefreshResult("data_model", "P1", "M1", State.FINISHED, True, 1.0, ()))
    metrics.polled(RefreshResult("data_model", "P1", "M1", State.FINISHED, True, 1.0, ()), 3, 1)
