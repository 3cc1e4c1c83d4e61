# SPDX-License-Identifier: Apache-2.0
"""Check the package where nothing else is installed: its modules load, and Airflow finds it."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

DISTRIBUTION = "airflow-provider-mstr"
MODULES = (
    "operators",
    "sensors",
    "hooks",
    "triggers",
    "task_groups",
    "assets",
    "exceptions",
    "sandbox",
    "task.refresh",
    "observability.lineage",
)


def main(extra: str | None = None) -> int:
    """Try it, and return 0.

    :param extra: the extra that it was installed with
    """
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        for name in MODULES:
            module = import_module(f"airflow_provider_mstr.{name}")
        if Path(__file__).parent.parent / "airflow_provider_mstr" in Path(str(module.__file__)).parents:
            raise SystemExit("this is the source, and not what was installed")
        from airflow.providers_manager import ProvidersManager

        manager: Any = ProvidersManager
        providers = manager().providers
    version = providers[DISTRIBUTION].version
    if version != metadata(DISTRIBUTION)["Version"]:
        raise SystemExit(f"Airflow takes it for {version}")
    if extra and f"apache-airflow-providers-{extra}" not in providers:
        raise SystemExit(f"{extra} is not there")
    print(f"{DISTRIBUTION} {version} works{f' with {extra}' if extra else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
