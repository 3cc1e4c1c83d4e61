# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities for a test, and server certificates of them for addresses of this machine."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
USAGE = dict.fromkeys(
    (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


class Authority:
    """A certificate authority whose certificate stands in a file.

    :param folder: where its files go
    :param name: its name, and the name of its file
    :param signer: the authority that has signed its certificate; None for a root
    :param days: the first and the last day of its certificate, counted from today
    :param key_usage: whether its certificate says what its key may be used for
    """

    def __init__(
        self,
        folder: Path,
        name: str = "Test Authority",
        *,
        signer: Authority | None = None,
        days: tuple[int, int] = (-1, 30),
        key_usage: bool = True,
    ) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **USAGE)
        builder = (
            (signer or self)
            ._builder(self._name, self._key, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        if key_usage:
            builder = builder.add_extension(usage, critical=True)
        self.certificate = builder.sign((signer or self)._key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(PEM))

    def server(
        self,
        address: str = "127.0.0.1",
        *along: Authority,
        days: tuple[int, int] = (-1, 30),
        alternative_name: bool = True,
        key_identifier: bool = True,
    ) -> ssl.SSLContext:
        """Return the TLS side of a server at an address.

        :param address: whom its certificate is for
        :param along: authorities whose certificates it sends along with its own
        :param days: the first and the last day of its certificate, counted from today
        :param alternative_name: whether its certificate has the address where clients look for it
        :param key_identifier: whether its certificate says which key has signed it
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        builder = self._builder(name, key, days, key_identifier=key_identifier).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        if alternative_name:
            alternative = x509.IPAddress(ipaddress.ip_address(address))
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        certificate = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        ).sign(self._key, hashes.SHA256())
        return self._context(key, certificate, *(each.certificate for each in along))

    def itself(self) -> ssl.SSLContext:
        """Return the TLS side of a server whose certificate is that of the authority itself."""
        return self._context(self._key, self.certificate)

    def _context(self, key: ec.EllipticCurvePrivateKey, *chain: x509.Certificate) -> ssl.SSLContext:
        file = self._folder / f"{chain[0].serial_number}.pem"
        plain = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(plain + b"".join(each.public_bytes(PEM) for each in chain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _builder(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        days: tuple[int, int],
        *,
        key_identifier: bool = True,
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        public = key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if not key_identifier:
            return builder
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(identifier, critical=False)
