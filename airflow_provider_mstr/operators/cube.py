# SPDX-License-Identifier: Apache-2.0
"""The operators that load a cube: as a whole, or with an incremental refresh report."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, Context, conf

from airflow_provider_mstr.operators.arguments import NOTSET, NotSet, Templated
from airflow_provider_mstr.operators.refresh import RefreshTask
from airflow_provider_mstr.refresh.options import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    WhenBusy,
)

if TYPE_CHECKING:
    from airflow_provider_mstr.refresh.cube import CubeSpec
    from airflow_provider_mstr.refresh.report import ReportSpec


class MstrRefreshCubeOperator(RefreshTask, BaseOperator):
    """Refreshes an Intelligent cube or super cube: one task, one session, closed on every path.

    Give either ``cube_id`` or ``cube``.

    :param cube_id: the cube's id (templated)
    :param cube: the cube's name, which must be unique in the project (templated)
    :param project_id: the project's id or name; by default the connection's project (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: maximum seconds between two checks of the job
    :param timeout: maximum seconds of the load, counted from the start that the server accepts
    :param when_busy: ``wait`` for another job that loads the cube, or ``fail`` at once
    :param verify_last_update: whether to compare the cube's last update if the job does not show the end
    """

    kind: ClassVar[str] = "cube"
    cube_id = Templated(is_id=True)
    cube = Templated()
    template_fields = ("cube_id", "cube", "project_id", "mstr_conn_id")

    def __init__(
        self,
        *,
        cube_id: str | None = None,
        cube: str | None = None,
        project_id: str | NotSet | None = NOTSET,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        when_busy: str = WhenBusy.WAIT.value,
        verify_last_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            object_id=cube_id,
            name=cube,
            project_id=project_id,
            mstr_conn_id=mstr_conn_id,
            deferrable=deferrable,
            poll_interval=poll_interval,
            timeout=timeout,
            when_busy=when_busy,
            verify_last_update=verify_last_update,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Refresh the cube, and return the result.

        :param context: the task's context
        """
        return self.refresh(context)

    def make_spec(self, context: Context) -> CubeSpec:
        """Return what to load.

        :param context: the task's context
        """
        from airflow_provider_mstr.refresh.cube import CubeSpec

        return CubeSpec()


class MstrRunIncrementalRefreshOperator(RefreshTask, BaseOperator):
    """Runs an incremental refresh report, and verifies the cube that it loads.

    Give either ``report_id`` or ``report``.

    :param report_id: the report's id (templated)
    :param report: the report's name, which must be unique in the project (templated)
    :param project_id: the project's id or name; by default the connection's project (templated)
    :param mstr_conn_id: the Airflow connection (templated)
    :param deferrable: whether to wait in the triggerer
    :param poll_interval: maximum seconds between two checks of the job
    :param timeout: maximum seconds of the load, counted from the start that the server accepts
    :param when_busy: ``wait`` for another job that loads the cube, or ``fail`` at once
    :param verify_last_update: whether to compare the cube's last update if the job does not show the end
    """

    kind: ClassVar[str] = "report"
    report_id = Templated(is_id=True)
    report = Templated()
    template_fields = ("report_id", "report", "project_id", "mstr_conn_id")

    def __init__(
        self,
        *,
        report_id: str | None = None,
        report: str | None = None,
        project_id: str | NotSet | None = NOTSET,
        mstr_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        when_busy: str = WhenBusy.WAIT.value,
        verify_last_update: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            object_id=report_id,
            name=report,
            project_id=project_id,
            mstr_conn_id=mstr_conn_id,
            deferrable=deferrable,
            poll_interval=poll_interval,
            timeout=timeout,
            when_busy=when_busy,
            verify_last_update=verify_last_update,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Run the report, and return the result.

        :param context: the task's context
        """
        return self.refresh(context)

    def make_spec(self, context: Context) -> ReportSpec:
        """Return what to load.

        :param context: the task's context
        """
        from airflow_provider_mstr.refresh.report import ReportSpec

        return ReportSpec()
