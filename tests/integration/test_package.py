# SPDX-License-Identifier: Apache-2.0
"""The released files: they contain what they should and nothing else, and each build is identical."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path, PurePosixPath

import pytest

from airflow_provider_mstr import __version__

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_mstr"
NAME = f"{PACKAGE}-{__version__}"
ABOUT = f"{NAME}.dist-info"

# What a package of Python and of pages may consist of.
KINDS = {".css", ".html", ".js", ".py", ".svg", ".typed"}
OF_THE_SOURCE = {
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "PKG-INFO",
    "README.md",
    "SECURITY.md",
    "airflow_provider_mstr",
    "benchmarks",
    "constraints.txt",
    "docs",
    "example_dags",
    "mkdocs.yml",
    "noxfile.py",
    "pyproject.toml",
    "scripts",
    "tests",
}
UNWANTED = {
    "__pycache__",
    ".git",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "site",
    "dist",
}


@dataclass(frozen=True)
class Built:
    """What a build has made.

    :param folder: where it is
    """

    folder: Path

    @property
    def wheel(self) -> Path:
        return self.folder / f"{NAME}-py3-none-any.whl"

    @property
    def source(self) -> Path:
        return self.folder / f"{NAME}.tar.gz"

    @property
    def digests(self) -> dict[str, str]:
        files = sorted(self.folder.iterdir())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def in_wheel(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as wheel:
            return set(wheel.namelist())

    def in_source(self) -> set[PurePosixPath]:
        with tarfile.open(self.source) as source:
            return {PurePosixPath(name).relative_to(NAME) for name in source.getnames()}

    def about(self, name: str) -> bytes:
        with zipfile.ZipFile(self.wheel) as wheel:
            return wheel.read(f"{ABOUT}/{name}")


def build(source: Path, folder: Path, **environment: str) -> Built:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=source, env=os.environ | environment, check=True, capture_output=True)
    return Built(folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def elsewhere(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source that is released, unpacked in another folder and touched at another time."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with tarfile.open(built.source) as source:
        # Python 3.11 has the filter from 3.11.4 on.
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        source.extractall(folder, **safely)
    day_ago = time.time() - 86_400
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (day_ago, day_ago))
    return folder / NAME


def files_of_the_package() -> Iterator[str]:
    for path in (ROOT / PACKAGE).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix()


def test_the_wheel_holds_the_package_and_what_tells_of_it_alone(built: Built) -> None:
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}

    assert built.in_wheel() == {*files_of_the_package(), *(f"{ABOUT}/{name}" for name in about)}


def test_the_wheel_holds_no_kind_of_file_that_has_no_place_in_it(built: Built) -> None:
    ours = {name for name in built.in_wheel() if not name.startswith(ABOUT)}

    assert {PurePosixPath(name).suffix for name in ours} <= KINDS
    assert f"{PACKAGE}/py.typed" in ours


def test_the_source_holds_what_it_takes_to_build_test_and_document_it(built: Built) -> None:
    names = built.in_source()

    assert {name.parts[0] for name in names if name.parts} == OF_THE_SOURCE
    assert [name for name in names if UNWANTED & set(name.parts)] == []


def test_whoever_builds_it_gets_the_same_files(built: Built, elsewhere: Path, tmp_path: Path) -> None:
    assert build(elsewhere, tmp_path).digests == built.digests


def test_a_build_takes_its_time_from_source_date_epoch(built: Built, elsewhere: Path, tmp_path: Path) -> None:
    moment = 1_767_225_600

    other = build(elsewhere, tmp_path, SOURCE_DATE_EPOCH=str(moment))

    assert set(other.digests.values()).isdisjoint(built.digests.values())
    with tarfile.open(other.source) as source:
        assert {each.mtime for each in source.getmembers()} == {moment}


def test_the_version_and_the_extras_are_told(built: Built) -> None:
    metadata = message_from_bytes(built.about("METADATA"))

    assert (metadata["Name"], metadata["Version"]) == ("airflow-provider-mstr", __version__)
    assert (metadata["License-Expression"], metadata.get_all("Provides-Extra")) == (
        "Apache-2.0",
        ["openlineage", "socks"],
    )


def test_the_wheel_works_by_itself(built: Built, tmp_path: Path) -> None:
    home = os.environ | {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(built.wheel)}
    code = "import airflow_provider_mstr.operators as it; print(it.__file__)"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=home, check=True, capture_output=True, text=True
    )

    assert done.stdout.splitlines()[-1] == f"{built.wheel}/{PACKAGE}/operators/__init__.py"


@pytest.mark.parametrize("folder", [PACKAGE, "benchmarks", "docs", "example_dags", "scripts", "tests"])
def test_each_source_file_names_its_license(folder: str) -> None:
    sources = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".toml", ".js", ".css"}]
    heads = {path: path.read_text().split("\n", 1)[0] for path in sources}

    assert [path for path, head in heads.items() if "SPDX-License-Identifier: Apache-2.0" not in head] == []
