# SPDX-License-Identifier: Apache-2.0
"""What lets everybody in on Airflow 2, as ``simple_auth_manager_all_admins`` does on Airflow 3."""

from __future__ import annotations

AUTH_ROLE_PUBLIC = "Admin"
