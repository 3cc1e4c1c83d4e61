# SPDX-License-Identifier: Apache-2.0
"""The Library URL, out of whatever a person pastes."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow_provider_mstr.rest.errors import InvalidInput

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

# What stands behind the Library URL in addresses that people copy from a browser (7.3).
_INSIDE_LIBRARY = frozenset({"api", "api-docs", "app", "auth", "static", "servlet"})


def library_url(pasted: str, port: int | None = None) -> str:
    """Return the Library URL in its plain form: scheme, host, port and path, no slash at the end.

    :param pasted: any URL of the Library server: with or without a scheme, a trailing slash, ``/app``,
        ``/api``, a query or a fragment; without a scheme ``https`` is meant, on this machine ``http``
    :param port: the port, where the URL names none
    :raises InvalidInput: where no host can be made out, or the URL carries a login
    """
    text = pasted.strip()
    if not text or any(character.isspace() or not character.isprintable() for character in text):
        raise InvalidInput("the connection has no usable host: put the Library URL there")
    url = _split(text if _SCHEME.match(text) else f"//{text.lstrip('/')}")
    if url.scheme not in ("", "http", "https"):
        raise InvalidInput(f"the Library URL begins with {url.scheme}://, but only http and https will do")
    if "@" in url.netloc:
        raise InvalidInput("the Library URL carries a login: put login and password into their own fields")
    host = _host(url)
    port = _port(url) or port or None
    if port is not None and not 0 < port < 65536:
        raise InvalidInput(f"the port {port} is not a number between 1 and 65535")
    network = f"[{host}]" if ":" in host else host
    scheme = url.scheme or ("http" if is_this_machine(host) else "https")
    return f"{scheme}://{network}{f':{port}' if port else ''}{_library_path(url.path)}"


def is_this_machine(host: str) -> bool:
    """Return whether a host name is a loopback one, where no network is crossed.

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


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    if not host or not all(character.isalnum() or character in "-._:" for character in host):
        raise InvalidInput("the connection's host is not a URL: no host name can be made out")
    return host


def _port(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:
        raise InvalidInput("the Library URL's port is not a number between 1 and 65535") from None


def _library_path(path: str) -> str:
    segments = [segment for segment in unquote(path).split("/") if segment]
    kept: list[str] = []
    for segment in segments:
        if segment.lower() in _INSIDE_LIBRARY:
            break
        kept.append(segment)
    return "".join(f"/{quote(segment)}" for segment in kept)
