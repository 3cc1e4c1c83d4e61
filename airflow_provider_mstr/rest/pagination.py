# SPDX-License-Identifier: Apache-2.0
"""Lists of the server, which may have several pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from airflow_provider_mstr.rest.errors import InvalidRequest, InvalidResponse
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Response
from airflow_provider_mstr.rest.responses import json_object
from airflow_provider_mstr.rest.session import Session, session_request

PAGE_SIZE = 1000
MAX_PAGES = 1000


class Identified(Protocol):
    """An entry of a list."""

    @property
    def id(self) -> str:
        """Its id."""


Row = TypeVar("Row", bound=Identified)


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A list of the server, which may have several pages.

    :param owner: the name of what has the rows, for errors
    :param rows: the name of the rows, for errors
    :param path: the path below the Library URL
    :param key: the field of a response that contains its rows
    :param total: the field of a response that contains the number of all rows
    :param parse: returns the row of an entry; raises ``InvalidResponse``
    :param query: query parameters
    :param about: the kind and id of the owner, for errors, if its name is not known
    """

    owner: str
    rows: str
    path: str
    key: str
    total: str
    parse: Callable[[Any], Row]
    query: Mapping[str, str] = field(default_factory=dict)
    about: str | None = None

    def list_all(self, session: Session, project_id: str | None = None) -> Flow[tuple[Row, ...]]:
        """Return every row, each once.

        The first request asks for all rows. If the server rejects it, or if the response is too large or has
        fewer rows than the server counts, further requests ask page by page.

        :param session: the session
        :param project_id: the project of the list, None if it has none
        :raises InvalidResponse: if the server returns fewer rows than it counts
        """
        found: dict[str, Row] = {}
        offset, limit = 0, -1
        for _ in range(MAX_PAGES):
            try:
                total, rows = yield from self._page(session, project_id, offset, limit)
            except (InvalidRequest, InvalidResponse) as error:
                is_too_much = isinstance(error, InvalidRequest) or error.too_large
                if limit == PAGE_SIZE or not is_too_much:
                    raise
                limit = PAGE_SIZE
                continue
            offset += len(rows)
            known = len(found)
            found |= {row.id: row for row in rows}
            if total is not None and len(found) >= total:
                return tuple(found.values())
            if len(found) == known and limit == PAGE_SIZE:
                return self._require_all(found, total)
            limit = PAGE_SIZE
        raise InvalidResponse(f"the {self.rows} of {self.owner} have more than {MAX_PAGES} pages")

    def _page(
        self, session: Session, project_id: str | None, offset: int, limit: int
    ) -> Flow[tuple[int | None, list[Row]]]:
        purpose = f"list the {self.rows} of {self.owner}"
        query = {**self.query, "offset": str(offset), "limit": str(limit)}
        return (
            yield from session_request(
                session,
                purpose,
                "GET",
                self.path,
                self._parse_page,
                project_id,
                query=query,
                about=self.about,
            )
        )

    def _parse_page(self, response: Response) -> tuple[int | None, list[Row]]:
        payload = json_object(response)
        total = payload.get(self.total)
        total = total if isinstance(total, int) and not isinstance(total, bool) else None
        # Servers omit null fields (6), and may omit an empty list too.
        listed = payload.get(self.key, [] if total == 0 else None)
        if not isinstance(listed, list):
            raise InvalidResponse(f"unexpected response format: no list of {self.rows}")
        return total, [self.parse(entry) for entry in listed]

    def _require_all(self, found: Mapping[str, Row], total: int | None) -> tuple[Row, ...]:
        if total is not None:
            raise InvalidResponse(
                f"the list of the {self.rows} of {self.owner} is incomplete: {len(found)} of {total}"
            )
        return tuple(found.values())
