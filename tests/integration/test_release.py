# SPDX-License-Identifier: Apache-2.0
"""What builds and publishes a release."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"

# The sdist has no workflows.
pytestmark = pytest.mark.skipif(not GITHUB.is_dir(), reason="there are no workflows here")


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    """The jobs of the release."""
    jobs: dict[str, Any] = yaml.safe_load((GITHUB / "workflows" / "release.yml").read_text())["jobs"]
    return jobs


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_each_tool_that_builds_a_release_is_pinned_by_its_hash() -> None:
    text = (GITHUB / "release" / "requirements.txt").read_text()
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pins = [line.split() for line in text.splitlines() if line.strip()]
    assert {pin[0].partition("==")[0] for pin in pins} > {"build", "hatchling"}
    for name, *hashes in pins:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", name)
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes)


def test_a_release_is_built_by_the_backend_that_the_project_names() -> None:
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for name in ("requirements.in", "requirements.txt"):
        assert re.search(rf"^{re.escape(backend)}\b", (GITHUB / "release" / name).read_text(), re.MULTILINE)


def test_the_job_that_builds_installs_those_tools_alone(jobs: dict[str, Any]) -> None:
    installs = [
        line for line in commands(jobs["build"]).splitlines() if re.search(r"\b(pip|make|uv)\b", line)
    ]
    (install,) = installs
    assert "--require-hashes" in install.split()
    assert "python -m build --no-isolation" in commands(jobs["build"])


def test_only_what_was_built_there_and_checked_elsewhere_is_published(jobs: dict[str, Any]) -> None:
    assert jobs["check"]["needs"] == "build"
    assert "make dist" in commands(jobs["check"])
    assert set(jobs["publish"]["needs"]) == {"build", "check"}
    for job in ("check", "publish"):
        assert 'diff <(sha256sum -- *) <(echo "$DIGESTS")' in commands(jobs[job])
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["publish"]
    assert not commands(jobs["publish"]).count("pip")
