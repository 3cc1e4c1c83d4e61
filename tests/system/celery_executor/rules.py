# SPDX-License-Identifier: Apache-2.0
"""What must hold, whatever is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from seen import Seen


def broken(seen: Seen) -> Iterator[str]:
    """Yield what does not hold.

    :param seen: what was seen
    """
    for rule in (_ends_well, _publishes_once, _keeps_to_its_sessions, _leaves_nothing, _goes_on):
        yield from rule(seen)


def _ends_well(seen: Seen) -> Iterator[str]:
    if seen.state != "success":
        yield f"the run is {seen.state} after {seen.seconds:.0f} s"


def _publishes_once(seen: Seen) -> Iterator[str]:
    times = Counter(publish.data_model for publish in seen.report.publishes)
    if len(times) != seen.refreshes:
        yield f"{len(times)} of {seen.refreshes} data models were published"
    if twice := [name for name, number in times.items() if number > 1]:
        yield f"published more than once: {', '.join(twice)}"
    if others := Counter(each.state for each in seen.report.publishes if each.state != "completed"):
        yield f"publishes have ended otherwise than well: {dict(others)}"


def _keeps_to_its_sessions(seen: Seen) -> Iterator[str]:
    report = seen.report
    if report.refused_by_session_cap:
        yield f"{report.refused_by_session_cap} calls were refused, as the project holds no more sessions"
    if report.lost_sessions or report.expired_sessions:
        yield f"{report.lost_sessions} sessions were lost, and {report.expired_sessions} have idled out"


def _leaves_nothing(seen: Seen) -> Iterator[str]:
    report = seen.report
    if report.open_sessions or report.instances_open:
        yield f"{report.open_sessions} sessions and {report.instances_open} instances are left"
    if seen.traces:
        yield f"a secret stands in {', '.join(sorted(seen.traces))}"
    if seen.left:
        yield f"processes are left: {', '.join(seen.left)}"


def _goes_on(seen: Seen) -> Iterator[str]:
    for kill in seen.kills:
        if len(kill.took) < kill.running or not kill.running:
            yield f"{len(kill.took)} of {kill.running} publishes went on that the {kill.part} had"
