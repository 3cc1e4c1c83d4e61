# SPDX-License-Identifier: Apache-2.0
"""Change the code in one place at a time, and see that a test fails for each change."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EQUIVALENT = ROOT / "tests" / "mutation.toml"

# A change that makes an endless loop was noticed as well.
_KILLED = frozenset({"killed", "timeout"})
_COLUMNS = ("mutants", "killed", "survived", "explained")


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What a mutant changes.

    :param module: the module's full name
    :param function: the function, after its class where it has one
    :param becomes: its lines in place of the code's
    """

    module: str
    function: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.module}, {self.function}: {self.becomes}"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutant that was tried.

    :param name: mutmut's name of it, such as ``rest.protocol.xǁRunǁfeed__mutmut_3``
    :param fate: mutmut's word for what became of it
    """

    name: str
    fate: str

    @property
    def module(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def killed(self) -> bool:
        return self.fate in _KILLED

    def change(self, diff: str) -> Change:
        """Return what it changes.

        :param diff: what ``mutmut show`` prints of it
        """
        function = self.name.rpartition(".")[2].rpartition("__mutmut_")[0]
        added = [line[1:].strip() for line in diff.splitlines() if line[:1] == "+" and line[:3] != "+++"]
        return Change(
            self.module,
            function.removeprefix("xǁ").removeprefix("x_").replace("ǁ", "."),
            "\n".join(added),
        )


def mutants(listed: str) -> list[Mutant]:
    """Return the mutants that were tried.

    :param listed: what ``mutmut results`` prints
    """
    lines = (line.strip().rpartition(": ") for line in listed.splitlines() if line.strip())
    return [Mutant(name, fate) for name, _, fate in lines]


def equivalent(said: dict[str, list[dict[str, Any]]]) -> set[Change]:
    """Return the changes that change nothing, so that no test can tell.

    :param said: what ``tests/mutation.toml`` says
    """
    return {
        Change(entry["module"], entry["function"], becomes)
        for entry in said["equivalent"]
        for becomes in entry["becomes"]
    }


def complaints(survived: set[Change], explained: set[Change]) -> list[str]:
    """Return what is wrong, for a person.

    :param survived: the changes that no test failed for
    :param explained: those that change nothing
    """
    untested = [f"no test fails for {change}" for change in sorted(survived - explained)]
    return untested + [f"explained but gone, or killed: {change}" for change in sorted(explained - survived)]


def table(tried: list[Mutant], survived: Collection[Change], explained: set[Change]) -> Iterator[str]:
    """Yield the lines of a table that counts what became of each module's mutants.

    :param tried: the mutants
    :param survived: the changes that no test failed for
    :param explained: those that change nothing
    """
    counts = [
        Counter(mutant.module for mutant in tried),
        Counter(mutant.module for mutant in tried if mutant.killed),
        Counter(change.module for change in survived),
        Counter(change.module for change in survived if change in explained),
    ]
    yield _row("", _COLUMNS)
    for module in sorted(counts[0]):
        yield _row(module, [count[module] for count in counts])
    yield _row("all", [count.total() for count in counts])


def _row(name: str, cells: Collection[object]) -> str:
    return f"{name:42}" + "".join(f"{cell:>11}" for cell in cells)


def _mutmut(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *words],
        cwd=ROOT,
        env=os.environ | {"HYPOTHESIS_PROFILE": "default"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(done.stdout)
        sys.exit(f"mutmut {words[0]} ended with {done.returncode}")
    return done.stdout


def main() -> int:
    """Try every mutant; 1 where one survives that is not explained."""
    print("Trying some hundred mutants takes a few minutes ...", flush=True)
    # Where mutants are named, mutmut first runs their tests by name: one that pytest does not find again
    # would pass for one that failed.
    _mutmut("run", "airflow_provider_mstr.*")
    tried = mutants(_mutmut("results", "--all", "true"))
    survived = [mutant.change(_mutmut("show", mutant.name)) for mutant in tried if not mutant.killed]
    explained = equivalent(tomllib.loads(EQUIVALENT.read_text()))
    print(*table(tried, survived, explained), sep="\n")
    wrong = complaints(set(survived), explained)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
