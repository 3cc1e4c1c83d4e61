# SPDX-License-Identifier: Apache-2.0
"""The targets of the Makefile that run tests, with a pytest that only says which tests it got."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAILED, NO_TEST = 1, 5

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
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True).returncode == 0


def runs(venv: Path) -> list[list[str]]:
    return [line.split(";") for line in (venv / "bin" / "runs").read_text().splitlines()]


def test_the_quick_tests_are_one_part_and_all_tests_are_three(venv: Path) -> None:
    assert make(venv, "test", "ARGS=tests/unit/rest")
    assert runs(venv) == [[QUICK, "None", "tests/unit/rest"]]

    assert make(venv, "test-all", "ARGS=tests/unit/rest")
    assert runs(venv)[1:] == [
        [QUICK, "None", "tests/unit/rest"],
        [LONG, "ci", "tests/unit/rest"],
        [WHOLE, "None", "tests/unit/rest"],
    ]


@pytest.mark.parametrize("part", [QUICK, LONG, WHOLE])
@pytest.mark.parametrize("arguments", [[], ["ARGS=tests/unit/rest"]], ids=["all", "some"])
def test_a_part_that_fails_fails_the_whole(arguments: list[str], part: str, venv: Path) -> None:
    (venv / "bin" / part).write_text(str(FAILED))

    assert not make(venv, "test-all", *arguments)


@pytest.mark.parametrize("part", [QUICK, LONG, WHOLE])
def test_a_part_without_a_test_passes_only_where_some_tests_are_selected(part: str, venv: Path) -> None:
    (venv / "bin" / part).write_text(str(NO_TEST))

    assert make(venv, "test-all", "ARGS=tests/unit/rest")
    assert not make(venv, "test-all")


def test_no_test_is_no_success_of_the_quick_tests(venv: Path) -> None:
    (venv / "bin" / QUICK).write_text(str(NO_TEST))

    assert not make(venv, "test", "ARGS=tests/system")


def test_with_keep_going_each_part_runs_although_one_fails(venv: Path) -> None:
    (venv / "bin" / QUICK).write_text(str(FAILED))

    assert not make(venv, "--keep-going", "test-all", "ARGS=tests/unit")
    assert [marks for marks, *_ in runs(venv)] == [QUICK, LONG, WHOLE]


@pytest.mark.parametrize(
    ("python", "version"), [("3.12", "3.12"), (sys.executable, "{}.{}".format(*sys.version_info))]
)
@pytest.mark.parametrize("target", ["test", "test-all"])
def test_another_airflow_is_a_session_of_nox_with_the_same_arguments(
    target: str, python: str, version: str, venv: Path
) -> None:
    nox = venv / "bin" / "nox"
    nox.write_text(f'#!/bin/sh\necho "$@" > {venv}/nox\nmake {target} VENV={venv} AIRFLOW=\n')
    nox.chmod(0o755)
    arguments = '-k "it\'s less"'

    assert make(venv, target, "AIRFLOW=3.1.8", f"PYTHON={python}", f"NOX={nox}", f"ARGS={arguments}")
    assert (venv / "nox").read_text().split() == ["--tags", f"3.1.8-{version}", "--", target]
    assert {last for _, _, last in runs(venv)} == {"it's less"}


# As `python -m venv DIR`, it makes an environment. Its commands note their arguments, and uv may fail.
FAKE_PYTHON = """\
#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\\n' > "$3/bin/pip"
printf '#!/bin/sh\\necho "$@" > "$0.arguments"\\nexit ${UV_STATUS:-0}\\n' > "$3/bin/uv"
chmod +x "$3/bin/pip" "$3/bin/uv"
"""


def install(
    tmp_path: Path, stderr: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Let make install into an environment that is not there yet."""
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    venv = tmp_path / "venv"
    command = ["make", f"{venv}/.installed", f"VENV={venv}", f"PYTHON={python}"]
    # The make that runs the tests is not to influence this one.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        command, cwd=ROOT, env=inherited | environment, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def test_the_installation_shows_a_line_for_each_step_and_nothing_else(tmp_path: Path) -> None:
    done = install(tmp_path)

    first, *steps, last = done.stdout.splitlines()
    assert first.startswith(f"Installing into {tmp_path}/venv")
    assert [step[:6] for step in steps] == ["1 of 3", "2 of 3", "3 of 3"]
    assert (last, done.stderr, done.returncode) == ("Installed", "", 0)
    assert "--quiet" in (tmp_path / "venv" / "bin" / "uv.arguments").read_text().split()


def test_on_a_terminal_uv_shows_its_progress(tmp_path: Path) -> None:
    terminal, its_other_end = os.openpty()
    try:
        assert install(tmp_path, stderr=its_other_end).returncode == 0
    finally:
        os.close(terminal)
        os.close(its_other_end)

    assert "--quiet" not in (tmp_path / "venv" / "bin" / "uv.arguments").read_text().split()


def test_an_installation_that_fails_is_tried_again(tmp_path: Path) -> None:
    assert install(tmp_path, UV_STATUS="1").returncode != 0
    assert not (tmp_path / "venv" / ".installed").exists()
    assert install(tmp_path).returncode == 0
    assert (tmp_path / "venv" / ".installed").exists()
