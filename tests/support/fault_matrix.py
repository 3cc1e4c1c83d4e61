# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: what becomes of a refresh when one of its requests goes wrong.

A fault says how a refresh ends that meets it; the exceptions say where a request, or a way to refresh,
differs. Run, this prints the page that shows it all.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

SUCCESS = "success"

ONE_TASK = ("one task, blocking", "one task, deferred")
IN_STEPS = ("in steps, blocking", "in steps, deferred")
CUBE = ("cube, blocking", "cube, deferred")
REPORT = ("report, blocking", "report, deferred")
DATA_MODEL = (*ONE_TASK, *IN_STEPS)
IN_ONE_TASK = (*ONE_TASK, *CUBE, *REPORT)
WAYS = (*IN_ONE_TASK, *IN_STEPS)
PAIRS = (ONE_TASK, IN_STEPS, CUBE, REPORT)
DEFERRED = tuple(deferred for _, deferred in PAIRS)

ONCE, EACH_TIME = "once", "each time"

# How often a request is asked that its retry_for would ask for minutes, and how slow answers are.
ASKED = 3
TIMEOUT = 0.3
SLOW = 0.6

NO_LOAD, CANCELLED, COMPLETED = "none", "cancelled", "completed"


@dataclass(frozen=True)
class Request:
    """A request of a refresh; a row of the tables.

    :param name: how the tables call it
    :param call: how the sandbox calls it
    :param after: how many such calls pass before the fault
    :param load: what has become of the load where the refresh fails at this request
    :param ways: the ways to refresh that send it, and not as another way does
    """

    name: str
    call: str
    after: int = 0
    load: str = NO_LOAD
    ways: Collection[str] = DATA_MODEL


@dataclass(frozen=True)
class Fault:
    """A fault, and how a refresh ends that meets it; a column of the tables.

    :param name: how the tables call it
    :param kind: how the sandbox calls it
    :param once: the end where it happens once: ``success``, or the error's class
    :param for_ever: the end where it goes on
    :param details: what else the sandbox wants to know
    """

    name: str
    kind: str
    once: str
    for_ever: str
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slow(self) -> bool:
        """Whether it takes longer than the connection's timeout."""
        return "seconds" in self.details


@dataclass(frozen=True)
class Expectation:
    """What must come of a refresh, and what must be found at the server afterwards.

    :param ends: ``success``, or the error's class
    :param teardown: the class of the teardown's own error, where the refresh is in steps
    :param load: what has become of the publish: ``none``, ``cancelled`` or ``completed``
    :param logins: how many logins the server took
    :param left: how many sessions are left to idle out
    """

    ends: str = SUCCESS
    teardown: str = ""
    load: str = COMPLETED
    logins: int = 1
    left: int = 0


@dataclass(frozen=True)
class Exceptional:
    """Where the end is another than the fault's own. The later one holds.

    :param requests: names of requests
    :param faults: names of faults
    :param changes: what is different of the expectation
    :param when: once, each time, or both
    :param ways: the ways to refresh
    """

    requests: Collection[str]
    faults: Collection[str]
    changes: Mapping[str, Any]
    when: Collection[str] = (ONCE, EACH_TIME)
    ways: Collection[str] = WAYS


REQUESTS = (
    Request("login", "login"),
    Request("read version", "status"),
    Request("list projects", "projects"),
    Request("create instance", "create_instance"),
    Request("list tables", "list_tables"),
    Request("read report", "get_incremental_refresh", ways=REPORT),
    Request("read cube", "cubes", ways=(*DATA_MODEL, *CUBE)),
    Request("publish", "publish"),
    Request("publish cube", "publish_cube", ways=CUBE),
    Request("run report", "run_incremental_refresh", ways=REPORT),
    Request("publish status, first", "publish_status", load=CANCELLED),
    Request("publish status, loading", "publish_status", after=2, load=CANCELLED),
    Request("publish status, loaded", "publish_status", after=2, load=COMPLETED),
    Request("job status, loading", "get_job", after=2, load=CANCELLED, ways=CUBE),
    Request("job status, loaded", "get_job", after=2, load=COMPLETED, ways=CUBE),
    Request("delete instance", "delete_instance"),
    Request("log out", "logout", ways=(*DATA_MODEL, *CUBE)),
)
STARTS = ("publish", "publish cube", "run report")
STATUS = tuple(request.name for request in REQUESTS if request.call == "publish_status")
JOB_STATUS = tuple(request.name for request in REQUESTS if request.call == "get_job")
LOADED = ("publish status, loaded", "job status, loaded")

# The calls after a deferral. Before it, a deferred way does the same as its blocking one.
AFTER_DEFERRAL = ("publish_status", "get_job", "delete_instance", "logout")

_JOB_GONE = json.dumps({"code": "ERR004", "message": "There is no such job.", "ticketId": "42"})
_API_500 = json.dumps({"code": "ERR001", "iServerCode": -2147467259, "message": "No.", "ticketId": "42"})


def _refused(name: str, status: int, **more: Any) -> Fault:
    return Fault(name, "status", SUCCESS, "ServerUnavailable", {"status": status, **more})


def _garbled(name: str, garble: str) -> Fault:
    return Fault(name, "garbled", SUCCESS, "InvalidResponse", {"garble": garble})


def _said(name: str, kind: str, error: str, **details: Any) -> Fault:
    return Fault(name, kind, error, error, details)


FAULTS = (
    _refused("429", 429),
    _refused("500", 500),
    _refused("502", 502),
    _refused("503", 503),
    _refused("504", 504),
    Fault("reset before", "lost_before", SUCCESS, "ServerUnavailable"),
    Fault("reset after", "lost_after", SUCCESS, "ServerUnavailable"),
    Fault("slow before", "slow_before", SUCCESS, "ServerUnavailable", {"seconds": SLOW}),
    Fault("slow after", "slow_after", SUCCESS, "ServerUnavailable", {"seconds": SLOW}),
    _garbled("HTML", "html"),
    _garbled("truncated", "truncated"),
    _garbled("odd JSON", "other_shape"),
    _garbled("empty", "empty"),
    Fault("no header", "missing_header", SUCCESS, "InvalidResponse"),
    Fault("redirect", "redirect", SUCCESS, "InvalidResponse"),
    _said("500 of the API", "status", "RequestFailed", status=500, body=_API_500),
    _said("401 session lost", "session_lost", "SessionExpired"),
    _said("404 instance lost", "instance_lost", "InstanceExpired"),
    Fault("404 job gone", "status", SUCCESS, SUCCESS, {"status": 404, "body": _JOB_GONE}),
    _said("403 no privilege", "no_privilege", "NoPrivilege"),
)
EVERY_FAULT = tuple(fault.name for fault in FAULTS)

# What the server has done all the same, though its answer is of no use.
UNHEARD = ("reset after", "slow before", "slow after", "HTML", "truncated", "odd JSON", "empty", "no header")
UNCLEAR = ("HTML", "truncated", "odd JSON")
AWAY = ("429", "500", "502", "503", "504", "reset before")

UNSTARTED = {*AWAY, "redirect"} - {"429"}

UNASKED = {*AWAY, *UNHEARD, "redirect"} - {"no header"}

# Faults that make no sense for most requests.
ONLY_FOR = {
    "no header": ("login", "create instance"),
    "401 session lost": tuple(request.name for request in REQUESTS if request.name != "login"),
    "404 instance lost": ("publish", *STATUS, "delete instance"),
    "404 job gone": JOB_STATUS,
}

EXCEPTIONS = (
    # A login with a lost answer is sent again, and what it opened cannot be closed: nobody knows its token.
    Exceptional(["login"], EVERY_FAULT, {"logins": 0}, [EACH_TIME]),
    Exceptional(["login"], ["500 of the API", "403 no privilege"], {"logins": 0}, [ONCE]),
    Exceptional(["login"], UNHEARD, {"logins": 2, "left": 1}, [ONCE]),
    Exceptional(["login"], UNHEARD, {"logins": ASKED, "left": ASKED}, [EACH_TIME]),
    # A task that was given its session cannot make another: the one that made it is to be cleared.
    Exceptional(
        ["list tables", "read cube", "publish"],
        ["401 session lost"],
        {"ends": "InvalidHandle"},
        ways=IN_STEPS,
    ),
    # The version and the cube are a help, and nothing to wait for.
    Exceptional(
        ["read version", "read cube"],
        {*EVERY_FAULT} - {"401 session lost"},
        {"ends": SUCCESS, "load": COMPLETED},
    ),
    # If nothing shows that the load has started, the start is repeated once, in a new session.
    Exceptional(STARTS, UNHEARD, {"ends": SUCCESS, "load": COMPLETED}),
    Exceptional(STARTS, UNSTARTED, {"logins": 2}, ways=IN_ONE_TASK),
    Exceptional(STARTS, UNSTARTED, {"ends": "OutcomeUnknown"}, [EACH_TIME]),
    Exceptional(["publish"], UNSTARTED, {"ends": "OutcomeUnknown", "load": NO_LOAD}, ways=IN_STEPS),
    Exceptional(["publish"], ["404 instance lost"], {"ends": SUCCESS, "load": COMPLETED}, [ONCE]),
    Exceptional(["publish"], ["404 instance lost"], {"ends": "InvalidHandle"}, [EACH_TIME], IN_STEPS),
    # If nothing answers for its status, the end of the load is unknown.
    Exceptional([*STATUS, *JOB_STATUS], UNASKED, {"ends": "OutcomeUnknown"}, [EACH_TIME]),
    # A publish status that is the I-Server's failure is the publish's, unless it was not meant so.
    Exceptional(STATUS, ["500 of the API"], {"ends": SUCCESS, "load": COMPLETED}, [ONCE]),
    Exceptional(STATUS, ["500 of the API"], {"ends": "OutcomeUnknown", "load": COMPLETED}, [EACH_TIME]),
    # What publishStatus no longer tells, the cube does; a lost session takes its load along.
    Exceptional(STATUS, ["404 instance lost", "403 no privilege"], {"ends": SUCCESS, "load": COMPLETED}),
    Exceptional([*STATUS, *JOB_STATUS], ["401 session lost"], {"ends": "OutcomeUnknown", "logins": 2}),
    Exceptional(LOADED, ["401 session lost"], {"ends": SUCCESS}),
    Exceptional(LOADED, UNASKED, {"ends": SUCCESS, "load": COMPLETED}, [EACH_TIME]),
    Exceptional(
        ["publish status, first"], ["401 session lost"], {"ends": "InvalidHandle", "logins": 1}, ways=IN_STEPS
    ),
    # A job that is gone, or that the user may not see, proves nothing: the cube does.
    Exceptional(
        JOB_STATUS,
        ["500", "500 of the API", "403 no privilege"],
        {"ends": SUCCESS, "load": COMPLETED},
    ),
    # An instance goes with its session.
    Exceptional(["delete instance", "log out"], EVERY_FAULT, {"ends": SUCCESS, "load": COMPLETED}),
    # What is not certain to be closed fails the teardown, and is a warning in the one task.
    Exceptional(["log out"], [*AWAY, "redirect", "500 of the API"], {"left": 1}, [EACH_TIME]),
    Exceptional(["log out"], ["403 no privilege"], {"left": 1}),
    Exceptional(["log out"], ["403 no privilege"], {"left": 0}, [ONCE], [ONE_TASK[1], CUBE[1]]),
    Exceptional(
        ["log out"],
        [*AWAY, "reset after", "slow before", "slow after"],
        {"teardown": "ServerUnavailable"},
        [EACH_TIME],
        IN_STEPS,
    ),
    Exceptional(["log out"], [*UNCLEAR, "redirect"], {"teardown": "InvalidResponse"}, [EACH_TIME], IN_STEPS),
    Exceptional(["log out"], ["500 of the API"], {"teardown": "RequestFailed"}, [EACH_TIME], IN_STEPS),
    Exceptional(["log out"], ["403 no privilege"], {"teardown": "NoPrivilege"}, ways=IN_STEPS),
)


@dataclass(frozen=True)
class Cell:
    """One case: a way to refresh, the request that a fault happens to, and how often."""

    way: str
    request: Request
    fault: Fault
    when: str

    def __str__(self) -> str:
        case = f"{self.way}/{self.request.name}/{self.fault.name}/{self.when}"
        return case.replace(",", "").replace(" ", "-")

    @property
    def expected(self) -> Expectation:
        """What is stated for it."""
        ends = self.fault.once if self.when == ONCE else self.fault.for_ever
        expected = Expectation(ends, load=COMPLETED if ends == SUCCESS else self.request.load)
        for exception in EXCEPTIONS:
            if self.falls_under(exception):
                expected = replace(expected, **exception.changes)
        return expected

    @property
    def repeats_blocking(self) -> bool:
        """Whether the fault comes before the deferral, and so in a blocking way at the same place."""
        return self.way in DEFERRED and self.request.call not in AFTER_DEFERRAL

    def falls_under(self, exception: Exceptional) -> bool:
        return (
            self.request.name in exception.requests
            and self.fault.name in exception.faults
            and self.when in exception.when
            and self.way in exception.ways
        )


def makes_sense(request: Request, fault: Fault) -> bool:
    return request.name in ONLY_FOR.get(fault.name, [request.name])


CELLS = tuple(
    Cell(way, request, fault, when)
    for request in REQUESTS
    for fault in FAULTS
    if makes_sense(request, fault)
    for when in (ONCE, EACH_TIME)
    for way in request.ways
)


# The page

INTRO = f"""\
# What a refresh does if a request fails

A refresh sends the requests in the rows of these tables, and each can fail in the ways of the columns. A
cell shows how the refresh ends, and what is left on the server. In the first table, the request fails once;
in the second, each time. The tests run every cell with the sandbox: for a data model in all four ways to
refresh it; for a cube and an incremental refresh report, blocking and deferred. These are {len(CELLS)}
cases. `python tests/support/fault_matrix.py > docs/fault-matrix.md` writes this page.

In every case:

- A refresh succeeds only if the server has completed the load.
- The server accepts one load at most. If the refresh fails, a load that still runs is stopped.
- No instance is left, and no session unless the cell says so.
- Every request sends all cookies of its login.
- Nothing is sent to the target of a redirect.
- No error, XCom or result contains a secret.

## Legend

| fault | what happens |
| --- | --- |
| 429, 500, 502, 503, 504 | the server answers with that status without a body, and does nothing |
| reset before, reset after | the connection is reset before, or after, the server has processed the request |
| slow before, slow after | the server processes the request, or answers, after the connection's `timeout` |
| HTML, truncated, odd JSON, empty | the server processes the request, but its answer is this |
| no header | the server processes the request, but its answer lacks a header that is needed |
| redirect | the server redirects to another host, and does nothing |
| 500 of the API | the API answers with its own error and an `iServerCode` |
| 401 session lost, 404 instance lost | the session or the instance is lost, and stays lost |
| 404 job gone | the job monitor no longer lists the job |
| 403 no privilege | the API answers that the user lacks a privilege |

- A cell is `success` or the error of the refresh: see [Errors and what to do](errors.md). Each task runs
  once, without `retries`.
- If the ways to refresh differ, the cell says so. "in steps" means the four tasks.
- "left" counts sessions that end only later by themselves: nobody knows their token, or the server does not
  close them.
- "teardown" is an error of the task that closes the refresh; the result of the refresh does not change. A
  refresh in one task logs a warning instead.
- "publish cube" and "job status" are requests for a cube, "read report" and "run report" for an incremental
  refresh report. Their other requests are the same as for a data model.
- "publish status, first" is the check for other jobs right after the publish. "loading" and "loaded" are
  the polls during the load and after its end, also for "job status".
- "-" means that this request cannot fail in this way.
- "Each time" is longer than a request is retried: minutes on a real server, {ASKED} times in the tests.
- A login whose answer is lost is sent again. A session that the lost login opened does not count for a
  project.
- `OutcomeUnknown` for a load that was successful: servers report a failed publish by an error with an
  `iServerCode`. If this error lasts, the refresh fails, unless the model's last update shows a successful
  load.
"""


def markdown() -> str:
    """Return the page."""
    return "\n".join([INTRO, *_section("Once", ONCE), *_section("Each time", EACH_TIME)])


def _section(title: str, when: str) -> Iterator[str]:
    columns: dict[tuple[str, ...], list[str]] = {}
    for fault in FAULTS:
        outcomes = tuple(_text(request, fault, when) for request in REQUESTS)
        columns.setdefault(outcomes, []).append(fault.name)
    yield f"## {title}\n"
    yield _line("request", *(", ".join(faults) for faults in columns.values()))
    yield _line("---", *("---" for _ in columns))
    for place, request in enumerate(REQUESTS):
        yield _line(request.name, *(outcomes[place] for outcomes in columns))
    yield ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _text(request: Request, fault: Fault, when: str) -> str:
    if not makes_sense(request, fault):
        return "-"
    texts = {way: _words(Cell(way, request, fault, when).expected) for way in request.ways}
    usual, *others = dict.fromkeys(texts.values())
    return "; ".join([usual, *(f"{_name(texts, other)}: {other}" for other in others)])


def _name(texts: Mapping[str, str], words: str) -> str:
    ways = tuple(way for way in texts if texts[way] == words)
    return "in steps" if ways == IN_STEPS else " and ".join(ways)


def _words(expected: Expectation) -> str:
    left = f"{expected.left} left" if expected.left else ""
    teardown = f"teardown {expected.teardown}" if expected.teardown else ""
    return ", ".join(part for part in (expected.ends, teardown, left) if part)


if __name__ == "__main__":
    print(markdown(), end="")
