# SPDX-License-Identifier: Apache-2.0
"""Whatever names, ids and secrets a server has, its report is the same."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from examples import is_harmful
from hypothesis import assume, given
from hypothesis import strategies as st
from in_memory import InMemory

from airflow_provider_mstr.probe.flow import open_probe
from airflow_provider_mstr.probe.recorder import Recorder
from airflow_provider_mstr.probe.report import write_report
from airflow_provider_mstr.probe.vocabulary import WORDS
from airflow_provider_mstr.rest.endpoints.auth import close_session, login
from airflow_provider_mstr.rest.endpoints.search import CUBE, DATA_MODEL, ObjectKind
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.session import Credentials
from airflow_provider_mstr.rest.text import clean, is_id
from airflow_provider_mstr.rest.words import fold_case
from airflow_provider_mstr.sandbox import Cube, DataModel, Project, PublishFailure, Table, User, World

Change = Callable[[Request[Any], Response], Response]


@dataclass(frozen=True)
class Names:
    """The names, ids and secrets of a server."""

    words: tuple[str, ...]
    ids: tuple[str, ...]

    @property
    def world(self) -> World:
        project, model, cube, first, second, user, password = self.words[:7]
        project_id, model_id, cube_id, first_id, second_id = self.ids
        tables = (Table(first_id, first), Table(second_id, second))
        return World(
            users=(User(user, password),),
            projects=(Project(project_id, project),),
            data_models=(DataModel(model_id, model, project_id, tables),),
            cubes=(Cube(cube_id, cube, project_id, failure=None),),
        )

    @property
    def message(self) -> str:
        return f"Object {self.words[3]} of {self.words[0]} ({self.ids[3]}): {self.words[7]}"


def is_usable(text: str) -> bool:
    """Whether an object can be found by this name."""
    return not is_harmful(text) and clean(text) == text != "" and not is_id(text)


WORD_LISTS = st.lists(
    st.text(min_size=1, max_size=20).filter(is_usable), min_size=8, max_size=8, unique_by=fold_case
)
ID_LISTS = st.lists(
    st.text("0123456789ABCDEF", min_size=32, max_size=32), min_size=5, max_size=5, unique=True
)
NAMES = st.builds(Names, WORD_LISTS.map(tuple), ID_LISTS.map(tuple))
NEUTRAL = Names(
    ("zq", "vx", "qz", "xv", "kj", "wj", "jw", "kw"), tuple(f"{number:032X}" for number in range(5))
)
FAILURES = st.none() | st.sampled_from(["schema_comparison_error", "error", "negative_status", "http_500"])
READINGS = st.sampled_from(["result", "loaded", "plain", "empty", "text"])


def report_of(
    names: Names,
    kind: ObjectKind = DATA_MODEL,
    *,
    failure: Any = None,
    change: Change | None = None,
    **settings: Any,
) -> str:
    """Probe a server with these names, and return the report."""
    publish_failure = failure and PublishFailure(failure, message=names.message)
    server = InMemory(names.world, publish_seconds=3, publish_failure=publish_failure, **settings)
    if change is None:
        # A name that is part of a word in the vendor's own file only hides that word.
        server.service.add_fault("openapi", "status", status=404)
    else:
        answer = server.answer
        server.answer = lambda request: change(request, answer(request))  # type: ignore[method-assign]
    recorder = Recorder(server)
    user = names.world.users[0]

    def probe() -> Flow[str]:
        session = yield from login(Credentials(login=user.name, password=user.password))
        target = names.words[1] if kind is DATA_MODEL else names.words[2]
        found = yield from open_probe(
            recorder, session, names.words[0], kind, target, timeout=60, log=lambda line: None
        )
        yield from found.run()
        yield from found.close()
        yield from close_session(session)
        return write_report(found.facts, recorder)

    report: str = server.play(recorder.record(probe())).result
    assert server.service.report().open_sessions == 0
    assert not any(secret in report for secret in server.service.secrets() - set(names.words))
    return report


@functools.cache
def expected(*kind: ObjectKind, **settings: Any) -> str:
    return report_of(NEUTRAL, *kind, **settings)


@given(names=NAMES, reading=READINGS, failure=FAILURES)
def test_the_report_of_a_data_model_is_the_same_whatever_the_names(
    names: Names, reading: Any, failure: Any
) -> None:
    settings = {"reading": reading, "failure": failure}
    assert report_of(names, **settings) == expected(**settings)


@given(names=NAMES, failure=st.none() | st.just("negative_status"), seconds=st.sampled_from([0, 60]))
def test_the_report_of_a_cube_is_the_same_whatever_the_names(
    names: Names, failure: Any, seconds: float
) -> None:
    settings: dict[str, Any] = {"failure": failure, "ended_job_seconds": seconds}
    assert report_of(names, CUBE, **settings) == expected(CUBE, **settings)


def misplaced(name: str) -> Change:
    """Put a name where a server has words of its own: the word of a table, a field, a code, an enum."""
    schemas = {f"Publish{name}": {"enum": ["a"]}, "Publish": {"enum": [name]}}

    def change(request: Request[Any], response: Response) -> Response:
        status, body = response.status, response.json()
        if request.path.endswith("openapi.json"):
            body = {"components": {"schemas": schemas}}
        elif request.path.endswith("publishStatus"):
            for table in body.get("tables", ()):
                table |= {name: 1, "errorCode": name}
                table["status"] = table["status"] if table["status"] == "completed" else name
        elif "/v2/cubes/" in request.path:
            status, body = 500, {"code": name, "message": name, "ticketId": name}
        else:
            return response
        return replace(response, status=status, body=json.dumps(body).encode())

    return change


@functools.cache
def neutral(name: str) -> str:
    return report_of(NEUTRAL, change=misplaced(name))


@given(name=st.from_regex(r"[A-Za-z][A-Za-z0-9_]{3,11}", fullmatch=True), data=st.data())
def test_a_name_in_the_place_of_a_word_is_not_shown(name: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([0, 1, 3, 4, 5, 6]))
    words = (*NEUTRAL.words[:place], name, *NEUTRAL.words[place + 1 :])
    assume(name.lower() not in WORDS and name.casefold() not in neutral("zz").casefold())

    report = report_of(Names(words, NEUTRAL.ids), change=misplaced(name))

    assert name.casefold() not in report.casefold()
