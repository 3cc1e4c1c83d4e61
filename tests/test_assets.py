# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from airflow_provider_mstr.assets import data_model_asset

RETAIL = "9F4772B837604551B4D3CC916ADC5598"


def test_a_data_model_is_one_asset_however_its_id_is_cased() -> None:
    assert (
        data_model_asset(RETAIL.lower()).uri
        == data_model_asset(RETAIL).uri
        == f"mstr://mstr_default/{RETAIL}"
    )


def test_the_same_id_on_another_server_is_another_asset() -> None:
    assert data_model_asset(RETAIL, "other").uri != data_model_asset(RETAIL).uri


def test_an_asset_takes_a_name_and_a_group_as_every_asset_does() -> None:
    asset = data_model_asset(RETAIL, name="retail", group="models")

    assert (asset.name, asset.group) == ("retail", "models")
