# SPDX-License-Identifier: Apache-2.0
"""The names of the refresh policies."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy


@pytest.mark.parametrize("typed", ["upsert", " UpSert\n", RefreshPolicy.UPSERT])
def test_a_policy_is_found_in_any_casing(typed: str) -> None:
    assert RefreshPolicy.of(typed) is RefreshPolicy.UPSERT


@pytest.mark.parametrize(
    ("typed", "more", "start"),
    [("merge", (), "refresh_policy is 'merge'"), (None, ("the policy of 'a'",), "the policy of 'a' is None")],
)
def test_an_unknown_policy_is_rejected_with_the_known_ones(typed: Any, more: Any, start: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        RefreshPolicy.of(typed, *more)
    assert caught.value.what == f"{start}; it must be one of: replace, add, update, upsert"
