# SPDX-License-Identifier: Apache-2.0
"""The control endpoint and the same methods in Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from airflow_provider_mstr.sandbox import Sandbox, Settings


def control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, f"{sandbox.origin}/sandbox/{path}", json=body, timeout=60)


def test_the_report_over_http_is_the_report(sandbox: Sandbox, client: Any) -> None:
    client.publish(client.create_instance())
    over_http = control(sandbox, "GET", "report").json()
    assert over_http == json.loads(json.dumps(sandbox.report().to_json()))
    assert over_http["publishes"][0]["state"] == "running"
    assert over_http["requests"] == {"login": 1, "create_instance": 1, "publish": 1}


def test_faults_are_added_and_cleared_over_http(sandbox: Sandbox, client: Any) -> None:
    response = control(
        sandbox, "POST", "faults", {"call": "projects", "kind": "status", "status": 502, "times": 9}
    )
    assert (response.status_code, response.json()["status"]) == (201, 502)
    assert client.call("GET", "/projects").status_code == 502
    assert control(sandbox, "DELETE", "faults").status_code == 204
    assert client.call("GET", "/projects").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"call": "projects", "kind": "explode"}),
        ("faults", {"kind": "status"}),
        ("faults", ["status"]),
        ("faults", None),
        ("settings", {"reading": "x"}),
        ("settings", {"no_such": 1}),
        ("advance", {"seconds": -1}),
    ],
)
def test_invalid_requests_are_rejected(sandbox: Sandbox, path: str, body: Any) -> None:
    response = control(sandbox, "POST", path, body)
    assert response.status_code == 400
    assert response.text


ENDPOINTS = [
    ("GET", "report"),
    ("POST", "faults"),
    ("DELETE", "faults"),
    ("POST", "settings"),
    ("POST", "finish"),
    ("POST", "advance"),
    ("POST", "reset"),
    ("GET", "nothing"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://{host}"},
        {"Origin": "http://{host}.evil.example"},
        {"Origin": ""},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Host": "localhost.evil.example"},
        {"Host": "192.0.2.7:{port}"},
        {"Host": "[2001:db8::1]:{port}"},
        {"Host": "[127.0.0.1"},
        {"Host": ""},
    ],
    ids=str,
)
def test_a_web_page_of_another_server_has_no_access(
    sandbox: Sandbox, client: Any, method: str, path: str, headers: dict[str, str]
) -> None:
    host = f"127.0.0.1:{sandbox.port}"
    headers = {name: value.format(host=host, port=sandbox.port) for name, value in headers.items()}
    before = sandbox.report()
    response = requests.request(
        method, f"{sandbox.origin}/sandbox/{path}", headers=headers, json={}, timeout=60
    )
    assert (response.status_code, sandbox.report()) == (403, before)


@pytest.mark.parametrize(
    ("listens_on", "host"),
    [
        ("127.0.0.1", "127.0.0.1:{port}"),
        ("127.0.0.1", "localhost:{port}"),
        ("127.0.0.1", "LOCALHOST:8085"),
        ("127.0.0.1", "[::1]:{port}"),
        ("localhost", "localhost:{port}"),
        ("0.0.0.0", "192.0.2.7:8085"),
        ("0.0.0.0", "[2001:db8::1]:8085"),
    ],
)
@pytest.mark.parametrize("origin", [None, "http://{host}"])
def test_a_request_with_the_sandboxs_host_has_access(listens_on: str, host: str, origin: str | None) -> None:
    with Sandbox(host=listens_on) as sandbox:
        host = host.format(port=sandbox.port)
        headers = {"Host": host} | ({"Origin": origin.format(host=host)} if origin else {})
        url = f"http://127.0.0.1:{sandbox.port}/sandbox/finish"
        assert requests.post(url, headers=headers, timeout=60).status_code == 204


def test_a_server_on_all_addresses_rejects_other_host_names() -> None:
    with Sandbox(host="0.0.0.0") as sandbox:
        url = f"http://127.0.0.1:{sandbox.port}/sandbox/finish"
        assert requests.post(url, headers={"Host": "evil.example"}, timeout=60).status_code == 403


def test_publishes_are_finished_over_http(sandbox: Sandbox, client: Any) -> None:
    client.publish(client.create_instance())
    assert control(sandbox, "POST", "finish").status_code == 204
    assert sandbox.report().publishes[0].state == "completed"


def test_the_clock_is_advanced_over_http(sandbox: Sandbox, client: Any) -> None:
    client.publish(client.create_instance())
    assert control(sandbox, "POST", "advance", {"seconds": 100}).status_code == 204
    assert sandbox.report().publishes[0].state == "completed"


def test_settings_are_changed_over_http(sandbox: Sandbox, client: Any) -> None:
    failure = {"kind": "status_3"}
    changed = control(sandbox, "POST", "settings", {"publish_seconds": 0, "publish_failure": failure}).json()
    assert changed["publish_failure"]["kind"] == "status_3"
    instance = client.create_instance()
    client.publish(instance)
    assert client.publish_status(instance).json()["status"] == 3


def test_reset_keeps_only_the_secrets(sandbox: Sandbox, client: Any) -> None:
    token = client.http.headers["X-MSTR-AuthToken"]
    client.create_instance()
    sandbox.add_fault("projects", "status", times=None)
    assert control(sandbox, "POST", "reset").status_code == 204
    report = sandbox.report()
    assert (report.logins, report.open_sessions, report.instances_created, report.requests) == (0, 0, 0, {})
    assert token in sandbox.secrets()
    assert client.call("GET", "/projects").status_code == 401


def test_all_secrets_are_known_and_long(sandbox: Sandbox, client: Any) -> None:
    given = {client.http.headers["X-MSTR-AuthToken"], *client.http.cookies.values()}
    assert given < sandbox.secrets()
    assert {"sandbox-password", "sandbox-api-token-5f0c9d"} < sandbox.secrets()
    assert min(map(len, given)) >= 32


def test_requests_are_recorded_in_order(sandbox: Sandbox, client: Any) -> None:
    instance = client.create_instance()
    client.publish(instance)
    request = sandbox.requests[-1]
    assert (request.call, request.method) == ("publish", "POST")
    assert request.headers["x-mstr-datamodelinstanceid"] == instance
    assert json.loads(request.body)["tables"][0]["refreshPolicy"] == "replace"
    assert set(request.cookies) == {"JSESSIONID", "iSession", "mstrRememberMe", "library-ingress"}


def test_unknown_paths_are_counted(sandbox: Sandbox, client: Any) -> None:
    client.call("GET", "/nothing")
    assert sandbox.report().requests["unknown"] == 1


def test_waiting_ends_with_the_expected_request(sandbox: Sandbox, client: Any) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(sandbox.wait_for, lambda report: report.logouts == 1)
        client.log_out()
        assert waiting.result(60).open_sessions == 0


def test_waiting_ends_when_the_clock_is_advanced(sandbox: Sandbox, client: Any) -> None:
    client.publish(client.create_instance())
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(sandbox.wait_for, lambda report: report.publishes[0].state == "completed")
        sandbox.advance(100)
        assert waiting.result(60).tables_loaded == {"Retail": {"ytd_day": 1}}


def test_waiting_ends_with_a_publish_that_is_not_polled(connect: Callable[[Sandbox], Any]) -> None:
    with Sandbox(Settings(publish_seconds=0.05)) as sandbox:
        client = connect(sandbox).log_in()
        client.publish(client.create_instance())
        report = sandbox.wait_for(lambda report: report.publishes[0].state == "completed", timeout=60)
    assert report.tables_loaded == {"Retail": {"ytd_day": 1}}


def test_waiting_raises_after_the_timeout(sandbox: Sandbox) -> None:
    with pytest.raises(TimeoutError, match=r"0\.01 seconds"):
        sandbox.wait_for(lambda report: report.logins == 1, timeout=0.01)


def test_the_airflow_connection_has_the_url_of_the_sandbox(sandbox: Sandbox) -> None:
    connection = json.loads(sandbox.airflow_connection())
    assert connection == {
        "conn_type": "mstr",
        "host": sandbox.url,
        "login": "administrator",
        "password": "sandbox-password",
        "schema": "Tutorial",
        "extra": {},
    }
