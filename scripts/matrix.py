# SPDX-License-Identifier: Apache-2.0
"""Run the tests on other Airflows and Pythons, each pair in an environment of its own.

What there is stands in ``tests/matrix.toml``. This runs before anything is installed, so it imports
nothing that Python does not bring.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = ROOT / "tests" / "matrix.toml"
PROJECT = ROOT / "pyproject.toml"


class UnfitError(Exception):
    """There is no such cell here, or its environment is not what it is to be."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A pair of an Airflow and a Python, and what has to be known to install it.

    :param airflow: the version of Airflow
    :param python: the version of Python, without its third number
    :param pins: what its environment is held to besides
    :param resolution: how uv chooses the package's own dependencies
    :param may_fail: whether the matrix as a whole is good although this one is not
    """

    airflow: str
    python: str
    pins: tuple[str, ...] = ()
    resolution: str = "highest"
    may_fail: bool = False

    def __str__(self) -> str:
        """Return what tells it from the others."""
        return f"{self.airflow}-{self.python}"

    @property
    def venv(self) -> Path:
        """The folder of its environment."""
        return ROOT / f".venv-{self}"

    @property
    def bin(self) -> Path:
        """The folder of its environment's commands."""
        return self.venv / "bin"

    @property
    def results(self) -> Path:
        """The folder of the results of its last tests."""
        return self.venv / "results"


def cells() -> list[Cell]:
    """Return all cells, oldest Airflow first."""
    listed = tomllib.loads(LIST.read_text())["airflow"]
    return [
        Cell(
            each["version"],
            python,
            tuple(each.get("pins", ())),
            each.get("resolution", "highest"),
            each.get("may_fail", False),
        )
        for each in listed
        for python in each["python"]
    ]


def cell_of(airflow: str, python: str) -> Cell:
    """Return the cell of an Airflow and a Python.

    :param airflow: its version, or ``oldest`` for the oldest with current dependencies on that Python
    :param python: its version
    """
    for cell in cells():
        oldest = airflow == "oldest" and cell.resolution == "highest"
        if cell.python == python and (oldest or cell.airflow == airflow):
            return cell
    known = ", ".join(map(str, cells()))
    raise UnfitError(f"no Airflow {airflow} with Python {python} in {LIST.name}; there are {known}")


def version_of(interpreter: str) -> str | None:
    """Return the version of an interpreter, without its third number; None where it does not run.

    :param interpreter: its path, or its name
    """
    code = "import sys; print('{}.{}'.format(*sys.version_info))"
    try:
        said = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()


def interpreter_of(python: str) -> str:
    """Return an interpreter, from the path or from pyenv.

    :param python: its version
    """
    named = f"python{python}"
    if version_of(named) == python:
        return named
    try:
        found = subprocess.run(["pyenv", "prefix", python], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UnfitError(f"there is no Python {python} here") from None
    return str(Path(found.stdout.strip(), "bin", "python"))


def install(cell: Cell, interpreter: str) -> None:
    """Make the environment of a cell, or bring it up to date.

    :param cell: the cell
    :param interpreter: a Python of its version
    """
    if not cell.bin.exists():
        _run(interpreter, "-m", "venv", str(cell.venv))
        _run(str(cell.bin / "pip"), "install", "--quiet", "uv")
    uv = [str(cell.bin / "uv"), "pip", "install", "--quiet", "--python", str(cell.bin / "python")]
    held = [f"{name}=={version}" for name, version in wanted(cell).items()]
    _run(*uv, "--resolution", cell.resolution, "--editable", ".", *held, *cell.pins)
    _run(*uv, "--group", "test", *held, *cell.pins)
    # The Makefile installs nothing where it finds this file.
    (cell.venv / ".installed").touch()


def wanted(cell: Cell) -> dict[str, str]:
    """Return the versions that a cell is for.

    :param cell: the cell
    """
    lowest = floors() if cell.resolution == "lowest-direct" else {}
    return lowest | {"apache-airflow": cell.airflow}


def check(cell: Cell) -> None:
    """Fail where the environment is not that of the cell.

    :param cell: the cell
    """
    if version_of(str(cell.bin / "python")) != cell.python:
        raise UnfitError(f"{cell.venv.name} has not Python {cell.python}")
    installed = installed_in(cell)
    wrong = [
        f"{name} {installed.get(name)}, not {version}"
        for name, version in wanted(cell).items()
        if installed.get(name) != version
    ]
    if wrong:
        raise UnfitError(f"{cell.venv.name} has {', '.join(wrong)}")


def installed_in(cell: Cell) -> dict[str, str]:
    """Return the versions of what is installed for a cell.

    :param cell: the cell
    """
    command = [str(cell.bin / "uv"), "pip", "list", "--format", "json", "--python", str(cell.bin / "python")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {each["name"]: each["version"] for each in json.loads(listed)}


def floors() -> dict[str, str]:
    """Return the lowest versions that the package says it can do with."""
    dependencies = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    return dict(each.split(">=") for each in dependencies)


def test(target: str, cell: Cell, interpreter: str, arguments: Iterable[str]) -> bool:
    """Run tests in a cell, and return whether they passed.

    :param target: the target of the Makefile that runs them
    :param cell: the cell
    :param interpreter: a Python of its version
    :param arguments: more arguments for pytest
    """
    install(cell, interpreter)
    check(cell)
    print(f"Airflow {cell.airflow}, Python {cell.python}, dependencies: {cell.resolution}", flush=True)
    quoted = shlex.join(arguments).replace("$", "$$")
    make = ["make", "--keep-going", target, f"VENV={cell.venv}", "AIRFLOW=", f"ARGS={quoted}"]
    return subprocess.run(make, cwd=ROOT).returncode == 0


def test_all(arguments: list[str]) -> bool:
    """Run the tests in every cell, print a table, and return whether all passed that must.

    :param arguments: more arguments for pytest
    """
    verdicts = {cell: _verdict(cell, arguments) for cell in cells()}
    row = "{:<10} {:<8} {:<14} {:>7} {:>8} {:>8} {:>8}  {}".format
    print("\n" + row("Airflow", "Python", "dependencies", "passed", "skipped", "failed", "minutes", ""))
    for cell, verdict in verdicts.items():
        print(row(cell.airflow, cell.python, cell.resolution, *_counts(cell), verdict))
    return all(verdict == "ok" or cell.may_fail for cell, verdict in verdicts.items())


def _verdict(cell: Cell, arguments: list[str]) -> str:
    shutil.rmtree(cell.results, ignore_errors=True)
    try:
        good = test("test-all", cell, interpreter_of(cell.python), arguments)
    except (UnfitError, subprocess.CalledProcessError) as error:
        return str(error)
    return "ok" if good else "failed, as it may" if cell.may_fail else "failed"


def _counts(cell: Cell) -> tuple[str, ...]:
    parts = [ET.parse(file).getroot()[0].attrib for file in cell.results.glob("*.xml")]
    if not parts:
        return ("-",) * 4
    counted = ("tests", "skipped", "failures", "errors", "time")
    tests, skipped, failed, broken, seconds = (sum(float(part[name]) for part in parts) for name in counted)
    unhappy = (skipped, failed + broken)
    return *(f"{number:.0f}" for number in (tests - sum(unhappy), *unhappy)), f"{seconds / 60:.1f}"


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> int:
    """Do what is asked for, and return 0 where it went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("cells", help="print all cells as JSON")
    kinds.add_parser("all", help="test all cells").add_argument("arguments", nargs=argparse.REMAINDER)
    one = kinds.add_parser("test", help="test one cell")
    one.add_argument("target", help="a target of the Makefile, such as test or test-all")
    one.add_argument("airflow")
    one.add_argument("python", help="a version, or an interpreter")
    one.add_argument("arguments", nargs=argparse.REMAINDER, help="more arguments for pytest")
    asked = parser.parse_args()
    if asked.kind == "cells":
        print(json.dumps([asdict(cell) for cell in cells()]))
        return 0
    try:
        if asked.kind == "all":
            return 0 if test_all(asked.arguments) else 1
        version = version_of(asked.python)
        interpreter = asked.python if version else interpreter_of(asked.python)
        cell = cell_of(asked.airflow, version or asked.python)
        return 0 if test(asked.target, cell, interpreter, asked.arguments) else 1
    except UnfitError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
