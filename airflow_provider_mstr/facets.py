# SPDX-License-Identifier: Apache-2.0
"""A refresh in OpenLineage's own words. Imported only where OpenLineage listens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow.providers.common.compat.openlineage.facet import Dataset, RunFacet
from airflow.providers.openlineage.extractors import OperatorLineage
from attrs import define

from airflow_provider_mstr.lineage import Lineage, Place
from airflow_provider_mstr.refresh import RefreshOutcome
from airflow_provider_mstr.summary import noteworthy

# Events are sent and stored whole, so a data model of thousands of tables must not fill them.
MOST_TABLES = 500


@define
class MstrRefreshRunFacet(RunFacet):
    """How a refresh ended: as the outcome in XCom has it, the most noteworthy tables first."""

    state: str
    proven: bool
    seconds: float
    tableCount: int  # noqa: N815 - as OpenLineage spells its fields
    tables: list[dict[str, Any]]


def operator_lineage(lineage: Lineage, outcome: RefreshOutcome | None) -> OperatorLineage[Any, Any]:
    """Return what an operator tells OpenLineage.

    :param lineage: what the task loads, and from what
    :param outcome: how the refresh ended; None where the task has only begun it
    """
    return OperatorLineage(
        inputs=[dataset(source) for source in lineage.sources],
        outputs=[dataset(lineage.model)],
        run_facets={} if outcome is None else {"mstr_refresh": _refresh(outcome)},
    )


def dataset(place: Place) -> Dataset:
    """Return a dataset.

    :param place: what OpenLineage knows it by
    """
    return Dataset(namespace=place.namespace, name=place.name)


def _refresh(outcome: RefreshOutcome) -> MstrRefreshRunFacet:
    told = replace(outcome, tables=tuple(noteworthy(outcome.tables)[:MOST_TABLES])).to_json()
    return MstrRefreshRunFacet(
        state=told["state"],
        proven=told["proven"],
        seconds=told["seconds"],
        tableCount=len(outcome.tables),
        tables=told["tables"],
    )
