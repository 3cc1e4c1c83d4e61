# SPDX-License-Identifier: Apache-2.0
"""Parts of Airflow that older versions have in another module, or do not have."""

from __future__ import annotations

from inspect import signature
from typing import Any

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag  # type: ignore[no-redef]

try:
    from airflow.sdk.listener import get_listener_manager
except ImportError:
    from airflow.listeners.listener import get_listener_manager  # type: ignore[assignment]

__all__ = ["DagBag", "dags_of", "get_listener_manager"]


def dags_of(dags_folder: str) -> dict[str, Any]:
    """Return the DAGs of a folder by their ids, ready for ``dag.test()``.

    :param dags_folder: the folder, Airflow's own DAGs folder
    """
    bag: Any = DagBag(dags_folder)
    if "bundle_name" in signature(getattr(bag, "sync_to_db", lambda: None)).parameters:
        # Airflow 3.0 tests no task with an asset that it has not taken down before.
        from airflow.dag_processing.bundles.manager import DagBundlesManager

        bundles: Any = DagBundlesManager
        bundles().sync_bundles_to_db()
        bag.sync_to_db("dags-folder", None)
    return dict(bag.dags)
