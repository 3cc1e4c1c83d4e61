# SPDX-License-Identifier: Apache-2.0
"""The report and the record of the calls."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import FakeClock, Reply, a_session, answer, empty, play, refusal

from airflow_provider_mstr.probe.facts import CubeSeen, Facts, LastUpdate, Poll
from airflow_provider_mstr.probe.recorder import Recorder
from airflow_provider_mstr.probe.report import MAX_SPANS, write_report
from airflow_provider_mstr.rest.errors import ServerUnavailable
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import session_request

SEEN = CubeSeen(LastUpdate.SAME, processing=False, status=2)


def rows(facts: Facts, title: str = "Status over time", recorder: Recorder | None = None) -> list[str]:
    report = write_report(facts, recorder or Recorder(FakeClock()))
    table = report.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return table.strip().splitlines()[2:]


def recorded(method: str, path: str, reply: Reply) -> Recorder:
    recorder = Recorder(FakeClock())
    play(recorder.record(session_request(a_session(), "ask", method, path, json_object)), reply)
    return recorder


def test_polls_in_a_row_that_show_the_same_are_one_row() -> None:
    polls = [Poll(at=at, status=status, cube=SEEN) for at, status in ((0.0, 6), (1.0, 6), (2.5, 6), (3.0, 1))]
    assert rows(Facts(polls=polls)) == [
        "| 0.0 to 2.5 | 3 | 6 | no list | 2 | same |",
        "| 3.0 | 1 | 1 | no list | 2 | same |",
    ]


@pytest.mark.parametrize(
    ("poll", "shown"),
    [
        (Poll(status=1, is_text=True, tables=()), '| "1" | empty list |'),
        (Poll(status=1, message="Result ready"), "| 1 result ready | no list |"),
        (Poll(status=-1, message="Acme is down"), "| -1 with a message | no list |"),
        (Poll(status=0, tables=((1, "loaded"), (2, ""))), "| 0 | 1 loaded, 2 (no word) |"),
        (Poll(status=0, tables=((1, "two words"),)), "| 0 | 1 (another word) |"),
        (Poll(job="executing"), "| executing | no list |"),
        (Poll(), "| not asked | no list |"),
    ],
)
def test_a_poll_is_shown_by_its_number_and_words(poll: Poll, shown: str) -> None:
    (row,) = rows(Facts(polls=[poll]))
    assert shown in row
    assert row.endswith("| not readable | not readable |")


def test_many_tables_are_counted() -> None:
    words = [(number, "loaded" if number < 20 else "reserved") for number in range(1, 101)]
    (row,) = rows(Facts(polls=[Poll(status=6, tables=tuple(words))]))
    assert "| 19 loaded, 81 reserved |" in row


def test_a_long_timeline_is_cut() -> None:
    polls = [Poll(at=float(at), status=at % 2) for at in range(MAX_SPANS + 5)]
    shown = rows(Facts(polls=polls))
    assert (len(shown), shown[-1].split(" | ")[1]) == (MAX_SPANS + 1, "5 more rows")


def test_nothing_is_shown_of_what_was_not_seen() -> None:
    report = write_report(Facts(), Recorder(FakeClock()))
    assert "| end | the probe was interrupted |" in report
    assert "| list of jobs | not asked |" in report
    assert "| last update | not asked |" in report
    for title in ("Status over time", "Calls", "Fields", "Enums"):
        assert f"## {title}" not in report


def test_the_last_update_is_shown_relative_to_the_end() -> None:
    newer = CubeSeen(LastUpdate.NEWER, processing=False, status=2)
    polls = [Poll(at=1.0, status=1, cube=SEEN), Poll(at=3.5, status=1, cube=newer)]
    for ended_at, shown in ((1.0, "changes at 3.5 s, +2.5 s from the end"), (None, "changes at 3.5 s")):
        facts = Facts(polls=polls, ended_at=ended_at)
        assert f"| last update | {shown} |" in rows(facts, "Server")
    assert "| last update | does not change within 1.0 s |" in rows(Facts(polls=polls[:1]), "Server")


def test_a_list_of_jobs_is_shown_by_its_words() -> None:
    server = rows(Facts(job_words=["executing", "Größe"]), "Server")
    assert "| list of jobs | readable: executing, (another word) |" in server


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (answer({}), "HTTP 200"),
        (empty(), "HTTP 204 (InvalidResponse)"),
        (refusal(500, "ERR001", -2147072488), "HTTP 500 ERR001 -2147072488 (RequestFailed)"),
        (refusal(403, "ERR0014"), "HTTP 403 ERR014 (NoPrivilege)"),
        (refusal(400, "Acme"), "HTTP 400 (InvalidRequest)"),
        (refusal(400, "deadbeef"), "HTTP 400 -559038737 (InvalidRequest)"),
        (answer({"errors": [{"code": "8004cb09"}]}, 403), "HTTP 403 8004cb09 -2147169527 (NoPrivilege)"),
        (ServerUnavailable("acme.example.com is away"), "no answer (ServerUnavailable)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_is_shown_by_its_codes(reply: Reply, shown: str) -> None:
    recorder = recorded("GET", "/api/objects", reply)
    assert rows(Facts(), "Calls", recorder) == [f"| GET /api/objects | {shown} | 1 | 0.00 s |"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/v2/monitors/jobs/490:bm9kZQ==", "/api/v2/monitors/jobs/{id}"),
        ("/api/dataModels/9F4772B837604551B4D3CC916ADC5598/publish", "/api/dataModels/{id}/publish"),
        ("/api/projects/Acme%20Sales", "/api/projects/{id}"),
    ],
)
def test_an_id_in_a_path_is_not_shown(path: str, shown: str) -> None:
    (row,) = rows(Facts(), "Calls", recorded("GET", path, answer({})))
    assert row.startswith(f"| GET {shown} | HTTP 200 |")


def test_the_names_of_fields_are_shown_and_not_their_values() -> None:
    first, second = {"id": "1", "owner": {"Acme Corp": 1}}, {"cubeName": "Acme", "acme": 2}
    body: dict[str, Any] = {"cubesInfos": [first, second]}
    recorder = recorded("GET", "/api/cubes", answer(body))
    assert rows(Facts(), "Fields", recorder) == [
        "| GET /api/cubes | cubesInfos |",
        "| GET /api/cubes cubesInfos | id, owner, cubeName, (another word) |",
        "| GET /api/cubes cubesInfos owner | (another word) |",
    ]
