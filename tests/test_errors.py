"""Errors: what they say, what they keep, and that they travel."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, strategies as st

from futureagi_async import errors
from futureagi_async.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    DeadlineExceededError,
    Delivery,
    EndpointMissingError,
    EvalConfigsDifferError,
    EvalDispatchError,
    EvaluationsUnderWayError,
    ExecutionCompletedError,
    ExecutionsNotCompletedError,
    ExecutionStartError,
    FeatureNotIncludedError,
    FutureAGIError,
    InvalidRequestError,
    ItemError,
    ListChangedError,
    NameConflictError,
    NameLookupError,
    NotAttemptedError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    RerunDispatchError,
    ResponseTooLargeError,
    ServerError,
    UnexpectedResponseError,
    class_for_status,
)


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
CONTEXT = {
    "delivery": Delivery.UNKNOWN,
    "request_id": "r-1",
    "run_test_id": RUN_TEST,
    "attempts": 3,
    "retry_after": 2.5,
}
STATUS_ERRORS = [
    APIStatusError,
    BadRequestError,
    NameConflictError,
    ExecutionsNotCompletedError,
    ExecutionStartError,
    AuthenticationError,
    PaymentRequiredError,
    FeatureNotIncludedError,
    PermissionDeniedError,
    NotFoundError,
    EndpointMissingError,
    ConflictError,
    RateLimitError,
    ServerError,
]


def every_error_class(root: type[FutureAGIError]) -> set[type[FutureAGIError]]:
    below = {
        each for each in root.__subclasses__() if each.__module__ == root.__module__
    }
    return {root}.union(*map(every_error_class, below))


def with_a_message_only() -> list[type[FutureAGIError]]:
    every = every_error_class(FutureAGIError)
    others = {
        ClientClosedError,
        EvalConfigsDifferError,
        EvaluationsUnderWayError,
        ExecutionCompletedError,
        NameLookupError,
    }
    return sorted(every - every_error_class(APIError) - others, key=str)


EVERY_KIND = [
    *(kind("no") for kind in with_a_message_only()),
    ClientClosedError(delivery=Delivery.UNKNOWN),
    EvalConfigsDifferError("no", run_test_id=RUN_TEST, names=("tone",)),
    ExecutionCompletedError("no", execution_id=RUN_TEST),
    EvaluationsUnderWayError("no", run_test_id=RUN_TEST),
    NameLookupError("no", name="tone", matches=(RUN_TEST,)),
    APIError("no", **CONTEXT),
    APIConnectionError("no", **CONTEXT),
    APITimeoutError("no", **CONTEXT),
    DeadlineExceededError("no", **CONTEXT),
    EvalDispatchError("no", status_code=200, body=b"{}", **CONTEXT),
    RerunDispatchError("no", status_code=200, body=b"{}", **CONTEXT),
    UnexpectedResponseError("no", status_code=200, body=b"{}", **CONTEXT),
    ResponseTooLargeError("no", status_code=200, **CONTEXT),
    ListChangedError("no", **CONTEXT),
    *(
        kind(
            "no",
            status_code=418,
            code="teapot",
            details={"name": ("too long",)},
            item_errors=(ItemError("evaluations_config", 2, "bad"),),
            body=b"{}",
            **CONTEXT,
        )
        for kind in STATUS_ERRORS
    ),
]


def named(error: BaseException) -> str:
    return type(error).__name__


def test_the_list_of_kinds_above_is_complete_but_for_the_abstract_one():
    listed = {type(error) for error in EVERY_KIND}

    assert listed == every_error_class(FutureAGIError) - {errors.APIResponseError}


@pytest.mark.parametrize("error", EVERY_KIND, ids=named)
@pytest.mark.parametrize(
    "travel", [copy.copy, copy.deepcopy, "pickle"], ids=["copied", "deeply", "pickled"]
)
def test_an_error_travels_with_all_that_it_knows(error, travel):
    copied = pickle.loads(pickle.dumps(error)) if travel == "pickle" else travel(error)

    assert type(copied) is type(error)
    assert copied.args == error.args
    assert vars(copied) == vars(error)
    assert str(copied) == str(error)
    assert copied.delivery is error.delivery


def test_a_pickled_error_brings_the_errors_of_earlier_attempts():
    error = RateLimitError("slow down", status_code=429, delivery=Delivery.REJECTED)
    error.earlier = (APIConnectionError("refused", delivery=Delivery.NOT_SENT),)

    copied = pickle.loads(pickle.dumps(error))

    assert [str(each) for each in copied.earlier] == ["refused"]
    assert type(copied.earlier[0]) is APIConnectionError


def test_a_pickled_error_brings_its_notes():
    error = ConfigurationError("no key")
    error.add_note("looked at FI_API_KEY")

    copied = pickle.loads(pickle.dumps(error))

    assert copied.__notes__ == ["looked at FI_API_KEY"]


def test_the_line_of_an_error_says_status_message_run_test_and_request_id():
    error = NotFoundError(
        "Run test not found",
        status_code=404,
        code="not_found",
        delivery=Delivery.REJECTED,
        run_test_id=RUN_TEST,
        request_id="r-1",
    )

    assert str(error) == (
        f"404 not_found: Run test not found (run test {RUN_TEST}, request id r-1)"
    )


def test_the_line_of_an_error_says_doubt_attempts_and_the_wait():
    error = ServerError("Bad Gateway", status_code=502, **CONTEXT)

    assert str(error) == (
        f"502: Bad Gateway (run test {RUN_TEST}, request id r-1, 3 attempts, "
        "retry after 2.5 s, the work may have been done)"
    )


def test_the_line_of_an_error_without_context_is_its_message():
    error = APIConnectionError("refused", delivery=Delivery.NOT_SENT)

    assert str(error) == "refused"


def test_the_line_of_an_error_cuts_a_long_message():
    error = APIError("x" * 501, delivery=Delivery.REJECTED)

    assert str(error) == "x" * 500 + "…"
    assert error.message == "x" * 501


def test_the_line_of_an_error_keeps_a_message_that_just_fits():
    error = APIError("x" * 500, delivery=Delivery.REJECTED)

    assert str(error) == "x" * 500


@given(message=st.text(), code=st.none() | st.text())
def test_whatever_a_server_says_an_error_is_one_line(message, code):
    error = APIStatusError(
        message, status_code=400, code=code, delivery=Delivery.REJECTED
    )

    assert len(str(error).splitlines()) == 1


def test_an_error_keeps_the_first_64_kib_of_the_body():
    body = bytes(64 * 1024) + b"more"

    error = ServerError("no", status_code=500, body=body, delivery=Delivery.UNKNOWN)

    assert error.body == bytes(64 * 1024)


def test_details_are_a_copy():
    details = {"name": ("too long",)}
    error = BadRequestError(
        "no", status_code=400, details=details, delivery=Delivery.REJECTED
    )

    details.clear()

    assert error.details == {"name": ("too long",)}


def test_details_of_two_errors_are_not_shared():
    first = BadRequestError("no", status_code=400, delivery=Delivery.REJECTED)
    second = BadRequestError("no", status_code=400, delivery=Delivery.REJECTED)

    first.details["name"] = ("too long",)

    assert second.details == {}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, APIStatusError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, PaymentRequiredError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, APIStatusError),
        (406, APIStatusError),
        (409, ConflictError),
        (415, APIStatusError),
        (422, APIStatusError),
        (429, RateLimitError),
        (499, APIStatusError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_a_status_has_its_class(status, expected):
    assert class_for_status(status) is expected


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (402, "ENTITLEMENT_DENIED", FeatureNotIncludedError),
        (402, "INSUFFICIENT_CREDITS", PaymentRequiredError),
        (403, "ENTITLEMENT_DENIED", PermissionDeniedError),
        (503, "ENTITLEMENT_DENIED", ServerError),
    ],
)
def test_a_feature_that_the_plan_does_not_include_has_a_code(status, code, expected):
    assert class_for_status(status, code) is expected


def test_a_missing_feature_stops_no_batch():
    assert PaymentRequiredError.stops_batch
    assert not FeatureNotIncludedError.stops_batch


@pytest.mark.parametrize("kind", STATUS_ERRORS)
def test_every_refusal_can_be_caught_as_a_status_error(kind):
    assert issubclass(kind, APIStatusError)
    assert issubclass(kind, APIError)


def test_a_deadline_can_be_caught_as_a_timeout_and_as_a_connection_error():
    assert issubclass(DeadlineExceededError, APITimeoutError)
    assert issubclass(APITimeoutError, APIConnectionError)


def test_an_invalid_request_can_be_caught_as_a_value_error():
    assert issubclass(InvalidRequestError, ValueError)


@pytest.mark.parametrize("error", EVERY_KIND, ids=named)
def test_what_stops_a_batch_is_what_would_meet_every_request(error):
    expected = {
        AuthenticationError,
        PaymentRequiredError,
        ClientClosedError,
        errors.JournalError,
    }

    assert error.stops_batch is (type(error) in expected)


@pytest.mark.parametrize(
    "kind", [ConfigurationError, InvalidRequestError, NotAttemptedError]
)
def test_an_error_from_before_sending_says_that_nothing_was_sent(kind):
    assert kind("no").delivery is Delivery.NOT_SENT


def test_a_closed_client_says_what_to_do():
    error = ClientClosedError()

    assert str(error) == "the client is closed; make a new one"
    assert error.delivery is Delivery.NOT_SENT


def test_every_api_error_has_a_status_code():
    error = APITimeoutError("late", delivery=Delivery.UNKNOWN)

    assert error.status_code is None
    assert NotFoundError("gone", status_code=404, **CONTEXT).status_code == 404
    assert pickle.loads(pickle.dumps(error)).status_code is None
