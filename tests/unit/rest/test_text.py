# SPDX-License-Identifier: Apache-2.0
"""How text of a server is cleaned and shortened."""

from __future__ import annotations

import pytest
from examples import is_harmful, thorough
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    CITY,
    MODEL,
    PROJECT,
    YTD_DAY,
    a_session,
    an_instance,
    answer,
    play,
    table_list,
    table_row,
)

from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest.endpoints.data_models import Table, get_publish_status, list_tables
from airflow_provider_mstr.rest.endpoints.projects import find_project_id
from airflow_provider_mstr.rest.endpoints.search import DATA_MODEL, find_object_id
from airflow_provider_mstr.rest.endpoints.server import Version
from airflow_provider_mstr.rest.errors import InvalidInput, InvalidResponse, MstrError
from airflow_provider_mstr.rest.text import MAX_ID, clean, is_id, object_id

# Hypothesis leaves surrogates out unless they are asked for.
ANY_TEXT = st.text(st.characters(categories=["C", "L", "M", "N", "P", "S", "Z"]))


@pytest.mark.parametrize(
    "text", ["", "lu_store", "Umsatz 2024 (Köln)", "売上", "a\u00a0b", "a  b", "🇫🇷 👍", "e\u0301", "\ue000"]
)
def test_ordinary_text_comes_back_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\nb", "a b"),
        ("a\r\nb", "a  b"),
        ("a\tb\x0b\x0cc", "a b  c"),
        ("a\x85b\u2028c\u2029d", "a b c d"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x9b31mred", "31mred"),
        ("a\x00b\x07\x7f", "ab"),
        ("a\u202egnp.exe\u2066b\u200f", "agnp.exeb"),
        ("a\u200bb\u200d\ufeff\u00ad", "ab"),
        ("a\ud800b\udfff", "ab"),
        ("  a \n", "a"),
        ("\x1b\u200b", ""),
    ],
)
def test_what_is_no_text_is_left_out(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_megabyte_is_cut() -> None:
    assert clean("x" * 10**6, 10) == "xxxxxxxxx…"
    assert clean("\n" * 10**6, 10) == "…"
    assert clean("x" * 10, 10) == "x" * 10


@thorough
@given(text=ANY_TEXT, limit=st.integers(1, 20))
def test_any_text_becomes_one_short_line_that_can_be_encoded(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert len(cleaned.splitlines()) <= 1
    assert not is_harmful(cleaned)
    cleaned.encode()
    assert clean(cleaned, limit) == cleaned


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        (YTD_DAY, True),
        (YTD_DAY.lower(), True),
        ("g" * 32, False),
        ("1" * 31, False),
        ("1" * 33, False),
        ("", False),
    ],
)
def test_an_id_is_32_hexadecimal_digits(text: str, yes: bool) -> None:
    assert is_id(text) is yes


@pytest.mark.parametrize("value", ["9F4772B837604551B4D3CC916ADC5598", "a b", "x" * MAX_ID])
def test_an_id_comes_back_as_it_is(value: str) -> None:
    assert object_id(value, "a table") == value


@pytest.mark.parametrize(
    "value", ["", None, 7, [], "a\nb", "a\x1b", "a\u202eb", "\ud800", "x" * (MAX_ID + 1)]
)
def test_an_id_that_is_not_printable_is_rejected(value: object) -> None:
    with pytest.raises(InvalidResponse, match="a table has an invalid id"):
        object_id(value, "a table")


# Names that are compared

ODD_NAME = "lu\u200b_store\n(all)"


@pytest.mark.parametrize("typed", ["lu_store (all)", "LU_STORE (ALL)", ODD_NAME, f" {ODD_NAME}\r\n"])
def test_a_table_is_found_by_its_name_as_it_is_shown_and_as_it_is(typed: str) -> None:
    listed = table_list(table_row(YTD_DAY, ODD_NAME), table_row(CITY, "city_mnth_sls"))
    model = play(list_tables(an_instance()), listed).result
    assert [table.name for table in model] == ["lu_store (all)", "city_mnth_sls"]
    chosen = TableChoice.of([typed], "replace").resolve(model, "the model")
    assert [table.id for table in chosen] == [YTD_DAY]


def test_names_that_look_alike_are_distinguished_by_their_ids() -> None:
    listed = table_list(table_row(YTD_DAY, "lu_store"), table_row(CITY, "lu_\u200bstore"))
    model = play(list_tables(an_instance()), listed).result
    with pytest.raises(InvalidInput, match=f"{YTD_DAY}, {CITY}"):
        TableChoice.of(["lu_store"], "replace").resolve(model, "the model")
    chosen = TableChoice.of([CITY, "city"], "replace").resolve([*model, Table("7", "city")], "the model")
    assert [table.id for table in chosen] == [CITY, "7"]


@pytest.mark.parametrize("typed", ["lu_store (all)", ODD_NAME])
def test_a_data_model_and_a_project_are_found_by_their_names_as_they_are_shown_and_as_they_are(
    typed: str,
) -> None:
    hit = {"id": MODEL, "name": ODD_NAME, "subtype": 779, "extType": 448}
    found = answer({"totalItems": 1, "result": [hit]})
    assert play(find_object_id(a_session(), PROJECT, DATA_MODEL, typed), found).result == MODEL
    projects = answer([{"id": PROJECT, "name": ODD_NAME}])
    assert play(find_project_id(a_session(), typed), projects).result == PROJECT


# Values in place of a number


@pytest.mark.parametrize("number", [10**30, -(1 << 32), "9" * 4000, True, 1.5, "one"])
def test_a_number_that_is_none_of_the_servers_is_left_out(number: object) -> None:
    refused = answer({"code": "ERR001", "message": "no", "iServerCode": number}, 400)
    error = play(get_publish_status(an_instance()), refused).error
    assert isinstance(error, MstrError)
    assert error.reply.iserver_code is None
    status = play(get_publish_status(an_instance()), answer({"status": number}))
    assert type(status.error) is InvalidResponse


def test_a_version_is_of_a_few_numbers() -> None:
    version = Version.of("11" + ".1" * 10**5)
    assert version is not None
    assert len(version.text) < 100
