# SPDX-License-Identifier: Apache-2.0
"""What both drivers have in common: secrets, retries, and the meaning of responses and errors."""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import Any, TypeVar

from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.refresh.job import Log
from airflow_provider_mstr.rest.errors import InvalidResponse, MstrError, ServerUnavailable
from airflow_provider_mstr.rest.flow import Flow
from airflow_provider_mstr.rest.messages import TOKEN_HEADER, Request, Response
from airflow_provider_mstr.rest.responses import parse_response
from airflow_provider_mstr.rest.retry import with_retries
from airflow_provider_mstr.transport.network_errors import add_hints, network_error, proxy_refusal
from airflow_provider_mstr.transport.outage import Outage
from airflow_provider_mstr.transport.settings import RequestSettings

T = TypeVar("T")

# How many secrets a driver registers after a login: some servers renew a cookie in each answer.
MAX_SECRETS = 50

CHUNK_BYTES = 65536


class BaseDriver:
    """Runs flows against a server.

    :param server: the server
    :param log: logs that the server does not answer, and that it answers again
    """

    def __init__(self, server: LibraryServer, log: Log) -> None:
        self._outage = Outage(log)
        self._settings = RequestSettings.for_server(server)
        self._secrets = server.secrets | self._settings.secrets
        self._registered: set[str] = set()
        self._max_registered = MAX_SECRETS

    @property
    def retries(self) -> int:
        """How many requests it has sent again."""
        return self._outage.retries

    def _with_retries(self, flow: Flow[T]) -> Flow[T]:
        return with_retries(flow, time.monotonic, self._outage)

    def _sent_secrets(self, request: Request[Any]) -> list[str]:
        return self._new_secrets(self._secrets | request.secrets | request.cookies.secrets)

    def _received_secrets(self, response: Response) -> list[str]:
        if response.header(TOKEN_HEADER):
            self._max_registered = len(self._registered) + MAX_SECRETS
        return self._new_secrets(response.own_secrets)

    def _new_secrets(self, secrets: frozenset[str]) -> list[str]:
        """Return the secrets that are not registered yet."""
        new = sorted(secrets - self._registered)[: self._max_registered - len(self._registered)]
        self._registered.update(new)
        return new

    def _parse(self, request: Request[T], response: Response) -> T:
        """Store the cookies of a response, also of an error, and return its value."""
        settings = self._settings
        date = response.header("Date")
        request.cookies.store(settings.base, response.set_cookies, time.time(), date)
        if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and settings.proxy is not None:
            raise proxy_refusal(request.purpose, settings.proxy, response.status)
        try:
            return parse_response(request, replace(response, secrets=self._secrets))
        except (InvalidResponse, ServerUnavailable) as error:
            add_hints(error, request, settings.base, settings.proxy)
            raise

    def _invalid_response(self, request: Request[Any], error: Exception) -> InvalidResponse:
        """Return the error for a response that is not valid HTTP; it quotes nothing, which may be a token."""
        if isinstance(error, InvalidResponse):
            return InvalidResponse(f"could not {request.purpose}: {error.what}", too_large=error.too_large)
        invalid = InvalidResponse(f"could not {request.purpose}: the answer is not valid HTTP")
        add_hints(invalid, request, self._settings.base, self._settings.proxy)
        return invalid

    def _network_error(self, request: Request[Any], error: Exception, *, nothing_done: bool) -> MstrError:
        return network_error(
            request.purpose,
            error,
            proxy=self._settings.proxy,
            trust=self._settings.trust,
            seconds=self._settings.timeout_for(request),
            nothing_done=nothing_done,
        )
