# SPDX-License-Identifier: Apache-2.0
"""The pauses of a refresh, shortened."""

from __future__ import annotations

import pytest
import tenacity


def shorten_pauses(patch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses that are there for real servers and a real triggerer.

    :param patch: what undoes it
    """
    from airflow_provider_mstr import triggers
    from airflow_provider_mstr.probe import flow
    from airflow_provider_mstr.refresh import cube, data_model, poller, start
    from airflow_provider_mstr.rest import retry
    from airflow_provider_mstr.rest.endpoints import auth
    from airflow_provider_mstr.task import refresh

    patch.setattr(retry, "_backoff", tenacity.wait_fixed(0.02))
    patch.setattr(poller, "MIN_PAUSE", 0.02)
    patch.setattr(poller, "LAST_UPDATE_PAUSE", 0.02)
    patch.setattr(poller, "MAX_IDLE_SECONDS", 0.1)
    patch.setattr(poller, "KILL_SECONDS", 0.01)
    patch.setattr(refresh, "WORKER_SECONDS", 0.01)
    patch.setattr(triggers, "FIRST_PAUSE", 0.01)
    patch.setattr(start, "BUSY_PAUSE", 0.02)
    patch.setattr(start, "SETTLE_PAUSE", 0.02)
    for kind in (cube, data_model):
        patch.setattr(kind, "CONFIRMATION_PAUSE", 0.01)
        patch.setattr(kind, "MAX_SECONDS_TO_FIND_OUT", 0.1)
        patch.setattr(kind, "FIND_OUT_PAUSE", 0.02)
    patch.setattr(flow, "MIN_PAUSE", 0.02)
    patch.setattr(flow, "PAUSE_AFTER_END", 0.02)
    patch.setattr(flow, "QUIET_SECONDS", 0.1)
    patch.setattr(flow, "LONG_QUIET_SECONDS", 0.3)
    patch.setattr(auth, "LOGOUT_PAUSE", 0.01)
