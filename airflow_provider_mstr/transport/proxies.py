# SPDX-License-Identifier: Apache-2.0
"""The proxy that the environment sets for a server, and connections through a SOCKS proxy."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

import aiohttp
from requests.utils import get_environ_proxies

from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.masking import passwords_among

_SOCKS_SCHEMES = ("socks4", "socks4a", "socks5", "socks5h")
_DEFAULT_PORTS = {"http": 80, "https": 443} | dict.fromkeys(_SOCKS_SCHEMES, 1080)


@dataclass(frozen=True)
class Proxy:
    """A proxy that an environment variable sets.

    :param variable: the environment variable
    :param scheme: its protocol: http, https, socks4, socks4a, socks5 or socks5h
    :param host: its host name or address
    :param port: its port
    :param user: the user name for the proxy; None without a login
    :param password: the password of the user
    """

    variable: str
    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str = field(default="", repr=False)

    @classmethod
    def for_url(cls, url: str) -> Proxy | None:
        """Return the proxy that the environment sets for a URL, None if it sets none.

        :param url: the server's URL
        :raises InvalidInput: if the proxy's URL is malformed, or a package for its protocol is missing
        """
        proxies = get_environ_proxies(url)
        scheme = urlsplit(url).scheme
        key = next((key for key in (scheme, "all") if proxies.get(key)), None)
        return None if key is None else _parse(_variable(key, proxies[key]), proxies[key].strip())

    def __str__(self) -> str:
        return f"{self.scheme}://{self._network} ({self.variable})"

    @property
    def url(self) -> str:
        """The proxy's URL, with its user and password."""
        login = "" if self.user is None else f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        return f"{self.scheme}://{login}{self._network}"

    @property
    def _network(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def secrets(self) -> frozenset[str]:
        """The password, unless it is too short to mask."""
        return passwords_among([self.password])

    @property
    def is_socks(self) -> bool:
        """Whether it is a SOCKS proxy, which requests and aiohttp alone do not support."""
        return self.scheme in _SOCKS_SCHEMES

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """Return a socket to a host behind this SOCKS proxy.

        :param host: the host
        :param port: its port
        :param seconds: the timeout in seconds
        """
        from python_socks.sync import Proxy as SocksProxy

        return SocksProxy(**self._socks_arguments).connect(host, port, timeout=seconds)

    def connector(self, **options: Any) -> aiohttp.TCPConnector:
        """Return an aiohttp connector whose connections go through this SOCKS proxy.

        :param options: arguments of any aiohttp connector
        """
        from aiohttp_socks import ProxyConnector

        connector: aiohttp.TCPConnector = ProxyConnector(**self._socks_arguments, **options)
        return connector

    @property
    def _socks_arguments(self) -> dict[str, Any]:
        from python_socks import ProxyType

        return {
            "proxy_type": ProxyType.SOCKS4 if self.scheme.startswith("socks4") else ProxyType.SOCKS5,
            "host": self.host,
            "port": self.port,
            "username": self.user,
            "password": self.password,
            # Whether the proxy resolves the host name; the schemes mean the same as in curl and requests.
            "rdns": self.scheme in ("socks4a", "socks5h"),
        }


def _variable(key: str, value: str) -> str:
    """Return the environment variable of a proxy; macOS and Windows also have system settings."""
    names = (name for name in os.environ if name.lower() == f"{key}_proxy" and os.environ[name] == value)
    return next(names, f"the {key} proxy of the system settings")


def _parse(variable: str, text: str) -> Proxy:
    """Return the proxy of a URL. No error repeats the URL, because it may contain a password."""
    url = _split(variable, text)
    if not url.scheme:
        raise _malformed(
            variable, "it does not begin with a scheme, such as http://; write it without quotes"
        )
    if url.scheme not in _DEFAULT_PORTS:
        raise _malformed(variable, f"it begins with {url.scheme[:20]}://, which is not a proxy protocol")
    host = _ascii(url.hostname or "")
    if host == "":
        raise _malformed(variable, "it has no host")
    if host is None or not all(character.isalnum() or character in "-._:" for character in host):
        raise _malformed(variable, "its host is not a host name")
    if host in _DEFAULT_PORTS:
        raise _malformed(variable, "it has two schemes, or a colon is missing in ://")
    try:
        port = url.port
    except ValueError:
        port = 0
    if port == 0:
        raise _malformed(variable, "its port is not a number between 1 and 65535")
    user = None if url.username is None else unquote(url.username)
    password = unquote(url.password or "")
    if not _is_latin(f"{user}{password}"):
        raise _malformed(variable, "its user or password contains a character that proxies do not accept")
    proxy = Proxy(variable, url.scheme, host, port or _DEFAULT_PORTS[url.scheme], user, password)
    if proxy.is_socks:
        _require_socks(proxy)
    return proxy


def _split(variable: str, text: str) -> SplitResult:
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _malformed(variable, "it contains a space or a control character")
    try:
        return urlsplit(text if "://" in text else f"http://{text}")
    except ValueError:
        raise _malformed(variable, "it is not a URL") from None


def _ascii(host: str) -> str | None:
    """Return a host name in its DNS form, None if it is invalid."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return None


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _malformed(variable: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"the proxy URL in {variable} is malformed: {why}. Write http://host:port, "
        "http://user:password@host:port with user and password percent-encoded, or socks5h://host:port"
    )


def _require_socks(proxy: Proxy) -> None:
    try:
        import aiohttp_socks  # noqa: F401
    except ImportError:
        raise InvalidInput(
            f"the proxy {proxy} is a SOCKS proxy, but SOCKS support is not installed on this machine: "
            "pip install 'airflow-provider-mstr[socks]', or set an HTTP proxy, or add the host to NO_PROXY"
        ) from None
