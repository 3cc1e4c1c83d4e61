# SPDX-License-Identifier: Apache-2.0
"""A server of written answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scripted_library import ScriptedLibrary, scripted_library


@pytest.fixture
def library() -> Iterator[ScriptedLibrary]:
    """The connection ``mstr_default`` to a server of written answers."""
    with scripted_library() as library:
        yield library
