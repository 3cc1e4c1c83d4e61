# SPDX-License-Identifier: Apache-2.0
"""Parsing responses, and running flows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from scripted import TOKEN, answer, empty, refusal

from airflow_provider_mstr.rest import errors
from airflow_provider_mstr.rest.codes import (
    ISERVER_CODES,
    NO_SUCH_OBJECT,
    UNSPECIFIED,
    code_message,
    to_signed,
)
from airflow_provider_mstr.rest.messages import Request, Response
from airflow_provider_mstr.rest.responses import (
    describe_body,
    expect_empty,
    json_object,
    parse_response,
    required_header,
)

PASSWORD = "correct horse battery"


def a_request(**more: Any) -> Request[Any]:
    how: dict[str, Any] = {
        "purpose": "do a thing",
        "parse": expect_empty,
        "has_session": True,
        "secrets": frozenset({TOKEN, PASSWORD}),
    }
    return Request(method="GET", path="/api/thing", **(how | more))


def error_of(response: Response, **more: Any) -> errors.MstrError:
    with pytest.raises(errors.MstrError) as caught:
        parse_response(a_request(**more), response)
    return caught.value


# Response


@pytest.mark.parametrize(
    "name", ["X-MSTR-AuthToken", "x-mstr-authtoken", "X-Mstr-Authtoken", "X-MSTR-AUTHTOKEN"]
)
def test_a_header_is_found_in_any_case(name: str) -> None:
    assert Response(204, ((name, TOKEN),)).header("X-MSTR-AuthToken") == TOKEN


def test_an_absent_an_empty_and_a_blank_header_are_all_none() -> None:
    response = Response(200, (("Empty", ""), ("Blank", "  ")))
    assert [response.header(name) for name in ("Absent", "Empty", "Blank")] == [None, None, None]


def test_the_first_header_that_says_something_counts_and_is_stripped() -> None:
    assert Response(200, (("A", " "), ("a", " one "), ("A", "two"))).header("A") == "one"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff\xfe\xff", b"[" * 100_000, b"9" * 5000])
def test_a_body_that_is_no_json_reads_as_none(body: bytes) -> None:
    assert Response(200, (), body).json() is None


def test_half_of_a_surrogate_pair_is_read() -> None:
    assert Response(200, (), b'["\xed\xa0\x80"]').json() == ["\ud800"]


# reading a good answer


@pytest.mark.parametrize("body", [b"", b" \r\n", b"{}", b'{"jobId": 7}'])
def test_no_content_may_be_empty_or_an_object_that_is_no_error(body: bytes) -> None:
    assert parse_response(a_request(), Response(200, (), body)) is None


@pytest.mark.parametrize(
    "body", [b'{"code": "ERR001"}', b'{"errors": []}', b"[]", b"null", b"<html>log in</html>", b'{"a"']
)
def test_unexpected_content_is_rejected(body: bytes) -> None:
    error = error_of(Response(200, (("Content-Type", "text/html; charset=x"),), body))
    assert type(error) is errors.InvalidResponse
    assert "text/html" in str(error)
    assert "log in" not in str(error)
    assert error.what.endswith("instead of an empty body")


def test_a_good_answer_carries_its_value() -> None:
    assert parse_response(a_request(parse=json_object), answer({"x": 1})) == {"x": 1}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_good(status: int) -> None:
    assert parse_response(a_request(parse=required_header("Id")), empty(status, ID="7")) == "7"


def test_a_2xx_without_its_header_is_rejected_with_the_ticket() -> None:
    error = error_of(answer({"ticketId": "T9"}), parse=required_header("X-Id"))
    assert type(error) is errors.InvalidResponse
    assert error.what == "could not do a thing: the response has no header X-Id"
    assert (error.reply.status, error.reply.ticket) == (200, "T9")


@pytest.mark.parametrize("value", ["tök", "a\x7fb"])
def test_a_header_with_characters_that_no_request_may_have_is_invalid(value: str) -> None:
    error = error_of(Response(200, (("Id", value),)), parse=required_header("Id"))
    assert type(error) is errors.InvalidResponse
    assert error.what == (
        "could not do a thing: the header Id of the response has characters that are not allowed in a request"
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"null", b"<html>", b'{"a": 1', b'"text"'])
def test_a_2xx_without_a_json_object_is_rejected(body: bytes) -> None:
    response = Response(200, (), body)
    error = error_of(response, parse=json_object)
    assert type(error) is errors.InvalidResponse
    problem = f"unexpected response format: {describe_body(response)} instead of a JSON object"
    assert error.what == f"could not do a thing: {problem}"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200), "an empty body"),
        (Response(200, (), b" \n"), "an empty body"),
        (Response(200, (), b"[]"), "other JSON (no content type, 2 bytes)"),
        (
            Response(200, (("content-type", "text/plain"),), b"hello"),
            "a body that is not valid JSON (text/plain, 5 bytes)",
        ),
        (
            Response(200, (("content-type", "text/html;charset=UTF-8"),), b"<html>"),
            "an HTML page (text/html, 6 bytes)",
        ),
    ],
)
def test_the_description_of_a_body_does_not_quote_it(response: Response, expected: str) -> None:
    assert describe_body(response) == expected


# what a refusal means


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refusal(500, "ERR001", -1), errors.RequestFailed),
        (refusal(500, "ERR002", -1), errors.RequestFailed),
        (refusal(501, "ERR001", -1), errors.RequestFailed),
        (refusal(500, "ERR001"), errors.ServerUnavailable),
        (refusal(500, "ERR002"), errors.ServerUnavailable),
        (refusal(404, "ERR001"), errors.NotFound),
        (refusal(400, "ERR001"), errors.InvalidRequest),
        (refusal(403, "ERR001"), errors.NoPrivilege),
        (refusal(400, "Some expected"), errors.InvalidRequest),
        (empty(500), errors.ServerUnavailable),
        (empty(501), errors.ServerUnavailable),
        (empty(403), errors.NoPrivilege),
        (Response(403, (("Content-Type", "text/html"),), b"<html>Blocked</html>"), errors.InvalidResponse),
        (empty(400), errors.InvalidResponse),
        (empty(404), errors.InvalidResponse),
        (empty(418), errors.InvalidResponse),
        (empty(101), errors.InvalidResponse),
        (Response(404, (("Content-Type", "text/html"),), b"<html>not here</html>"), errors.InvalidResponse),
        (Response(500, (), b"<html>oops</html>"), errors.ServerUnavailable),
    ],
    ids=lambda value: (
        value.__name__ if isinstance(value, type) else f"{value.status} {value.body[:17].decode()}"
    ),
)
def test_each_error_response_has_its_error_class(response: Response, kind: type[errors.MstrError]) -> None:
    assert type(error_of(response)) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ERR003", errors.AuthenticationError),
        ("ERR004", errors.NotFound),
        ("ERR005", errors.InvalidRequest),
        ("ERR006", errors.InvalidRequest),
        ("ERR007", errors.InvalidRequest),
        ("ERR008", errors.ServerUnavailable),
        ("ERR009", errors.SessionExpired),
        ("ERR013", errors.ServerUnavailable),
        ("ERR014", errors.NoPrivilege),
        ("ERR015", errors.InvalidRequest),
        ("ERR016", errors.ServerUnavailable),
        ("ERR017", errors.NoPrivilege),
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
def test_a_code_of_the_library_has_priority_over_the_status(
    code: str, kind: type[errors.MstrError], status: int
) -> None:
    assert type(error_of(refusal(status, code))) is kind


@pytest.mark.parametrize(
    ("response", "what"),
    [
        (refusal(400), "could not do a thing: the server rejects the request"),
        (refusal(401, "ERR009"), "could not do a thing: the session is over"),
        (refusal(401, "ERR003"), "could not do a thing: the server rejects the login"),
        (refusal(403, "ERR014"), "could not do a thing: the user lacks a privilege or has no access"),
        (refusal(404, "ERR004"), "could not do a thing: the server does not find it"),
        (refusal(500, "ERR001", -1), "could not do a thing"),
        (empty(503), "could not do a thing: the server is unavailable"),
        (empty(429), "could not do a thing: the server receives too many requests"),
        (empty(500), "could not do a thing: the server failed without a message"),
        (refusal(500, "ERR001", -2147212544), f"could not do a thing: {code_message(-2147212544)}"),
        (empty(418), "could not do a thing: unexpected response format: an empty body"),
        (empty(404), "could not do a thing: the server has no such endpoint: it returns an empty body"),
        (
            Response(403, (("Content-Type", "text/html"),), b"<html>"),
            "could not do a thing: unexpected response format: an HTML page (text/html, 6 bytes)",
        ),
        (
            Response(404, (("Content-Type", "text/html"),), b"<html>"),
            "could not do a thing: the server has no such endpoint: "
            "it returns an HTML page (text/html, 6 bytes)",
        ),
    ],
)
def test_an_error_names_the_request_and_the_known_cause(response: Response, what: str) -> None:
    assert error_of(response).what == what


def test_a_page_before_the_login_means_another_url() -> None:
    page = Response(404, (("Content-Type", "text/html"),), b"<html>")
    error = error_of(page, has_session=False)
    assert error.what.startswith("could not do a thing: this URL is not a Strategy REST API")
    assert "MicroStrategyLibrary" in error.advice


@pytest.mark.parametrize(
    ("response", "more", "advice"),
    [
        # A project that is not loaded is another case than an id that does not exist.
        (refusal(404, "ERR004", NO_SUCH_OBJECT), {"object_advice": "Check the id."}, "Check the id."),
        (refusal(404, "ERR004"), {"object_advice": "Check the id."}, "Check the id."),
        (refusal(404, "ERR004"), {}, errors.NotFound.advice),
        (
            refusal(500, "ERR001", -2147209177),
            {"object_advice": "Check the id."},
            "Ask the Strategy administrator to load the project.",
        ),
        # A server without this endpoint is another case than a wrong URL, and than an odd answer.
        (empty(404), {}, "the server is too old for this request, or a proxy blocks its path"),
        (empty(404), {"has_session": False}, "Check that the connection's host is the Library URL"),
        (answer([]), {"parse": json_object}, "This version of the server may not be supported"),
        (Response(200, (), b"<html>"), {"parse": json_object}, "check that no proxy, firewall or login page"),
        (
            Response(200, (), b"<html>"),
            {"parse": json_object, "has_session": False},
            errors.InvalidResponse.advice,
        ),
        (Response(302, (("Location", "https://a.example"),)), {}, "The login succeeded"),
        (Response(403, (), b"<html>"), {}, "The login succeeded"),
        # A server may refuse an object of another kind without a code of its own.
        (
            refusal(400, "ERR006"),
            {"object_advice": "Check the id."},
            "Check the id. If it is correct, report",
        ),
        (refusal(400, "ERR006"), {}, errors.InvalidRequest.advice),
        (
            refusal(500, "ERR001", UNSPECIFIED),
            {"object_advice": "Check the id."},
            f"Check the id. {errors.RequestFailed.advice}",
        ),
        # A server that answers can be reached.
        (empty(503), {}, "ask the administrator of the Library server or of the proxy before it"),
        (empty(500), {}, "ask the administrator of the Library server or of the proxy before it"),
        (empty(429), {}, "Run fewer refreshes at once"),
        (refusal(401, "ERR003", -2147216963), {}, "change the password"),
        (refusal(401, "ERR003", -2147216965), {}, "enable the user"),
        (refusal(401, "ERR003"), {}, "Correct login, password or login_mode"),
    ],
)
def test_the_advice_fits_the_case(response: Response, more: dict[str, Any], advice: str) -> None:
    assert advice in error_of(response, **more).advice


@pytest.mark.parametrize("message", ["HTTP 404 Not Found", "Not Found", "404", "http 404"])
def test_a_message_that_repeats_the_status_is_left_out(message: str) -> None:
    text = str(error_of(refusal(404, "ERR004", message=message)))
    assert text.count("404") == 1
    assert "Server message" not in text


def test_the_text_names_the_object_after_the_reason() -> None:
    response = refusal(404, "ERR004", NO_SUCH_OBJECT)
    assert str(error_of(response, about="data model M", object_advice="Check the id.")) == (
        "could not do a thing: no object has this id. Server message: no. Check the id "
        f"(data model M, HTTP 404, code ERR004, iServerCode {NO_SUCH_OBJECT}, ticket ticket-1)"
    )


@pytest.mark.parametrize("code", [code for code, known in ISERVER_CODES.items() if known.error_class])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502, 503, 504, 429])
def test_a_known_iserver_code_has_priority_over_status_and_code(code: int, status: int) -> None:
    error = error_of(refusal(status, "ERR009", code))
    assert type(error) is ISERVER_CODES[code].error_class
    assert str(code_message(code)) in error.what


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-2147072486, errors.SessionLimit),
        (-2147209056, errors.SessionLimit),
        (-2147468986, errors.InstanceExpired),
        (-2147072194, errors.ModelBusy),
        (-2147216959, errors.AuthenticationError),
        (-2147213784, errors.NoPrivilege),
        (-2147214578, errors.NoPrivilege),
        (-2147216373, errors.NotFound),
        (-2147209151, errors.NotFound),
        (-2147209183, errors.NotFound),
        (-2147468903, errors.ServerUnavailable),
        (-2147206497, errors.ServerUnavailable),
        (-2147203852, errors.RequestFailed),
        (0x800438F4 - 2**32, errors.SessionExpired),
        (0x800430A5 - 2**32, errors.SessionExpired),
        (0x80043705 - 2**32, errors.SessionExpired),
        (0x80004003 - 2**32, errors.SessionExpired),
    ],
)
def test_the_codes_of_the_api_notes_mean_what_the_notes_say(code: int, kind: type[errors.MstrError]) -> None:
    assert type(error_of(refusal(500, "ERR001", code))) is kind


@pytest.mark.parametrize("code", [code for code, known in ISERVER_CODES.items() if not known.error_class])
def test_a_code_without_an_error_class_adds_its_message(code: int) -> None:
    error = error_of(refusal(500, "ERR002", code, message=""))
    assert type(error) is errors.RequestFailed
    assert str(code_message(code)) in str(error)


def test_a_server_that_gives_a_reason_does_not_fail_without_one() -> None:
    error = error_of(refusal(500, "ERR002", UNSPECIFIED, message="Not a cube."))
    assert str(error).startswith("could not do a thing. Server message: Not a cube. ")


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
@pytest.mark.parametrize("code", ["ERR001", "ERR004", "ERR009", "ERR014", "anything"])
def test_an_unavailable_server_may_send_json(status: int, code: str) -> None:
    assert type(error_of(refusal(status, code))) is errors.ServerUnavailable


@pytest.mark.parametrize(("status", "nothing_done"), [(429, True), (502, False), (503, False), (504, False)])
def test_only_http_429_is_certain_to_have_no_effect(status: int, nothing_done: bool) -> None:
    error = error_of(empty(status))
    assert isinstance(error, errors.ServerUnavailable)
    assert error.nothing_done is nothing_done


@pytest.mark.parametrize("spelling", ["ERR014", "ERR0014", "ERR00000014", "ERR14", "err014", "Err0014"])
def test_an_error_code_counts_in_every_spelling(spelling: str) -> None:
    error = error_of(refusal(400, spelling))
    assert type(error) is errors.NoPrivilege
    assert error.reply.code == "ERR014"


@pytest.mark.parametrize(
    "spelling", ["ERRx14", "ERR", "ERR01 4", "ERR\u0660\u0661\u0664", "err\u066014", "errx14", "014"]
)
def test_a_text_that_resembles_an_error_code_is_unchanged(spelling: str) -> None:
    error = error_of(refusal(500, spelling, -1))
    assert type(error) is errors.RequestFailed
    assert error.reply.code == spelling


def test_no_publish_workflow_means_that_the_model_cannot_be_published() -> None:
    error = error_of(refusal(400, "ERR006", message="There is No Publish Workflow for this model"))
    assert type(error) is errors.NotPublishable


@pytest.mark.parametrize(
    ("has_session", "kind"), [(True, errors.SessionExpired), (False, errors.AuthenticationError)]
)
def test_a_401_without_a_code_ends_a_session_only_if_the_request_has_one(
    has_session: bool, kind: type[errors.MstrError]
) -> None:
    assert type(error_of(empty(401), has_session=has_session)) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("8004cb0a", errors.SessionLimit),
        ("8004CB0A", errors.SessionLimit),
        ("8004cb09", errors.NoPrivilege),
        ("8004e457", errors.NotPublishable),
        ("8004cc99", errors.RequestFailed),
        ("8004zz99", errors.ServerUnavailable),
    ],
)
def test_the_modeling_services_errors_are_read_like_the_librarys(
    code: str, kind: type[errors.MstrError]
) -> None:
    body = {"errors": [{"code": code, "message": "no", "additionalProperties": {}}, {"code": "ERR003"}]}
    error = error_of(answer(body | {"ticketId": "T1"}, 500))
    assert type(error) is kind
    assert (error.reply.code, error.reply.message, error.reply.ticket) == (code, "no", "T1")


def test_a_modeling_error_that_comes_bare_is_read_too() -> None:
    error = error_of(answer({"code": "8004cb0a", "message": "full"}, 500))
    assert type(error) is errors.SessionLimit
    assert error.reply.iserver_code == to_signed(0x8004CB0A)


def test_an_iserver_code_beside_a_modeling_code_comes_first() -> None:
    body = {"errors": [{"code": "8004cb09", "iServerCode": -2147072194}]}
    assert type(error_of(answer(body, 500))) is errors.ModelBusy


def test_the_tickets_place_inside_a_modeling_error_comes_first() -> None:
    body = {"ticketId": "outer", "errors": [{"code": "8004cc99", "ticketId": "inner"}]}
    assert error_of(answer(body, 500)).reply.ticket == "inner"


def test_the_servers_report_is_in_the_reply_and_the_text() -> None:
    error = error_of(refusal(500, "ERR001", -2147072194, "Cube is in use"))
    assert error.reply == errors.ServerReply(500, "ERR001", -2147072194, "Cube is in use", "ticket-1")
    for part in ("could not do a thing", "Cube is in use", "HTTP 500", "ERR001", "-2147072194", "ticket-1"):
        assert part in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Gateway</body></html>",
        b'{"code": "ERR001", "message": "cut o',
        b"[" * 200_000,
        b'{"errors": "none"}',
        b'{"errors": []}',
        b'{"errors": [7]}',
        b'{"errors": [[]]}',
        b'{"code": null, "iServerCode": null, "message": null, "ticketId": null}',
        b'{"code": [], "iServerCode": {}, "message": {}, "ticketId": []}',
        b'{"code": "", "iServerCode": "", "message": ""}',
        b'{"iServerCode": "seven"}',
        b'{"iServerCode": ' + b"9" * 5000 + b"}",
        b'{"iServerCode": NaN}',
        b'{"iServerCode": 1e999}',
        b'{"message": "\xff\xfe"}',
        b'{"message": "\\ud800"}',
        b"\x00\x01\x02",
        b"NaN",
        b"7",
        b'"text"',
        b"null",
        b"true",
    ],
    # pytest finds no test again by a name with a backslash in it.
    ids=lambda body: repr(body[:24]).replace("\\", "%"),
)
@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_the_status_decides_if_the_body_has_an_unexpected_format(body: bytes, status: int) -> None:
    kind = errors.InvalidResponse if status < 500 else errors.ServerUnavailable
    error = error_of(Response(status, (), body))
    assert type(error) is kind
    assert (error.reply.code, error.reply.iserver_code) == (None, None)
    assert error.reply.status == status


@pytest.mark.parametrize("text", ["-2147072194", " -2147072194 "])
def test_an_iserver_code_may_come_as_text(text: str) -> None:
    assert type(error_of(answer({"code": "ERR001", "iServerCode": text}, 500))) is errors.ModelBusy


def test_a_500_with_only_an_iserver_code_is_the_servers_own_failure() -> None:
    """3.5, 3: other 5xx with an iServerCode are failures; without JSON they are the server being away."""
    assert (
        type(error_of(answer({"iServerCode": -2147212544, "message": "stalled"}, 500)))
        is errors.RequestFailed
    )


def test_a_very_long_message_is_cut() -> None:
    error = error_of(refusal(500, "ERR001", message="x" * 5000))
    assert error.reply.message == "x" * 1999 + "…"


# secrets


def test_secrets_in_the_servers_message_are_masked() -> None:
    message = f"no session {TOKEN} for {PASSWORD} ({TOKEN})"
    error = error_of(refusal(401, "ERR009", message=message))
    assert error.reply.message == "no session *** for *** (***)"
    assert TOKEN not in str(error)


def test_a_secret_at_the_cut_of_a_long_message_leaves_no_part_behind() -> None:
    error = error_of(refusal(500, "ERR001", message="x" * 1990 + TOKEN))
    assert TOKEN[:5] not in str(error)


@pytest.mark.parametrize("longer", ["abcdef", "_abc_"])
def test_the_longer_of_two_secrets_is_masked_first(longer: str) -> None:
    response = Response(200, body=f'["abc {longer}"]'.encode(), secrets=frozenset({"abc", longer}))
    assert response.json() == ["*** ***"]


@pytest.mark.parametrize("status", [204, 401, 503])
def test_an_answer_masks_the_token_and_the_cookies_that_it_sets_itself(status: int) -> None:
    payload = {"code": "ERR009", "message": "no session fresh-token-of-nobody for a%2Fcookie%2Fof%2Fnobody"}
    response = answer(payload, status)
    own = (("x-mstr-authtoken", "fresh-token-of-nobody"), ("set-cookie", 'J="a/cookie/of/nobody"; Path=/'))
    error = error_of(replace(response, headers=own), parse=expect_empty)
    assert error.reply.message == "no session *** for ***"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_secret_is_masked_in_every_encoding_of_json(encoding: str) -> None:
    response = Response(200, body=f'["{TOKEN}"]'.encode(encoding), secrets=frozenset({TOKEN}))
    assert response.json() == ["***"]


@pytest.mark.parametrize("kind", [f"text/{TOKEN}", f'text/html; a="{TOKEN}"', f"x/%6e{TOKEN[1:]}"])
def test_a_secret_in_the_content_type_is_masked(kind: str) -> None:
    error = error_of(Response(200, (("Content-Type", kind),), b"<html>"))
    assert TOKEN[1:] not in str(error)


@pytest.mark.parametrize("place", ["code", "ticketId", "message"])
def test_a_secret_is_masked_wherever_the_body_repeats_it(place: str) -> None:
    error = error_of(answer({"code": "X", place: f"it is {TOKEN}"}, 500))
    assert TOKEN not in str(error)
    assert TOKEN not in json.dumps(error.to_json())


# redirects


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 304])
def test_a_redirect_is_not_followed_and_names_the_host_it_points_to(status: int) -> None:
    error = error_of(empty(status, Location="https://login.example.com/oauth?state=1"))
    assert type(error) is errors.InvalidResponse
    assert error.what == "could not do a thing: the server redirects to login.example.com"
    assert error.reply.status == status


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("//idp.example.com/saml", "idp.example.com"),
        ("login", "another path"),
        ("/login", "another path"),
        ("/MicroStrategyLibrary/auth/login-page", "another path"),
        ("../auth/ui/loginPage", "another path"),
        (f"https://{TOKEN}.example.com/x", "***.example.com"),
        (f"https://%6e{TOKEN[1:]}.example.com:8443/x", "***:8443"),
        ("https://IDP.example.com:/saml", "idp.example.com"),
        ("https://IDPX:/saml", "idpx"),
        ("https://[::1]:8443/saml", "[::1]:8443"),
        ("https://idp.example.com:8443/saml", "idp.example.com:8443"),
        ("https://idp.example.com:port/", "an invalid URL"),
        ("https://[idp.example.com/", "an invalid URL"),
    ],
)
def test_a_redirect_names_the_host(location: str, text: str) -> None:
    assert error_of(empty(302, Location=location)).what.endswith(f"the server redirects to {text}")


def test_a_redirect_without_a_location_is_reported() -> None:
    assert error_of(empty(302)).what == "could not do a thing: the server redirects to another path"


@pytest.mark.parametrize(
    "location",
    ["https://someone:hunter2@proxy.example.com/", "https://idp.example.com?ticket=hunter2", "//h#hunter2"],
)
def test_a_redirect_names_only_the_host(location: str) -> None:
    assert "hunter2" not in str(error_of(empty(302, Location=location)))


# Retry-After


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("99999999999999999999999", 999999999.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("²", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 09:28:30 +0200", 30.0),
        ("Wed, 21 Oct 2026 07:28:30 -0000", None),
        ("Wed, 99 Oct 2026 07:28:30 GMT", None),
    ],
)
def test_retry_after_counts_in_seconds_or_as_a_date_by_the_servers_clock(
    text: str, seconds: float | None
) -> None:
    error = error_of(empty(503, Retry_After=text, Date="Wed, 21 Oct 2026 07:28:00 GMT"))
    assert error.reply.retry_after == seconds


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 21 Oct 2026 07:28:00"])
def test_a_retry_after_date_without_a_date_to_measure_by_is_not_used(date: str) -> None:
    error = error_of(empty(503, Retry_After="Wed, 21 Oct 2026 07:28:30 GMT", Date=date))
    assert error.reply.retry_after is None


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 16 Aug 99999999999999999999 01:42:31 GMT",
        "Wed, 99999999999999999999 Aug 2017 01:42:31 GMT",
        "Wed, 16 Aug 2017 01:42:31 +99999999999999999999",
    ],
)
def test_a_retry_after_date_beyond_all_calendars_is_not_used(text: str) -> None:
    error = error_of(empty(503, Retry_After=text, Date="Wed, 21 Oct 2026 07:28:00 GMT"))
    assert error.reply.retry_after is None


# what is shown


def test_a_request_shows_none_of_what_it_carries() -> None:
    request = a_request(headers={"X-MSTR-AuthToken": TOKEN}, body={"password": PASSWORD})
    assert TOKEN not in repr(request)
    assert PASSWORD not in repr(request)


def test_only_documented_codes_have_a_message() -> None:
    assert code_message(-2147072194) == "the data model is being published by another job"
    assert [code_message(code) for code in (None, 0, 7)] == [None, None, None]
