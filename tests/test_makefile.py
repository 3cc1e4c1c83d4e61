# SPDX-License-Identifier: Apache-2.0
"""The targets of the Makefile that run tests, with a pytest that only says which tests it got."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import matrix
import pytest

PASSED, FAILED, NO_TEST = 0, 1, 5

QUICK, LONG, WHOLE = (
    "not (long or whole_airflow)",
    "(long or hypothesis) and not whole_airflow",
    "whole_airflow",
)

# It notes its profile of hypothesis and its options, and ends as the file named like its marks says.
FAKE_PYTEST = """\
#!/usr/bin/env python3
import os, sys
from pathlib import Path
here = Path(__file__).parent
marks = sys.argv[sys.argv.index("-m") + 1]
with (here / "runs").open("a") as runs:
    print(marks, os.environ.get("HYPOTHESIS_PROFILE"), sys.argv[-1], sep=";", file=runs)
code = here / marks
sys.exit(int(code.read_text()) if code.exists() else 0)
"""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment whose commands do no work."""
    commands = {"pytest": FAKE_PYTEST, "python": "#!/bin/sh\n"}
    (tmp_path / "bin").mkdir()
    for name, text in commands.items():
        command = tmp_path / "bin" / name
        command.write_text(text)
        command.chmod(0o755)
    (tmp_path / ".installed").touch()
    return tmp_path


def make(venv: Path, *words: str) -> bool:
    """Run make in that environment; return whether it passed."""
    unset = ("MAKEFLAGS", "MAKELEVEL", "HYPOTHESIS_PROFILE", "AIRFLOW", "PYTHON", "ARGS")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    command = ["make", *words, f"VENV={venv}"]
    return subprocess.run(command, cwd=matrix.ROOT, env=environment, capture_output=True).returncode == 0


def runs(venv: Path) -> list[list[str]]:
    return [line.split(";") for line in (venv / "bin" / "runs").read_text().splitlines()]


def test_the_quick_tests_are_one_part_and_all_tests_are_three(venv: Path) -> None:
    assert make(venv, "test", "ARGS=tests/rest")
    assert runs(venv) == [[QUICK, "None", "tests/rest"]]

    assert make(venv, "test-all", "ARGS=tests/rest")
    assert runs(venv)[1:] == [
        [QUICK, "None", "tests/rest"],
        [LONG, "ci", "tests/rest"],
        [WHOLE, "None", "tests/rest"],
    ]


@pytest.mark.parametrize("part", [QUICK, LONG, WHOLE])
@pytest.mark.parametrize("arguments", [[], ["ARGS=tests/rest"]], ids=["all", "some"])
def test_a_part_that_fails_fails_the_whole(arguments: list[str], part: str, venv: Path) -> None:
    (venv / "bin" / part).write_text(str(FAILED))

    assert not make(venv, "test-all", *arguments)


@pytest.mark.parametrize("part", [QUICK, LONG, WHOLE])
def test_a_part_without_a_test_passes_only_where_some_tests_are_selected(part: str, venv: Path) -> None:
    (venv / "bin" / part).write_text(str(NO_TEST))

    assert make(venv, "test-all", "ARGS=tests/rest")
    assert not make(venv, "test-all")


def test_no_test_is_no_success_of_the_quick_tests(venv: Path) -> None:
    (venv / "bin" / QUICK).write_text(str(NO_TEST))

    assert not make(venv, "test", "ARGS=tests/system")


def test_a_cell_of_the_matrix_runs_each_part_although_one_fails(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("install", "check"):
        monkeypatch.setattr(matrix, name, lambda *_: None)
    monkeypatch.setattr(matrix.Cell, "venv", venv)
    monkeypatch.setenv("AIRFLOW", "3.1.8")
    (venv / "bin" / QUICK).write_text(str(FAILED))
    arguments = ["-k", "it costs $5 or 'less'"]

    assert not matrix.test("test-all", matrix.Cell("3.1.8", "3.12"), "python3", arguments)
    assert [(marks, last) for marks, _, last in runs(venv)] == [
        (part, arguments[-1]) for part in (QUICK, LONG, WHOLE)
    ]
