# SPDX-License-Identifier: Apache-2.0
"""What mutation testing makes of mutmut's words, and what it lets pass."""

from __future__ import annotations

import tomllib

import pytest
from mutation import EQUIVALENT, Change, complaints, equivalent, mutants, table

LISTED = """
    rest.protocol.x__code__mutmut_1: killed
    rest.protocol.x__code__mutmut_2: survived
    rest.protocol.xǁRunǁ__init____mutmut_2: no tests
    rest.session.xǁSealǁopen__mutmut_1: timeout
"""
DIFF = """
# rest.protocol.x__code__mutmut_2: survived
--- airflow_provider_mstr/rest/protocol.py
+++ airflow_provider_mstr/rest/protocol.py
@@ -1,2 +1,2 @@
 def _code(code):
-    return code
+    return None
"""
CODE = Change("rest.protocol", "_code", "return None")


def test_only_a_failed_test_or_an_endless_loop_kills() -> None:
    assert [mutant.killed for mutant in mutants(LISTED)] == [True, False, False, True]


def test_a_change_is_told_by_its_place_and_its_new_lines() -> None:
    _, in_function, in_class, _ = mutants(LISTED)
    assert in_function.change(DIFF) == CODE
    assert in_class.change(DIFF) == Change("rest.protocol", "Run.__init__", "return None")


@pytest.mark.parametrize(
    ("survived", "explained", "wrong"),
    [
        (set(), set(), []),
        ({CODE}, {CODE}, []),
        ({CODE}, set(), ["no test fails for rest.protocol, _code: return None"]),
        (set(), {CODE}, ["explained but gone, or killed: rest.protocol, _code: return None"]),
    ],
)
def test_a_survivor_wants_explaining_and_an_explanation_a_survivor(
    survived: set[Change], explained: set[Change], wrong: list[str]
) -> None:
    assert complaints(survived, explained) == wrong


def test_the_table_counts_each_modules_mutants() -> None:
    rows = [line.split() for line in table(mutants(LISTED), [CODE, CODE], {CODE})]
    assert rows == [
        ["mutants", "killed", "survived", "explained"],
        ["rest.protocol", "3", "1", "2", "2"],
        ["rest.session", "1", "1", "0", "0"],
        ["all", "4", "2", "2", "2"],
    ]


def test_every_explanation_has_a_reason() -> None:
    said = tomllib.loads(EQUIVALENT.read_text())
    assert all(entry["reason"] for entry in said["equivalent"])
    assert equivalent(said)
