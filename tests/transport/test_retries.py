"""What is tried again, how often, after how long, and what is known at the end."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils

import attrs
import pytest
from jumping_clock import on_a_jumping_clock
from raw_server import CONFIG, RUN_TEST, RawServer, Reply, http, success, unused_port
from simulation import (
    EPOCH,
    FakeSender,
    accepted,
    answer,
    request,
    simulated,
)

from futureagi_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    Delivery,
    EndpointMissingError,
    EvalDispatchError,
    FutureAGIError,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.endpoints.get_simulation_runs import GetSimulationRuns
from futureagi_async.endpoints.list_simulation_runs import ListSimulationRuns
from futureagi_async.transport.response import retry_after_seconds


NOT_SENT, REJECTED, UNKNOWN = Delivery.NOT_SENT, Delivery.REJECTED, Delivery.UNKNOWN
DISPATCH_FAILED = (
    b'{"message": "New evaluations marked pending; async dispatch failed and can be '
    b'retried.", "run_test_id": "%s", "call_execution_count": 3}' % RUN_TEST.encode()
)
DISPATCH_FAILURE = answer(body=DISPATCH_FAILED)


@attrs.define
class Read(type(request())):
    """A request that may be repeated, as reads may."""

    idempotent = True


def no_connection(attempt):
    attempt.connection_acquired = False
    raise APIConnectionError("no connection", delivery=NOT_SENT)


def no_answer(attempt):
    raise APITimeoutError("no answer", delivery=UNKNOWN)


def play(*script, sent=None, **options):
    """Send one request against a script; give what came, and the attempts."""
    steps = list(script)

    def handle(attempt):
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        return step(attempt) if callable(step) else step

    async def main():
        sender = FakeSender(handle)
        client = simulated(sender, **options)
        try:
            outcome = await client.send(sent or request())
        except FutureAGIError as error:
            outcome = error
        return outcome, len(sender.attempts), asyncio.get_running_loop().time()

    return on_a_jumping_clock(main())


RETRIED = {
    "a connection that failed": (no_connection, APIConnectionError, NOT_SENT),
    "429": (answer(429), RateLimitError, REJECTED),
    "429 with seconds": (answer(429, retry_after="5"), RateLimitError, REJECTED),
    "429 with garbage": (answer(429, retry_after="soon"), RateLimitError, REJECTED),
    "503 with seconds": (answer(503, retry_after="5"), ServerError, REJECTED),
    "a failed dispatch": (DISPATCH_FAILURE, EvalDispatchError, REJECTED),
}
NOT_RETRIED = {
    "no answer": (no_answer, APITimeoutError, UNKNOWN),
    "500": (answer(500), ServerError, UNKNOWN),
    "502": (answer(502), ServerError, UNKNOWN),
    "503 alone": (answer(503), ServerError, UNKNOWN),
    "503 with garbage": (answer(503, retry_after="-1"), ServerError, UNKNOWN),
    "500 with seconds": (answer(500, retry_after="1"), ServerError, UNKNOWN),
    "an empty success": (answer(), UnexpectedResponseError, UNKNOWN),
}
NEVER_RETRIED = {
    "400": (answer(400), BadRequestError, REJECTED),
    "401": (answer(401), AuthenticationError, REJECTED),
    "429 after too long": (answer(429, retry_after="61"), RateLimitError, REJECTED),
    "503 after too long": (answer(503, retry_after="61"), ServerError, REJECTED),
}


@pytest.mark.parametrize("name", RETRIED)
def test_what_was_not_done_is_tried_three_times(name):
    step, error, delivery = RETRIED[name]

    raised, attempts, _ = play(step)

    assert type(raised) is error
    assert raised.delivery is delivery
    assert raised.attempts == attempts == 3
    assert [type(each) for each in raised.earlier] == [error, error]
    assert "3 attempts" in str(raised)


@pytest.mark.parametrize("name", RETRIED)
def test_what_was_not_done_can_succeed_the_second_time(name):
    result, attempts, _ = play(RETRIED[name][0], accepted)

    assert result.call_execution_count == 3
    assert attempts == 2


@pytest.mark.parametrize("name", NOT_RETRIED | NEVER_RETRIED)
def test_what_may_have_been_done_or_cannot_succeed_is_not_tried_again(name):
    step, error, delivery = (NOT_RETRIED | NEVER_RETRIED)[name]

    raised, attempts, waited = play(step)

    assert type(raised) is error
    assert raised.delivery is delivery
    assert raised.attempts == attempts == 1
    assert raised.earlier == ()
    assert waited == 0


@pytest.mark.parametrize("name", NOT_RETRIED)
def test_what_may_have_been_done_is_tried_again_when_the_caller_asks(name):
    step, error, _ = NOT_RETRIED[name]

    raised, attempts, _ = play(
        step, retry=RetryPolicy(reconcile=False, retry_unknown=True)
    )

    assert type(raised) is error
    assert raised.delivery is UNKNOWN
    assert attempts == 3


@pytest.mark.parametrize("name", NOT_RETRIED)
def test_reads_are_tried_again_whatever_happened(name):
    read = Read(RUN_TEST, [request().eval_config_ids[0]], select_all=True)

    _, attempts, _ = play(NOT_RETRIED[name][0], sent=read)

    assert attempts == 3


def test_reads_of_one_run_test_do_not_wait_for_each_other():
    async def main():
        async def slow(attempt):
            await asyncio.sleep(10)
            return accepted(attempt)

        client = simulated(FakeSender(slow))
        read = Read(RUN_TEST, [request().eval_config_ids[0]], select_all=True)
        await asyncio.gather(*(client.send(read) for _ in range(5)))
        assert asyncio.get_running_loop().time() == 10

    on_a_jumping_clock(main())


@pytest.mark.parametrize("name", NEVER_RETRIED)
def test_a_refusal_is_final_even_then(name):
    _, attempts, _ = play(
        NEVER_RETRIED[name][0], retry=RetryPolicy(reconcile=False, retry_unknown=True)
    )

    assert attempts == 1


def test_a_certificate_that_is_not_trusted_is_not_tried_again():
    def untrusted(attempt):
        error = APIConnectionError("certificate", delivery=NOT_SENT)
        error.retryable = False
        raise error

    _, attempts, _ = play(untrusted)

    assert attempts == 1


@pytest.mark.parametrize("most", [1, 2, 7])
def test_max_attempts_counts_all_attempts(most):
    raised, attempts, _ = play(
        answer(429), retry=RetryPolicy(reconcile=False, max_attempts=most)
    )

    assert raised.attempts == attempts == most


def test_unknown_then_rejected_stays_unknown():
    raised, attempts, _ = play(
        no_answer, answer(400), retry=RetryPolicy(reconcile=False, retry_unknown=True)
    )

    assert type(raised) is BadRequestError
    assert raised.delivery is UNKNOWN
    assert [type(each) for each in raised.earlier] == [APITimeoutError]
    assert raised.earlier[0].delivery is UNKNOWN
    assert attempts == 2


def test_unknown_then_not_sent_stays_unknown():
    raised, _, _ = play(
        no_answer, no_connection, retry=RetryPolicy(reconcile=False, retry_unknown=True)
    )

    assert type(raised) is APIConnectionError
    assert raised.delivery is UNKNOWN
    assert [each.delivery for each in raised.earlier] == [UNKNOWN, NOT_SENT]


def test_not_sent_then_rejected_is_rejected():
    raised, _, _ = play(no_connection, answer(404))

    assert raised.delivery is REJECTED


def test_an_error_is_dated_by_its_last_attempt():
    async def main():
        sender = FakeSender(no_connection)
        with pytest.raises(APIConnectionError) as caught:
            await simulated(sender).send(request())
        assert caught.value.request_id == sender.attempts[-1].request_id
        assert len({each.request_id for each in sender.attempts}) == 3

    on_a_jumping_clock(main())


@pytest.mark.parametrize(
    ("retry_after", "least"), [("0", 0), ("5", 5), ("59.5", 59.5), ("60", 60)]
)
def test_what_the_service_asks_for_is_waited_and_a_little_more(retry_after, least):
    _, attempts, waited = play(answer(429, retry_after=retry_after), accepted)

    assert attempts == 2
    assert least <= waited <= least + 0.5


def test_a_date_is_waited_for():
    date = dt.datetime.fromtimestamp(EPOCH + 40, dt.UTC)
    header = email.utils.format_datetime(date, usegmt=True)

    _, _, waited = play(answer(503, retry_after=header), accepted)

    assert 40 <= waited <= 40.5


def test_the_body_of_a_429_can_say_how_long_to_wait():
    body = b'{"status": false, "result": {"code": "RATE_LIMITED", "retry_after": 12}}'

    _, _, waited = play(answer(429, body), accepted)

    assert 12 <= waited <= 12.5


def test_the_random_part_of_the_wait_grows_to_eight_seconds():
    _, attempts, waited = play(
        answer(429), retry=RetryPolicy(reconcile=False, max_attempts=30), timeout=10_000
    )

    assert attempts == 30
    assert 60 < waited < 5 * 0.5 + 25 * 8


@pytest.mark.parametrize("retry_after", ["61", "86400", "9" * 400])
def test_a_longer_wait_is_left_to_the_caller(retry_after):
    raised, attempts, waited = play(answer(429, retry_after=retry_after))

    assert raised.retry_after == float(retry_after)
    assert attempts == 1
    assert waited == 0


@pytest.mark.parametrize(
    "text", ["", " ", "-1", "+5", "1e3", "١٢", "soon", "Wed, 99 Foo 2015", "1,5", "nan"]
)
def test_a_retry_after_that_is_none_is_as_good_as_none(text):
    assert retry_after_seconds(text, EPOCH) is None


def test_a_date_without_zone_and_one_that_is_over_are_read():
    assert retry_after_seconds("Fri, 15 Jan 2027 08:00:10 -0000", EPOCH) == 10
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT", EPOCH) == 0


def test_the_quota_ends_the_retries_of_an_outage():
    async def main():
        sender = FakeSender(no_connection)
        client = simulated(sender)
        for number in range(200):
            with pytest.raises(APIConnectionError):
                await client.send(request(number))
        # 500 tokens at 5 each: 100 retries for 200 calls, and then none.
        assert len(sender.attempts) == 200 + 100

    on_a_jumping_clock(main())


def test_timeouts_cost_twice():
    async def main():
        sender = FakeSender(no_answer)
        client = simulated(
            sender, retry=RetryPolicy(reconcile=False, retry_unknown=True)
        )
        for number in range(200):
            with pytest.raises(APITimeoutError):
                await client.send(request(number))
        assert len(sender.attempts) == 200 + 50

    on_a_jumping_clock(main())


def test_a_retry_that_succeeds_gets_its_price_back():
    async def main():
        seen = set()

        def every_other(attempt):
            if attempt.path in seen:
                return accepted(attempt)
            seen.add(attempt.path)
            return no_connection(attempt)

        sender = FakeSender(every_other)
        client = simulated(sender)
        for number in range(500):
            await client.send(request(number))
        assert len(sender.attempts) == 1000

    on_a_jumping_clock(main())


def test_the_quota_is_one_for_all_copies():
    async def main():
        sender = FakeSender(no_connection)
        client = simulated(sender)
        for number in range(200):
            with pytest.raises(APIConnectionError):
                await client.with_options(timeout=60).send(request(number))
        assert len(sender.attempts) == 300

    on_a_jumping_clock(main())


def test_a_single_call_pays_for_being_throttled():
    async def main():
        sender = FakeSender(lambda _: answer(429))
        client = simulated(sender)
        for number in range(200):
            with pytest.raises(RateLimitError):
                await client.send(request(number))
        assert len(sender.attempts) == 300

    on_a_jumping_clock(main())


async def test_a_refused_connection_is_tried_again_for_real(connect):
    client = connect(f"http://127.0.0.1:{unused_port()}")

    with pytest.raises(APIConnectionError) as caught:
        await client.send(request())

    assert caught.value.attempts == 3
    assert [each.delivery for each in caught.value.earlier] == [NOT_SENT, NOT_SENT]


async def test_a_failed_dispatch_is_tried_again_for_real(connect):
    async with RawServer(Reply(http(200, DISPATCH_FAILED)), success) as server:
        result = await connect(server).send(request())

        assert result.call_execution_count == 3
        assert len(server.requests) == 2


async def test_retry_unknown_sends_what_may_have_been_done_again(connect):
    async with RawServer(Reply(b"", "close"), success) as server:
        client = connect(server, retry=RetryPolicy(reconcile=False, retry_unknown=True))

        await client.send(request())

        assert len(server.requests) == 2


async def test_a_copy_can_take_another_policy(connect):
    async with RawServer(Reply(http(429))) as server:
        client = connect(server).with_options(
            retry=RetryPolicy(reconcile=False, max_attempts=1)
        )

        with pytest.raises(RateLimitError):
            await client.send(request())

        assert len(server.requests) == 1


@attrs.define
class Light(type(request())):
    """A read that other requests can stand in for."""

    idempotent = True
    has_substitute = True


def light():
    return Light(RUN_TEST, [CONFIG], select_all=True)


def send_twice(*answers, sent=None):
    """Send two light requests; return what came, and the attempts."""
    remaining = list(answers)

    async def main():
        sender = FakeSender(lambda _attempt: remaining.pop(0))
        client = simulated(sender)
        outcomes = []
        for each in sent or (light(), light()):
            try:
                outcomes.append(await client.send(each))
            except FutureAGIError as error:
                outcomes.append(error)
        return outcomes, len(sender.attempts)

    return on_a_jumping_clock(main())


@pytest.mark.parametrize(
    "response", [answer(404, b"<title>Not Found</title>"), answer(405, b"{}")]
)
def test_an_endpoint_that_is_missing_is_not_asked_a_second_time(response):
    errors, attempts = send_twice(response)

    assert [type(each) for each in errors] == [EndpointMissingError] * 2
    assert [each.delivery for each in errors] == [REJECTED] * 2
    assert [each.attempts for each in errors] == [1, 0]
    assert attempts == 1


def test_an_endpoint_that_is_missing_is_not_asked_by_another_kind_of_request():
    kinds = GetSimulationRuns(RUN_TEST), ListSimulationRuns("a name")

    errors, attempts = send_twice(answer(404, b"<title>Not Found</title>"), sent=kinds)

    assert [type(each) for each in errors] == [EndpointMissingError] * 2
    assert attempts == 1


def test_a_row_that_is_missing_leaves_its_endpoint_in_use():
    missing = answer(404, b'{"code": "not_found", "message": "no such execution"}')

    outcomes, attempts = send_twice(missing, missing)

    assert [type(each) for each in outcomes] == [NotFoundError] * 2
    assert attempts == 2


@pytest.mark.parametrize("response", [answer(500), answer()])
def test_what_others_can_answer_is_not_repeated_after_a_failure(response):
    _, attempts, _ = play(response, sent=light())

    assert attempts == 1


def test_what_others_can_answer_is_repeated_after_a_failure_of_a_proxy():
    _, attempts, _ = play(answer(502), sent=light())

    assert attempts == 3
