# SPDX-License-Identifier: Apache-2.0
"""Decides which words of a server a report may contain: those of Strategy, never those of its users."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_mstr.rest.text import is_id

_WORDS = """
reserved schema_comparison_completed schema_comparison_error completed loaded error failed cancelled canceled
ready executing waiting canceling stopped waiting_on_governor waiting_for_autoprompt waiting_for_project
waiting_for_cache waiting_for_children waiting_for_results loading_prompt resolving_destination delivering
exporting cache_ready waiting_for_di_file waiting_for_conflict_resolve step_pausing
in_memory connect_live off_memory hybrid
replace add update upsert delete ignore
status tables message errorCode errorMessage errorTime id name cubesInfos cubeName lastUpdateTime size path
serverMode iServerVersion webVersion deploymentType jobs cubeCaches total source state active dirty processing
persisted loadedState rowCount columnCount hitCount projectId jobId instanceId elapsedTime objectId objectType
publishStatus refreshPolicy creationTime type user description objectName projectName
"""

# What docs/strategy-rest-api.md and the vendor's clients name: a report may contain these in any case.
WORDS = frozenset(_WORDS.lower().split()) | {"result ready", "sql execution"}

UNKNOWN_WORD = "(another word)"

_GENERIC = """
data model models table tables cube cubes report reports object objects project projects public shared folder
refresh publish load loading status state policy job jobs error
"""

# Words that many names contain and that name nobody.
_NO_NAMES = frozenset(_GENERIC.split())

# The fields of a response whose values are words of Strategy.
_WORD_FIELDS = frozenset({"status", "state", "dataServeMode", "refreshPolicy"})

_FORM_OF_A_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_MAX_DIGITS = 2
_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]+")
# Shorter parts of names are in too many words by chance.
_MIN_PART = 4


class Vocabulary:
    """Learns the words of a server's users, so that a report contains none of them."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._parts: set[str] = set()
        self._secrets: set[str] = set()

    def learn(self, data: Any) -> None:
        """Learn the texts of a response, except those in the fields that contain words of Strategy.

        :param data: a text, or the JSON of a response
        """
        if isinstance(data, str):
            if data.lower() in WORDS:
                return
            self._texts.add(data.casefold())
            self._parts |= _parts(data)
        elif isinstance(data, list):
            for part in data:
                self.learn(part)
        elif isinstance(data, dict):
            for key, value in data.items():
                if key not in _WORD_FIELDS or not isinstance(value, str):
                    self.learn(value)

    def learn_secrets(self, secrets: Iterable[str]) -> None:
        """Learn passwords, tokens and cookies.

        :param secrets: the secrets
        """
        self._secrets.update(secret.casefold() for secret in secrets)

    def show(self, word: str) -> str:
        """Return a word, or ``(another word)`` if it may be one of the server's users.

        :param word: a word of the server
        """
        if word.lower() in WORDS:
            return word
        is_word = _FORM_OF_A_WORD.fullmatch(word) and sum(map(str.isdigit, word)) <= _MAX_DIGITS
        return word if is_word and not self._is_private(word.casefold()) else UNKNOWN_WORD

    def _is_private(self, word: str) -> bool:
        joined = word.replace("_", "")
        return (
            word in self._texts
            or any(part in word or part in joined for part in self._parts)
            or any(word in secret or secret in word for secret in self._secrets)
        )


def _parts(text: str) -> set[str]:
    """Return what a word must not contain: the text, its words, and its letters alone."""
    if is_id(text):
        return set()
    folded = text.casefold()
    letters = _LETTERS.findall(folded)
    parts = {folded, *_WORD.findall(folded), *letters, "".join(letters)}
    return {part for part in parts if len(part) >= _MIN_PART} - _NO_NAMES
