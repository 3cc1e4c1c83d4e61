# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING shows the tree as it is."""

from __future__ import annotations

from pathlib import Path

import airflow_provider_mstr

PACKAGE = Path(airflow_provider_mstr.__file__).parent
TREE = (PACKAGE.parent / "CONTRIBUTING.md").read_text()


def test_contributing_names_every_file_of_the_package() -> None:
    files = {
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" and path.relative_to(PACKAGE).parts[0] != "sandbox"
    }

    assert {str(path) for path in files if path.name not in TREE and path.stem not in TREE} == set()


def test_contributing_names_no_module_that_does_not_exist() -> None:
    tree = TREE.partition("```text")[2].partition("```")[0]
    named = {word for word in tree.replace("(", " ").split() if word.endswith(".py")}

    assert {name for name in named if not list(PACKAGE.rglob(name))} == set()
