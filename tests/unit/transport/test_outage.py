# SPDX-License-Identifier: Apache-2.0
"""The log lines about a server that does not answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from scripted import FakeClock

from airflow_provider_mstr.rest.errors import ServerReply, ServerUnavailable
from airflow_provider_mstr.rest.messages import Request
from airflow_provider_mstr.rest.responses import expect_empty
from airflow_provider_mstr.rest.words import MAX_LINE
from airflow_provider_mstr.transport.outage import LOG_INTERVAL, Outage

UNAVAILABLE = ServerUnavailable("could not log in: connection refused")
LOGIN = Request("log in", "POST", "/api/auth/login", expect_empty)
SINCE = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@dataclass
class Watch:
    """An outage with its clock and its log."""

    clock: FakeClock = field(default_factory=FakeClock)
    logged: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock.now = SINCE
        self.outage = Outage(self._log, self.clock)

    def _log(self, line: str, **fields: Any) -> None:
        self.logged.append((line, fields))


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_the_first_retry_is_logged_with_its_cause_and_time(watch: Watch) -> None:
    watch.outage.on_retry(LOGIN, UNAVAILABLE)
    line = "connection refused; retrying since 00:00:00 UTC"
    assert watch.logged == [(line, {"server": "unavailable", "since": "2026-01-01T00:00:00+00:00"})]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ServerUnavailable("could not log in", ServerReply(message="Restarting.")), "Restarting."),
        (ServerUnavailable("could not log in"), "the server failed"),
        (ServerUnavailable(f"could not log in: {'x' * 200}"), f"{'x' * 69}\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_a_line_is_short_and_begins_with_the_cause(
    watch: Watch, error: ServerUnavailable, cause: str
) -> None:
    watch.outage.on_retry(LOGIN, error)
    ((line, _),) = watch.logged
    assert line == f"{cause}; retrying since 00:00:00 UTC"
    assert len(line) <= MAX_LINE


def test_more_retries_are_logged_now_and_then_and_have_the_time_of_the_first(watch: Watch) -> None:
    for _ in range(4):
        watch.outage.on_retry(LOGIN, UNAVAILABLE)
        watch.clock.now += LOG_INTERVAL / 2
    assert [fields["since"] for _, fields in watch.logged] == ["2026-01-01T00:00:00+00:00"] * 2
    assert watch.outage.retries == 4


def test_the_answer_after_retries_is_logged_once(watch: Watch) -> None:
    watch.outage.on_retry(LOGIN, UNAVAILABLE)
    watch.clock.now += 42.0
    watch.outage.on_answer()
    watch.outage.on_answer()
    assert watch.logged[1:] == [("The server answers again, after 42 s", {"server": "available"})]


def test_an_answer_without_retries_is_not_logged(watch: Watch) -> None:
    watch.outage.on_answer()
    assert watch.logged == []


def test_the_next_outage_has_a_time_of_its_own(watch: Watch) -> None:
    watch.outage.on_retry(LOGIN, UNAVAILABLE)
    watch.outage.on_answer()
    watch.clock.now += 1.0
    watch.outage.on_retry(LOGIN, UNAVAILABLE)
    assert watch.logged[-1][1]["since"] == "2026-01-01T00:00:01+00:00"
