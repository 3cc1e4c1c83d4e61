# SPDX-License-Identifier: Apache-2.0
"""The Airflow hook: an Airflow connection becomes a Strategy session."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_mstr.connection.check import check
from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.observability.log_fields import with_fields
from airflow_provider_mstr.provider_info import UI_FIELD_BEHAVIOUR
from airflow_provider_mstr.refresh.job import Job, Log
from airflow_provider_mstr.refresh.kinds import load_job
from airflow_provider_mstr.refresh.literals import advice_for, is_empty, text_of
from airflow_provider_mstr.refresh.options import DEFAULT_CONN_ID
from airflow_provider_mstr.refresh.spec import JobSpec, OnProgress, StartContext, ignore_progress
from airflow_provider_mstr.refresh.start import start_job
from airflow_provider_mstr.rest.endpoints.auth import CLEANUP_RETRY_SECONDS, login, logout
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError, SessionExpired
from airflow_provider_mstr.rest.flow import Flow, with_retry_limit
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.text import ID_LENGTH, is_id

if TYPE_CHECKING:
    from airflow_provider_mstr.transport.async_driver import AsyncDriver
    from airflow_provider_mstr.transport.sync_driver import SyncDriver

T = TypeVar("T")

log = logging.getLogger(__name__)

# Seconds that the test of a connection gives each of its requests.
TEST_RETRY_SECONDS = 8.0
SESSION_RETRY_SECONDS = 20.0

# Characters of a sealed session, which is part of a trigger's arguments. HTTP servers accept fewer cookies.
MAX_SEALED_SESSION = 24_000

# Airflow's masker forgets nothing, and takes longer to learn a secret the more it knows: with 3,000 about
# 0.2 s. A triggerer that runs for weeks must stop at some number.
MAX_REGISTERED_SECRETS = 3000

_registered: set[str] = set()


class MstrHook(BaseHook):
    """Connects to the Strategy Library server of an Airflow connection.

    ``retries`` counts the requests that it had to send again.

    :param mstr_conn_id: the Airflow connection
    :raises InvalidInput: if that is not a connection id
    """

    conn_name_attr = "mstr_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "mstr"
    hook_name = "Strategy (MicroStrategy)"

    def __init__(self, mstr_conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.mstr_conn_id = _text("mstr_conn_id", mstr_conn_id, "not a connection id")
        self.retries = 0

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the connection form for an Airflow that does not read it from the provider info."""
        return {key.replace("-", "_"): value for key, value in UI_FIELD_BEHAVIOUR.items()}

    @cached_property
    def server(self) -> LibraryServer:
        """The server that the connection describes.

        :raises InvalidInput: where a field of the connection makes no sense
        """
        connection = self.get_connection(self.mstr_conn_id)
        return LibraryServer.of(connection, connection.extra_dejson)

    async def aserver(self) -> LibraryServer:
        """Return the server that the connection describes, read without blocking the event loop."""
        if "server" not in self.__dict__:
            from airflow.providers.common.compat.connection import (
                get_async_connection,
                get_async_extra_dejson,
            )

            connection = await get_async_connection(self.mstr_conn_id, hook=self)
            self.__dict__["server"] = LibraryServer.of(connection, await get_async_extra_dejson(connection))
        return self.server

    def run(self, flow: Flow[T]) -> T:
        """Run a flow of ``airflow_provider_mstr.rest`` to its end and return its result.

        :param flow: a flow that has not started
        """
        driver = self.get_conn()
        with self._counting(driver):
            return driver.run(flow)

    async def arun(self, flow: Flow[T]) -> T:
        """Run a flow to its end on the event loop and return its result.

        :param flow: a flow that has not started
        """
        # Importing the driver and reading CA files would block the event loop for too long.
        driver = await asyncio.to_thread(_async_driver, await self.aserver())
        with self._counting(driver):
            return await driver.run(flow)

    def get_conn(self) -> SyncDriver:
        """Return the driver that runs flows with the server; it has no session."""
        return self._driver

    @contextmanager
    def _counting(self, driver: SyncDriver | AsyncDriver) -> Iterator[None]:
        before = driver.retries
        try:
            yield
        finally:
            self.retries += driver.retries - before

    @cached_property
    def _driver(self) -> SyncDriver:
        from airflow_provider_mstr.transport.sync_driver import SyncDriver

        return SyncDriver(self.server, register_secrets, with_fields(log.warning))

    def project(self, project_id: str | None) -> str:
        """Return the project's id or name: that of the task, or else that of the connection.

        :param project_id: the id or name from the task, if it has one
        :raises InvalidInput: if neither the task nor the connection has a project
        """
        if project_id is not None and not is_empty(project_id):
            what = "not a project id or name; leave project_id out to use the connection's project"
            return _text("project_id", project_id, what)
        if not self.server.project:
            raise InvalidInput("no project: give project_id, or put the project into the connection's schema")
        return self.server.project

    def object_id(self, field: str, value: Any) -> str:
        """Return the id of an object, without the blanks that a template may leave around it.

        :param field: the argument, such as ``data_model_id``
        :param value: the id from the task
        :raises InvalidInput: if it is not an id
        """
        text = text_of(value, ID_LENGTH)
        if not is_id(text):
            raise InvalidInput(
                f"{field} is {value!r}, which is not an id: 32 hexadecimal digits, without braces or "
                f"dashes; a name goes into {field.removesuffix('_id')}{advice_for(value)}"
            )
        return text

    def object_name(self, field: str, value: Any) -> str:
        """Return the name of an object, without the blanks that a template may leave around it.

        :param field: the argument, such as ``data_model``
        :param value: the name from the task
        :raises InvalidInput: if it is not a name
        """
        return _text(field, value, f"not a {field.replace('_', ' ')} name")

    def open_job(
        self,
        spec: JobSpec[Any],
        on_progress: OnProgress = ignore_progress,
        on_found: Callable[[Job], object] = ignore_progress,
    ) -> Job:
        """Log in and open the object of the refresh.

        :param spec: what to refresh
        :param on_progress: stores the open session and instance
        :param on_found: receives the job when its object is known
        """
        for risk in self.server.risks:
            log.warning("Insecure connection %s: %s", self.mstr_conn_id, risk)
        self._warn_of_ineffective_fields()

        def store(job: Job, accepted: bool = False) -> None:
            if len(self.server.seal.close(job.session)) > MAX_SEALED_SESSION:
                raise InvalidInput(
                    "the session's cookies are too large for Airflow to store: "
                    "have the server, and the proxies before it, set fewer or shorter cookies"
                )
            on_progress(job, accepted)

        context = replace(self._start_context(store), on_found=on_found, warn=log.warning)
        job: Job = self.run(spec.open(context))
        return job

    def start_job(
        self,
        spec: JobSpec[Any],
        job: Job,
        on_progress: OnProgress = ignore_progress,
        *,
        owns_session: bool = True,
        log_line: Log | None = None,
    ) -> Job:
        """Start a load once, and return the job after the start.

        :param spec: what to refresh
        :param job: the job that was opened
        :param on_progress: stores the progress of the start
        :param owns_session: whether it may close and replace the session if nothing shows whether the load
            has started
        :param log_line: logs a line; None for the hook's log
        :raises OutcomeUnknown: if nothing shows whether the load has started
        """
        context = replace(self._start_context(on_progress), owns_session=owns_session)
        if log_line is not None:
            context = replace(context, log=log_line)
        started: Job = self.run(start_job(spec, job, context))
        return started

    def _start_context(self, on_progress: OnProgress) -> StartContext:
        return StartContext(
            self.server.credentials, time.time, with_fields(log.info), on_progress=on_progress
        )

    def close(self, job: Job) -> None:
        """Cancel the load if it still runs, and log out; ignore what no longer exists.

        :param job: the job that is over
        """
        problem = self.run(job.close())
        if problem is not None and not isinstance(problem, SessionExpired):
            log.warning("%s; it ends with the session", problem.what)

    def handle(self, job: Job) -> dict[str, Any]:
        """Return the handle of a job: plain JSON with a sealed session.

        :param job: the job
        """
        return job.to_json(self.server.seal)

    def load_job(self, handle: Any) -> Job:
        """Return the job of a handle.

        :param handle: a handle, or the text that a template made of it
        :raises InvalidHandle: if it is not a handle, or was sealed under another connection
        """
        return load_job(handle, self.server.seal)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Log in during the block, with a short retry limit, because a user waits for the result."""
        self._warn_of_ineffective_fields()
        session = self.run(with_retry_limit(login(self.server.credentials), SESSION_RETRY_SECONDS))
        try:
            yield session
        finally:
            self.run(logout(session, CLEANUP_RETRY_SECONDS))

    def _warn_of_ineffective_fields(self) -> None:
        for field in self.server.ineffective:
            log.warning("Connection %s: %s", self.mstr_conn_id, field)

    def test_connection(self) -> tuple[bool, str]:
        """Log in, send one request in the project and log out; return whether that worked, and a report.

        The retry limit is short, because a user waits for the result.
        """
        try:
            return True, self.run(with_retry_limit(check(self.server), TEST_RETRY_SECONDS))
        except MstrError as error:
            return False, str(error)


def register_secrets(secrets: Iterable[str]) -> None:
    """Register secrets with Airflow's masker, but no more of them in a process than it can bear.

    :param secrets: what must not be logged
    """
    from airflow.providers.common.compat.sdk import mask_secret

    known: list[Any] = []
    for secret in secrets:
        if len(_registered) < MAX_REGISTERED_SECRETS:
            _registered.add(secret)
        if secret in _registered:
            known.append(secret)
    # What it knows already costs it nothing, and it may have been reset since.
    mask_secret(known)
    # The log of a command or of the API server passes through another masker than that of a task.
    core = sys.modules.get("airflow._shared.secrets_masker")
    if core is not None:
        core.mask_secret(known)


def _text(name: str, value: Any, problem: str) -> str:
    """Return an argument's text, without the blanks that a template may leave around it."""
    text = text_of(value)
    if not text:
        raise InvalidInput(f"{name} is {value!r}, which is {problem}{advice_for(value)}")
    return text


def _async_driver(server: LibraryServer) -> AsyncDriver:
    from asgiref.sync import sync_to_async

    from airflow_provider_mstr.transport.async_driver import AsyncDriver

    # Airflow's masker compiles all of its patterns again, which must not block the event loop.
    register = sync_to_async(register_secrets)
    # Without the shield, a cancellation loses the message by which Airflow marks a user's kill.
    return AsyncDriver(server, lambda secrets: asyncio.shield(register(secrets)), with_fields(log.warning))
