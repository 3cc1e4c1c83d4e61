# SPDX-License-Identifier: Apache-2.0
"""Looks for secrets in all that an Airflow has written."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from ahocorasick_rs import BytesAhoCorasick
from cryptography.fernet import Fernet, InvalidToken
from deployment import Deployment
from sqlalchemy import create_engine, inspect, text

# Where Airflow itself keeps secrets, encrypted.
AIRFLOWS_OWN = {"connection"}


def of_secrets(airflow: Deployment, secrets: Iterable[str]) -> set[str]:
    """Return the names of the files and tables in which a secret stands, in any of its forms.

    :param airflow: an Airflow, running or not
    :param secrets: the secrets
    """
    # The forms are thousands, so each content is read once for all of them.
    forms = BytesAhoCorasick({form for secret in secrets for form in _forms(secret)})
    written = chain(_files(airflow.home), _tables(airflow))
    return {name for name, content in written if forms.find_matches_as_indexes(content)}


def _forms(secret: str) -> Iterator[bytes]:
    """Yield the secret as it is, percent-encoded, and as base64 shows it wherever it begins in a text."""
    plain = secret.encode()
    yield plain
    yield quote(secret, safe="").encode()
    for before in range(3):
        padded = bytes(before) + plain
        whole = padded[: len(padded) - len(padded) % 3]
        # The first characters of the code hold bits of what stands before the secret.
        begin = (0, 2, 3)[before]
        yield base64.b64encode(whole)[begin:]
        yield base64.urlsafe_b64encode(whole)[begin:]


def _files(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in home.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield str(path.relative_to(home)), path.read_bytes()


def _tables(airflow: Deployment) -> Iterator[tuple[str, bytes]]:
    """Yield each table's values: a long one does not stand in one piece in the database's file."""
    fernet = Fernet(airflow.environment["AIRFLOW__CORE__FERNET_KEY"])
    engine = create_engine(airflow.database)
    with engine.connect() as database:
        for table in set(inspect(database).get_table_names()) - AIRFLOWS_OWN:
            rows = database.execute(text(f'SELECT * FROM "{table}"'))
            values = [_plain(value, fernet) for row in rows for value in row if value is not None]
            yield f"table {table}", b"\n".join(values)
    engine.dispose()


def _plain(value: object, fernet: Fernet) -> bytes:
    written = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
    with suppress(InvalidToken):
        return fernet.decrypt(written)
    return written
