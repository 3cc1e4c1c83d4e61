# SPDX-License-Identifier: Apache-2.0
"""The README shows code that runs, and leads to pages that are there; the pages have tests of their own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import needs
import pytest
from airflow.cli.cli_parser import get_parser

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.rest.session import LoginMode

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = dict(re.findall(r"<!-- (.+?) -->\n```\w+\n(.*?)```", README, re.DOTALL))
EXAMPLE = "example_dags/example_refresh_in_one_task.py"


def test_the_readme_shows_the_example_as_it_runs() -> None:
    assert (ROOT / EXAMPLE).read_text().endswith(f"from __future__ import annotations\n\n{BLOCKS[EXAMPLE]}")


def test_the_connection_means_the_server_that_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    _, assignment = shlex.split(BLOCKS["connection"])
    monkeypatch.setenv(*assignment.split("=", 1))

    server = MstrHook().server

    assert server.url == "https://strategy.example.com/MicroStrategyLibrary"
    assert (server.credentials.login, server.credentials.password) == ("etl", "secret")
    assert (server.credentials.mode, server.project, server.timeout) == (LoginMode.LDAP, "Tutorial", 60.0)


@needs.COMMANDS
def test_each_command_is_one() -> None:
    parser = get_parser()
    typed = re.findall(r"^\$ airflow (mstr .*?)(?:  #.*)?$", README, re.MULTILINE)

    assert {parser.parse_args(shlex.split(line)).subcommand for line in typed} == {
        "check",
        "models",
        "cubes",
        "tables",
        "refresh",
        "probe",
    }


def test_each_make_target_is_one() -> None:
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert set(re.findall(r"make (\w+)", README)) <= set(targets)


def test_each_link_leads_to_a_page() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)

    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
