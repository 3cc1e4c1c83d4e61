# SPDX-License-Identifier: Apache-2.0
"""An Airflow connection's fields, as the Library server they describe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mstr.connection import extras
from airflow_provider_mstr.connection.server import DEFAULT_TIMEOUT, LibraryServer
from airflow_provider_mstr.provider_info import get_provider_info
from airflow_provider_mstr.rest.errors import InvalidInput
from airflow_provider_mstr.rest.session import Credentials, LoginMode

PASSWORD = "correct horse battery"
LIBRARY = "https://library.example.com/MicroStrategyLibrary"


@dataclass
class Fields:
    """The fields of an Airflow connection."""

    host: str | None = f"{LIBRARY}/app"
    port: int | None = None
    schema: str | None = None
    login: str | None = "administrator"
    password: str | None = PASSWORD


def server(extra: dict[str, Any] | None = None, **fields: Any) -> LibraryServer:
    return LibraryServer.of(Fields(**fields), extra or {})


def test_a_plain_connection_gives_a_server_with_sound_defaults() -> None:
    assert server() == LibraryServer(
        url=LIBRARY,
        credentials=Credentials(LoginMode.STANDARD, "administrator", PASSWORD),
        project=None,
        verify=True,
        timeout=DEFAULT_TIMEOUT,
        link_template="",
    )


def test_a_full_connection_gives_all_it_says() -> None:
    extra = {
        "login_mode": "ldap",
        "verify": "/ca.pem",
        "timeout": "5",
        "headers": {"X-Key": "a-gateway-key"},
        "link_template": "{base}/x",
    }
    assert server(extra, host="library.example.com", port=8443, schema="Tutorial") == LibraryServer(
        url="https://library.example.com:8443",
        credentials=Credentials(LoginMode.LDAP, "administrator", PASSWORD),
        project="Tutorial",
        verify="/ca.pem",
        timeout=5.0,
        headers={"X-Key": "a-gateway-key"},
        link_template="{base}/x",
    )


@pytest.mark.parametrize("nothing", [None, "", "  ", "null"])
def test_an_extra_field_that_is_null_or_empty_counts_as_absent(nothing: Any) -> None:
    assert server(dict.fromkeys(extras.NAMES, nothing)) == server()


@pytest.mark.parametrize(
    "extra",
    [
        {"login_mode": "standard", "verify": "true", "timeout": None, "link_template": None},
        {"login_mode": None, "verify": "", "timeout": None, "link_template": ""},
        {"login_mode": "standard", "verify": "true", "timeout": 30, "link_template": " "},
        {"login_mode": "standard", "verify": "true", "timeout": 30.0, "link_template": None, "other": 1},
    ],
    ids=["untouched", "cleared", "typed", "with more"],
)
@pytest.mark.parametrize("port", [None, 0])
def test_what_airflows_form_saves_of_fields_left_alone_is_the_default(extra: Any, port: int | None) -> None:
    assert server(extra, port=port, schema="", password=PASSWORD) == server()


def test_the_form_shows_the_default_of_an_empty_field() -> None:
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert server({name: each["schema"].get("default") for name, each in fields.items()}) == server()
    assert f"{DEFAULT_TIMEOUT:.0f} if left empty" in fields["timeout"]["description"]


@pytest.mark.parametrize(
    ("typed", "mode"),
    [
        ("standard", LoginMode.STANDARD),
        (" LDAP ", LoginMode.LDAP),
        ("Api_Token", LoginMode.API_TOKEN),
        ("guest", LoginMode.GUEST),
        (1, LoginMode.STANDARD),
        (16, LoginMode.LDAP),
        ("4096", LoginMode.API_TOKEN),
        ("8", LoginMode.GUEST),
        (LoginMode.LDAP, LoginMode.LDAP),
    ],
)
def test_a_login_mode_is_typed_by_name_or_number(typed: Any, mode: LoginMode) -> None:
    assert server({"login_mode": typed}).credentials.mode is mode


@pytest.mark.parametrize("typed", ["saml", "64", 0, -1, "1.0", 1.0, [], {}, "standard ldap"])
def test_an_unknown_login_mode_is_rejected_with_the_existing_ones(typed: Any) -> None:
    with pytest.raises(InvalidInput, match=r"standard \(1\), guest \(8\), ldap \(16\), api_token \(4096\)"):
        server({"login_mode": typed})


@pytest.mark.parametrize("mode", ["standard", "ldap"])
@pytest.mark.parametrize("login", [None, "", "  "])
def test_a_login_by_name_needs_a_name(mode: str, login: str | None) -> None:
    with pytest.raises(InvalidInput, match=f"login_mode {mode}, but no login"):
        server({"login_mode": mode}, login=login)


@pytest.mark.parametrize("password", [None, ""])
def test_an_api_token_login_needs_its_token(password: str | None) -> None:
    with pytest.raises(InvalidInput, match="no token in its password"):
        server({"login_mode": "api_token"}, password=password)


def test_guests_and_api_tokens_need_no_name_and_a_user_may_have_no_password() -> None:
    assert server({"login_mode": "guest"}, login=None, password=None).credentials == Credentials(
        LoginMode.GUEST
    )
    assert server({"login_mode": 4096}, login=None).credentials.login_body()["username"] == PASSWORD
    assert server(password=None).credentials.login_body()["password"] == ""


@pytest.mark.parametrize(
    ("typed", "verify"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        (" NO ", False),
        ("yes", True),
        (0, False),
        (1, True),
        ("/etc/ssl/Private CA.pem", "/etc/ssl/Private CA.pem"),
    ],
)
def test_verify_is_a_truth_or_a_ca_file(typed: Any, verify: bool | str) -> None:
    assert server({"verify": typed}).verify == verify
    assert type(server({"verify": typed}).verify) is type(verify)


# Headers for a gateway


@pytest.mark.parametrize("form", [dict, json.dumps], ids=["object", "text"])
def test_headers_are_an_object_or_its_json(form: Callable[[Any], Any]) -> None:
    headers = {"Ocp-Apim-Subscription-Key": "a-gateway-key", "user-agent": "  Airflow/3 (etl) ", "X-Id": 7}
    assert server({"headers": form(headers)}).headers == {
        "Ocp-Apim-Subscription-Key": "a-gateway-key",
        "user-agent": "Airflow/3 (etl)",
        "X-Id": "7",
    }


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ("X-Key: hunter2hunter2", "not a JSON object"),
        (["hunter2hunter2"], "not a JSON object"),
        ({"X Key": "hunter2hunter2"}, "not a header name"),
        ({"X-Key:": "hunter2hunter2"}, "not a header name"),
        ({"": "hunter2hunter2"}, "not a header name"),
        ({"X-Key\r\nX-Other": "hunter2hunter2"}, "not a header name"),
        ({"X-Key": "hunter2hunter2\n"}, "the value of X-Key"),
        ({"X-Key": "hunter2hunter2\r\nX-Other: 1"}, "the value of X-Key"),
        ({"X-Key": "hunter2hunter2\x00"}, "the value of X-Key"),
        ({"X-Key": "hunter2hunter2\u2028"}, "the value of X-Key"),
        ({"X-Key": ["hunter2hunter2"]}, "the value of X-Key"),
        ({"X-Key": None}, "the value of X-Key"),
        ({"X-Key": True}, "the value of X-Key"),
    ],
)
def test_headers_that_cannot_be_sent_are_rejected_without_their_values(headers: Any, why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        server({"headers": headers})
    assert why in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "X-MSTR-AuthToken",
        "x-mstr-projectid",
        "X-MSTR-DataModelInstanceId",
        "Cookie",
        "Content-Type",
        "CONTENT-LENGTH",
        "Accept",
        "Accept-Encoding",
        "Host",
        "Transfer-Encoding",
        "Connection",
        "Proxy-Authorization",
    ],
)
def test_headers_of_the_package_itself_are_rejected(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"must not set {name}: only the package itself sets"):
        server({"headers": {name: "x"}})


def test_the_key_within_the_value_of_a_header_is_a_secret() -> None:
    described = server({"headers": {"Authorization": "Bearer a-gateway-key"}})
    assert described.secrets == {PASSWORD, "Bearer a-gateway-key", "a-gateway-key"}


def test_the_values_of_headers_are_secrets() -> None:
    described = server({"headers": {"X-Key": "a-gateway-key"}})
    assert "a-gateway-key" not in repr(described)
    assert described.secrets == {PASSWORD, "a-gateway-key"}


# Extra fields without an effect


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("verify_ssl", "use verify: true, false or a CA file"),
        ("ssl", "use verify"),
        ("loginMode", "use login_mode"),
        ("login-mode", "use login_mode"),
        ("LOGIN_MODE", "use login_mode"),
        ("timeouts", "use timeout"),
        ("verfy", "use verify"),
        ("header", "use headers"),
        ("proxies", "set the environment variables HTTPS_PROXY and NO_PROXY"),
        ("project_id", "enter the project in schema"),
        ("token", "enter the password or the API token in password"),
        ("base_url", "enter the Library URL in host"),
        ("validate_certs", "use verify: true, false or a CA file"),
        ("ca_cert", "use verify: true, false or a CA file"),
        ("user_agent", "use headers"),
        ("subscription_key", "use headers"),
        ("http_proxy_url", "set the environment variables HTTPS_PROXY and NO_PROXY"),
        ("authenticationMode", "use login_mode"),
        ("linkUrl", "use link_template"),
        ("username", "enter the user in login"),
        ("tiemout", "use timeout"),
        ("time_zone", "the extras are login_mode, verify, timeout, headers, link_template"),
        ("quite different", "the extras are login_mode, verify, timeout, headers, link_template"),
    ],
)
def test_an_extra_field_without_effect_is_named_with_the_right_one(name: str, instead: str) -> None:
    described = server({name: "hunter2hunter2"})
    assert described == server()
    (words,) = described.ineffective
    assert words.startswith(f"the extra {name!r} is unknown and has no effect: {instead}")
    assert "hunter2" not in words


def test_extras_that_airflow_adds_are_parsed() -> None:
    whole = server({"__extra__": '{"login_mode": "ldap", "timeout": 5}'})
    old_form = server({"extra__mstr__login_mode": "ldap", "extra__mstr__timeout": "5"})
    assert whole == old_form == server({"login_mode": "ldap", "timeout": 5})
    assert server({"extra__mstr__timeout": "5", "timeout": "6"}).timeout == 6.0
    assert (whole.ineffective, old_form.ineffective) == ((), ())


# Passwords and tokens with blanks or line breaks around them


def test_an_api_token_is_stripped_and_a_password_is_not() -> None:
    token, password = f" {PASSWORD}\n", f"{PASSWORD}\n"
    assert server({"login_mode": "api_token"}, password=token).credentials.password == PASSWORD
    assert server(password=password).credentials.password == password
    assert server(password=password).secrets == {PASSWORD, password}


@pytest.mark.parametrize("password", ["\n", " \r\n"])
def test_an_api_token_of_blanks_is_none(password: str) -> None:
    with pytest.raises(InvalidInput, match="no token in its password"):
        server({"login_mode": "api_token"}, password=password)


@pytest.mark.parametrize("typed", [0, -1, "soon", True, "inf", []])
def test_an_invalid_timeout_is_rejected(typed: Any) -> None:
    with pytest.raises(InvalidInput, match="the connection's timeout"):
        server({"timeout": typed})


def test_a_timeout_may_be_a_timedelta() -> None:
    assert server({"timeout": timedelta(minutes=1)}).timeout == 60.0


@pytest.mark.parametrize("extra", [[], ["ldap"], "ldap", 16, True, None], ids=repr)
def test_an_extra_that_is_not_an_object_is_rejected_without_being_quoted(extra: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        LibraryServer.of(Fields(), extra)
    assert str(caught.value) == "the connection's extra is not a JSON object"


@pytest.mark.parametrize(
    ("schema", "project"), [(None, None), ("", None), ("  ", None), (" My Project ", "My Project")]
)
def test_the_schema_is_the_project(schema: str | None, project: str | None) -> None:
    assert server(schema=schema).project == project


@pytest.mark.parametrize(
    "schema",
    [
        "MicroStrategyLibrary",
        "MicroStrategyLibraryStd/Tutorial",
        "api/bi/MicroStrategyLibrary",
        "gw/strategylibrary/T",
    ],
)
def test_a_part_of_the_library_url_is_no_project(schema: str) -> None:
    with pytest.raises(InvalidInput, match="in a connection URI, percent-encode it"):
        server(host="library.example.com", schema=schema)


@pytest.mark.parametrize("host", [None, "", "https://a:b@host", "not a url"])
def test_a_host_that_is_not_a_url_is_rejected(host: str | None) -> None:
    with pytest.raises(InvalidInput):
        server(host=host)


@pytest.mark.parametrize(
    ("template", "link"),
    [
        ("", f"{LIBRARY}/default/M1"),
        ("{base}/app/{project_id}/{data_model_id}", f"{LIBRARY}/app/P1/M1"),
        ("https://wiki/{data_model_id}{data_model_id}", "https://wiki/M1M1"),
        ("https://wiki/%7B", "https://wiki/%7B"),
        ("HTTPS://wiki/?m={data_model_id}&p={project_id}", "HTTPS://wiki/?m=M1&p=P1"),
        (" {base} ", LIBRARY),
        ("https://wiki", "https://wiki"),
        ("{base}/{object_id}", f"{LIBRARY}/M1"),
        ("{base}/{cube_id}", f"{LIBRARY}/default/M1"),
    ],
)
def test_a_link_fills_in_what_its_template_names(template: str, link: str) -> None:
    assert server({"link_template": template}).link("data_model", "/default/{object_id}", "M1", "P1") == link


@pytest.mark.parametrize(
    ("project", "quoted"),
    [
        ("My Project", "My%20Project"),
        ("a/b?c#d&e=f", "a%2Fb%3Fc%23d%26e%3Df"),
        ('"><script>', "%22%3E%3Cscript%3E"),
        ("50% {data_model_id} {base}", "50%25%20%7Bdata_model_id%7D%20%7Bbase%7D"),
        ("Größe\n", "Gr%C3%B6%C3%9Fe%0A"),
        ("..", ".."),
        ("\ud800", "%3F"),
    ],
)
def test_a_link_quotes_the_values_that_it_fills_in(project: str, quoted: str) -> None:
    template = "{base}/x?project={project_id}#/model/{data_model_id}"
    link = server({"link_template": template}).link("data_model", "", f"M1 {project}", project)
    assert link == f"{LIBRARY}/x?project={quoted}#/model/M1%20{quoted}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("javascript:alert('{data_model_id}')", "not the URL of a web page"),
        ("JavaScript://x/%0aalert(1)", "not the URL of a web page"),
        ("java\nscript:alert(1)", "not the URL of a web page"),
        ("data:text/html,{base}", "not the URL of a web page"),
        ("file:///etc/passwd", "not the URL of a web page"),
        ("vbscript:{base}", "not the URL of a web page"),
        ("//wiki/{data_model_id}", "not the URL of a web page"),
        ("wiki/{data_model_id}", "not the URL of a web page"),
        ("{data_model_id}", "not the URL of a web page"),
        ("https://", "not the URL of a web page"),
        ("https://[wiki", "not the URL of a web page"),
        ("https://wiki/\x1b[31m", "not the URL of a web page"),
        (5, "not the URL of a web page"),
        (["https://wiki"], "not the URL of a web page"),
        ("https://wiki/{data_model}", "contains '{data_model}'; it may contain only {base}"),
        ("https://wiki/{}", "contains '{}'"),
        ("https://wiki/{{base}}", "contains '{}'"),
        ("https://wiki/{base", "contains '{'"),
        ("https://wiki/base}", "contains '}'"),
        ("https://wiki/{BASE}", "contains '{BASE}'"),
        ("https://me:s3cr3t@wiki/{data_model_id}", "contains a user name"),
    ],
)
def test_an_invalid_link_template_is_rejected(template: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        server({"link_template": template})
    assert words in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_every_spelling_of_one_connection_has_one_seal() -> None:
    assert server().seal == server(host=f"{LIBRARY}/", schema="Tutorial", login=" administrator ").seal


@pytest.mark.parametrize(
    "other",
    [
        {"host": "https://other.example.com"},
        {"login": "somebody"},
        {"password": "another"},
        {"extra": {"login_mode": "ldap"}},
    ],
)
def test_another_url_login_mode_or_password_has_another_seal(other: dict[str, Any]) -> None:
    assert server(**other).seal != server().seal


def test_a_servers_secret_is_not_shown() -> None:
    assert PASSWORD not in repr([server(), server().seal, server().credentials])


FIELD = st.none() | st.text()
VALUE = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
)


@given(
    host=FIELD | st.just("library.example.com"),
    port=st.none() | st.integers(),
    schema=FIELD,
    login=FIELD,
    password=FIELD,
    extra=st.dictionaries(
        st.sampled_from([*extras.NAMES, "unknown", "__extra__", "extra__mstr__timeout"]),
        VALUE | st.dictionaries(st.text(), VALUE, max_size=2) | st.sampled_from(["guest", "api_token", "30"]),
    ),
)
def test_any_connection_is_a_server_or_refused(extra: dict[str, Any], **fields: Any) -> None:
    try:
        described = LibraryServer.of(Fields(**fields), extra)
    except InvalidInput:
        return
    assert described.url.startswith(("http://", "https://"))
    assert described.timeout > 0


@pytest.mark.parametrize(
    ("host", "verify", "risks"),
    [
        ("https://strategy.example.com/L", True, 0),
        ("https://strategy.example.com/L", False, 1),
        ("http://strategy.example.com/L", True, 1),
        ("http://localhost:8080/L", True, 0),
        ("http://127.0.0.1:8080/L", False, 0),
    ],
)
def test_what_others_could_read_or_fake_is_a_risk(host: str, verify: bool, risks: int) -> None:
    assert len(LibraryServer(host, Credentials(), verify=verify).risks) == risks
