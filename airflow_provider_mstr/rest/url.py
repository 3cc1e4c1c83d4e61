# SPDX-License-Identifier: Apache-2.0
"""Derives the Library URL from any URL of the server that a user pastes."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow_provider_mstr.rest.errors import InvalidInput

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ENCODED_SCHEME = re.compile(r"https?%3A", re.IGNORECASE)

_HOST = re.compile(r"[A-Za-z0-9._:-]+")

# Characters around a URL that is copied from a document, a chat or a shell.
_AROUND = " \t\r\n\f\v\u00a0\u200b\u2060\ufeff<>()\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb,;"

# Parts of the context path: MicroStrategyLibrary, StrategyLibraryStd, or any other name with Library.
_CONTEXT_NAMES = ("strategylibrary", "library")

# The first segment after the Library URL in URLs that users copy from a browser (7.3).
_INSIDE_LIBRARY = frozenset({"api", "api-docs", "app", "auth", "static", "servlet", "admin", "saml"})
_PAGE_SUFFIXES = (".html", ".htm", ".jsp", ".json")

# A page and an endpoint of the Library whose names resemble a context path.
_NOT_CONTEXT = frozenset({("app", "library"), ("api", "library")})


def library_url(pasted: str, port: int | None = None) -> str:
    """Return the Library URL in its normal form: scheme, host, port and path, without a trailing slash.

    :param pasted: any URL of the Library server: with or without a scheme, a trailing slash, ``/app``,
        ``/api``, a session id, a query or a fragment. The default scheme is ``https``, or ``http`` on this
        machine.
    :param port: the port, if the URL has none
    :raises InvalidInput: if the URL has no valid host, or contains a login
    """
    text = pasted.strip(_AROUND).strip()
    if _ENCODED_SCHEME.match(text):
        text = unquote(text)
    if not text:
        raise InvalidInput("the connection has no host: enter the Library URL there")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise InvalidInput("the connection's host contains a space or a control character: remove it")
    url = _split(text if _SCHEME.match(text) else f"//{_in_brackets(text.lstrip('/'))}")
    if url.scheme not in ("", "http", "https"):
        raise InvalidInput(
            f"the Library URL begins with {url.scheme}://; it must begin with https:// or http://"
        )
    if "@" in url.netloc:
        raise InvalidInput("the Library URL contains a login: enter login and password in their own fields")
    host = _host(url)
    port = _port(url) or port or None
    if port is not None and not 1 <= port <= 65535:
        raise InvalidInput(f"the port {port} is not a number between 1 and 65535")
    network = f"[{host}]" if ":" in host else host
    scheme = url.scheme or ("http" if is_this_machine(host) else "https")
    return f"{scheme}://{network}{f':{port}' if port else ''}{_library_path(url.path)}"


def is_this_machine(host: str) -> bool:
    """Return whether a host is this machine (a loopback address or localhost).

    :param host: a host name or address, without brackets
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise InvalidInput("the connection's host is not a URL") from None


def _in_brackets(text: str) -> str:
    """Add the brackets that a URL needs to a bare IPv6 address, as Airflow's URI form leaves it."""
    host, slash, path = text.partition("/")
    try:
        return f"[{ipaddress.IPv6Address(host)}]{slash}{path}"
    except ValueError:
        return text


def _host(url: SplitResult) -> str:
    host = (url.hostname or "").rstrip(".")
    if not host.isascii():
        host = _ascii_host(host)
    if not _HOST.fullmatch(host):
        raise InvalidInput("the connection's host is not a URL: it has no valid host name")
    if not all(0 < len(label) < 64 for label in host.split(".")):
        raise InvalidInput("the connection's host is not a URL: its host name has an empty or too long part")
    if host in ("http", "https"):
        raise InvalidInput("the connection's host is not a URL: write https:// once, before the host name")
    return host


def _ascii_host(host: str) -> str:
    import idna

    try:
        return idna.encode(host, uts46=True).decode()
    except UnicodeError:
        raise InvalidInput("the connection's host is not a URL: its host name is invalid") from None


def _port(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:
        raise InvalidInput("the Library URL's port is not a number between 1 and 65535") from None


def _library_path(path: str) -> str:
    # A segment may have parameters, such as ;jsessionid=...
    plain = "/".join(segment.partition(";")[0] for segment in unquote(path).split("/"))
    segments = [segment for segment in posixpath.normpath(f"/{plain}").split("/") if segment.strip(" .")]
    names = [segment.strip().rstrip(" .") for segment in segments]
    return "".join(f"/{quote(name)}" for name in names[: _base_length(names)])


def _base_length(names: list[str]) -> int | None:
    """Return how many segments the Library URL has, None for all.

    It ends with the segment that contains the name of the context path. Without one, it ends before the first
    segment that is known to be inside the Library.
    """
    for context in _CONTEXT_NAMES:
        length = 0  # pragma: no mutate - any false value does
        for place, name in enumerate(names):
            if length and _is_inside(name):
                break
            if context in name.lower() and (*names[place - 1 : place], name) not in _NOT_CONTEXT:
                length = place + 1
        if length:
            return length
    return next((place for place, name in enumerate(names) if _is_inside(name)), None)


def _is_inside(name: str) -> bool:
    return name.lower() in _INSIDE_LIBRARY or name.lower().endswith(_PAGE_SUFFIXES)
