# SPDX-License-Identifier: Apache-2.0
"""The sources in a table definition, in the vendor's format and in any other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from examples import JSON, thorough
from hypothesis import given
from scripted import an_instance, answer, serve

from airflow_provider_mstr.rest.endpoints.data_models import list_table_sources
from airflow_provider_mstr.rest.endpoints.sources import Source, SourcePage, sources_of

DATA_SOURCE = "E93B0C144F9EAF781E3993B5C439220D"


def origin(table: Any, namespace: Any = "public", data_source: Any = DATA_SOURCE) -> dict[str, Any]:
    """Return a source table of a pipeline, as the vendor's page "Retrieve data model tables" shows it."""
    return {
        "columns": [],
        "importSource": {
            "type": "single_table",
            "dataSourceId": data_source,
            "namespace": namespace,
            "tableName": table,
            "sql": "",
        },
        "name": table,
        "type": "source",
    }


def definition(*children: Any, table_id: str = "EC92") -> dict[str, Any]:
    pipeline = {"id": "4E88", "rootTable": {"id": "AB8B", "type": "root", "children": list(children)}}
    return {
        "information": {"objectId": table_id, "subType": "logical_table", "name": "city_ctr_sls"},
        "physicalTable": {"columns": [], "type": "pipeline", "pipeline": json.dumps(pipeline)},
    }


def test_a_table_loads_from_the_source_of_its_pipeline() -> None:
    assert sources_of(definition(origin("city_ctr_sls"))) == (Source(DATA_SOURCE, "public", "city_ctr_sls"),)


def test_sources_are_found_under_the_steps_that_prepare_them_and_named_once() -> None:
    step = {"type": "wrangle", "operations": [], "children": [origin("stores"), origin("regions")]}

    found = sources_of(definition(step, origin("stores")))

    assert [source.table for source in found] == ["stores", "regions"]


def test_a_source_in_no_namespace_is_one_too() -> None:
    assert sources_of(definition(origin("sales", None))) == (Source(DATA_SOURCE, "", "sales"),)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"physicalTable": None},
        {"physicalTable": {"type": "pipeline"}},
        {"physicalTable": {"pipeline": "{not JSON"}},
        {"physicalTable": {"pipeline": "[" * 100_000}},
        definition(),
        definition(None, 7, {"children": "none"}),
        definition(origin("")),
        definition(origin("sales", data_source=None)),
        definition(origin(["sales"])),
        definition({"type": "source", "importSource": {"type": "sql", "sql": "SELECT 1"}}),
    ],
)
def test_a_definition_with_an_unexpected_format_has_no_sources(table: dict[str, Any]) -> None:
    assert sources_of(table) == ()


@thorough
@given(JSON)
def test_no_definition_is_an_error(payload: Any) -> None:
    sources_of({"physicalTable": payload})
    sources_of({"physicalTable": {"pipeline": payload}})
    sources_of(definition(payload))


@thorough
@given(JSON)
def test_no_list_of_tables_is_an_error(payload: Any) -> None:
    for body in ({"tables": payload}, {"tables": [payload]}):
        assert SourcePage.read(answer(body)).rows <= len(payload if isinstance(payload, list) else [1])


def test_a_page_has_only_tables_with_sources_and_counts_all() -> None:
    queries = []

    def server(request: Any) -> Any:
        queries.append(dict(request.query))
        return answer({"tables": [definition(origin("sales"), table_id="a1"), definition(table_id="B2")]})

    page = serve(list_table_sources(an_instance(), 50, 25, 5.0), server).result

    assert queries == [{"offset": "50", "limit": "25", "fields": "information,physicalTable"}]
    assert (page.rows, page.sources) == (2, {"A1": (Source(DATA_SOURCE, "public", "sales"),)})


def test_a_table_without_an_id_has_an_empty_one() -> None:
    table = definition(origin("stores"))
    del table["information"]
    assert SourcePage.read(answer({"tables": [table]})).sources.keys() == {""}


@pytest.mark.parametrize("listed", [None, 7])
def test_a_response_without_a_list_of_tables_has_no_rows(listed: Any) -> None:
    assert SourcePage.read(answer({"tables": listed})) == SourcePage(0, {})
