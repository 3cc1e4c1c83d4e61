# SPDX-License-Identifier: Apache-2.0
"""Which words of a server a report may contain."""

from __future__ import annotations

import pytest

from airflow_provider_mstr.probe.vocabulary import UNKNOWN_WORD, Vocabulary

TABLE_ROW = {"information": {"objectId": "B8A627B44A7A421C81741B868401E446", "name": "Acme Sales"}}


@pytest.fixture
def vocabulary() -> Vocabulary:
    known = Vocabulary()
    known.learn([TABLE_ROW, {"status": "merging", "state": {"owner": "Kim"}}])
    known.learn_secrets(["correcthorse"])
    return known


@pytest.mark.parametrize("word", ["completed", "Completed", "schema_comparison_error", "lastUpdateTime"])
def test_a_known_word_is_shown_as_the_server_writes_it(vocabulary: Vocabulary, word: str) -> None:
    assert vocabulary.show(word) == word


@pytest.mark.parametrize("word", ["merging", "schema_sync_pending", "WaitingForEngine", "loadedV2"])
def test_a_word_that_nobody_knows_yet_is_shown(vocabulary: Vocabulary, word: str) -> None:
    assert vocabulary.show(word) == word


@pytest.mark.parametrize(
    "word",
    [
        "acme",
        "ACME_error",
        "acmesales",
        "acme_sales_error",
        "load_of_sales",
        "kim",
        "correcthorse",
        "correct",
        "correcthorse_failed",
    ],
)
def test_a_word_with_a_name_or_a_secret_is_not_shown(vocabulary: Vocabulary, word: str) -> None:
    assert vocabulary.show(word) == UNKNOWN_WORD


@pytest.mark.parametrize(
    "word", ["", "two words", "B8A627B44A7A421C81741B868401E446", "Größe", "a|b", "x" * 41, "490:bm9kZQ"]
)
def test_what_has_not_the_form_of_a_word_is_not_shown(vocabulary: Vocabulary, word: str) -> None:
    assert vocabulary.show(word) == UNKNOWN_WORD


def test_words_that_many_names_contain_hide_nothing(vocabulary: Vocabulary) -> None:
    vocabulary.learn({"ancestors": [{"name": "Public Objects"}, {"name": "Data Models"}], "state": "loaded"})
    assert vocabulary.show("DataModelPublishStatus") == "DataModelPublishStatus"
    assert vocabulary.show("loadedState") == "loadedState"
