# SPDX-License-Identifier: Apache-2.0
"""The Airflow hook: an Airflow connection becomes a Strategy session."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_mstr.arguments import DEFAULT_CONN_ID, DEFAULT_TIMEOUT, WhenBusy
from airflow_provider_mstr.checkup import check
from airflow_provider_mstr.connection import LibraryServer
from airflow_provider_mstr.provider_info import UI_FIELD_BEHAVIOUR
from airflow_provider_mstr.publishing import Publisher
from airflow_provider_mstr.refresh import Note, Refresh, RefreshHandle, unnoted
from airflow_provider_mstr.rest import procedures, workflow
from airflow_provider_mstr.rest.errors import InvalidInput, MstrError
from airflow_provider_mstr.rest.literals import advice_for, is_empty, text_of
from airflow_provider_mstr.rest.procedures import DataModelInstance
from airflow_provider_mstr.rest.protocol import Procedure, hurried
from airflow_provider_mstr.rest.session import Session
from airflow_provider_mstr.rest.tables import ID_LENGTH, TableChoice, is_id

if TYPE_CHECKING:
    from airflow_provider_mstr.transport import AsyncDriver, SyncDriver

T = TypeVar("T")

log = logging.getLogger(__name__)

# Seconds that the test of a connection gives each of its requests.
TEST_PATIENCE = 8.0
SESSION_PATIENCE = 20.0

# Characters of a sealed session, which is part of a trigger's arguments. HTTP servers accept fewer cookies.
MAX_SEALED_SESSION = 24_000

# Airflow's masker forgets nothing, and takes longer to learn a secret the more it knows: with 3,000 about
# 0.2 s. A triggerer that runs for weeks must stop at some number.
MAX_REGISTERED_SECRETS = 3000

_registered: set[str] = set()


class MstrHook(BaseHook):
    """Talks to the Strategy Library server that an Airflow connection describes.

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
        """Return how the connection form looks where Airflow does not read it from the provider info."""
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

    def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure of ``airflow_provider_mstr.rest`` to its end and return its result.

        :param procedure: a procedure that was not started yet
        """
        driver = self.get_conn()
        with self._counting(driver):
            return driver.run(procedure)

    async def arun(self, procedure: Procedure[T]) -> T:
        """Run a procedure to its end on the event loop and return its result.

        :param procedure: a procedure that was not started yet
        """
        # Importing the driver and reading CA files takes longer than an event loop may be kept waiting.
        driver = await asyncio.to_thread(_async_driver, await self.aserver())
        with self._counting(driver):
            return await driver.run(procedure)

    def get_conn(self) -> SyncDriver:
        """Return the driver that runs procedures against the server; it holds no session."""
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
        from airflow_provider_mstr.transport import SyncDriver

        return SyncDriver(self.server, register_secrets)

    def project(self, project_id: str | None) -> str:
        """Return the project's id or name: the one given, else the connection's.

        :param project_id: the id or name that a task names, if it does
        :raises InvalidInput: where neither names one
        """
        if project_id is not None and not is_empty(project_id):
            what = "not a project id or name; leave project_id out to use the connection's project"
            return _text("project_id", project_id, what)
        if not self.server.project:
            raise InvalidInput("no project: give project_id, or put the project into the connection's schema")
        return self.server.project

    def data_model(self, data_model_id: str | None) -> str:
        """Return the data model's id, without the blanks that a template may leave around it.

        :param data_model_id: the id that a task names
        :raises InvalidInput: where it is none
        """
        text = text_of(data_model_id, ID_LENGTH)
        if not is_id(text):
            raise InvalidInput(
                f"data_model_id is {data_model_id!r}, which is not an id: 32 hexadecimal digits, "
                f"without braces or dashes; a name goes into data_model{advice_for(data_model_id)}"
            )
        return text

    def data_model_name(self, data_model: str | None) -> str:
        """Return the data model's name, without the blanks that a template may leave around it.

        :param data_model: the name that a task gives
        :raises InvalidInput: where it is none
        """
        return _text("data_model", data_model, "not a data model name")

    def open(
        self,
        project_id: str | None,
        data_model: str,
        note: Note = unnoted,
        found: Callable[[str], object] | None = None,
    ) -> Refresh:
        """Log in and create a data model instance, which is where a refresh begins.

        :param project_id: the project's id or name; None for the connection's
        :param data_model: the data model's id or name
        :param note: takes down what has been opened
        :param found: takes the data model's id as soon as it is known
        """
        data_model, project = self.data_model_name(data_model), self.project(project_id)
        known_id, known_project = (each if is_id(each) else "" for each in (data_model, project))
        for risk in self.server.risks:
            log.warning("Insecure connection %s: %s", self.mstr_conn_id, risk)
        self._warn_of_ineffective_fields()

        def logged_in(session: Session) -> None:
            if len(self.server.seal.close(session)) > MAX_SEALED_SESSION:
                raise InvalidInput(
                    "the session's cookies are too large for Airflow to store: "
                    "have the server, and the proxies before it, set fewer or shorter cookies"
                )
            note(Refresh(DataModelInstance(session, known_project, known_id)))

        def looked_up(data_model_id: str) -> None:
            if not known_id:
                log.info("Data model %r is %s", data_model, data_model_id)
            if found is not None:
                found(data_model_id)

        who = self.server.credentials
        opening = workflow.open_instance(who, project, data_model, logged_in, looked_up, log.warning)
        refresh = Refresh(self.run(opening))
        note(refresh)
        return refresh

    def publish(
        self,
        refresh: Refresh,
        choice: TableChoice,
        *,
        evidence: bool = True,
        when_busy: WhenBusy = WhenBusy.WAIT,
        timeout: float = DEFAULT_TIMEOUT,
        note: Note = unnoted,
        owns_session: bool = True,
    ) -> Refresh:
        """Publish the chosen tables, once, and return the refresh as it then stands.

        :param refresh: a refresh that was opened
        :param choice: the tables and their policies
        :param evidence: whether to read the model's last update if publishStatus does not show the load's end
        :param when_busy: what to do where another job publishes the model
        :param timeout: seconds to wait for that other job
        :param note: takes down how far the publish has come
        :param owns_session: whether it may close and replace the session if nothing shows whether the load
            has started
        :raises OutcomeUnknown: if nothing shows whether the load has started
        """
        reopen = self._reopen if owns_session else None
        publisher = Publisher(choice, evidence, when_busy, timeout, time.time, log.info, note, reopen)
        return self.run(publisher.publish(refresh))

    def _reopen(
        self, instance: DataModelInstance, logged_in: Callable[[Session], object]
    ) -> Procedure[DataModelInstance]:
        who = self.server.credentials
        return workflow.open_instance(who, instance.project_id, instance.data_model_id, logged_in)

    def close(self, refresh: Refresh) -> None:
        """Delete the instance and log out, tolerating what is gone already.

        :param refresh: the refresh that is over
        """
        kept = self.run(workflow.close(refresh.instance))
        if kept is not None:
            log.warning("The instance went only with its session: %s", kept)

    def handle(self, refresh: Refresh) -> RefreshHandle:
        """Return the handle under which a refresh travels.

        :param refresh: the refresh under way
        """
        return RefreshHandle.of(refresh, self.server.seal)

    def refresh(self, handle: Any) -> Refresh:
        """Return the refresh that a handle stands for.

        :param handle: a handle, its JSON, or the text that a template made of it
        :raises HandleRefused: where it is none, or was sealed under another connection
        """
        return RefreshHandle.from_json(handle).open(self.server.seal)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Log in for as long as the block lasts; somebody waits at a screen, so not for long."""
        self._warn_of_ineffective_fields()
        session = self.run(hurried(procedures.login(self.server.credentials), SESSION_PATIENCE))
        try:
            yield session
        finally:
            self.run(procedures.logout(session, workflow.CLEANUP_PATIENCE))

    def _warn_of_ineffective_fields(self) -> None:
        for field in self.server.ineffective:
            log.warning("Connection %s: %s", self.mstr_conn_id, field)

    def test_connection(self) -> tuple[bool, str]:
        """Log in, make one call within the project, log out; return whether all went well, and words.

        Somebody waits for it at a screen, so a server that is away is not asked for long.
        """
        try:
            return True, self.run(hurried(check(self.server), TEST_PATIENCE))
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

    from airflow_provider_mstr.transport import AsyncDriver

    # Airflow's masker compiles all of its patterns again, which must not block the event loop.
    register = sync_to_async(register_secrets)
    # Without the shield, a cancellation loses the message by which Airflow marks a user's kill.
    return AsyncDriver(server, lambda secrets: asyncio.shield(register(secrets)))
