# SPDX-License-Identifier: Apache-2.0
"""``airflow mstr probe``: asks, refreshes once, and writes a report."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path

from airflow_provider_mstr.cli.console import closes_session, print_line, show_lines, stops_load
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.probe.flow import Probe, open_probe
from airflow_provider_mstr.probe.recorder import Recorder
from airflow_provider_mstr.probe.report import write_report
from airflow_provider_mstr.refresh.options import DEFAULT_TIMEOUT, positive_seconds
from airflow_provider_mstr.rest.endpoints.auth import close_session, login
from airflow_provider_mstr.rest.endpoints.search import CUBE, DATA_MODEL
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.session import Session


def run_probe(args: Namespace, hook: MstrHook) -> None:
    """Refresh a data model or cube once, after asking, and write a report about the server.

    :param args: the arguments of the command
    :param hook: the hook of the connection
    :raises InvalidInput: if the arguments are invalid
    :raises MstrError: if the user does not agree, or nothing could be probed
    """
    if (args.model is None) == (args.cube is None):
        raise InvalidInput("give one of: MODEL, --cube")
    kind = DATA_MODEL if args.cube is None else CUBE
    target = hook.object_name(kind.name.replace(" ", "_"), args.model if args.cube is None else args.cube)
    project = hook.project(args.project)
    timeout = positive_seconds("--timeout", DEFAULT_TIMEOUT if args.timeout is None else args.timeout)
    path = _writable(args.output)
    if not args.yes:
        if kind is DATA_MODEL:
            print_line("Every table is refreshed with the policy replace")
        _ask(f"This refreshes {kind.name} {target} of project {project} now. Continue? [y/N]")

    recorder = Recorder(time.monotonic)
    recorder.vocabulary.learn([target, project, hook.server.url])
    recorder.vocabulary.learn_secrets(hook.server.secrets)
    session = hook.run(recorder.record(login(hook.server.credentials)))
    probe: Probe | None = None
    try:
        with stops_load():
            found = open_probe(recorder, session, project, kind, target, timeout=timeout, log=print_line)
            probe = hook.run(recorder.record(found))
            hook.run(recorder.record(probe.run()))
    finally:
        with closes_session():
            hook.run(recorder.record(_close(session, probe)))
        if probe is not None:
            _write(path, write_report(probe.facts, recorder))


def _close(session: Session, probe: Probe | None) -> Flow[None]:
    if probe is not None:
        yield from probe.close()
    yield from close_session(session)


def _ask(question: str) -> None:
    print_line(question)
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if answer.strip().lower() not in ("y", "yes"):
        raise MstrError("nothing was refreshed; answer y, or use --yes")


def _writable(output: str) -> Path:
    path = Path(output)
    if path.is_dir() or not path.parent.is_dir():
        raise InvalidInput(f"--output {output!r} is not a file in an existing folder")
    return path


def _write(path: Path, report: str) -> None:
    try:
        path.write_text(report, encoding="utf-8")
    except OSError as error:
        show_lines(*report.splitlines())
        raise MstrError(f"could not write {path}: {error.strerror}; the report is printed instead") from None
    print_line(f"The report is in {path}")
