# SPDX-License-Identifier: Apache-2.0
"""Certificate errors and their advice, the same with both drivers."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import PEM, Authority
from cryptography.hazmat.primitives.serialization import Encoding
from drivers import DRIVERS, Drive, ask
from misbehaving_server import MisbehavingServer

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.rest.errors import CertificateError, InvalidInput, MstrError, ServerUnavailable
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.transport import tls

SET_VERIFY = "set verify in the connection's extra to a CA file"


@pytest.fixture(params=DRIVERS.values(), ids=DRIVERS.keys())
def drive(request: pytest.FixtureRequest) -> Drive:
    """Runs one flow, with either driver."""
    return request.param


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    tls._context.cache_clear()
    yield
    tls._context.cache_clear()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("root"), "Root")


@pytest.fixture(scope="module")
def intermediate(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("intermediate"), "Intermediate", signer=authority)


def at(url: str, verify: bool | str | Path = True) -> LibraryServer:
    return LibraryServer(url, Credentials(), verify=verify if isinstance(verify, bool) else str(verify))


def refusal(drive: Drive, context: ssl.SSLContext, verify: bool | str | Path = True) -> MstrError:
    """Return the error of a call that is patient, but must not be repeated."""
    with MisbehavingServer(tls=context) as server, pytest.raises(MstrError) as caught:
        drive(at(server.url, verify), ask(retry_for=20.0))
    assert (server.connections, server.heard) == (1, [])
    assert isinstance(caught.value, CertificateError)
    assert not caught.value.retryable
    return caught.value


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((-30, -1), "the server's certificate has expired on "),
        ((1, 30), "the server's certificate is not valid yet: set the clock of this machine"),
    ],
)
def test_a_certificate_outside_its_days(
    drive: Drive, authority: Authority, days: tuple[int, int], words: str
) -> None:
    error = refusal(drive, authority.server(days=days), authority.file)
    assert words in str(error)
    assert "verify" not in str(error)


def test_an_intermediate_certificate_that_has_expired(
    drive: Drive, authority: Authority, tmp_path: Path
) -> None:
    old = Authority(tmp_path, "Old", signer=authority, days=(-30, -1))
    error = refusal(drive, old.server("127.0.0.1", old), authority.file)
    assert "the certificate of 'Old', which the server sends with its own, has expired on" in str(error)
    assert "verify" not in str(error)


def test_a_root_certificate_that_has_expired(drive: Drive, tmp_path: Path) -> None:
    old = Authority(tmp_path, "Old", days=(-30, -1))
    error = refusal(drive, old.server(), old.file)
    assert f"a CA certificate in the CA file '{old.file}' (verify of the connection) has expired" in str(
        error
    )


@pytest.mark.parametrize("alternative_name", [True, False])
def test_a_certificate_of_another_host(drive: Drive, authority: Authority, alternative_name: bool) -> None:
    context = authority.server("127.0.0.2", alternative_name=alternative_name)
    error = refusal(drive, context, authority.file)
    assert "certificate is not valid for the host 127.0.0.1" in str(error)
    assert ("only for 127.0.0.2" if alternative_name else "it has no subjectAltName") in str(error)
    assert "verify" not in str(error)


def test_a_missing_intermediate_certificate(
    drive: Drive, authority: Authority, intermediate: Authority
) -> None:
    error = refusal(drive, intermediate.server(), authority.file)
    assert "the certificate of 'Intermediate', which signed it, is missing" in str(error)
    assert "If it is an intermediate certificate, install it on the server" in str(error)
    assert f"to the CA file '{authority.file}' (verify of the connection)" in str(error)
    assert SET_VERIFY not in str(error)


def test_an_intermediate_certificate_that_is_sent_or_in_the_ca_file_is_not_missing(
    drive: Drive, authority: Authority, intermediate: Authority, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(authority.file.read_bytes() + intermediate.file.read_bytes())
    for context, file in (
        (intermediate.server("127.0.0.1", intermediate), authority.file),
        (intermediate.server(), both),
    ):
        with MisbehavingServer(tls=context) as server:
            assert drive(at(server.url, file), ask()) == {}


@pytest.mark.parametrize("root_is_sent", [True, False])
def test_an_authority_that_is_not_in_the_ca_file(
    drive: Drive, authority: Authority, intermediate: Authority, tmp_path: Path, root_is_sent: bool
) -> None:
    other = Authority(tmp_path, "Other")
    along = (intermediate, authority) if root_is_sent else (intermediate,)
    context = intermediate.server("127.0.0.1", *along)
    named = str(refusal(drive, context, other.file))
    assert f"the CA of its chain, 'Root', is not in the CA file '{other.file}'" in named
    assert f"add the certificate of 'Root' to the CA file '{other.file}'" in named
    assert SET_VERIFY not in named
    assert SET_VERIFY in str(refusal(drive, context))


def test_another_certificate_is_sent_than_the_intermediate_one(
    drive: Drive, authority: Authority, intermediate: Authority, tmp_path: Path
) -> None:
    error = str(
        refusal(drive, intermediate.server("127.0.0.1", Authority(tmp_path, "Other")), authority.file)
    )
    assert "the certificate of 'Intermediate', which signed it, is missing" in error
    assert "Other" not in error


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_file_of_the_environment_is_named(
    drive: Drive, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    other = Authority(tmp_path, "Other")
    monkeypatch.setenv(variable, str(other.file))
    assert f"'{other.file}' ({variable})" in str(refusal(drive, authority.server()))


def test_a_certificate_signed_by_itself(drive: Drive, authority: Authority, tmp_path: Path) -> None:
    own = Authority(tmp_path, "127.0.0.1")
    assert "it is self-signed and not in" in str(refusal(drive, own.itself(), authority.file))


@pytest.fixture
def as_in_python_3_13(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check as strictly as Python does by default since 3.13, whichever this one is."""
    create: Callable[..., ssl.SSLContext] = ssl.create_default_context

    def strict(*args: Any, **kwargs: Any) -> ssl.SSLContext:
        context = create(*args, **kwargs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


@pytest.mark.usefixtures("as_in_python_3_13")
def test_a_certificate_without_authority_key_identifier_is_rejected_as_in_python_3_13(
    drive: Drive, authority: Authority
) -> None:
    error = refusal(drive, authority.server(key_identifier=False), authority.file)
    assert "Missing Authority Key Identifier" in str(error)
    assert "a rule that Python checks since 3.13" in str(error)
    assert "have the CA issue a correct one" in str(error)
    assert "verify" not in str(error)


@pytest.mark.usefixtures("as_in_python_3_13")
def test_an_authority_without_key_usage_is_rejected_as_in_python_3_13(drive: Drive, tmp_path: Path) -> None:
    careless = Authority(tmp_path, key_usage=False)
    assert "CA cert does not include key usage extension" in str(
        refusal(drive, careless.server(), careless.file)
    )


def test_both_drivers_check_as_python_does_by_default(drive: Drive, authority: Authority) -> None:
    strict = bool(ssl.create_default_context().verify_flags & ssl.VERIFY_X509_STRICT)
    context = authority.server(key_identifier=False)
    if strict:
        assert "Missing Authority Key Identifier" in str(refusal(drive, context, authority.file))
    else:
        with MisbehavingServer(tls=context) as server:
            assert drive(at(server.url, authority.file), ask()) == {}


# CA files and folders


def test_a_ca_folder_has_to_be_hashed(
    drive: Drive, authority: Authority, secure: MisbehavingServer, tmp_path: Path
) -> None:
    (tmp_path / "root.pem").write_bytes(authority.file.read_bytes())
    with pytest.raises(InvalidInput) as caught:
        drive(at(secure.url, tmp_path), ask())
    assert "openssl rehash" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert secure.connections == 0
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    assert drive(at(secure.url, tmp_path), ask()) == {}


def test_a_hashed_ca_folder_without_the_authority(drive: Drive, authority: Authority, tmp_path: Path) -> None:
    Authority(tmp_path, "Other")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    error = str(refusal(drive, authority.server(), tmp_path))
    assert f"to the CA folder '{tmp_path}' (verify of the connection) and run openssl rehash on it" in error


def test_a_ca_file_that_is_binary_or_missing(
    drive: Drive, authority: Authority, secure: MisbehavingServer, tmp_path: Path
) -> None:
    binary = tmp_path / "root.der"
    binary.write_bytes(authority.certificate.public_bytes(Encoding.DER))
    with pytest.raises(InvalidInput, match="openssl x509 -inform der"):
        drive(at(secure.url, binary), ask())
    with pytest.raises(InvalidInput, match=r"missing.pem' \(verify of the connection\) does not exist"):
        drive(at(secure.url, tmp_path / "missing.pem"), ask())
    assert secure.connections == 0


def test_the_ca_file_of_the_connection_is_the_only_one(
    drive: Drive, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(authority.certificate.public_bytes(PEM))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    refusal(drive, authority.server(), Authority(tmp_path, "Other").file)


# Other trouble with TLS


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_an_old_version_of_tls(drive: Drive, authority: Authority) -> None:
    old = authority.server()
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    # Otherwise OpenSSL of some systems refuses the old version on the server's side already.
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with MisbehavingServer(tls=old) as server, pytest.raises(ServerUnavailable) as caught:
        drive(at(server.url, authority.file), ask())
    assert "enable TLS 1.2 or newer" in str(caught.value)


def test_a_server_that_wants_a_certificate_of_the_client(drive: Drive, authority: Authority) -> None:
    strict = authority.server()
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.maximum_version = ssl.TLSVersion.TLSv1_2
    with MisbehavingServer(tls=strict) as server, pytest.raises(ServerUnavailable) as caught:
        drive(at(server.url, authority.file), ask())
    assert "do not require client certificates" in str(caught.value)
