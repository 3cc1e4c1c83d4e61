# SPDX-License-Identifier: Apache-2.0
"""Jobs as tests write them."""

from __future__ import annotations

from airflow_provider_mstr.refresh.data_model import DataModelJob
from airflow_provider_mstr.refresh.last_update import NO_LAST_UPDATE, LastUpdate
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh


def job_of(
    instance: DataModelInstance,
    tables: tuple[TableRefresh, ...] = (),
    started_at: float | None = None,
    last_update: LastUpdate = NO_LAST_UPDATE,
    concurrent_refresh: bool = False,
) -> DataModelJob:
    """Return the job of an instance."""
    return DataModelJob(
        instance.session,
        instance.project_id,
        instance.data_model_id,
        instance.data_model_name,
        tables=tables,
        started_at=started_at,
        last_update=last_update,
        concurrent_refresh=concurrent_refresh,
        instance_id=instance.instance_id,
    )
