# SPDX-License-Identifier: Apache-2.0
"""Arguments out of templates and other tasks: as text, as the values themselves, and where nothing came."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task
from workers import Performed, TaskInstance, Way, every_way, meaning, perform

from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.sandbox import DEFAULT_WORLD, DataModel, Project, Sandbox, Settings, Table, World
from airflow_provider_mstr.sandbox.world import TUTORIAL
from airflow_provider_mstr.sensors import MstrPublishStatusSensor

pytestmark = [
    pytest.mark.usefixtures("mstr_connection", "brisk"),
    pytest.mark.mstr_sandbox(publish_seconds=0),
]

RETAIL = "9F4772B837604551B4D3CC916ADC5598"

either = pytest.mark.parametrize("native", [False, True], ids=["as text", "as native objects"])


try:
    import msgspec
    from airflow.sdk.execution_time import task_runner
except ImportError:
    task_runner = None


class Upstream:
    """Stands for a task instance whose upstream tasks returned one value."""

    map_index = 0

    def __init__(self, returned: Any) -> None:
        self.returned = returned

    def xcom_pull(self, **_: Any) -> Any:
        return self.returned

    def get_relevant_upstream_map_indexes(self, *_: Any, **__: Any) -> None:
        """Airflow 2 asks for it before it pulls."""


def rendered(make: Callable[[], Any], native: bool, returned: Any = None, **params: Any) -> Callable[[], Any]:
    """Return what makes the operator with its templates rendered; of a mapped one, the first task."""

    def render() -> Any:
        start = pendulum.datetime(2026, 1, 1, tz="UTC")
        with DAG("dag", schedule=None, start_date=start, render_template_as_native_obj=native) as dag:
            operator = make()
        context = {
            "dag": dag,
            "dag_run": SimpleNamespace(conf={}),
            "params": params,
            "ti": Upstream(returned),
            # For Airflow 2.
            "expanded_ti_count": None,
            "run_id": "run",
        }
        operator.render_template_fields(context)
        return context.get("task", operator)

    return render


def perform_mapped(make: Callable[[], Any]) -> Performed:
    """Execute the first task of a mapped operator."""
    return perform(make, ti=TaskInstance("refresh", map_index=0))


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
    assert isinstance(meaning(done.error), InvalidInput)
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
            project="Tutorial",
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
    assert "which is not a data model name" in str(done.error)
    assert mstr_sandbox.report().requests == {}


def refused(done: Performed, *words: str) -> None:
    assert isinstance(done.error, AirflowFailException)
    assert isinstance(meaning(done.error), InvalidInput)
    assert [word for word in words if word not in str(done.error)] == []


# A value that renders to None is not an argument that is left out.


@either
@pytest.mark.parametrize("nothing", ["", " ", None])
@pytest.mark.parametrize("name", ["data_model_id", "project_id", "refresh_policy", "mstr_conn_id"])
def test_no_argument_may_come_to_nothing(
    name: str, nothing: str | None, native: bool, mstr_sandbox: Sandbox
) -> None:
    arguments = {"data_model_id": RETAIL} | {name: "{{ params.value }}"}
    make = lambda: MstrRefreshDataModelOperator(task_id="t", **arguments)  # noqa: E731

    refused(perform(rendered(make, native, value=nothing)), f"{name} is ")
    assert mstr_sandbox.report().requests == {}


@either
@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize("name", ["data_model_id", "data_model", "project_id", "tables", "mstr_conn_id"])
def test_no_argument_may_be_nothing_that_another_task_returned(
    name: str, nothing: str | None, native: bool, mstr_sandbox: Sandbox
) -> None:
    def make() -> Any:
        arguments = {} if name == "data_model" else {"data_model_id": RETAIL}
        return MstrRefreshDataModelOperator(task_id="t", **(arguments | {name: chosen()}))

    refused(perform(rendered(make, native, returned=nothing)), f"{name} is ")
    assert mstr_sandbox.report().requests == {}


@either
@pytest.mark.parametrize(
    "tables",
    [
        {"lu_store": "{{ params.policy }}"},
        ["{{ params.policy }}"],
        ["lu_store", "{{ params.policy }}"],
        "{{ params.tables }}",
        "{{ [] }}",
        "[]",
    ],
    ids=repr,
)
def test_no_part_of_tables_may_come_to_nothing(tables: Any, native: bool, mstr_sandbox: Sandbox) -> None:
    done = perform(rendered(refresh(tables), native, policy=None, tables=[]))

    refused(done, "tables")
    assert mstr_sandbox.report().requests == {}


@either
@pytest.mark.parametrize("tables", [None, "", " "], ids=repr)
def test_a_mapped_task_never_gets_every_table_from_upstream(
    tables: Any, native: bool, mstr_sandbox: Sandbox
) -> None:
    ways = [
        lambda: MstrRefreshDataModelOperator.partial(task_id="t", data_model_id=RETAIL).expand(
            tables=[tables]
        ),
        lambda: MstrRefreshDataModelOperator.partial(task_id="t").expand_kwargs(
            [{"data_model_id": RETAIL, "tables": tables}]
        ),
        lambda: MstrRefreshDataModelOperator.partial(task_id="t", tables=tables).expand(
            data_model_id=[RETAIL]
        ),
        lambda: MstrPublishDataModelOperator.partial(task_id="t", instance={}).expand(tables=[tables]),
    ]
    for make in ways:
        refused(perform_mapped(rendered(make, native)), "tables is ", "leave tables out")
    assert mstr_sandbox.report().requests == {}


@either
@pytest.mark.parametrize("template", ["{{ none }}", "{{ '' }}", "{{ none | tojson }}"])
@pytest.mark.parametrize("name", ["tables", "project_id"])
def test_a_template_of_a_mapped_task_may_not_come_to_nothing(
    name: str, template: str, native: bool, mstr_sandbox: Sandbox
) -> None:
    make = lambda: MstrRefreshDataModelOperator.partial(task_id="t", **{name: template}).expand(  # noqa: E731
        data_model_id=[RETAIL]
    )

    refused(perform_mapped(rendered(make, native)), f"{name} is ")
    assert mstr_sandbox.report().requests == {}


@pytest.mark.parametrize("project", [None, ""], ids=repr)
def test_a_mapped_task_never_gets_another_project_from_upstream(project: Any, mstr_sandbox: Sandbox) -> None:
    make = lambda: MstrRefreshDataModelOperator.partial(task_id="t", data_model_id=RETAIL).expand(  # noqa: E731
        project_id=[project]
    )

    refused(perform_mapped(rendered(make, False)), "project_id is ", "leave project_id out")
    assert mstr_sandbox.report().requests == {}


@either
def test_what_a_mapped_task_leaves_out_is_left_out(native: bool, mstr_sandbox: Sandbox) -> None:
    make = lambda: MstrRefreshDataModelOperator.partial(task_id="t").expand(data_model_id=[RETAIL])  # noqa: E731

    assert perform_mapped(rendered(make, native)).error is None
    assert len(published(mstr_sandbox)) == 4


@either
def test_a_mapped_task_takes_a_set_of_tables(native: bool, mstr_sandbox: Sandbox) -> None:
    make = lambda: MstrRefreshDataModelOperator.partial(task_id="t", data_model_id=RETAIL).expand(  # noqa: E731
        tables=[{"ytd_day", "lu_store"}]
    )

    assert perform_mapped(rendered(make, native)).error is None
    assert published(mstr_sandbox) == [("lu_store", "replace"), ("ytd_day", "replace")]


@either
def test_an_argument_that_is_assigned_later_is_not_left_out(native: bool, mstr_sandbox: Sandbox) -> None:
    def make() -> Any:
        operator = refresh(None)()
        operator.tables = "{{ params.tables }}"
        return operator

    refused(perform(rendered(make, native, tables=None)), "tables is ")


@either
def test_rendering_twice_changes_nothing(native: bool, mstr_sandbox: Sandbox) -> None:
    once = rendered(refresh("{{ params.tables }}"), native, tables=None)()
    context = {"params": {"tables": None}, "ti": Upstream(None), "expanded_ti_count": None}

    once.render_template_fields(context)

    refused(perform(lambda: once), "tables is ")


# Names and ids that look like Python values.


DIGITS = "12345678901234567890123456789012"
FLOAT = "1234567890123456789012345678E101"
NAMES = ["none", "null", "None", "Null", "True", "2024", "1.0", "1e5", "2024_01", "0x10", "(1, 2)", "Café"]


def strange(*names: str) -> World:
    """Return a world whose names look like Python values."""
    usual = DEFAULT_WORLD
    tables = tuple(Table(f"{number:032d}", name) for number, name in enumerate(names, 1))
    models = [
        DataModel(f"{number:032X}", name, TUTORIAL.id, tables) for number, name in enumerate(names, 0xA0)
    ]
    models += [DataModel(each, f"model {each}", TUTORIAL.id, tables) for each in (DIGITS, FLOAT, "0" * 32)]
    return World(usual.users, (*usual.projects, Project("F" * 32, "2024")), (*usual.data_models, *models))


@pytest.fixture
def strange_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(Settings(publish_seconds=0), strange(*NAMES)) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", sandbox.airflow_connection())
        yield sandbox


@either
def test_a_name_in_the_dag_file_is_used_as_it_is_there(native: bool, strange_sandbox: Sandbox) -> None:
    for name in NAMES:
        for more in ({"tables": [name]}, {"tables": {name: "add"}}):
            make = lambda name=name, more=more: MstrRefreshDataModelOperator(  # noqa: E731
                task_id="t", data_model=name, **more
            )
            done = perform(rendered(make, native))
            assert done.error is None, name
            assert [table["name"] for table in done.result["tables"]] == [name]
    loaded = {publish.data_model_id for publish in strange_sandbox.report().publishes}
    assert len(loaded) == len(NAMES)


@either
@pytest.mark.parametrize("data_model_id", [DIGITS, FLOAT, "0" * 32])
def test_an_id_in_the_dag_file_is_used_as_it_is_there(
    data_model_id: str, native: bool, strange_sandbox: Sandbox
) -> None:
    make = lambda: MstrRefreshDataModelOperator(task_id="t", data_model_id=data_model_id)  # noqa: E731

    assert perform(rendered(make, native)).result["data_model_id"] == data_model_id


@either
def test_numbers_out_of_templates_are_names_and_ids(native: bool, strange_sandbox: Sandbox) -> None:
    fill = {"id": DIGITS, "name": "2024", "project": "2024"}
    by_id = lambda: MstrRefreshDataModelOperator(  # noqa: E731
        task_id="t", data_model_id="{{ params.id }}", tables=["{{ params.name }}"]
    )
    by_name = lambda: MstrRefreshDataModelOperator(  # noqa: E731
        task_id="t", data_model="{{ params.name }}", tables="{{ params.name }}"
    )

    assert perform(rendered(by_id, native, **fill)).result["data_model_id"] == DIGITS
    assert perform(rendered(by_name, native, **fill)).error is None
    assert MstrHook().project(2024) == "2024"  # type: ignore[arg-type]
    zeros = perform(rendered(by_id, native, **fill | {"id": 0}))
    assert (
        zeros.result["data_model_id"] == "0" * 32
        if native
        else isinstance(meaning(zeros.error), InvalidInput)
    )


def test_a_number_of_another_task_is_a_connections_id(
    strange_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_123", strange_sandbox.airflow_connection())
    make = lambda: MstrRefreshDataModelOperator(  # noqa: E731
        task_id="t", data_model_id=RETAIL, mstr_conn_id="{{ params.conn }}", deferrable=True
    )

    assert perform(rendered(make, True, conn="123")).error is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data_model_id", FLOAT),
        ("data_model_id", FLOAT.replace("E101", "E999")),
        ("data_model", "-" + "9" * 30),
        ("data_model", "1.0"),
        ("data_model", "True"),
        ("project_id", "1e5"),
        ("mstr_conn_id", "1.5"),
        ("tables", "1.0"),
        ("tables", ["1.0"]),
    ],
)
def test_a_text_that_native_rendering_has_changed_says_what_to_write(
    name: str, value: Any, strange_sandbox: Sandbox
) -> None:
    def make(template: str) -> Callable[[], Any]:
        arguments = {} if name == "data_model" else {"data_model_id": RETAIL}
        template_of = [template] if isinstance(value, list) else template
        return lambda: MstrRefreshDataModelOperator(task_id="t", **arguments | {name: template_of})

    fill = {"value": value[0] if isinstance(value, list) else value}
    done = perform(rendered(make("{{ params.value }}"), True, **fill))

    refused(done, name, "render_template_as_native_obj", "\"'{{ ... }}'\"")
    if task_runner is not None:
        changed = rendered(make("{{ params.value }}"), True, **fill)()
        encoded = msgspec.msgpack.encode(task_runner._serialize_rendered_fields(changed))
        json.dumps(msgspec.msgpack.decode(encoded), allow_nan=False)
    # What the error advises arrives as text.
    operator = rendered(make("'{{ params.value }}'"), True, **fill)()
    assert getattr(operator, name) == value


@either
@pytest.mark.parametrize("template", ["{{ params.value }}", "{{ params.value | tojson }}"])
def test_a_template_that_renders_to_none_is_no_data_model_of_that_name(
    template: str, native: bool, strange_sandbox: Sandbox
) -> None:
    make = lambda: MstrRefreshDataModelOperator(task_id="t", data_model=template)  # noqa: E731

    refused(perform(rendered(make, native, value=None)), "data_model is ")


@either
@pytest.mark.parametrize("name", ["none", "Null", "null"])
def test_a_name_like_none_may_come_from_another_task_or_be_mapped(
    name: str, native: bool, strange_sandbox: Sandbox
) -> None:
    from_a_task = lambda: MstrRefreshDataModelOperator(task_id="t", data_model=chosen())  # noqa: E731
    mapped = lambda: MstrRefreshDataModelOperator.partial(task_id="t").expand(data_model=[name])  # noqa: E731

    assert perform(rendered(from_a_task, native, returned=name)).error is None
    assert perform_mapped(rendered(mapped, native)).error is None
    assert len({publish.data_model_id for publish in strange_sandbox.report().publishes}) == 1


@every_way
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["Café", "CAFÉ"])
def test_a_name_matches_in_any_unicode_form(
    refresh: Way, form: Any, typed: str, strange_sandbox: Sandbox
) -> None:
    refreshed = refresh(None, data_model=unicodedata.normalize(form, typed))

    assert refreshed.error is None


@either
def test_a_handle_may_come_out_of_a_template(native: bool, mstr_sandbox: Sandbox) -> None:
    def then(kind: Any, handle: Any) -> Any:
        done = perform(
            rendered(lambda: kind(task_id="t", instance="{{ params.handle }}"), native, handle=handle)
        )
        assert done.error is None
        return done.result

    created = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=RETAIL))
    result = then(MstrPublishStatusSensor, then(MstrPublishDataModelOperator, created.result))
    then(MstrDeleteDataModelInstanceOperator, created.result)

    assert result["state"] == "finished"
    assert mstr_sandbox.report().open_sessions == 0


@either
def test_delete_has_nothing_to_do_where_its_template_came_to_nothing(
    native: bool, mstr_sandbox: Sandbox
) -> None:
    make = lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance="{{ params.handle }}")  # noqa: E731

    assert perform(rendered(make, native, handle=None)).error is None
    assert mstr_sandbox.report().requests == {}
