# SPDX-License-Identifier: Apache-2.0
"""The suite passes where each of its parts does, and where a test ran at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import suite

WITHOUT = "def test_without_a_whole_airflow(): assert {}"
WITH = "import pytest\n@pytest.mark.whole_airflow\ndef test_with_a_whole_airflow(): assert {}"


@pytest.mark.parametrize(
    ("without", "whole", "passes"),
    [
        (True, True, True),
        (False, True, False),
        (True, False, False),
        (True, None, True),
        (None, True, True),
        (None, False, False),
        (None, None, False),
    ],
)
def test_the_suite_passes_where_no_test_fails_and_one_ran(
    without: bool | None, whole: bool | None, passes: bool, tmp_path: Path
) -> None:
    for name, text, holds in (("without", WITHOUT, without), ("whole", WITH, whole)):
        if holds is not None:
            (tmp_path / f"test_{name}.py").write_text(text.format(holds))

    assert suite.run(sys.executable, [str(tmp_path), "-p", "no:cacheprovider"]) is passes


def test_each_part_leaves_its_results(tmp_path: Path) -> None:
    (tmp_path / "test_without.py").write_text(WITHOUT.format(True))

    suite.run(sys.executable, [str(tmp_path), "-p", "no:cacheprovider"], tmp_path / "results")

    assert {each.name for each in (tmp_path / "results").iterdir()} == {"with.xml", "without.xml"}
