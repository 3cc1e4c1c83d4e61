# SPDX-License-Identifier: Apache-2.0
"""What one refresh of a data model with thousands of tables costs: time, memory, XCom, trigger row and log.

Answers come as bytes, so that reading them counts; the network does not.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from structlog.contextvars import get_contextvars
from tables import show, surroundings

from airflow_provider_mstr import summary
from airflow_provider_mstr.arguments import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT
from airflow_provider_mstr.refresh import Ending, Refresh, RefreshHandle
from airflow_provider_mstr.rest import workflow
from airflow_provider_mstr.rest.cookies import Cookie, Cookies
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Pause, Procedure, Request, Response, Run, decipher
from airflow_provider_mstr.rest.session import Credentials, Seal, Session
from airflow_provider_mstr.rest.tables import TableChoice
from airflow_provider_mstr.triggers import MstrPublishStatusTrigger
from airflow_provider_mstr.watch import Watcher

T = TypeVar("T")

Meter = Callable[[Callable[[], Any]], tuple[Any, float]]


class Server:
    """A server without a network, on which half of the tables are loaded at the second look, and then all.

    :param tables: how many the data model has
    """

    def __init__(self, tables: int) -> None:
        self._ids = [f"{number:032X}" for number in range(tables)]
        self._listing = self._list()
        self._looks = [self._status(loaded) for loaded in (0, tables // 2, tables)]

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure to its end and return its result.

        :param procedure: a procedure that was not started yet
        """
        run = Run(procedure)
        while run.step is not None:
            run.feed(None if isinstance(run.step, Pause) else decipher(run.step, self._answer(run.step)))
        return run.result

    def _answer(self, request: Request[Any]) -> Response:
        asks = request.path.endswith("/publishStatus")
        return Response(200, body=self._looks.pop(0) if asks else self._listing)

    def _list(self) -> bytes:
        listed = [{"information": {"objectId": each, "name": f"table {each[-4:]}"}} for each in self._ids]
        return json.dumps({"tables": listed, "total": len(listed)}).encode()

    def _status(self, loaded: int) -> bytes:
        words = ["completed"] * loaded + ["loading"] * (len(self._ids) - loaded)
        listed = [{"id": each, "status": word} for each, word in zip(self._ids, words, strict=True)]
        return json.dumps({"status": 5 if "loading" in words else 1, "tables": listed}).encode()


@dataclass
class Log:
    """Counts what goes into a task's log."""

    lines: int = 0
    text: int = 0
    fields: int = 0

    def tell(self, line: str) -> None:
        """Count a line, and what is kept beside it.

        :param line: the line
        """
        self.lines += 1
        self.text += len(line)
        self.fields += _size(get_contextvars().get("mstr", {}))


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[4, 500, 5000])
    options = parser.parse_args()
    print(surroundings())
    for tables in options.tables:
        times, sizes = (steps(tables, meter) for meter in (milliseconds, kib))
        rows = ((step, ms, peak, size) for (step, ms, size), (_, peak, _) in zip(times, sizes, strict=True))
        show(f"A data model of {tables:,} tables", ("step", "ms", "peak, KiB", "bytes"), rows)


def steps(tables: int, measured: Meter) -> Iterator[tuple[object, object, object]]:
    """Yield each step of a refresh, what it costs, and the bytes it makes.

    :param tables: how many the data model has
    :param measured: runs a step, and returns its result and what it costs
    """
    server, log = Server(tables), Log()
    session = Session("token", Cookies([Cookie("JSESSIONID", "cookie", "localhost", "/")]))
    instance = DataModelInstance(session, "B" * 32, "C" * 32, "D" * 32)
    choice = TableChoice.of(None, "replace")
    chosen, cost = measured(lambda: server.run(workflow.resolve_tables(instance, choice)))
    yield "list and choose the tables", cost, "-"

    seal = Seal("password", "scope")
    seal.close(instance.session)
    refresh = Refresh(instance, chosen, time.time())
    handle, cost = measured(lambda: RefreshHandle.of(refresh, seal).to_json())
    yield "make the handle (an XCom)", cost, _size(handle)
    _, cost = measured(lambda: RefreshHandle.from_json(handle).open(seal))
    yield "open the handle", cost, "-"

    watcher = Watcher(refresh, DEFAULT_TIMEOUT, DEFAULT_POLL_INTERVAL, Credentials(), time.time, log.tell)
    for look in ("first look", "second look, half are loaded"):
        _, cost = measured(lambda: server.run(watcher.look()))
        yield look, cost, "-"
    seen = {table: list(each) for table, each in watcher.seen.items()}
    trigger = MstrPublishStatusTrigger(
        handle, "mstr_default", DEFAULT_TIMEOUT, DEFAULT_POLL_INTERVAL, seen, True
    )
    row, cost = measured(trigger.serialize)
    yield "make the trigger's row", cost, _size(row)

    outcome, cost = measured(lambda: server.run(watcher.look()))
    yield "last look", cost, "-"
    if outcome is None:
        raise RuntimeError("the last look has seen no end")
    ending, cost = measured(lambda: Ending(outcome).to_json())
    yield "make the event, with the outcome (an XCom)", cost, _size(ending)
    for line in summary.lines(outcome):
        log.tell(line)
    yield f"the whole log, {log.lines} lines", "-", log.text
    yield "the fields beside its lines", "-", log.fields


def milliseconds(step: Callable[[], T]) -> tuple[T, float]:
    """Return what a step returns, and the milliseconds that it takes.

    :param step: what to do
    """
    began = time.perf_counter()
    result = step()
    return result, 1000 * (time.perf_counter() - began)


def kib(step: Callable[[], T]) -> tuple[T, float]:
    """Return what a step returns, and the KiB that it needs at most beside what was there.

    :param step: what to do
    """
    tracemalloc.start()
    try:
        result = step()
        return result, tracemalloc.get_traced_memory()[1] / 1024
    finally:
        tracemalloc.stop()


def _size(said: Any) -> int:
    return len(json.dumps(said))


if __name__ == "__main__":
    main()
