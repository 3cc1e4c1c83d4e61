# SPDX-License-Identifier: Apache-2.0
"""Invalid arguments fail with a clear error before the task sends a request."""

from __future__ import annotations

import json
import math
import reprlib
from collections import UserList
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import needs
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from workers import Refreshed, Way, every_way, meaning, perform

from airflow_provider_mstr.operators import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.rest.errors import InvalidHandle, InvalidInput, MstrError, NotFound
from airflow_provider_mstr.sandbox import Sandbox, Settings
from airflow_provider_mstr.sensors import MstrPublishStatusSensor
from airflow_provider_mstr.task_groups import refresh_data_model

pytestmark = pytest.mark.usefixtures("mstr_connection", "brisk")

RETAIL = "9F4772B837604551B4D3CC916ADC5598"
YTD_DAY = "B8A627B44A7A421C81741B868401E446"
DASHED = "9F4772B8-3760-4551-B4D3-CC916ADC5598"

# The calls of the tasks that stand around the publish where it is a task of its own.
AROUND_THE_PUBLISH = {"login", "status", "projects", "create_instance", "delete_instance", "logout"}


@pytest.fixture(scope="module")
def library() -> Iterator[Sandbox]:
    """One server for all: a refusal leaves nothing behind, and each new address costs a new key."""
    with Sandbox(Settings(publish_seconds=0)) as sandbox:
        yield sandbox


@pytest.fixture
def mstr_sandbox(library: Sandbox) -> Sandbox:
    """The server, as if nobody had asked it anything yet."""
    library.reset()
    return library


def refused(error: BaseException | None, *words: str, kind: type[MstrError] = InvalidInput) -> None:
    assert isinstance(error, AirflowFailException)
    assert isinstance(meaning(error), kind)
    assert [word for word in words if word not in str(error)] == []


def unasked(sandbox: Sandbox) -> None:
    assert sandbox.report().requests == {}


def unpublished(refreshed: Refreshed, sandbox: Sandbox, *more: str) -> None:
    """Check that the task that publishes has asked nothing but what is named, and that nothing is left."""
    report = sandbox.report()
    around = AROUND_THE_PUBLISH if "publish" in refreshed.tasks or more else set()
    assert set(report.requests) <= around | set(more)
    assert (report.publishes, report.open_sessions, report.instances_open) == ((), 0, 0)


# ids


@every_way
@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "None",
        None,
        "Retail",
        "../../etc",
        RETAIL[:-1],
        f"{RETAIL}0",
        f"{RETAIL[:-1]}G",
        f"{{{RETAIL}}}",
        DASHED,
        f"{{{DASHED}}}",
        f"'{RETAIL}'",
        -7,
        int("9" * 33),
        float(f"{'1' * 28}E101"),
        7.0,
        True,
        RETAIL.encode(),
        [RETAIL],
        {"id": RETAIL},
    ],
    ids=repr,
)
def test_a_data_model_id_that_is_none_is_refused(refresh: Way, typed: Any, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(typed)

    refused(refreshed.error, f"data_model_id is {typed!r}", "32 hexadecimal digits")
    unasked(mstr_sandbox)


@every_way
@pytest.mark.parametrize("typed", ["", "  ", -7, 7.0, True, ["Retail"], {}, b"Retail"], ids=repr)
def test_a_data_model_name_that_is_none_is_refused(refresh: Way, typed: Any, mstr_sandbox: Sandbox) -> None:
    refused(refresh(None, data_model=typed).error, f"data_model is {typed!r}, which is not a data model name")
    unasked(mstr_sandbox)


@every_way
def test_neither_an_id_nor_a_name_is_refused(refresh: Way, mstr_sandbox: Sandbox) -> None:
    refused(refresh(None).error, "data_model_id is None", "a name goes into data_model")
    unasked(mstr_sandbox)


@every_way
def test_blanks_around_a_data_model_id_do_no_harm(refresh: Way, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(f" {RETAIL}\n")

    assert refreshed.outcome["data_model_id"] == RETAIL
    for task in refreshed.tasks.values():
        assert task.xcoms["mstr_link"].endswith(f"/{RETAIL}")


@every_way
@pytest.mark.parametrize("typed", [-7, 0.5, False, ["Tutorial"], {}, b"Tutorial"], ids=repr)
def test_a_project_id_that_is_no_text_is_refused(refresh: Way, typed: Any, mstr_sandbox: Sandbox) -> None:
    refused(refresh(RETAIL, project_id=typed).error, f"project_id is {typed!r}")
    unasked(mstr_sandbox)


@every_way
@pytest.mark.parametrize("typed", ["", " ", None], ids=repr)
def test_a_project_id_that_is_left_empty_is_the_connections(refresh: Way, typed: Any) -> None:
    assert refresh(RETAIL, project_id=typed).outcome["state"] == "finished"


@every_way
@pytest.mark.parametrize("typed", ["", "  ", None, -7, True, ["mstr_default"]], ids=repr)
def test_a_connection_id_that_is_none_is_refused(refresh: Way, typed: Any, mstr_sandbox: Sandbox) -> None:
    refused(refresh(RETAIL, mstr_conn_id=typed).error, f"mstr_conn_id is {typed!r}")
    unasked(mstr_sandbox)


@pytest.mark.parametrize(
    "make",
    [
        lambda handle: MstrPublishDataModelOperator(task_id="publish", instance=handle),
        lambda handle: MstrPublishStatusSensor(task_id="wait", instance=handle),
        lambda handle: MstrPublishStatusSensor(task_id="wait", instance=handle, deferrable=True),
    ],
    ids=["publish", "wait", "wait, deferred"],
)
@pytest.mark.parametrize(
    "handle",
    [
        *("", "None", None, "[]", {}, {"session": "x"}, 5),
        *("{'project_id': 1}", RETAIL, [RETAIL], {"kind": ["data_model"]}),
        *({"kind": "data_model"}, {"kind": "data_model", "session": "x"}),
    ],
    ids=repr,
)
def test_what_is_no_handle_is_refused(make: Callable[[Any], Any], handle: Any, mstr_sandbox: Sandbox) -> None:
    refused(
        perform(lambda: make(handle)).error,
        f"instance is {reprlib.repr(handle)}, not a handle of a refresh",
        kind=InvalidHandle,
    )
    unasked(mstr_sandbox)


@pytest.mark.parametrize("handle", [None, "", " ", "None", "null"], ids=repr)
def test_delete_succeeds_where_nothing_was_created(handle: Any, mstr_sandbox: Sandbox) -> None:
    task = perform(lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance=handle))

    assert (task.error, task.result) == (None, None)
    unasked(mstr_sandbox)


@pytest.mark.parametrize("handle", ["[]", [], {}, {"session": "x"}, 5, 0, RETAIL], ids=repr)
def test_delete_refuses_what_is_no_handle(handle: Any, mstr_sandbox: Sandbox) -> None:
    task = perform(lambda: MstrDeleteDataModelInstanceOperator(task_id="delete", instance=handle))

    refused(task.error, f"instance is {reprlib.repr(handle)}", kind=InvalidHandle)
    unasked(mstr_sandbox)


# tables and policies


@every_way
@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ("", "tables is ''"),
        ("  ", "tables is '  '"),
        ("None", "tables is 'None'"),
        ("null", "leave tables out"),
        ("[]", "tables is empty"),
        ("{}", "tables is empty"),
        ([], "tables is empty"),
        ({}, "tables is empty"),
        ((), "tables is empty"),
        ('""', "tables contains ''"),
        ([""], "tables contains ''"),
        (["ytd_day", " "], "tables contains ' '"),
        ('["ytd_day", ""]', "tables contains ''"),
        ([None], "tables contains None"),
        ([-7], "tables contains -7"),
        ([7.0], "render_template_as_native_obj"),
        ([True], "tables contains True"),
        ([["ytd_day"]], "tables contains ['ytd_day']"),
        ("[['ytd_day']]", "tables contains ['ytd_day']"),
        ([{"name": "ytd_day"}], "tables contains {'name': 'ytd_day'}"),
        ('[{"id": "a", "policy": "add"}]', "tables contains {'id': 'a', 'policy': 'add'}"),
        ({7.5: "add"}, "tables contains 7.5"),
        ({"": "add"}, "tables contains ''"),
        (-7, "not -7"),
        (0.5, "not 0.5"),
        (True, "not True"),
        (False, "not False"),
        (b"ytd_day", "not b'ytd_day'"),
        (set(), "tables is empty"),
        (frozenset(), "tables is empty"),
        pytest.param({"ytd_day", 0.5}, "tables contains 0.5", id="set"),
        (["ytd_day", "ytd_day"], "the table ytd_day twice"),
        (["ytd_day", " ytd_day"], "the table ytd_day twice"),
        (UserList(["a", "a"]), "the table a twice"),
        ([YTD_DAY, YTD_DAY.lower()], f"the table {YTD_DAY} twice"),
        ("['ytd_day', 'ytd_day']", "the table ytd_day twice"),
        ('{"ytd_day": "add", "ytd_day": "replace"}', "the table ytd_day twice"),
        ("{'ytd_day': 'add', 'ytd_day': None}", "the table ytd_day twice"),
        ({"ytd_day": "overwrite"}, "'ytd_day' in tables is 'overwrite'; it must be one of: replace, add,"),
        ('{"ytd_day": "overwrite"}', "'ytd_day' in tables is 'overwrite'"),
        ({"ytd_day": ""}, "'ytd_day' in tables is ''"),
        ({"ytd_day": 1}, "'ytd_day' in tables is 1"),
        ({"ytd_day": True}, "'ytd_day' in tables is True"),
        ({"ytd_day": ["add"]}, "'ytd_day' in tables is ['add']"),
        ({"ytd_day": {"policy": "add"}}, "'ytd_day' in tables is {'policy': 'add'}"),
    ],
    ids=repr,
)
def test_tables_that_make_no_sense_are_refused(
    refresh: Way, tables: Any, words: str, mstr_sandbox: Sandbox
) -> None:
    refreshed = refresh(RETAIL, tables=tables)

    refused(refreshed.error, "tables", words)
    unpublished(refreshed, mstr_sandbox)


@every_way
def test_tables_that_come_only_once_are_refused(refresh: Way, mstr_sandbox: Sandbox) -> None:
    refreshed = refresh(RETAIL, tables=(name for name in ["ytd_day"]))

    refused(refreshed.error, "tables must be a list or a mapping", "generator")
    unpublished(refreshed, mstr_sandbox)


@every_way
@pytest.mark.parametrize(
    ("tables", "words", "kind"),
    [
        (["ytd_day", "no_such_table"], ["'no_such_table'", "city_mnth_sls"], NotFound),
        ("no_such_table", ["'no_such_table'"], NotFound),
        ("ytd_day, lu_store", ["'ytd_day, lu_store'"], NotFound),
        ("True", ["'True'"], NotFound),
        ("7", ["'7'"], NotFound),
        (7, ["'7'"], NotFound),
        ([7], ["'7'"], NotFound),
        ("[ytd_day]", ["'[ytd_day]'"], NotFound),
        ("['ytd_day'", ["\"['ytd_day'\""], NotFound),
        (["ytd_day", YTD_DAY], [f"the table {YTD_DAY} twice"], InvalidInput),
        ({"ytd_day": "add", "YTD_DAY": "replace"}, [f"the table {YTD_DAY} twice"], InvalidInput),
    ],
    ids=repr,
)
def test_tables_that_only_the_model_shows_to_be_wrong_are_refused_before_the_publish(
    refresh: Way, tables: Any, words: list[str], kind: type[MstrError], mstr_sandbox: Sandbox
) -> None:
    refreshed = refresh(RETAIL, tables=tables)

    refused(refreshed.error, *words, kind=kind)
    unpublished(refreshed, mstr_sandbox, "list_tables")


@every_way
@pytest.mark.parametrize("policy", ["overwrite", "", "None", None, 1, ["add"], {}], ids=repr)
@pytest.mark.parametrize("tables", [None, {"ytd_day": "add"}], ids=repr)
def test_a_policy_that_does_not_exist_is_refused(
    refresh: Way, policy: Any, tables: Any, mstr_sandbox: Sandbox
) -> None:
    refreshed = refresh(RETAIL, tables=tables, refresh_policy=policy)

    refused(refreshed.error, f"refresh_policy is {policy!r}; it must be one of: replace, add, update, upsert")
    unpublished(refreshed, mstr_sandbox)


# the connection


@every_way
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": ""}, "no host"),
        ({"host": "  "}, "no host"),
        ({"host": "not a url"}, "host"),
        ({"host": "https://"}, "host"),
        ({"host": "https:///MicroStrategyLibrary"}, "host"),
        ({"host": "ftp://library.example.com"}, "ftp://"),
        ({"host": "jdbc:mstr://library.example.com"}, "Library URL"),
        ({"host": "https://library.example.com:port"}, "port"),
        ({"host": "https://library.example.com:70000"}, "port"),
        ({"host": "library.example.com", "port": 70000}, "port 70000"),
        ({"host": "https://administrator:hunter2@library.example.com"}, "contains a login"),
        ({"login": ""}, "login_mode standard, but no login"),
        ({"login": None, "extra": {"login_mode": "ldap"}}, "login_mode ldap, but no login"),
        ({"password": "", "extra": {"login_mode": "api_token"}}, "no token in its password"),
        ({"schema": ""}, "no project: give project_id"),
        ({"schema": None}, "no project: give project_id"),
        ({"extra": {"login_mode": "saml"}}, "login_mode is 'saml'; it must be one of: standard"),
        ({"extra": {"login_mode": 2}}, "login_mode is '2'; it must be one of"),
        ({"extra": {"login_mode": ["ldap"]}}, "login_mode"),
        ({"extra": {"verify": "/nowhere/ca.pem"}}, "'/nowhere/ca.pem' (verify of the connection)"),
        ({"extra": {"verify": "ca\0.pem"}}, "verify of the connection"),
        ({"extra": {"verify": ["/ca.pem"]}}, "verify of the connection"),
        ({"extra": {"timeout": 0}}, "the connection's timeout is 0"),
        ({"extra": {"timeout": -1}}, "the connection's timeout is -1"),
        ({"extra": {"timeout": math.nan}}, "the connection's timeout is nan"),
        ({"extra": {"timeout": math.inf}}, "the connection's timeout is inf"),
        ({"extra": {"timeout": 1e20}}, "the connection's timeout is 1e+20"),
        ({"extra": {"timeout": "soon"}}, "the connection's timeout is 'soon'"),
        ({"extra": {"timeout": [30]}}, "the connection's timeout is [30]"),
        *(
            pytest.param(
                {"extra": text},
                "the connection's extra is not a JSON object",
                marks=needs.CONNECTION_AS_GIVEN,
            )
            for text in ("[30]", "30", '"ldap"')
        ),
    ],
    ids=repr,
)
def test_a_connection_that_makes_no_sense_is_refused(
    refresh: Way,
    fields: dict[str, Any],
    words: str,
    mstr_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = json.loads(mstr_sandbox.airflow_connection()) | fields
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", json.dumps(connection))

    error = refresh(RETAIL).error

    refused(error, words)
    assert "hunter2" not in str(error)
    unasked(mstr_sandbox)


# what no template fills in is refused where the DAG is read


def in_a_group(**arguments: Any) -> Any:
    import pendulum
    from airflow.providers.common.compat.sdk import DAG

    with DAG("dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
        return refresh_data_model(data_model_id=RETAIL, **arguments)


def in_one_task(**arguments: Any) -> Any:
    return MstrRefreshDataModelOperator(task_id="refresh", data_model_id=RETAIL, **arguments)


def in_the_publish_task(**arguments: Any) -> Any:
    return MstrPublishDataModelOperator(task_id="publish", instance={}, **arguments)


def in_the_sensor(**arguments: Any) -> Any:
    return MstrPublishStatusSensor(task_id="wait", instance={}, **arguments)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (in_one_task, "timeout"),
        (in_one_task, "poll_interval"),
        (in_the_publish_task, "timeout"),
        (in_the_sensor, "timeout"),
        (in_the_sensor, "poke_interval"),
        (in_a_group, "timeout"),
        (in_a_group, "poll_interval"),
    ],
)
@pytest.mark.parametrize(
    "typed",
    [
        0,
        -1,
        math.nan,
        math.inf,
        -math.inf,
        1e20,
        10**400,
        "soon",
        "",
        "None",
        None,
        True,
        [30],
        timedelta(0),
        timedelta(seconds=-1),
        timedelta.max,
    ],
    ids=lambda typed: repr(typed)[:20],
)
def test_a_time_limit_that_makes_no_sense_is_refused(
    make: Callable[..., Any], argument: str, typed: Any
) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(**{argument: typed})
    assert str(caught.value).startswith(f"{argument} is {typed!r}, which is ")


@pytest.mark.parametrize("make", [in_one_task, in_the_publish_task, in_a_group])
@pytest.mark.parametrize("typed", ["", "WAIT", "queue", None, True, 0, ["wait"], {}], ids=repr)
def test_what_to_do_where_the_model_is_busy_is_one_of_two_things(
    make: Callable[..., Any], typed: Any
) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(when_busy=typed)
    assert str(caught.value) == f"when_busy is {typed!r}; it must be one of: wait, fail"


BOOLEANS = [
    (in_one_task, "deferrable"),
    (in_one_task, "verify_last_update"),
    (in_the_publish_task, "verify_last_update"),
    (in_the_sensor, "deferrable"),
]


@pytest.mark.parametrize(("make", "argument"), BOOLEANS)
@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("True", True),
        ("False", False),
        (" yes\n", True),
        ("NO", False),
        ("on", True),
        ("off", False),
        ("1", True),
        ("0", False),
        ("t", True),
        ("n", False),
    ],
    ids=repr,
)
def test_a_boolean_may_be_a_word_of_airflows_configuration(
    make: Callable[..., Any], argument: str, typed: Any, value: bool
) -> None:
    assert getattr(make(**{argument: typed}), argument) is value


@pytest.mark.parametrize(
    ("make", "argument"), [*BOOLEANS, (in_a_group, "deferrable"), (in_a_group, "verify_last_update")]
)
@pytest.mark.parametrize(
    "typed",
    [None, "", "None", "maybe", "{{ params.wait }}", 2, -1, 0.5, math.nan, [], [True], {}, b"no"],
    ids=repr,
)
def test_what_is_no_boolean_is_refused_where_the_dag_is_read(
    make: Callable[..., Any], argument: str, typed: Any
) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(**{argument: typed})
    assert str(caught.value) == f"{argument} is {typed!r}; it must be True or False"


def test_the_setup_is_refused_as_the_refresh_is(mstr_sandbox: Sandbox) -> None:
    create = perform(lambda: MstrCreateDataModelInstanceOperator(task_id="create", data_model_id=DASHED))

    refused(create.error, repr(DASHED))
    unasked(mstr_sandbox)
