# SPDX-License-Identifier: Apache-2.0
"""Who is logged in, and the users' open sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scripted import TOKEN, a_session, answer, play, refusal

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.monitors import UserConnection, get_full_name, list_user_connections

AUTH = {"X-MSTR-AuthToken": TOKEN}


def test_the_full_name_is_asked_for_in_no_project() -> None:
    played = play(get_full_name(a_session(JSESSIONID="jsession-cookie")), answer({"fullName": "Ann Lee"}))
    assert played.result == "Ann Lee"
    assert played.calls == ["GET /api/sessions/userInfo"]
    assert played.requests[0].headers == AUTH


CONNECTION = {
    "id": "C1:0:bm9kZQ==",
    "username": "alee",
    "userFullName": "Ann Lee",
    "projectName": "Tutorial",
    "openJobsCount": 2,
    "dateConnectionCreated": "2020-08-03T12:20:00.000+0000",
    "duration": 938,
    "client": "10.0.0.7",
}


def test_user_connections_are_asked_of_every_node_that_runs() -> None:
    played = play(
        list_user_connections(a_session(JSESSIONID="jsession-cookie")),
        answer(
            {
                "nodes": [
                    {"name": "n1", "status": "running"},
                    {"name": "n2", "status": "stopped"},
                    {"name": "n3"},
                ]
            }
        ),
        answer({"userConnections": [CONNECTION], "totalFiltered": 1}),
        answer({"totalFiltered": 0}),
    )
    assert played.result == (
        UserConnection(
            CONNECTION["id"],
            "alee",
            "Ann Lee",
            "Tutorial",
            "10.0.0.7",
            "2020-08-03T12:20:00.000+0000",
            938,
            2,
        ),
    )
    assert played.calls == [
        "GET /api/monitors/iServer/nodes",
        "GET /api/monitors/userConnections",
        "GET /api/monitors/userConnections",
    ]
    assert [request.query.get("clusterNode") for request in played.requests] == [None, "n1", "n3"]
    assert all(request.headers == AUTH for request in played.requests)


def test_a_connection_needs_only_an_id() -> None:
    played = play(
        list_user_connections(a_session()),
        answer({"nodes": [{"name": "n1"}]}),
        answer({"userConnections": [{"id": "C1", "projectName": None, "duration": "9"}], "totalFiltered": 1}),
    )
    assert played.result == (UserConnection("C1", "", "", "", "", "", None, None),)


@pytest.mark.parametrize("call", [list_user_connections, get_full_name])
def test_a_refusal_says_what_is_missing(call: Callable[..., Any]) -> None:
    played = play(call(a_session()), refusal(403, "ERR014", -2147213784))
    assert type(played.error) is errors.NoPrivilege


@pytest.mark.parametrize("payload", [{}, {"nodes": None}, {"nodes": [7]}])
def test_nodes_with_an_unexpected_format_are_invalid(payload: Any) -> None:
    error = play(list_user_connections(a_session()), answer(payload)).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == "could not list the nodes: unexpected response format: no list of nodes"


def test_a_node_with_an_invalid_name_is_invalid() -> None:
    error = play(list_user_connections(a_session()), answer({"nodes": [{"name": "n\n"}]})).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == "could not list the nodes: a node has an invalid id"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "unexpected response format: a user connection has no id"),
        ({"id": "C1\n"}, "a user connection has an invalid id"),
    ],
)
def test_a_user_connection_with_an_invalid_id_is_invalid(entry: dict[str, str], problem: str) -> None:
    played = play(
        list_user_connections(a_session()),
        answer({"nodes": [{"name": "n1"}]}),
        answer({"userConnections": [entry], "totalFiltered": 1}),
    )
    assert isinstance(played.error, errors.InvalidResponse)
    assert played.error.what == f"could not list the user connections of node n1: {problem}"
