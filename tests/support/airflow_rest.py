# SPDX-License-Identifier: Apache-2.0
"""Airflow's public REST API: that of Airflow 3, and where that of Airflow 2 is another."""

from __future__ import annotations

import ast
import re
from typing import Any

import requests

_LOGIN = ("username", "password")
_BEFORE_THE_MESSAGE = re.compile(r"^\[.+?\] \{.+?\} [A-Z]+ - ")


class RestApi:
    """Says what has to be asked of Airflow 3, and what its answers mean."""

    root = "/api/v2/"
    health = "monitor/health"
    new_run: Any = {"logical_date": None}

    def token(self, url: str, user: tuple[str, str] | None) -> str:
        """Return the token that lets somebody in; up to Airflow 3.1, nobody is without one.

        :param url: Airflow's address
        :param user: a name and a password; None for anybody, where anybody may do anything
        """
        address = f"{url}/auth/token"
        if user is None:
            response = requests.get(address, timeout=300)
        else:
            response = requests.post(address, json=dict(zip(_LOGIN, user, strict=True)), timeout=300)
        response.raise_for_status()
        return str(response.json()["access_token"])

    def new_state(self, state: str) -> Any:
        """Return the body that marks a task instance.

        :param state: its new state
        """
        return {"new_state": state}

    def links(self, answer: Any) -> dict[str, str]:
        """Return the links of a task instance, by their names.

        :param answer: what ``links`` answered
        """
        return dict(answer["extra_links"])

    def log_lines(self, content: Any) -> list[str]:
        """Return the messages of a log, line by line.

        :param content: the content of a log
        """
        return [line.get("event", "") for line in content]

    def marks_of_worker(self, task: dict[str, Any]) -> tuple[str, ...]:
        """Return what stands in the command of each process that runs a task instance.

        :param task: the task instance
        """
        return (task["id"],)


class RestApiOfAirflow2(RestApi):
    """Says the same of Airflow 2.11."""

    root = "/api/v1/"
    health = "health"
    new_run: Any = {}

    def token(self, url: str, user: tuple[str, str] | None) -> str:
        """Return none: what anybody may do stands in ``webserver_config.py``.

        :param url: Airflow's address
        :param user: is of no use here
        """
        return ""

    def new_state(self, state: str) -> Any:
        """Return the body that marks a task instance.

        :param state: its new state
        """
        return {"new_state": state, "dry_run": False}

    def links(self, answer: Any) -> dict[str, str]:
        """Return the links of a task instance, by their names.

        :param answer: what ``links`` answered
        """
        return dict(answer)

    def log_lines(self, content: Any) -> list[str]:
        """Return the messages of a log, line by line.

        :param content: the content of a log
        """
        whole = "\n".join(text for _, text in ast.literal_eval(content))
        return [_BEFORE_THE_MESSAGE.sub("", line) for line in whole.splitlines()]

    def marks_of_worker(self, task: dict[str, Any]) -> tuple[str, ...]:
        """Return what stands in the command of each process that runs a task instance.

        :param task: the task instance
        """
        return task["task_id"], task["dag_run_id"]


def rest_api_of(url: str) -> RestApi | None:
    """Return the API that an Airflow has; None while it has none.

    :param url: Airflow's address
    """
    for api in (RestApi(), RestApiOfAirflow2()):
        if requests.get(f"{url}{api.root}version", timeout=300).ok:
            return api
    return None
