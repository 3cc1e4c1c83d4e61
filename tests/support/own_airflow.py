# SPDX-License-Identifier: Apache-2.0
"""An empty Airflow home for this process: Airflow reads its configuration when it is first imported."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ.update(
    AIRFLOW_HOME=_HOME.name,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(Path(__file__).parents[2] / "example_dags"),
    AIRFLOW__CORE__FERNET_KEY="bXN0ci10ZXN0cy1vbmx5LW5vdC1hLXNlY3JldC1rZXk=",
)
