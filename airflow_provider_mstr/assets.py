# SPDX-License-Identifier: Apache-2.0
"""Data models as Airflow assets."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Asset, Context

from airflow_provider_mstr.connection import DEFAULT_CONN_ID
from airflow_provider_mstr.refresh import RefreshOutcome

SCHEME = "mstr"


def data_model_asset(data_model_id: str, mstr_conn_id: str = DEFAULT_CONN_ID, **more: Any) -> Asset:
    """Return the asset that stands for a data model: an outlet of its refresh, a schedule of what needs it.

    :param data_model_id: the data model's id
    :param mstr_conn_id: the Airflow connection of the server that holds it
    :param more: further arguments of ``Asset``, such as ``name`` and ``group``
    """
    return Asset(uri=f"{SCHEME}://{mstr_conn_id}/{data_model_id.upper()}", **more)


def attach_outcome(context: Context, outlets: list[Any], outcome: RefreshOutcome) -> None:
    """Let the event of each data model among the outlets carry the outcome.

    :param context: the task's context
    :param outlets: the task's outlets
    :param outcome: how the refresh ended
    """
    for outlet in outlets:
        if isinstance(outlet, Asset) and outlet.uri.startswith(f"{SCHEME}://"):
            context["outlet_events"][outlet].extra = {"refresh": outcome.to_json()}
