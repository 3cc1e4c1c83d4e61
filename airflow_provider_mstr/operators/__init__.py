# SPDX-License-Identifier: Apache-2.0
"""The operators."""

from airflow_provider_mstr.operators.cube import MstrRefreshCubeOperator
from airflow_provider_mstr.operators.data_model import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)
from airflow_provider_mstr.operators.report import MstrRunIncrementalRefreshOperator

__all__ = [
    "MstrCreateDataModelInstanceOperator",
    "MstrDeleteDataModelInstanceOperator",
    "MstrPublishDataModelOperator",
    "MstrRefreshCubeOperator",
    "MstrRefreshDataModelOperator",
    "MstrRunIncrementalRefreshOperator",
]
