# SPDX-License-Identifier: Apache-2.0
"""The progress of a publish over time, and each form of publishStatus."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Clock, DataModel, PublishFailure, Settings, World
from airflow_provider_mstr.sandbox.library import Library
from airflow_provider_mstr.sandbox.responses import ApiError
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
        self.library.enter_project(self.session, TUTORIAL.id)
        self.instance = self.library.create_instance(self.session, self.model).id
        self.library.publish(self.session, self.model, self.instance, TWO_TABLES)

    def poll_after(self, seconds: float) -> dict[str, Any]:
        """Advance the clock, and return the publishStatus."""
        self.clock.advance(seconds)
        return self.library.publish_status(self.session, self.model, self.instance)

    def statuses_after(self, seconds: float) -> tuple[Any, ...]:
        body = self.poll_after(seconds)
        return body["status"], *(table["status"] for table in body["tables"])


def test_tables_are_loaded_one_after_the_other() -> None:
    refresh = Refresh()
    assert refresh.statuses_after(0) == (0, "reserved", "reserved")
    assert refresh.statuses_after(12) == (5, "reserved", "reserved")
    assert refresh.statuses_after(15) == (6, "schema_comparison_completed", "reserved")
    assert refresh.statuses_after(25) == (6, "completed", "reserved")
    assert refresh.statuses_after(25) == (6, "completed", "schema_comparison_completed")
    assert refresh.statuses_after(23) == (1, "completed", "completed")
    assert refresh.statuses_after(9999) == (1, "completed", "completed")


def test_a_publish_of_zero_seconds_finishes_at_once() -> None:
    assert Refresh(publish_seconds=0).statuses_after(0) == (1, "completed", "completed")


def test_a_publish_has_an_end_once_it_is_completed_cancelled_or_lost() -> None:
    refresh = Refresh()
    started = refresh.clock()
    (publish,) = refresh.library.publishes
    assert publish.ended_at(started + 99) is None
    assert publish.ended_at(started + 150) == started + 100
    assert replace(publish, lost_to=7).ended_at(started + 50) == started
    publish.cancel(started + 30)
    assert publish.ended_at(started + 50) == started + 30


def test_a_data_model_from_names_has_unique_ids() -> None:
    sales, stock = (DataModel.named(name, ("orders", "stores")) for name in ("Sales", "Stock"))
    ids = [each.id for model in (sales, stock) for each in (model, *model.tables)]
    assert len({each for each in ids if re.fullmatch("[0-9A-F]{32}", each)}) == 6
    assert DataModel.named("Sales", ("orders", "stores")) == sales


def test_a_data_model_can_have_its_own_duration() -> None:
    world = replace(DEFAULT_WORLD, data_models=(replace(RETAIL, publish_seconds=10),))
    assert Refresh(world).statuses_after(10)[0] == 1


def test_finishing_publishes_ends_them_with_their_result() -> None:
    done, failed = Refresh(), Refresh(publish_failure=PublishFailure("error"))
    for refresh in (done, failed):
        refresh.clock.advance(1)
        refresh.library.finish_publishes()
    assert done.statuses_after(0) == (1, "completed", "completed")
    assert failed.statuses_after(0) == (1, "completed", "error")


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
    assert [refresh.poll_after(seconds)["status"] for seconds in (0, 50, 50)] == [start, running, done]


def test_readings_differ_in_their_tables() -> None:
    def tables(reading: str) -> list[str] | None:
        body = Refresh(reading=reading).poll_after(100)
        return [table["status"] for table in body["tables"]] if "tables" in body else None

    assert tables("result") == tables("text") == ["completed", "completed"]
    assert tables("loaded") == ["loaded", "loaded"]
    assert tables("empty") == []
    assert tables("plain") is None


@pytest.mark.parametrize("kind", ["schema_comparison_error", "error"])
def test_a_table_can_fail_with_a_status_of_success(kind: str) -> None:
    refresh = Refresh(publish_failure=PublishFailure(kind, "ytd_day", -7, "no such column"))
    body = refresh.poll_after(100)
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
    assert refresh.statuses_after(26) == (6, "schema_comparison_error", "reserved")


def test_a_failure_of_another_table_does_not_happen() -> None:
    assert Refresh(publish_failure=PublishFailure("error", "lu_store")).statuses_after(100)[0] == 1
    assert Refresh(publish_failure=PublishFailure("http_500", "lu_store")).statuses_after(100)[0] == 1


@pytest.mark.parametrize(("kind", "status"), [("negative_status", -2147418587), ("status_3", 3)])
def test_the_status_can_show_a_failure(kind: str, status: int) -> None:
    refresh = Refresh(publish_failure=PublishFailure(kind))
    assert refresh.statuses_after(99)[0] == 6
    assert refresh.statuses_after(1) == (status, "completed", "schema_comparison_completed")


def test_a_failure_can_be_an_http_error() -> None:
    refresh = Refresh(publish_failure=PublishFailure("http_500"))
    assert refresh.statuses_after(50)[0] == 6
    with pytest.raises(ApiError, match="parallel mode execution stalled") as error:
        refresh.poll_after(50)
    assert (error.value.response.status, error.value.response.iserver_code) == (500, -2147212544)


@pytest.mark.parametrize("reading", ["plain", "empty"])
def test_without_tables_the_status_shows_a_failed_table(reading: str) -> None:
    assert Refresh(reading=reading, publish_failure=PublishFailure("error")).poll_after(100)["status"] < 0


def test_under_the_loaded_reading_a_failed_table_is_never_all_loaded() -> None:
    body = Refresh(reading="loaded", publish_failure=PublishFailure("error")).poll_after(100)
    assert body["status"] == 1
    assert [table["status"] for table in body["tables"]] == ["loaded", "error"]


def test_the_text_reading_has_error_codes_as_text() -> None:
    body = Refresh(reading="text", publish_failure=PublishFailure("error", code=-7)).poll_after(100)
    assert (body["status"], body["tables"][1]["errorCode"]) == ("1", "-7")


def test_the_failure_of_a_data_model_overrides_the_settings() -> None:
    model = replace(RETAIL, failure=PublishFailure("status_3"))
    world = replace(DEFAULT_WORLD, data_models=(model,))
    assert Refresh(world, publish_failure=PublishFailure("error")).statuses_after(100)[0] == 3


def test_only_a_completed_publish_changes_the_last_update() -> None:
    failed, completed = Refresh(publish_failure=PublishFailure("error")), Refresh()
    for refresh in (failed, completed):
        refresh.clock.advance(100)
    assert failed.library.read_cube(failed.model).last_update_time == RETAIL.last_update_time
    newer = replace(completed.model, last_update_time=None)
    assert completed.library.read_cube(newer).last_update_time.timestamp() == 1_000_100


@pytest.mark.parametrize(
    "wrong",
    [{"reading": "optimistic"}, {"unpublished": "x"}, {"header_case": "x"}, {"instance_created_status": 200}],
)
def test_invalid_settings_are_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


def test_an_unknown_kind_of_failure_is_rejected() -> None:
    with pytest.raises(ValueError, match="kind must be one of"):
        PublishFailure("bad luck")


def test_a_clock_rejects_negative_seconds() -> None:
    with pytest.raises(ValueError, match="negative"):
        Clock().advance(-1)
