"""Every form in which the service explains an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from futureagi_async.errors import ItemError
from futureagi_async.transport.error_body import ErrorBody, parse_error_body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=10,
)
marked_texts = st.lists(
    st.sampled_from(["0: ", "1: ", "; 2: ", "; ", "99999999999: ", "a: ", "bad", "٣: "])
).map("".join)
telling_keys = st.sampled_from(
    ["error", "message", "detail", "result", "details", "code", "retry_after", "name"]
)
bodies = st.recursive(
    json_values | marked_texts,
    lambda each: st.dictionaries(telling_keys, each) | st.lists(each),
    max_leaves=10,
)


def parsed(value, reason="Bad Request") -> ErrorBody:
    return parse_error_body(json.dumps(value).encode(), reason=reason)


def envelope(message: str, **more) -> dict:
    """Make the service's own form, which says its message four times."""
    texts = dict.fromkeys(("detail", "message", "error", "result"), message)
    return (
        {"status": False, "type": "validation_error", "code": "invalid"} | texts | more
    )


def test_the_envelope_gives_its_message_once_and_its_code():
    body = envelope("Run test not found", code="not_found")

    assert parsed(body) == ErrorBody("Run test not found", code="not_found")


def test_the_envelope_gives_its_details():
    message = "eval_config_ids: This field is required.; selectAll: Unknown field."
    details = {
        "eval_config_ids": ["This field is required."],
        "selectAll": ["Unknown field."],
    }

    body = parsed(envelope(message, attr="eval_config_ids", details=details))

    assert body == ErrorBody(
        message,
        code="invalid",
        details={
            "eval_config_ids": ("This field is required.",),
            "selectAll": ("Unknown field.",),
        },
    )


def test_flattened_errors_of_items_are_taken_apart():
    text = "0: template_id: Must be a valid UUID.; 2: name: Too long.; model: Unknown."

    body = parsed(envelope("-", details={"evaluations_config": [text]}))

    assert body.details == {"evaluations_config": (text,)}
    assert body.item_errors == (
        ItemError("evaluations_config", 0, "template_id: Must be a valid UUID."),
        ItemError("evaluations_config", 2, "name: Too long.; model: Unknown."),
    )


def test_an_index_inside_the_error_of_an_item_is_not_another_item():
    text = "1: filters: 0: bad; 0: worse; 2: name: taken"

    body = parsed({"evaluations_config": [text]})

    assert body.item_errors == (
        ItemError("evaluations_config", 1, "filters: 0: bad; 0: worse"),
        ItemError("evaluations_config", 2, "name: taken"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "Ensure this field has at least 1 elements.",
        "An eval named 'a; 3: b' is there",
        "1234567890: no list is that long",
        "٣: no index of ours",
    ],
)
def test_text_without_an_index_in_front_is_about_no_item(text):
    assert parsed({"evaluations_config": [text]}).item_errors == ()


@pytest.mark.parametrize("field", ["non_field_errors", "detail"])
def test_what_is_about_the_whole_request_is_about_no_item(field):
    body = parsed(envelope("0: odd", details={field: ["0: odd"]}))

    assert body.details == {field: ("0: odd",)}
    assert body.item_errors == ()


@pytest.mark.parametrize("key", ["error", "detail", "message", "result"])
def test_a_bare_text_of_the_documents_is_the_message(key):
    assert parsed({key: "No RunTest matches."}) == ErrorBody("No RunTest matches.")


def test_a_bare_field_of_the_documents_gives_message_and_details():
    text = "Duplicate eval name 'a' found in the request."

    assert parsed({"evaluations_config": [text]}) == ErrorBody(
        f"evaluations_config: {text}", details={"evaluations_config": (text,)}
    )


def test_nested_errors_of_items_keep_their_index():
    body = parsed(
        {"evaluations_config": [{}, {"template_id": ["Bad."], "name": "Long."}]}
    )

    assert body == ErrorBody(
        "evaluations_config: 1: template_id: Bad.; name: Long.",
        details={"evaluations_config": ("1: template_id: Bad.; name: Long.",)},
        item_errors=(
            ItemError("evaluations_config", 1, "template_id: Bad.; name: Long."),
        ),
    )


def test_errors_of_items_by_index_keep_their_index():
    body = parsed({"evaluations_config": {"1": ["Bad."]}})

    assert body.item_errors == (ItemError("evaluations_config", 1, "Bad."),)


@pytest.mark.parametrize("key", ["non_field_errors", "detail"])
def test_messages_about_the_whole_request_need_no_field_in_front(key):
    assert parsed({key: ["Not found."]}).message == "Not found."


def test_a_rate_limit_gives_the_seconds_in_its_result_object():
    result = {"code": "RATE_LIMITED", "message": "Slow down.", "retry_after": 7}

    assert parsed({"status": False, "result": result}) == ErrorBody(
        "Slow down.", code="RATE_LIMITED", retry_after=7.0
    )


def test_a_missing_payment_gives_the_error_object():
    error = {"code": "PLAN_LIMIT", "message": "Upgrade.", "detail": "Quota used up."}

    assert parsed({"error": error}) == ErrorBody("Upgrade.", code="PLAN_LIMIT")


def test_the_form_of_the_documentation_index_gives_its_details():
    error = {"code": "invalid", "message": "Bad.", "details": {"name": ["Too long."]}}

    assert parsed({"error": error}) == ErrorBody(
        "Bad.", code="invalid", details={"name": ("Too long.",)}
    )


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ("Too long.", {"details": ("Too long.",)}),
        (["Too long.", "Too odd."], {"details": ("Too long.", "Too odd.")}),
        ({"name": "Too long."}, {"name": ("Too long.",)}),
        ({"name": {"en": ["Too long."]}}, {"name": ("en: Too long.",)}),
        ({"limit": 5}, {"limit": ("5",)}),
        ({"name": [], "model": None, "config": {}, "mapping": " "}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_details_of_any_shape_are_flattened_to_texts(details, expected):
    assert parsed({"message": "Bad.", "details": details}).details == expected


def test_without_a_message_the_details_speak():
    body = parsed({"details": {"name": ["Too long.", "Too odd."]}})

    assert body.message == "name: Too long.; name: Too odd."


@pytest.mark.parametrize("code", [None, "", 404, ["x"]])
def test_a_code_that_is_no_word_is_none(code):
    assert parsed({"message": "Bad.", "code": code}).code is None


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (3, 3.0),
        (0, 0.0),
        (1.5, 1.5),
        (-1, None),
        ("3", None),
        (True, None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_none(given_value, expected):
    body = parsed({"message": "Slow down.", "retry_after": given_value})

    assert body.retry_after == expected


@pytest.mark.parametrize("empty", [{"error": {}}, {"result": {}}])
def test_an_empty_object_does_not_hide_the_message_beside_it(empty):
    assert parsed(empty | {"message": "Bad."}).message == "Bad."


@pytest.mark.parametrize("blank", ["", "  ", None, 5])
def test_a_message_that_says_nothing_gives_way_to_the_next(blank):
    assert parsed({"message": blank, "detail": "Bad."}).message == "Bad."


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Bad.", "Bad."),
        (["Bad.", "Worse."], "Bad.; Worse."),
        ([{"name": ["Bad."]}], "0: name: Bad."),
        (5, "5"),
        ([], "Bad Request"),
        ({}, "Bad Request"),
        (None, "Bad Request"),
        ("", "Bad Request"),
    ],
)
def test_json_of_any_other_form_is_read_as_text(value, message):
    assert parsed(value) == ErrorBody(message)


def test_an_html_page_is_told_by_its_title():
    page = b"<HTML><TITLE>\n  502 Bad &amp;\n Worse</TITLE><body>...</body></HTML>"

    assert parse_error_body(page, reason="Bad Gateway") == ErrorBody(
        "Bad Gateway (an HTML page: 502 Bad & Worse)", is_json=False
    )


def test_text_that_is_no_json_is_shown_cut_and_on_one_line():
    body = parse_error_body(b"upstream\n" + b"x" * 300, reason="Bad Gateway")

    assert body.message == f"Bad Gateway (upstream {'x' * 191})"


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_answer_is_called_empty(content):
    body = parse_error_body(content, reason="Bad Gateway")

    assert body.message == "Bad Gateway (an empty response)"


def test_bytes_that_are_no_utf_8_are_shown_all_the_same():
    body = parse_error_body(b"\xff\xfeno", reason="Bad Gateway")

    assert body.message == "Bad Gateway (\ufffd\ufffdno)"


def test_a_truncated_body_is_shown_as_it_came():
    body = parse_error_body(b'{"error": "Failed to', reason="Server Error")

    assert body.message == 'Server Error ({"error": "Failed to)'


@pytest.mark.parametrize("reason", ["", " "])
@pytest.mark.parametrize("content", [b"", b"[]", b"{}"])
def test_an_answer_without_any_reason_still_has_a_message(content, reason):
    body = parse_error_body(content, reason=reason)

    assert body.message.startswith("the service returned no reason")


@pytest.mark.parametrize(
    "content",
    [b"[" * 900 + b'"x"' + b"]" * 900, b'{"a":' * 900 + b'"x"' + b"}" * 900],
)
def test_nesting_without_end_is_cut(content):
    body = parse_error_body(content, reason="Bad Request")

    assert body.message.endswith("…")
    assert len(body.message) < 100


@given(st.binary(), st.text())
def test_no_bytes_are_too_odd(content, reason):
    body = parse_error_body(content, reason=reason)

    assert body.message.strip()


@given(bodies, st.text())
def test_no_json_is_too_odd(value, reason):
    body = parsed(value, reason)

    assert body.message.strip()
    assert body.code is None or body.code
    assert all(texts for texts in body.details.values())
    assert all(text.strip() for texts in body.details.values() for text in texts)


@given(st.dictionaries(st.integers(0, 10**6), st.text("ab c.", min_size=1), min_size=1))
def test_item_errors_come_out_as_they_were_flattened(messages):
    ordered = sorted(messages.items())
    text = "; ".join(f"{index}: {message}" for index, message in ordered)

    body = parsed({"test_execution_ids": [text]})

    expected = [ItemError("test_execution_ids", *each) for each in ordered]
    assert list(body.item_errors) == expected
