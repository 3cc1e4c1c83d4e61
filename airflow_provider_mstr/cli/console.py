# SPDX-License-Identifier: Apache-2.0
"""What ``airflow mstr`` shows: its result on stdout, all else on stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from airflow.cli.simple_table import AirflowConsole
from airflow.providers.common.compat.sdk import redact
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from airflow_provider_mstr.rest.errors import MstrError

# Names come from the server: they contain no markup.
_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}

# Control characters, invisible characters, and those that change the order in which a line is shown.
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Some scripts and emoji need these two to join or separate characters.
_JOINERS = {"\u200c", "\u200d"}

# A pipe has no width: a row of a table stays on one line there.
_WIDTH_OF_A_PIPE = 100_000
# A table needs this many columns to show its cells.
_MIN_WIDTH = 40


class _Stream:
    """A standard stream that escapes what it cannot encode. A write that fails raises nothing.

    :param name: ``stdout`` or ``stderr``
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._failure: Exception | None = None

    @property
    def encoding(self) -> str:
        return getattr(self._real, "encoding", None) or "utf-8"

    @property
    def _real(self) -> Any:
        stream = getattr(sys, self._name)
        # While rich shows a bar, it replaces the stream.
        return getattr(stream, "rich_proxied_file", stream)

    def isatty(self) -> bool:
        return self._real is not None and self._real.isatty()

    def write(self, text: str) -> int:
        self._call("write", _encodable(text, self.encoding))
        return len(text)

    def flush(self) -> None:
        self._call("flush")

    def check(self) -> None:
        """Raise the error of a failed write, unless the reader has closed the pipe.

        :raises MstrError: if the output is incomplete
        """
        failure, self._failure = self._failure, None
        if failure is not None and not isinstance(failure, BrokenPipeError):
            reason = getattr(failure, "strerror", None) or failure
            raise MstrError(f"could not write to {self._name}: {reason}")

    def _call(self, method: str, *args: str) -> None:
        # A stream that was closed before Python started is None.
        if self._real is None:
            return
        try:
            getattr(self._real, method)(*args)
        except (OSError, ValueError) as error:
            self._failure = error
            self._discard()

    def _discard(self) -> None:
        # Python writes what is buffered when it exits. A failure there would change the exit status.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._real.fileno())
            os.close(nowhere)


_stdout = _Stream("stdout")
_stderr = Console(file=cast("IO[str]", _Stream("stderr")), soft_wrap=True, **_PLAIN)


def show_json(data: Any) -> None:
    """Print JSON, for a program that parses stdout.

    :param data: what to print
    :raises MstrError: if stdout cannot be written
    """
    # JSON escapes keep it ASCII, which every encoding can show.
    _stdout.write(json.dumps(data, indent=2) + "\n")
    _stdout.flush()
    _stdout.check()


def show_table(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows under the names of their fields, for a person.

    :param rows: fields by name, the same ones in every row
    :raises MstrError: if stdout cannot be written
    """
    console = AirflowConsole(file=cast("IO[str]", _stdout), **_PLAIN)
    console.width = max(console.width, _MIN_WIDTH) if console.is_terminal else _WIDTH_OF_A_PIPE
    console.print_as_table(
        [{name: _printable(str(value), _stdout.encoding) for name, value in row.items()} for row in rows]
    )
    _stdout.check()


def show_lines(*lines: str) -> None:
    """Print lines on stdout, for a person.

    :param lines: the lines
    :raises MstrError: if stdout cannot be written
    """
    for line in lines:
        _stdout.write(_printable(line, _stdout.encoding) + "\n")
    _stdout.flush()
    _stdout.check()


def show(rows: Sequence[dict[str, Any]], output: str) -> None:
    """Print rows as they were asked for.

    :param rows: fields by name, the same ones in every row
    :param output: ``table`` or ``json``
    :raises MstrError: if stdout cannot be written
    """
    if output == "json":
        show_json(rows)
    else:
        show_table(rows)


def print_line(line: str) -> None:
    """Print a line on stderr, above the bar if there is one. A stderr that cannot be written is ignored.

    :param line: what to say
    """
    _stderr.print(_printable(line, _stderr.encoding))


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
    logger, handler = logging.getLogger("airflow_provider_mstr"), _PrintHandler()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


class _PrintHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        for line in (record.getMessage(), *self._traceback(record)):
            print_line(str(redact(line)))

    @staticmethod
    def _traceback(record: logging.LogRecord) -> list[str]:
        return logging.Formatter().formatException(record.exc_info).splitlines() if record.exc_info else []


def _printable(text: str, encoding: str) -> str:
    """Return a text with control characters, and characters that the terminal cannot show, escaped."""
    safe = (
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in _UNSAFE_CATEGORIES and char not in _JOINERS
        else char
        for char in text
    )
    return _encodable("".join(safe), encoding)


def _encodable(text: str, encoding: str) -> str:
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def stops_load() -> Iterator[None]:
    """Print what an interruption of the block leads to."""
    try:
        yield
    except KeyboardInterrupt:
        print_line("Stopping the load and closing the session")
        raise


@contextmanager
def closes_session() -> Iterator[None]:
    """Print it if the block cannot close the session; the result of the command stays the same."""
    try:
        yield
    except MstrError as error:
        print_line(f"The session could not be closed and will time out: {error}")
    except KeyboardInterrupt:
        print_line("The session is not closed and will time out: interrupted")
