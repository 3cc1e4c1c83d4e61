# SPDX-License-Identifier: Apache-2.0
"""The course of a publish as a function of the clock, and what each reading of publishStatus says of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Clock, DataModel, PublishFailure, Settings, World
from airflow_provider_mstr.sandbox.answers import Refused
from airflow_provider_mstr.sandbox.library import Library
from airflow_provider_mstr.sandbox.world import RETAIL, TUTORIAL

YTD_DAY, CITY_MNTH_SLS = RETAIL.tables[:2]
TWO_TABLES = [(YTD_DAY.id, "replace"), (CITY_MNTH_SLS.id, "add")]


class Refresh:
    """A publish of two tables that takes 100 seconds, without HTTP."""

    def __init__(self, world: World = DEFAULT_WORLD, **settings: Any) -> None:
        self.clock = Clock(1_000_000.0, ticking=False)
        self.library = Library(world, Settings(**({"publish_seconds": 100} | settings)), self.clock)
        user = world.users[0]
        self.session = self.library.log_in(1, user.name, user.password)
        self.model = world.data_models[0]
        self.library.enter(self.session, TUTORIAL.id)
        self.instance = self.library.create_instance(self.session, self.model).id
        self.library.publish(self.session, self.model, self.instance, TWO_TABLES)

    def after(self, seconds: float) -> dict[str, Any]:
        """publishStatus this many seconds after the last look."""
        self.clock.advance(seconds)
        return self.library.publish_status(self.session, self.model, self.instance)

    def words(self, seconds: float) -> tuple[Any, ...]:
        body = self.after(seconds)
        return body["status"], *(table["status"] for table in body["tables"])


def test_tables_are_loaded_one_after_the_other() -> None:
    refresh = Refresh()
    assert refresh.words(0) == (0, "reserved", "reserved")
    assert refresh.words(12) == (5, "reserved", "reserved")
    assert refresh.words(15) == (6, "schema_comparison_completed", "reserved")
    assert refresh.words(25) == (6, "completed", "reserved")
    assert refresh.words(25) == (6, "completed", "schema_comparison_completed")
    assert refresh.words(23) == (1, "completed", "completed")
    assert refresh.words(9999) == (1, "completed", "completed")


def test_a_publish_that_takes_no_time_is_done_at_once() -> None:
    assert Refresh(publish_seconds=0).words(0) == (1, "completed", "completed")


def test_a_publish_has_ended_when_it_is_done_or_cancelled_or_lost() -> None:
    refresh = Refresh()
    started = refresh.clock()
    (publish,) = refresh.library.publishes
    assert publish.ended_at(started + 99) is None
    assert publish.ended_at(started + 150) == started + 100
    assert replace(publish, lost_to=7).ended_at(started + 50) == started
    publish.cancel(started + 30)
    assert publish.ended_at(started + 50) == started + 30


def test_a_data_model_made_from_names_has_ids_of_its_own() -> None:
    sales, stock = (DataModel.named(name, ("orders", "stores")) for name in ("Sales", "Stock"))
    ids = [each.id for model in (sales, stock) for each in (model, *model.tables)]
    assert len({each for each in ids if re.fullmatch("[0-9A-F]{32}", each)}) == 6
    assert DataModel.named("Sales", ("orders", "stores")) == sales


def test_a_data_model_may_take_its_own_time() -> None:
    world = replace(DEFAULT_WORLD, data_models=(replace(RETAIL, publish_seconds=10),))
    assert Refresh(world).words(10)[0] == 1


def test_finishing_brings_a_publish_to_its_planned_end() -> None:
    done, failed = Refresh(), Refresh(publish_failure=PublishFailure("error"))
    for refresh in (done, failed):
        refresh.clock.advance(1)
        refresh.library.finish_publishes()
    assert done.words(0) == (1, "completed", "completed")
    assert failed.words(0) == (1, "completed", "error")


@pytest.mark.parametrize(
    ("reading", "start", "running", "done"),
    [
        ("result", 0, 6, 1),
        ("loaded", 1, 1, 0),
        ("plain", 0, 6, 1),
        ("empty", 0, 6, 1),
        ("text", "0", "6", "1"),
    ],
)
def test_each_reading_has_its_own_numbers(reading: str, start: Any, running: Any, done: int) -> None:
    refresh = Refresh(reading=reading)
    assert [refresh.after(seconds)["status"] for seconds in (0, 50, 50)] == [start, running, done]


def test_readings_differ_in_what_they_say_of_tables() -> None:
    def tables(reading: str) -> list[str] | None:
        body = Refresh(reading=reading).after(100)
        return [table["status"] for table in body["tables"]] if "tables" in body else None

    assert tables("result") == tables("text") == ["completed", "completed"]
    assert tables("loaded") == ["loaded", "loaded"]
    assert tables("empty") == []
    assert tables("plain") is None


@pytest.mark.parametrize("kind", ["schema_comparison_error", "error"])
def test_a_table_may_fail_while_the_top_says_done(kind: str) -> None:
    refresh = Refresh(publish_failure=PublishFailure(kind, "ytd_day", -7, "no such column"))
    body = refresh.after(100)
    assert body["status"] == 1
    assert body["tables"][0] == {
        "id": YTD_DAY.id,
        "status": kind,
        "errorCode": -7,
        "errorMessage": "no such column",
    }
    assert body["tables"][1]["status"] == "completed"


def test_a_schema_comparison_fails_before_the_publish_ends() -> None:
    refresh = Refresh(publish_failure=PublishFailure("schema_comparison_error", YTD_DAY.id))
    assert refresh.words(26) == (6, "schema_comparison_error", "reserved")


def test_a_failure_of_a_table_that_is_not_published_does_not_happen() -> None:
    assert Refresh(publish_failure=PublishFailure("error", "lu_store")).words(100)[0] == 1
    assert Refresh(publish_failure=PublishFailure("http_500", "lu_store")).words(100)[0] == 1


@pytest.mark.parametrize(("kind", "status"), [("negative_status", -2147418587), ("status_3", 3)])
def test_the_top_may_tell_of_a_failure(kind: str, status: int) -> None:
    refresh = Refresh(publish_failure=PublishFailure(kind))
    assert refresh.words(99)[0] == 6
    assert refresh.words(1) == (status, "completed", "schema_comparison_completed")


def test_a_failure_may_come_as_an_http_error() -> None:
    refresh = Refresh(publish_failure=PublishFailure("http_500"))
    assert refresh.words(50)[0] == 6
    with pytest.raises(Refused, match="parallel mode execution stalled") as refused:
        refresh.after(50)
    assert (refused.value.refusal.status, refused.value.refusal.iserver_code) == (500, -2147212544)


@pytest.mark.parametrize("reading", ["plain", "empty"])
def test_without_tables_the_top_tells_of_a_failed_table(reading: str) -> None:
    assert Refresh(reading=reading, publish_failure=PublishFailure("error")).after(100)["status"] < 0


def test_under_the_loaded_reading_a_failed_table_is_never_all_loaded() -> None:
    body = Refresh(reading="loaded", publish_failure=PublishFailure("error")).after(100)
    assert body["status"] == 1
    assert [table["status"] for table in body["tables"]] == ["loaded", "error"]


def test_numbers_of_a_failure_are_text_where_numbers_are_text() -> None:
    body = Refresh(reading="text", publish_failure=PublishFailure("error", code=-7)).after(100)
    assert (body["status"], body["tables"][1]["errorCode"]) == ("1", "-7")


def test_a_data_models_own_failure_comes_before_the_servers() -> None:
    model = replace(RETAIL, failure=PublishFailure("status_3"))
    world = replace(DEFAULT_WORLD, data_models=(model,))
    assert Refresh(world, publish_failure=PublishFailure("error")).words(100)[0] == 3


def test_a_failed_publish_does_not_renew_the_cube_but_a_completed_one_does() -> None:
    failed, completed = Refresh(publish_failure=PublishFailure("error")), Refresh()
    for refresh in (failed, completed):
        refresh.clock.advance(100)
    assert failed.library.cube(failed.model).last_update_time == RETAIL.last_update_time
    newer = replace(completed.model, last_update_time=None)
    assert completed.library.cube(newer).last_update_time.timestamp() == 1_000_100


@pytest.mark.parametrize(
    "wrong",
    [{"reading": "optimistic"}, {"unpublished": "x"}, {"header_case": "x"}, {"instance_created_status": 200}],
)
def test_settings_that_do_not_exist_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


def test_a_failure_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is one of"):
        PublishFailure("bad luck")


def test_a_clock_cannot_be_turned_back() -> None:
    with pytest.raises(ValueError, match="turned back"):
        Clock().advance(-1)
