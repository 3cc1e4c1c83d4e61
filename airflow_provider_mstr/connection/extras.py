# SPDX-License-Identifier: Apache-2.0
"""The extra fields of an Airflow connection: their names, and the gateway headers."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_mstr.refresh.literals import is_blank
from airflow_provider_mstr.rest.errors import InvalidInput

NAMES = ("login_mode", "verify", "timeout", "headers", "link_template")

# A URI may contain the whole extra under this name. Old Airflow forms add this prefix to a field.
_WHOLE = "__extra__"
_OLD_FORM = "extra__mstr__"

# Patterns of names that users write by mistake, without case and underscores, and the advice; the first match
# is used.
_ADVICE = tuple(
    (re.compile(part), advice)
    for part, advice in (
        ("prox(y|ies)", "set the environment variables HTTPS_PROXY and NO_PROXY"),
        ("ssl|tls|cert|verif|insecure|^ca(bundle|file|path)", "use verify: true, false or a CA file"),
        ("header|useragent|subscription|gateway", "use headers"),
        ("token|password|^apikey", "enter the password or the API token in password"),
        ("^mode|auth|login(mode|type)", "use login_mode"),
        ("timeout", "use timeout"),
        ("link", "use link_template"),
        ("project|schema", "enter the project in schema"),
        ("host|url|server|endpoint|library", "enter the Library URL in host"),
        ("^(user(name|id)?|login)$", "enter the user in login"),
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

    :param extra: the connection's extra; a field that is null, empty or blank counts as absent, because
        forms save such fields
    :raises InvalidInput: if it is not a JSON object
    """
    if not isinstance(extra, Mapping):
        raise InvalidInput("the connection's extra is not a JSON object")
    whole = _object(extra.get(_WHOLE)) or {}
    old = {str(name).removeprefix(_OLD_FORM): value for name, value in extra.items() if name != _WHOLE}
    new = {name: value for name, value in extra.items() if name in NAMES}
    fields = {**old, **new, **whole}
    return {name: value for name, value in fields.items() if not is_blank(value)}


def unknown_fields(names: Iterable[str]) -> tuple[str, ...]:
    """Return advice for each extra field that has no effect.

    :param names: the names of the fields
    """
    return tuple(
        f"the extra {name[:50]!r} is unknown and has no effect: {_advice(name)}"
        for name in names
        if name not in NAMES
    )


def gateway_headers(value: Any) -> dict[str, str]:
    """Return the headers of each request for a gateway.

    Errors do not repeat values, because they may be secrets.

    :param value: an object of header names and values, or its JSON
    :raises InvalidInput: if it is not an object, or contains a header that is invalid or not allowed
    """
    headers = _object(value)
    if headers is None:
        raise InvalidInput(
            "the connection's headers are not a JSON object of header names and values, such as "
            '{"X-Gateway-Key": "..."}'
        )
    return {_header_name(name): _header_value(name, value) for name, value in headers.items()}


def _header_name(name: Any) -> str:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise InvalidInput(
            f"{str(name)[:50]!r} in the connection's headers is not a header name: use letters, "
            "digits and dashes"
        )
    if name.lower() in _RESERVED or name.lower().startswith(_RESERVED_PREFIXES):
        raise InvalidInput(f"the connection's headers must not set {name}: only the package itself sets it")
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


def _object(value: Any) -> Mapping[Any, Any] | None:
    """Return an object, or a JSON text parsed to one; None if it is neither."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _advice(name: str) -> str:
    plain = _plain(name)
    for part, advice in _ADVICE:
        if part.search(plain):
            return advice
    close = difflib.get_close_matches(plain, map(_plain, NAMES), n=1, cutoff=0.75)
    if close:
        return f"use {next(known for known in NAMES if _plain(known) == close[0])}"
    return f"the extras are {', '.join(NAMES)}"


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
