# SPDX-License-Identifier: Apache-2.0
"""The cookies of a session, stored and sent as a browser does (RFC 6265)."""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from email.utils import parsedate_tz
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_mstr.rest.masking import secrets_among

# A browser limits the lifetime of a cookie to this (RFC 6265bis).
MAX_LIFETIME = 400 * 24 * 60 * 60.0

# A browser does not store a cookie with one of these (RFC 6265bis), and aiohttp does not send it.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_INTEGER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie, which a server identifies by name, domain and path.

    :param domain: the host that set it, or the parent domain that the server sent
    :param path: the path below which it is sent; empty if the server sent none
    :param expires: when it expires, in seconds since the epoch; None if it lasts as long as the session
    """

    name: str
    value: str = field(repr=False)
    domain: str
    path: str
    expires: float | None = None


class Cookies:
    """The cookies of a session with one server.

    Every request must carry all cookies of its login (1.4), so these rules are wider than those of a browser:

    - A cookie without ``Path`` belongs to the whole Library, not to the folder of the request that set it.
      It does not replace a cookie of the same name with a path.
    - A gateway may show the Library under a prefix: the path of a cookie may begin behind that prefix.
    - A cookie whose path does not match is sent if no other cookie of its name has a path that matches.
    - ``Secure`` is ignored: the token gives the same access and uses the same connection.

    ``http.cookiejar`` cannot do this: it drops a cookie for an attribute that browsers ignore, sends no
    cookie for a domain without a dot, and compares a date of the server with the local clock.

    :param cookies: the first cookies
    """

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._cookies = {_identity(cookie): cookie for cookie in cookies}

    def __iter__(self) -> Iterator[Cookie]:
        return iter(self._cookies.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cookies) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Cookies({list(self)})"

    @property
    def secrets(self) -> frozenset[str]:
        """The values that are secrets."""
        return secrets_among(cookie.value for cookie in self)

    def store(self, library_url: str, lines: Iterable[str], now: float, date: str | None = None) -> None:
        """Store, replace or delete the cookies that a response sets.

        :param library_url: the Library URL of the request
        :param lines: the values of the response's ``Set-Cookie`` headers
        :param now: seconds since the epoch
        :param date: the response's ``Date``: ``Expires`` is a time of the server's clock
        """
        host = _normalize_host(urlsplit(library_url).hostname or "")
        server_time = _time(date)
        ahead = 0.0 if server_time is None else now - server_time
        for line in lines:
            cookie = _cookie(line, host, now, ahead)
            if cookie is None:
                continue
            if cookie.expires is not None and cookie.expires <= now:
                self._cookies.pop(_identity(cookie), None)
            else:
                self._cookies[_identity(cookie)] = cookie

    def header(self, library_url: str, path: str, now: float) -> str:
        """Return the ``Cookie`` header of a request; empty if there is no cookie to send.

        Cookies with a longer path come first, then older ones.

        :param library_url: the Library URL
        :param path: the path of the request below that URL
        :param now: seconds since the epoch
        """
        base, path = unquote(urlsplit(library_url).path), unquote(path)
        folders = [base[start:] for start, character in enumerate(base) if character == "/"] or [""]
        paths = [folder + path for folder in folders]
        # With a gateway's prefix, a cookie without a path would precede those of the Library with a path.
        library = base[base.rfind("/") :]
        alive = [cookie for cookie in self if cookie.expires is None or cookie.expires > now]
        sent = [each for each in alive if any(_path_matches(each.path or library, path) for path in paths)]
        matched = {cookie.name for cookie in sent}
        sent += [cookie for cookie in alive if cookie.name not in matched]
        # Of two paths of the same length, the one that the server sent comes first.
        sent.sort(key=lambda cookie: (-len(cookie.path or library), not cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in sent)

    def to_json(self) -> list[list[Any]]:
        """Return the cookies as plain JSON."""
        return [list(astuple(cookie)) for cookie in self]

    @classmethod
    def from_json(cls, data: Any) -> Cookies:
        """Return the cookies that :meth:`to_json` described.

        :param data: what :meth:`to_json` returned
        :raises TypeError: if a part has another type
        :raises ValueError: if a cookie has more or fewer parts
        """
        return cls(_cookie_of(*texts, expires=expires) for *texts, expires in data)


def _cookie_of(*texts: Any, expires: Any) -> Cookie:
    name, value, domain, path = texts
    if not all(isinstance(text, str) for text in texts) or not isinstance(expires, float | None):
        raise TypeError("not a cookie")
    return Cookie(name, value, domain, path, expires)


def _identity(cookie: Cookie) -> tuple[str, str, str]:
    return cookie.name, cookie.domain, cookie.path


def _path_matches(cookie_path: str, path: str) -> bool:
    """Return whether a path is a cookie's path or lies below it."""
    folder = cookie_path if cookie_path.endswith("/") else f"{cookie_path}/"
    return path == cookie_path or path.startswith(folder)


def _cookie(line: str, host: str, now: float, ahead: float) -> Cookie | None:
    """Return the cookie of a ``Set-Cookie`` line; None if it is invalid or for another host."""
    pair, *rest = line.split(";")
    name, value = _split_pair(pair)
    attributes = {key.lower(): text for key, text in map(_split_pair, rest)}
    domain = _normalize_host(attributes.get("domain", "").removeprefix(".")) or host
    if not name or _CONTROL.search(pair) or not _domain_matches(host, domain):
        return None
    path = attributes.get("path")
    path = unquote(path) if path and path.startswith("/") else ""
    return Cookie(name, value, domain, path, _expires(attributes, now, ahead))


def _split_pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip(), value.strip()


def _domain_matches(host: str, domain: str) -> bool:
    # An IP address has no parent domain.
    return host == domain or (host.endswith(f".{domain}") and not host[-1].isdigit())


def _normalize_host(host: str) -> str:
    """Return a host name in the form for comparison."""
    host = host.rstrip(".").lower()
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _expires(attributes: Mapping[str, str], now: float, ahead: float) -> float | None:
    if max_age := _INTEGER.fullmatch(attributes.get("max-age") or ""):
        return now + min(float(max_age[0]), MAX_LIFETIME)
    expires = _time(attributes.get("expires"))
    return None if expires is None else min(expires + ahead, now + MAX_LIFETIME)


def _time(date: str | None) -> float | None:
    """Return an HTTP date as seconds since the epoch; None if it is not a date."""
    try:
        parsed = parsedate_tz(date)
        return None if parsed is None else float(timegm(parsed[:9]) - (parsed[9] or 0))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
