# SPDX-License-Identifier: Apache-2.0
"""What the arguments of a task may be, and what they are where they are left out."""

from __future__ import annotations

from enum import StrEnum

from airflow_provider_mstr.rest.errors import InvalidInput

DEFAULT_CONN_ID = "mstr_default"
DEFAULT_POLL_INTERVAL = 30.0

# Cold warehouses stretch a publish without a sign of life (docs/strategy-rest-api.md 4).
DEFAULT_TIMEOUT = 2 * 60 * 60.0


class WhenBusy(StrEnum):
    """What to do where another job publishes the model."""

    WAIT = "wait"
    FAIL = "fail"

    @classmethod
    def of(cls, typed: str) -> WhenBusy:
        """Return what was typed.

        :param typed: ``wait`` or ``fail``
        :raises InvalidInput: where it is neither
        """
        try:
            return cls(typed)
        except ValueError:
            raise InvalidInput(f"when_busy is {typed!r}; there is {', '.join(cls)}") from None
