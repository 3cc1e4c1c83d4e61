# SPDX-License-Identifier: Apache-2.0
"""The tests on other versions of Airflow and Python: a session for each pair of ``tests/matrix.toml``.

A session has the tags ``AIRFLOW-PYTHON``, and ``oldest-PYTHON`` if no older Airflow runs with current
dependencies on that Python. ``make test AIRFLOW=3.1.8 PYTHON=3.12`` and ``make matrix`` start sessions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nox

nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"

PROJECT = nox.project.load_toml("pyproject.toml")["project"]
LOWEST = dict(each.split(">=") for each in PROJECT["dependencies"])
RELEASES = {each["version"]: each for each in nox.project.load_toml("tests/matrix.toml")["airflow"]}

if shutil.which("pyenv"):
    # The commands of pyenv run only the versions that this names.
    versions = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True).stdout.split()
    os.environ["PYENV_VERSION"] = ":".join(reversed(versions))


def _pairs() -> Iterator[Any]:
    current = set()
    for airflow, release in RELEASES.items():
        for python in release["python"]:
            tags = [f"{airflow}-{python}"]
            if "resolution" not in release and python not in current:
                current.add(python)
                tags.append(f"oldest-{python}")
            yield nox.param(python, airflow, id=f"{airflow}-{python}", tags=tags)


@nox.session
@nox.parametrize("python,airflow", list(_pairs()))
def tests(session: nox.Session, airflow: str) -> None:
    """Run a target of the Makefile in an environment with this Airflow and Python."""
    release = RELEASES[airflow]
    resolution = release.get("resolution", "highest")
    lowest = LOWEST if resolution == "lowest-direct" else {}
    versions = [f"{name}=={version}" for name, version in (lowest | {"apache-airflow": airflow}).items()]
    versions += release.get("pins", [])
    session.install("--resolution", resolution, "--editable", ".", *versions)
    session.install("--group", "test", *versions)
    # The Makefile installs nothing into an environment with this file.
    venv = Path(session.virtualenv.location)
    (venv / ".installed").touch()
    (target,) = session.posargs or ["test-all"]
    # Make passes ARGS on, through MAKEFLAGS.
    command = ["make", "--keep-going", target, f"VENV={venv}", "AIRFLOW="]
    session.run(*command, external=True, success_codes=[0, 2] if release.get("may_fail") else [0])
