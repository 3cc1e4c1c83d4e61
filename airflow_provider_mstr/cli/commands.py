# SPDX-License-Identifier: Apache-2.0
"""The commands of ``airflow mstr``."""

from __future__ import annotations

import functools
import logging
import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_mstr.cli.console import (
    closes_session,
    load_bar,
    plain_log,
    print_line,
    show,
    show_json,
    show_lines,
    show_table,
    stops_load,
)
from airflow_provider_mstr.cli.probe import run_probe
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh.cube import CubeSpec
from airflow_provider_mstr.refresh.data_model import DataModelSpec
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.options import (
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    WhenBusy,
    positive_seconds,
)
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.report import ReportSpec
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.refresh.spec import JobSpec
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest.endpoints.auth import get_session_status
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, list_tables
from airflow_provider_mstr.rest.endpoints.monitors import UserConnection, get_full_name, list_user_connections
from airflow_provider_mstr.rest.endpoints.projects import enter_project, find_project_id, list_projects
from airflow_provider_mstr.rest.endpoints.search import (
    CUBE,
    DATA_MODEL,
    ObjectKind,
    SearchResult,
    find_object_id,
    list_objects,
)
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError, NoPrivilege
from airflow_provider_mstr.rest.flow import Flow, attempt
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.words import fold_case

FAILED, INVALID_ARGUMENTS, INTERRUPTED = 1, 2, 130

# What is shown of each table of an result, and of each session.
_TABLE_RESULT = ("name", "policy", "state", "seconds")
_SESSION = ("project", "client", "since", "seconds", "jobs")

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)

log = logging.getLogger(__name__)


def command(act: Callable[[Namespace, MstrHook], None]) -> Callable[[Namespace], None]:
    """Return a command that prints one line about what went wrong, and exits with its status.

    :param act: does what the command is for
    """

    @functools.wraps(act)
    def run(args: Namespace) -> None:
        with _interruptible(), plain_log(), _exit_with_message():
            _check_text(args)
            act(args, _hook(args.conn_id))

    return run


@command
def check(args: Namespace, hook: MstrHook) -> None:
    """Print what "Test connection" reports."""
    works, message = hook.test_connection()
    if not works:
        _exit(message, FAILED)
    show_lines(message)


@command
def projects(args: Namespace, hook: MstrHook) -> None:
    """List the projects that the user sees."""
    with hook.session() as session:
        found = hook.run(list_projects(session))
    show([{"name": project.name, "id": project.id} for project in found], args.output)


@command
def models(args: Namespace, hook: MstrHook) -> None:
    """List the data models of a project."""
    hits = _list(args, hook, DATA_MODEL)
    show([_row(model) | {"mode": model.serve_mode, "folder": _folder(model)} for model in hits], args.output)


@command
def cubes(args: Namespace, hook: MstrHook) -> None:
    """List the Intelligent cubes and super cubes of a project."""
    show([_row(cube) | {"folder": _folder(cube)} for cube in _list(args, hook, CUBE)], args.output)


@command
def tables(args: Namespace, hook: MstrHook) -> None:
    """List the tables of a data model."""
    data_model = hook.object_name("data_model", args.model)
    with _in_project(hook, args.project) as (session, project_id):
        data_model_id = hook.run(find_object_id(session, project_id, DATA_MODEL, data_model))
        found = hook.run(list_tables(DataModelInstance(session, project_id, data_model_id)))
    show([{"name": table.name, "id": table.id} for table in found], args.output)


@command
def refresh(args: Namespace, hook: MstrHook) -> None:
    """Refresh a data model or cube, wait until its load ends, and show the result."""
    spec = _spec(args, hook)
    with load_bar() as move_bar:
        result = _refresh(hook, spec, move_bar)
    data = result.to_json()
    _show_result(data, args.output)
    if result.error is not None:
        raise result.error
    print_line(f"Refreshed {result.kind.replace('_', ' ')} {result.name} in {data['seconds']} s")


@command
def probe(args: Namespace, hook: MstrHook) -> None:
    """Refresh a small data model or cube once, after asking, and write a report about the server."""
    run_probe(args, hook)


@command
def sessions(args: Namespace, hook: MstrHook) -> None:
    """Log in, enter the project if there is one, and show which sessions of the user are open."""
    project = args.project or hook.server.project
    with hook.session() as session:
        limits = hook.run(get_session_status(session))
        user = hook.run(get_full_name(session))
        shut_out = hook.run(attempt(_entering(session, project)))
        seen, unseen = _open_ones(hook, session, user)
    report = LoginReport(
        server=hook.server.url,
        user=user,
        project=project,
        in_project=project is not None and shut_out is None,
        idle_seconds=limits.get("timeout"),
        instances=limits.get("workingSet"),
        sessions=None if unseen else [{key: getattr(each, key) for key in _SESSION} for each in seen],
    )
    report.show(args.output)
    if unseen:
        print_line(f"Which sessions are open cannot be seen: {unseen}")
    if shut_out is not None:
        raise shut_out


@dataclass(frozen=True)
class LoginReport:
    """What a login shows about a connection.

    :param in_project: whether the project could be entered
    :param idle_seconds: seconds after which an idle session ends
    :param instances: how many instances a session may hold
    :param sessions: the user's open sessions; None where the user may not see them
    """

    server: str
    user: str
    project: str | None
    in_project: bool
    idle_seconds: Any
    instances: Any
    sessions: list[dict[str, Any]] | None

    def show(self, output: str) -> None:
        """Print it as it was asked for.

        :param output: ``table`` or ``json``
        """
        if output == "json":
            show_json(asdict(self))
            return
        in_project = f", project {self.project}" if self.in_project else ""
        show_lines(
            f"Logged in to {self.server} as {self.user}{in_project}",
            f"A session idles out after {self.idle_seconds} s and holds {self.instances} instances",
        )
        if self.sessions is not None:
            show_table(self.sessions)


@contextmanager
def _exit_with_message() -> Iterator[None]:
    """Leave with words and a status where the block does not end well."""
    try:
        yield
    except InvalidInput as error:
        _exit(str(error), INVALID_ARGUMENTS)
    except MstrError as error:
        _exit(str(error), FAILED)
    except KeyboardInterrupt:
        _exit("interrupted", INTERRUPTED)
    except Exception as error:
        log.debug("Unexpected error", exc_info=True)
        how = "set AIRFLOW__LOGGING__LOGGING_LEVEL=DEBUG to see the traceback"
        _exit(f"unexpected {type(error).__name__}; {how}", FAILED)


def _check_text(args: Namespace) -> None:
    """Refuse an argument that Python could not decode, because no request can contain it."""
    for name, value in vars(args).items():
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise InvalidInput(f"{name} {value!r} is not text in the encoding of this terminal") from None


def _hook(conn_id: str) -> MstrHook:
    """Return the hook of a connection, which is read as Airflow's own commands read theirs."""
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    hook = MstrHook(conn_id)
    try:
        hook.server  # noqa: B018 - parse the connection
    except MstrError:
        raise
    except AirflowNotFoundException:
        raise InvalidInput(f"there is no Airflow connection {conn_id!r}, or none that can be read") from None
    except Exception as error:
        # What others say of a connection that they cannot read may quote its password.
        raise InvalidInput(
            f"the Airflow connection {conn_id!r} cannot be read: {type(error).__name__}"
        ) from None
    return hook


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, cleaning up on the way out."""
    earlier = {number: signal.signal(number, signal.default_int_handler) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def _in_project(hook: MstrHook, project_id: str | None) -> Iterator[tuple[Session, str]]:
    """Log in for as long as the block lasts, and look up the project."""
    project = hook.project(project_id)
    with hook.session() as session:
        yield session, hook.run(find_project_id(session, project))


def _list(args: Namespace, hook: MstrHook, kind: ObjectKind) -> list[SearchResult]:
    """Return the objects of a kind whose name contains ``--name``, by name."""
    wanted = args.name or ""
    with _in_project(hook, args.project) as (session, project_id):
        found = hook.run(list_objects(session, project_id, kind, wanted))
    matching = (hit for hit in found if fold_case(wanted) in fold_case(hit.name))
    return sorted(matching, key=lambda hit: hit.name)


def _row(hit: SearchResult) -> dict[str, str]:
    return {"name": hit.name, "id": hit.id}


def _folder(hit: SearchResult) -> str:
    return "/".join(hit.folder)


def _spec(args: Namespace, hook: MstrHook) -> JobSpec[Any]:
    """Return what the arguments ask to refresh."""
    given = {"MODEL": args.model, "--cube": args.cube, "--report": args.report}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InvalidInput(f"give one of: {', '.join(given)}")
    (name,) = names
    by_name: dict[str, JobSpec[Any]] = {"--cube": CubeSpec(), "--report": ReportSpec()}
    if name != "MODEL" and args.tables is not None:
        raise InvalidInput(f"--tables does not apply to {name}")
    spec = by_name.get(name)
    if spec is None:
        spec = DataModelSpec(choice=TableChoice.of(_policies(args.tables), args.refresh_policy))
    return replace(
        spec,
        project=hook.project(args.project),
        target=hook.object_name(spec.job_class.kind, given[name]),
        when_busy=WhenBusy.of(args.when_busy),
        timeout=positive_seconds("--timeout", DEFAULT_TIMEOUT if args.timeout is None else args.timeout),
    )


def _refresh(hook: MstrHook, spec: JobSpec[Any], move_bar: Callable[[int, int], object]) -> RefreshResult:
    latest: Job | None = None

    def on_progress(job: Job, accepted: bool = False) -> None:
        nonlocal latest
        latest = job

    def log_line(line: str, **fields: Any) -> None:
        print_line(line)

    def log_and_move(line: str, **fields: Any) -> None:
        print_line(line)
        tables = poller.result(State.RUNNING).tables
        move_bar(sum(table.state is State.FINISHED for table in tables), len(tables))

    try:
        with stops_load():
            opened = hook.open_job(spec, on_progress)
            started = hook.start_job(spec, opened, on_progress, log_line=log_line)
            move_bar(0, len(started.tables))
            who = hook.server.credentials
            poller = Poller(started, spec.timeout, DEFAULT_POLL_INTERVAL, who, time.time, log_and_move)
            result = hook.run(poller.wait())
            latest = poller.job
        return result
    finally:
        if latest is not None and latest.is_open:
            with closes_session():
                hook.close(latest)


def _show_result(result: dict[str, Any], output: str) -> None:
    """Show the result of each table. If that fails, the result of the load stays the same."""
    try:
        if output == "json":
            show_json(result)
        elif result["tables"]:
            show_table([{key: table[key] for key in _TABLE_RESULT} for table in result["tables"]])
    except MstrError as error:
        print_line(f"The result is not shown: {error}")
    except KeyboardInterrupt:
        print_line("The result is not shown: interrupted")


def _policies(names: Sequence[str] | None) -> dict[str, str | None] | None:
    """Return the policies of ``--tables``, each with ``=POLICY`` or without."""
    if names is None:
        return None
    policies: dict[str, str | None] = {}
    for text in names:
        name, _, policy = text.rpartition("=")
        # A name may hold a "=" itself.
        table, policy_of_it = (name, policy) if name and policy in set(RefreshPolicy) else (text, None)
        if table in policies:
            raise InvalidInput(f"--tables names the table {table} twice")
        policies[table] = policy_of_it
    return policies


def _entering(session: Session, project: str | None) -> Flow[None]:
    if project is not None:
        project_id = yield from find_project_id(session, project)
        yield from enter_project(session, project_id)


def _open_ones(hook: MstrHook, session: Session, user: str) -> tuple[Sequence[UserConnection], str]:
    """Return the user's open sessions; or none, and why they are not to be seen."""
    login = hook.server.credentials.login.casefold()
    try:
        everyone = hook.run(list_user_connections(session))
    except NoPrivilege:
        return (), "the user lacks the privilege to monitor user connections"
    except MstrError as error:
        return (), error.what
    return [each for each in everyone if each.full_name == user or each.login.casefold() == login], ""


def _exit(words: str, status: int) -> NoReturn:
    print_line(f"airflow mstr: {words}")
    sys.exit(status)
