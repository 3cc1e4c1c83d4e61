# SPDX-License-Identifier: Apache-2.0
"""What publishStatus says, and what it amounts to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_mstr.rest.codes import number_of
from airflow_provider_mstr.rest.errors import NotUnderstood
from airflow_provider_mstr.rest.text import MAX_MESSAGE, clean, object_id


class State(StrEnum):
    """How far a table, or a whole publish, has come."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table's entry in publishStatus (docs/strategy-rest-api.md 3.4).

    :param id: the table's id
    :param word: the server's word for its status
    :param error: the table's error code and text, where the server gives them
    """

    id: str
    word: str
    error: str = ""

    @property
    def state(self) -> State:
        """What the word means: both words for good are good, and an unknown one ends nothing."""
        return _state(self.word)


@dataclass(frozen=True, slots=True)
class PublishStatus:
    """An answer of publishStatus.

    :param status: the top-level number, an ``EnumDSSXMLStatus`` or an HRESULT (3.1)
    :param tables: the tables the server lists; it may list none
    :param message: the server's text, where it gives one
    """

    status: int
    tables: tuple[TableStatus, ...] = ()
    message: str = ""

    @property
    def shows_load(self) -> bool:
        """Whether a load has started, in whatever state it is.

        What an instance shows before its publish is not documented; it may be 0, 1 or nothing.
        """
        return bool(self.tables) or self.status not in (_ALL_LOADED, _RESULT_READY)

    @classmethod
    def of(cls, said: dict[str, Any]) -> PublishStatus:
        """Return the typed status.

        :param said: the JSON object of the answer
        :raises NotUnderstood: where it has no number for a status, or tables of another form
        """
        listed = said.get("tables")
        if not isinstance(listed, (list, type(None))):
            raise NotUnderstood("publishStatus lists its tables in an unknown form")
        return cls(
            status=_number(said.get("status")),
            tables=tuple(_table(entry) for entry in listed or ()),
            message=clean(_first_text(said, "message", "errorMessage"), MAX_MESSAGE),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a status amounts to.

    :param state: running, finished or failed
    :param proven: whether every published table was seen loaded; a finish without is to be confirmed
    """

    state: State
    proven: bool = True


# EnumDSSXMLStatus: 2 waits for a prompt that nobody will answer, 3 is an error message.
_FAILED = frozenset({2, 3})
_RESULT_READY = 1
_ALL_LOADED = 0


def verdict(status: PublishStatus, published: Collection[str]) -> Verdict:
    """Return what a status amounts to, right under both readings of its number (3.5).

    One reading has 1 for "result ready"; the other has 0 for "all loaded" and 1 for "running". Loaded
    tables decide between them; 1 without all of them listed is a finish that wants confirming.

    :param status: an answer of publishStatus
    :param published: the ids of the tables that were published
    """
    if status.status < 0 or status.status in _FAILED:
        return Verdict(State.FAILED)
    if any(table.state is State.FAILED for table in status.tables):
        return Verdict(State.FAILED)
    ours = _ours(status.tables, published)
    if any(table.state is State.RUNNING for table in ours):
        return Verdict(State.RUNNING)
    ended = status.status in (_RESULT_READY, _ALL_LOADED)
    if ended and _lists_every(ours, published):
        return Verdict(State.FINISHED)
    if status.status == _RESULT_READY or (ended and _might_list_every(ours, published)):
        return Verdict(State.FINISHED, proven=False)
    return Verdict(State.RUNNING)


def _ours(listed: tuple[TableStatus, ...], published: Collection[str]) -> tuple[TableStatus, ...]:
    ids = {table_id.upper() for table_id in published}
    return tuple(table for table in listed if table.id.upper() in ids) or listed


def _lists_every(listed: tuple[TableStatus, ...], published: Collection[str]) -> bool:
    ids = {table.id.upper() for table in listed}
    return bool(ids) and ids.issuperset(table_id.upper() for table_id in published)


def _might_list_every(listed: tuple[TableStatus, ...], published: Collection[str]) -> bool:
    """Whether the list may be of every published table, under ids of another kind."""
    known = {table_id.upper() for table_id in published}.intersection(table.id.upper() for table in listed)
    return not known and len(listed) >= max(1, len(published))


def _state(word: str) -> State:
    word = word.strip().lower()
    if word in ("completed", "loaded"):
        return State.FINISHED
    if word.endswith(("error", "failed")) or word.startswith("cancel"):
        return State.FAILED
    return State.RUNNING


def _table(entry: Any) -> TableStatus:
    if not isinstance(entry, dict):
        raise NotUnderstood("publishStatus lists a table in an unknown form")
    code = _first_text(entry, "errorCode")
    text = _first_text(entry, "errorMessage", "message")
    table_id = _first_text(entry, "id", "tableId", "objectId")
    return TableStatus(
        id=object_id(table_id, "a table of publishStatus") if table_id else "",
        word=clean(_first_text(entry, "status", "state")),
        error=clean(": ".join(part for part in (code, text) if part), MAX_MESSAGE),
    )


def _number(value: Any) -> int:
    number = number_of(value)
    if number is None:
        raise NotUnderstood("publishStatus has no number for its status")
    return number


def _first_text(entry: dict[str, Any], *keys: str) -> str:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, (str, int)) and value not in ("", 0):
            return str(value)
    return ""
