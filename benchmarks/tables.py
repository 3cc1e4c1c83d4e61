# SPDX-License-Identifier: Apache-2.0
"""What every benchmark shares: its tables, and a summary of what was run where."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "airflow-provider-mstr",
    "apache-airflow",
    "apache-airflow-providers-airbyte",
    "apache-airflow-providers-databricks",
    "apache-airflow-providers-dbt-cloud",
    "apache-airflow-providers-http",
    "apache-airflow-providers-microsoft-azure",
    "apache-airflow-providers-tableau",
    "mstrio-py",
    "aiohttp",
    "requests",
)


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as Markdown.

    :param title: what stands above it
    :param header: the names of its columns
    :param rows: its rows
    """
    print(f"\n### {title}\n")
    for cells in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(map(_text, cells))} |", flush=True)


def surroundings() -> str:
    """Return the machine and the versions that figures depend on, in one paragraph."""
    packages = ", ".join(f"{package} {found}" for package in PACKAGES if (found := _version(package)))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, {python}; {packages}"


def _text(cell: object) -> str:
    return f"{cell:,.{_decimals(cell)}f}" if isinstance(cell, float) else str(cell)


def _decimals(number: float) -> int:
    return 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    print(surroundings())
