# SPDX-License-Identifier: Apache-2.0
"""The CA certificates of both drivers, and error messages for certificates that are not trusted."""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from airflow_provider_mstr.rest.errors import InvalidInput

_ENVIRONMENT = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_VERIFY = "verify of the connection"

# The file names that OpenSSL expects in a CA folder: each is the hash of a certificate's subject.
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


@dataclass(frozen=True)
class Trust:
    """The CA certificates that verify a server's certificate.

    :param path: the CA file or folder; None if no certificate is checked
    :param source: the setting that contains the path
    """

    path: str | None
    source: str = ""

    @classmethod
    def of(cls, verify: bool | str) -> Trust:
        """Return the CA file or folder of the connection, else of the environment, else of requests.

        :param verify: the connection's ``verify``
        :raises InvalidInput: if it contains no certificate
        """
        if verify is False:
            return cls(None)
        named = [(verify, _VERIFY)] if isinstance(verify, str) else []
        named += [(os.environ.get(name, ""), name) for name in _ENVIRONMENT]
        found = next(((path, source) for path, source in named if path), (DEFAULT_CA_BUNDLE_PATH, ""))
        trust = cls(*found)
        trust.context()
        return trust

    def __str__(self) -> str:
        if not self.source:
            return "the CA file of requests"
        return f"the CA {'folder' if self._is_folder else 'file'} {self.path!r} ({self.source})"

    def context(self) -> ssl.SSLContext:
        """Return the TLS context, the same for every driver.

        :raises InvalidInput: if the CA file cannot be read, or contains no certificate
        """
        try:
            return _context(self.path)
        except FileNotFoundError:
            problem = "does not exist on this machine"
        except ssl.SSLError:
            problem = (
                "contains no certificate in PEM format (-----BEGIN CERTIFICATE-----); convert a binary one "
                "with openssl x509 -inform der -in FILE -out FILE.pem"
            )
        except (OSError, ValueError) as error:
            problem = f"cannot be read on this machine: {getattr(error, 'strerror', None) or 'not a path'}"
        except _NotHashedError:
            problem = (
                "contains no file with a name that OpenSSL expects (such as 5ed36f99.0): run "
                "openssl rehash on the folder, or set a CA file instead"
            )
        raise InvalidInput(f"{self} {problem}") from None

    @property
    def _is_folder(self) -> bool:
        return self.path is not None and os.path.isdir(self.path)

    def fix(self, certificate: str) -> str:
        """Return how to make a certificate trusted.

        :param certificate: the name of the certificate
        """
        if self.source != _VERIFY:
            return f"set verify in the connection's extra to a CA file that contains {certificate}"
        rehash = " and run openssl rehash on it" if self._is_folder else ""
        return f"add {certificate} to {self}{rehash}"


class _NotHashedError(Exception):
    pass


@lru_cache(maxsize=16)
def _context(path: str | None) -> ssl.SSLContext:
    if path is None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if os.path.isdir(path):
        if not any(_HASHED.fullmatch(name) for name in os.listdir(path)):
            raise _NotHashedError
        context = ssl.create_default_context(capath=path)
    else:
        context = ssl.create_default_context(cafile=path)
    context.sslsocket_class, context.sslobject_class = _Socket, _Object
    return context


class _RecordsChain:
    """Adds the received certificates to a verification error."""

    _sslobj: Any

    def do_handshake(self, *args: Any) -> None:
        try:
            super().do_handshake(*args)  # type: ignore[misc]
        except ssl.SSLCertVerificationError as error:
            # Python 3.13 makes this public, but with the certificates in binary form.
            with suppress(AttributeError):
                error.sent = [each.get_info() for each in self._sslobj.get_unverified_chain() or ()]  # type: ignore[attr-defined]
            raise


class _Socket(_RecordsChain, ssl.SSLSocket):
    pass


class _Object(_RecordsChain, ssl.SSLObject):
    pass


def certificate_problem(error: ssl.SSLCertVerificationError, owner: str, trust: Trust) -> str:
    """Return why a certificate is not trusted, and how to fix it.

    :param error: the error of the handshake
    :param owner: the owner of the certificate: the server or the proxy
    :param trust: the CA certificates
    """
    sent: list[Mapping[str, Any]] = getattr(error, "sent", [])
    code = error.verify_code
    if code in _WRONG_NAME:
        return _wrong_name(error, owner, sent)
    if code in _UNTRUSTED:
        return _untrusted(code, owner, trust, sent)
    if code == _EXPIRED:
        return _expired(owner, trust, sent)
    if code in _STRICT:
        return (
            f"a certificate of {owner}'s chain violates a rule that Python checks since 3.13 "
            f"({error.verify_message}): have the CA issue a correct one, or run workers and "
            "triggerers on Python 3.12 until then"
        )
    for codes, message in _OTHER:
        if code in codes:
            return message.format(owner=owner)
    return f"{owner}'s certificate is not valid ({error.verify_message}): replace it"


_EXPIRED = 10
_WRONG_NAME = (62, 64)
_NO_ROOT, _SELF_SIGNED = 2, 18
_UNTRUSTED = (_NO_ROOT, _SELF_SIGNED, 19, 20, 21)

# What OpenSSL checks only with VERIFY_X509_STRICT.
_STRICT = range(80, 95)

_OTHER: tuple[tuple[tuple[int, ...], str], ...] = (
    ((9,), "{owner}'s certificate is not valid yet: set the clock of this machine, or wait"),
    ((23,), "{owner}'s certificate was revoked by its CA: replace it"),
    (
        (66, 67, 68),
        "a key or signature of {owner}'s certificates is too weak for this machine: use "
        "certificates with RSA keys of 2048 bits or more, signed with SHA-256",
    ),
    (
        (24, 32, 37, 79),
        "a certificate of {owner}'s chain signs another certificate, but is not a CA certificate: "
        "replace the chain",
    ),
)


def _wrong_name(error: ssl.SSLCertVerificationError, owner: str, sent: list[Mapping[str, Any]]) -> str:
    alternatives: Iterable[tuple[str, str]] = sent[0].get("subjectAltName", ()) if sent else ()
    names = [ascii(name)[1:80].rstrip("'") for kind, name in alternatives if kind in ("DNS", "IP Address")]
    listed = f", only for {', '.join(names[:5])}{' and others' if names[5:] else ''}" if names else ""
    host = re.search(r"not valid for '([^']*)'", error.verify_message)
    name = host[1] if host else "name in the URL"
    wrong = f"{owner}'s certificate is not valid for the host {name}{listed}"
    if names or not sent:
        return f"{wrong}: use a host name of the certificate, or issue a certificate for this host"
    return f"{wrong}: it has no subjectAltName, and so is valid for no host; replace it"


def _expired(owner: str, trust: Trust, sent: list[Mapping[str, Any]]) -> str:
    now = time.time()
    expired = [each for each in sent if ssl.cert_time_to_seconds(each["notAfter"]) < now]
    if sent and not expired:
        return f"a CA certificate in {trust} has expired: replace it with the renewed one"
    since = f" on {expired[0]['notAfter']}" if expired else ""
    if not expired or expired[0] is sent[0]:
        return f"{owner}'s certificate has expired{since}: renew it"
    return (
        f"the certificate of {_name(expired[0], 'subject')}, which {owner} sends with its own, has "
        f"expired{since}: install the renewed one on {owner}"
    )


def _untrusted(code: int, owner: str, trust: Trust, sent: list[Mapping[str, Any]]) -> str:
    not_trusted = f"{owner}'s certificate is not trusted"
    if code == _SELF_SIGNED:
        fix = trust.fix("it")
        return (
            f"{not_trusted}: it is self-signed and not in {trust}. Replace it with a certificate of a CA, "
            f"or {fix}"
        )
    if code == _NO_ROOT:
        fix = trust.fix("also the root certificate")
        return f"{not_trusted}: {trust} contains only an intermediate certificate of its chain; {fix}"
    last = _last_of_chain(sent)
    ca = _name(last, "issuer") if last else "its CA"
    fix = trust.fix(f"the certificate of {ca}")
    if sent and last is not sent[0]:
        return f"{not_trusted}: the CA of its chain, {ca}, is not in {trust}; {fix}"
    return (
        f"{not_trusted}: the certificate of {ca}, which signed it, is missing: {owner} does not send "
        f"it, and it is not in {trust}. If it is an intermediate certificate, install it on {owner}; "
        f"if it is a root certificate, {fix}"
    )


def _last_of_chain(sent: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the last certificate of the chain that begins with the first; other certificates are ignored."""
    by_subject = {each["subject"]: each for each in reversed(sent)}
    last = sent[0] if sent else {}
    for _ in sent:
        last = by_subject.get(last["issuer"], last)
    return last


def _name(certificate: Mapping[str, Any], role: str) -> str:
    """Return the common name or the organization of a certificate's subject or issuer."""
    parts = dict(part for parts in certificate.get(role, ()) for part in parts)
    name = parts.get("commonName") or parts.get("organizationName") or "a CA without a name"
    return repr(name[:100])
