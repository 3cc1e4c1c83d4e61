# SPDX-License-Identifier: Apache-2.0
"""Run the sandbox from a shell: ``python -m airflow_provider_mstr.sandbox``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from airflow_provider_mstr.sandbox.running import Sandbox
from airflow_provider_mstr.sandbox.settings import (
    ConcurrentPublish,
    EndedJobStatus,
    HeaderCase,
    Reading,
    Settings,
    Unpublished,
)
from airflow_provider_mstr.sandbox.world import DEFAULT_WORLD, FailureKind, PublishFailure, World

_EPILOG = """\
The first printed line is the URL, the second an Airflow connection as JSON, the third a command for
your shell. The server runs until it is interrupted (SIGINT or SIGTERM), and then exits with 0.

While it runs:
  curl http://127.0.0.1:PORT/sandbox/report             show what has happened
  curl -X POST http://127.0.0.1:PORT/sandbox/finish     finish running publishes
  curl -d '{"call": "publish", "kind": "lost_after"}' http://127.0.0.1:PORT/sandbox/faults
                                                        lose the response to the next publish
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until it is interrupted.

    :param arguments: command line arguments; by default those of the process.
    """
    options = _parser().parse_args(arguments)
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    with Sandbox(_settings(options), _world(options), host=options.host, port=options.port) as sandbox:
        _print_addresses(sandbox, options.print_url_to)
        interrupted.wait()
    return 0


def _print_addresses(sandbox: Sandbox, url_file: Path | None) -> None:
    connection = sandbox.airflow_connection()
    print(sandbox.url)
    print(connection)
    print(f"export AIRFLOW_CONN_MSTR_DEFAULT={shlex.quote(connection)}", flush=True)
    if url_file:
        url_file.write_text(sandbox.url + "\n")


def _settings(options: argparse.Namespace) -> Settings:
    names = Settings.__dataclass_fields__
    values = {name: value for name, value in vars(options).items() if name in names}
    if options.fail:
        values["publish_failure"] = PublishFailure(options.fail, options.fail_table)
    return Settings(**values)


def _world(options: argparse.Namespace) -> World:
    first, *others = DEFAULT_WORLD.users
    user = replace(first, name=options.login, password=options.password)
    return replace(DEFAULT_WORLD, users=(user, *others))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_mstr.sandbox",
        description="A simulated Strategy Library server for demos and tests. All data is in memory.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default, user = Settings(), DEFAULT_WORLD.users[0]
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on (default: a free one)")
    add(
        "--print-url-to",
        type=Path,
        metavar="FILE",
        help="also write the URL to this file once the port is open",
    )
    add("--login", default=user.name, help="name of the first user (default: %(default)s)")
    add("--password", default=user.password, help="password of the first user (default: %(default)s)")

    def setting(option: str, help_text: str, **keywords: Any) -> None:
        value = keywords.pop("default", getattr(default, option[2:].replace("-", "_")))
        default_text = "" if value is None else " (default: %(default)s)"
        add(option, default=value, help=help_text + default_text, **keywords)

    setting("--base-path", "path of the Library", metavar="PATH")
    setting(
        "--publish-seconds",
        "duration of a publish or a load of a cube in seconds",
        type=float,
        metavar="N",
        default=10.0,
    )
    setting("--reading", "form of the publishStatus responses", choices=get_args(Reading))
    setting("--unpublished", "response of publishStatus before a publish", choices=get_args(Unpublished))
    setting(
        "--concurrent-publish",
        "handling of a second publish of a data model",
        choices=get_args(ConcurrentPublish),
    )
    setting(
        "--ended-job-seconds", "how long the monitor shows an ended job, in seconds", type=float, metavar="N"
    )
    setting(
        "--ended-job-status",
        "HTTP status of a request for a job that does not exist any more",
        type=int,
        choices=get_args(EndedJobStatus),
    )
    setting("--session-cap", "maximum sessions per user and project", type=int, metavar="N")
    setting("--session-idle-seconds", "lifetime of an idle session in seconds", type=float, metavar="N")
    setting(
        "--instance-idle-seconds",
        "lifetime of an idle instance in seconds (default: that of its session)",
        type=float,
        metavar="N",
    )
    setting("--table-page-cap", "maximum tables per response (default: no limit)", type=int, metavar="N")
    setting("--header-case", "case of X-MSTR header names", choices=get_args(HeaderCase))
    add("--fail", choices=get_args(FailureKind), help="how every publish fails (default: it succeeds)")
    add("--fail-table", metavar="NAME", help="the table that fails (default: the last one published)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
