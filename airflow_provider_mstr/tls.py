# SPDX-License-Identifier: Apache-2.0
"""Which certificates both drivers trust, and what is wrong with one that they do not trust."""

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

# The names that OpenSSL looks for in a CA folder: each is the hash of a certificate's subject.
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


@dataclass(frozen=True)
class Trust:
    """The CA certificates that a server's certificate is checked with.

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
        """Return the TLS context, which is the same one for every driver.

        :raises InvalidInput: if the CA file cannot be read, or contains no certificate
        """
        try:
            return _context(self.path)
        except FileNotFoundError:
            why = "does not exist on this machine"
        except ssl.SSLError:
            why = (
                "contains no certificate in PEM format (-----BEGIN CERTIFICATE-----); convert a binary one "
                "with openssl x509 -inform der -in FILE -out FILE.pem"
            )
        except (OSError, ValueError) as error:
            why = f"cannot be read on this machine: {getattr(error, 'strerror', None) or 'not a path'}"
        except _Unhashed:
            why = (
                "contains no file with a name that OpenSSL looks for (such as 5ed36f99.0): run "
                "openssl rehash on the folder, or set a CA file instead"
            )
        raise InvalidInput(f"{self} {why}") from None

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


class _Unhashed(Exception):
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
            raise _Unhashed
        context = ssl.create_default_context(capath=path)
    else:
        context = ssl.create_default_context(cafile=path)
    context.sslsocket_class, context.sslobject_class = _Socket, _Object
    return context


class _NotesChain:
    """Adds the certificates that the other side has sent to the error about them."""

    _sslobj: Any

    def do_handshake(self, *args: Any) -> None:
        try:
            super().do_handshake(*args)  # type: ignore[misc]
        except ssl.SSLCertVerificationError as error:
            # Python 3.13 makes this public, but with the certificates in binary form.
            with suppress(AttributeError):
                error.sent = [each.get_info() for each in self._sslobj.get_unverified_chain() or ()]  # type: ignore[attr-defined]
            raise


class _Socket(_NotesChain, ssl.SSLSocket):
    pass


class _Object(_NotesChain, ssl.SSLObject):
    pass


def certificate_problem(error: ssl.SSLCertVerificationError, whose: str, trust: Trust) -> str:
    """Return what is wrong with a certificate, and what to do about it.

    :param error: what the handshake ended with
    :param whose: whose certificate it is: the server or the proxy
    :param trust: what it was checked with
    """
    sent: list[Mapping[str, Any]] = getattr(error, "sent", [])
    code = error.verify_code
    if code in _WRONG_NAME:
        return _wrong_name(error, whose, sent)
    if code in _UNTRUSTED:
        return _untrusted(code, whose, trust, sent)
    if code == _EXPIRED:
        return _expired(whose, trust, sent)
    if code in _STRICT:
        return (
            f"a certificate of {whose}'s chain breaks a rule that Python checks since 3.13 "
            f"({error.verify_message}): have its authority issue a correct one, or run workers and "
            "triggerers on Python 3.12 until then"
        )
    for codes, words in _OTHER:
        if code in codes:
            return words.format(whose=whose)
    return f"{whose}'s certificate is not valid ({error.verify_message}): have it replaced"


_EXPIRED = 10
_WRONG_NAME = (62, 64)
_NO_ROOT, _SELF_SIGNED = 2, 18
_UNTRUSTED = (_NO_ROOT, _SELF_SIGNED, 19, 20, 21)

# What OpenSSL checks only with VERIFY_X509_STRICT.
_STRICT = range(80, 95)

_OTHER: tuple[tuple[tuple[int, ...], str], ...] = (
    ((9,), "{whose}'s certificate is not valid yet: set the clock of this machine, or wait"),
    ((23,), "{whose}'s certificate was revoked by its authority: have it replaced"),
    (
        (66, 67, 68),
        "a key or signature of {whose}'s certificates is too weak for this machine: have them replaced by "
        "certificates with RSA keys of 2048 bits or more, signed with SHA-256",
    ),
    (
        (24, 32, 37, 79),
        "a certificate of {whose}'s chain signs another certificate, but is not a CA certificate: have the "
        "chain replaced",
    ),
)


def _wrong_name(error: ssl.SSLCertVerificationError, whose: str, sent: list[Mapping[str, Any]]) -> str:
    alternatives: Iterable[tuple[str, str]] = sent[0].get("subjectAltName", ()) if sent else ()
    names = [ascii(name)[1:80].rstrip("'") for kind, name in alternatives if kind in ("DNS", "IP Address")]
    listed = f", but for {', '.join(names[:5])}{' and others' if names[5:] else ''}" if names else ""
    host = re.search(r"not valid for '([^']*)'", error.verify_message)
    wrong = f"{whose}'s certificate is not for the host {host[1] if host else 'name that is used'}{listed}"
    if names or not sent:
        return f"{wrong}: use a host name of the certificate, or have a certificate issued for this host"
    return f"{wrong}: it has no subjectAltName, and so is for no host; have it replaced"


def _expired(whose: str, trust: Trust, sent: list[Mapping[str, Any]]) -> str:
    now = time.time()
    expired = [each for each in sent if ssl.cert_time_to_seconds(each["notAfter"]) < now]
    if sent and not expired:
        return f"an authority's certificate in {trust} has expired: put the renewed one there"
    since = f" on {expired[0]['notAfter']}" if expired else ""
    if not expired or expired[0] is sent[0]:
        return f"{whose}'s certificate has expired{since}: have it renewed there"
    return (
        f"the certificate of {_name(expired[0], 'subject')}, which {whose} sends along with its own, has "
        f"expired{since}: have {whose} send the renewed one"
    )


def _untrusted(code: int, whose: str, trust: Trust, sent: list[Mapping[str, Any]]) -> str:
    not_trusted = f"{whose}'s certificate is not trusted"
    if code == _SELF_SIGNED:
        fix = trust.fix("it")
        return (
            f"{not_trusted}: it is self-signed and not in {trust}. Have it replaced by a certificate of an "
            f"authority, or {fix}"
        )
    if code == _NO_ROOT:
        fix = trust.fix("also the root certificate")
        return f"{not_trusted}: {trust} holds only an intermediate certificate of its chain; {fix}"
    last = _last_of_chain(sent)
    authority = _name(last, "issuer") if last else "its authority"
    fix = trust.fix(f"the certificate of {authority}")
    if sent and last is not sent[0]:
        return f"{not_trusted}: the authority of its chain, {authority}, is not in {trust}; {fix}"
    return (
        f"{not_trusted}: the certificate of {authority}, which signed it, is missing: {whose} does not send "
        f"it, and it is not in {trust}. If it is an intermediate certificate, have {whose} send it too; "
        f"if it is a root certificate, {fix}"
    )


def _last_of_chain(sent: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the last certificate of the chain that begins with the first; others may be among those sent."""
    by_subject = {each["subject"]: each for each in reversed(sent)}
    last = sent[0] if sent else {}
    for _ in sent:
        last = by_subject.get(last["issuer"], last)
    return last


def _name(certificate: Mapping[str, Any], role: str) -> str:
    """Return the common name, or else the organisation, of a certificate's subject or issuer."""
    parts = dict(part for parts in certificate.get(role, ()) for part in parts)
    name = parts.get("commonName") or parts.get("organizationName") or "an authority without a name"
    return repr(name[:100])
