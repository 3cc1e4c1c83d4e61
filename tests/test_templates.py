# SPDX-License-Identifier: Apache-2.0
"""Arguments out of templates and other tasks: as text, as the values themselves, and where nothing came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task
from workers import perform

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.sandbox import Sandbox
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

pytestmark = [
    pytest.mark.usefixtures("mstr_connection", "brisk"),
    pytest.mark.mstr_sandbox(publish_seconds=0),
]

RETAIL = "9F4772B837604551B4D3CC916ADC5598"

either = pytest.mark.parametrize("native", [False, True], ids=["as text", "as native objects"])


class Upstream:
    """Stands for a task instance whose upstream tasks returned one value."""

    def __init__(self, returned: Any) -> None:
        self.returned = returned

    def xcom_pull(self, **_: Any) -> Any:
        return self.returned

    def get_relevant_upstream_map_indexes(self, *_: Any, **__: Any) -> None:
        """Airflow 2 asks for it before it pulls."""


def rendered(make: Callable[[], Any], native: bool, returned: Any = None, **params: Any) -> Callable[[], Any]:
    """Return what makes the operator with its templates rendered."""

    def render() -> Any:
        start = pendulum.datetime(2026, 1, 1, tz="UTC")
        with DAG("dag", schedule=None, start_date=start, render_template_as_native_obj=native):
            operator = make()
        # The count is for Airflow 2.
        context = {"params": params, "ti": Upstream(returned), "expanded_ti_count": None}
        operator.render_template_fields(context)
        return operator

    return render


def refresh(tables: Any) -> Callable[[], Any]:
    return lambda: MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL, tables=tables)


def published(sandbox: Sandbox) -> list[tuple[str, str]]:
    (publish,) = sandbox.report().publishes
    return [(table.name, table.refresh_policy) for table in publish.tables]


TABLES = [
    (["ytd_day", "lu_store"], [("ytd_day", "replace"), ("lu_store", "replace")]),
    (("ytd_day",), [("ytd_day", "replace")]),
    ({"lu_store": None, "ytd_day": "add"}, [("lu_store", "replace"), ("ytd_day", "add")]),
    ("ytd_day", [("ytd_day", "replace")]),
]


@either
@pytest.mark.parametrize("template", ["{{ params.tables }}", "{{ params.tables | tojson }}"])
@pytest.mark.parametrize(("tables", "loaded"), TABLES)
def test_tables_may_come_out_of_a_template(
    tables: Any, loaded: list[tuple[str, str]], template: str, native: bool, mstr_sandbox: Sandbox
) -> None:
    done = perform(rendered(refresh(template), native, tables=tables))

    assert done.error is None
    assert published(mstr_sandbox) == loaded


@either
@pytest.mark.parametrize(("tables", "loaded"), TABLES)
def test_tables_may_be_what_another_task_returned(
    tables: Any, loaded: list[tuple[str, str]], native: bool, mstr_sandbox: Sandbox
) -> None:
    done = perform(rendered(lambda: refresh(chosen())(), native, returned=tables))

    assert done.error is None
    assert published(mstr_sandbox) == loaded


@task
def chosen() -> None:
    """Stands for a task that returns something for the next one."""


def test_each_name_and_policy_may_be_a_template(mstr_sandbox: Sandbox) -> None:
    tables = {"{{ params.table }}": "replace", "ytd_day": "{{ params.policy }}"}

    done = perform(rendered(refresh(tables), False, table="lu_store", policy="add"))

    # Airflow renders the values of a mapping and leaves its keys alone.
    assert isinstance(done.error, AirflowFailException)
    assert "'{{ params.table }}'" in str(done.error)
    assert perform(rendered(refresh(["{{ params.table }}"]), False, table="lu_store")).error is None
    assert published(mstr_sandbox) == [("lu_store", "replace")]


@either
@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize(
    "make",
    [
        refresh("{{ params.tables }}"),
        lambda: MstrPublishDataModelOperator(task_id="publish", instance={}, tables="{{ params.tables }}"),
    ],
    ids=["refresh", "publish"],
)
def test_a_template_that_comes_to_nothing_is_not_every_table(
    make: Callable[[], Any], nothing: str | None, native: bool, mstr_sandbox: Sandbox
) -> None:
    done = perform(rendered(make, native, tables=nothing))

    assert isinstance(done.error, AirflowFailException)
    assert isinstance(done.error.__cause__, InvalidInput)
    assert "leave tables out to publish every table" in str(done.error)
    assert mstr_sandbox.report().requests == {}


def test_a_task_that_returned_nothing_has_not_chosen_every_table(mstr_sandbox: Sandbox) -> None:
    done = perform(rendered(lambda: refresh(chosen())(), False, returned=None))

    assert isinstance(done.error, AirflowFailException)
    assert "tables is None" in str(done.error)
    assert mstr_sandbox.report().requests == {}


def test_tables_left_out_are_every_table_however_templates_are_rendered(mstr_sandbox: Sandbox) -> None:
    assert perform(rendered(refresh(None), True)).error is None
    assert len(published(mstr_sandbox)) == 4


@either
def test_every_other_argument_may_come_out_of_a_template_too(native: bool, mstr_sandbox: Sandbox) -> None:
    done = perform(
        rendered(
            lambda: MstrRefreshDataModelOperator(
                task_id="refresh",
                data_model_id="{{ params.model }}",
                project_id="{{ params.project }}",
                refresh_policy="{{ params.policy }}",
                mstr_conn_id="{{ params.conn }}",
            ),
            native,
            model=RETAIL,
            project=None,
            policy="upsert",
            conn="mstr_default",
        )
    )

    assert done.error is None
    assert {policy for _, policy in published(mstr_sandbox)} == {"upsert"}


@either
@pytest.mark.parametrize("kind", [MstrRefreshDataModelOperator, MstrCreateDataModelInstanceOperator])
def test_the_name_of_a_data_model_may_come_out_of_a_template(
    kind: Any, native: bool, mstr_sandbox: Sandbox
) -> None:
    make = lambda: kind(task_id="t", data_model="{{ params.name }}")  # noqa: E731

    assert perform(rendered(make, native, name="Retail")).result["data_model_id"] == RETAIL


@either
@pytest.mark.parametrize("nothing", ["", None])
def test_a_name_that_a_template_made_of_nothing_is_refused(
    nothing: str | None, native: bool, mstr_sandbox: Sandbox
) -> None:
    make = lambda: MstrRefreshDataModelOperator(task_id="t", data_model="{{ params.name }}")  # noqa: E731

    done = perform(rendered(make, native, name=nothing))

    assert isinstance(done.error, AirflowFailException)
    assert "which is no data model's name" in str(done.error)
    assert mstr_sandbox.report().requests == {}


@either
def test_a_handle_may_come_out_of_a_template(native: bool, mstr_sandbox: Sandbox) -> None:
    def then(kind: Any, handle: Any) -> Any:
        done = perform(
            rendered(lambda: kind(task_id="t", instance="{{ params.handle }}"), native, handle=handle)
        )
        assert done.error is None
        return done.result

    created = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))
    outcome = then(MstrPublishStatusSensor, then(MstrPublishDataModelOperator, created.result))
    then(MstrDeleteDataModelInstanceOperator, created.result)

    assert outcome["state"] == "finished"
    assert mstr_sandbox.report().open_sessions == 0


@either
def test_delete_has_nothing_to_do_where_its_template_came_to_nothing(
    native: bool, mstr_sandbox: Sandbox
) -> None:
    make = lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance="{{ params.handle }}")  # noqa: E731

    assert perform(rendered(make, native, handle=None)).error is None
    assert mstr_sandbox.report().requests == {}
