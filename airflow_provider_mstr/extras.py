# SPDX-License-Identifier: Apache-2.0
"""The extra fields of an Airflow connection: their names, and the headers for a gateway."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.literals import is_nothing

NAMES = ("login_mode", "verify", "timeout", "headers", "link_template")

# A URI may hold the whole extra under this name. Old forms of Airflow put this prefix before a field.
_WHOLE = "__extra__"
_OLD_FORM = "extra__mstr__"

# What is in names that people write instead, without case and underscores, and what to do; the first counts.
_ADVICE = tuple(
    (re.compile(part), advice)
    for part, advice in (
        ("prox(y|ies)", "set the environment variables HTTPS_PROXY and NO_PROXY"),
        ("ssl|tls|cert|verif|insecure|^ca(bundle|file|path)", "use verify: true, false or a CA file"),
        ("header|useragent|subscription|gateway", "use headers"),
        ("token|password|^apikey", "put the password or the API token into password"),
        ("^mode|auth|login(mode|type)", "use login_mode"),
        ("timeout", "use timeout"),
        ("link", "use link_template"),
        ("project|schema", "put the project into schema"),
        ("host|url|server|endpoint|library", "put the Library URL into host"),
        ("^(user(name|id)?|login)$", "put the user into login"),
    )
)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")

# Only the package and the HTTP client may set these.
_RESERVED_PREFIXES = ("x-mstr-", "content-", "proxy-")
_RESERVED = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def extra_fields(extra: Any) -> dict[str, Any]:
    """Return the extra fields of a connection under their plain names.

    :param extra: the connection's extra; a field that is null, empty or blank counts as absent, as forms
        save it so
    :raises InvalidInput: if it is not a JSON object
    """
    if not isinstance(extra, Mapping):
        raise InvalidInput("the connection's extra is not a JSON object")
    whole = _object(extra.get(_WHOLE)) or {}
    old = {str(name).removeprefix(_OLD_FORM): value for name, value in extra.items() if name != _WHOLE}
    new = {name: value for name, value in extra.items() if name in NAMES}
    fields = {**old, **new, **whole}
    return {name: value for name, value in fields.items() if not is_nothing(value)}


def unknown_fields(names: Iterable[str]) -> tuple[str, ...]:
    """Return, for each extra field that has no effect, what to write instead.

    :param names: the names of the fields
    """
    return tuple(
        f"the extra {name[:50]!r} is unknown and has no effect: {_instead(name)}"
        for name in names
        if name not in NAMES
    )


def gateway_headers(typed: Any) -> dict[str, str]:
    """Return the headers that are sent with each request, for a gateway before the server.

    No error repeats a value, because it may be a secret.

    :param typed: an object of header names and values, or its JSON
    :raises InvalidInput: if it is not an object, or contains a header that is invalid or not allowed
    """
    headers = _object(typed)
    if headers is None:
        raise InvalidInput(
            "the connection's headers is not a JSON object of header names and values, such as "
            '{"X-Gateway-Key": "..."}'
        )
    return {_header_name(name): _header_value(name, value) for name, value in headers.items()}


def _header_name(name: Any) -> str:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise InvalidInput(
            f"{str(name)[:50]!r} in the connection's headers is not the name of a header: use letters, "
            "digits and dashes"
        )
    if name.lower() in _RESERVED or name.lower().startswith(_RESERVED_PREFIXES):
        raise InvalidInput(
            f"the connection's headers may not set {name}: only the package itself sets this header"
        )
    return name


def _header_value(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidInput(f"the value of {name} in the connection's headers is not text: write it in quotes")
    if not _HEADER_VALUE.fullmatch(str(value)):
        raise InvalidInput(
            f"the value of {name} in the connection's headers contains a line break, a control "
            "character or a character outside ASCII: remove it"
        )
    return str(value).strip()


def _object(typed: Any) -> Mapping[Any, Any] | None:
    """Return an object, or the one that a text is in JSON; None if it is neither."""
    try:
        found = json.loads(typed) if isinstance(typed, str) else typed
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _instead(name: str) -> str:
    plain = _plain(name)
    for part, advice in _ADVICE:
        if part.search(plain):
            return advice
    close = difflib.get_close_matches(plain, map(_plain, NAMES), n=1, cutoff=0.75)
    if close:
        return f"use {next(known for known in NAMES if _plain(known) == close[0])}"
    return f"the extras are: {', '.join(NAMES)}"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
