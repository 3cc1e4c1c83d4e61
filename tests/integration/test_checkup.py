# SPDX-License-Identifier: Apache-2.0
"""What the test of a connection says of servers, users and projects of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_mstr.connection.check import check
from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.rest.errors import (
    MstrError,
    NoPrivilege,
    NotFound,
    ServerUnavailable,
    SessionLimit,
)
from airflow_provider_mstr.rest.flow import with_retry_limit
from airflow_provider_mstr.rest.session import Credentials, LoginMode
from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox, Settings, World
from airflow_provider_mstr.sandbox.world import SALES, TUTORIAL, Project
from airflow_provider_mstr.transport.sync_driver import SyncDriver

ADMINISTRATOR, ANALYST = (
    Credentials(login=user.name, password=user.password) for user in DEFAULT_WORLD.users
)


def checked(
    sandbox: Sandbox, who: Credentials = ADMINISTRATOR, project: str | None = "Tutorial", **more: Any
) -> str:
    server = LibraryServer(sandbox.url, who, project, **more)
    return SyncDriver(server).run(with_retry_limit(check(server), 0.0))


def complaint(sandbox: Sandbox, **more: Any) -> MstrError:
    with pytest.raises(MstrError) as caught:
        checked(sandbox, **more)
    return caught.value


@contextmanager
def holding(*projects: Project, **settings: Any) -> Iterator[Sandbox]:
    world: World = replace(DEFAULT_WORLD, projects=projects)
    with Sandbox(Settings(**settings), world) as sandbox:
        yield sandbox


def test_the_test_checks_what_a_refresh_needs_and_logs_out(mstr_sandbox: Sandbox) -> None:
    checked(mstr_sandbox)
    calls = [request.call for request in mstr_sandbox.requests]
    assert (calls[0], calls[-1]) == ("login", "logout")
    assert {*calls[1:-1]} == {"projects", "object", "user_info", "status"}
    assert mstr_sandbox.report().open_sessions == 0


def test_it_names_the_user_behind_an_api_token(mstr_sandbox: Sandbox) -> None:
    token = Credentials(LoginMode.API_TOKEN, password=DEFAULT_WORLD.users[0].api_token or "")
    assert " as administrator." in checked(mstr_sandbox, token)


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("user_info", "full name"),
        ("status", "(version"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 404},
        {"kind": "no_privilege"},
        {"kind": "lost_before"},
        {"kind": "garbled", "garble": "other_shape"},
    ],
    ids=lambda fault: fault["kind"],
)
def test_what_it_cannot_find_out_it_leaves_out(
    call: str, missing: str, fault: dict[str, Any], mstr_sandbox: Sandbox
) -> None:
    mstr_sandbox.add_fault(call, times=None, **fault)
    report = checked(mstr_sandbox)
    assert f"{mstr_sandbox.url}" in report
    assert " as administrator. The user can work in project Tutorial" in report
    assert missing not in report
    assert mstr_sandbox.report().requests[call] == 1


@pytest.mark.mstr_sandbox(iserver_version="11.4.0600.0123")
def test_a_server_that_is_too_old_is_reported_with_the_success(mstr_sandbox: Sandbox) -> None:
    report = checked(mstr_sandbox)
    assert "(version 11.4.0600.0123)" in report
    assert "But the server's version is 11.4.0600.0123" in report
    assert "Strategy ONE (August 2025)" in report


def test_a_project_that_is_not_loaded_is_distinguished_from_an_unknown_one() -> None:
    with holding(TUTORIAL, replace(SALES, loaded=False)) as sandbox:
        unloaded = complaint(sandbox, project=SALES.id)
        assert "project Sales is not loaded on the server" in str(unloaded)
        unknown = complaint(sandbox, project="0" * 32)
        assert "no project has the id" in str(unknown)
        assert "the user can see Sales, Tutorial" in str(unknown)
        assert sandbox.report().open_sessions == 0
    assert {type(unloaded), type(unknown)} == {NotFound}


def test_an_unknown_project_is_reported_with_the_existing_ones(mstr_sandbox: Sandbox) -> None:
    assert "no project is named 'Tutorials'; similar names: Tutorial" in str(
        complaint(mstr_sandbox, project="Tutorials")
    )


def test_a_user_without_projects_is_reported() -> None:
    with holding() as sandbox:
        assert "the user can see no project" in checked(sandbox, project=None)


def test_the_number_of_listed_projects_is_limited() -> None:
    many = [Project(f"{number:032}", f"Project {number:02}") for number in range(23)]
    with holding(*many) as sandbox:
        report = checked(sandbox, project=None)
    assert "the user can see Project 00, Project 01" in report
    assert "Project 19 and 3 more" in report


@pytest.mark.mstr_sandbox(session_cap=1)
def test_a_session_limit_is_reported_with_advice(mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault("logout", "status", status=503, times=1)
    with pytest.raises(ServerUnavailable, match="log out"):
        checked(mstr_sandbox)
    full = complaint(mstr_sandbox)
    assert isinstance(full, SessionLimit)
    assert "Close sessions" in str(full)


def test_a_user_without_access_is_reported_and_logged_out(mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault("object", "no_privilege")
    assert isinstance(complaint(mstr_sandbox), NoPrivilege)
    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.parametrize("call", ["login", "projects", "object", "logout"])
def test_a_server_that_is_stuck_is_not_waited_for(call: str, mstr_sandbox: Sandbox) -> None:
    mstr_sandbox.add_fault(call, "slow_before", seconds=3600)
    # The time limit of the connection would let it wait for an hour.
    assert "no answer within " in complaint(mstr_sandbox, timeout=3600.0).what


@pytest.mark.parametrize("who", [ADMINISTRATOR, replace(ADMINISTRATOR, password="another-secret")])
def test_the_result_contains_no_secret(who: Credentials, mstr_sandbox: Sandbox) -> None:
    try:
        report = checked(mstr_sandbox, who)
    except MstrError as error:
        report = f"{error}{error!r}"
    assert not [secret for secret in {*mstr_sandbox.secrets(), who.password} if secret in report]
