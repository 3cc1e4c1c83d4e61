# SPDX-License-Identifier: Apache-2.0
"""The link from a task to its object in Strategy Library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

if TYPE_CHECKING:
    from airflow_provider_mstr.connection.server import LibraryServer

LINK_KEY = "mstr_link"


class MstrLink(BaseOperatorLink):
    """Opens the object that the task refreshes."""

    name = "Open in Strategy"

    @property
    def xcom_key(self) -> str:
        """The XCom that holds the address: Airflow's web server asks nobody else."""
        return LINK_KEY

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address that the task pushed, or nothing.

        :param operator: the task's operator
        :param ti_key: which task instance
        """
        from airflow.providers.common.compat.sdk import XCom

        return (_database_xcom() or XCom).get_value(key=LINK_KEY, ti_key=ti_key) or ""


def push_link(context: Context, server: LibraryServer, kind: str, object_id: str, project_id: str) -> None:
    """Put the link on the task, to be seen from then on.

    :param context: the task's context
    :param server: the Library server
    :param kind: the kind of object
    :param object_id: the object's id
    :param project_id: the project's id or name
    """
    from airflow_provider_mstr.refresh.kinds import JOBS

    ti, link = context["ti"], server.link(kind, JOBS[kind].link_path, object_id, project_id)
    if (xcom := _database_xcom()) is None:
        ti.xcom_push(key=LINK_KEY, value=link)
    else:
        xcom.set(key=LINK_KEY, value=link, **identify(ti))


def identify(ti: Any) -> dict[str, Any]:
    """Return the fields that identify a task instance, under which its XComs are stored.

    :param ti: the task instance
    """
    return {name: getattr(ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}


def _database_xcom() -> Any:
    """Return Airflow's own XCom class if Airflow 3 has a custom XCom backend, else None.

    The API server of Airflow 3 parse links from the database, without the backend.
    """
    try:
        from airflow.sdk.bases.xcom import BaseXCom
    except ImportError:
        return None
    from airflow.providers.common.compat.sdk import XCom

    return None if XCom is BaseXCom else BaseXCom
