# SPDX-License-Identifier: Apache-2.0
"""The Strategy Library REST API: bytes in, values out. No Airflow, no sockets, no clock."""
