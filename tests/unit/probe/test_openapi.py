# SPDX-License-Identifier: Apache-2.0
"""The enums of ``openapi.json``."""

from __future__ import annotations

from typing import Any

from airflow_provider_mstr.probe.openapi import MAX_ENUMS, MAX_VALUES, list_enums
from airflow_provider_mstr.probe.vocabulary import Vocabulary


def schemas(**named: Any) -> dict[str, Any]:
    return {"components": {"schemas": named}}


def test_the_enums_of_a_refresh_are_found_wherever_they_are() -> None:
    table = {"properties": {"status": {"type": "string", "enum": ["reserved", "completed"]}}}
    answer = {
        "200": {"content": {"application/json": {"schema": {"properties": {"status": {"enum": [0, 1]}}}}}}
    }
    document = schemas(
        PublishStatusV2={"properties": {"tables": {"items": {"allOf": [table]}}}},
        Folder={"properties": {"kind": {"enum": ["a", "b"]}}},
    ) | {"paths": {"/api/dataModels/{id}/publishStatus": {"get": {"responses": answer}}}}

    assert list_enums(document, Vocabulary()) == {
        "PublishStatusV2.tables.status": ["reserved", "completed"],
        "publishStatus.get.status": ["0", "1"],
    }


def test_a_name_of_the_servers_users_is_not_among_them() -> None:
    vocabulary = Vocabulary()
    vocabulary.learn({"name": "Acme"})
    document = schemas(
        AcmePublish={"enum": ["a"]}, RefreshPolicy={"enum": ["add", "acme", "two words", None, 1.5]}
    )

    assert list_enums(document, vocabulary) == {
        "RefreshPolicy": ["add", "(another word)", "(another word)", "null", "null"]
    }


def test_long_lists_are_cut() -> None:
    letters = [chr(ord("a") + first) + chr(ord("a") + second) for first in range(8) for second in range(8)]
    document = schemas(**{f"Publish{name}": {"enum": letters} for name in letters})

    found = list_enums(document, Vocabulary())

    assert (len(found), {len(values) for values in found.values()}) == (MAX_ENUMS, {MAX_VALUES})


def test_a_document_without_end_is_given_up() -> None:
    deep: Any = {"enum": ["publish"]}
    for _ in range(500):
        deep = {"publish": deep}

    assert list_enums(deep, Vocabulary()) == {}
    assert list_enums(["publish"], Vocabulary()) == {}
