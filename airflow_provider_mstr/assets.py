# SPDX-License-Identifier: Apache-2.0
"""Data models and cubes as Airflow assets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow.providers.common.compat.sdk import Asset, Context

from airflow_provider_mstr.refresh.options import DEFAULT_CONN_ID
from airflow_provider_mstr.rest.text import is_id

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset

    from airflow_provider_mstr.refresh.result import RefreshResult

SCHEME = "mstr"

log = logging.getLogger(__name__)


def data_model_asset(data_model_id: str, mstr_conn_id: str = DEFAULT_CONN_ID, **more: Any) -> Asset:
    """Return the asset of a data model: an outlet of its refresh, and a schedule for other DAGs.

    :param data_model_id: the data model's id
    :param mstr_conn_id: the Airflow connection of its server
    :param more: further arguments of ``Asset``, such as ``name`` and ``group``
    :raises ValueError: if the id is invalid
    """
    return _asset(data_model_id, mstr_conn_id, **more)


def cube_asset(cube_id: str, mstr_conn_id: str = DEFAULT_CONN_ID, **more: Any) -> Asset:
    """Return the asset of a cube: an outlet of its refresh, and a schedule for other DAGs.

    :param cube_id: the cube's id
    :param mstr_conn_id: the Airflow connection of its server
    :param more: further arguments of ``Asset``, such as ``name`` and ``group``
    :raises ValueError: if the id is invalid
    """
    return _asset(cube_id, mstr_conn_id, **more)


def _asset(object_id: str, mstr_conn_id: str, **more: Any) -> Asset:
    # Airflow 2 only warns of an address that is refused.
    uri = sanitize_uri(urlsplit(_uri(object_id, mstr_conn_id)))
    return Asset(uri=uri.geturl(), **more)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the normal form of an object's URI, for Airflow.

    :param uri: an address of the scheme ``mstr``
    :raises ValueError: if it is not ``mstr://<connection>/<id>``
    """
    conn_id, object_id = unquote(uri.netloc), uri.path.strip("/").upper()
    if not conn_id or not is_id(object_id) or uri.query:
        raise ValueError(
            f"{uri.geturl()} is not a data model or cube: write mstr://<connection id>/<object id>, where "
            "the latter has 32 hexadecimal digits"
        )
    return urlsplit(_uri(object_id, conn_id))


def to_openlineage(asset: Asset, lineage_context: Any) -> Dataset | None:
    """Return the OpenLineage dataset of a data model or cube; None if its connection has no project.

    :param asset: the asset
    :param lineage_context: the hook or operator of the request
    """
    from airflow_provider_mstr.hooks import MstrHook
    from airflow_provider_mstr.observability.facets import dataset
    from airflow_provider_mstr.observability.lineage import object_dataset

    uri = urlsplit(asset.uri)
    server = MstrHook(unquote(uri.netloc)).server
    return dataset(object_dataset(server, server.project, uri.path.strip("/"))) if server.project else None


def attach_result(context: Context, outlets: list[Any], result: RefreshResult, mstr_conn_id: str) -> None:
    """Add the result to the event of the refreshed object, if it is among the outlets.

    :param context: the task's context
    :param outlets: the task's outlets
    :param result: how the refresh ended
    :param mstr_conn_id: the Airflow connection of the object's server
    """
    refreshed = _uri(result.cube_id, mstr_conn_id)
    ours = [each for each in outlets if isinstance(each, Asset) and urlsplit(each.uri).scheme == SCHEME]
    for outlet in ours:
        if outlet.uri == refreshed:
            context["outlet_events"][outlet].extra = {"refresh": result.to_json()}
    if others := [outlet.uri for outlet in ours if outlet.uri != refreshed]:
        log.warning(
            "This task has refreshed %s, but has %s as outlets too: their events say that they were "
            "updated, and carry no result",
            refreshed,
            ", ".join(others),
        )


def _uri(object_id: str, mstr_conn_id: str) -> str:
    return f"{SCHEME}://{quote(mstr_conn_id, safe='')}/{object_id.strip().upper()}"
