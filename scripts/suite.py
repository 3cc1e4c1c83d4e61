# SPDX-License-Identifier: Apache-2.0
"""Run the test suite: first what needs no whole Airflow, several tests at once, then the rest, one by one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent

# The first part mostly waits, so two cores carry three at once; the second is to meet its moments.
PARTS = {"without": ("-n", "3", "-m", "not whole_airflow"), "with": ("-m", "whole_airflow")}

NO_TEST = 5


def run(python: Path | str, arguments: Iterable[str], results: Path | None = None) -> bool:
    """Run both parts, and return whether they passed.

    :param python: the interpreter of the environment to test in
    :param arguments: more arguments for pytest; they may leave one part without a test, not both
    :param results: a folder for the results of each part
    """
    # Some tests type a command's name.
    environment = os.environ | {"PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"}
    codes = [
        subprocess.run(
            [python, "-m", "pytest", *chosen, *_junit(results, part), *arguments], cwd=ROOT, env=environment
        ).returncode
        for part, chosen in PARTS.items()
    ]
    for part, code in zip(PARTS, codes, strict=True):
        print(f"{part} a whole Airflow: {_told(code)}")
    return set(codes) <= {0, NO_TEST} and 0 in codes


def _junit(results: Path | None, part: str) -> list[str]:
    return [f"--junitxml={results / part}.xml"] if results else []


def _told(code: int) -> str:
    return {0: "passed", NO_TEST: "no test"}.get(code, "failed")


if __name__ == "__main__":
    sys.exit(not run(sys.executable, sys.argv[1:]))
