"""The client-side rate limit: evenly, for all together, and no time of a request."""

from __future__ import annotations

import asyncio
import itertools

import attrs
import pytest
from reconciling_service import (
    RulesSender,
    answered,
    client_of,
    failure,
    now,
    on_a_jumping_clock,
    small_world,
)

from futureagi_async import (
    AddEvalConfigs,
    APITimeoutError,
    AsyncFutureAGI,
    ClientClosedError,
    ConfigurationError,
    Delivery,
    EvalConfig,
    NotAttempted,
    RateLimit,
    RetryPolicy,
    Success,
    Timeout,
)
from futureagi_async.transport.rate_limiter import RateLimiter


WORLD = small_world(run_tests=1)
TEMPLATE = WORLD.template_ids[0]


def requests(count, *, run_tests=None):
    world = small_world(run_tests=run_tests or count)
    ids = list(world.run_test_ids)
    return [
        AddEvalConfigs(ids[number % len(ids)], [EvalConfig(TEMPLATE, f"{number}")])
        for number in range(count)
    ]


def sender_for(count, *trouble):
    return RulesSender(small_world(run_tests=count), *trouble)


def times(sender):
    """When each attempt left, counted from the first."""
    return [each.at - sender.sent[0].at for each in sender.sent]


def most_within(seconds, moments):
    """How many moments a window of so many seconds holds at most."""
    return max(
        sum(start <= each <= start + seconds for each in moments) for start in moments
    )


def test_without_a_limit_there_is_nothing_to_wait_for():
    async def main():
        started = now()
        for _ in range(1000):
            await RateLimiter(None).acquire()
        assert now() == started

    on_a_jumping_clock(main())


@pytest.mark.parametrize(
    "limit", [RateLimit(100), RateLimit(1000, per=60), RateLimit(3, per=1.0)], ids=str
)
def test_no_window_holds_more_than_the_limit_and_one(limit):
    async def main():
        limiter, moments = RateLimiter(limit), []

        async def take():
            await limiter.acquire()
            moments.append(now())

        await asyncio.gather(*[take() for _ in range(limit.requests * 3)])
        return moments

    moments = on_a_jumping_clock(main())

    assert most_within(limit.per, moments) <= limit.requests + 1
    assert moments[-1] - moments[0] == pytest.approx(limit.per * 3, rel=0.02, abs=0.4)


def test_turns_are_spread_evenly_from_the_first_one_on():
    async def main():
        limiter, moments = RateLimiter(RateLimit(6, per=60)), []
        for _ in range(20):
            await limiter.acquire()
            moments.append(now())
        return moments

    moments = on_a_jumping_clock(main())

    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert gaps == pytest.approx([10.0] * 19, abs=0.001)


def test_turns_that_were_not_used_are_not_saved_up():
    async def main():
        limiter, moments = RateLimiter(RateLimit(6, per=60)), []
        await limiter.acquire()
        await asyncio.sleep(600)
        for _ in range(3):
            await limiter.acquire()
            moments.append(now())
        return moments

    first, second, third = on_a_jumping_clock(main())

    assert second - first == pytest.approx(10, abs=0.001)
    assert third - second == pytest.approx(10, abs=0.001)


def test_a_turn_is_not_lost_on_a_waiter_that_is_gone():
    async def main():
        limiter = RateLimiter(RateLimit(6, per=60))
        await limiter.acquire()
        started = now()
        gone = asyncio.create_task(limiter.acquire())
        stays = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(5)
        gone.cancel()
        await stays
        return now() - started

    assert on_a_jumping_clock(main()) == pytest.approx(10, abs=0.001)


def test_slots_go_to_waiters_in_their_order():
    async def main():
        limiter, order = RateLimiter(RateLimit(6, per=60)), []

        async def wait(number):
            await limiter.acquire()
            order.append(number)

        waiters = [asyncio.create_task(wait(number)) for number in range(6)]
        await asyncio.sleep(15)
        waiters[2].cancel()  # its sleep is under way
        waiters[4].cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        return order

    assert on_a_jumping_clock(main()) == [0, 1, 3, 5]


async def test_a_slot_that_begins_late_moves_the_next_one(leap):
    limiter = RateLimiter(RateLimit(6, per=6000))
    await limiter.acquire()
    late = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.01)
    leap(1500)
    await late
    next_one = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0.01)

    leap(900)
    await asyncio.sleep(0.01)

    assert not next_one.done()
    leap(100)
    await next_one


def test_a_limiter_that_another_loop_used_starts_again():
    limiter = RateLimiter(RateLimit(1, per=60))

    async def main():
        started = now()
        await limiter.acquire()
        return now() - started

    assert on_a_jumping_clock(main()) == 0
    assert on_a_jumping_clock(main()) == 0


def test_all_workers_and_all_copies_of_a_client_share_the_limit():
    async def main():
        client = client_of(sender, rate_limit=RateLimit(60, per=60))
        copy = client.with_options(retry=RetryPolicy(reconcile=False))
        first, second = requests(40)[:20], requests(40)[20:]
        batches = await asyncio.gather(
            client.send_many(first, max_concurrency=20),
            copy.send_many(second, max_concurrency=20),
        )
        return [*batches[0], *batches[1]]

    sender = sender_for(40)
    outcomes = on_a_jumping_clock(main())

    assert all(isinstance(each, Success) for each in outcomes)
    assert times(sender) == pytest.approx(range(40), abs=0.01)


def test_retries_and_reads_are_paced_too():
    async def main():
        client = client_of(sender, rate_limit=RateLimit(1, per=15))
        return await client.send(requests(1)[0])

    sender = sender_for(1, "before")
    on_a_jumping_clock(main())

    assert [each.method for each in sender.sent] == ["POST", "GET", "GET", "POST"]
    assert times(sender) == pytest.approx([0, 15, 30, 45], abs=0.01)


def test_waiting_for_the_pace_is_no_time_of_a_single_request():
    async def main():
        client = client_of(sender, rate_limit=RateLimit(1, per=60), timeout=5)
        return await asyncio.gather(*[client.send(each) for each in requests(4)])

    sender = sender_for(4)
    results = on_a_jumping_clock(main())

    assert len(results) == 4
    assert times(sender) == pytest.approx([0, 60, 120, 180], abs=0.01)


def test_the_time_of_a_request_goes_on_when_its_turn_has_come():
    async def stall(serve):
        await asyncio.sleep(1000)

    async def main():
        client = client_of(
            sender, rate_limit=RateLimit(1, per=60), timeout=Timeout(total=5)
        )
        await client.send(requests(2)[0])
        started = now()
        error = await failure(client.send(requests(2)[1]))
        return error, now() - started

    sender = sender_for(2, None, stall)
    error, seconds = on_a_jumping_clock(main())

    assert isinstance(error, APITimeoutError)
    assert error.delivery is Delivery.UNKNOWN
    assert seconds == pytest.approx(65, abs=0.01)


def test_a_request_without_a_deadline_is_paced_as_well():
    async def main():
        client = client_of(
            sender, rate_limit=RateLimit(1, per=60), timeout=Timeout(total=None)
        )
        return await client.send_many(requests(3))

    sender = sender_for(3)

    assert len(on_a_jumping_clock(main()).successes) == 3
    assert times(sender) == pytest.approx([0, 60, 120], abs=0.01)


def test_throttling_pauses_only_the_request_that_was():
    async def turned_away(serve):
        return answered(429, retry_after="30")

    async def main():
        client = client_of(sender, rate_limit=RateLimit(60, per=60))
        return await client.send_many(requests(10), max_concurrency=10)

    sender = sender_for(10, None, turned_away)
    batch = on_a_jumping_clock(main())

    assert len(batch.successes) == 10
    assert [each.attempts for each in batch] == [1, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    assert times(sender) == pytest.approx([*range(10), 31], abs=0.01)


def test_what_has_no_turn_before_the_deadline_of_its_batch_is_not_attempted():
    async def main():
        client = client_of(sender, rate_limit=RateLimit(6, per=60))
        started = now()
        batch = await client.send_many(requests(10), timeout=25)
        return batch, now() - started

    sender = sender_for(10)
    batch, seconds = on_a_jumping_clock(main())

    kinds = [type(each) for each in batch]
    assert kinds == [Success] * 3 + [NotAttempted] * 7
    assert seconds == pytest.approx(25, abs=0.01)
    assert {str(each.error) for each in batch[3:]} == {
        "not sent: the deadline of the batch has passed"
    }


def test_what_was_started_before_the_deadline_of_its_batch_is_completed():
    async def main():
        client = client_of(sender, rate_limit=RateLimit(1, per=15))
        return await client.send_many(requests(1), timeout=40)

    sender = sender_for(1, "before")
    (outcome,) = on_a_jumping_clock(main())

    assert isinstance(outcome, Success)
    assert times(sender)[-1] == pytest.approx(45, abs=0.01)


def test_a_client_that_is_closed_ends_what_waits_for_its_turn():
    async def main():
        client = client_of(sender, rate_limit=RateLimit(1, per=60))
        calls = [asyncio.create_task(client.send(each)) for each in requests(3)]
        await asyncio.sleep(10)
        await client.aclose()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        return ends, now()

    sender = sender_for(3)
    (result, *errors), moment = on_a_jumping_clock(main())

    assert not isinstance(result, Exception)
    assert [type(each) for each in errors] == [ClientClosedError] * 2
    assert [each.delivery for each in errors] == [Delivery.NOT_SENT] * 2
    assert moment < 111


@pytest.mark.parametrize("many", [False, True])
def test_a_client_that_is_closed_in_the_moment_of_a_turn_sends_nothing(
    many, monkeypatch
):
    acquire = RateLimiter.acquire

    async def main():
        async def acquire_and_close(limiter, rank):
            await acquire(limiter, rank)
            await client.aclose()

        monkeypatch.setattr(RateLimiter, "acquire", acquire_and_close)
        client = client_of(sender, rate_limit=RateLimit(1, per=60))
        if not many:
            return await failure(client.send(requests(1)[0]))
        (outcome,) = await client.send_many(requests(1))
        return outcome.error

    sender = sender_for(1)
    error = on_a_jumping_clock(main())

    assert isinstance(error, ClientClosedError)
    assert error.delivery is Delivery.NOT_SENT
    assert sender.sent == []


@pytest.mark.parametrize("value", [100, (100, 60), "100/min", {"requests": 100}])
def test_a_rate_limit_of_another_kind_is_refused(value):
    with pytest.raises(
        ConfigurationError, match=r"^rate_limit: a RateLimit is expected"
    ):
        AsyncFutureAGI("key", "secret", rate_limit=value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"requests": 0}, "RateLimit.requests: at least 1"),
        ({"requests": -5}, "RateLimit.requests: at least 1"),
        ({"requests": True}, "RateLimit.requests: a whole number is expected"),
        ({"requests": 10.0}, "RateLimit.requests: a whole number is expected"),
        (
            {"requests": 10, "per": 0},
            "RateLimit.per: a finite number .* is expected, not 0",
        ),
        (
            {"requests": 10, "per": float("nan")},
            "RateLimit.per: a finite number .* is expected, not nan",
        ),
        ({"requests": 10, "per": "60"}, "RateLimit.per: seconds are expected"),
    ],
    ids=str,
)
def test_a_rate_that_cannot_be_is_rejected(fields, problem):
    with pytest.raises(ConfigurationError, match=f"^{problem}"):
        RateLimit(**fields)


def test_a_limit_is_a_value():
    assert RateLimit(100) == RateLimit(100, per=60)
    assert attrs.asdict(RateLimit(100)) == {"requests": 100, "per": 60.0}
