# SPDX-License-Identifier: Apache-2.0
"""Masks secrets in the responses of a server, in each encoding that it may use."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

MASK = "***"

# Too many texts contain a password of fewer characters.
MIN_PASSWORD_LENGTH = 4

# A token or a cookie of fewer characters may be a word, such as "true", that is part of other texts.
MIN_SECRET_LENGTH = 8

# How many encodings of a text are decoded; a text with more is masked as a whole.
MAX_ENCODINGS = 5

_WORD = re.compile(r"\S+")
# The pattern matches a run of backslashes only at its beginning, to avoid quadratic time.
_JSON_ESCAPE = re.compile(r"(?<!\\)\\+u([0-9a-fA-F]{4})")

# JSON's escapes of line breaks and the like.
_JSON_BREAK = re.compile(r"\\[bfnrt]")

# Line breaks and invisible characters, which may be inside a secret: MIME breaks base64 into lines.
_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)

# The id of an object: a short password of digits is part of some of them by chance, and requests carry them.
_OBJECT_ID = re.compile(r"[0-9A-Fa-f]{32}")


def secrets_among(values: Iterable[str]) -> frozenset[str]:
    """Return which values are secrets: the long ones, without the quotes that a cookie may have.

    :param values: tokens and cookies
    """
    bare = (value.strip('"') for value in values)
    return frozenset(value for value in bare if len(value) >= MIN_SECRET_LENGTH)


def passwords_among(values: Iterable[str]) -> frozenset[str]:
    """Return which values are secrets: those that are long enough.

    :param values: passwords, API tokens, and headers for a gateway
    """
    return frozenset(value for value in values if len(value) >= MIN_PASSWORD_LENGTH)


class Masker:
    """Masks secrets: plain, URL-encoded, escaped for HTML or JSON, in base64, or in several of these.

    :param secrets: what must not be shown
    """

    def __init__(self, secrets: Collection[str]) -> None:
        bare = (decoded for decoded in map(_bare, secrets) if len(decoded) >= MIN_PASSWORD_LENGTH)
        # The longest first, as one may be part of another.
        self._secrets = sorted({*secrets, *bare}, key=len, reverse=True)
        self._forms = {form for secret in self._secrets for form in _forms(secret)}

    def json(self, data: Any) -> Any:
        """Return JSON data with the secrets masked in each text, and each number that is a secret.

        Keys stay as they are: nothing quotes them, and a password may be a word such as "status".

        :param data: what ``json.loads`` returned
        """
        if isinstance(data, str):
            is_id = _OBJECT_ID.fullmatch(data) and data not in self._secrets
            return data if is_id else self.text(data)
        if isinstance(data, list):
            return [self.json(part) for part in data]
        if isinstance(data, dict):
            return {key: self.json(part) for key, part in data.items()}
        return MASK if str(data) in self._secrets else data

    def text(self, text: str) -> str:
        """Return a text with the secrets masked: an encoded one with the word that it is part of.

        :param text: any text
        """
        if not self.finds_in(text):
            return text
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _WORD.sub(lambda word: MASK if self.finds_in(word[0]) else word[0], text)
        return MASK if self.finds_in(text) else text

    def finds_in(self, text: str) -> bool:
        """Return whether a text contains a secret in any form.

        :param text: any text
        """
        if not self._forms:
            return False
        for _ in range(MAX_ENCODINGS):
            folded = _folded(text)
            if any(form in folded for form in self._forms):
                return True
            decoded = _decoded(text)
            if decoded == text:
                return False
            text = decoded
        return True


def _bare(text: str) -> str:
    """Return a text without any encoding."""
    for _ in range(MAX_ENCODINGS):
        text = _decoded(text)
    return text


def _decoded(text: str) -> str:
    """Return a text without one encoding of each kind."""
    if "\\u" in text:
        text = _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
        # Characters beyond U+FFFF are written as a pair.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "\\" in text:
        text = _JSON_BREAK.sub("", text)
    return html.unescape(unquote(text))


def _folded(text: str) -> str:
    if not text.isprintable():
        text = _INVISIBLE.sub("", text)
    # A URL may write a space as "+", and JSON may write "\\" before a character.
    return text.replace("+", " ").replace("\\", "")


def _forms(secret: str) -> set[str]:
    """Return what a text contains, once it is decoded and folded, if it contains the secret."""
    raw = {secret.encode(errors="surrogatepass")}
    with suppress(UnicodeEncodeError):
        raw.add(secret.encode("latin-1"))
    # A server may confuse the two encodings.
    shown = {data.decode(encoding, "replace") for data in raw for encoding in ("utf-8", "latin-1")}
    escaped = {quote(secret, safe="", errors="replace"), json.dumps(secret)[1:-1], html.escape(secret)}
    in_base64 = raw | {text.encode(errors="surrogatepass") for text in escaped}
    forms = {_folded(secret), *map(_folded, shown)}.union(*map(_base64, in_base64))
    return {form for form in forms if len(form) >= MIN_PASSWORD_LENGTH}


def _base64(raw: bytes) -> set[str]:
    """Return what the base64 of some data contains if these bytes are in it, wherever they begin."""
    parts = set()
    # The characters at both ends depend on the text before and after the secret.
    for before, begin in enumerate((0, 2, 3)):
        end = 8 * (before + len(raw)) // 6
        for encode in (b64encode, urlsafe_b64encode):
            parts.add(_folded(encode(bytes(before) + raw).decode()[begin:end]))
    return parts
