# SPDX-License-Identifier: Apache-2.0
"""Every cell of the fault matrix, held against the sandbox."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fault_matrix
import pytest
import tenacity
from airflow.providers.common.compat.sdk import AirflowFailException
from fault_matrix import ASKED, CELLS, LOADED, NO_LOAD, REQUESTS, SUCCESS, TIMEOUT, Cell, Expectation
from workers import CUBE_WAYS, WAYS, Refreshed, meaning

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.sandbox import Fault, Report, Request, Sandbox, Settings
from airflow_provider_mstr.sandbox.world import RETAIL, SALES_CUBE, SALES_UPDATE

OBJECTS = {
    way: {"cube": SALES_CUBE, "report": SALES_UPDATE}.get(way.split(",")[0], RETAIL).id
    for way in fault_matrix.WAYS
}
PAGE = Path(__file__).parents[2] / "docs" / "fault-matrix.md"

# How many polls a load takes; a fault of the wait happens to the third, which every way to refresh comes to.
POLLS = 4
POLLS_BEFORE_FAULT = 2

FOREVER = 1e6


class Paced(Sandbox):
    """A sandbox whose loads end after so many polls instead of seconds, and which knows when it is idle."""

    def __init__(self) -> None:
        super().__init__(Settings(publish_seconds=FOREVER))
        self.loaded_before_fault = False
        self.poll_count = self.asked = self.working = 0

    def prepare(self, *, loaded_before_fault: bool) -> None:
        self.reset()
        self._old_secrets.clear()
        self.loaded_before_fault = loaded_before_fault
        self.poll_count = self.asked = 0

    def record(self, request: Request) -> Fault | None:
        with self._changed:
            fault = super().record(request)
            self.working += fault is None or not (fault.kind == "lost_before" or fault.replacement())
            self._pace(request, fault)
            return fault

    def handle(self, request: Request) -> object:
        with self._changed:
            self.working -= 1
            return super().handle(request)

    def idle_report(self) -> Report:
        """Return the report once all is done that clients may have given up."""
        return self.wait_for(lambda _: self.working == 0)

    def _pace(self, request: Request, fault: Fault | None) -> None:
        report = self.report()
        if request.call not in ("publish_status", "get_job", "cubes") or not (
            report.publishes or report.jobs
        ):
            return
        self.asked += 1
        self.poll_count += fault is None
        if self.poll_count == POLLS or (self.loaded_before_fault and self.asked > POLLS_BEFORE_FAULT):
            self.finish_publishes()


@pytest.fixture(scope="module")
def server() -> Iterator[Paced]:
    with Paced() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[socket.socket]:
    """A port of another host, where nobody is to call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def was_called(listener: socket.socket) -> bool:
    try:
        caller, _ = listener.accept()
    except BlockingIOError:
        return False
    caller.close()
    return True


@pytest.fixture(autouse=True)
def swift(brisk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retry_for end by the number of attempts, however busy this machine is."""
    from airflow_provider_mstr.rest import retry

    soon, never = tenacity.wait_fixed(0.01), tenacity.wait_fixed(FOREVER)
    monkeypatch.setattr(retry, "_backoff", tenacity.wait_chain(*[soon] * (ASKED - 1), never))


EACH_CELL = [
    pytest.param(cell, id=str(cell), marks=[pytest.mark.long] if cell.repeats_blocking else [])
    for cell in CELLS
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("cell", EACH_CELL)
def test_a_refresh_that_meets_a_fault_ends_as_stated(
    cell: Cell, server: Paced, elsewhere: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.prepare(loaded_before_fault=cell.request.name in LOADED)
    order(cell, server, elsewhere)
    connect(cell, server, monkeypatch)

    refreshed = (WAYS | CUBE_WAYS)[cell.way](OBJECTS[cell.way], poll=0.02, timeout=3600.0)

    report = server.idle_report()
    assert report.requests.get(cell.request.call, 0) > cell.request.after, "the fault never happened"
    assert seen(refreshed, report) == cell.expected
    assert (report.instances_open, report.jobs_running) == (0, 0)
    assert report.rejected_calls_without_cookies == 0
    assert not was_called(elsewhere)
    text = log_text(refreshed)
    assert not [secret for secret in server.secrets() if secret in text]
    assert ended_for_good(refreshed) == no_retry_mends(refreshed)


def order(cell: Cell, server: Paced, elsewhere: socket.socket) -> None:
    fault, details = cell.fault, dict(cell.fault.details)
    if fault.kind == "redirect":
        details["location"] = f"http://localhost:{elsewhere.getsockname()[1]}/login"
    times = 1 if cell.when == fault_matrix.ONCE else None
    server.add_fault(cell.request.call, fault.kind, times=times, after=cell.request.after, **details)


def connect(cell: Cell, server: Paced, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_mstr.refresh import cube, data_model

    connection = json.loads(server.airflow_connection())
    if cell.fault.slow:
        connection["extra"] = {"timeout": TIMEOUT}
        # Late work is seen to start, however slow this machine is.
        for module in (cube, data_model):
            monkeypatch.setattr(module, "MAX_SECONDS_TO_FIND_OUT", FOREVER)
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(connection))


def seen(refreshed: Refreshed, report: Report) -> Expectation:
    """Return what came of a refresh, in the words of the matrix."""
    failure, teardown = failures(refreshed)
    jobs = ["cancelled" if job.status == "stopped" else job.status for job in report.jobs]
    if failure is None:
        assert refreshed.outcome["state"] == "finished"
    return Expectation(
        ends=SUCCESS if failure is None else type(meaning(failure)).__name__,
        teardown="" if teardown is None else type(meaning(teardown)).__name__,
        load=", ".join([*(publish.state for publish in report.publishes), *jobs]) or NO_LOAD,
        logins=report.logins,
        left=report.open_sessions,
    )


def failures(refreshed: Refreshed) -> tuple[BaseException | None, BaseException | None]:
    """Return the error of the refresh, and that of its teardown."""
    raised = {name: task.error for name, task in refreshed.tasks.items()}
    teardown = raised.pop("delete", None)
    return next(filter(None, raised.values()), None), teardown


def log_text(refreshed: Refreshed) -> str:
    return "\n".join(f"{task.error} {task.xcoms} {task.result}" for task in refreshed.tasks.values())


def ended_for_good(refreshed: Refreshed) -> list[bool]:
    return [isinstance(task.error, AirflowFailException) for task in refreshed.tasks.values() if task.error]


def no_retry_mends(refreshed: Refreshed) -> list[bool]:
    """Return of each error whether a retry of its task is of no use, as the README states it."""
    of_no_use = {"publish": (errors.OutcomeUnknown,), "wait": (errors.OutcomeUnknown, errors.PublishFailed)}
    causes = {name: meaning(task.error) for name, task in refreshed.tasks.items() if task.error}
    return [
        not error.retryable or (type(error) in of_no_use.get(name, ()) and not error.may_answer_later)
        for name, error in causes.items()
    ]


def test_the_listener_notices_a_call(elsewhere: socket.socket) -> None:
    assert not was_called(elsewhere)
    with socket.create_connection(elsewhere.getsockname()):
        assert was_called(elsewhere)


def test_the_matrix_has_every_way_and_names_each_exception_rightly() -> None:
    assert set(fault_matrix.WAYS) == {*WAYS, *CUBE_WAYS}
    requests = {request.name for request in REQUESTS}
    for exception in fault_matrix.EXCEPTIONS:
        assert {*exception.requests} <= requests
        assert {*exception.faults} <= {*fault_matrix.EVERY_FAULT}
        assert any(cell.falls_under(exception) for cell in CELLS)


@pytest.mark.parametrize(("blocking", "deferred"), fault_matrix.PAIRS)
def test_what_only_the_long_tests_run_is_expected_of_a_blocking_way_too(blocking: str, deferred: str) -> None:
    repeated = [cell for cell in CELLS if cell.way == deferred and cell.repeats_blocking]

    assert repeated
    for cell in repeated:
        assert cell.expected == replace(cell, way=blocking).expected


def test_the_page_is_what_the_matrix_renders() -> None:
    assert PAGE.read_text() == fault_matrix.markdown(), f"python {fault_matrix.__file__} > {PAGE}"
