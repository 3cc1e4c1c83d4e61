# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import tempfile

import pytest

# Airflow reads its configuration when it is imported, before any fixture runs.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp())
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = os.environ.get("MY_DAGS", "dags")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


@pytest.fixture(scope="session", autouse=True)
def airflow_database() -> None:
    from airflow.utils.db import initdb

    initdb()
