# SPDX-License-Identifier: Apache-2.0
"""Starting a publish: which tables, after whom, and with what to compare its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_provider_mstr import facts
from airflow_provider_mstr.arguments import WhenBusy
from airflow_provider_mstr.refresh import Note, Refresh, table_json, unnoted
from airflow_provider_mstr.rest import workflow
from airflow_provider_mstr.rest.errors import ModelBusy
from airflow_provider_mstr.rest.evidence import Baseline
from airflow_provider_mstr.rest.protocol import Pause, Procedure
from airflow_provider_mstr.rest.tables import TableChoice
from airflow_provider_mstr.rest.words import first_of

# A model that another job published is free once its cube was seen idle so often, so many seconds apart.
IDLE_LOOKS = 2
BUSY_PAUSE = 5.0

_MOST_NAMES = 20


@dataclass(frozen=True)
class Publisher:
    """Publishes tables of a data model, once, as soon as no other job does.

    :param choice: the tables and their policies
    :param evidence: whether to ask the model's cube where publishStatus does not settle a thing
    :param when_busy: what to do where another job publishes the model
    :param timeout: seconds to wait for that other job
    :param clock: seconds since the epoch
    :param tell: takes a line for the log
    :param note: takes down how far the publish has come
    """

    choice: TableChoice
    evidence: bool
    when_busy: WhenBusy
    timeout: float
    clock: Callable[[], float]
    tell: Callable[[str], object]
    note: Note = unnoted

    def publish(self, refresh: Refresh) -> Procedure[Refresh]:
        """Publish, and return the refresh as it then stands.

        :param refresh: a refresh that was opened
        :raises ModelBusy: where another job publishes the model, and goes on for too long
        """
        refresh = replace(refresh, tables=(yield from workflow.resolve_tables(refresh.instance, self.choice)))
        self._announce(refresh)
        queue = _Queue(self, self.clock() + self.timeout)
        while True:
            refresh = yield from self._compared(refresh)
            self.note(refresh)
            try:
                instance = yield from workflow.publish_once(
                    refresh.instance, refresh.tables, refresh.baseline
                )
            except ModelBusy as busy:
                self.note(replace(refresh, published_at=None))
                yield from queue.wait(busy)
                continue
            refresh = replace(refresh, instance=instance)
            published = yield from self._unless_it_gives_way(refresh, queue)
            if published is not None:
                self.note(published, taken=True)
                return published
            self.tell("The other job is over; publishing anew")
            refresh = replace(refresh, instance=(yield from workflow.another(instance)))

    def _announce(self, refresh: Refresh) -> None:
        tables = refresh.tables
        names = first_of([f"{table.name} ({table.policy})" for table in tables], _MOST_NAMES)
        with facts.beside(tables=[table_json(table) for table in tables]):
            self.tell(f"Publishing {len(tables)} tables of {refresh.instance.model_name}: {names}")

    def _compared(self, refresh: Refresh) -> Procedure[Refresh]:
        """Return the refresh as it is to be published, with what its end is to be compared with."""
        cube = (yield from workflow.cube_of(refresh.instance)) if self.evidence else None
        return replace(
            refresh,
            published_at=self.clock(),
            baseline=Baseline.of(cube) if self.evidence else None,
            contested=cube is not None and cube.processing,
        )

    def _unless_it_gives_way(self, refresh: Refresh, queue: _Queue) -> Procedure[Refresh | None]:
        """Return what was published; None where it gave way to another job, which is over then."""
        instance, idle, met = refresh.instance, 0, False
        while (yield from workflow.is_busy(instance)):
            met = True
            refresh = replace(refresh, contested=True)
            cube = (yield from workflow.cube_of(instance)) if self.evidence else None
            if cube is None and self.when_busy is WhenBusy.WAIT:
                # Whether our publish waits for the other job or was refused for it is for the watch to see.
                break
            idle = idle + 1 if cube is not None and not cube.processing else 0
            if idle == IDLE_LOOKS:
                return None
            yield from queue.wait(ModelBusy(f"another job is publishing {instance.model_name}"))
        if met and self.evidence:
            # The end of the other job must be past, not to be taken for what comes after it.
            yield Pause(BUSY_PAUSE)
            if (yield from workflow.gave_way(instance, refresh.table_ids)):
                return None
        return refresh


@dataclass
class _Queue:
    """The wait for another job, which is told once.

    :param publisher: who waits
    :param until: when it has waited for too long
    """

    publisher: Publisher
    until: float
    _told: bool = field(default=False, init=False)

    def wait(self, busy: ModelBusy) -> Procedure[None]:
        """Wait for a while.

        :param busy: the error to raise where there is no more waiting
        """
        if self.publisher.when_busy is WhenBusy.FAIL or self.publisher.clock() >= self.until:
            raise busy
        if not self._told:
            self.publisher.tell("Another job is publishing this data model; waiting for it")
        self._told = True
        yield Pause(BUSY_PAUSE)
