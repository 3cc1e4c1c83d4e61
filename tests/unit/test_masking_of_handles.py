# SPDX-License-Identifier: Apache-2.0
"""Airflow masks the secrets of a session that comes from a handle: in logs and in the output of commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from airflow.providers.common.compat.sdk import redact
from jobs import job_of
from scripted import NOW, PUBLISHED, TOKEN, a_session, an_instance, logged_in
from scripted_library import ScriptedLibrary

from airflow_provider_mstr.hooks import MstrHook, register_secrets

COOKIE = "a-cookie-that-nobody-may-see"
GATEWAY_COOKIE = "a-gateway-cookie-that-nobody-may-see"
SECRETS = [TOKEN, COOKIE, GATEWAY_COOKIE]
LINE = " ".join(SECRETS)


@pytest.fixture
def handle(library: ScriptedLibrary, forget_secrets: Callable[[], None]) -> dict[str, object]:
    """The handle of a job whose secrets this process does not know yet."""
    session = a_session(JSESSIONID=COOKIE, GATEWAY=GATEWAY_COOKIE)
    handle = MstrHook().handle(job_of(an_instance(session), PUBLISHED, NOW))
    forget_secrets()
    assert redact(LINE) == LINE
    return handle


def test_the_secrets_of_a_restored_session_are_masked_once_it_is_used(handle: dict[str, object]) -> None:
    hook = MstrHook()
    hook.run(hook.load_job(handle).poll(60.0))
    assert redact(LINE) == "*** *** ***"


def test_they_are_masked_before_the_request_is_sent(
    handle: dict[str, object], library: ScriptedLibrary
) -> None:
    shown: list[object] = []
    answer = library.exchange

    def exchange(request: object) -> object:
        shown.append(redact(LINE))
        return answer(request)  # type: ignore[arg-type]

    library.exchange = exchange  # type: ignore[method-assign, assignment]
    hook = MstrHook()
    hook.close(hook.load_job(handle))
    assert shown == ["*** *** ***"] * 2


def test_the_triggerer_masks_them_too(handle: dict[str, object]) -> None:
    hook = MstrHook()
    asyncio.run(hook.arun(hook.load_job(handle).poll(60.0)))
    assert redact(LINE) == "*** *** ***"


def test_the_secrets_of_a_new_session_are_masked(
    library: ScriptedLibrary, forget_secrets: Callable[[], None]
) -> None:
    library.script(login=logged_in(Set_Cookie=f"JSESSIONID={COOKIE}"))
    forget_secrets()
    with MstrHook().session():
        assert redact(f"{TOKEN} {COOKIE}") == "*** ***"


def test_the_log_of_a_command_is_masked(
    forget_secrets: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow_provider_mstr.cli.console import plain_log

    forget_secrets()
    register_secrets(SECRETS)
    log = logging.getLogger("airflow_provider_mstr.hooks")
    with plain_log():
        log.warning("The server sends %s", TOKEN)
        log.warning("It failed with %s", GATEWAY_COOKIE, exc_info=ValueError(COOKIE))
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert (lines[0], lines[1], lines[-1]) == (
        "The server sends ***",
        "It failed with ***",
        "ValueError: ***",
    )
    assert [secret for secret in SECRETS if secret in printed.err + printed.out] == []
