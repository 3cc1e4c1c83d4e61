# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airflow_provider_mstr.rest.words import first_of


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["a"], "a"),
        (["b", "a"], "b, a"),
        (["a", "b", "c"], "a, b and 1 more"),
        (list("abcde"), "a, b and 3 more"),
    ],
)
def test_the_first_names_are_told_in_their_order_and_the_rest_is_counted(names: list[str], told: str) -> None:
    assert first_of(names, 2) == told
