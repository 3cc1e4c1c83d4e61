# SPDX-License-Identifier: Apache-2.0
"""The operators."""

from airflow_provider_mstr.operators.cube import MstrRefreshCubeOperator, MstrRunIncrementalRefreshOperator
from airflow_provider_mstr.operators.data_model import (
    MstrCreateDataModelInstanceOperator,
    MstrDeleteDataModelInstanceOperator,
    MstrPublishDataModelOperator,
    MstrRefreshDataModelOperator,
)

__all__ = [
    "MstrCreateDataModelInstanceOperator",
    "MstrDeleteDataModelInstanceOperator",
    "MstrPublishDataModelOperator",
    "MstrRefreshCubeOperator",
    "MstrRefreshDataModelOperator",
    "MstrRunIncrementalRefreshOperator",
]
