# SPDX-License-Identifier: Apache-2.0
"""The projects of the server."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import PROJECT, SESSIONS_FULL, a_session, answer, empty, play, refusal

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.projects import (
    CHECK_PROJECT,
    enter_project,
    find_project_id,
    list_projects,
)
from airflow_provider_mstr.rest.messages import Response

PROJECTS = answer(
    [
        {"id": "1" * 32, "name": "Sales"},
        {"id": "2" * 32, "name": "SALES"},
        {"id": "3" * 32, "name": "Tutorial"},
        {"id": "4" * 32, "name": "Twin"},
        {"id": "5" * 32, "name": "Twin"},
        {"name": "no id"},
        "odd",
    ]
)


@pytest.mark.parametrize(
    ("name", "project"),
    [("Tutorial", "3" * 32), ("tutorial", "3" * 32), ("Sales", "1" * 32), ("SALES", "2" * 32)],
)
def test_a_projects_name_becomes_its_id(name: str, project: str) -> None:
    assert play(find_project_id(a_session(), name), PROJECTS).result == project


@pytest.mark.parametrize("project", [PROJECT, PROJECT.lower()])
def test_a_projects_id_is_returned_without_a_request(project: str) -> None:
    assert play(find_project_id(a_session(), project)).result == project


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("tutoriall", "similar names: Tutorial"),
        ("Nowhere", "the existing names are: Sales, Tutorial, Twin"),
    ],
)
def test_a_misspelled_project_is_not_found_and_the_error_names_others(name: str, names: str) -> None:
    error = play(find_project_id(a_session(), name), PROJECTS).error
    assert type(error) is errors.NotFound
    assert str(error) == f"no project is named {name!r}; {names}. {CHECK_PROJECT}"
    assert "loaded" not in str(error)


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("sales", f"Sales ({'1' * 32}), SALES ({'2' * 32})"),
        ("Twin", f"Twin ({'4' * 32}), Twin ({'5' * 32})"),
    ],
)
def test_a_name_of_several_projects_is_refused_with_their_ids(name: str, ids: str) -> None:
    error = play(find_project_id(a_session(), name), PROJECTS).error
    assert type(error) is errors.NotFound
    assert str(error) == f"2 projects are named {name!r}. Use the id of one: {ids}."


def test_the_error_reports_that_the_user_can_see_no_project() -> None:
    error = play(find_project_id(a_session(), "x"), answer([])).error
    assert "there is none that the user can see" in str(error)


def test_only_the_first_projects_are_named() -> None:
    projects = [{"id": f"{number:032}", "name": f"P{number:02}"} for number in range(51)]
    error = play(find_project_id(a_session(), "x"), answer(projects)).error
    assert error.what.endswith(", ".join(f"P{number:02}" for number in range(20)) + " and 31 more")


@pytest.mark.parametrize("payload", [{}, {"projects": []}, None, 7, ["odd", {"else": True}]])
def test_projects_with_an_unexpected_format_are_invalid(payload: Any) -> None:
    error = play(list_projects(a_session()), answer(payload)).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == "could not list the projects: unexpected response format: no list of projects"


def test_a_project_with_an_invalid_id_is_invalid() -> None:
    error = play(list_projects(a_session()), answer([{"id": "1\n", "name": "Sales"}])).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == "could not list the projects: a project has an invalid id"


def test_the_retry_time_is_passed_on() -> None:
    (request,) = play(find_project_id(a_session(), "Tutorial", 7.0), PROJECTS).requests
    assert (request.retry_for, request.timeout) == (7.0, 7.0)


NO_SUCH_PAGE = Response(404, (("Content-Type", "text/html"),), b"<html>")


@pytest.mark.parametrize(
    "reply", [answer({"id": "x"}), refusal(404, "ERR004"), refusal(404, "ERR004", -2147216373), NO_SUCH_PAGE]
)
def test_any_answer_about_the_object_means_that_the_project_was_entered(reply: Response) -> None:
    assert play(enter_project(a_session(), PROJECT), reply).result is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (SESSIONS_FULL, errors.SessionLimit),
        (refusal(404, "ERR001", -2147209151), errors.NotFound),
        (refusal(500, "ERR001", -2147209177), errors.NotFound),
        (refusal(403, "ERR017", -2147214578), errors.NoPrivilege),
    ],
)
def test_a_project_that_cannot_be_entered_says_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(play(enter_project(a_session(), PROJECT), reply).error) is kind


@pytest.mark.parametrize(
    "reply",
    [
        empty(302, Location="https://idp.example.com/"),
        Response(200, (("Content-Type", "text/html"),), b"<html>"),
        answer([]),
    ],
)
def test_a_redirect_or_a_page_of_a_proxy_is_no_answer_from_within_the_project(reply: Response) -> None:
    assert type(play(enter_project(a_session(), PROJECT), reply).error) is errors.InvalidResponse
