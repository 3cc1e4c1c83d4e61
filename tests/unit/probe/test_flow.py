# SPDX-License-Identifier: Apache-2.0
"""When the polls of a probe end, and what it does not send twice."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from scripted import (
    CITY,
    INSTANCE_LOST,
    MODEL,
    PROJECT,
    YTD_DAY,
    FakeClock,
    Reply,
    a_session,
    answer,
    created,
    empty,
    published,
    refusal,
    serve,
    table_list,
    table_row,
)

from airflow_provider_mstr.probe import flow
from airflow_provider_mstr.probe.facts import End, Facts
from airflow_provider_mstr.probe.flow import CubeProbe, DataModelProbe
from airflow_provider_mstr.probe.recorder import Recorder
from airflow_provider_mstr.rest.errors import ServerUnavailable
from airflow_provider_mstr.rest.messages import Request, Response

IDLE, LOADING, LOADED = (2, "01/02/2026 03:04:05"), (3, "01/02/2026 03:04:05"), (2, "01/02/2026 04:04:05")
GONE = ServerUnavailable("away")
HIDDEN = refusal(403, "ERR014")


class Server:
    """Answers each poll from a list, of which the last entry is repeated; all else as it succeeds.

    :param statuses: the answers of publishStatus, or of a job, after the start
    :param cubes: the answers about the cube, after the start
    """

    def __init__(self, statuses: list[Reply], cubes: list[Any], start: Reply | None = None) -> None:
        self.clock = FakeClock()
        self.statuses, self.cubes, self.start = statuses, cubes, start
        self.is_started = False
        self.sent: list[str] = []

    def __call__(self, request: Request[Any]) -> Reply:
        path = request.path
        self.sent.append(f"{request.method} {path.rpartition('/')[2]}")
        if path.endswith("/publish") or (request.method, path) == ("POST", f"/api/v2/cubes/{MODEL}"):
            self.is_started = True
            return self.start or (empty() if path.endswith("/publish") else answer({"id": "7:n"}, 202))
        if path.endswith("/publishStatus") or "/jobs/" in path:
            return self._next(self.statuses) if self.is_started else published(0)
        if path == "/api/cubes":
            return _cube(self._next(self.cubes) if self.is_started else self.cubes[0])
        if path.endswith(f"dataModels/{MODEL}/instances"):
            return created()
        if path.endswith("/tables"):
            return table_list(table_row(YTD_DAY, "ytd_day"), table_row(CITY, "city_mnth_sls"))
        return refusal(404, "ERR004")

    @staticmethod
    def _next(left: list[Any]) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]


def _cube(shown: Any) -> Reply:
    if isinstance(shown, Response):
        return shown
    status, updated = shown
    return answer({"cubesInfos": [{"status": status, "lastUpdateTime": updated}]})


def probed(server: Server, *, is_cube: bool = False, timeout: float = 3600) -> Facts:
    recorder = Recorder(server.clock)
    kind = CubeProbe if is_cube else DataModelProbe
    probe = kind(recorder, a_session(), PROJECT, MODEL, timeout, lambda line: None)
    assert serve(recorder.record(probe.run()), server, server.clock).error is None
    return probe.facts


def job(word: str) -> Response:
    return answer({"status": word})


RUNNING, DONE = published(6, (YTD_DAY, "reserved"), (CITY, "reserved")), published(1)
NUMBERS_ONLY = answer({"status": 6})

ENDS: dict[str, tuple[list[Reply], list[Any], End]] = {
    "all tables": ([RUNNING, published(6, (YTD_DAY, "loaded"), (CITY, "completed"))], [IDLE], End.TABLES),
    "one table of two": ([published(1, (YTD_DAY, "loaded"))], [IDLE, IDLE, LOADED], End.UPDATED),
    "a failed table": ([published(1, (YTD_DAY, "error"), (CITY, "reserved"))], [IDLE], End.TABLE_FAILED),
    "a negative number": ([RUNNING, answer({"status": -2147212544})], [IDLE], End.NUMBER),
    "the number 3": ([answer({"status": "3"})], [IDLE], End.NUMBER),
    "the last update": ([NUMBERS_ONLY, DONE], [IDLE, LOADING, LOADED], End.UPDATED),
    "1, and the cube is hidden": ([DONE], [HIDDEN], End.QUIET),
    "1, and the cube stays the same": ([DONE], [IDLE], End.QUIET),
    "an error that stays": ([RUNNING, refusal(500, "ERR001", -2147212544)], [IDLE], End.ERROR),
    "a lost instance": ([RUNNING, INSTANCE_LOST], [IDLE], End.INSTANCE_LOST),
    "a lost session": ([RUNNING, refusal(401, "ERR009")], [IDLE], End.SESSION_LOST),
    "a load without an end": ([RUNNING], [IDLE], End.TIMEOUT),
    "a busy model": ([published(-2147072194)], [IDLE], End.TIMEOUT),
    "errors while the cube loads": ([INSTANCE_LOST], [LOADING], End.TIMEOUT),
}


@pytest.mark.parametrize("story", ENDS)
def test_the_polls_end_with_the_load(story: str) -> None:
    statuses, cubes, end = ENDS[story]
    facts = probed(Server(list(statuses), list(cubes)))
    assert facts.end is end
    after_the_end = 0 if end in (End.SESSION_LOST, End.TIMEOUT) else flow.POLLS_AFTER_END
    assert facts.polls[-1 - after_the_end].at == facts.ended_at


JOBS: dict[str, tuple[list[Reply], list[Any], End]] = {
    "completed": ([job("executing"), job("completed")], [IDLE], End.JOB),
    "a prompt": ([job("waiting_for_autoprompt")], [IDLE], End.JOB),
    "gone": ([job("executing"), refusal(404, "ERR004")], [IDLE], End.JOB_GONE),
    "gone, while the cube loads": ([refusal(404, "ERR004")], [LOADING], End.TIMEOUT),
    "hidden, and the last update": ([HIDDEN], [IDLE, LOADING, LOADED], End.UPDATED),
    "hidden, and the cube stays the same": ([HIDDEN], [IDLE], End.QUIET),
    "a lost session": ([refusal(401, "ERR009")], [IDLE], End.SESSION_LOST),
    "a job without an end": ([job("executing")], [IDLE], End.TIMEOUT),
}


@pytest.mark.parametrize("story", JOBS)
def test_the_polls_of_a_cube_end_with_its_job(story: str) -> None:
    statuses, cubes, end = JOBS[story]
    assert probed(Server(list(statuses), list(cubes)), is_cube=True).end is end


@pytest.mark.parametrize(
    ("status", "cube", "start", "at_least"),
    [
        (DONE, IDLE, None, flow.QUIET_SECONDS),
        (published(0), IDLE, None, flow.LONG_QUIET_SECONDS),
        (published(0), HIDDEN, None, flow.LONG_QUIET_SECONDS),
        (published(0), IDLE, GONE, flow.QUIET_SECONDS),
    ],
    ids=["1", "0", "0 without a cube", "0 after a lost start"],
)
def test_a_load_that_shows_nothing_is_given_up_sooner_if_it_may_have_ended(
    status: Reply, cube: Any, start: Reply | None, at_least: float
) -> None:
    facts = probed(Server([status], [cube], start))
    assert facts.end is End.QUIET
    assert facts.ended_at is not None
    assert at_least <= facts.ended_at < at_least + 2 * flow.MAX_PAUSE


@pytest.mark.parametrize("is_cube", [False, True])
def test_a_start_without_an_answer_is_sent_once(is_cube: bool) -> None:
    server = Server([RUNNING], [IDLE, LOADING, LOADED], GONE)
    facts = probed(server, is_cube=is_cube)
    assert facts.accepted is None
    assert sum(call in ("POST publish", f"POST {MODEL}") for call in server.sent) == 1


def test_a_start_that_is_refused_is_not_polled() -> None:
    server = Server([RUNNING], [IDLE], refusal(403, "ERR014"))
    facts = probed(server)
    assert (facts.accepted, facts.end, facts.polls, facts.ended_at) == (False, End.REFUSED, [], None)


def test_the_pauses_grow_up_to_a_limit() -> None:
    facts = probed(Server([RUNNING], [IDLE]))
    times = [poll.at for poll in facts.polls]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert (pauses[0], pauses[-1], pauses == sorted(pauses)) == (flow.MIN_PAUSE, flow.MAX_PAUSE, True)


@pytest.mark.parametrize(
    ("date", "is_utc"),
    [
        ("Fri, 02 Jan 2026 04:04:30 GMT", True),
        ("Fri, 02 Jan 2026 02:04:30 GMT", False),
        ("soon", None),
        (None, None),
    ],
)
def test_the_zone_of_the_last_update_is_that_of_the_date_of_the_response(
    date: str | None, is_utc: bool | None
) -> None:
    server = Server([DONE], [IDLE, LOADED])
    headers = {} if date is None else {"Date": date}
    loaded = answer({"cubesInfos": [{"status": 2, "lastUpdateTime": LOADED[1]}]}, **headers)
    server.cubes[1] = loaded
    assert probed(server).is_utc is is_utc


def test_a_cube_that_was_never_loaded_has_no_last_update_before_the_first_one() -> None:
    facts = probed(Server([DONE], [(0, None), (1, None), LOADED]))
    assert [poll.cube.last_update for poll in facts.polls][:3] == ["same", "same", "newer"]
