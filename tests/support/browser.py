# SPDX-License-Identifier: Apache-2.0
"""Find a browser for the tests that need one; run, this installs it where there is none and it can."""

from __future__ import annotations

import os
import shutil
import sys

import debian

NAMES = ("chromium", "google-chrome", "google-chrome-stable")
HOW_TO_GET_IT = "run `apt-get install chromium` as root, or set CHROMIUM to where a Chromium or Chrome is"
PACKAGES = ("chromium", "fonts-dejavu-core")


def find() -> str | None:
    """Return the path of the browser: the one that CHROMIUM names, else the first there is; None for none."""
    named = os.environ.get("CHROMIUM")
    found = map(shutil.which, (named,) if named else NAMES)
    return next(filter(None, found), None)


def main() -> int:
    """See to a browser; the tests that miss it say so themselves, so this never fails."""
    if find() is None and debian.can_install():
        print("Installing a browser for the tests ...", flush=True)
        debian.install(*PACKAGES)
    if find() is None:
        print(f"The tests in a browser are skipped: {HOW_TO_GET_IT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
