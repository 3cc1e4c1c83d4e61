# SPDX-License-Identifier: Apache-2.0
"""Debian's packages, for what does not come from PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess


def can_install() -> bool:
    """Return whether this process may install packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> bool:
    """Install packages, and return whether that went well.

    :param packages: their names
    """
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    steps = (["update"], ["install", "-y", "--no-install-recommends", *packages])
    return all(subprocess.run(["apt-get", "-qq", *step], env=quiet).returncode == 0 for step in steps)
