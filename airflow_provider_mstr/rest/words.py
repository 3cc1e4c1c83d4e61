# SPDX-License-Identifier: Apache-2.0
"""How lists are told in a line that a person reads."""

from __future__ import annotations

from collections.abc import Sequence


def first_of(names: Sequence[str], most: int) -> str:
    """Return the first of some names, and how many more there are.

    :param names: the names
    :param most: how many to name
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
