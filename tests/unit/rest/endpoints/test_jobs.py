# SPDX-License-Identifier: Apache-2.0
"""The job monitor: what a word means, and answers of another form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import PROJECT, a_session, answer, play

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.jobs import JobStatus, get_job, publish_cube
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.text import MAX_MESSAGE

# docs/strategy-rest-api.md 13.1
RUNNING = [
    "ready", "executing", "waiting", "canceling", "waiting_on_governor", "waiting_for_autoprompt",
    "waiting_for_project", "waiting_for_cache", "waiting_for_children", "waiting_for_results",
    "loading_prompt", "resolving_destination", "delivering", "exporting", "cache_ready",
    "waiting_for_di_file", "waiting_for_conflict_resolve", "step_pausing", "a later word",
]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("completed", State.FINISHED),
        ("error", State.FAILED),
        ("stopped", State.FAILED),
        *((word, State.RUNNING) for word in RUNNING),
    ],
)
def test_only_three_words_mean_that_a_job_has_ended(word: str, state: State) -> None:
    assert JobStatus(word).state is state


def test_one_word_means_that_a_job_waits_for_an_answer() -> None:
    assert [word for word in RUNNING if JobStatus(word).is_prompted] == ["waiting_for_autoprompt"]


@pytest.mark.parametrize(
    "payload", [{}, {"id": None}, {"id": 490}, {"id": ""}, {"id": "a\nb"}, {"jobId": 490}]
)
def test_a_start_whose_answer_has_no_id_is_not_understood(payload: dict[str, Any]) -> None:
    error = play(publish_cube(a_session(), PROJECT, "C", "cube C"), answer(payload)).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == "could not publish cube C: the job has an invalid id"


def test_an_answer_without_a_status_is_not_understood() -> None:
    error = play(get_job(a_session(), PROJECT, "1"), answer({})).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == (
        "could not read the status of the job: unexpected response format: the job has no status"
    )


def test_a_long_message_is_shortened() -> None:
    reply = answer({"status": "error", "errorMessage": "x" * 3 * MAX_MESSAGE})
    assert len(play(get_job(a_session(), PROJECT, "1"), reply).result.message) == MAX_MESSAGE


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(st.sampled_from(["status", "errorMessage", "id"]) | st.text(), each)
        ),
    )
)
def test_any_answer_is_a_status_or_not_understood(payload: Any) -> None:
    played = play(get_job(a_session(), PROJECT, "1"), answer(payload))
    if played.error is None:
        assert played.result.word == played.result.word.strip().lower() != ""
    else:
        assert isinstance(played.error, errors.InvalidResponse)
