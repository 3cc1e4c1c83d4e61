# SPDX-License-Identifier: Apache-2.0
"""Requests and responses of the REST API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from airflow_provider_mstr.rest.cookies import Cookies
from airflow_provider_mstr.rest.masking import Masker, secrets_among

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, not parsed yet.

    :param secrets: what is masked if the response repeats it
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def header(self, name: str) -> str | None:
        """Return the first header of a name, ignoring case, or None if it is absent or empty.

        :param name: the header's name; servers differ in case (docs/strategy-rest-api.md 1.1)
        """
        return next((value for value in self._all(name) if value), None)

    @property
    def set_cookies(self) -> list[str]:
        """The values of its ``Set-Cookie`` headers."""
        return self._all("Set-Cookie")

    @property
    def own_secrets(self) -> frozenset[str]:
        """The token and the cookies that it sets."""
        cookies = (line.partition(";")[0].partition("=")[2].strip() for line in self.set_cookies)
        return secrets_among([*self._all(TOKEN_HEADER), *cookies])

    @property
    def masker(self) -> Masker:
        """The masker of its own secrets and of those of the request."""
        return Masker(self.secrets | self.own_secrets)

    def json(self) -> Any:
        """Return the body as JSON, with its secrets masked, or None if it is not valid JSON."""
        try:
            text = self.body.decode(json.detect_encoding(self.body), "surrogatepass")
            data, masker = json.loads(text), self.masker
            return masker.json(data) if masker.finds_in(text) else data
        except (ValueError, RecursionError):
            return None

    def _all(self, name: str) -> list[str]:
        return [value.strip() for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A request of the REST API, and how to parse its response.

    :param purpose: the purpose of the request, which completes "could not ..."
    :param method: the HTTP method
    :param path: below the Library URL, beginning with ``/api``
    :param parse: returns the value of a successful response; raises ``InvalidResponse``
    :param query: query parameters
    :param headers: headers, the session's token among them
    :param body: what to send as JSON; None for an empty body
    :param cookies: the cookies to send, which the response may renew
    :param secrets: what is masked if the response repeats it
    :param repeatable: whether it is safe to send the request twice
    :param has_session: whether the request belongs to a session, so that HTTP 401 means it has expired
    :param retry_for: the maximum total retry time in seconds; None for the default
    :param timeout: the maximum seconds that one answer may take; None for the connection's timeout
    :param about: the kind and id of the object, for errors, if the purpose does not name it
    :param object_advice: what to do if the server does not find the object, or rejects it; empty for the
        usual advice
    """

    purpose: str
    method: str
    path: str
    parse: Callable[[Response], T]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    cookies: Cookies = field(default_factory=Cookies, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    repeatable: bool = True
    has_session: bool = False
    retry_for: float | None = None
    timeout: float | None = None
    about: str | None = None
    object_advice: str = ""


TOKEN_HEADER = "X-MSTR-AuthToken"  # noqa: S105 - the name of a header
