# SPDX-License-Identifier: Apache-2.0
"""Parses publishStatus and decides whether the load is running, finished or failed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_mstr.rest.codes import parse_number
from airflow_provider_mstr.rest.errors import InvalidResponse
from airflow_provider_mstr.rest.text import MAX_MESSAGE, clean, object_id


class State(StrEnum):
    """The state of a table or of a whole publish."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table's entry in publishStatus (docs/strategy-rest-api.md 3.4).

    :param id: the table's id
    :param word: the server's word for its status
    :param error: the table's error message, if the server sends one
    :param code: its error code, if the server sends one
    """

    id: str
    word: str
    error: str = ""
    code: str = ""

    @property
    def state(self) -> State:
        """The state that the word means."""
        return state_of(self.word)


@dataclass(frozen=True, slots=True)
class PublishStatus:
    """A response of publishStatus.

    :param status: the top-level number, an ``EnumDSSXMLStatus`` or an HRESULT (3.1)
    :param tables: the tables that the server lists; it may list none
    :param message: the server's message, if it sends one
    """

    status: int
    tables: tuple[TableStatus, ...] = ()
    message: str = ""

    @property
    def shows_load(self) -> bool:
        """Whether a load has started, in any state.

        The status of an instance before its publish is not documented; it may be 0, 1 or nothing.
        """
        return bool(self.tables) or self.status not in (_ALL_LOADED, _RESULT_READY)

    @classmethod
    def of(cls, payload: dict[str, Any]) -> PublishStatus:
        """Return the parsed status.

        :param payload: the JSON object of the response
        :raises InvalidResponse: if its status is not a number, or its tables have another format
        """
        listed = payload.get("tables")
        if not isinstance(listed, (list, type(None))):
            raise InvalidResponse("unexpected response format: publishStatus has no list of tables")
        return cls(
            status=_number(payload.get("status")),
            tables=tuple(_table(entry) for entry in listed or ()),
            message=clean(_first_text(payload, "message", "errorMessage"), MAX_MESSAGE),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a status.

    :param state: running, finished or failed
    :param tables_confirmed: whether the server reports each published table as loaded; any other finish
        is to be confirmed
    """

    state: State
    tables_confirmed: bool = False


# EnumDSSXMLStatus: 2 waits for the answer to a prompt, which never comes; 3 is an error message.
_FAILED = frozenset({2, 3})
_RESULT_READY = 1
_ALL_LOADED = 0


def verdict(status: PublishStatus, published: Collection[str]) -> Verdict:
    """Return the verdict on a status, correct under both interpretations of its number (3.5).

    In one, 1 means "result ready"; in the other, 0 means "all loaded" and 1 means "running". Loaded tables
    decide between them. If 1 comes without all of them, the finish must be confirmed.

    :param status: a response of publishStatus
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
        return Verdict(State.FINISHED, tables_confirmed=True)
    if status.status == _RESULT_READY or (ended and _might_list_every(ours, published)):
        return Verdict(State.FINISHED)
    return Verdict(State.RUNNING)


def _ours(listed: tuple[TableStatus, ...], published: Collection[str]) -> tuple[TableStatus, ...]:
    ids = {table_id.upper() for table_id in published}
    return tuple(table for table in listed if table.id.upper() in ids) or listed


def _lists_every(listed: tuple[TableStatus, ...], published: Collection[str]) -> bool:
    ids = {table.id.upper() for table in listed}
    return bool(ids) and ids.issuperset(table_id.upper() for table_id in published)


def _might_list_every(listed: tuple[TableStatus, ...], published: Collection[str]) -> bool:
    """Return whether the list may contain every published table, under ids of another kind."""
    known = {table_id.upper() for table_id in published}.intersection(table.id.upper() for table in listed)
    return not known and len(listed) >= max(1, len(published))


def state_of(word: str) -> State:
    """Return the state that a word of the server means; an unknown word means running.

    :param word: the server's word for a table's status
    """
    word = word.strip().lower()
    if word in ("completed", "loaded"):
        return State.FINISHED
    if word.endswith(("error", "failed")) or word.startswith("cancel"):
        return State.FAILED
    return State.RUNNING


def _table(entry: Any) -> TableStatus:
    if not isinstance(entry, dict):
        raise InvalidResponse("unexpected response format: publishStatus lists a table that is not an object")
    table_id = _first_text(entry, "id", "tableId", "objectId")
    return TableStatus(
        id=object_id(table_id, "a table of publishStatus") if table_id else "",
        word=clean(_first_text(entry, "status", "state")),
        error=clean(_first_text(entry, "errorMessage", "message"), MAX_MESSAGE),
        code=clean(_first_text(entry, "errorCode")),
    )


def _number(value: Any) -> int:
    number = parse_number(value)
    if number is None:
        raise InvalidResponse("unexpected response format: the status of publishStatus is not a number")
    return number


def _first_text(entry: dict[str, Any], *keys: str) -> str:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, (str, int)) and value not in ("", 0):
            return str(value)
    return ""
