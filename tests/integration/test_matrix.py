# SPDX-License-Identifier: Apache-2.0
"""The matrix, the package, the documentation and the pinned tools name the same versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
RELEASES: list[dict[str, Any]] = tomllib.loads((ROOT / "tests" / "matrix.toml").read_text())["airflow"]


def test_no_release_is_listed_twice() -> None:
    versions = [release["version"] for release in RELEASES]

    assert len(set(versions)) == len(versions)


def test_the_lowest_airflow_is_tested_with_the_lowest_dependencies() -> None:
    (airflow,) = (each for each in PROJECT["dependencies"] if each.startswith("apache-airflow>="))
    lowest = RELEASES[0]

    assert (f"apache-airflow>={lowest['version']}", lowest["resolution"]) == (airflow, "lowest-direct")


def test_each_series_of_airflow_is_tested() -> None:
    series = {Version(release["version"]).release[:2] for release in RELEASES}

    assert series == {(2, 11), *((3, minor) for minor in range(max(series)[1] + 1))}


def test_the_pythons_are_those_of_the_classifiers() -> None:
    named = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if "Python :: 3." in each}

    assert {python for release in RELEASES for python in release["python"]} == named


def test_the_documentation_lists_each_version() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text()
    rows = re.findall(r"^\| (\d[\w.]+) \| ([\d., ]+) \|", page, re.MULTILINE)

    assert rows == [(release["version"], ", ".join(release["python"])) for release in RELEASES]


@pytest.mark.parametrize("group", ["test", "lint", "docs", "mutation", "dist", "matrix"])
def test_each_tool_is_pinned_to_a_version_that_fits(group: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {pin.name: pin.specifier for pin in map(Requirement, lines)}

    for wanted in map(Requirement, PYPROJECT["dependency-groups"][group]):
        (pin,) = pins[wanted.name]
        assert wanted.specifier.contains(pin.version), wanted
