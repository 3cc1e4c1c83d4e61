# SPDX-License-Identifier: Apache-2.0
"""``airflow mstr probe``: what it asks, does, writes and leaves."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import needs
import pytest
from airflow.cli.cli_parser import get_parser
from interruptions import assert_interruption_stops_the_load

from airflow_provider_mstr.cli import probe
from airflow_provider_mstr.rest.flow import Flow, Pause
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.sandbox import DEFAULT_WORLD, PublishFailure, Sandbox
from airflow_provider_mstr.sandbox.world import REGION_CUBE, RETAIL, SALES_CUBE, TUTORIAL

pytestmark = [needs.COMMANDS, pytest.mark.usefixtures("mstr_connection", "brisk")]

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
OPTIONAL = ("status", "openapi", "nodes", "cubes", "data_model", "list_jobs", "cube_caches", "query_cube")
UNMONITORED = replace(
    DEFAULT_WORLD, users=(replace(DEFAULT_WORLD.users[0], can_monitor=False), *DEFAULT_WORLD.users[1:])
)
UNPRIVILEGED = replace(
    DEFAULT_WORLD, users=(replace(DEFAULT_WORLD.users[0], can_publish=False), *DEFAULT_WORLD.users[1:])
)


@dataclass(frozen=True)
class CompletedProbe:
    """A completed probe.

    :param status: its exit status
    :param report: what it wrote; empty if it wrote nothing
    """

    status: int
    out: str
    err: str
    report: str

    def rows(self, title: str) -> dict[str, str]:
        """The second column of a table of the report, by the first."""
        table = self.report.partition(f"## {title}\n")[2].partition("\n## ")[0]
        rows = (line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|"))
        return {row[0]: row[1] for row in rows}


Run = Callable[..., CompletedProbe]


@pytest.fixture(scope="module", autouse=True)
def parser() -> None:
    """Let Airflow build its parser, which it keeps, while it still can write to the terminal."""
    get_parser()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``airflow mstr probe`` in a folder of its own, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> CompletedProbe:
        capsys.readouterr()
        args = get_parser().parse_args(["mstr", "probe", *words])
        status = 0
        try:
            args.func(args)
        except SystemExit as left:
            status = int(left.code or 0)
        printed, report = capsys.readouterr(), tmp_path / "mstr-probe.md"
        return CompletedProbe(status, printed.out, printed.err, report.read_text() if report.exists() else "")

    return run


def nothing_left(sandbox: Sandbox) -> bool:
    report = sandbox.report()
    return (report.open_sessions, report.instances_open, report.jobs_running) == (0, 0, 0)


def names_of(sandbox: Sandbox) -> list[str]:
    """The names, ids and secrets of the sandbox, of which nothing may be in a report."""
    world = DEFAULT_WORLD
    tables = [table for model in world.data_models for table in model.tables]
    objects = [*world.projects, *world.data_models, *world.cubes, *tables]
    texts = [text for each in objects for text in (each.id, each.name)]
    users = [user.name for user in world.users]
    return [*texts, *users, *sandbox.secrets(), "sandbox-iserver", "127.0.0"]


@pytest.mark.mstr_sandbox(publish_seconds=0.5)
def test_a_data_model_is_refreshed_once_and_described(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("retail", "--yes")
    server, readings, calls = (ran.rows(title) for title in ("Server", "Readings", "Calls"))
    report = mstr_sandbox.report()

    assert (ran.status, ran.out, report.logins, len(report.publishes)) == (0, "", 1, 1)
    assert "The report is in mstr-probe.md" in ran.err
    assert nothing_left(mstr_sandbox)
    assert (server["iServerVersion"], server["end"].split(",")[0]) == (
        "11.5.0800.0250",
        "every table is loaded",
    )
    assert server["last update"].startswith("changes at ")
    assert server["rows in the monitor of caches"] == server["rows by a query of the cube"] == "readable"
    assert readings["3.1 1 is the end of a load"] == "matches"
    assert readings["3.2 0 is the end of a load, and 1 is running"] == "contradicts"
    assert calls["POST /api/dataModels/{id}/publish"] == calls["POST /api/auth/logout"] == "HTTP 204"
    assert ran.rows("Enums of openapi.json")["DataModelTableRefreshPolicy"].startswith(
        "reserved, add, delete"
    )
    assert [name for name in names_of(mstr_sandbox) if name.lower() in ran.report.lower()] == []


@pytest.mark.mstr_sandbox(publish_seconds=0.3, reading="loaded")
def test_the_other_reading_is_recognized(run: Run, mstr_sandbox: Sandbox) -> None:
    readings = run("Retail", "-y").rows("Readings")
    assert readings["3.1 1 is the end of a load"] == "contradicts"
    assert readings["3.2 0 is the end of a load, and 1 is running"] == "matches"
    assert readings["3.4 a loaded table is loaded"] == "matches"


@pytest.mark.mstr_sandbox(publish_seconds=0.3)
@pytest.mark.parametrize("by", ["id", "name"])
def test_a_cube_is_refreshed_once_and_described(by: str, run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("--cube", getattr(SALES_CUBE, by), "--yes")
    assert (ran.status, mstr_sandbox.report().cubes_started) == (0, {SALES_CUBE.name: 1})
    assert ran.rows("Server")["end"].startswith("the job has ended")
    assert ran.rows("Readings")["13.1 the job is readable"] == "matches"
    assert [name for name in names_of(mstr_sandbox) if name.lower() in ran.report.lower()] == []
    assert nothing_left(mstr_sandbox)


@pytest.mark.mstr_sandbox(ended_job_seconds=0)
def test_a_job_that_vanishes_is_described(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("--cube", SALES_CUBE.name, "--yes")
    assert ran.rows("Readings")["13.1 the monitor still shows a job that has ended"] == "contradicts"
    assert "HTTP 404 ERR004 (NotFound)" in ran.report


def test_a_cube_that_waits_for_a_prompt_is_cancelled(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("--cube", REGION_CUBE.name, "--yes")
    assert (ran.status, "waiting_for_autoprompt" in ran.report) == (0, True)
    assert nothing_left(mstr_sandbox)


# The question


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "yesterday\n"])
def test_nothing_is_done_without_a_yes(
    answer: str, run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    ran = run("Retail")
    assert "This refreshes data model Retail of project Tutorial now. Continue? [y/N]" in ran.err
    assert (ran.status, ran.report, mstr_sandbox.requests) == (1, "", ())


def test_the_question_names_a_cube(run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n"))
    ran = run("--cube", "Sales Cube", "--project", "Sales")
    assert ran.err.splitlines()[0] == "This refreshes cube Sales Cube of project Sales now. Continue? [y/N]"


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_a_yes_starts_the_probe(
    answer: str, run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert run("Retail").rows("Server")["start"] == "accepted"


# What fails is an observation

FAILURES = {
    "schema_comparison_error": ("a table has failed", "3.4 a failure is the word of a table"),
    "error": ("a table has failed", "3.4 a failure is the word of a table"),
    "negative_status": ("publishStatus is a failure", "3.1 a failure is 2, 3 or a negative number"),
    "status_3": ("publishStatus is a failure", "3.1 a failure is 2, 3 or a negative number"),
    "http_500": ("publishStatus answers with an error", "3.2 a failure comes as HTTP 500"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_load_that_fails_is_described(kind: Any, run: Run, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_failure=PublishFailure(kind, message="Acme's table is broken"))
    ran = run("Retail", "--yes")
    end, reading = FAILURES[kind]
    assert (ran.status, ran.rows("Server")["end"].split(",")[0]) == (0, end)
    assert ran.rows("Readings")[reading] == "matches"
    assert "Acme" not in ran.report
    assert nothing_left(mstr_sandbox)


@pytest.mark.parametrize(
    ("fault", "end", "publishes"),
    [("lost_after", "every table is loaded", 1), ("lost_before", "nothing changes any more", 0)],
)
def test_a_publish_without_an_answer_is_not_sent_again(
    fault: Any, end: str, publishes: int, run: Run, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("publish", fault)
    ran = run("Retail", "--yes")
    assert ran.rows("Server")["start"] == "no valid answer"
    assert ran.rows("Server")["end"].split(",")[0] == end
    assert ran.rows("Calls")["POST /api/dataModels/{id}/publish"] == "no answer (ServerUnavailable)"
    assert (len(mstr_sandbox.report().publishes), mstr_sandbox.report().requests["publish"]) == (publishes, 1)
    assert nothing_left(mstr_sandbox)


def test_endpoints_that_are_absent_are_described(run: Run, mstr_sandbox: Sandbox) -> None:
    for call in OPTIONAL:
        mstr_sandbox.add_fault(call, "status", status=404, times=None)
    ran = run("Retail", "--yes")
    server = ran.rows("Server")
    assert (ran.status, server["end"].split(",")[0]) == (0, "every table is loaded")
    assert server["openapi.json"] == "HTTP 404 (InvalidResponse)"
    assert (server["last update"], server["iServerVersion"]) == ("not readable", "not readable")
    assert server["rows in the monitor of caches"] == "not asked"
    assert "Enums of openapi.json" not in ran.report
    assert nothing_left(mstr_sandbox)


@pytest.mark.mstr_sandbox(world=UNMONITORED)
def test_a_user_without_the_privilege_of_monitors_sees_that(run: Run, mstr_sandbox: Sandbox) -> None:
    refused = "HTTP 403 ERR014 -2147213784 (NoPrivilege)"
    ran = run("Retail", "--yes")
    assert ran.rows("Server")["list of jobs"] == refused
    assert ran.rows("Calls")["GET /api/monitors/iServer/nodes"] == refused
    of_cube = run("--cube", SALES_CUBE.name, "--yes")
    assert of_cube.rows("Server")["end"].startswith("the last update is newer, and the cube is idle")
    assert of_cube.rows("Readings")["13.1 the job is readable"] == "contradicts"
    assert nothing_left(mstr_sandbox)


@pytest.mark.mstr_sandbox(world=UNPRIVILEGED)
def test_a_publish_that_is_refused_is_described(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("Retail", "--yes")
    server = ran.rows("Server")
    assert (ran.status, server["start"], server["end"]) == (0, "refused", "the server refused the start")
    assert ran.rows("Calls")["POST /api/dataModels/{id}/publish"].startswith("HTTP 403 ERR014")
    assert nothing_left(mstr_sandbox)


def test_a_project_that_is_full_is_described(run: Run, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(session_cap=0)
    ran = run(RETAIL.id, "--project", TUTORIAL.id, "--yes")
    assert ran.rows("Server")["start"] == "refused"
    assert ran.rows("Calls")["POST /api/dataModels/{id}/instances"].endswith("-2147072486 (SessionLimit)")
    assert nothing_left(mstr_sandbox)


@pytest.mark.parametrize("lost", ["session_lost", "instance_lost"])
@pytest.mark.mstr_sandbox(publish_seconds=60)
def test_a_session_or_instance_that_is_lost_ends_the_polls(
    lost: Any, run: Run, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("publish_status", lost, after=3)
    ran = run("Retail", "--yes")
    assert ran.rows("Server")["end"].startswith(f"the {lost.removesuffix('_lost')} is lost, after")
    assert nothing_left(mstr_sandbox)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_that_takes_too_long_is_stopped(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("Retail", "--yes", "--timeout", "0.3")
    assert ran.rows("Server")["end"].startswith("the timeout has passed, after 0.")
    assert mstr_sandbox.report().publishes[0].state == "cancelled"
    assert nothing_left(mstr_sandbox)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_job_that_takes_too_long_is_cancelled(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("--cube", SALES_CUBE.name, "--yes", "--timeout", "0.3")
    assert ran.rows("Server")["end"].startswith("the timeout has passed, after 0.")
    assert ran.rows("Calls")["DELETE /api/v2/monitors/jobs/{id}"] == "HTTP 204"
    assert nothing_left(mstr_sandbox)


# What cannot be probed


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ([], "give one of: MODEL, --cube"),
        (["Retail", "--cube", "Sales Cube"], "give one of: MODEL, --cube"),
        ([" "], "which is not a data model name"),
        (["Retail", "--timeout", "0"], "--timeout is '0'"),
        (["Retail", "--output", "."], "--output '.' is not a file in an existing folder"),
        (["Retail", "--output", "nowhere/report.md"], "--output 'nowhere/report.md' is not a file"),
    ],
    ids=lambda typed: " ".join(typed) if isinstance(typed, list) else "",
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    typed: list[str], words: str, run: Run, mstr_sandbox: Sandbox
) -> None:
    ran = run(*typed, "--yes")
    assert (ran.status, words in ran.err, mstr_sandbox.requests) == (2, True, ())


def test_an_unknown_model_fails_without_a_report(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("Retial", "--yes")
    assert (ran.status, ran.report) == (1, "")
    assert "no data model in the project is named 'Retial'; similar names: Retail" in ran.err
    assert nothing_left(mstr_sandbox)


def test_a_report_that_cannot_be_written_is_printed(
    run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(28, os.strerror(28))

    def fail(*args: Any, **options: Any) -> None:
        raise full

    monkeypatch.setattr(Path, "write_text", fail)
    ran = run("Retail", "--yes")
    assert (ran.status, ran.out.splitlines()[0]) == (1, "# Probe of a Strategy server")
    assert f"could not write mstr-probe.md: {full.strerror}" in ran.err


def test_a_session_that_cannot_be_closed_is_reported(run: Run, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault("logout", "no_privilege", times=None)
    ran = run("Retail", "--yes")
    assert (ran.status, "could not be closed and will time out" in ran.err) == (0, True)
    assert ran.rows("Calls")["POST /api/auth/logout"].startswith("HTTP 403")


def test_an_interruption_while_the_session_is_closed_keeps_the_report(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(session: Session) -> Flow[None]:
        yield Pause(0.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(probe, "close_session", interrupted)
    ran = run("Retail", "--yes")

    assert (ran.status, "The session is not closed and will time out: interrupted" in ran.err) == (0, True)
    assert "| end | every table is loaded" in ran.report


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_an_interruption_stops_the_load_and_closes_the_session(
    number: signal.Signals, mstr_sandbox: Sandbox, tmp_path: Path
) -> None:
    command = ["probe", "Retail", "--yes"]
    assert_interruption_stops_the_load(command, number, mstr_sandbox, polls=2, folder=tmp_path)
    assert nothing_left(mstr_sandbox)
    assert "| end | the probe was interrupted |" in (tmp_path / "mstr-probe.md").read_text()


# The documentation


def steady(line: str) -> str:
    """A line without what depends on the moment of a poll."""
    line = re.sub(r"[+-]?\d+", "1", line).replace("1.1 to 1.1", "1.1")
    return re.sub(r"\b(schema_comparison_completed|completed)\b", "reserved", line)


@pytest.mark.mstr_sandbox(publish_seconds=3)
def test_the_page_shows_a_report_as_it_is(run: Run) -> None:
    lines = {steady(line) for line in run("Retail", "--yes").report.splitlines()}
    (shown,) = re.findall(r"```markdown\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(shown.splitlines()) > 30
    assert [line for line in shown.splitlines() if line != "..." and steady(line) not in lines] == []


def test_the_bug_report_asks_for_the_report() -> None:
    form = (PAGE.parents[1] / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text()
    assert "airflow mstr probe" in form
