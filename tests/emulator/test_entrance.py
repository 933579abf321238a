"""What is checked before an endpoint: paths, methods, keys, types and bodies."""

from __future__ import annotations

import json

import pytest
from emulator_small_world import CONTAINS, EMPTY, NOBODY, POLITE, SHOP, path_of

from futureagi_async.emulator.rules.content import classic_message
from futureagi_async.emulator.rules.fields import FormData, ListOf, Text
from futureagi_async.emulator.server import _method


ADD = path_of(EMPTY, "eval-configs/")
CONFIG = {"evaluations_config": [{"template_id": CONTAINS}]}


@pytest.mark.parametrize(
    "path",
    [
        "/nothing/",
        path_of("abc", "eval-configs/"),
        path_of(EMPTY.upper(), "eval-configs/"),
        path_of(f"{{{EMPTY}}}", "eval-configs/"),
        path_of(EMPTY.replace("-", ""), "eval-configs/"),
        path_of(f"{EMPTY}%20", "eval-configs/"),
        path_of(f"{EMPTY}%2F", "eval-configs/"),
        path_of(EMPTY, "nothing/"),
        path_of(EMPTY, "nothing"),
    ],
)
def test_a_path_that_does_not_match_exactly_is_a_page_not_found(ask, path):
    reply = ask("POST", path, CONFIG, key=None)

    assert reply.status == 404
    assert reply.content_type.startswith("text/html")
    assert reply.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("path", "location"),
    [
        (path_of(SHOP, "run-new-evals"), path_of(SHOP, "run-new-evals/")),
        (path_of(SHOP, "executions?limit=1"), path_of(SHOP, "executions/?limit=1")),
        ("/health", "/health/"),
    ],
)
def test_a_missing_slash_redirects_before_keys_are_checked(ask, path, location):
    reply = ask("POST", path, {}, key=None)

    assert (reply.status, reply.text) == (301, "")
    assert reply.headers["Location"] == location


def test_health_needs_no_keys(ask):
    assert ask.get("/health/", key=None).json == {
        "status": True,
        "result": "Server is up and running",
    }
    assert ask("POST", "/health/", key=None).status == 405


NOT_PROVIDED = "Authentication credentials were not provided."
WRONG = "Invalid API key or secret key"


@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        ({}, "not_authenticated", NOT_PROVIDED),
        ({"X-Api-Key": "key-owner"}, "not_authenticated", NOT_PROVIDED),
        ({"X-Api-Key": "", "X-Secret-Key": ""}, "not_authenticated", NOT_PROVIDED),
        (
            {"X-Api-Key": "key-owner", "X-Secret-Key": "secret-away"},
            "authentication_failed",
            WRONG,
        ),
        (
            {"X-Api-Key": "key-off", "X-Secret-Key": "secret-off"},
            "authentication_failed",
            WRONG,
        ),
    ],
)
def test_keys_are_checked_before_anything_else(ask, headers, code, message):
    reply = ask("POST", ADD, raw=b"{bad", key=None, headers=headers)

    assert (reply.status, reply.message) == (401, message)
    assert reply.json["type"] == "authentication_error"
    assert reply.json["code"] == code
    assert reply.json["details"] == {"detail": [message]}


def test_any_token_hides_the_keys(ask):
    reply = ask("POST", ADD, CONFIG, headers={"Authorization": "Basic dTpw"})

    assert reply.status == 401
    assert reply.message.endswith("Invalid token encryption")


def test_an_empty_token_is_ignored(ask):
    headers = {"Authorization": "Bearer "}

    assert ask("POST", ADD, CONFIG, headers=headers).status == 201


def test_white_space_around_keys_does_not_matter(ask):
    headers = {"x-api-key": "  key-owner ", "x-secret-key": " secret-owner"}

    assert ask("POST", ADD, CONFIG, key=None, headers=headers).status == 201


def test_a_workspace_header_does_not_move_a_key(ask):
    headers = {"X-Workspace-Id": "0a000000-0000-4000-8000-0000000000f2"}

    assert ask.get(path_of(SHOP), headers=headers).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_viewer_may_not_write_with_any_method(ask, method):
    reply = ask(method, path_of(NOBODY, "eval-configs/"), raw=b"{bad", key="viewer")

    assert reply.status == 403
    assert reply.message == "Write access denied to this workspace"
    assert reply.json["type"] == "permission_error"


def test_a_viewer_may_read(ask):
    assert ask.get(path_of(SHOP), key="viewer").status == 200
    assert ask.get(ADD, key="viewer").status == 405
    listed = ask("POST", "/model-hub/eval-templates/list/", {}, key="viewer")
    assert listed.status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
def test_other_methods_are_not_allowed(ask, method):
    reply = ask(method, ADD)

    assert (reply.status, reply.message) == (405, f'Method "{method}" not allowed.')
    assert reply.json["code"] == "method_not_allowed"
    assert reply.json["type"] == "api_error"
    assert reply.headers["Allow"] == "POST, OPTIONS"


def test_head_is_served_like_get(ask):
    assert ask("HEAD", path_of(SHOP)).status == 200


def test_options_describes_an_endpoint(ask):
    assert ask("OPTIONS", ADD).json == {
        "name": "Add Eval Config",
        "description": "API View to add evaluation configs to a run test",
        "renders": ["application/json"],
        "parses": ["application/json", "multipart/form-data"],
    }
    assert ask("OPTIONS", ADD, key=None).status == 401


def test_a_preflight_needs_neither_keys_nor_a_path(ask):
    headers = {"Access-Control-Request-Method": "POST"}

    reply = ask("OPTIONS", "/anything", key=None, headers=headers)

    assert (reply.status, reply.text) == (200, "")


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/*", "application/json;q=0", "text/html, APPLICATION/JSON"],
)
def test_accept_may_name_json_in_any_way(ask, accept):
    assert ask.get(path_of(SHOP), headers={"Accept": accept}).status == 200


@pytest.mark.parametrize("accept", ["", "text/*", "application", "application/xml"])
def test_unsupported_accept_headers_are_rejected_before_the_keys(ask, accept):
    reply = ask.get(path_of(SHOP), key=None, headers={"Accept": accept})

    assert reply.status == 406
    assert reply.json["code"] == "not_acceptable"


def test_a_format_parameter_beats_accept(ask):
    headers = {"Accept": "text/html"}

    assert ask.get(path_of(SHOP, "?format=json"), headers=headers).status == 200
    assert ask.get(path_of(SHOP, "?format="), headers=headers).status == 406
    refused = ask.get(path_of(SHOP, "?format=api"), key=None)
    assert (refused.status, refused.message) == (404, "Not found.")
    assert refused.json["code"] == "error"
    assert refused.json["type"] == "not_found"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain; charset=utf-8", "application/x-www-form-urlencoded"],
)
def test_unsupported_content_types_are_rejected(ask, content_type):
    reply = ask("POST", ADD, raw=b"{}", headers={"Content-Type": content_type})

    assert reply.status == 415
    assert reply.message == f'Unsupported media type "{content_type}" in request.'


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data"])
def test_without_a_body_its_type_does_not_matter(ask, content_type):
    reply = ask("POST", ADD, raw=b"", headers={"Content-Type": content_type})

    assert reply.message == "evaluations_config: This field is required."


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (
            b"{",
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (b" ", "Expecting value: line 1 column 2 (char 1)"),
        (b"{} x", "Extra data: line 1 column 4 (char 3)"),
        (
            b'{"a": 1, }',
            "Expecting property name enclosed in double quotes: line 1 column 10 (char 9)",
        ),
        (b"[1,]", "Expecting value: line 1 column 4 (char 3)"),
        (
            b"\xef\xbb\xbf{}",
            "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
        ),
        (
            b'{"a\xff',
            "'utf-8' codec can't decode byte 0xff in position 3: invalid start byte",
        ),
        (b'{"a": NaN}', "Out of range float values are not JSON compliant: 'NaN'"),
        (
            b'{"a": -Infinity}',
            "Out of range float values are not JSON compliant: '-Infinity'",
        ),
    ],
)
def test_the_message_of_the_json_parser_is_returned(ask, raw, problem):
    reply = ask("POST", ADD, raw=raw)

    assert (reply.status, reply.message) == (400, f"JSON parse error - {problem}")
    assert reply.json["code"] == "parse_error"
    assert reply.json["type"] == "validation_error"


@pytest.mark.parametrize(
    ("text", "message", "comma", "expected"),
    [
        (
            '{"a": 1, }',
            "Illegal trailing comma before end of object",
            7,
            (
                "Expecting property name enclosed in double quotes: line 1 column 10 "
                "(char 9)"
            ),
        ),
        (
            "[1,]",
            "Illegal trailing comma before end of array",
            2,
            "Expecting value: line 1 column 4 (char 3)",
        ),
    ],
)
def test_messages_of_newer_pythons_become_those_of_the_service(
    text, message, comma, expected
):
    assert classic_message(json.JSONDecodeError(message, text, comma)) == expected


@pytest.mark.parametrize(
    ("raw", "code", "problem"),
    [
        (b"[]", "invalid", "Invalid data. Expected a dictionary, but got list."),
        (b'"x"', "invalid", "Invalid data. Expected a dictionary, but got str."),
        (b"true", "invalid", "Invalid data. Expected a dictionary, but got bool."),
        (b"null", "null", "No data provided"),
    ],
)
@pytest.mark.parametrize("rest", ["eval-configs/", "run-new-evals/"])
def test_a_body_that_is_not_an_object_is_rejected(ask, rest, raw, code, problem):
    reply = ask("POST", path_of(SHOP, rest), raw=raw)

    assert (reply.message, reply.json["code"]) == (problem, code)
    assert reply.json["details"] == {"non_field_errors": [problem]}


def test_a_number_that_json_cannot_express_is_rejected_by_the_field(ask):
    raw = json.dumps(CONFIG).replace("}]", ', "config": {"x": 1e400}}]').encode()

    reply = ask("POST", ADD, raw=raw)

    assert reply.message == "evaluations_config: 0: config: Value must be valid JSON."


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("latin-1", "latin-1"), ('"utf-8"', "utf-8"), ("nonsense", "utf-8")],
)
def test_a_charset_may_be_named(ask, charset, encoding):
    config = {"evaluations_config": [{"template_id": CONTAINS, "name": "é"}]}
    raw = json.dumps(config, ensure_ascii=False).encode(encoding)
    headers = {"Content-Type": f"application/json; charset={charset}"}

    reply = ask("POST", ADD, raw=raw, headers=headers)

    assert reply.json["created_eval_configs"][0]["name"] == "é"


def test_a_character_that_is_cut_off_at_the_end_goes_unnoticed(ask):
    raw = json.dumps(CONFIG).encode() + "é".encode()[:1]

    assert ask("POST", ADD, raw=raw).status == 201


def test_too_deep_nesting_is_a_500_below_the_api(ask):
    raw = b'{"evaluations_config": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    reply = ask("POST", ADD, raw=raw)

    assert reply.status == 500
    assert reply.text.startswith("<!doctype html>")


def test_a_response_that_is_not_utf8_is_a_500_below_the_api(ask):
    reply = ask("POST", ADD, raw=b'{"\\ud800": 1}')

    assert (reply.status, reply.content_type[:9]) == (500, "text/html")


def multipart(**fields):
    """Return a body and the header of its type."""
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return {
        "raw": f"{parts}--b--\r\n".encode(),
        "headers": {"Content-Type": "multipart/form-data; boundary=b"},
    }


def test_the_fields_of_a_form_are_texts(ask):
    reply = ask("POST", ADD, **multipart(evaluations_config='[{"name": "x"}]'))

    assert reply.message == (
        "evaluations_config: 0: non_field_errors: "
        "Invalid data. Expected a dictionary, but got str."
    )


def test_a_form_must_contain_the_tool_setting(ask):
    reply = ask(
        "POST", path_of(SHOP, "run-new-evals/"), **multipart(eval_config_ids=POLITE)
    )

    assert reply.message == "enable_tool_evaluation: This field may not be null."


def test_a_form_can_start_evaluations(ask):
    form = multipart(
        eval_config_ids=POLITE, select_all="on", enable_tool_evaluation="off"
    )

    assert ask("POST", path_of(SHOP, "run-new-evals/"), **form).status == 200


def test_a_form_can_number_the_values_of_a_list(ask):
    form = multipart(**{"eval_config_ids[1]": "x", "eval_config_ids[0]": POLITE})

    reply = ask("POST", path_of(SHOP, "run-new-evals/"), **form)

    assert reply.json["details"] == {
        "eval_config_ids": ["1: Must be a valid UUID."],
        "eval_config_ids[0]": ["Unknown field."],
        "eval_config_ids[1]": ["Unknown field."],
        "enable_tool_evaluation": ["This field may not be null."],
    }


def test_a_form_can_number_the_objects_of_a_list():
    fields = {"items[1]a": ["1"], "items[0]a": ["2"], "items[0]b": ["3", "4"]}

    raw = ListOf(child=Text()).from_form(FormData(fields), "items")

    assert raw == [{"a": ["2"], "b": ["4"]}, {"a": ["1"]}]


def test_a_form_without_its_boundary_cannot_be_read(ask):
    headers = {"Content-Type": "multipart/form-data"}

    reply = ask("POST", ADD, raw=b"--b--", headers=headers)

    assert reply.status == 400
    assert reply.json["code"] == "parse_error"


def test_files_in_a_form_are_ignored(ask):
    raw = (
        b'--b\r\nContent-Disposition: form-data; name="x"; filename="f"\r\n\r\n'
        b"content\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    reply = ask("POST", ADD, raw=raw, headers=headers)

    assert reply.message == "evaluations_config: This field is required."


def test_an_empty_text_in_a_form_is_null_or_nothing(ask):
    path = path_of(SHOP, f"eval-configs/{POLITE}/update/")

    reply = ask("POST", path, **multipart(kb_id="", template_id="", run="false"))

    assert reply.status == 200
    assert reply.json["eval_config_id"] == POLITE


@pytest.mark.parametrize(
    ("parsed", "received", "method"),
    [
        ("<unknown>", "QUERY", "QUERY"),
        ("<unknown>", "", "<unknown>"),
        ("GET", "QUERY", "GET"),
    ],
)
def test_a_method_that_the_parser_does_not_know_has_its_name(parsed, received, method):
    assert _method(parsed, received) == method
