# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset
from workers import perform

from airflow_provider_mstr.assets import data_model_asset, to_openlineage
from airflow_provider_mstr.operators import MstrRefreshDataModelOperator
from airflow_provider_mstr.sandbox import PublishFailure, Sandbox

RETAIL = "9F4772B837604551B4D3CC916ADC5598"
FINANCE = "3E5D1A7C4F8B4B0E9A6C2D8F1E7B5A90"


def test_a_data_model_is_one_asset_however_its_id_is_cased() -> None:
    assert (
        data_model_asset(RETAIL.lower()).uri
        == data_model_asset(RETAIL).uri
        == f"mstr://mstr_default/{RETAIL}"
    )


def test_the_same_id_on_another_server_is_another_asset() -> None:
    assert data_model_asset(RETAIL, "other").uri != data_model_asset(RETAIL).uri


@pytest.mark.skipif(not hasattr(Asset("x-file://report"), "group"), reason="this Airflow's have neither")
def test_an_asset_takes_a_name_and_a_group_as_every_asset_does() -> None:
    asset = data_model_asset(RETAIL, name="retail", group="models")

    assert (asset.name, asset.group) == ("retail", "models")


@pytest.mark.parametrize(
    "written",
    [
        f"mstr://mstr_default/{RETAIL}",
        f"mstr://mstr_default/{RETAIL.lower()}/",
        f"MSTR://mstr_default/{RETAIL}#chapter",
    ],
)
def test_an_address_that_is_written_by_hand_is_the_same_asset(written: str) -> None:
    assert Asset(uri=written).uri == data_model_asset(RETAIL).uri


@pytest.mark.parametrize("conn_id", ["prod/emea", "prod emea", "prod:1", "prod@home", "Prod", "ünïcode"])
def test_any_connection_id_makes_an_asset_of_its_own(conn_id: str) -> None:
    asset = data_model_asset(RETAIL, conn_id)

    assert Asset(uri=asset.uri).uri == asset.uri
    assert asset.uri != data_model_asset(RETAIL, conn_id.swapcase()).uri


@pytest.mark.parametrize(
    "make",
    [
        lambda: Asset(uri="mstr://mstr_default"),
        lambda: Asset(uri="mstr://mstr_default/Retail"),
        lambda: Asset(uri=f"mstr://mstr_default/{RETAIL}/{FINANCE}"),
        lambda: Asset(uri=f"mstr://mstr_default/{RETAIL}?project=Sales"),
        lambda: Asset(uri=f"mstr:///{RETAIL}"),
        lambda: data_model_asset("Retail"),
    ],
)
def test_what_names_no_data_model_is_refused_in_words(
    make: Callable[[], Asset], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Airflow 2 only warns unless it is told to be as strict as Airflow 3.
    monkeypatch.setenv("AIRFLOW__CORE__STRICT_DATASET_URI_VALIDATION", "True")
    with pytest.raises(ValueError, match="write mstr://<connection id>/<object id>"):
        make()


def test_a_hook_that_reports_lineage_can_make_the_asset_by_its_parts() -> None:
    lineage = pytest.importorskip("airflow.sdk.lineage")

    made = lineage.HookLineageCollector().create_asset(
        scheme="mstr",
        uri=None,
        name=None,
        group=None,
        asset_kwargs={"data_model_id": RETAIL, "mstr_conn_id": "other"},
        asset_extra={"by": "hook"},
    )

    assert (made.uri, made.extra) == (data_model_asset(RETAIL, "other").uri, {"by": "hook"})


def test_openlineage_knows_an_asset_by_its_server_and_project(mstr_connection: str) -> None:
    utils = pytest.importorskip("airflow.providers.openlineage.utils.utils")

    known = utils.translate_airflow_asset(data_model_asset(RETAIL), None)

    assert known.namespace.startswith("mstr://127.0.0.1:")
    assert known.name == f"Tutorial/{RETAIL}"


def test_openlineage_knows_no_asset_whose_connection_names_no_project(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    connection = json.loads(mstr_sandbox.airflow_connection()) | {"schema": ""}
    monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", json.dumps(connection))

    assert to_openlineage(data_model_asset(RETAIL, "nowhere"), None) is None


def refreshed(*outlets: Any, **more: Any) -> Any:
    return perform(
        lambda: MstrRefreshDataModelOperator(
            task_id="refresh", data_model_id=RETAIL, outlets=list(outlets), **more
        )
    )


@pytest.mark.usefixtures("mstr_connection", "brisk")
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_event_of_the_refreshed_model_alone_carries_the_result(
    deferrable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ours, other = data_model_asset(RETAIL), data_model_asset(FINANCE)
    elsewhere, file = data_model_asset(RETAIL, "other"), Asset("x-file://report")

    task = refreshed(ours, other, elsewhere, file, deferrable=deferrable)

    assert task.error is None
    assert {uri: event.extra for uri, event in task.outlet_events.items()} == {
        ours.uri: {"refresh": task.result}
    }
    (warning,) = (line.getMessage() for line in caplog.records if "outlets too" in line.getMessage())
    assert f"has refreshed {ours.uri}, but has {other.uri}, {elsewhere.uri} as outlets too" in warning


@pytest.mark.usefixtures("mstr_connection", "brisk")
def test_a_task_whose_outlets_are_its_own_model_and_other_things_is_not_warned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert refreshed(data_model_asset(RETAIL), Asset("x-file://report")).error is None

    assert "outlets too" not in caplog.text


@pytest.mark.usefixtures("mstr_connection", "brisk")
@pytest.mark.mstr_sandbox(publish_failure=PublishFailure("error"))
def test_a_refresh_that_failed_says_nothing_in_an_event() -> None:
    task = refreshed(data_model_asset(RETAIL))

    assert task.error is not None
    assert not task.outlet_events
