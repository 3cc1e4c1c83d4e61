# SPDX-License-Identifier: Apache-2.0
"""The command line as Airflow registers it, and its cost."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from typing import Any

import needs
import pytest
from airflow.cli.cli_parser import get_parser

from airflow_provider_mstr.cli import commands
from airflow_provider_mstr.cli.parser import EPILOG, get_mstr_cli_commands
from airflow_provider_mstr.provider_info import get_provider_info
from airflow_provider_mstr.refresh.options import WhenBusy
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy

(MSTR,) = get_mstr_cli_commands()
COMMANDS = {each.name: each for each in MSTR.subcommands}

# What may only be loaded once a command runs.
HEAVY = {
    "airflow_provider_mstr.cli.commands",
    "airflow_provider_mstr.hooks",
    "airflow_provider_mstr.operators",
    "airflow_provider_mstr.rest",
    "requests",
    "aiohttp",
    "tenacity",
    "rich.progress",
}


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    return get_parser()


def test_the_provider_info_names_the_commands() -> None:
    assert get_provider_info()["cli"] == ["airflow_provider_mstr.cli.parser.get_mstr_cli_commands"]


@needs.COMMANDS
@pytest.mark.parametrize(
    "typed",
    ["projects", "models", "models --name Sal", "tables Sales", "refresh Sales", "sessions"],
)
@pytest.mark.parametrize("more", ["", "--conn-id other -o json"])
def test_airflow_knows_each_command(parser: ArgumentParser, typed: str, more: str) -> None:
    args = parser.parse_args(["mstr", *typed.split(), *more.split()])
    assert args.func.__name__ == typed.split()[0]
    assert (args.conn_id, args.output) == (("other", "json") if more else ("mstr_default", "table"))


@needs.COMMANDS
def test_check_needs_no_more_than_a_connection(parser: ArgumentParser) -> None:
    assert parser.parse_args(["mstr", "check"]).conn_id == "mstr_default"
    assert parser.parse_args(["mstr", "check", "--conn-id", "other"]).conn_id == "other"


def test_each_command_is_there() -> None:
    for name in COMMANDS:
        assert callable(getattr(commands, name))


@needs.COMMANDS
def test_a_command_with_invalid_arguments_ends_with_the_status_that_is_documented(
    parser: ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["mstr", "refresh", "Sales", "--refresh-policy", "delete"])
    assert ended.value.code == 2
    assert "2 invalid arguments" in EPILOG


def test_the_choices_of_refresh_are_those_of_the_operators() -> None:
    def choices(flag: str) -> Any:
        (arg,) = (each for each in COMMANDS["refresh"].args if flag in each.flags)
        return arg.kwargs["choices"]

    assert choices("--refresh-policy") == tuple(RefreshPolicy)
    assert choices("--when-busy") == tuple(WhenBusy)


def test_what_every_airflow_command_imports_is_light() -> None:
    code = (
        "import json, sys, airflow.cli.cli_config; before = set(sys.modules);"
        "from airflow_provider_mstr.cli.parser import get_mstr_cli_commands as commands; commands();"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "airflow_provider_mstr.cli.parser" in loaded
    assert loaded & HEAVY == set()
