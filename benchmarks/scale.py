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

from jobs import job_of
from structlog.contextvars import get_contextvars
from tables import show, surroundings

from airflow_provider_mstr.observability import summary
from airflow_provider_mstr.observability.log_fields import with_fields
from airflow_provider_mstr.refresh.data_model import resolve_tables
from airflow_provider_mstr.refresh.kinds import load_job
from airflow_provider_mstr.refresh.options import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest.cookies import Cookie, Cookies
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance
from airflow_provider_mstr.rest.flow import Flow, Pause, run_flow
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.responses import parse_response
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.triggers import MstrPublishStatusTrigger

T = TypeVar("T")

Meter = Callable[[Callable[[], Any]], tuple[Any, float]]


class Server:
    """A server without a network, on which half of the tables are loaded at the second poll, and then all.

    :param tables: how many the data model has
    """

    def __init__(self, tables: int) -> None:
        self._ids = [f"{number:032X}" for number in range(tables)]
        self._listing = self._list()
        self._statuses = [self._status(loaded) for loaded in (0, tables // 2, tables)]

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end and return its result.

        :param flow: a flow that was not started yet
        """
        return run_flow(
            flow, lambda step: None if isinstance(step, Pause) else parse_response(step, self._answer(step))
        )

    def _answer(self, request: Request[Any]) -> Response:
        asks = request.path.endswith("/publishStatus")
        return Response(200, body=self._statuses.pop(0) if asks else self._listing)

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

    def count(self, line: str) -> None:
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
    refreshed, cost = measured(lambda: server.run(resolve_tables(instance, choice)))
    yield "list and choose the tables", cost, "-"

    seal = Seal("password", "scope")
    seal.close(instance.session)
    job = job_of(instance, refreshed, time.time())
    handle, cost = measured(lambda: job.to_json(seal))
    yield "make the handle (an XCom)", cost, _size(handle)
    _, cost = measured(lambda: load_job(handle, seal))
    yield "open the handle", cost, "-"

    log_line = with_fields(log.count)
    poller = Poller(job, DEFAULT_TIMEOUT, DEFAULT_POLL_INTERVAL, Credentials(), time.time, log_line)
    for poll in ("first poll", "second poll, half are loaded"):
        _, cost = measured(lambda: server.run(poller.poll()))
        yield poll, cost, "-"
    seen = {table: list(each) for table, each in poller.seen.items()}
    trigger = MstrPublishStatusTrigger(
        handle, "mstr_default", DEFAULT_TIMEOUT, DEFAULT_POLL_INTERVAL, seen, True
    )
    row, cost = measured(trigger.serialize)
    yield "make the trigger's row", cost, _size(row)

    result, cost = measured(lambda: server.run(poller.poll()))
    yield "last poll", cost, "-"
    if result is None:
        raise RuntimeError("the last poll shows no end")
    data, cost = measured(result.to_event)
    yield "make the event, with the result (an XCom)", cost, _size(data)
    for line in summary.lines(result):
        log.count(line)
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
