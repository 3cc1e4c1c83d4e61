# SPDX-License-Identifier: Apache-2.0
"""Lets each process that imports this derive keys at once: their cost is for those who guess passwords."""

from __future__ import annotations

from airflow_provider_mstr.refresh import sealing

SCRYPT_COST = sealing.SCRYPT_COST

# Each sandbox has another address, and so each test another key.
sealing.SCRYPT_COST = 2
