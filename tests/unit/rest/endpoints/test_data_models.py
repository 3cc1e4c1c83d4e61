# SPDX-License-Identifier: Apache-2.0
"""Instances, publishes and their status."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import (
    INSTANCE_LOST,
    MODEL,
    MODEL_BUSY,
    MODEL_NAME,
    PROJECT,
    PUBLISHED,
    a_session,
    an_instance,
    answer,
    created,
    empty,
    play,
    refusal,
)

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.endpoints.data_models import (
    DataModelInstance,
    create_instance,
    delete_instance,
    get_publish_status,
    list_tables,
    start_publish,
)
from airflow_provider_mstr.rest.messages import Response


def test_an_instance_knows_its_session_project_and_model() -> None:
    session = a_session()
    instance = play(create_instance(session, PROJECT, MODEL), created("NEW")).result
    assert instance == DataModelInstance(session, PROJECT, MODEL, "NEW")
    assert instance.session is session


@pytest.mark.parametrize(
    "reply", [empty(), empty(X_MSTR_DataModelInstanceId=" "), answer({"instanceId": "X"}, 200)]
)
def test_an_instance_without_its_header_is_invalid(reply: Response) -> None:
    played = play(create_instance(a_session(), PROJECT, MODEL), reply)
    assert type(played.error) is errors.InvalidResponse


# publish and its status


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(400, "ERR006", message="no publish workflow"), errors.NotPublishable),
        (refusal(400, "ERR006", message="tableRefreshSettings cannot be null"), errors.InvalidRequest),
        (MODEL_BUSY, errors.ModelBusy),
        (INSTANCE_LOST, errors.InstanceExpired),
        (refusal(403, "ERR014", -2147213784), errors.NoPrivilege),
        (refusal(500, "ERR002", -2147212544), errors.RequestFailed),
        (answer({"code": "ERR001"}), errors.InvalidResponse),
    ],
)
def test_a_publish_that_is_refused_says_why(reply: Response, kind: type[errors.MstrError]) -> None:
    assert type(play(start_publish(an_instance(), PUBLISHED), reply).error) is kind


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(500, "ERR002", -2147212544), errors.PublishFailed),
        (refusal(500, "ERR001", -2147205488), errors.PublishFailed),
        (refusal(500, "ERR001", -1), errors.PublishFailed),
        (refusal(500, "ERR001"), errors.ServerUnavailable),
        (empty(500), errors.ServerUnavailable),
        (Response(500, (), b"<html>"), errors.ServerUnavailable),
        (refusal(503, "ERR001", -1), errors.ServerUnavailable),
        (refusal(500, "ERR001", -2147468903), errors.ServerUnavailable),
        (MODEL_BUSY, errors.ModelBusy),
        (INSTANCE_LOST, errors.InstanceExpired),
        (refusal(404, "ERR004"), errors.InstanceExpired),
        (refusal(404, "ERR001", -2147209151), errors.NotFound),
        (answer({"tables": []}), errors.InvalidResponse),
    ],
)
def test_a_rejected_status_request_is_a_failed_publish_or_another_error(
    reply: Response, kind: type[errors.MstrError]
) -> None:
    assert type(play(get_publish_status(an_instance()), reply).error) is kind


def test_a_status_that_is_the_number_of_a_busy_model_is_one() -> None:
    played = play(get_publish_status(an_instance()), answer({"status": -2147072194}))
    assert isinstance(played.error, errors.ModelBusy)
    assert played.error.what == f"another job is publishing data model {MODEL_NAME}"


def test_a_failed_publish_names_the_model_and_keeps_the_reply_of_the_server() -> None:
    error = play(get_publish_status(an_instance()), refusal(500, "ERR002", -2147212544, "stalled")).error
    assert isinstance(error, errors.PublishFailed)
    assert error.what == (
        f"the load of data model {MODEL_NAME} failed: "
        "the query engine failed: check the data types and the state of the engine"
    )
    assert (error.reply.message, error.reply.iserver_code, error.reply.ticket) == (
        "stalled",
        -2147212544,
        "ticket-1",
    )


@pytest.mark.parametrize("reply", [empty(), answer({}), INSTANCE_LOST, refusal(404, "ERR004")])
def test_an_instance_that_is_gone_is_as_good_as_deleted(reply: Response) -> None:
    assert play(delete_instance(an_instance()), reply).result is None


def test_a_delete_that_is_refused_is_no_delete() -> None:
    played = play(delete_instance(an_instance()), refusal(500, "ERR001", -1))
    assert type(played.error) is errors.RequestFailed


def test_an_instance_with_an_invalid_id_is_invalid() -> None:
    error = play(create_instance(a_session(), PROJECT, MODEL), created("x" * 257)).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what.endswith("the data model: the data model instance has an invalid id")


def test_an_instance_that_has_expired_keeps_what_failed_and_the_reply() -> None:
    error = play(get_publish_status(an_instance()), refusal(404, "ERR004")).error
    assert isinstance(error, errors.InstanceExpired)
    assert error.what == (
        f"could not read the publish status of data model {MODEL_NAME}: "
        "the data model instance no longer exists"
    )
    assert (error.reply.status, error.reply.code) == (404, "ERR004")


@pytest.mark.parametrize(
    ("table_id", "problem"),
    [(7, "unexpected response format: a table has no id"), ("A\n", "a table has an invalid id")],
)
def test_a_table_with_an_invalid_id_is_invalid(table_id: Any, problem: str) -> None:
    rows = [{"information": {"objectId": table_id, "name": "stores"}}]
    error = play(list_tables(an_instance()), answer({"total": 1, "tables": rows})).error
    assert isinstance(error, errors.InvalidResponse)
    assert error.what == f"could not list the tables of data model {MODEL_NAME}: {problem}"
