# SPDX-License-Identifier: Apache-2.0
"""How calls are made: within a session, and page by page where a list may come in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from airflow_provider_mstr.rest.errors import InvalidRequest, NotUnderstood
from airflow_provider_mstr.rest.protocol import Answer, Procedure, Request, Response, json_object
from airflow_provider_mstr.rest.session import Session

T = TypeVar("T")

PAGE_SIZE = 1000
MOST_PAGES = 1000


class Identified(Protocol):
    """What a list holds, each once."""

    @property
    def id(self) -> str:
        """Its id."""


Row = TypeVar("Row", bound=Identified)


def within(
    session: Session,
    purpose: str,
    method: str,
    path: str,
    reads: Callable[[Response], T],
    project_id: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Procedure[T]:
    """Make a call in a session.

    :param session: the session to make it in
    :param purpose: what the call is for, as it completes "could not ..."
    :param method: the HTTP method
    :param path: below the Library URL
    :param reads: makes the call's value of a good response
    :param project_id: the project the call is about; None for calls about no project
    :param headers: headers beside the session's own
    :param more: further fields of :class:`Request`
    """
    answer: Answer[T] = yield Request(
        purpose=purpose,
        method=method,
        path=path,
        reads=reads,
        headers=session.headers(project_id) | dict(headers or {}),
        cookies=session.cookies,
        secrets=session.secrets,
        has_session=True,
        **more,
    )
    return answer.value


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A list of the server's, which may come in parts.

    :param whole: how an error calls what has the rows
    :param rows: how an error calls the rows
    :param path: where to ask for it, below the Library URL
    :param key: the field of an answer that holds its rows
    :param total: the field of an answer that tells how many there are in all
    :param reads: makes a row of an entry; raises ``NotUnderstood``
    :param query: query parameters
    """

    whole: str
    rows: str
    path: str
    key: str
    total: str
    reads: Callable[[Any], Row]
    query: Mapping[str, str] = field(default_factory=dict)

    def every_row(self, session: Session, project_id: str | None = None) -> Procedure[tuple[Row, ...]]:
        """Return every row, each once.

        One request asks for all rows. If the server refuses it, or if the answer is too large or has fewer
        rows than the server counts, requests ask page by page.

        :param session: the session to ask in
        :param project_id: the project the list is about; None for a list about no project
        :raises NotUnderstood: where the server holds some back
        """
        found: dict[str, Row] = {}
        offset, limit = 0, -1
        for _ in range(MOST_PAGES):
            try:
                total, rows = yield from self._part(session, project_id, offset, limit)
            except (InvalidRequest, NotUnderstood) as error:
                all_is_too_much = isinstance(error, InvalidRequest) or error.too_large
                if limit > 0 or not all_is_too_much:
                    raise
                limit = PAGE_SIZE
                continue
            offset += len(rows)
            known = len(found)
            found |= {row.id: row for row in rows}
            if total is not None and len(found) >= total:
                return tuple(found.values())
            if len(found) == known and limit > 0:
                return self._all_or_error(found, total)
            limit = PAGE_SIZE
        raise NotUnderstood(f"the {self.rows} of {self.whole} do not end")

    def _part(
        self, session: Session, project_id: str | None, offset: int, limit: int
    ) -> Procedure[tuple[int | None, list[Row]]]:
        purpose = f"list the {self.rows} of {self.whole}"
        query = {**self.query, "offset": str(offset), "limit": str(limit)}
        return (yield from within(session, purpose, "GET", self.path, self._read, project_id, query=query))

    def _read(self, response: Response) -> tuple[int | None, list[Row]]:
        said = json_object(response)
        total = said.get(self.total)
        total = total if isinstance(total, int) and not isinstance(total, bool) else None
        # Servers leave out what is null (6), and so they may a list of nothing.
        listed = said.get(self.key, [] if total == 0 else None)
        if not isinstance(listed, list):
            raise NotUnderstood(f"the {self.rows} came in an unknown form")
        return total, [self.reads(entry) for entry in listed]

    def _all_or_error(self, found: Mapping[str, Row], total: int | None) -> tuple[Row, ...]:
        if total is not None and len(found) < total:
            raise NotUnderstood(
                f"{self.whole} has {total} {self.rows}, but the server lists only {len(found)} of them"
            )
        return tuple(found.values())
