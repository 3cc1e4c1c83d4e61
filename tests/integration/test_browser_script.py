# SPDX-License-Identifier: Apache-2.0
"""How the tests come by a browser."""

from __future__ import annotations

from pathlib import Path

import browser
import pytest


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which commands are found."""
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def command(place: Path) -> str:
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return str(place)


def test_where_there_is_no_browser_none_is_found(path: Path) -> None:
    assert browser.find() is None


@pytest.mark.parametrize("name", browser.NAMES)
def test_a_browser_among_the_commands_is_found(path: Path, name: str) -> None:
    found = command(path / name)
    assert browser.find() == found


def test_a_browser_that_is_named_comes_first(
    path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(path / "chromium")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "my-chromium"
    monkeypatch.setenv("CHROMIUM", str(elsewhere))
    assert browser.find() is None
    named = command(elsewhere)
    assert browser.find() == named


def test_without_browser_and_apt_the_tests_are_said_to_be_skipped(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert browser.main() == 0
    assert browser.HOW_TO_GET_IT in capsys.readouterr().out
