# SPDX-License-Identifier: Apache-2.0
"""How each error comes about: what the tests do to a refresh so that it fails with it.

Run, this writes the texts of the errors in docs/errors.md anew.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if __name__ == "__main__":
    # It gives Airflow a home of its own, which must be there before Airflow is imported.
    import own_airflow  # noqa: F401

from certificates import Authority
from misbehaving_server import MisbehavingServer, answer
from workers import perform

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.refresh.data_model import DataModelSpec
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.rest import errors, retry
from airflow_provider_mstr.sandbox import PublishFailure, Sandbox
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

RETAIL = "9F4772B837604551B4D3CC916ADC5598"
LIVE_INVENTORY = "8A1C6E3B5F9D4270B8C4E7A2D6F1093E"

CONNECTION = "AIRFLOW_CONN_MSTR_DEFAULT"


class Provocations:
    """Makes a refresh fail, in the way that each method is called after.

    :param sandbox: the server
    :param environment: where the connection ``mstr_default`` is set
    :param folder: for files
    """

    def __init__(self, sandbox: Sandbox, environment: pytest.MonkeyPatch, folder: Path) -> None:
        self.sandbox = sandbox
        self.environment = environment
        self.folder = folder

    def of(self, name: str) -> BaseException | None:
        """Return the error that a refresh ended with.

        :param name: the error's class
        """
        provoke: Callable[[], BaseException | None] = getattr(self, name)
        return provoke()

    def InvalidInput(self) -> BaseException | None:  # noqa: N802
        return refresh(refresh_policy="append")

    def NotFound(self) -> BaseException | None:  # noqa: N802
        return refresh(tables=["lu_stores"])

    def NotPublishable(self) -> BaseException | None:  # noqa: N802
        return refresh(data_model_id=LIVE_INVENTORY)

    def InvalidRequest(self) -> BaseException | None:  # noqa: N802
        body = {"code": "ERR006", "message": "tableRefreshSettings cannot be null", "ticketId": "5d9c"}
        self.sandbox.add_fault("publish", "status", status=400, body=json.dumps(body))
        return refresh()

    def InvalidHandle(self) -> BaseException | None:  # noqa: N802
        hook = MstrHook()
        published = self._publish(hook)
        hook.close(published)
        handle = hook.handle(published)
        return perform(lambda: MstrPublishStatusSensor(task_id="wait", instance=handle)).error

    def AuthenticationError(self) -> BaseException | None:  # noqa: N802
        self._connect(password="not-the-password")
        return refresh()

    def ProxyError(self) -> BaseException | None:  # noqa: N802
        for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "all_proxy", "no_proxy"):
            self.environment.delenv(name, raising=False)
        with MisbehavingServer(answer(407, b"")) as proxy:
            self.environment.setenv("https_proxy", proxy.url)
            self._connect(host="https://strategy.example.com/MicroStrategyLibrary")
            return refresh()

    def CertificateError(self) -> BaseException | None:  # noqa: N802
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            self.environment.delenv(name, raising=False)
        with MisbehavingServer(tls=Authority(self.folder).server()) as server:
            self._connect(host=server.url)
            return refresh()

    def NoPrivilege(self) -> BaseException | None:  # noqa: N802
        self.sandbox.add_fault("publish", "no_privilege")
        return refresh()

    def SessionLimit(self) -> BaseException | None:  # noqa: N802
        self.sandbox.change(session_cap=1)
        hook = MstrHook()
        opened = hook.open_job(_spec(hook))
        error = refresh()
        hook.close(opened)
        return error

    def SessionExpired(self) -> BaseException | None:  # noqa: N802
        self.sandbox.add_fault("list_tables", "session_lost")
        return refresh()

    def InstanceExpired(self) -> BaseException | None:  # noqa: N802
        self.sandbox.add_fault("publish", "instance_lost", times=None)
        return refresh()

    def ModelBusy(self) -> BaseException | None:  # noqa: N802
        self.sandbox.change(publish_seconds=60)
        hook = MstrHook()
        published = self._publish(hook)
        error = refresh(when_busy="fail")
        hook.close(published)
        return error

    def ServerUnavailable(self) -> BaseException | None:  # noqa: N802
        self.environment.setattr(retry, "MAX_RETRY_SECONDS", 0.1)
        self.sandbox.stop()
        return refresh()

    def InvalidResponse(self) -> BaseException | None:  # noqa: N802
        self.sandbox.add_fault("create_instance", "redirect", times=None)
        return refresh()

    def RequestFailed(self) -> BaseException | None:  # noqa: N802
        body = {"code": "ERR001", "iServerCode": -2147072542, "message": "The cube is offline."}
        answer = json.dumps(body | {"ticketId": "5d9c"})
        self.sandbox.add_fault("create_instance", "status", status=500, body=answer, times=None)
        return refresh()

    def PublishFailed(self) -> BaseException | None:  # noqa: N802
        failure = PublishFailure("schema_comparison_error", "ytd_day", -2147212544, "Column day is missing.")
        # It has ended at the first poll, so that what else the status says is the same each time.
        self.sandbox.change(publish_failure=failure, publish_seconds=0)
        return refresh()

    def PublishTimedOut(self) -> BaseException | None:  # noqa: N802
        self.sandbox.change(publish_seconds=60)
        return refresh(timeout=1)

    def OutcomeUnknown(self) -> BaseException | None:  # noqa: N802
        self.sandbox.change(publish_seconds=60)
        self.sandbox.add_fault("publish_status", "session_lost", after=1)
        return refresh(verify_last_update=False)

    def _connect(self, **fields: str) -> None:
        connection = json.loads(self.sandbox.airflow_connection()) | fields
        self.environment.setenv(CONNECTION, json.dumps(connection))

    @staticmethod
    def _publish(hook: MstrHook) -> Job:
        return hook.start_job(_spec(hook), hook.open_job(_spec(hook)))


def _spec(hook: MstrHook) -> DataModelSpec:
    return DataModelSpec(project=hook.project(None), target=RETAIL)


def refresh(**more: Any) -> BaseException | None:
    """Refresh a data model in one task, and return its error."""
    arguments = {"data_model_id": RETAIL, "poll_interval": 0.2, "timeout": 30.0} | more
    return perform(lambda: MstrRefreshDataModelOperator(task_id="refresh", **arguments)).error


PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
KINDS = {kind.__name__: kind for kind in errors.MstrError.__subclasses__()}


def shown(name: str) -> str:
    """Return the text that the page shows for an error.

    :param name: the error's class
    """
    return _found(name, PAGE.read_text())[2]


def steady(text: str) -> str:
    """Return an error's text with a ticket and a proxy that do not change from one time to the next.

    :param text: the text
    """
    text = re.sub(r"the proxy http://[\d.:]+", "the proxy http://proxy.example.com:3128", text)
    return re.sub(r"ticket \w{8,}", "ticket 5d9c2f71a0b84e63", text)


def _found(name: str, page: str) -> re.Match[str]:
    found = re.search(rf"(\n### {name}\n\n```text\n)(.*)(?=\n```\n)", page)
    assert found is not None, f"{PAGE.name} has no section {name} that begins with the error's text"
    return found


def main() -> None:
    """Write the texts of the page anew."""
    page = PAGE.read_text()
    for name in KINDS:
        with (
            Sandbox() as sandbox,
            pytest.MonkeyPatch.context() as environment,
            tempfile.TemporaryDirectory() as folder,
        ):
            environment.setenv(CONNECTION, sandbox.airflow_connection())
            text = steady(str(Provocations(sandbox, environment, Path(folder)).of(name)))
        found = _found(name, page)
        page = page[: found.start(2)] + text + page[found.end(2) :]
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
