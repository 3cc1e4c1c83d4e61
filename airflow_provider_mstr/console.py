# SPDX-License-Identifier: Apache-2.0
"""What ``airflow mstr`` shows: its result on stdout, all else on stderr."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow.cli.simple_table import AirflowConsole
from airflow.providers.common.compat.sdk import redact
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# Names come from the server: what looks like markup in them is none.
_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}

_stderr = Console(stderr=True, soft_wrap=True, **_PLAIN)


def show_json(said: Any) -> None:
    """Print JSON, for a program that reads stdout.

    :param said: what to print
    """
    print(json.dumps(said, indent=2, ensure_ascii=False))


def show_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows under the names of their fields, for a person.

    :param rows: fields by name, the same ones in every row
    """
    AirflowConsole(**_PLAIN).print_as_table(list(rows))


def show(rows: Sequence[dict[str, Any]], output: str) -> None:
    """Print rows as they were asked for.

    :param rows: fields by name, the same ones in every row
    :param output: ``table`` or ``json``
    """
    if output == "json":
        show_json(rows)
    else:
        show_table(rows)


def tell(line: str) -> None:
    """Print a line on stderr, above the bar if there is one.

    :param line: what to say
    """
    _stderr.print(line)


@contextmanager
def load_bar() -> Iterator[Callable[[int, int], object]]:
    """Show a bar while the block lasts, if stderr is a terminal; yield what moves it.

    :return: takes how many tables are loaded, and how many are to be
    """
    columns = (TextColumn("Tables loaded"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_stderr, disable=not _stderr.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda loaded, tables: bar.update(task, completed=loaded, total=tables)


@contextmanager
def plain_log() -> Iterator[None]:
    """Let the package's log be lines on stderr while the block lasts."""
    logger, handler = logging.getLogger("airflow_provider_mstr"), _Teller()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell(str(redact(self.format(record))))
