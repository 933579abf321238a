"""When to try again, after how long, and when there were enough retries."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from futureagi_async.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    Delivery,
    EvalDispatchError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.transport.retry import (
    RetryQuota,
    RetryReason,
    retry_delay,
    retry_reason,
)


NOT_SENT, REJECTED, UNKNOWN = Delivery


def status_error(kind, status, delivery=REJECTED, retry_after=None) -> APIStatusError:
    return kind("no", status_code=status, delivery=delivery, retry_after=retry_after)


def untrusted() -> APIConnectionError:
    error = APIConnectionError("certificate", delivery=NOT_SENT)
    error.retryable = False
    return error


SAFE = [
    (status_error(RateLimitError, 429), RetryReason.THROTTLED),
    (status_error(RateLimitError, 429, retry_after=60.0), RetryReason.THROTTLED),
    (status_error(ServerError, 503, retry_after=0.0), RetryReason.THROTTLED),
    (EvalDispatchError("no", status_code=200, delivery=REJECTED), RetryReason.FAILED),
    (APIConnectionError("refused", delivery=NOT_SENT), RetryReason.FAILED),
    (APITimeoutError("connecting", delivery=NOT_SENT), RetryReason.FAILED),
]
IN_DOUBT = [
    status_error(ServerError, 500, UNKNOWN),
    status_error(ServerError, 502, UNKNOWN, retry_after=1.0),
    status_error(ServerError, 503, UNKNOWN),
    APIConnectionError("broken", delivery=UNKNOWN),
    APITimeoutError("reading", delivery=UNKNOWN),
    UnexpectedResponseError("odd", status_code=200, delivery=UNKNOWN),
]
FINAL = [
    untrusted(),
    status_error(BadRequestError, 400),
    status_error(AuthenticationError, 401),
    status_error(APIStatusError, 301),
    status_error(BadRequestError, 400, retry_after=1.0),
    status_error(RateLimitError, 429, retry_after=60.1),
    status_error(RateLimitError, 429, retry_after=float("inf")),
    status_error(ServerError, 503, retry_after=3600.0),
]


def described(value) -> str:
    return (
        f"{type(value).__name__} {value}" if isinstance(value, APIError) else str(value)
    )


@pytest.mark.parametrize("retry_unknown", [False, True])
@pytest.mark.parametrize(("error", "reason"), SAFE, ids=described)
def test_what_was_certainly_not_done_is_repeated(error, reason, retry_unknown):
    assert retry_reason(error, retry_unknown=retry_unknown) is reason


@pytest.mark.parametrize("error", IN_DOUBT, ids=described)
def test_what_may_have_been_done_is_not_repeated(error):
    assert retry_reason(error, retry_unknown=False) is None


@pytest.mark.parametrize("error", IN_DOUBT, ids=described)
def test_what_may_have_been_done_is_repeated_where_that_is_accepted(error):
    assert retry_reason(error, retry_unknown=True) is RetryReason.FAILED


@pytest.mark.parametrize("retry_unknown", [False, True])
@pytest.mark.parametrize("error", FINAL, ids=described)
def test_what_can_only_fail_again_is_not_repeated(error, retry_unknown):
    assert retry_reason(error, retry_unknown=retry_unknown) is None


@given(
    st.integers(0, 10**6),
    st.none() | st.floats(0, 60),
    st.floats(0, 1, exclude_max=True),
)
def test_a_wait_is_what_was_asked_for_and_at_most_eight_seconds_more(
    retry_number, retry_after, random
):
    asked = retry_after or 0.0

    wait = retry_delay(retry_number, retry_after, lambda: random)

    assert asked <= wait <= asked + 8.0


@pytest.mark.parametrize(
    ("retry_number", "longest"),
    [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (50, 8.0)],
)
def test_the_random_part_of_a_wait_doubles_until_it_is_eight_seconds(
    retry_number, longest
):
    assert retry_delay(retry_number, None, lambda: 1.0) == longest
    assert retry_delay(retry_number, 3.0, lambda: 1.0) == 3.0 + longest
    assert retry_delay(retry_number, 3.0, lambda: 0.0) == 3.0


def test_a_fresh_quota_pays_for_a_hundred_retries():
    quota = RetryQuota()

    costs = [quota.acquire(timeout=False) for _ in range(101)]

    assert costs == [5] * 100 + [None]


def test_a_timeout_costs_twice_as_much():
    quota = RetryQuota(capacity=15)

    costs = [
        quota.acquire(timeout=True),
        quota.acquire(timeout=True),
        quota.acquire(timeout=False),
    ]

    assert costs == [10, None, 5]
    assert quota.available == 0


def test_a_retry_that_succeeds_is_for_nothing():
    quota = RetryQuota(capacity=20)

    quota.release(quota.acquire(timeout=True))

    assert quota.available == 20


def test_an_outage_gets_as_many_retries_as_successes_pay_for():
    quota = RetryQuota(capacity=5)
    quota.acquire(timeout=False)

    refused = quota.acquire(timeout=False)
    for _ in range(5):
        quota.release(1)

    assert refused is None
    assert quota.acquire(timeout=False) == 5


@given(
    st.integers(0, 50),
    st.lists(st.sampled_from(["retry", "timeout"]) | st.integers(1, 10)),
)
def test_a_quota_stays_between_nothing_and_its_capacity(capacity, events):
    quota = RetryQuota(capacity=capacity)

    for event in events:
        before = quota.available
        if isinstance(event, int):
            quota.release(event)
        else:
            cost = quota.acquire(timeout=event == "timeout")
            assert before - quota.available == (cost or 0)

        assert 0 <= quota.available <= capacity
