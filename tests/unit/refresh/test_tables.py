# SPDX-License-Identifier: Apache-2.0
"""Which tables are published: what a DAG author types, looked up in the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import CITY, YTD_DAY

from airflow_provider_mstr.refresh.literals import Blank, advice_for
from airflow_provider_mstr.refresh.tables import TableChoice
from airflow_provider_mstr.rest.endpoints.data_models import Table, TableRefresh
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError, NotFound
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy

REPLACE, ADD, UPDATE, UPSERT = RefreshPolicy
MODEL = (
    Table(YTD_DAY, "ytd_day"),
    Table(CITY, "city_mnth_sls"),
    Table("0" * 32, "Twin"),
    Table("1" * 32, "Twin"),
    Table("2" * 32, "Lu_Store"),
    Table("3" * 32, "LU_STORE"),
)


def resolved(tables: Any, policy: Any = "replace") -> list[tuple[str, RefreshPolicy]]:
    choice = TableChoice.of(tables, policy)
    return [(table.id, table.policy) for table in choice.resolve(MODEL, "data model M")]


# what may be typed


@pytest.mark.parametrize(
    ("typed", "policies"),
    [
        (None, {}),
        (["a", "b"], {"a": REPLACE, "b": REPLACE}),
        (("a",), {"a": REPLACE}),
        ([" a "], {"a": REPLACE}),
        ({"a": "add"}, {"a": ADD}),
        ({"a": None, "b": "UPSERT "}, {"a": REPLACE, "b": UPSERT}),
        ({"a": RefreshPolicy.UPDATE}, {"a": UPDATE}),
        ('["a", "b"]', {"a": REPLACE, "b": REPLACE}),
        ("['a', 'b']", {"a": REPLACE, "b": REPLACE}),
        ("('a', 'b')", {"a": REPLACE, "b": REPLACE}),
        ('{"a": "add"}', {"a": ADD}),
        ("{'a': None}", {"a": REPLACE}),
        ("ytd_day", {"ytd_day": REPLACE}),
        (" ytd_day ", {"ytd_day": REPLACE}),
        ("a, b", {"a, b": REPLACE}),
        ("2024", {"2024": REPLACE}),
        (2024, {"2024": REPLACE}),
        (0, {"0": REPLACE}),
        ([2024, "b"], {"2024": REPLACE, "b": REPLACE}),
        ({2024: "add"}, {"2024": ADD}),
        ("[2024]", {"2024": REPLACE}),
        ({"b", "a"}, {"a": REPLACE, "b": REPLACE}),
        (frozenset({"a"}), {"a": REPLACE}),
        ({"a": 1}.keys(), {"a": REPLACE}),
        ({1: "a"}.values(), {"a": REPLACE}),
        ("{'a', 'b'}", {"a": REPLACE, "b": REPLACE}),
        ("none", {"none": REPLACE}),
        (["None", "null"], {"None": REPLACE, "null": REPLACE}),
        ('"ytd_day"', {"ytd_day": REPLACE}),
        ("'ytd_day'", {"ytd_day": REPLACE}),
        ("{'a': 'add', 'b': None}\n", {"a": ADD, "b": REPLACE}),
        ("{**{'a': 'add'}}", {"{**{'a': 'add'}}": REPLACE}),
        ("[not a list", {"[not a list": REPLACE}),
        ("table\0name", {"table\0name": REPLACE}),
    ],
)
def test_tables_may_be_typed_in_every_shape(typed: Any, policies: dict[str, RefreshPolicy]) -> None:
    assert TableChoice.of(typed, "replace") == TableChoice(policies, REPLACE)


@pytest.mark.parametrize(
    "typed",
    [
        [],
        {},
        (),
        "",
        "  ",
        "None",
        "null",
        "[]",
        "{}",
        "()",
        [""],
        ["  "],
        [None],
        [True],
        [-1],
        [2024.0],
        [10**300],
        [["a"]],
        {1.5: "add"},
        [2024, "2024"],
        ["a", "a"],
        ["a", " a"],
        {"a": "replace", "a ": "add"},
        -7,
        True,
        0.5,
        b"ytd_day",
        set(),
        Blank(None),
        Blank(""),
        [Blank("None")],
        {"a": Blank(None)},
        {"a": Blank("None")},
        pytest.param(object(), id="an object"),
    ],
    ids=repr,
)
def test_what_names_no_table_or_one_twice_is_rejected(typed: Any) -> None:
    with pytest.raises(InvalidInput):
        TableChoice.of(typed, "replace")


BLANK = (
    "a template or another task returned no value; leave tables out to publish every table, "
    "or name the tables in a list"
)


@pytest.mark.parametrize(
    ("typed", "what"),
    [
        ("", f"tables is '': {BLANK}"),
        ("None", f"tables is 'None': {BLANK}"),
        ("null", f"tables is 'null': {BLANK}"),
        (" null ", f"tables is ' null ': {BLANK}"),
        (Blank(None), f"tables is None: {BLANK}"),
        (
            [],
            "tables is empty: nothing would be published; leave tables out to publish every table",
        ),
        (0.5, f"tables must be a list or a mapping of table names or ids, not 0.5{advice_for(0.5)}"),
        ([""], "tables contains '', which is not a table name or id"),
        ([0.5], f"tables contains 0.5, which is not a table name or id{advice_for(0.5)}"),
        (["a", "a"], "tables names the table a twice: remove one"),
        ({"a": "x"}, "the policy of 'a' in tables is 'x'; it must be one of: replace, add, update, upsert"),
    ],
)
def test_the_error_names_what_is_wrong_with_the_tables(typed: Any, what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TableChoice.of(typed, "replace")
    assert caught.value.what == what


def test_tables_of_a_set_are_in_the_order_of_their_names() -> None:
    names = [f"t{number:02}" for number in range(20)]
    assert list(TableChoice.of(set(names), "replace").policies) == names
    assert list(TableChoice.of({2, 10}, "replace").policies) == ["10", "2"]


@pytest.mark.parametrize("text", ['{"a": "add", "a": "replace"}', "{'a': 'add', 'a': 'replace'}"])
def test_a_text_that_names_a_table_twice_is_rejected(text: str) -> None:
    with pytest.raises(InvalidInput, match="names the table a twice"):
        TableChoice.of(text, "replace")


@pytest.mark.parametrize(
    ("typed", "policy"),
    [("replace", REPLACE), ("ADD", ADD), (" Update\n", UPDATE), ("upsert", UPSERT), (RefreshPolicy.ADD, ADD)],
)
def test_a_policy_is_typed_in_any_case(typed: Any, policy: RefreshPolicy) -> None:
    assert RefreshPolicy.of(typed) is policy
    assert resolved(None, typed)[0] == (YTD_DAY, policy)


@pytest.mark.parametrize("typed", ["", "delete", "ignore", "reserved", "replace it", None, 1, ["add"]])
def test_a_policy_that_does_not_exist_is_rejected_with_those_that_do(typed: Any) -> None:
    with pytest.raises(InvalidInput, match="replace, add, update, upsert"):
        TableChoice.of(None, typed)
    if typed is not None:
        with pytest.raises(InvalidInput):
            TableChoice.of({"a": typed}, "replace")


# looked up in the model


def test_no_choice_is_every_table_of_the_model_under_the_default_policy() -> None:
    tables = TableChoice.of(None, "upsert").resolve(MODEL, "data model M")
    assert tables == tuple(TableRefresh(table.id, table.name, UPSERT) for table in MODEL)


def test_names_and_ids_may_be_mixed_and_keep_their_order_and_policy() -> None:
    assert resolved({"city_mnth_sls": "add", YTD_DAY: None}) == [(CITY, ADD), (YTD_DAY, REPLACE)]


def test_a_resolved_table_has_the_models_name_and_id() -> None:
    choice = TableChoice.of([YTD_DAY.lower(), "CITY_mnth_sls"], "replace")
    assert choice.resolve(MODEL, "M") == (
        TableRefresh(YTD_DAY, "ytd_day", REPLACE),
        TableRefresh(CITY, "city_mnth_sls", REPLACE),
    )


@pytest.mark.parametrize("typed", ["YTD_DAY", "Ytd_Day", YTD_DAY, YTD_DAY.lower(), "ytd_day"])
def test_a_table_is_found_in_any_case_where_only_one_has_it(typed: str) -> None:
    assert resolved([typed, "Lu_Store"])[0] == (YTD_DAY, REPLACE)


@pytest.mark.parametrize("typed", ["Caf\u00e9", "Cafe\u0301", "CAF\u00c9", "CAFE\u0301"])
@pytest.mark.parametrize("name", ["Caf\u00e9", "Cafe\u0301"])
def test_a_table_is_found_in_any_unicode_form(typed: str, name: str) -> None:
    (found,) = TableChoice.of([typed], "replace").resolve((Table(CITY, name),), "M")
    assert found == TableRefresh(CITY, name, REPLACE)


def test_tables_whose_names_differ_in_their_unicode_form_only_are_distinguished() -> None:
    model = (Table(YTD_DAY, "Caf\u00e9"), Table(CITY, "Cafe\u0301"))
    found = TableChoice.of(["Cafe\u0301", "Caf\u00e9"], "replace").resolve(model, "M")
    assert [table.id for table in found] == [CITY, YTD_DAY]


def test_the_exact_name_comes_before_one_that_differs_in_case() -> None:
    assert resolved(["Lu_Store", "LU_STORE"]) == [("2" * 32, REPLACE), ("3" * 32, REPLACE)]


@pytest.mark.parametrize(
    ("typed", "ids"), [("Twin", ("0" * 32, "1" * 32)), ("lu_store", ("2" * 32, "3" * 32))]
)
def test_a_name_of_several_tables_is_rejected_with_their_ids(typed: str, ids: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolved([typed])
    assert caught.value.what == (
        f"2 tables of data model M are named {typed!r}; use the id of one: {ids[0]}, {ids[1]}"
    )


def test_an_id_tells_apart_tables_of_one_name() -> None:
    assert resolved(["1" * 32, "ytd_day"])[0] == ("1" * 32, REPLACE)


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("ytd_dya", "similar names: ytd_day"),
        ("x", "the existing names are: Lu_Store, Twin, city_mnth_sls, ytd_day"),
    ],
)
def test_a_table_that_is_not_there_is_rejected_with_those_that_are(typed: str, names: str) -> None:
    with pytest.raises(NotFound) as caught:
        resolved([typed])
    assert str(caught.value) == (
        f"no table named {typed!r} in data model M; {names}. Correct the argument tables."
    )


def test_without_the_name_of_the_model_its_id_comes_last() -> None:
    with pytest.raises(NotFound) as caught:
        TableChoice.of(["x"], "replace").resolve([Table(YTD_DAY, "ytd_day")], "the model", "data model M")
    assert str(caught.value) == (
        "no table named 'x' in the model; the existing names are: ytd_day. "
        "Correct the argument tables (data model M)"
    )


def test_only_some_of_very_many_tables_are_told() -> None:
    model = [Table(f"{number:032d}", f"t{number:03d}") for number in range(80)]
    with pytest.raises(NotFound) as caught:
        TableChoice.of(["x"], "replace").resolve(model, "M")
    assert "t019 and 60 more" in str(caught.value)


TWINS = (Table("A" * 32, "twin"), Table("B" * 32, "twin"))


@pytest.mark.parametrize(("model", "tables"), [((), None), (MODEL, ["x"]), (TWINS, ["twin"])])
def test_a_table_that_is_missing_or_ambiguous_is_an_error_about_the_model(
    model: Sequence[Table], tables: Any
) -> None:
    with pytest.raises((NotFound, InvalidInput)) as caught:
        TableChoice.of(tables, "replace").resolve(model, "the data model", "M1")
    assert caught.value.reply.about == "M1"


def test_a_model_without_tables_needs_one() -> None:
    with pytest.raises(NotFound) as caught:
        TableChoice.of(None, "replace").resolve((), "M")
    assert caught.value.advice == "Add a table to the data model in Strategy."


@pytest.mark.parametrize(
    "typed", [["ytd_day", YTD_DAY], ["ytd_day", "YTD_DAY"], [YTD_DAY, "ytd_day", "Lu_Store"]]
)
def test_one_table_under_two_names_is_rejected(typed: list[str]) -> None:
    with pytest.raises(InvalidInput, match="twice"):
        resolved(typed)


def test_one_table_under_its_id_in_two_cases_is_rejected() -> None:
    with pytest.raises(InvalidInput) as caught:
        resolved([YTD_DAY, YTD_DAY.lower()])
    assert caught.value.what == f"tables names the table {YTD_DAY} twice: remove one"


@pytest.mark.parametrize("typed", [None, ["ytd_day"]])
def test_a_model_without_tables_has_nothing_to_publish(typed: Any) -> None:
    with pytest.raises(NotFound) as caught:
        TableChoice.of(typed, "replace").resolve((), "M")
    assert caught.value.what == "M has no tables to publish"


@pytest.mark.parametrize(
    ("typed", "needs"),
    [
        (None, True),
        (["ytd_day"], True),
        ([YTD_DAY, "ytd_day"], True),
        ([YTD_DAY], False),
        ([YTD_DAY, CITY], False),
    ],
)
def test_only_names_and_every_table_need_the_models_list(typed: Any, needs: bool) -> None:
    assert TableChoice.of(typed, "replace").needs_listing is needs


def test_ids_alone_are_taken_as_they_are() -> None:
    choice = TableChoice.of({YTD_DAY: "add"}, "replace")
    assert choice.resolve((), "M") == (TableRefresh(YTD_DAY, YTD_DAY, ADD),)


# anything


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
TYPED = st.lists(
    st.sampled_from([*(table.name for table in MODEL), *(table.id for table in MODEL), "x"]), max_size=4
)
POLICIES = st.sampled_from(["replace", "ADD", "upsert", "?"])


@given(
    tables=ANYTHING
    | TYPED
    | st.dictionaries(st.sampled_from(["ytd_day", YTD_DAY, CITY]), POLICIES)
    | TYPED.map(json.dumps),
    policy=POLICIES | ANYTHING,
)
def test_anything_typed_is_a_choice_or_an_mstr_error(tables: Any, policy: Any) -> None:
    try:
        chosen = TableChoice.of(tables, policy).resolve(MODEL, "M")
    except MstrError:
        return
    assert chosen
    assert len({table.id.upper() for table in chosen}) == len(chosen)
    assert all(isinstance(table.policy, RefreshPolicy) for table in chosen)


@given(text=st.text() | st.text("[](){}'\",:ab \\-0", max_size=30))
def test_any_text_that_a_template_renders_to_is_a_choice_or_an_mstr_error(text: str) -> None:
    try:
        choice = TableChoice.of(text, "replace")
    except MstrError:
        return
    assert choice.policies


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "-" * 100_000 + "1", "(" * 300 + ")" * 300, "{[]: 1}", "9" * 9000]
)
def test_a_monstrous_text_is_just_the_name_of_a_table(text: str) -> None:
    assert TableChoice.of(text, "replace").policies == {text: REPLACE}
