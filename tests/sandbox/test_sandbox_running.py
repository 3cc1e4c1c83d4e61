# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping: in a thread, from a shell, and by the pytest fixture."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

import airflow_provider_mstr.sandbox as package
from airflow_provider_mstr.sandbox import Sandbox, Settings

ROOT = Path(package.__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mstr-sandbox"]


def test_it_runs_during_the_block() -> None:
    with Sandbox() as sandbox:
        assert sandbox.port
        assert requests.get(f"{sandbox.url}/api/status", timeout=60).status_code == 200
    assert threads() == []
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{sandbox.url}/api/status", timeout=60)


def test_a_keep_alive_connection_does_not_delay_the_stop() -> None:
    with requests.Session() as http, Sandbox() as sandbox:
        http.get(f"{sandbox.url}/api/status", timeout=60)
        sandbox.stop()
        assert threads() == []


def test_a_slow_call_does_not_delay_the_stop() -> None:
    with Sandbox() as sandbox:
        sandbox.add_fault("status", "slow_before", seconds=600)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{sandbox.url}/api/status", timeout=0.1)
    assert threads() == []


def test_it_can_be_stopped_twice_and_started_again() -> None:
    sandbox = Sandbox()
    for _ in range(2):
        sandbox.start()
        assert requests.get(f"{sandbox.url}/api/status", timeout=60).status_code == 200
        sandbox.stop()
        sandbox.stop()
    assert threads() == []


def test_a_port_in_use_is_an_error_at_the_start() -> None:
    with Sandbox() as first, pytest.raises(OSError, match="address already in use"):
        Sandbox(port=first.port).start()
    assert threads() == []


def test_the_base_path_is_a_setting() -> None:
    with Sandbox(Settings(base_path="/Library")) as sandbox:
        assert sandbox.url.endswith("/Library")
        assert requests.get(f"{sandbox.url}/api/status", timeout=60).status_code == 200
        elsewhere = requests.get(f"{sandbox.origin}/MicroStrategyLibrary/api/status", timeout=60)
    assert (elsewhere.status_code, "Tomcat" in elsewhere.text) == (404, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_url_and_stops_when_interrupted(
    tmp_path: Path, number: signal.Signals
) -> None:
    url_file = tmp_path / "url"
    command = [sys.executable, "-m", "airflow_provider_mstr.sandbox", "--print-url-to", str(url_file)]
    login, password = "o'neill", """it's "$HOME" `id` \\ 'quoted'; ü !"""
    command += ["--login", login, "--password", password, "--session-cap", "2", "--fail", "error"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        url, connection, export = (process.stdout.readline().strip() for _ in range(3))
        assert requests.get(f"{url}/api/status", timeout=60).status_code == 200
        assert json.loads(connection) | {"login": login, "password": password} == json.loads(connection)
        assert export.startswith("export AIRFLOW_CONN_MSTR_DEFAULT=")
        shell = ["sh", "-c", f'{export}; printf %s "$AIRFLOW_CONN_MSTR_DEFAULT"']
        assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == connection
        process.send_signal(number)
        assert process.wait(60) == 0
    assert url_file.read_text().strip() == url


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_it_warns_if_other_machines_can_reach_it(host: str, caplog: pytest.LogCaptureFixture) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("needs IPv6")
    with Sandbox(host=host):
        pass
    (warning,) = caplog.messages
    assert warning.startswith(
        f"Other machines can reach the sandbox on {host} and control it without a login"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_it_does_not_warn_on_a_loopback_address(host: str, caplog: pytest.LogCaptureFixture) -> None:
    with Sandbox(host=host):
        pass
    assert caplog.messages == []


def test_help_names_every_option_and_the_control_endpoint() -> None:
    command = [sys.executable, "-m", "airflow_provider_mstr.sandbox", "--help"]
    text = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    for expected in ("--publish-seconds", "--reading", "--session-cap", "--port", "/sandbox/report"):
        assert expected in text


PLUGIN_TEST = """
import sys
import pytest

def test_light():
    assert "aiohttp" not in sys.modules

def test_default(mstr_sandbox):
    import requests
    assert requests.get(mstr_sandbox.url + "/api/status", timeout=60).status_code == 200
    assert mstr_sandbox.settings.reading == "result"

@pytest.mark.mstr_sandbox(reading="loaded", publish_seconds=3)
class TestMarked:
    @pytest.mark.mstr_sandbox(publish_seconds=4)
    def test_marked(self, mstr_sandbox):
        assert mstr_sandbox.settings.reading == "loaded"
        assert mstr_sandbox.settings.publish_seconds == 4
        assert mstr_sandbox.report().logins == 0
"""


def test_the_fixture_has_a_new_sandbox_with_the_settings_of_its_markers(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(PLUGIN_TEST)
    command = [sys.executable, "-m", "pytest", "-p", "airflow_provider_mstr.sandbox.pytest_plugin"]
    command += ["-p", "no:cacheprovider", "--strict-markers", "-W", "error", str(tmp_path)]
    environment = ENVIRONMENT | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_the_package_exports_all_names() -> None:
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert Sandbox(host="::1", port=8080).origin == "http://[::1]:8080"
