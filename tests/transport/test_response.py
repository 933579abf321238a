"""What an answer means: the result, or an error that says if the work was done."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import math
from http import HTTPStatus

import pytest
from hypothesis import given, strategies as st

from futureagi_async import AddEvalConfigs, RunNewEvals
from futureagi_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Delivery,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    NameConflictError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.response import (
    parse_response,
    retry_after_seconds,
    status_delivery,
)


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
OTHER = "116b391d-70d3-54fc-a34d-b481317665ee"
ID = "8852dfdd-16f3-4a5a-9bb6-4025b3983786"
NOW = dt.datetime(2026, 8, 1, 12, 0, 0, tzinfo=dt.UTC).timestamp()
RUN = RunNewEvals(RUN_TEST, [ID], select_all=True)
ADD = AddEvalConfigs(RUN_TEST, [{"template_id": ID, "name": n} for n in "ab"])
STARTED = {"message": "ok", "run_test_id": RUN_TEST, "call_execution_count": 5}
CREATED = {
    "id": ID,
    "name": "a",
    "config": {},
    "mapping": {},
    "filters": [],
    "error_localizer": False,
    "model": None,
    "status": "Completed",
    "eval_group": None,
    "template_id": ID,
}
ADDED = {
    "message": "ok",
    "created_eval_configs": [CREATED, CREATED],
    "run_test_id": RUN_TEST,
}


def answer(status, body=b"", *, retry_after=None, location=None) -> HTTPResponse:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reason = HTTPStatus(status).phrase
    return HTTPResponse(status, reason, "r-1", retry_after, location, content)


def refused(request, given_answer) -> APIStatusError:
    with pytest.raises(APIStatusError) as caught:
        parse_response(request, given_answer, NOW)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 206])
def test_any_success_status_gives_the_result(status):
    result = parse_response(RUN, answer(status, STARTED), NOW)

    assert result.call_execution_count == 5
    assert result.request_id == "r-1"


def test_an_answer_for_the_same_run_test_in_other_letters_is_taken():
    body = STARTED | {"run_test_id": RUN_TEST.upper()}

    assert parse_response(RUN, answer(200, body), NOW).message == "ok"


@pytest.mark.parametrize(
    ("request_", "body"), [(RUN, STARTED), (ADD, ADDED)], ids=["run", "add"]
)
def test_an_answer_for_another_run_test_is_no_answer(request_, body):
    with pytest.raises(
        UnexpectedResponseError, match=f"about run test {OTHER}"
    ) as caught:
        parse_response(request_, answer(200, body | {"run_test_id": OTHER}), NOW)

    assert caught.value.delivery is Delivery.UNKNOWN
    assert caught.value.request_id == "r-1"


def test_an_item_that_is_neither_created_nor_warned_of_is_missed():
    body = ADDED | {"created_eval_configs": [CREATED]}

    with pytest.raises(UnexpectedResponseError) as caught:
        parse_response(ADD, answer(201, body), NOW)

    assert caught.value.message == (
        "2 configs were requested, and the response has 1 created and 0 with warnings"
    )


def test_an_item_with_a_warning_is_a_success_in_part():
    body = ADDED | {"created_eval_configs": [CREATED], "warnings": ["no such template"]}

    result = parse_response(ADD, answer(201, body), NOW)

    assert len(result.created_eval_configs) == 1
    assert result.warnings == ("no such template",)


def test_a_failed_dispatch_is_an_error_although_the_status_is_200():
    message = (
        "New evaluations marked pending; async Dispatch Failed and can be retried."
    )

    with pytest.raises(EvalDispatchError) as caught:
        parse_response(RUN, answer(200, STARTED | {"message": message}), NOW)

    assert caught.value.message == message
    assert caught.value.delivery is Delivery.REJECTED


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the response is empty"),
        (b"<html>", "the response is not JSON"),
        (b'{"message": "ok", ', "the response is not JSON"),
        ([], "the response is a list where an object belongs"),
        ({"message": "ok"}, "missing @ run_test_id"),
        (STARTED | {"run_test_id": None}, "text belongs here, not null @ run_test_id"),
    ],
)
def test_a_success_that_cannot_be_read_leaves_the_work_in_doubt(body, problem):
    with pytest.raises(UnexpectedResponseError, match=problem) as caught:
        parse_response(RUN, answer(200, body), NOW)

    assert caught.value.delivery is Delivery.UNKNOWN
    assert caught.value.status_code == 200
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@given(st.integers(200, 599), st.binary(), st.none() | st.text(), st.none() | st.text())
def test_no_answer_is_too_odd(status, body, retry_after, location):
    odd = HTTPResponse(status, "", "r-1", retry_after, location, body)

    with pytest.raises((APIStatusError, UnexpectedResponseError)) as caught:
        parse_response(RUN, odd, NOW)

    assert caught.value.status_code == status
    assert caught.value.body == body
    assert caught.value.message.strip()


def test_a_redirect_is_not_followed_and_says_where_it_leads():
    moved = answer(301, location="https://elsewhere.example/x")

    error = refused(RUN, moved)

    assert type(error) is APIStatusError
    assert error.delivery is Delivery.REJECTED
    assert error.message == (
        "Moved Permanently (an empty response) "
        "(redirects are not followed; to https://elsewhere.example/x)"
    )


def test_a_name_that_is_taken_has_its_own_error():
    message = (
        "An evaluation config with the name 'My\nEval' already exists in this run test. "
        "Please use a different name."
    )

    assert type(refused(ADD, answer(400, {"error": message}))) is NameConflictError


def test_a_name_that_comes_twice_in_one_request_is_a_bad_request():
    message = (
        "Duplicate eval name 'My Eval Config' found in the request. Each evaluation "
        "config must have a unique name."
    )

    error = refused(ADD, answer(400, {"evaluations_config": [message]}))

    assert type(error) is BadRequestError
    assert error.message == f"evaluations_config: {message}"
    assert error.details == {"evaluations_config": (message,)}


def test_executions_that_are_not_completed_have_their_own_error():
    message = "Only test executions with COMPLETED status can have new evaluations run on them."

    error = refused(RUN, answer(400, {"error": message}))

    assert type(error) is ExecutionsNotCompletedError
    assert error.message == message


@pytest.mark.parametrize("request_", [ADD, RUN], ids=["add", "run"])
@pytest.mark.parametrize(
    "message",
    [
        "An evaluation config with the name 'a' already exists in this run test.",
        "Only test executions with COMPLETED status can have new evaluations run.",
    ],
)
def test_the_wording_decides_at_status_400_only(request_, message):
    assert type(refused(request_, answer(404, {"error": message}))) is NotFoundError


@pytest.mark.parametrize(
    ("request_", "status", "body", "error_class", "message"),
    [
        (ADD, 401, {"detail": "Invalid keys."}, AuthenticationError, "Invalid keys."),
        (
            ADD,
            404,
            {"detail": "No RunTest matches the given query."},
            NotFoundError,
            "No RunTest matches the given query.",
        ),
        (
            ADD,
            500,
            {"error": "Failed to add evaluation configs: timeout"},
            ServerError,
            "Failed to add evaluation configs: timeout",
        ),
        (
            RUN,
            400,
            {
                "error": "Either 'select_all' must be True or 'test_execution_ids' must "
                "be provided"
            },
            BadRequestError,
            "Either 'select_all' must be True or 'test_execution_ids' must be provided",
        ),
        (
            RUN,
            400,
            {"error": "No test executions found to run evaluations on."},
            BadRequestError,
            "No test executions found to run evaluations on.",
        ),
        (
            RUN,
            500,
            {"error": "Failed to run evaluations: timeout"},
            ServerError,
            "Failed to run evaluations: timeout",
        ),
    ],
)
def test_every_error_of_the_documents_is_understood(
    request_, status, body, error_class, message
):
    error = refused(request_, answer(status, body))

    assert type(error) is error_class
    assert error.message == message
    assert error.request_id == "r-1"


def test_a_rate_limit_says_how_long_to_wait_by_its_header():
    body = {"result": {"code": "RATE_LIMITED", "message": "Slow.", "retry_after": 9}}

    error = refused(RUN, answer(429, body, retry_after="7"))

    assert type(error) is RateLimitError
    assert error.retry_after == 7.0
    assert error.code == "RATE_LIMITED"
    assert error.delivery is Delivery.REJECTED


@pytest.mark.parametrize("header", [None, "soon", "-1"])
def test_a_rate_limit_without_a_usable_header_says_it_by_its_body(header):
    body = {"result": {"message": "Slow.", "retry_after": 9}}

    assert refused(RUN, answer(429, body, retry_after=header)).retry_after == 9.0


def test_a_wait_of_zero_seconds_in_the_header_beats_the_body():
    body = {"result": {"message": "Slow.", "retry_after": 9}}

    assert refused(RUN, answer(429, body, retry_after="0")).retry_after == 0.0


def test_a_service_that_names_a_time_to_come_back_has_done_nothing():
    error = refused(RUN, answer(503, retry_after="5"))

    assert error.delivery is Delivery.REJECTED


def test_a_service_that_is_merely_unavailable_leaves_the_work_in_doubt():
    error = refused(RUN, answer(503, retry_after="soon"))

    assert error.delivery is Delivery.UNKNOWN
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (301, None, Delivery.REJECTED),
        (400, None, Delivery.REJECTED),
        (429, None, Delivery.REJECTED),
        (499, None, Delivery.REJECTED),
        (500, None, Delivery.UNKNOWN),
        (500, 1.0, Delivery.UNKNOWN),
        (502, 1.0, Delivery.UNKNOWN),
        (503, None, Delivery.UNKNOWN),
        (503, 0.0, Delivery.REJECTED),
        (504, None, Delivery.UNKNOWN),
    ],
)
def test_a_status_says_if_the_work_was_done(status, retry_after, expected):
    assert status_delivery(status, retry_after) is expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("1.5", 1.5),
        ("Sat, 01 Aug 2026 12:00:30 GMT", 30.0),
        ("Sat, 01 Aug 2026 12:00:30 -0000", 30.0),
        ("Sat, 01 Aug 2026 14:00:30 +0200", 30.0),
        ("Saturday, 01-Aug-26 12:00:30 GMT", 30.0),
        ("Sat, 01 Aug 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert retry_after_seconds(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "-5",
        "+5",
        "soon",
        "NaN",
        "inf",
        "1e3",
        "5 s",
        "٣",
        "Sat, 32 Aug 2026 12:00:30 GMT",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2020 00:00:00 +9999999999999999",
    ],
)
def test_a_retry_after_that_is_neither_is_as_good_as_none(text):
    assert retry_after_seconds(text, NOW) is None


@given(st.text() | st.from_regex(r"\w{3}, \d+ Jan \d+ \d+:\d+:\d+ [+-]?\d*\w*"))
def test_no_retry_after_is_too_odd(text):
    seconds = retry_after_seconds(text, NOW)

    assert seconds is None or seconds >= 0.0


@given(st.integers(0, 10**6))
def test_a_date_means_the_seconds_until_then(wait):
    date = email.utils.formatdate(NOW + wait, usegmt=True)

    assert math.isclose(retry_after_seconds(date, NOW), wait)
