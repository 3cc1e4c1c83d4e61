# SPDX-License-Identifier: Apache-2.0
"""Data models by their names, from servers that search as they please; and who is logged in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import PROJECT, TOKEN, Played, a_session, answer, play, serve

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.search import (
    CUBE,
    DATA_MODEL,
    INCREMENTAL_REFRESH_REPORT,
    SearchResult,
    find_object_id,
    list_objects,
)
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.pagination import PAGE_SIZE

IDS = [f"{number:032X}" for number in range(30)]
AUTH = {"X-MSTR-AuthToken": TOKEN}


def hit(name: Any, model_id: str = IDS[0], **more: Any) -> dict[str, Any]:
    return {"id": model_id, "name": name, "type": 3, "subtype": 779, "extType": 448, "viewMedia": 0} | more


def hits(*found: dict[str, Any], **more: Any) -> Response:
    return answer({"totalItems": len(found), "result": list(found)} | more)


NONE = hits()


def find(name: str, *replies: Response) -> Played:
    return play(find_object_id(a_session(), PROJECT, DATA_MODEL, name), *replies)


@dataclass
class SearchingServer:
    """A server with some data models, which searches and pages in its own way."""

    models: list[dict[str, Any]]
    ignores_pattern: bool = False
    minds_case: bool = False
    cap: int = 10_000
    queries: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: Request[Any]) -> Response:
        self.queries.append(dict(request.query))
        found = [model for model in self.models if self._matches(model["name"], request.query)]
        offset, limit = (int(request.query[name]) for name in ("offset", "limit"))
        most = self.cap if limit < 0 else min(limit, self.cap)
        return hits(*found[offset : offset + most], totalItems=len(found))

    def _matches(self, name: str, query: Any) -> bool:
        wanted = query.get("name")
        if wanted is None or self.ignores_pattern:
            return True
        return name == wanted or (not self.minds_case and name.lower() == wanted.lower())

    def find(self, name: str) -> Played:
        return serve(find_object_id(a_session(), PROJECT, DATA_MODEL, name), self)


# the lookup


def test_an_id_is_returned_unchanged() -> None:
    played = find(IDS[7])
    assert (played.result, played.calls) == (IDS[7], [])


def test_a_name_is_searched_for_as_the_vendor_documents_it() -> None:
    played = play(
        find_object_id(a_session(JSESSIONID="jsession-cookie"), PROJECT, DATA_MODEL, "Sales & Co"),
        hits(hit("Sales & Co")),
    )
    assert played.result == IDS[0]
    (request,) = played.requests
    assert (request.method, request.path) == ("GET", "/api/searches/results")
    assert request.query == {
        "name": "Sales & Co",
        "type": "779",
        "pattern": "2",
        "offset": "0",
        "limit": "-1",
        "getAncestors": "true",
    }
    assert request.headers == AUTH | {"X-MSTR-ProjectID": PROJECT}


def test_a_name_in_the_same_case_wins_over_one_in_another() -> None:
    assert find("Sales", hits(hit("SALES"), hit("Sales", IDS[1]))).result == IDS[1]


def test_a_name_in_another_case_is_found_where_it_is_the_only_one() -> None:
    assert find("straße", hits(hit("STRASSE"))).result == IDS[0]


def test_all_models_are_requested_if_the_search_is_case_sensitive() -> None:
    server = SearchingServer([hit("SALES"), hit("Finance", IDS[1])], minds_case=True)
    played = server.find("sales")
    assert played.result == IDS[0]
    assert {request.headers["X-MSTR-ProjectID"] for request in played.requests} == {PROJECT}
    assert [query.get("name") for query in server.queries] == ["sales", None]


@pytest.mark.parametrize(
    "other",
    [
        {"extType": 256},
        {"extType": None},
        {"subtype": 776, "extType": 448},
        {"subtype": None},
    ],
    ids=repr,
)
def test_other_datasets_are_ignored(other: dict[str, Any]) -> None:
    dataset = hit("Sales", IDS[1], **other)
    assert find("Sales", hits(dataset, hit("Sales"))).result == IDS[0]
    assert type(find("Sales", hits(dataset), hits(dataset)).error) is errors.NotFound


def test_what_a_server_leaves_out_or_writes_as_text_does_no_harm() -> None:
    bare = {"id": IDS[0], "name": "Sales", "subtype": "779", "extType": "448"}
    nameless = {"id": IDS[1], "subtype": 779, "extType": 448}
    assert find("Sales", hits(nameless, bare)).result == IDS[0]
    played = play(list_objects(a_session(), PROJECT, DATA_MODEL), hits(nameless, bare))
    assert [(model.name, model.serve_mode, model.folder) for model in played.result] == [
        (IDS[1], "", ()),
        ("Sales", "", ()),
    ]


def test_an_unknown_name_is_rejected_with_the_existing_names() -> None:
    every = hits(hit("Sales", IDS[1]), hit("Finance", IDS[2]), hit("Pushed", IDS[3], extType=256))
    played = find("Retail", NONE, every)
    assert type(played.error) is errors.NotFound
    assert str(played.error) == (
        "no data model in the project is named 'Retail'; the existing names are: Finance, Sales. "
        f"Correct the name, use the id instead, or give the user access to the object (project {PROJECT})"
    )


def test_an_unknown_name_is_rejected_with_similar_names() -> None:
    every = hits(hit("Sales", IDS[1]), hit("Finance", IDS[2]))
    error = find("SALE", NONE, every).error
    assert isinstance(error, errors.NotFound)
    assert error.what == "no data model in the project is named 'SALE'; similar names: Sales"


def test_an_unknown_name_in_a_project_without_models_is_rejected() -> None:
    played = find("Retail", NONE, answer({"totalItems": 0}))
    assert "there is none that the user can see" in str(played.error)


def test_the_number_of_listed_names_is_limited() -> None:
    every = [hit(f"Model {number:02}", IDS[number]) for number in range(30)]
    played = find("Retail", NONE, hits(*every))
    assert "Model 19" in str(played.error)
    assert "Model 20" not in str(played.error)
    assert "and 10 more" in str(played.error)


@pytest.mark.parametrize("name", ["Sales", "sales"])
def test_an_ambiguous_name_is_rejected_with_the_ids_and_folders(name: str) -> None:
    folders = [{"name": "Tutorial", "level": 2}, {"name": "Public Objects", "level": 1}]
    found = hits(hit("Sales", ancestors=folders), hit("Sales", IDS[1]))
    played = find(name, found)
    assert type(played.error) is errors.InvalidInput
    assert f"2 data models in the project are named {name!r}; use the id of one" in played.error.what
    assert f"Sales ({IDS[0]}, in Tutorial/Public Objects), Sales ({IDS[1]})" in played.error.what


@pytest.mark.parametrize(
    "payload", [{}, {"result": None}, {"result": {}}, {"result": [None]}, {"result": [{}]}, []]
)
def test_search_results_with_an_unexpected_format_are_rejected(payload: Any) -> None:
    assert type(find("Sales", answer(payload)).error) is errors.InvalidResponse


def test_a_hit_without_an_id_is_named_in_the_error() -> None:
    error = find("Sales", answer({"result": [{}], "totalItems": 1})).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == (
        "could not list the data models of the project: unexpected response format: a search result has no id"
    )


def test_a_folder_without_a_name_is_left_out() -> None:
    found = hits(hit("Sales", ancestors=["odd", {"level": 1}, {"name": "Tutorial"}]))
    (model,) = play(list_objects(a_session(), PROJECT, DATA_MODEL), found).result
    assert model.folder == ("Tutorial",)


def test_further_search_results_are_requested() -> None:
    server = SearchingServer([hit("Sales", each) for each in IDS[:5]] + [hit("Retail", IDS[6])], cap=2)
    server.ignores_pattern = True
    assert server.find("Retail").result == IDS[6]
    assert [(query["offset"], query["limit"]) for query in server.queries] == [
        ("0", "-1"),
        ("2", str(PAGE_SIZE)),
        ("4", str(PAGE_SIZE)),
    ]


NAMES = st.sampled_from(["Sales", "SALES", "sales", "Sales 2", "Finance"])


@given(
    names=st.lists(NAMES, max_size=6),
    wanted=NAMES,
    ignores_pattern=st.booleans(),
    minds_case=st.booleans(),
    cap=st.integers(1, 4),
)
def test_any_search_returns_the_one_model_with_the_name_or_an_error(
    names: list[str], wanted: str, ignores_pattern: bool, minds_case: bool, cap: int
) -> None:
    models = [hit(name, IDS[number]) for number, name in enumerate(names)]
    played = SearchingServer(models, ignores_pattern, minds_case, cap).find(wanted)

    exact = [IDS[number] for number, name in enumerate(names) if name == wanted]
    alike = [IDS[number] for number, name in enumerate(names) if name.lower() == wanted.lower()]
    meant = exact or alike
    if len(meant) == 1:
        assert played.result == meant[0]
    else:
        assert type(played.error) is (errors.InvalidInput if meant else errors.NotFound)


# the list


@pytest.mark.parametrize(
    ("view_media", "mode"),
    [
        (0, "in_memory"),
        (0x10000, "connect_live"),
        (0x40000, "off_memory"),
        (0x1010000, "connect_live"),
        (0x1000000, "in_memory"),
        (None, ""),
        ("x", ""),
    ],
)
def test_a_model_has_its_serve_mode(view_media: Any, mode: str) -> None:
    (model,) = play(
        list_objects(a_session(), PROJECT, DATA_MODEL), hits(hit("A", viewMedia=view_media))
    ).result
    assert model == SearchResult(IDS[0], "A", ("779", "448"), mode, ())


@pytest.mark.parametrize(("name", "sent"), [("", {}), ("Sal", {"name": "Sal", "pattern": "4"})])
def test_models_are_listed_by_a_part_of_their_name(name: str, sent: dict[str, str]) -> None:
    played = play(list_objects(a_session(), PROJECT, DATA_MODEL, name), hits(hit("Sales")))
    assert {key: played.requests[0].query.get(key) for key in ("name", "pattern")} == {
        "name": None,
        "pattern": None,
    } | sent


# other kinds


def cubes_of(*subtypes: tuple[int, int | None]) -> list[dict[str, Any]]:
    return [
        hit(f"{subtype}/{ext}", f"{subtype:016}{ext or 0:016}", subtype=subtype, extType=ext)
        for subtype, ext in subtypes
    ]


def test_cubes_are_intelligent_cubes_and_super_cubes_without_data_models() -> None:
    intelligent, others = cubes_of((776, 0)), cubes_of((779, 256), (779, 448), (779, None))
    played = play(list_objects(a_session(), PROJECT, CUBE), hits(*intelligent), hits(*others))
    assert [request.query["type"] for request in played.requests] == ["776", "779"]
    assert [found.name for found in played.result] == ["776/0", "779/256", "779/None"]


def test_a_cube_that_both_searches_find_is_listed_once() -> None:
    found = hits(*cubes_of((776, 0)))
    played = play(find_object_id(a_session(), PROJECT, CUBE, "776/0"), found, found)
    assert played.result == f"{776:016}{0:016}"


def test_a_data_model_is_not_found_as_a_cube() -> None:
    model = hits(*cubes_of((779, 448)))
    played = play(find_object_id(a_session(), PROJECT, CUBE, "779/448"), NONE, model, NONE, model)
    assert isinstance(played.error, errors.NotFound)
    assert "no cube in the project is named '779/448'" in played.error.what


def test_reports_of_both_kinds_of_cubes_are_found() -> None:
    reports = hits(*cubes_of((777, None))), hits(*cubes_of((780, None)))
    played = play(list_objects(a_session(), PROJECT, INCREMENTAL_REFRESH_REPORT), *reports)
    assert [request.query["type"] for request in played.requests] == ["777", "780"]
