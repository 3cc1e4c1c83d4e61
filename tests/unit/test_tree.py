# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING shows the tree as it is."""

from __future__ import annotations

import re
from pathlib import Path

import airflow_provider_mstr
from airflow_provider_mstr import exceptions
from airflow_provider_mstr.rest.errors import MstrError

PACKAGE = Path(airflow_provider_mstr.__file__).parent
TREE = (PACKAGE.parent / "CONTRIBUTING.md").read_text().partition("```text\n")[2].partition("```")[0]


def named() -> set[str]:
    """Return the paths that the tree names; a folder's own line may name its files without their suffix."""
    paths: set[str] = set()
    folders = {-1: "", 0: ""}
    for line in TREE.splitlines():
        depth, first = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folder = folders[depth - 1]
        if first.endswith("/") and depth > 0:
            folder = folders[depth] = f"{folder}{first}"
            words = re.findall(r"\w+", line.replace(".py", ""))
            paths |= {f"{folder}{word}.py" for word in words if (PACKAGE / f"{folder}{word}.py").exists()}
        paths |= {f"{folder}{name}" for name in re.findall(r"\w+\.py", line)}
    return paths


def outside_sandbox(paths: set[str]) -> set[str]:
    return {path for path in paths if not path.startswith("sandbox/")}


def test_contributing_names_every_file_of_the_package_and_no_other() -> None:
    files = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}

    assert outside_sandbox(named()) == outside_sandbox(files)


def test_every_error_is_importable_from_exceptions() -> None:
    kinds, left = set(), [MstrError]
    while left:
        kinds.add(left[-1].__name__)
        left += left.pop().__subclasses__()

    assert kinds <= set(exceptions.__all__)
    assert all(hasattr(exceptions, name) for name in exceptions.__all__)
