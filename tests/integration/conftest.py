# SPDX-License-Identifier: Apache-2.0
"""Servers that more than one module of these tests needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from certificates import Authority
from misbehaving_server import MisbehavingServer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[MisbehavingServer]:
    with MisbehavingServer(tls=authority.server()) as server:
        yield server
