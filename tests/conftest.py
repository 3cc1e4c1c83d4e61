# SPDX-License-Identifier: Apache-2.0
"""An Airflow of the tests' own, and the sandbox as its connection."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import examples  # noqa: F401 - it loads the profile of hypothesis
import forks  # noqa: F401 - it gives a fork the thread that it lacks
import own_airflow  # noqa: F401 - it sets Airflow's home before Airflow is imported
import pytest
import quick_keys  # noqa: F401 - it sets the cost of keys before any is derived
from pauses import shorten_pauses

from airflow_provider_mstr.sandbox import Sandbox

Forget = Callable[[], None]


@pytest.fixture
def forget_secrets() -> Forget:
    """Lets Airflow and the hook forget every secret that they know."""
    return _forget_secrets


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Let Airflow forget each test's secrets, or it looks for thousands of them in every line of the last."""
    yield
    _forget_secrets()


def _forget_secrets() -> None:
    if "airflow_provider_mstr.hooks" in sys.modules:
        sys.modules["airflow_provider_mstr.hooks"]._registered.clear()
    for name, module in list(sys.modules.items()):
        if name.endswith("secrets_masker") and hasattr(module, "_secrets_masker"):
            # Airflow 2 has none where nothing has configured its logging.
            with suppress(RuntimeError):
                masker = module._secrets_masker()
                masker.patterns, masker.replacer = set(), None


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """A migrated database for what only a real Airflow can show."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def mstr_connection(mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The connection ``mstr_default`` to a sandbox of the test's own."""
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", mstr_sandbox.airflow_connection())
    return "mstr_default"


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses that are there for real servers and a real triggerer, not for what is tested."""
    shorten_pauses(monkeypatch)
