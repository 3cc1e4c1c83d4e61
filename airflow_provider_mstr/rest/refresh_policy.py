# SPDX-License-Identifier: Apache-2.0
"""The refresh policies of a table."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidInput


class RefreshPolicy(StrEnum):
    """What a publish does with the rows of a table (seed page, Publish)."""

    REPLACE = "replace"
    ADD = "add"
    UPDATE = "update"
    UPSERT = "upsert"

    @classmethod
    def of(cls, typed: Any, name: str = "refresh_policy") -> RefreshPolicy:
        """Return the policy that was typed.

        :param typed: a policy's name in any casing
        :param name: how the error calls it
        :raises InvalidInput: where there is no such policy
        """
        try:
            return cls(str(typed).strip().lower())
        except ValueError:
            raise InvalidInput(f"{name} is {typed!r}; it must be one of: {', '.join(cls)}") from None
