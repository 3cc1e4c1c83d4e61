# SPDX-License-Identifier: Apache-2.0
"""The command line ``airflow mstr``, as Airflow registers it; ``commands`` executes it.

Every ``airflow`` command imports this, so nothing but Airflow's own definitions is imported here.
"""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

EPILOG = "exit status: 0 success; 1 failure; 2 invalid arguments; 130 interrupted"


def _arg(*flags: str, **how: Any) -> Arg:
    return Arg(flags, **how)  # type: ignore[no-untyped-call]


_CONNECTION = _arg(
    "--conn-id", help="Airflow connection (default: %(default)s)", default="mstr_default", metavar="ID"
)
_PROJECT = _arg("--project", help="project, by id or name (default: the connection's)", metavar="PROJECT")
_OUTPUT = _arg(
    "-o",
    "--output",
    help="a table to read, or JSON for programs (default: %(default)s)",
    choices=("table", "json"),
    default="table",
)
_SERVER = (_CONNECTION, _OUTPUT)
_IN_PROJECT = (*_SERVER, _PROJECT)

_NAME = _arg("--name", help="only those whose name contains this, in any casing", metavar="TEXT")
_MODEL = _arg("model", help="data model, by id or name", metavar="MODEL")
_REFRESHED = (
    _arg("model", help="data model to refresh, by id or name", metavar="MODEL", nargs="?"),
    _arg("--cube", help="cube to refresh instead, by id or name", metavar="CUBE"),
    _arg("--report", help="incremental refresh report to run instead, by id or name", metavar="REPORT"),
)
_TABLES = _arg(
    "--tables",
    help="tables to refresh, by id or name, each with =POLICY if it needs one of its own (default: all)",
    nargs="+",
    metavar="TABLE",
)
_POLICY = _arg(
    "--refresh-policy",
    help="policy of the tables that name none (default: %(default)s)",
    choices=("replace", "add", "update", "upsert"),
    default="replace",
)
_TIMEOUT = _arg("--timeout", help="seconds that the publish may take (default: two hours)", metavar="SECONDS")
_WHEN_BUSY = _arg(
    "--when-busy",
    help="wait for another job that refreshes the object, or fail at once (default: %(default)s)",
    choices=("wait", "fail"),
    default="wait",
)
_PROBED = (
    _arg("model", help="data model to refresh, by id or name", metavar="MODEL", nargs="?"),
    _arg("--cube", help="cube to refresh instead, by id or name", metavar="CUBE"),
    _arg("-y", "--yes", help="refresh without asking", action="store_true"),
    _arg(
        "--output", help="file of the report (default: %(default)s)", default="mstr-probe.md", metavar="FILE"
    ),
)


def get_mstr_cli_commands() -> list[CLICommand]:
    """Return the commands, as Airflow's ``cli`` key of the provider info asks for them."""
    subcommands = [
        _command("check", "Test the connection, as Airflow's button does", _CONNECTION),
        _command("projects", "List the projects that the user sees", *_SERVER),
        _command("models", "List the data models of a project", *_IN_PROJECT, _NAME),
        _command("cubes", "List the Intelligent cubes and super cubes of a project", *_IN_PROJECT, _NAME),
        _command("tables", "List the tables of a data model", *_IN_PROJECT, _MODEL),
        _command(
            "refresh",
            "Refresh a data model or cube, and wait for it; Ctrl-C stops the load",
            *_IN_PROJECT,
            *_REFRESHED,
            _TABLES,
            _POLICY,
            _TIMEOUT,
            _WHEN_BUSY,
        ),
        _command(
            "probe",
            "Refresh a small data model or cube once, after asking, and write a report about the server",
            _CONNECTION,
            _PROJECT,
            *_PROBED,
            _TIMEOUT,
        ),
        _command("sessions", "Log in, and show what is open on the server", *_IN_PROJECT),
    ]
    return [
        GroupCommand(
            "mstr",
            "Refresh Strategy (MicroStrategy) data models and cubes, and list what there is",
            subcommands,
        )
    ]


def _command(name: str, does: str, *args: Arg) -> ActionCommand:
    return ActionCommand(
        name, does, lazy_load_command(f"airflow_provider_mstr.cli.commands.{name}"), args, epilog=EPILOG
    )
