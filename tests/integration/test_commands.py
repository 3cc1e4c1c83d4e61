# SPDX-License-Identifier: Apache-2.0
"""The commands of ``airflow mstr``: what they print where, how they end, and what they leave."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import needs
import pytest
from airflow.cli.cli_parser import get_parser
from interruptions import assert_interruption_stops_the_load

from airflow_provider_mstr import hooks
from airflow_provider_mstr.cli import commands, console
from airflow_provider_mstr.sandbox import DEFAULT_WORLD, PublishFailure, Sandbox
from airflow_provider_mstr.sandbox.world import (
    CUSTOMER_CUBE,
    REGION_CUBE,
    RETAIL,
    SALES,
    SALES_CUBE,
    SALES_UPDATE,
    TUTORIAL,
)

pytestmark = [needs.COMMANDS, pytest.mark.usefixtures("mstr_connection", "brisk")]

ANALYST = DEFAULT_WORLD.users[1]


@dataclass(frozen=True)
class CompletedCommand:
    """A completed command.

    :param status: its exit status
    """

    status: int
    out: str
    err: str

    @property
    def printed(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the table, without its head and rule."""
        return [[cell.strip() for cell in line.split("|")] for line in self.out.splitlines() if "|" in line][
            1:
        ]


Run = Callable[..., CompletedCommand]


def typed(*words: str) -> int:
    """Run ``airflow mstr`` in this process, and return its exit status."""
    args = get_parser().parse_args(["mstr", *words])
    try:
        args.func(args)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@pytest.fixture(scope="module", autouse=True)
def parser() -> None:
    """Let Airflow build its parser, which it keeps, while it still can write to the terminal."""
    get_parser()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``airflow mstr`` as Airflow does, in this process."""

    def run(*words: str) -> CompletedCommand:
        capsys.readouterr()
        status = typed(*words)
        printed = capsys.readouterr()
        return CompletedCommand(status, printed.out, printed.err)

    return run


def nothing_left(sandbox: Sandbox) -> bool:
    report = sandbox.report()
    return (report.open_sessions, report.instances_open) == (0, 0)


def connection(sandbox: Sandbox, **changed: Any) -> str:
    return json.dumps(json.loads(sandbox.airflow_connection()) | changed)


# Looking


def test_projects_are_listed(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("projects")
    assert (ran.status, ran.rows, ran.err) == (0, [["Tutorial", TUTORIAL.id], ["Sales", SALES.id]], "")
    assert nothing_left(mstr_sandbox)


def test_models_are_listed_with_their_mode_and_folder_and_nothing_else(
    run: Run, mstr_sandbox: Sandbox
) -> None:
    ran = run("models")
    assert [row[0] for row in ran.rows] == ["Finance", "Live Inventory", "Retail", "Supply Chain"]
    assert ran.rows[1][2:] == ["connect_live", "Tutorial/Public Objects/Data Models"]
    assert nothing_left(mstr_sandbox)


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        (["--name", "AI"], ["Retail", "Supply Chain"]),
        (["--project", "sales"], ["Pipeline"]),
        (["--project", SALES.id, "--name", "Retail"], []),
    ],
)
def test_models_are_chosen_by_name_and_project(run: Run, typed: list[str], names: list[str]) -> None:
    assert [row["name"] for row in run("models", "-o", "json", *typed).printed] == names


@pytest.mark.parametrize("model", [RETAIL.id, "retail"])
def test_tables_are_listed_of_a_model_by_id_or_name(run: Run, model: str, mstr_sandbox: Sandbox) -> None:
    ran = run("tables", model, "--output", "json")
    assert ran.printed == [{"name": table.name, "id": table.id} for table in RETAIL.tables]
    assert nothing_left(mstr_sandbox)


def test_cubes_are_listed_without_data_models(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("cubes", "-o", "json")
    cubes = [CUSTOMER_CUBE, REGION_CUBE, SALES_CUBE]
    assert [(row["name"], row["id"]) for row in ran.printed if row["name"].endswith("Cube")] == [
        (cube.name, cube.id) for cube in cubes
    ]
    assert RETAIL.name not in ran.out
    assert [row["name"] for row in run("cubes", "--name", "sALES", "-o", "json").printed] == ["Sales Cube"]
    assert nothing_left(mstr_sandbox)


def test_names_that_look_like_markup_are_printed_as_they_are(
    run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = replace(RETAIL, name="[red]Größe[/] :smile:")
    with Sandbox(world=replace(DEFAULT_WORLD, data_models=(odd,))) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_ODD", sandbox.airflow_connection())
        assert run("models", "--conn-id", "odd").rows[0][0] == odd.name
        assert run("models", "--conn-id", "odd", "-o", "json").printed[0]["name"] == odd.name


# Terminals and pipes

ODD_NAMES = (
    "Größe €",
    "売上 😀",
    "tab\tline\nend\r",
    "\x1b]0;owned\x07\x1b[31m\x9b1m",
    "abc\u202etxt\u2066",
    "half \ud83d",
)


@pytest.fixture
def odd_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox whose data models and tables have names that few terminals can show."""
    models = tuple(
        replace(
            RETAIL,
            id=f"{index:032X}",
            name=name,
            tables=tuple(replace(table, name=f"{table.name} {name}") for table in RETAIL.tables),
        )
        for index, name in enumerate(ODD_NAMES, start=1)
    )
    with Sandbox(world=replace(DEFAULT_WORLD, data_models=models)) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", sandbox.airflow_connection())
        yield sandbox


class Printed:
    """Standard streams in an encoding of their own, which refuse what it has no bytes for."""

    def __init__(self, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._streams = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}
        for name, stream in self._streams.items():
            monkeypatch.setattr(sys, name, stream)

    def __getitem__(self, name: str) -> str:
        stream = self._streams[name]
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        return stream.buffer.getvalue().decode(stream.encoding)


COMMANDS = (
    ["models"],
    ["tables", f"{1:032X}"],
    ["sessions"],
    ["refresh", f"{1:032X}"],
    ["refresh", ODD_NAMES[1]],
)


@pytest.mark.parametrize("words", COMMANDS, ids=ascii)
@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_every_command_succeeds_whatever_the_terminal_can_show(
    words: list[str], output: str, encoding: str, odd_names: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = Printed(encoding, monkeypatch)
    status = typed(*words, "-o", output)
    assert (status, nothing_left(odd_names)) == (0, True), printed["stderr"]
    shown = printed["stdout"] + printed["stderr"]
    assert [char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs"} and char != "\n"] == []
    if output == "json":
        json.loads(printed["stdout"])


def test_json_holds_each_name_as_it_is(odd_names: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = Printed("ascii", monkeypatch)
    assert typed("models", "-o", "json") == 0
    assert set(ODD_NAMES[:2]) < {row["name"] for row in json.loads(printed["stdout"])}


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("Größe €", "latin-1", r"Größe \u20ac"),
        ("Größe €", "cp1252", "Größe €"),
        ("売上 😀", "ascii", r"\u58f2\u4e0a \U0001f600"),
        ("\x1b[31m\x9b1m\x07\x7f", "utf-8", r"\x1b[31m\x9b1m\x07\x7f"),
        ("tab\tline\nend\r", "utf-8", r"tab\tline\nend\r"),
        ("line\u2028paragraph\u2029", "utf-8", r"line\u2028paragraph\u2029"),
        ("abc\u202etxt\u2066\u200f", "utf-8", r"abc\u202etxt\u2066\u200f"),
        ("half \ud83d", "utf-8", r"half \ud83d"),
        ("می\u200cشود", "utf-8", "می\u200cشود"),
    ],
    ids=ascii,
)
def test_what_a_terminal_would_obey_or_cannot_show_is_escaped(
    text: str, encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = Printed(encoding, monkeypatch)
    console.show_table([{"name": text, "id": 1}, {"name": "next", "id": 2}])
    console.show_lines(text)
    console.print_line(text)
    head, rule, first, second, *_ = printed["stdout"].splitlines()
    assert [first.split("|")[0].strip(), second.split("|")[0].strip()] == [shown, "next"]
    assert len({line.index(mark) for line, mark in ((head, "|"), (rule, "+"), (second, "|"))}) == 1
    assert printed["stdout"].splitlines()[-1] == printed["stderr"].strip() == shown


class Broken(io.TextIOBase):
    """A stream on which each write fails."""

    encoding = "utf-8"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


FULL_DISK, GONE_TERMINAL, CLOSED_PIPE = (OSError(number, os.strerror(number)) for number in (28, 5, 32))


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize(
    "error",
    [FULL_DISK, GONE_TERMINAL, CLOSED_PIPE, ValueError("I/O operation on closed file"), KeyboardInterrupt()],
    ids=str,
)
def test_a_load_that_ends_well_is_a_success_whether_its_result_can_be_printed(
    error: BaseException, output: str, run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(error))
    ran = run("refresh", "Retail", "-o", output)
    assert (ran.status, "Refreshed data model Retail in" in ran.err) == (0, True)
    assert ("The result is not shown: " in ran.err) is (error is not CLOSED_PIPE)
    assert nothing_left(mstr_sandbox)


@pytest.mark.parametrize("error", [FULL_DISK, GONE_TERMINAL, CLOSED_PIPE], ids=str)
def test_a_refresh_goes_on_where_its_progress_cannot_be_printed(
    error: OSError, run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Broken(error))
    ran = run("refresh", "Retail", "-o", "json")
    assert (ran.status, ran.printed["state"], nothing_left(mstr_sandbox)) == (0, "finished", True)


def test_streams_that_are_closed_from_the_start_are_no_failure(
    run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run("refresh", "Retail").status == 0


@pytest.mark.parametrize(
    "typed", [["check"], ["models"], ["projects", "-o", "json"], ["sessions"]], ids=" ".join
)
@pytest.mark.parametrize(("error", "status"), [(FULL_DISK, 1), (GONE_TERMINAL, 1), (CLOSED_PIPE, 0)], ids=str)
def test_a_list_that_cannot_be_written_fails_unless_its_reader_has_enough(
    typed: list[str],
    error: OSError,
    status: int,
    run: Run,
    mstr_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(error))
    ran = run(*typed)
    assert (ran.status, nothing_left(mstr_sandbox)) == (status, True)
    assert ran.err == (f"airflow mstr: could not write to stdout: {error.strerror}\n" if status else "")


@pytest.mark.parametrize("columns", [1, 20, 400])
def test_a_terminal_of_any_width_shows_whole_ids(
    columns: int, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    printed = Printed("utf-8", monkeypatch)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert typed("projects") == 0
    cells = [line.split("|")[-1].strip() for line in printed["stdout"].splitlines() if "|" in line]
    assert TUTORIAL.id + SALES.id in "".join(cells)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_pipe_leaves_the_exit_status_of_python_as_it_is(stream: str, mstr_sandbox: Sandbox) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: writer}
    command = [sys.executable, "-m", "airflow", "mstr", "refresh", "Retail"]
    with subprocess.Popen(command, text=True, env=os.environ, **streams) as process:
        os.close(writer)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "Traceback" not in (err or "")
    assert "Refreshed data model Retail in" in err if stream == "stdout" else "finished" in out
    assert nothing_left(mstr_sandbox)


# The proof of a connection


def test_check_prints_what_test_connection_reports(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("check")
    works, message = hooks.MstrHook().test_connection()
    assert works
    assert (ran.status, ran.out, ran.err) == (0, f"{message}\n", "")
    assert nothing_left(mstr_sandbox)


def test_check_fails_with_what_test_connection_reports(
    run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", connection(mstr_sandbox, schema="Tutorail"))
    ran = run("check", "--conn-id", "wrong")
    works, message = hooks.MstrHook("wrong").test_connection()
    assert not works
    assert (ran.status, ran.out, ran.err) == (1, "", f"airflow mstr: {message}\n")
    assert nothing_left(mstr_sandbox)


def test_sessions_proves_a_connection_in_one_line(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("sessions")
    first, second, *_ = ran.out.splitlines()
    assert first == f"Logged in to {mstr_sandbox.url} as administrator, project Tutorial"
    assert second == "A session idles out after 1800 s and holds 10 instances"
    assert [row[0] for row in ran.rows] == ["", "Tutorial"]
    assert (ran.status, nothing_left(mstr_sandbox)) == (0, True)


def test_sessions_shows_the_users_own_ones_only(run: Run, mstr_sandbox: Sandbox) -> None:
    from airflow_provider_mstr.hooks import MstrHook
    from airflow_provider_mstr.rest.endpoints.projects import enter_project

    with MstrHook().session(), MstrHook().session() as other:
        MstrHook().run(enter_project(other, SALES.id))
        listed = run("sessions", "-o", "json").printed
    assert sorted(row["project"] for row in listed["sessions"]) == ["", "", "", "Sales", "Tutorial"]


def test_sessions_says_in_words_that_the_user_may_not_see_them(
    run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_ANALYST", connection(mstr_sandbox, login=ANALYST.name, password=ANALYST.password)
    )
    ran = run("sessions", "--conn-id", "analyst", "-o", "json")
    assert (ran.status, ran.printed["sessions"], ran.printed["in_project"]) == (0, None, True)
    assert "the user lacks the privilege to monitor user connections" in ran.err


def test_sessions_fails_where_the_project_is_full_and_still_shows_by_what(
    run: Run, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.change(session_cap=0)
    ran = run("sessions", "-o", "json")
    assert (ran.status, ran.printed["in_project"]) == (1, False)
    assert [row["project"] for row in ran.printed["sessions"]] == [""]
    assert "too many sessions in the project" in ran.err
    assert nothing_left(mstr_sandbox)


def test_sessions_needs_no_project(run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BARE", connection(mstr_sandbox, schema=""))
    ran = run("sessions", "--conn-id", "bare")
    assert (ran.status, ran.out.splitlines()[0]) == (0, f"Logged in to {mstr_sandbox.url} as administrator")
    assert mstr_sandbox.report().max_sessions_seen == {}


def test_a_monitor_that_fails_does_not_disprove_the_connection(run: Run, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault("nodes", "status", status=404, times=None)
    ran = run("sessions")
    assert (ran.status, ran.rows) == (0, [])
    assert "Which sessions are open cannot be seen: could not list the nodes" in ran.err


# Refreshing


def test_refresh_loads_every_table_and_shows_how_each_has_fared(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("refresh", "retail")
    assert [row[:3] for row in ran.rows] == [[table.name, "replace", "finished"] for table in RETAIL.tables]
    assert f"Data model 'retail' is {RETAIL.id}" in ran.err
    assert "Table order_detail: completed" in ran.err
    assert "Refreshed data model Retail in" in ran.err
    report = mstr_sandbox.report()
    assert (ran.status, report.logins, len(report.publishes)) == (0, 1, 1)
    assert nothing_left(mstr_sandbox)


@pytest.mark.parametrize(
    ("flag", "target", "kind", "id_field"),
    [("--cube", SALES_CUBE, "cube", "cube_id"), ("--report", SALES_UPDATE, "report", "report_id")],
)
@pytest.mark.parametrize("by", ["id", "name"])
def test_a_cube_is_refreshed_and_a_report_is_run(
    by: str, flag: str, target: Any, kind: str, id_field: str, run: Run, mstr_sandbox: Sandbox
) -> None:
    ran = run("refresh", flag, getattr(target, by), "-o", "json")
    assert (ran.status, ran.printed["state"], ran.printed["kind"]) == (0, "finished", kind)
    assert (ran.printed[id_field], ran.printed["name"]) == (target.id, target.name)
    assert f"Refreshed {kind} {target.name} in" in ran.err
    report = mstr_sandbox.report()
    assert (report.cubes_started, report.jobs_running) == ({SALES_CUBE.name: 1}, 0)
    assert "cancel_job" not in report.requests
    assert nothing_left(mstr_sandbox)


def test_a_cube_that_fails_is_reported_with_the_servers_text(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("refresh", "--cube", REGION_CUBE.name)
    assert (ran.status, ran.rows) == (1, [])
    assert "the load of cube Region Cube failed: it waits for an answer to a prompt" in ran.err
    assert mstr_sandbox.report().jobs_running == 0
    assert nothing_left(mstr_sandbox)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ([], "give one of: MODEL, --cube, --report"),
        (["Retail", "--cube", "Sales Cube"], "give one of: MODEL, --cube, --report"),
        (["--cube", "Sales Cube", "--tables", "ytd_day"], "--tables does not apply to --cube"),
    ],
)
def test_one_object_is_refreshed_and_only_a_data_model_has_tables(
    typed: list[str], problem: str, run: Run, mstr_sandbox: Sandbox
) -> None:
    ran = run("refresh", *typed)
    assert (ran.status, problem in ran.err) == (2, True)
    assert mstr_sandbox.report().logins == 0


def test_refresh_loads_the_tables_that_are_named_each_with_its_policy(
    run: Run, mstr_sandbox: Sandbox
) -> None:
    store = RETAIL.table("lu_store")
    assert store is not None
    typed = ["--refresh-policy", "add", "--tables", "ytd_day", f"{store.id}=upsert", "order_detail=replace"]
    ran = run("refresh", RETAIL.id, "-o", "json", *typed)
    assert ran.printed["state"] == "finished"
    (publish,) = mstr_sandbox.report().publishes
    assert [(table.name, table.refresh_policy) for table in publish.tables] == [
        ("ytd_day", "add"),
        ("lu_store", "upsert"),
        ("order_detail", "replace"),
    ]


def test_the_name_of_a_table_may_hold_what_parts_a_policy_from_it(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("refresh", "Retail", "--tables", "a=b", "c=d=add")
    assert (ran.status, "no table named 'a=b'" in ran.err) == (1, True)


def test_a_failed_load_shows_the_tables_and_fails(run: Run, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.change(publish_failure=PublishFailure("schema_comparison_error", "lu_store"))
    ran = run("refresh", "Retail", "-o", "json")
    assert (ran.status, ran.printed["state"]) == (1, "failed")
    assert {table["name"]: table["state"] for table in ran.printed["tables"]}["lu_store"] == "failed"
    assert "table lu_store ended as schema_comparison_error" in ran.err
    assert nothing_left(mstr_sandbox)


@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_a_load_that_takes_too_long_is_given_up_and_stopped(run: Run, mstr_sandbox: Sandbox) -> None:
    ran = run("refresh", "Retail", "--timeout", "1")
    assert (ran.status, "did not end within 1 s" in ran.err) == (1, True)
    assert mstr_sandbox.report().publishes[0].state == "cancelled"
    assert nothing_left(mstr_sandbox)


def test_a_session_that_cannot_be_closed_is_reported_and_fails_nothing(
    run: Run, mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault("logout", "no_privilege", times=None)
    ran = run("refresh", "Retail")
    assert (ran.status, "could not be closed and will time out" in ran.err) == (0, True)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.mstr_sandbox(publish_seconds=600)
def test_an_interruption_stops_the_load_and_closes_the_session(
    number: signal.Signals, mstr_sandbox: Sandbox, tmp_path: Path
) -> None:
    command = ["refresh", "Retail"]
    assert_interruption_stops_the_load(command, number, mstr_sandbox, polls=1, folder=tmp_path)
    assert nothing_left(mstr_sandbox)


# Invalid arguments, and other errors


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["tables", " "], "which is not a data model name"),
        (["refresh", ""], "which is not a data model name"),
        (["refresh", "Gr\udcf6sse"], "model 'Gr\\udcf6sse' is not text in the encoding of this terminal"),
        (["models", "--name", "\udcff"], "name '\\udcff' is not text in the encoding of this terminal"),
        (["refresh", "Retail", "--timeout", "soon"], "--timeout is 'soon'"),
        (["refresh", "Retail", "--timeout", "0"], "--timeout is '0'"),
        (["refresh", "Retail", "--tables", "a", "a=add"], "--tables names the table a twice"),
        (["projects", "--conn-id", "nowhere"], "there is no Airflow connection 'nowhere'"),
        (["models", "--conn-id", "bare"], "no project"),
        (["projects", "--conn-id", "hostless"], "no host"),
    ],
    ids=lambda typed: ascii(" ".join(typed)) if isinstance(typed, list) else "",
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    run: Run, typed: list[str], words: str, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BARE", connection(mstr_sandbox, schema=""))
    monkeypatch.setenv("AIRFLOW_CONN_HOSTLESS", connection(mstr_sandbox, host=""))
    ran = run(*typed)
    assert (ran.status, ran.out) == (2, "")
    assert words in ran.err
    assert mstr_sandbox.requests == ()


@pytest.mark.parametrize(
    "form", ['{"conn_type": "mstr", "password": "s3cr3t-word', "mstr://a:s3cr3t-word@x://y://z"]
)
def test_a_connection_that_cannot_be_read_is_refused_without_a_word_of_it(
    run: Run, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", form)
    ran = run("projects", "--conn-id", "broken")
    assert (ran.status, "Airflow connection 'broken'" in ran.err) == (2, True)
    assert "s3cr3t-word" not in ran.err + ran.out


@pytest.mark.parametrize("typed", [["tables", "Retial"], ["refresh", "Retial"]], ids=" ".join)
def test_an_unknown_model_fails_with_the_names_there_are(
    run: Run, typed: list[str], mstr_sandbox: Sandbox
) -> None:
    ran = run(*typed)
    assert (ran.status, ran.out) == (1, "")
    assert "no data model in the project is named 'Retial'; similar names: Retail" in ran.err
    assert nothing_left(mstr_sandbox)


def test_a_wrong_password_fails_in_words(
    run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", connection(mstr_sandbox, password="not-the-password"))
    ran = run("sessions", "--conn-id", "wrong")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("airflow mstr: could not log in as administrator: login or password is wrong")
    assert "not-the-password" not in ran.err


def test_a_server_that_is_away_fails_in_words(
    run: Run, mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "SESSION_RETRY_SECONDS", 0.5)
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", connection(mstr_sandbox, host="http://127.0.0.1:9"))
    ran = run("projects", "--conn-id", "away")
    assert (ran.status, ran.out) == (1, "")
    first, *_, last = ran.err.splitlines()
    assert "connection refused" in first
    assert "; retrying since" in first
    assert last.startswith("airflow mstr: could not log in as administrator: connection refused")


def test_what_nobody_has_foreseen_is_no_traceback_unless_it_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("s3cr3t-word")

    monkeypatch.setattr(commands, "list_projects", broken)
    ran = run("projects")
    assert (ran.status, "unexpected RuntimeError" in ran.err) == (1, True)
    assert "Traceback" not in ran.err
    assert "s3cr3t-word" not in ran.err

    caplog.set_level("DEBUG", "airflow_provider_mstr")
    assert "Traceback" in run("projects").err
