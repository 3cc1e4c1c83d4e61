# SPDX-License-Identifier: Apache-2.0
"""A refresh in OpenLineage's own words. Imported only where OpenLineage listens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow.providers.common.compat.openlineage.facet import Dataset, RunFacet
from airflow.providers.openlineage.extractors import OperatorLineage
from attrs import define

from airflow_provider_mstr.observability.lineage import DatasetId, Lineage
from airflow_provider_mstr.observability.summary import noteworthy
from airflow_provider_mstr.refresh.result import RefreshResult

# Events are sent and stored whole, so a data model of thousands of tables must not fill them.
MOST_TABLES = 500


@define
class MstrRefreshRunFacet(RunFacet):
    """How a refresh ended: as the result in XCom has it, the most noteworthy tables first."""

    state: str
    tablesConfirmed: bool  # noqa: N815
    seconds: float
    tableCount: int  # noqa: N815 - as OpenLineage spells its fields
    tables: list[dict[str, Any]]


def operator_lineage(lineage: Lineage, result: RefreshResult | None) -> OperatorLineage[Any, Any]:
    """Return what OpenLineage receives from an operator.

    :param lineage: what the task loads, and from what
    :param result: how the refresh ended; None if the task has only started it
    """
    return OperatorLineage(
        inputs=[dataset(source) for source in lineage.sources],
        outputs=[dataset(lineage.output)],
        run_facets={} if result is None else {"mstr_refresh": _refresh(result)},
    )


def dataset(dataset_id: DatasetId) -> Dataset:
    """Return a dataset.

    :param dataset_id: what OpenLineage knows it by
    """
    return Dataset(namespace=dataset_id.namespace, name=dataset_id.name)


def _refresh(result: RefreshResult) -> MstrRefreshRunFacet:
    data = replace(result, tables=tuple(noteworthy(result.tables)[:MOST_TABLES])).to_json()
    return MstrRefreshRunFacet(
        state=data["state"],
        tablesConfirmed=data["tables_confirmed"],
        seconds=data["seconds"],
        tableCount=len(result.tables),
        tables=data["tables"],
    )
