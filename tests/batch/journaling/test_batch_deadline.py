"""The deadline of a batch: what is begun before it, and what is not begun after it."""

from __future__ import annotations

import asyncio

import pytest
from answering_service import (
    Service,
    accepted,
    accepted_after_ten_seconds,
    answered,
    client_of,
    requests,
    run_test_id,
)
from jumping_clock import now, on_a_jumping_clock
from recorded_requests import adds, arrived, entries, runs, states

from futureagi_async import (
    BatchError,
    ConfigurationError,
    DeadlineExceededError,
    Delivery,
    Failure,
    NotAttempted,
    NotAttemptedError,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    RunNewEvals,
    Success,
    Timeout,
)


def kinds(batch):
    return [type(each) for each in batch]


def test_what_was_not_begun_in_time_names_the_deadline():
    async def main():
        service = Service(accepted_after_ten_seconds)
        batch = await client_of(service).send_many(
            requests(9), max_concurrency=2, timeout=25
        )
        assert kinds(batch) == [Success] * 6 + [NotAttempted] * 3
        assert {str(each.error) for each in batch.not_attempted} == {
            "not sent: the deadline of the batch has passed"
        }
        assert {each.attempts for each in batch.not_attempted} == {0}
        assert len(service.attempts) == 6
        with pytest.raises(BatchError) as caught:
            batch.raise_for_failures()
        assert caught.value.delivery is Delivery.NOT_SENT
        assert {type(each) for each in caught.value.exceptions} == {NotAttemptedError}

    on_a_jumping_clock(main())


def test_what_is_in_flight_at_the_deadline_is_brought_to_its_end():
    async def main():
        service = Service(accepted_after_ten_seconds)
        batch = await client_of(service).send_many(requests(3), timeout=0.5)
        assert kinds(batch) == [Success] * 3
        assert now() == 10

    on_a_jumping_clock(main())


def test_what_is_in_flight_at_the_deadline_has_its_own_time_limit():
    async def main():
        service = Service(lambda _: asyncio.sleep(1000))
        client = client_of(service, timeout=Timeout(total=70))
        batch = await client.send_many(requests(3), timeout=50, max_concurrency=2)
        assert kinds(batch) == [Failure, Failure, NotAttempted]
        assert {type(each.error) for each in batch.failures} == {DeadlineExceededError}
        assert now() == 70

    on_a_jumping_clock(main())


def test_what_is_in_flight_is_retried_after_the_deadline():
    async def main():
        async def first_fails(attempt):
            await asyncio.sleep(10)
            if len(service.attempts) == 1:
                return answered(500)
            return accepted(attempt)

        service = Service(first_fails)
        client = client_of(
            service, retry=RetryPolicy(reconcile=False, retry_unknown=True)
        )
        (outcome,) = await client.send_many(requests(1), timeout=5)
        assert outcome.attempts == 2

    on_a_jumping_clock(main())


def test_being_throttled_is_borne_until_the_deadline():
    async def main():
        service = Service(lambda _: answered(429, retry_after="10"))
        (outcome,) = await client_of(service).send_many(requests(1), timeout=35)
        assert isinstance(outcome.error, RateLimitError)
        assert outcome.error.delivery is Delivery.REJECTED
        assert [moment for moment, _ in service.attempts] == [0, 10, 20, 30]
        assert now() == 30

    on_a_jumping_clock(main())


def test_a_deadline_lets_a_batch_be_throttled_no_longer_than_ten_minutes():
    async def main():
        service = Service(lambda _: answered(429, retry_after="60"))
        (outcome,) = await client_of(service).send_many(requests(1), timeout=9999)
        assert isinstance(outcome.error, RateLimitError)
        assert now() == 600

    on_a_jumping_clock(main())


def test_a_rate_limit_begins_nothing_after_the_deadline():
    async def main():
        service = Service(accepted)
        client = client_of(service, rate_limit=RateLimit(requests=1, per=10))
        batch = await client.send_many(requests(9), timeout=25)
        assert len(batch.successes) == 3
        assert len(batch.not_attempted) == 6
        assert {str(each.error) for each in batch.not_attempted} == {
            "not sent: the deadline of the batch has passed"
        }
        assert [moment for moment, _ in service.attempts] == pytest.approx([0, 10, 20])
        assert now() == 25

    on_a_jumping_clock(main())


def test_what_waits_for_its_run_test_at_the_deadline_is_not_begun():
    async def main():
        service = Service(accepted_after_ten_seconds)
        again = [
            RunNewEvals(run_test_id(0), [run_test_id(number)], select_all=True)
            for number in range(3)
        ]
        batch = await client_of(service).send_many(again, timeout=15)
        assert kinds(batch) == [Success, Success, NotAttempted]

    on_a_jumping_clock(main())


def test_an_input_without_end_ends_when_it_is_left_after_the_deadline():
    async def main():
        def endless():
            while True:
                yield from requests(1)

        service = Service(accepted_after_ten_seconds)
        client = client_of(service)
        async with client.stream(endless(), timeout=25, max_concurrency=1) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, NotAttempted):
                    break
        assert len(service.attempts) == 3

    on_a_jumping_clock(main())


def test_each_batch_has_its_own_deadline():
    async def main():
        client = client_of(Service(accepted_after_ten_seconds))
        options = {"timeout": 15, "max_concurrency": 1}
        for _ in range(2):
            batch = await client.send_many(requests(3), **options)
            assert kinds(batch) == [Success, Success, NotAttempted]

    on_a_jumping_clock(main())


@pytest.mark.parametrize(
    "value", [0, -1, True, "9", float("nan"), float("inf"), [9], 0.0]
)
async def test_a_deadline_that_is_none_is_refused(
    value, emulator, connect, connect_blocking
):
    ids = emulator.world.run_test_ids[:1]
    configs = adds(emulator, 1)[0].evaluations_config
    for client in (connect(), connect_blocking()):
        for call in (
            lambda client: client.send_many(adds(emulator), timeout=value),
            lambda client: client.stream(adds(emulator), timeout=value),
            lambda client: client.add_eval_configs_many(ids, configs, timeout=value),
            lambda client: client.run_new_evals_many(
                {ids[0]: ids}, select_all=True, timeout=value
            ),
        ):
            with pytest.raises(ConfigurationError, match="timeout: "):
                await call(client)

    assert not emulator.log.requests


async def test_what_the_deadline_left_over_is_sent_by_the_next_batch(
    emulator, connect, journal, leap_when_served
):
    leap_when_served(20)
    first = await connect().send_many(
        adds(emulator), journal=journal, max_concurrency=1, timeout=50
    )
    assert kinds(first) == [Success] * 3 + [NotAttempted] * 5
    assert list(states(journal).values()).count("DONE") == 3
    assert "IN_FLIGHT" not in states(journal).values()
    assert arrived(emulator) == 3

    again = await connect().send_many(adds(emulator), journal=journal)

    assert [each.from_journal for each in again] == [True] * 3 + [False] * 5
    assert set(emulator.log.configs.values()) == {1}


async def test_what_is_done_is_answered_from_the_journal_until_the_deadline(
    emulator, connect, journal
):
    await connect().send_many(runs(emulator), journal=journal)

    batch = await connect().send_many(runs(emulator), journal=journal, timeout=60)

    assert [each.from_journal for each in batch.successes] == [True] * 8
    assert len(entries(journal)) == 8


def test_the_blocking_client_has_deadlines_too(emulator, connect_blocking):
    # Too short for any request, and nothing was sent.
    client = connect_blocking()
    batch = client.send_many(adds(emulator), timeout=1e-9)
    with client.stream(adds(emulator), timeout=1e-9) as outcomes:
        streamed = list(outcomes)

    assert kinds([*batch, *streamed]) == [NotAttempted] * 16
    assert not emulator.log.requests
