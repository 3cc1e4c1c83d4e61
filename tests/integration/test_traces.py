# SPDX-License-Identifier: Apache-2.0
"""A secret is found in what an Airflow has written, in each of its forms."""

from __future__ import annotations

import base64
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import traces
from airflow_home import airflow_environment
from cryptography.fernet import Fernet
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from standalone import Standalone

Form = Callable[[bytes], bytes]

SECRET = "p\u00e4ss/w+rd?=of~the sandbox"
SECRETS = [*map("{:040}".format, range(100)), SECRET, SECRET[:12]]
FORMS: dict[str, Form] = {
    "plain": bytes,
    "percent-encoded": lambda value: quote(value, safe="").encode(),
    "base64": base64.b64encode,
    "base64 for URLs": base64.urlsafe_b64encode,
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)

around = st.binary(max_size=8)
# Of a short secret, base64 leaves too few characters to distinguish it from other text.
secrets = st.text(string.ascii_letters + string.digits + "/+?=~ \u00e4\u20ac\U0001f511", min_size=12)


def make_airflow(home: Path) -> Standalone:
    """Return an Airflow that has written a log and two tables, none with a secret."""
    airflow = Standalone(airflow_environment(home, ""))
    (home / "logs").mkdir()
    (home / "logs" / "task.log").write_bytes(b"a line\n")
    for table in ("connection", "trigger"):
        execute(airflow, f"CREATE TABLE {table} (id INTEGER, value BLOB)")
        insert(airflow, table, "a value")
    return airflow


@pytest.fixture
def airflow(tmp_path: Path) -> Standalone:
    return make_airflow(tmp_path)


@pytest.fixture(scope="module")
def airflow_of_examples(tmp_path_factory: pytest.TempPathFactory) -> Standalone:
    return make_airflow(tmp_path_factory.mktemp("examples"))


def execute(airflow: Standalone, statement: str, **values: object) -> None:
    engine = create_engine(airflow.database)
    with engine.begin() as database:
        database.execute(text(statement), values)
    engine.dispose()


def insert(airflow: Standalone, table: str, value: object) -> None:
    execute(airflow, f"INSERT INTO {table} VALUES (1, :value)", value=value)


def test_where_no_secret_is_none_is_found(airflow: Standalone) -> None:
    assert traces.of_secrets(airflow, SECRETS) == set()


@every_form
@given(secret=secrets, more=st.lists(secrets), before=around, after=around)
@example(secret=SECRET, more=[SECRET[:-1], SECRET[1:]], before=b"", after=b"")
@example(secret=SECRET, more=[SECRET + SECRET], before=b"1", after=b"1")
@example(secret=SECRET, more=[SECRET * 2], before=b"12", after=b"12")
def test_a_secret_in_a_file_is_found_among_others(
    form: Form, secret: str, more: list[str], before: bytes, after: bytes, airflow_of_examples: Standalone
) -> None:
    value = form(before + secret.encode() + after)
    (airflow_of_examples.home / "logs" / "other.log").write_bytes(b"first\n" + value + b"\nlast")

    assert traces.of_secrets(airflow_of_examples, [*more, secret, *SECRETS]) == {"logs/other.log"}


@every_form
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("is_text", [True, False], ids=["text", "bytes"])
def test_a_secret_in_a_table_is_found(form: Form, before: int, is_text: bool, airflow: Standalone) -> None:
    value = form(b"x" * before + SECRET.encode() + b"x")
    insert(airflow, "trigger", value.decode() if is_text else value)

    assert traces.of_secrets(airflow, SECRETS) == {"airflow.db", "table trigger"}


@every_form
def test_a_secret_that_airflow_encrypts_is_found_but_not_in_its_connections(
    form: Form, airflow: Standalone
) -> None:
    fernet = Fernet(airflow.environment["AIRFLOW__CORE__FERNET_KEY"])
    for table in ("connection", "trigger"):
        insert(airflow, table, fernet.encrypt(form(SECRET.encode())))

    assert traces.of_secrets(airflow, SECRETS) == {"table trigger"}
