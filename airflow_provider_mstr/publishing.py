# SPDX-License-Identifier: Apache-2.0
"""Starting a publish: which tables, after whom, and with what to compare its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from airflow_provider_mstr.refresh import Refresh
from airflow_provider_mstr.rest import workflow
from airflow_provider_mstr.rest.errors import InvalidInput, ModelBusy
from airflow_provider_mstr.rest.evidence import Baseline
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Pause, Procedure
from airflow_provider_mstr.rest.tables import TableChoice

# A model that another job published is free once its cube was seen idle so often, so many seconds apart.
IDLE_LOOKS = 2
BUSY_PAUSE = 5.0

_MOST_NAMES = 20


class WhenBusy(StrEnum):
    """What to do where another job publishes the model."""

    WAIT = "wait"
    FAIL = "fail"

    @classmethod
    def of(cls, typed: str) -> WhenBusy:
        """Return what was typed.

        :param typed: ``wait`` or ``fail``
        :raises InvalidInput: where it is neither
        """
        try:
            return cls(typed)
        except ValueError:
            raise InvalidInput(f"when_busy is {typed!r}; there is {', '.join(cls)}") from None


@dataclass(frozen=True)
class Publisher:
    """Publishes tables of a data model, once, as soon as no other job does.

    :param choice: the tables and their policies
    :param evidence: whether to ask the model's cube where publishStatus does not settle a thing
    :param when_busy: what to do where another job publishes the model
    :param timeout: seconds to wait for that other job
    :param clock: seconds since the epoch
    :param tell: takes a line for the log
    """

    choice: TableChoice
    evidence: bool
    when_busy: WhenBusy
    timeout: float
    clock: Callable[[], float]
    tell: Callable[[str], object]

    def publish(self, refresh: Refresh) -> Procedure[Refresh]:
        """Publish, and return the refresh as it then stands.

        :param refresh: a refresh that was opened
        :raises ModelBusy: where another job publishes the model, and goes on for too long
        """
        instance = refresh.instance
        tables = yield from workflow.resolve_tables(instance, self.choice)
        names = ", ".join(f"{table.name} ({table.policy})" for table in tables[:_MOST_NAMES])
        more = f" and {len(tables) - _MOST_NAMES} more" if len(tables) > _MOST_NAMES else ""
        self.tell(f"Publishing {len(tables)} tables of {instance.model_name}: {names}{more}")
        until = self.clock() + self.timeout
        while True:
            refresh = replace(refresh, instance=instance, tables=tables, published_at=self.clock())
            refresh = replace(refresh, baseline=(yield from self._baseline(instance)))
            published = yield from self._unless_refused(refresh, until)
            if published is not None:
                return published
            self.tell("The model is free again; publishing anew")
            instance = yield from workflow.another(instance)

    def _baseline(self, instance: DataModelInstance) -> Procedure[Baseline | None]:
        if not self.evidence:
            return None
        return Baseline.of((yield from workflow.cube_of(instance)))

    def _unless_refused(self, refresh: Refresh, until: float) -> Procedure[Refresh | None]:
        """Publish; return None where the server has refused that for another job, which is over now."""
        try:
            instance = yield from workflow.publish_once(refresh.instance, refresh.tables, refresh.baseline)
        except ModelBusy:
            yield from self._wait(until)
            return None
        idle = 0
        while (yield from workflow.is_busy(instance)):
            cube = (yield from workflow.cube_of(instance)) if self.evidence else None
            if cube is None and self.when_busy is WhenBusy.WAIT:
                # Whether our publish waits for the other job or was refused for it is for the watch to see.
                break
            idle = idle + 1 if cube is not None and not cube.processing else 0
            if idle == IDLE_LOOKS:
                return None
            yield from self._wait(until)
        return replace(refresh, instance=instance)

    def _wait(self, until: float) -> Procedure[None]:
        if self.when_busy is WhenBusy.FAIL or self.clock() >= until:
            raise ModelBusy("another job is publishing the data model")
        self.tell("Another job is publishing this data model; waiting for it")
        yield Pause(BUSY_PAUSE)
