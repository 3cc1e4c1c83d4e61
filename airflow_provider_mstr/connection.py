# SPDX-License-Identifier: Apache-2.0
"""An Airflow connection's fields, as the Library server they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_mstr.durations import positive_seconds
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.literals import is_nothing
from airflow_provider_mstr.rest.session import Credentials, LoginMode, Seal
from airflow_provider_mstr.rest.url import is_this_machine, library_url

DEFAULT_TIMEOUT = 30.0
DEFAULT_LINK_TEMPLATE = "{base}/app/library#/model/{data_model_id}"


class ConnectionFields(Protocol):
    """What is read of an Airflow connection."""

    host: str | None
    port: int | None
    schema: str | None
    login: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class LibraryServer:
    """A Library server as a connection describes it.

    :param url: the Library URL, without a slash at its end
    :param credentials: who logs in
    :param project: the project's id or name; None where the connection names none
    :param verify: whether to check the server's certificate, or the CA file to check it with
    :param timeout: seconds an answer may take
    :param link_template: the address of a data model in a browser
    """

    url: str
    credentials: Credentials
    project: str | None = None
    verify: bool | str = True
    timeout: float = DEFAULT_TIMEOUT
    link_template: str = DEFAULT_LINK_TEMPLATE

    @classmethod
    def of(cls, connection: ConnectionFields, extra: Mapping[str, Any]) -> LibraryServer:
        """Return the server that an Airflow connection describes.

        :param connection: the connection
        :param extra: its extra fields; one that is null, empty or blank counts as absent, as forms save it so
        :raises InvalidInput: where a field makes no sense
        """
        if not isinstance(extra, Mapping):
            raise InvalidInput("the connection's extra is no JSON object")
        given = {name: value for name, value in extra.items() if not is_nothing(value)}
        return cls(
            url=library_url(connection.host or "", connection.port),
            credentials=_credentials(connection, given.get("login_mode", LoginMode.STANDARD)),
            project=(connection.schema or "").strip() or None,
            verify=_verify(given.get("verify", True)),
            timeout=positive_seconds("the connection's timeout", given.get("timeout", DEFAULT_TIMEOUT)),
            link_template=str(given.get("link_template", DEFAULT_LINK_TEMPLATE)),
        )

    @property
    def secrets(self) -> frozenset[str]:
        """What of the connection must never be shown."""
        return self.credentials.secrets

    @property
    def seal(self) -> Seal:
        """The seal under which this connection's sessions travel."""
        who = self.credentials
        return Seal(who.password, f"{self.url} {int(who.mode)} {who.login}")

    @property
    def risks(self) -> tuple[str, ...]:
        """What lets others on the network read or fake the traffic, in words."""
        url = urlsplit(self.url)
        if url.scheme == "https":
            return (
                ()
                if self.verify
                else ("the connection's verify is false: the server's certificate is not checked",)
            )
        return () if is_this_machine(url.hostname or "") else (f"{self.url} is not encrypted: use https",)

    def link(self, data_model_id: str, project_id: str) -> str:
        """Return the address of a data model in a browser.

        :param data_model_id: the data model's id
        :param project_id: the project's id or name
        """
        places = {"{base}": self.url, "{data_model_id}": data_model_id, "{project_id}": project_id}
        link = self.link_template
        for place, value in places.items():
            link = link.replace(place, value)
        return link


def _credentials(connection: ConnectionFields, login_mode: Any) -> Credentials:
    mode = _login_mode(login_mode)
    login, password = (connection.login or "").strip(), connection.password or ""
    if mode is LoginMode.API_TOKEN and not password:
        raise InvalidInput("the connection has login_mode api_token, but no token in its password")
    if mode in (LoginMode.STANDARD, LoginMode.LDAP) and not login:
        raise InvalidInput(f"the connection has login_mode {mode.name.lower()}, but no login")
    return Credentials(mode, login, password)


def _login_mode(typed: Any) -> LoginMode:
    text = str(int(typed) if isinstance(typed, int) else typed).strip()
    for mode in LoginMode:
        if text.lower() in (mode.name.lower(), str(mode.value)):
            return mode
    there_is = ", ".join(f"{mode.name.lower()} ({mode.value})" for mode in LoginMode)
    raise InvalidInput(f"the connection's login_mode {text!r} does not exist; there is {there_is}")


def _verify(typed: Any) -> bool | str:
    if isinstance(typed, bool):
        return typed
    text = str(typed).strip()
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
        text.lower(), text
    )
