# SPDX-License-Identifier: Apache-2.0
"""The Library server that an Airflow connection describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from airflow_provider_mstr.connection.extras import extra_fields, gateway_headers, unknown_fields
from airflow_provider_mstr.refresh.options import positive_seconds
from airflow_provider_mstr.refresh.sealing import Seal
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.masking import secrets_among
from airflow_provider_mstr.rest.session import Credentials, LoginMode
from airflow_provider_mstr.rest.url import is_this_machine, library_url

DEFAULT_TIMEOUT = 30.0
_LINK_FIELDS = re.compile(r"\{(base|project_id|object_id|data_model_id|cube_id|report_id)\}")


class ConnectionFields(Protocol):
    """The fields of an Airflow connection that are used."""

    host: str | None
    port: int | None
    schema: str | None
    login: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class LibraryServer:
    """The Library server of a connection.

    :param url: the Library URL, without a trailing slash
    :param credentials: the credentials
    :param project: the project's id or name; None if the connection has none
    :param verify: whether to verify the server's certificate, or the CA file to verify it with
    :param timeout: the timeout of one answer in seconds
    :param headers: headers of each request, for a gateway; their values are secrets
    :param link_template: the template of an object's URL in a browser; empty for that of its kind
    :param ineffective: advice for each extra field that has no effect
    """

    url: str
    credentials: Credentials
    project: str | None = None
    verify: bool | str = True
    timeout: float = DEFAULT_TIMEOUT
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    link_template: str = ""
    ineffective: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, connection: ConnectionFields, extra: Mapping[str, Any]) -> LibraryServer:
        """Return the server that an Airflow connection describes.

        :param connection: the connection
        :param extra: its extra fields
        :raises InvalidInput: if a field is invalid
        """
        fields = extra_fields(extra)
        return cls(
            url=library_url(connection.host or "", connection.port),
            credentials=_credentials(connection, fields.get("login_mode", LoginMode.STANDARD)),
            project=_project(connection.schema),
            verify=_verify(fields.get("verify", True)),
            timeout=positive_seconds("the connection's timeout", fields.get("timeout", DEFAULT_TIMEOUT)),
            headers=gateway_headers(fields.get("headers", {})),
            link_template=_link_template(fields.get("link_template", "")),
            ineffective=unknown_fields(fields),
        )

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets of the connection, except values that are too short to mask."""
        values = self.headers.values()
        # A server may repeat the key of "Bearer KEY" alone.
        keys = secrets_among(word for value in values for word in value.split())
        return self.credentials.secrets | keys | {value for value in values if len(value) >= 4}

    @property
    def seal(self) -> Seal:
        """The seal of this connection's sessions."""
        user = self.credentials
        return Seal(user.password, f"{self.url} {int(user.mode)} {user.login}")

    @property
    def risks(self) -> tuple[str, ...]:
        """Warnings about what makes the connection insecure."""
        url = urlsplit(self.url)
        if url.scheme == "https":
            return (
                ()
                if self.verify
                else ("the connection's verify is false: the server's certificate is not checked",)
            )
        return () if is_this_machine(url.hostname or "") else (f"{self.url} is not encrypted: use https",)

    def link(self, kind: str, path: str, object_id: str, project_id: str) -> str:
        """Return the URL of an object in a browser.

        A template of the connection that names the id of another kind does not apply.

        :param kind: the kind of object, such as ``data_model``
        :param path: the template of the URL's path, if the connection has no template that applies
        :param object_id: the object's id
        :param project_id: the project's id or name
        """
        ids = {"object_id": object_id, f"{kind}_id": object_id, "project_id": project_id}
        values = {name: quote(value, safe="", errors="replace") for name, value in ids.items()}
        values["base"] = self.url
        template = self.link_template
        if not template or not values.keys() >= set(_LINK_FIELDS.findall(template)):
            template = "{base}" + path
        return _LINK_FIELDS.sub(lambda match: values[match[1]], template)


def _project(schema: str | None) -> str | None:
    project = (schema or "").strip() or None
    if project and "strategylibrary" in project.lower():
        raise InvalidInput(
            f"the connection's schema is {project!r}, which is part of a Library URL; it must be the "
            "project's id or name. Enter the whole Library URL in host; in a connection URI, percent-encode "
            "it"
        )
    return project


def _credentials(connection: ConnectionFields, login_mode: Any) -> Credentials:
    mode = _login_mode(login_mode)
    login, password = (connection.login or "").strip(), connection.password or ""
    if mode is LoginMode.API_TOKEN:
        # A token has no spaces around it; a file or form may add a line break.
        password = password.strip()
    if mode is LoginMode.API_TOKEN and not password:
        raise InvalidInput("the connection has login_mode api_token, but no token in its password")
    if mode in (LoginMode.STANDARD, LoginMode.LDAP) and not login:
        raise InvalidInput(
            f"the connection has login_mode {mode.name.lower()}, but no login: enter the user there"
        )
    return Credentials(mode, login, password)


def _login_mode(value: Any) -> LoginMode:
    text = str(int(value) if isinstance(value, int) else value).strip()
    for mode in LoginMode:
        if text.lower() in (mode.name.lower(), str(mode.value)):
            return mode
    modes = ", ".join(f"{mode.name.lower()} ({mode.value})" for mode in LoginMode)
    raise InvalidInput(f"the connection's login_mode is {text!r}; it must be one of: {modes}")


def _verify(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    text = str(value).strip()
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
        text.lower(), text
    )


def _link_template(value: Any) -> str:
    template = str(value).strip()
    if not template:
        return ""
    rest = _LINK_FIELDS.sub("", template)
    if unknown := re.search(r"\{[^{}]*\}|[{}]", rest):
        raise InvalidInput(
            f"the connection's link_template contains {unknown[0]!r}; "
            "it may contain only {base}, {project_id}, {object_id}, {data_model_id}, {cube_id} and "
            "{report_id}"
        )
    try:
        url = urlsplit(_LINK_FIELDS.sub("x", template.replace("{base}", "https://x")))
        is_page = url.scheme in ("http", "https") and bool(url.hostname) and template.isprintable()
        has_credentials = url.username is not None
    except ValueError:
        is_page = has_credentials = False
    if has_credentials:
        raise InvalidInput(
            "the connection's link_template contains a user name: remove it, because each user logs in"
        )
    if not is_page:
        raise InvalidInput(
            "the connection's link_template is not the URL of a web page: "
            "it must begin with {base}, https:// or http://"
        )
    return template
