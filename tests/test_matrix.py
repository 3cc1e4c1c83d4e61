# SPDX-License-Identifier: Apache-2.0
"""The list of what the package is tested on is what the package says, and a cell is what the list says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import matrix
import pytest
from packaging.version import Version

COMPATIBILITY = matrix.ROOT / "docs" / "compatibility.md"
PROJECT: dict[str, Any] = tomllib.loads(matrix.PROJECT.read_text())["project"]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> matrix.Cell:
    """A cell whose environment has just what it should have."""
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    cell = matrix.Cell("2.11.0", matrix.version_of(sys.executable) or "", resolution="lowest-direct")
    cell.bin.mkdir(parents=True)
    (cell.bin / "python").symlink_to(sys.executable)
    installed = matrix.floors() | {"apache-airflow": cell.airflow}
    monkeypatch.setattr(matrix, "installed_in", lambda _: dict(installed))
    matrix.check(cell)
    return cell


def test_no_pair_is_listed_twice() -> None:
    names = [str(cell) for cell in matrix.cells()]

    assert len(set(names)) == len(names)


def test_the_lowest_airflow_is_tested_with_the_lowest_dependencies() -> None:
    lowest, *_ = matrix.cells()

    assert (lowest.airflow, lowest.resolution) == (matrix.floors()["apache-airflow"], "lowest-direct")


def test_each_series_of_airflow_is_tested() -> None:
    series = {Version(cell.airflow).release[:2] for cell in matrix.cells()}

    assert series == {(2, 11), *((3, minor) for minor in range(max(series)[1] + 1))}


def test_the_pythons_are_those_of_the_classifiers() -> None:
    said = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if "Python :: 3." in each}

    assert {cell.python for cell in matrix.cells()} == said


@pytest.mark.parametrize(("python", "series"), [("3.11", (2, 11)), ("3.12", (2, 11)), ("3.13", (3, 1))])
def test_the_oldest_cell_of_a_python_is_one_with_current_dependencies(
    python: str, series: tuple[int, int]
) -> None:
    cell = matrix.cell_of("oldest", python)

    assert (Version(cell.airflow).release[:2], cell.python, cell.resolution) == (series, python, "highest")


def test_a_pair_that_is_not_listed_is_refused_with_those_that_are() -> None:
    with pytest.raises(matrix.UnfitError, match=r"no Airflow 2.11.2 with Python 3.13 .* 2.11.2-3.11"):
        matrix.cell_of("2.11.2", "3.13")


@pytest.mark.parametrize("name", ["apache-airflow", "tenacity"])
def test_a_cell_with_another_version_than_its_own_is_refused(
    name: str, here: matrix.Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = matrix.installed_in(here) | {name: "99"}
    monkeypatch.setattr(matrix, "installed_in", lambda _: installed)

    with pytest.raises(matrix.UnfitError, match=f"has {name} 99, not "):
        matrix.check(here)


def test_a_cell_with_another_python_than_its_own_is_refused(here: matrix.Cell) -> None:
    other = replace(here, python="3.99")
    other.venv.symlink_to(here.venv)

    with pytest.raises(matrix.UnfitError, match=r"has not Python 3.99"):
        matrix.check(other)


def test_the_documentation_tells_of_each_cell() -> None:
    listed: dict[str, list[str]] = {}
    for cell in matrix.cells():
        listed.setdefault(cell.airflow, []).append(cell.python)
    rows = re.findall(r"^\| (\d[\w.]+) \| ([\d., ]+) \|", COMPATIBILITY.read_text(), re.MULTILINE)

    assert {airflow: pythons.split(", ") for airflow, pythons in rows} == listed


def test_workflows_read_the_same_list() -> None:
    command = [sys.executable, str(Path(matrix.__file__)), "cells"]
    printed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert [(each["airflow"], each["python"]) for each in printed] == [
        (cell.airflow, cell.python) for cell in matrix.cells()
    ]
