# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from workers import perform

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.session import LoginMode
from airflow_provider_mstr.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"<!-- (.+?) -->\n```\w+\n(.*?)```", README, re.DOTALL)
EXAMPLES = sorted((ROOT / "example_dags").glob("*.py"))

RETAIL = "9F4772B837604551B4D3CC916ADC5598"


def blocks(label: str) -> list[str]:
    return [text for name, text in BLOCKS if name == label]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_readme_shows_each_example_as_it_runs(example: Path) -> None:
    header, code = example.read_text().split("from __future__ import annotations\n\n", 1)

    assert header.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert blocks(f"example_dags/{example.name}") == [code]


@pytest.mark.parametrize("shell", blocks("connection"), ids=["json", "uri"])
def test_each_form_of_the_connection_means_the_same_server(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, assignment = shlex.split(shell)
    monkeypatch.setenv(*assignment.split("=", 1))

    server = MstrHook().server

    assert server.url == "https://strategy.example.com/MicroStrategyLibrary"
    assert (server.credentials.login, server.credentials.password) == ("etl", "secret")
    assert (server.credentials.mode, server.project, server.timeout) == (LoginMode.LDAP, "Tutorial", 60.0)


@pytest.mark.usefixtures("mstr_connection")
def test_the_outcome_has_the_form_that_the_readme_shows() -> None:
    (shown,) = map(json.loads, blocks("outcome"))

    outcome = perform(lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL)).result

    assert outcome.keys() == shown.keys()
    assert outcome["tables"][0].keys() == shown["tables"][0].keys()
    assert (outcome["state"], outcome["project_id"]) == (shown["state"], shown["project_id"])


def test_the_fixture_works_as_the_readme_shows(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = blocks("sandbox")
    run = 'MstrHook().open(None, "9F4772B837604551B4D3CC916ADC5598")'
    namespace: dict[str, object] = {"MstrHook": MstrHook}
    exec(code.replace("...  # run your DAG", f"MstrHook().close({run})"), namespace)

    namespace["test_my_dag"](mstr_sandbox, monkeypatch)  # type: ignore[operator]

    assert mstr_sandbox.report().logins == 1


def test_every_error_is_explained_with_whether_it_is_retried() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (yes|no)\b.* \|$", README, re.MULTILINE)

    said = {name: retried == "yes" for name, retried in rows}
    kinds = errors.MstrError.__subclasses__()
    assert said == {kind.__name__: kind.mended_by_time for kind in kinds}
