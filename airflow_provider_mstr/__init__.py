# SPDX-License-Identifier: Apache-2.0
"""Refresh Strategy (MicroStrategy) Mosaic data models and cubes from Apache Airflow."""

from __future__ import annotations

__version__ = "0.1.0"
