"""Batch: bounded, ordered, one outcome an item, and nothing twice."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter, deque

import attrs
import pytest
from jumping_clock import on_a_jumping_clock
from raw_server import CONFIG, RawServer, Reply, http, success, unused_port
from simulation import (
    FakeSender,
    accepted,
    answer,
    request,
    run_test_id,
    run_test_of,
    simulated,
)

from futureagi_async import (
    AuthenticationError,
    BatchError,
    BatchInterruptedError,
    ClientClosedError,
    ConfigurationError,
    Delivery,
    Failure,
    InvalidRequestError,
    NotAttempted,
    NotAttemptedError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    Success,
    Timeout,
    UnexpectedResponseError,
)
from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.model.operation import Operation
from futureagi_async.transport.retry import RetryQuota
from futureagi_async.types import RunNewEvalsResult


def requests(count, start=0):
    return [request(number) for number in range(start, start + count)]


def number_of(got) -> int:
    return int(got.run_test_id[-12:])


class Slow:
    """Answers after a while, and notes what is in flight."""

    def __init__(self, seconds=1.0):
        self.seconds = seconds
        self.in_flight = Counter()
        self.most = 0
        self.most_for_one = 0

    async def __call__(self, attempt):
        run_test = run_test_of(attempt)
        self.in_flight[run_test] += 1
        self.most = max(self.most, self.in_flight.total())
        self.most_for_one = max(self.most_for_one, self.in_flight[run_test])
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.in_flight[run_test] -= 1
        return accepted(attempt)


async def test_outcomes_come_in_the_order_of_the_input(connect):
    async def later_first(got):
        await asyncio.sleep(0.05 - number_of(got) * 0.002)
        return success(got)

    async with RawServer(later_first) as server:
        batch = await connect(server).send_many(requests(20), max_concurrency=10)

    assert [each.run_test_id for each in batch] == [run_test_id(n) for n in range(20)]
    assert all(isinstance(each, Success) for each in batch)
    assert {each.attempts for each in batch} == {1}
    assert all(each.elapsed > 0 for each in batch)
    assert len(server.requests) == 20


def test_no_more_than_max_concurrency_are_in_flight():
    async def main():
        slow = Slow()
        client = simulated(FakeSender(slow))
        await client.send_many(requests(100), max_concurrency=7)
        assert slow.most == 7

    on_a_jumping_clock(main())


def test_by_default_32_are_in_flight_or_as_many_as_there_are_connections():
    async def main():
        slow = Slow()
        await simulated(FakeSender(slow)).send_many(requests(100))
        assert slow.most == 32
        slow = Slow()
        client = simulated(FakeSender(slow), max_connections=5)
        await client.send_many(requests(100))
        assert slow.most == 5

    on_a_jumping_clock(main())


def test_never_two_in_flight_for_one_run_test():
    async def main():
        slow = Slow()
        client = simulated(FakeSender(slow))
        twin = client.with_options(timeout=Timeout(total=None))
        same = [request(number % 3) for number in range(30)]
        batches = await asyncio.gather(
            client.send_many(same),
            twin.send_many(same),
            client.send(request(1)),
            twin.send(request(1)),
        )
        assert slow.most_for_one == 1
        assert slow.most == 3
        assert all(isinstance(each, Success) for each in [*batches[0], *batches[1]])

    on_a_jumping_clock(main())


def test_a_call_that_is_cancelled_while_it_waits_passes_its_turn_on():
    async def main():
        slow = Slow()
        client = simulated(FakeSender(slow))
        calls = [asyncio.create_task(client.send(request())) for _ in range(4)]
        await asyncio.sleep(0.5)
        calls[1].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert [call.cancelled() for call in calls] == [False, True, False, False]
        assert client._transport._resources.run_test_locks._waiting == {}

    on_a_jumping_clock(main())


def test_a_turn_that_comes_in_the_moment_of_the_cancellation_is_passed_on():
    async def main():
        client = simulated(FakeSender(Slow()))
        first = asyncio.create_task(client.send(request()))
        await asyncio.sleep(0)
        second = asyncio.create_task(client.send(request()))
        third = asyncio.create_task(client.send(request()))
        await asyncio.sleep(0)
        first.add_done_callback(lambda _: second.cancel())
        await asyncio.gather(first, second, third, return_exceptions=True)
        assert second.cancelled()
        assert third.result().call_execution_count == 3

    on_a_jumping_clock(main())


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (402, PaymentRequiredError)]
)
async def test_wrong_keys_and_an_empty_account_stop_the_batch(status, error, connect):
    def third_is_refused(got):
        return success(got) if number_of(got) < 2 else Reply(http(status, "{}"))

    async with RawServer(third_is_refused) as server:
        batch = await connect(server).send_many(requests(50), max_concurrency=1)

    assert [type(each) for each in batch[:3]] == [Success, Success, Failure]
    assert type(batch[2].error) is error
    assert all(isinstance(each, NotAttempted) for each in batch[3:])
    assert len(batch) == 50
    assert len(server.requests) == 3
    assert isinstance(batch[3].error, NotAttemptedError)
    assert str(batch[2].error) in str(batch[3].error)
    assert batch[3].error.delivery is Delivery.NOT_SENT
    with pytest.raises(BatchError):
        batch.raise_for_failures()


def test_an_input_without_end_that_was_stopped_can_be_cancelled():
    async def main():
        def forever():
            while True:
                yield request()

        client = simulated(FakeSender(lambda _: answer(401)))
        async with client.stream(forever()) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, NotAttempted):
                    break
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await client.send_many(forever())

    on_a_jumping_clock(main())


async def test_one_bad_item_never_hurts_another(connect):
    conduct = {
        3: Reply(http(404, "<html></html>")),
        5: Reply(b"garbage\r\n\r\n", "close"),
        7: Reply(b"", "reset"),
        9: Reply(http(500)),
    }

    def misbehave(got):
        return conduct.get(number_of(got)) or success(got)

    async with RawServer(misbehave) as server:
        batch = await connect(server).send_many(requests(12), max_concurrency=4)

    failed = {n for n, each in enumerate(batch) if isinstance(each, Failure)}
    assert failed == {3, 5, 7, 9}
    assert {each.run_test_id for each in batch.unknown} == {
        run_test_id(number) for number in (5, 7, 9)
    }
    assert len(batch.successes) == 8
    assert len(server.requests) == 12


async def test_an_invalid_item_of_a_generator_is_a_failure_of_its_own(connect):
    ids = ["no uuid", run_test_id(1), 7, run_test_id(2)]
    async with RawServer() as server:
        batch = await connect(server).run_new_evals_many(
            ((each, [CONFIG]) for each in ids), select_all=True
        )

    assert [type(each) for each in batch] == [Failure, Success, Failure, Success]
    assert isinstance(batch[0].error, InvalidRequestError)
    assert batch[0].attempts == 0
    assert "[2]" in str(batch[2].error)
    assert len(server.requests) == 2


async def test_the_same_configs_are_added_to_many_run_tests(connect):
    def created(got):
        body = {
            "message": "Added",
            "created_eval_configs": [],
            "warnings": ["EvalTemplate not found"],
            "run_test_id": got.run_test_id,
        }
        return Reply(http(201, body))

    ids = [run_test_id(number) for number in range(5)]
    async with RawServer(created) as server:
        batch = await connect(server).add_eval_configs_many(
            ids, [{"template_id": CONFIG, "name": "tone"}]
        )

    assert [each.run_test_id for each in batch.partial] == ids
    assert len({each.body for each in server.requests}) == 1
    assert len({each.path for each in server.requests}) == 5


async def test_what_is_no_request_is_a_failure_of_its_own(connect):
    async with RawServer() as server:
        batch = await connect(server).send_many(iter([request(1), "x", request(2)]))

    assert [type(each) for each in batch] == [Success, Failure, Success]
    assert "requests[1]" in str(batch[1].error)


async def test_a_collection_is_checked_before_anything_is_sent(connect):
    async with RawServer() as server:
        with pytest.raises(InvalidRequestError, match=r"requests\[1\]"):
            await connect(server).send_many([request(1), "x"])
        with pytest.raises(InvalidRequestError, match="iterable"):
            await connect(server).send_many(request(1))

    assert server.requests == []


@pytest.mark.parametrize(
    ("value", "says"),
    [(0, "at least 1"), (101, "max_connections=101"), ("3", "whole number")],
)
async def test_a_concurrency_that_cannot_work_is_refused(value, says, connect):
    client = connect("http://127.0.0.1:1")

    with pytest.raises(ConfigurationError, match=says):
        await client.send_many([request()], max_concurrency=value)
    with pytest.raises(ConfigurationError, match=says):
        client.stream([request()], max_concurrency=value)


def test_a_generator_is_read_as_workers_become_free():
    async def main():
        read = 0

        def count():
            nonlocal read
            for each in requests(1000):
                read += 1
                yield each

        async def watch(attempt):
            assert read <= len(sender.attempts) + 10
            await asyncio.sleep(1)
            return accepted(attempt)

        sender = FakeSender(watch)
        batch = await simulated(sender).send_many(count(), max_concurrency=10)
        assert len(batch.successes) == 1000

    on_a_jumping_clock(main())


def test_an_asynchronous_generator_is_read_one_at_a_time():
    async def main():
        async def slowly():
            for each in requests(20):
                await asyncio.sleep(1)
                yield each

        client = simulated(FakeSender(Slow(10)))
        batch = await client.send_many(slowly(), max_concurrency=8)
        assert [each.run_test_id for each in batch] == [
            run_test_id(number) for number in range(20)
        ]

    on_a_jumping_clock(main())


def test_on_outcome_sees_each_outcome_as_it_comes():
    async def main():
        async def earlier_last(attempt):
            await asyncio.sleep(10 - int(run_test_of(attempt)[-12:]))
            return accepted(attempt)

        seen = []
        client = simulated(FakeSender(earlier_last))
        batch = await client.send_many(requests(5), on_outcome=seen.append)
        assert seen == list(batch)[::-1]

    on_a_jumping_clock(main())


async def test_on_outcome_may_be_an_object_that_is_called():
    class Callback:
        def __call__(self, outcome):
            seen.append(outcome)

    seen = []
    client = simulated(FakeSender(accepted))

    batch = await client.send_many(requests(3), on_outcome=Callback())

    assert sorted(seen, key=batch.index) == list(batch)


async def test_on_outcome_must_be_a_plain_function(connect):
    async def callback(outcome): ...

    class Callback:
        async def __call__(self, outcome): ...

    client = connect("http://127.0.0.1:1")
    for value in (callback, functools.partial(callback), Callback(), "print"):
        with pytest.raises(InvalidRequestError, match="plain function"):
            await client.send_many([request()], on_outcome=value)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_exception_of_the_iterable_ends_what_is_in_flight_in_order(asynchronous):
    async def main():
        def broken():
            yield from requests(5)
            raise ZeroDivisionError("of the caller")

        async def broken_too():
            for each in requests(5):
                yield each
            raise ZeroDivisionError("of the caller")

        sender = FakeSender(Slow())
        client = simulated(sender)
        items = broken_too() if asynchronous else broken()
        with pytest.raises(BatchInterruptedError, match="of the caller") as caught:
            await client.send_many(items, max_concurrency=3)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert len(caught.value.batch.successes) == 5
        assert len(sender.attempts) == 5

    on_a_jumping_clock(main())


def test_an_exception_of_on_outcome_stops_reading():
    async def main():
        def broken(outcome):
            if outcome.run_test_id == run_test_id(4):
                raise ZeroDivisionError("of the caller")

        sender = FakeSender(Slow())
        client = simulated(sender)
        with pytest.raises(BatchInterruptedError, match="of the caller") as caught:
            await client.send_many(requests(100), max_concurrency=3, on_outcome=broken)
        batch = caught.value.batch
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert len(batch.successes) == len(batch) == len(sender.attempts)
        assert 5 <= len(batch) <= 8

    on_a_jumping_clock(main())


def test_an_interrupt_in_on_outcome_is_let_through():
    class Stop(BaseException):
        pass

    async def main():
        def interrupt(outcome):
            raise Stop

        slow = Slow()
        client = simulated(FakeSender(slow))
        with pytest.raises(BaseExceptionGroup) as caught:
            await client.send_many(requests(9), on_outcome=interrupt)
        assert caught.group_contains(Stop)
        assert slow.in_flight.total() == 0

    on_a_jumping_clock(main())


def test_cancellation_reaches_every_worker():
    async def main():
        slow = Slow(100)
        client = simulated(FakeSender(slow))
        work = asyncio.create_task(client.send_many(requests(100)))
        await asyncio.sleep(150)
        assert slow.in_flight.total() == 32
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert slow.in_flight.total() == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert client._transport._resources.run_test_locks._waiting == {}
        assert not client._transport._resources.timeouts._active

    on_a_jumping_clock(main())


async def test_cancellation_closes_what_is_on_the_wire(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        client = connect(server)
        work = asyncio.create_task(client.send_many(requests(10)))
        await server.until(requests=10)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

        await client.aclose()
        assert len(server.requests) == 10


def test_what_nobody_foresaw_is_an_unknown_outcome_of_its_own():
    async def main():
        def bug(attempt):
            if run_test_of(attempt) == run_test_id(2):
                raise RuntimeError("surprise")
            return accepted(attempt)

        batch = await simulated(FakeSender(bug)).send_many(requests(4))
        [failure] = batch.failures
        assert failure.run_test_id == run_test_id(2)
        assert failure.error.delivery is Delivery.UNKNOWN
        assert "RuntimeError: surprise" in str(failure.error)
        assert isinstance(failure.error.__cause__, RuntimeError)

    on_a_jumping_clock(main())


async def cancelled_elsewhere():
    """Wait for something of one's own that is cancelled, as nobody cancels oneself."""
    helper = asyncio.create_task(asyncio.sleep(60))
    helper.cancel()
    await helper


def test_a_request_whose_work_was_cancelled_elsewhere_has_an_outcome():
    async def main():
        async def cut_short(attempt):
            if run_test_of(attempt) == run_test_id(2):
                await cancelled_elsewhere()
            return accepted(attempt)

        batch = await simulated(FakeSender(cut_short)).send_many(requests(4))
        [failure] = batch.failures
        assert failure.run_test_id == run_test_id(2)
        assert failure.error.delivery is Delivery.UNKNOWN
        assert isinstance(failure.error.__cause__, asyncio.CancelledError)

    on_a_jumping_clock(main())


@attrs.frozen
class CutShort(Operation[RunNewEvalsResult]):
    """A job that waits for something that is cancelled."""

    run_test_id: str

    async def run(self, executor):
        await cancelled_elsewhere()


async def test_a_job_that_was_cancelled_elsewhere_has_an_outcome():
    client = simulated(FakeSender(accepted))

    [outcome] = await client.send_many([CutShort(run_test_id(1))])

    assert outcome.error.delivery is Delivery.UNKNOWN
    assert isinstance(outcome.error.__cause__, asyncio.CancelledError)


@attrs.frozen
class ReadsOnly(Operation[RunTest]):
    """A job of one read."""

    run_test_id: str

    async def run(self, executor):
        return await executor.read(GetRunTest(self.run_test_id))


@pytest.mark.parametrize("reads", [1, 2])
@pytest.mark.parametrize("in_a_batch", [True, False])
def test_a_job_that_only_read_is_in_no_doubt_when_its_client_closes(reads, in_a_batch):
    async def main():
        client = simulated(FakeSender(Slow(60)))
        work = [
            asyncio.create_task(
                client.send_many([job]) if in_a_batch else client.send(job)
            )
            for job in [ReadsOnly(run_test_id(1))] * reads
        ]
        await asyncio.sleep(1)
        await client.aclose()
        for each in await asyncio.gather(*work, return_exceptions=True):
            error = each[0].error if in_a_batch else each
            assert type(error) is ClientClosedError
            assert error.delivery is Delivery.NOT_SENT
            assert "may have been done" not in str(error)

    on_a_jumping_clock(main())


@attrs.frozen
class ReadsInParallel(Operation[RunTest]):
    """An operation of many reads at the same time."""

    run_test_id: str

    async def run(self, executor):
        reads = (executor.read(GetRunTest(self.run_test_id)) for _ in range(12))
        return (await asyncio.gather(*reads))[0]


async def test_operations_that_read_in_parallel_keep_to_max_concurrency():
    in_flight = peak = 0

    async def answer_slowly(attempt):
        nonlocal in_flight, peak
        in_flight += 1
        peak = max(peak, in_flight)
        await asyncio.sleep(0.001)
        in_flight -= 1
        return accepted(attempt)

    client = simulated(FakeSender(answer_slowly))

    operations = [ReadsInParallel(run_test_id(number)) for number in range(2)]
    await client.send_many(operations, max_concurrency=2)

    assert peak == 2


@pytest.mark.parametrize("in_a_batch", [True, False])
async def test_a_write_that_waits_for_another_is_not_sent_by_a_client_that_closes(
    in_a_batch,
):
    async def answer_later(attempt):
        await asyncio.sleep(0.01)
        return accepted(attempt)

    client = simulated(FakeSender(answer_later))
    first, second = requests(1)[0], requests(1)[0]

    async def send_first():
        await client.send(first)
        await client.aclose()

    async def send_second():
        if in_a_batch:
            (outcome,) = await client.send_many([second])
            raise outcome.error
        await client.send(second)

    closing = asyncio.create_task(send_first())
    await asyncio.sleep(0)
    with pytest.raises(ClientClosedError) as caught:
        await send_second()
    await closing

    assert caught.value.delivery is Delivery.NOT_SENT


async def test_an_input_that_was_cancelled_elsewhere_interrupts_the_batch():
    async def items():
        for each in requests(3):
            yield each
        await cancelled_elsewhere()

    client = simulated(FakeSender(accepted))

    with pytest.raises(BatchInterruptedError, match="raised CancelledError") as caught:
        await client.send_many(items())
    assert len(caught.value.batch.successes) == 3
    with pytest.raises(BatchInterruptedError, match="raised CancelledError"):
        async with client.stream(items()) as outcomes:
            assert len([each async for each in outcomes]) == 3


class AdmitsAMinute:
    """Answers as long as fewer than `limit` came in the last minute."""

    def __init__(self, limit, seconds, **refusal):
        self.limit = limit
        self.seconds = seconds
        self.refusal = refusal
        self.admitted = deque()
        self.refused = 0

    async def __call__(self, attempt):
        await asyncio.sleep(self.seconds)
        now = asyncio.get_running_loop().time()
        while self.admitted and self.admitted[0] <= now - 60:
            self.admitted.popleft()
        if len(self.admitted) >= self.limit:
            self.refused += 1
            return answer(**self.refusal)
        self.admitted.append(now)
        return accepted(attempt)


@pytest.mark.parametrize("limit", [1000, 100])
@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 429},
        {"status": 429, "retry_after": "1"},
        {"status": 429, "retry_after": "60"},
        {"status": 503, "retry_after": "20"},
    ],
    ids=str,
)
def test_a_limit_a_minute_fails_no_item_of_a_large_batch(limit, refusal, monkeypatch):
    def acquire(quota, *, timeout):
        raise AssertionError("being turned away costs no retry tokens")

    monkeypatch.setattr(RetryQuota, "acquire", acquire)

    async def main():
        server = AdmitsAMinute(limit, 1.0, **refusal)
        client = simulated(FakeSender(server), timeout=Timeout(total=60))
        batch = await client.send_many(requests(2000), max_concurrency=100)
        assert len(batch.successes) == 2000
        assert server.refused > 0
        # Not much later than the limit allows.
        least = 60 * (2000 // limit - 1)
        assert least <= asyncio.get_running_loop().time() < least * 1.5 + 240

    on_a_jumping_clock(main())


def test_a_service_that_turns_everybody_away_is_left_after_ten_minutes():
    async def main():
        sender = FakeSender(lambda _: answer(429, retry_after="30"))
        batch = await simulated(sender).send_many(requests(5))
        assert {type(each.error) for each in batch} == {RateLimitError}
        assert {each.error.delivery for each in batch} == {Delivery.REJECTED}
        assert 500 < asyncio.get_running_loop().time() <= 600

    on_a_jumping_clock(main())


def test_another_answer_than_a_refusal_renews_the_patience():
    async def main():
        async def mostly_refused(attempt):
            number = int(run_test_of(attempt)[-12:])
            now = asyncio.get_running_loop().time()
            if number == 0:
                return (
                    answer(429, retry_after="30") if now < 1000 else accepted(attempt)
                )
            await asyncio.sleep(400)
            return answer(404)

        client = simulated(FakeSender(mostly_refused), timeout=Timeout(total=None))
        batch = await client.send_many(requests(4), max_concurrency=2)
        assert isinstance(batch[0], Success)
        assert {type(each.error) for each in batch[1:]} == {NotFoundError}

    on_a_jumping_clock(main())


def test_a_refusal_that_asks_for_more_than_a_minute_is_left_to_the_caller():
    async def main():
        sender = FakeSender(lambda _: answer(429, retry_after="3600"))
        [failure] = await simulated(sender).send_many([request()])
        assert failure.error.retry_after == 3600
        assert failure.attempts == 1

    on_a_jumping_clock(main())


def test_other_failures_keep_to_max_attempts_and_remember_the_doubt():
    async def main():
        script = [answer(500), answer(429), answer(429), answer(500), answer(400)]

        def handle(attempt):
            return script[len(sender.attempts) - 1]

        sender = FakeSender(handle)
        policy = RetryPolicy(reconcile=False, max_attempts=3, retry_unknown=True)
        [failure] = await simulated(sender, retry=policy).send_many([request()])
        assert failure.attempts == 5
        assert failure.error.status_code == 400
        assert failure.error.delivery is Delivery.UNKNOWN
        assert [type(e) for e in failure.error.earlier] == [ServerError, ServerError]

    on_a_jumping_clock(main())


def chain(error):
    """An error and all that it was raised from, or while."""
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        if error.__context__ is not error.__cause__:
            yield from chain(error.__context__)


def test_failures_of_a_batch_hold_no_frames():
    async def main():
        def wrong(attempt):
            return answer(200, b"{}")

        policy = RetryPolicy(reconcile=False, max_attempts=2, retry_unknown=True)
        client = simulated(FakeSender(wrong), retry=policy)
        batch = await client.send_many(requests(3))
        for failure in batch.failures:
            assert type(failure.error) is UnexpectedResponseError
            (earlier,) = failure.error.earlier
            links = [*chain(failure.error), *chain(earlier)]
            assert len(links) > 2
            assert [each.__traceback__ for each in links] == [None] * len(links)

    on_a_jumping_clock(main())


async def test_a_batch_on_a_closed_client_is_refused(connect):
    client = connect(f"http://127.0.0.1:{unused_port()}")
    await client.aclose()

    with pytest.raises(ClientClosedError):
        await client.send_many([request()])
