# SPDX-License-Identifier: Apache-2.0
"""The hook: how it reads an Airflow connection, and what the test of the connection reports."""

from __future__ import annotations

import asyncio
import html
import json
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import pytest
from airflow.providers.common.compat.sdk import redact
from misbehaving_server import MisbehavingServer, answer

from airflow_provider_mstr import hooks
from airflow_provider_mstr.connection.server import LibraryServer
from airflow_provider_mstr.hooks import MstrHook
from airflow_provider_mstr.refresh.data_model import DataModelSpec
from airflow_provider_mstr.refresh.job import Job
from airflow_provider_mstr.refresh.tables import EVERY_TABLE, TableChoice
from airflow_provider_mstr.rest.endpoints.auth import get_session_status, login, logout
from airflow_provider_mstr.rest.errors import (
    AuthenticationError,
    InvalidHandle,
    InvalidInput,
    MstrError,
    NotFound,
    NotPublishable,
    ServerUnavailable,
)
from airflow_provider_mstr.rest.flow import Flow, Pause, attempt
from airflow_provider_mstr.rest.publish_status import State
from airflow_provider_mstr.rest.session import LoginMode, Session
from airflow_provider_mstr.sandbox import DEFAULT_WORLD, Sandbox, Settings
from airflow_provider_mstr.sandbox.world import LIVE_INVENTORY, RETAIL, SALES, TUTORIAL, Project

ADMINISTRATOR = DEFAULT_WORLD.users[0]

Connect = Callable[..., MstrHook]


@pytest.fixture
def connect(mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes a hook of the connection to the sandbox, some of whose fields are different."""

    def make(name: str = "mstr_default", extra: Any = None, **fields: Any) -> MstrHook:
        connection = json.loads(mstr_sandbox.airflow_connection()) | fields | {"extra": extra or {}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        return MstrHook(name)

    return make


@pytest.fixture
def quickly_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_mstr import hooks
    from airflow_provider_mstr.rest import retry

    monkeypatch.setattr(retry, "MAX_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(hooks, "TEST_RETRY_SECONDS", 0.0)


def open_job(hook: MstrHook, project_id: str | None = None, data_model: str = RETAIL.id) -> Job:
    """Log in and create an instance of a data model, as the operators do."""
    project, name = hook.project(project_id), hook.object_name("data_model", data_model)
    return hook.open_job(DataModelSpec(project=project, target=name))


def publish(hook: MstrHook, job: Job, choice: TableChoice = EVERY_TABLE) -> Job:
    """Publish tables of the data model that was opened."""
    return hook.start_job(DataModelSpec(choice=choice), job)


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def without_secrets(sandbox: Sandbox, *texts: object) -> bool:
    return not [secret for secret in sandbox.secrets() for text in texts if secret in f"{text}{text!r}"]


# Connections


def test_a_connection_in_json_form_is_read(mstr_sandbox: Sandbox, connect: Connect) -> None:
    extra = {"login_mode": "ldap", "verify": "false", "timeout": 12, "link_template": "{base}/x"}
    server = connect(extra=extra).server
    assert (server.url, server.project) == (mstr_sandbox.url, TUTORIAL.name)
    assert (server.credentials.login, server.credentials.password) == ("administrator", "sandbox-password")
    assert (server.credentials.mode, server.verify, server.timeout) == (LoginMode.LDAP, False, 12.0)
    assert server.link("data_model", "/x", "A", "B") == f"{mstr_sandbox.url}/x"


def test_a_connection_whose_extra_is_text_is_read(connect: Connect) -> None:
    server = connect(extra=json.dumps({"login_mode": 16, "verify": False})).server
    assert (server.credentials.mode, server.verify) == (LoginMode.LDAP, False)


def uri(host: str, *, schema: str = "Tutorial", port: int | None = None, **extra: str) -> str:
    login, password = quote("administrator", safe=""), quote("sandbox-password", safe="")
    place = f"{quote(host, safe='')}{f':{port}' if port else ''}/{quote(schema, safe='')}"
    return f"mstr://{login}:{password}@{place}" + (f"?{urlencode(extra)}" if extra else "")


def test_a_connection_in_uri_form_is_read(mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"login_mode": "ldap", "verify": "/etc/ssl/a b.pem", "timeout": "12.5", "link_template": "{base}"}
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", uri(mstr_sandbox.url, schema="Über & Co", **extra))
    server = MstrHook().server
    assert (server.url, server.project) == (mstr_sandbox.url, "Über & Co")
    assert (server.credentials.login, server.credentials.password) == ("administrator", "sandbox-password")
    assert (server.credentials.mode, server.verify) == (LoginMode.LDAP, "/etc/ssl/a b.pem")
    assert (server.timeout, server.link_template) == (12.5, "{base}")


def test_a_connection_in_uri_form_works(mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", uri(mstr_sandbox.url, login_mode="standard"))
    assert MstrHook().test_connection()[0]


def test_a_uri_may_name_host_and_port_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(Settings(base_path="")) as sandbox:
        monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", uri("127.0.0.1", port=sandbox.port))
        assert MstrHook().test_connection()[0]


@pytest.mark.parametrize("scheme", ["http://", "HTTP://", ""])
@pytest.mark.parametrize("port", ["in the host", "in its field"])
@pytest.mark.parametrize(
    "tail", ["", "/", "/app/", "/api-docs/index.html", "/app#/home?a=b", ";jsessionid=1"]
)
def test_a_host_works_in_every_form_people_paste(
    mstr_sandbox: Sandbox, connect: Connect, scheme: str, port: str, tail: str
) -> None:
    where = urlsplit(mstr_sandbox.url)
    place = where.netloc if port == "in the host" else where.hostname
    fields = {} if port == "in the host" else {"port": mstr_sandbox.port}
    hook = connect(host=f"{scheme}{place}{where.path}{tail}", **fields)
    assert hook.server.url == mstr_sandbox.url
    assert hook.test_connection()[0]


def test_a_host_without_a_scheme_means_https_elsewhere(connect: Connect) -> None:
    assert connect(host="strategy.example.com/Library").server.url == "https://strategy.example.com/Library"


@pytest.mark.parametrize(
    ("extra", "fields", "user"),
    [
        ({}, {}, "administrator"),
        ({"login_mode": "1"}, {}, "administrator"),
        ({"login_mode": "standard"}, {}, "administrator"),
        ({"login_mode": 16}, {}, "administrator"),
        ({"login_mode": "LDAP"}, {}, "administrator"),
        (
            {"login_mode": "api_token"},
            {"login": None, "password": ADMINISTRATOR.api_token},
            "administrator",
        ),
        ({"login_mode": 4096}, {"login": "anyone", "password": ADMINISTRATOR.api_token}, "administrator"),
        ({"login_mode": "guest"}, {"login": None, "password": None}, "guest"),
        ({"login_mode": 8}, {}, "guest"),
    ],
    ids=str,
)
def test_every_login_mode_logs_in(
    mstr_sandbox: Sandbox, connect: Connect, extra: dict[str, Any], fields: dict[str, Any], user: str
) -> None:
    assert connect(extra=extra, **fields).test_connection()[0]
    report = mstr_sandbox.report()
    assert (report.logins, report.open_sessions) == (1, 0)
    # Entering the project is what shows who logged in.
    connect(extra=extra, **fields).close(open_job(connect(extra=extra, **fields)))
    assert mstr_sandbox.report().max_sessions_seen == {f"{user}/Tutorial": 1}


def test_a_login_mode_that_the_server_has_off_is_a_refused_login(
    mstr_sandbox: Sandbox, connect: Connect
) -> None:
    mstr_sandbox.change(login_modes=(1,))
    assert connect(extra={"login_mode": "ldap"}).test_connection()[0] is False


@pytest.mark.parametrize(
    ("password", "hint"),
    [
        ("sandbox-password\n", "the connection's password contains a line break: remove it"),
        ("sandbox-password\r\n", "the connection's password contains a line break"),
        ("sandbox-\npassword", "the connection's password contains a line break"),
        ("sandbox-password\\n", r"ends with \n, which may be a line break"),
        ("\ufeffsandbox-password", "the connection's password contains an invisible character"),
        ("'sandbox-password'", "the connection's password is in quotes"),
        ("sandbox-password ", "the connection's password begins or ends with a space"),
        ("\tsandbox-password", "the connection's password begins or ends with a space"),
    ],
)
def test_a_password_with_something_around_it_is_refused_with_a_hint(
    mstr_sandbox: Sandbox, connect: Connect, password: str, hint: str
) -> None:
    done, words = connect(password=password).test_connection()
    assert not done
    assert hint in words
    assert "sandbox-password" not in words
    assert json.loads(mstr_sandbox.requests[0].body)["password"] == password


def test_a_wrong_password_has_no_such_hint(connect: Connect) -> None:
    assert "the connection's password" not in connect(password="wrong").test_connection()[1]


def test_an_api_token_with_a_line_break_logs_in(connect: Connect) -> None:
    token = f"{ADMINISTRATOR.api_token}\n"
    assert connect(extra={"login_mode": "api_token"}, password=token).test_connection()[0]


def test_an_extra_field_without_effect_is_a_warning_once_and_in_the_test(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    hook = connect(extra={"verify_ssl": False})
    job = open_job(hook)
    hook.load_job(hook.handle(job))
    hook.close(job)
    warnings = [each.getMessage() for each in caplog.records if "verify_ssl" in each.getMessage()]
    assert warnings == [
        "Connection mstr_default: the extra 'verify_ssl' is unknown and has no effect: "
        "use verify: true, false or a CA file"
    ]
    done, words = hook.test_connection()
    assert done
    assert "But the extra 'verify_ssl' is unknown" in words


@pytest.mark.parametrize(
    ("extra", "fields"),
    [
        ({"login_mode": "saml"}, {}),
        ({"headers": {"Cookie": "a=b"}}, {}),
        ({"timeout": "soon"}, {}),
        ({"verify": "/nowhere/ca.pem"}, {}),
        ({}, {"host": ""}),
        ({}, {"host": "ftp://127.0.0.1"}),
        ({}, {"login": ""}),
        ({"login_mode": "api_token"}, {"password": ""}),
    ],
    ids=str,
)
def test_a_field_without_sense_is_told_in_words(
    mstr_sandbox: Sandbox, connect: Connect, extra: dict[str, Any], fields: dict[str, Any]
) -> None:
    works, message = connect(extra=extra, **fields).test_connection()
    assert not works
    assert len(message) > 20
    assert mstr_sandbox.requests == ()


# "Test connection"


def test_a_good_connection_is_called_one(mstr_sandbox: Sandbox, connect: Connect) -> None:
    assert connect().test_connection() == (
        True,
        f"Logged in to {mstr_sandbox.url} (version 11.5.0800.0250) as administrator. The user can work in "
        f"project Tutorial ({TUTORIAL.id}).",
    )
    report = mstr_sandbox.report()
    assert (report.logins, report.logouts, report.open_sessions) == (1, 1, 0)
    assert report.max_sessions_seen == {"administrator/Tutorial": 1}


@pytest.mark.parametrize(
    ("typed", "project"),
    [
        (TUTORIAL.id, TUTORIAL),
        (SALES.id.lower(), SALES),
        ("Sales", SALES),
        ("tutorial", TUTORIAL),
    ],
)
def test_the_project_may_be_an_id_or_a_name(connect: Connect, typed: str, project: Project) -> None:
    works, message = connect(schema=typed).test_connection()
    assert works
    assert f"project {project.name} ({project.id})" in message


def test_a_connection_without_a_project_is_tested_as_far_as_it_goes(
    mstr_sandbox: Sandbox, connect: Connect
) -> None:
    works, message = connect(schema=None).test_connection()
    assert works
    assert "has no project" in message
    assert "Sales, Tutorial" in message
    assert mstr_sandbox.report().open_sessions == 0


def test_a_wrong_password_is_told_in_words(mstr_sandbox: Sandbox, connect: Connect) -> None:
    works, message = connect(password="wrong-password").test_connection()
    assert not works
    assert "log in as administrator" in message
    assert "login or password is wrong" in message
    assert "Correct login, password or login_mode" in message
    assert "wrong-password" not in message
    assert mstr_sandbox.report().requests == {"login": 1}


@pytest.mark.parametrize("project", ["Nowhere", "0" * 32])
def test_an_unknown_project_is_told_in_words(mstr_sandbox: Sandbox, connect: Connect, project: str) -> None:
    works, message = connect(schema=project).test_connection()
    assert not works
    assert "project" in message
    assert project in message
    assert "Sales, Tutorial" in message
    report = mstr_sandbox.report()
    assert (report.logouts, report.open_sessions) == (1, 0)


@pytest.mark.mstr_sandbox(session_cap=2)
def test_a_reached_session_limit_is_told_in_words(mstr_sandbox: Sandbox, connect: Connect) -> None:
    open_ones = [open_job(connect()) for _ in range(2)]
    works, message = connect().test_connection()
    assert not works
    assert "too many sessions in the project" in message
    assert "Close sessions" in message
    report = mstr_sandbox.report()
    assert (report.refused_by_session_cap, report.open_sessions) == (1, 2)
    connect().close(open_ones[0])
    assert connect().test_connection()[0]


@pytest.mark.usefixtures("quickly_gives_up")
@pytest.mark.parametrize(
    ("host", "why", "advice"),
    [
        ("http://strategy.invalid/Library", "the host name is unknown", "Correct the host"),
        ("http://127.0.0.1:1", "connection refused", "that this machine can reach the Library server"),
    ],
)
def test_a_host_that_cannot_be_reached_is_told_in_words(
    connect: Connect, host: str, why: str, advice: str
) -> None:
    works, message = connect(host=host).test_connection()
    assert not works
    assert "could not log in" in message
    assert why in message
    assert advice in message


@pytest.mark.usefixtures("quickly_gives_up")
@pytest.mark.parametrize("status", [200, 404])
def test_a_server_that_is_not_strategy_is_told_in_words(connect: Connect, status: int) -> None:
    page = answer(status, b"<html>Welcome to nginx</html>", ("Content-Type", "text/html"))
    with MisbehavingServer(page) as server:
        works, message = connect(host=server.url).test_connection()
    assert not works
    assert "Library URL" in message


@pytest.mark.usefixtures("quickly_gives_up")
def test_a_forgotten_path_of_the_library_is_told_in_words(mstr_sandbox: Sandbox, connect: Connect) -> None:
    works, message = connect(host=mstr_sandbox.origin).test_connection()
    assert not works
    assert "/MicroStrategyLibrary" in message


@pytest.mark.usefixtures("quickly_gives_up")
def test_a_redirect_to_a_login_page_is_told_in_words(mstr_sandbox: Sandbox, connect: Connect) -> None:
    mstr_sandbox.add_fault("login", "redirect", times=None, location="https://sso.example.com/saml?t=1")
    works, message = connect().test_connection()
    assert not works
    assert "redirects to sso.example.com" in message


@pytest.mark.usefixtures("quickly_gives_up")
@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("projects", {"kind": "status", "status": 503}),
        ("projects", {"kind": "garbled"}),
        ("projects", {"kind": "session_lost"}),
        ("object", {"kind": "status", "status": 500, "body": '{"code": "ERR001", "message": "no"}'}),
        ("object", {"kind": "no_privilege"}),
        ("object", {"kind": "lost_after"}),
    ],
    ids=str,
)
def test_whatever_goes_wrong_the_test_of_a_connection_logs_out(
    mstr_sandbox: Sandbox, connect: Connect, call: str, fault: dict[str, Any]
) -> None:
    mstr_sandbox.add_fault(call, times=5, **fault)
    works, message = connect().test_connection()
    assert not works
    report = mstr_sandbox.report()
    assert report.open_sessions == 0
    assert report.requests["logout"] == 1
    assert without_secrets(mstr_sandbox, message)


def test_a_server_that_repeats_secrets_does_not_get_them_shown(
    mstr_sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    echo = {"code": "ERR003", "message": f"{ADMINISTRATOR.password} is wrong for {ADMINISTRATOR.name}"}
    mstr_sandbox.add_fault("login", "status", status=401, body=json.dumps(echo))
    works, message = connect().test_connection()
    assert not works
    assert "*** is wrong for administrator" in message
    assert without_secrets(mstr_sandbox, message, caplog.text)


def test_a_server_that_repeats_token_and_cookies_does_not_get_them_shown(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    login = answer(204, b"", ("X-MSTR-AuthToken", "token-0123456789"), ("Set-Cookie", "J=cookie-0123456789"))
    echo = json.dumps({"code": "ERR014", "message": "token-0123456789 with cookie-0123456789 may not"})
    with MisbehavingServer(login, answer(403, echo.encode()), answer(204, b"")) as server:
        works, message = connect(host=server.url).test_connection()
    assert not works
    assert "*** with *** may not" in message
    assert "0123456789" not in message + caplog.text
    assert server.heard[-1].target == "/api/auth/logout"


@pytest.mark.parametrize("form", [quote_plus, html.escape, lambda text: json.dumps(text)[1:-1], encoded])
def test_the_password_is_masked_after_the_login_too_however_the_server_encodes_it(
    connect: Connect, form: Callable[[str], str]
) -> None:
    password = "pässw<rd/of&nobody"
    login = answer(204, b"", ("X-MSTR-AuthToken", "token-0123456789"))
    echo = json.dumps({"code": "ERR014", "message": f"login {form(password)} may not"}).encode()
    with MisbehavingServer(login, answer(403, echo), answer(204, b"")) as server:
        works, message = connect(host=server.url, password=password).test_connection()
    assert not works
    assert "login *** may not" in message


# Airflow's secrets masker


RENEWING = (
    answer(204, b"", ("X-MSTR-AuthToken", "token-0123456789"), ("Set-Cookie", "J=cookie-0123456789")),
    answer(503, b"{}", ("Set-Cookie", "J=renewed-0123456789")),
    answer(),
)
SECRETS = ["token-0123456789", "cookie-0123456789", "renewed-0123456789", "password-of-nobody"]


def in_a_command(hook: MstrHook) -> None:
    with hook.session() as session, suppress(MstrError):
        hook.run(get_session_status(session))


def in_the_test_of_a_connection(hook: MstrHook) -> None:
    hook.test_connection()


def on_the_event_loop(hook: MstrHook) -> None:
    def calls() -> Flow[None]:
        session = yield from login(hook.server.credentials)
        yield from attempt(logout(session, 0.0))

    asyncio.run(hook.arun(calls()))


@pytest.mark.parametrize("use", [in_a_command, in_the_test_of_a_connection, on_the_event_loop])
def test_every_secret_is_registered_with_airflows_masker(
    connect: Connect, use: Callable[[MstrHook], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Airflow registers a password itself where it reads the connection.
    monkeypatch.setattr(LibraryServer, "secrets", frozenset({"password-of-nobody"}))
    assert redact(SECRETS) == SECRETS
    with MisbehavingServer(*RENEWING) as server:
        use(connect(host=server.url))
    assert redact(SECRETS) == ["***"] * 4


def test_a_secret_is_registered_with_the_masker_of_commands_and_of_the_api_server() -> None:
    core = pytest.importorskip("airflow._shared.secrets_masker")
    hooks.register_secrets(["secret-0123456789"])
    assert core.redact("secret-0123456789") == "***"


def test_secrets_are_registered_away_from_the_event_loop(
    mstr_sandbox: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    monkeypatch.setattr(hooks, "register_secrets", lambda secrets: threads.append(threading.get_ident()))
    on_the_event_loop(connect())
    assert threads
    assert threading.get_ident() not in threads


def test_a_secret_is_registered_again_after_airflows_masker_was_reset() -> None:
    masker = sys.modules[redact.__module__]
    hooks.register_secrets(["secret-0123456789"])
    masker._secrets_masker().patterns, masker._secrets_masker().replacer = set(), None
    assert redact("secret-0123456789") == "secret-0123456789"
    hooks.register_secrets(["secret-0123456789"])
    assert redact("secret-0123456789") == "***"


def test_a_process_registers_only_so_many_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", registered.extend)
    monkeypatch.setattr(hooks, "MAX_REGISTERED_SECRETS", 3)
    for secrets in (["one", "two"], ["two", "three", "four"], ["five"]):
        hooks.register_secrets(secrets)
    assert registered == ["one", "two", "two", "three"]


# A refresh in parts


def _until_finished(job: Job) -> Flow[State]:
    while True:
        polled = yield from job.poll(60.0)
        if polled.state is not State.RUNNING:
            return polled.state
        yield Pause(0.05)


def test_a_refresh_is_opened_published_and_closed(mstr_sandbox: Sandbox, connect: Connect) -> None:
    hook = connect()
    before = time.time()
    job = open_job(hook)
    assert (job.tables, job.started_at) == ((), None)
    assert job.project_id == TUTORIAL.id
    published = publish(hook, job, TableChoice.of({"ytd_day": "upsert", RETAIL.tables[2].id: None}, "add"))
    assert [(table.name, str(table.policy)) for table in published.tables] == [
        ("ytd_day", "upsert"),
        ("lu_store", "add"),
    ]
    assert before <= published.started_at <= time.time()
    assert hook.run(_until_finished(published)) is State.FINISHED
    hook.close(published)
    hook.close(published)
    report = mstr_sandbox.report()
    assert report.tables_loaded == {"Retail": {"ytd_day": 1, "lu_store": 1}}
    assert (report.logins, report.logouts, report.open_sessions, report.instances_open) == (1, 1, 0, 0)


def test_a_task_may_name_another_project(mstr_sandbox: Sandbox, connect: Connect) -> None:
    model = next(model for model in mstr_sandbox.world.data_models if model.project_id == SALES.id)
    hook = connect()
    for project in (SALES.id, "Sales", " sales "):
        job = open_job(hook, project, model.id)
        assert job.project_id == SALES.id
        hook.close(job)


def test_without_any_project_nothing_is_sent(mstr_sandbox: Sandbox, connect: Connect) -> None:
    with pytest.raises(InvalidInput, match="project_id"):
        open_job(connect(schema=""), " ", RETAIL.id)
    assert mstr_sandbox.requests == ()


@pytest.mark.parametrize(
    ("model", "project", "error"), [("0" * 32, None, NotFound), (RETAIL.id, "Nowhere", NotFound)]
)
def test_an_opening_that_fails_leaves_no_session(
    mstr_sandbox: Sandbox, connect: Connect, model: str, project: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        open_job(connect(), project, model)
    report = mstr_sandbox.report()
    assert (report.logins, report.open_sessions) == (1, 0)


@pytest.mark.parametrize(("version", "warnings"), [("11.5.0800.0250", 0), ("11.4.0600.0123", 1), ("", 0)])
def test_a_refresh_of_a_server_that_is_too_old_warns_with_the_release_that_is_not(
    mstr_sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture, version: str, warnings: int
) -> None:
    mstr_sandbox.change(iserver_version=version)
    connect().close(open_job(connect()))
    assert caplog.text.count("Strategy ONE (August 2025)") == warnings
    assert mstr_sandbox.report().requests["status"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 404},
        {"kind": "garbled"},
        {"kind": "lost_after"},
        {"kind": "slow_before", "seconds": 3600},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_refresh_of_a_server_of_unknown_version_goes_on_at_once_and_in_silence(
    mstr_sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    mstr_sandbox.add_fault("status", times=None, **fault)
    # Up to Airflow 3.0 this tells of every connection that is looked up.
    caplog.set_level("WARNING", "airflow.hooks.base")
    # The time limit of the connection would let it wait for an hour.
    hook = connect(extra={"timeout": 3600})
    hook.close(open_job(hook))
    assert (mstr_sandbox.report().requests["status"], caplog.text) == (1, "")


def test_a_connect_live_model_cannot_be_published(mstr_sandbox: Sandbox, connect: Connect) -> None:
    hook = connect()
    job = open_job(hook, None, LIVE_INVENTORY.id)
    with pytest.raises(NotPublishable):
        publish(hook, job)
    hook.close(job)
    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.usefixtures("quickly_gives_up")
def test_a_close_that_cannot_delete_the_instance_still_logs_out_and_warns(
    mstr_sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    hook = connect()
    job = open_job(hook)
    mstr_sandbox.add_fault("delete_instance", "no_privilege")
    hook.close(job)
    assert mstr_sandbox.report().open_sessions == 0
    assert "; it ends with the session" in caplog.text


@pytest.mark.usefixtures("quickly_gives_up")
def test_a_close_after_the_end_of_the_session_is_no_warning(
    mstr_sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    hook = connect()
    job = open_job(hook)
    mstr_sandbox.add_fault("delete_instance", "session_lost")
    hook.close(job)
    assert [record for record in caplog.records if "ends with the session" in record.getMessage()] == []


def test_a_session_lasts_as_long_as_its_block(mstr_sandbox: Sandbox, connect: Connect) -> None:
    hook = connect()

    def raise_within() -> None:
        with hook.session() as session:
            assert isinstance(session, Session)
            assert mstr_sandbox.report().open_sessions == 1
            raise KeyError

    with pytest.raises(KeyError):
        raise_within()
    assert mstr_sandbox.report().open_sessions == 0


def test_the_log_of_a_refresh_names_no_secret(
    mstr_sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    hook = connect()
    job = publish(hook, open_job(hook))
    handle = hook.handle(job)
    hook.close(job)
    assert "Publishing 4 tables" in caplog.text
    assert without_secrets(mstr_sandbox, caplog.text, job, handle, hook.server, hook.get_conn())


# Handles


def test_a_handle_brings_the_refresh_back_in_another_process(mstr_sandbox: Sandbox, connect: Connect) -> None:
    opened = publish(connect(), open_job(connect()))
    handle = json.loads(json.dumps(connect().handle(opened)))
    assert without_secrets(mstr_sandbox, handle)
    assert connect().load_job(handle) == opened
    assert connect().load_job(str(handle)) == opened
    connect().close(connect().load_job(json.dumps(handle)))
    assert mstr_sandbox.report().open_sessions == 0


@pytest.mark.parametrize(
    "other",
    [
        {"password": "another-password"},
        {"login": "another"},
        {"extra": {"login_mode": "ldap"}},
        {"host": "http://127.0.0.1:1/MicroStrategyLibrary"},
    ],
    ids=str,
)
def test_a_handle_of_one_connection_is_refused_by_another(connect: Connect, other: dict[str, Any]) -> None:
    hook = connect()
    job = open_job(hook)
    handle = hook.handle(job)
    with pytest.raises(InvalidHandle, match="another connection"):
        connect("other", **other).load_job(handle)
    assert connect("same", schema=None, extra={"timeout": 3}).load_job(handle) == job
    hook.close(job)


def test_an_altered_handle_is_refused(connect: Connect) -> None:
    hook = connect()
    handle = hook.handle(open_job(hook))
    for altered in (handle["session"][:-8] + "AAAAAAA=", "", "ü", "nonsense"):
        with pytest.raises(InvalidHandle):
            hook.load_job(handle | {"session": altered})


# On the event loop


async def test_the_server_of_a_connection_is_read_on_the_event_loop(
    mstr_sandbox: Sandbox, connect: Connect
) -> None:
    hook = connect(extra={"login_mode": "ldap", "timeout": "7"})
    server = await hook.aserver()
    assert (server.url, server.credentials.mode, server.timeout) == (mstr_sandbox.url, LoginMode.LDAP, 7.0)
    assert await hook.aserver() is server
    assert hook.server is server
    assert server == connect(extra={"login_mode": "ldap", "timeout": "7"}).server


async def test_a_uri_is_read_on_the_event_loop(
    mstr_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MSTR_DEFAULT", uri(mstr_sandbox.url, login_mode="guest"))
    assert (await MstrHook().aserver()).credentials.mode is LoginMode.GUEST


async def test_flows_run_on_the_event_loop(mstr_sandbox: Sandbox, connect: Connect) -> None:
    hook = connect()
    credentials = (await hook.aserver()).credentials
    sessions = await asyncio.gather(*(hook.arun(login(credentials)) for _ in range(3)))
    assert mstr_sandbox.report().open_sessions == 3
    await asyncio.gather(*(hook.arun(logout(session)) for session in sessions))
    assert mstr_sandbox.report().open_sessions == 0


async def test_a_connection_without_sense_is_refused_on_the_event_loop(connect: Connect) -> None:
    with pytest.raises(InvalidInput, match="login_mode"):
        await connect(extra={"login_mode": "saml"}).aserver()


async def test_errors_come_through_on_the_event_loop(connect: Connect) -> None:
    hook = connect(password="wrong")
    with pytest.raises(AuthenticationError):
        await hook.arun(login((await hook.aserver()).credentials))


@pytest.mark.usefixtures("quickly_gives_up")
def test_a_server_that_is_away_is_left_to_retries(mstr_sandbox: Sandbox, connect: Connect) -> None:
    mstr_sandbox.add_fault("login", "status", status=503, times=None)
    with pytest.raises(ServerUnavailable) as caught:
        open_job(connect())
    assert caught.value.retryable


# Airflow's side


def test_the_hook_is_what_airflow_makes_of_the_connection(mstr_sandbox: Sandbox, connect: Connect) -> None:
    connect()
    from airflow.providers.common.compat.sdk import BaseHook

    hook = BaseHook.get_hook("mstr_default")
    assert isinstance(hook, MstrHook)
    assert hook.mstr_conn_id == "mstr_default"
    assert hook.test_connection()[0]


def test_a_hook_without_arguments_uses_the_default_connection(connect: Connect) -> None:
    connect()
    assert MstrHook().test_connection()[0]
    assert MstrHook.conn_name_attr == "mstr_conn_id"


async def test_a_kill_stays_known_as_one_while_secrets_are_registered(
    mstr_connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, goes_on = threading.Event(), threading.Event()

    def register(secrets: Iterable[str]) -> None:
        started.set()
        goes_on.wait(60)

    monkeypatch.setattr(hooks, "register_secrets", register)
    hook = MstrHook()
    seen: list[tuple[Any, ...]] = []

    async def wait() -> None:
        try:
            await hook.arun(login((await hook.aserver()).credentials))
        except asyncio.CancelledError as cancelled:
            seen.append(cancelled.args)

    waiting = asyncio.ensure_future(wait())
    await asyncio.to_thread(started.wait, 60)
    waiting.cancel("the mark of a user's kill")
    await waiting
    goes_on.set()
    assert seen == [("the mark of a user's kill",)]
