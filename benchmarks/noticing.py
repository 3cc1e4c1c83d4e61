# SPDX-License-Identifier: Apache-2.0
"""How late the end of a publish is noticed, and how many polls that takes.

The poller of the package runs by a clock of its own, on which only its pauses take time. What Airflow itself
adds to a deferral, and to the start of the next task, is not in it.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from jobs import job_of
from tables import show, surroundings

from airflow_provider_mstr.refresh.options import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT
from airflow_provider_mstr.refresh.poller import Poller
from airflow_provider_mstr.refresh.result import RefreshResult
from airflow_provider_mstr.rest.endpoints.data_models import DataModelInstance, TableRefresh
from airflow_provider_mstr.rest.flow import Flow, Pause, Step, run_flow
from airflow_provider_mstr.rest.publish_status import PublishStatus, TableStatus
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.session import Credentials, Session
from airflow_provider_mstr.task.refresh import WORKER_SECONDS
from airflow_provider_mstr.triggers import FIRST_PAUSE

PUBLISHES = (1.0, 5.0, 10.0, 60.0, 600.0)

# A publish of 10 s takes between 9 s and 11 s, so that no interval happens to fit.
SPREAD = 0.1

TABLE = "A" * 32


@dataclass(frozen=True)
class Notice:
    """One end that was noticed.

    :param late: seconds after it
    :param polls: how often the server was asked, until then
    """

    late: float
    polls: int


@dataclass
class Publish:
    """A publish on a server without a network, begun when the clock stood at zero.

    :param seconds: how long it takes
    """

    seconds: float
    now: float = field(default=0.0, init=False)

    def poller(self) -> Poller:
        """Return the poller of this publish."""
        instance = DataModelInstance(Session("token"), "B" * 32, "C" * 32, "D" * 32)
        # Zero would pass for "was not sent".
        job = job_of(instance, (TableRefresh(TABLE, "orders", RefreshPolicy.REPLACE),), 1.0)
        return Poller(
            job,
            DEFAULT_TIMEOUT,
            DEFAULT_POLL_INTERVAL,
            Credentials(),
            lambda: 1.0 + self.now,
            lambda line, **fields: None,
        )

    def run(self, flow: Flow[RefreshResult | None]) -> RefreshResult | None:
        """Run a flow of a poller to its end, and return what it returns.

        :param flow: the flow
        """
        return run_flow(flow, self._perform)

    def _perform(self, step: Step) -> PublishStatus | None:
        if isinstance(step, Pause):
            self.now += step.seconds
            return None
        return self._status()

    def _status(self) -> PublishStatus:
        done = self.now >= self.seconds
        return PublishStatus(1 if done else 5, (TableStatus(TABLE, "completed" if done else "loading"),))


def blocking(seconds: float) -> Notice:
    """Return when a task that waits itself notices the end.

    :param seconds: how long the publish takes
    """
    publish = Publish(seconds)
    poller = publish.poller()
    publish.run(poller.wait())
    return Notice(publish.now - seconds, poller.poll_count)


def deferred(seconds: float) -> Notice:
    """Return when a task that defers notices the end: first its worker polls, and then the triggerer.

    :param seconds: how long the publish takes
    """
    publish = Publish(seconds)
    early, late = publish.poller(), publish.poller()
    if publish.run(early.wait_for(WORKER_SECONDS)) is None:
        publish.run(late.wait(FIRST_PAUSE))
    return Notice(publish.now - seconds, early.poll_count + late.poll_count)


def every(interval: float) -> Callable[[float], Notice]:
    """Return when a poll at a fixed interval notices the end, the first one right after the publish.

    :param interval: seconds between two polls
    """

    def notice(seconds: float) -> Notice:
        rounds = math.ceil(seconds / interval)
        return Notice(rounds * interval - seconds, 1 + rounds)

    return notice


WAYS = {
    "airflow-provider-mstr": blocking,
    "airflow-provider-mstr, deferred": deferred,
    "every 30 s": every(30.0),
    "every 60 s": every(60.0),
}


def main() -> None:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    options = parser.parse_args()
    print(surroundings())
    show(
        f"From the end of a publish to its notice, {options.repetitions:,} publishes each",
        (
            "publish, s",
            "way",
            "late, s",
            "of the publish",
            "at most, s",
            "polls",
            "polls, if evenly",
        ),
        (
            (seconds, way, *row(notices(notice, seconds, options.repetitions), seconds))
            for seconds in PUBLISHES
            for way, notice in WAYS.items()
        ),
    )


def notices(notice: Callable[[float], Notice], seconds: float, repetitions: int) -> list[Notice]:
    """Return how the ends of many publishes of about the same length are noticed.

    :param notice: the way to notice one
    :param seconds: how long they take
    :param repetitions: how many there are
    """
    chance = random.Random(1)
    lengths = (seconds * chance.uniform(1 - SPREAD, 1 + SPREAD) for _ in range(repetitions))
    return [notice(length) for length in lengths]


def row(noticed: Iterable[Notice], seconds: float) -> tuple[object, ...]:
    """Return what ends up in the table.

    A poll at an interval is late by half of it on average, which is what the last column goes by.

    :param noticed: the ends that were noticed
    :param seconds: how long the publishes took
    """
    late = [each.late for each in noticed]
    mean = statistics.fmean(late)
    polls = statistics.fmean(each.polls for each in noticed)
    return mean, f"{mean / seconds:.0%}", max(late), polls, 1 + seconds / (2 * mean)


if __name__ == "__main__":
    main()
