# SPDX-License-Identifier: Apache-2.0
"""Each injected fault: what the client receives, and whether the server handled the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_mstr.sandbox import Sandbox
from airflow_provider_mstr.sandbox.world import RETAIL


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_status_has_no_body_and_the_call_is_not_handled(
    sandbox: Sandbox, client: Any, status: int
) -> None:
    sandbox.add_fault("create_instance", "status", status=status)
    response = client.call("POST", f"/dataModels/{RETAIL.id}/instances")
    assert (response.status_code, response.content) == (status, b"")
    assert sandbox.report().instances_created == 0


def test_an_error_status_may_have_a_body_and_headers(sandbox: Sandbox, client: Any) -> None:
    sandbox.add_fault("projects", "status", status=429, headers={"Retry-After": "7"})
    assert client.call("GET", "/projects").headers["Retry-After"] == "7"
    sandbox.add_fault("projects", "status", status=502, body="<html>Bad Gateway</html>")
    assert client.call("GET", "/projects").headers["Content-Type"].startswith("text/html")
    sandbox.add_fault("projects", "status", status=500, body='{"code": "ERR001"}')
    assert client.call("GET", "/projects").json() == {"code": "ERR001"}


def test_a_connection_lost_before_does_not_handle_the_call(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    sandbox.add_fault("publish", "lost_before")
    with pytest.raises(requests.ConnectionError, match="reset"):
        client.publish(instance)
    assert sandbox.report().publishes == ()
    assert [request.call for request in sandbox.requests][-1] == "publish"


def test_a_connection_lost_after_handles_the_call(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    sandbox.add_fault("publish", "lost_after")
    with pytest.raises(requests.ConnectionError, match="reset"):
        client.publish(instance)
    assert sandbox.report().publishes[0].state == "running"
    assert client.publish_status(instance).status_code == 200


@pytest.mark.parametrize(("kind", "done"), [("slow_before", 0), ("slow_after", 1)])
def test_a_slow_call_pauses_before_or_after_it_is_handled(
    sandbox: Sandbox, client: Any, kind: str, done: int
) -> None:
    sandbox.add_fault("create_instance", kind, seconds=60)
    with pytest.raises(requests.ReadTimeout):
        client.call("POST", f"/dataModels/{RETAIL.id}/instances", timeout=0.2)
    assert sandbox.report().instances_created == done


def test_a_slow_call_gets_a_response(sandbox: Sandbox, client: Any) -> None:
    sandbox.add_fault("projects", "slow_before", seconds=0.01)
    sandbox.add_fault("projects", "slow_after", seconds=0.01)
    assert [client.call("GET", "/projects").status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("garble", ["html", "empty", "truncated", "other_shape"])
def test_a_call_with_a_garbled_response_is_handled(sandbox: Sandbox, client: Any, garble: str) -> None:
    sandbox.add_fault("create_instance", "garbled", garble=garble)
    response = client.call("POST", f"/dataModels/{RETAIL.id}/instances")
    assert response.status_code == 200
    assert sandbox.report().instances_created == 1
    if garble == "other_shape":
        assert isinstance(response.json(), list)
    else:
        with pytest.raises(requests.JSONDecodeError):
            response.json()


def test_a_truncated_response_is_half_of_the_response(sandbox: Sandbox, client: Any) -> None:
    whole = client.call("GET", "/projects").text
    sandbox.add_fault("projects", "garbled", garble="truncated")
    assert client.call("GET", "/projects").text == whole[: len(whole) // 2]


@pytest.mark.parametrize("call", ["login", "create_instance"])
def test_a_call_with_a_missing_header_is_handled(
    sandbox: Sandbox, client: Any, connect: Callable[[Sandbox], Any], call: str
) -> None:
    sandbox.add_fault(call, "missing_header")
    if call == "login":
        response = connect(sandbox).call("POST", "/auth/login", json={"loginMode": 8})
        assert sandbox.report().logins == 2
        assert response.cookies
    else:
        response = client.call("POST", f"/dataModels/{RETAIL.id}/instances")
        assert sandbox.report().instances_created == 1
    assert response.status_code == 204
    assert not [name for name in response.headers if name.lower().startswith("x-mstr")]


def test_a_lost_session_cancels_its_publish(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    client.publish(instance)
    sandbox.add_fault("publish_status", "session_lost")
    responses = [client.publish_status(instance) for _ in range(2)]
    assert [(each.status_code, each.json()["code"]) for each in responses] == [(401, "ERR009")] * 2
    report = sandbox.report()
    assert (report.open_sessions, report.lost_sessions) == (0, 1)
    assert report.publishes[0].state == "cancelled"


def test_the_publish_of_a_lost_instance_continues(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    client.publish(instance)
    sandbox.add_fault("publish_status", "instance_lost")
    responses = [client.publish_status(instance) for _ in range(2)]
    assert [each.json()["iServerCode"] for each in responses] == [-2147468986] * 2
    assert client.call("GET", "/sessions").status_code == 200
    assert sandbox.report().publishes[0].state == "running"


def test_an_instance_may_be_lost_when_it_is_deleted(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    sandbox.add_fault("delete_instance", "instance_lost")
    assert client.delete_instance(instance).status_code == 404
    assert sandbox.report().instances_open == 0


def test_no_privilege_is_a_403(sandbox: Sandbox, client: Any) -> None:
    sandbox.add_fault("publish", "no_privilege")
    response = client.publish(client.create_instance())
    assert (response.status_code, response.json()["code"]) == (403, "ERR014")
    assert sandbox.report().publishes == ()


def test_a_redirect_names_another_host_and_the_call_is_not_handled(
    sandbox: Sandbox, connect: Callable[[Sandbox], Any]
) -> None:
    sandbox.add_fault("login", "redirect", location="https://idp.example.com/")
    response = connect(sandbox).call("POST", "/auth/login", json={"loginMode": 8})
    assert (response.status_code, response.headers["Location"]) == (302, "https://idp.example.com/")
    assert sandbox.report().logins == 0


def statuses(client: Any, count: int) -> list[int]:
    return [client.call("GET", "/projects").status_code for _ in range(count)]


def test_a_fault_happens_a_number_of_times_after_a_number_of_calls(sandbox: Sandbox, client: Any) -> None:
    sandbox.add_fault("projects", "status", times=2, after=1)
    assert statuses(client, 5) == [200, 503, 503, 200, 200]


def test_a_fault_without_a_limit_happens_until_it_is_cleared(sandbox: Sandbox, client: Any) -> None:
    sandbox.add_fault("any", "status", times=None)
    assert statuses(client, 3) == [503] * 3
    sandbox.clear_faults()
    assert statuses(client, 1) == [200]


def test_faults_happen_in_order_and_only_to_their_call(sandbox: Sandbox, client: Any) -> None:
    sandbox.add_fault("logout", "status", status=500)
    sandbox.add_fault("projects", "status", status=502)
    sandbox.add_fault("projects", "status", status=504)
    assert statuses(client, 3) == [502, 504, 200]


@pytest.mark.parametrize(
    ("call", "kind", "details"),
    [("publsh", "status", {}), ("publish", "explode", {}), ("publish", "garbled", {"garble": "x"})],
)
def test_an_invalid_fault_is_rejected(
    sandbox: Sandbox, call: str, kind: str, details: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        sandbox.add_fault(call, kind, **details)
