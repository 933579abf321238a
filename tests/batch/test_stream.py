"""Streams: outcomes as they come, in flat memory, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest
from jumping_clock import on_a_jumping_clock
from raw_server import RawServer, Reply, unused_port
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
    BatchInterruptedError,
    ClientClosedError,
    Failure,
    InvalidRequestError,
    NotAttempted,
    Success,
)


def requests(count):
    return (request(number) for number in range(count))


async def test_outcomes_come_as_the_requests_end(connect):
    async with (
        RawServer() as server,
        connect(server).stream(requests(20)) as outcomes,
    ):
        seen = [each async for each in outcomes]

    assert {each.run_test_id for each in seen} == {run_test_id(n) for n in range(20)}
    assert all(isinstance(each, Success) for each in seen)


def test_the_first_to_end_comes_first():
    async def main():
        async def later_first(attempt):
            await asyncio.sleep(10 - int(run_test_of(attempt)[-12:]))
            return accepted(attempt)

        async with simulated(FakeSender(later_first)).stream(requests(5)) as outcomes:
            seen = [each.run_test_id async for each in outcomes]
        assert seen == [run_test_id(number) for number in (4, 3, 2, 1, 0)]

    on_a_jumping_clock(main())


def test_a_reader_that_does_not_read_holds_up_the_sending():
    async def main():
        sender = FakeSender(accepted)
        stream = simulated(sender).stream(requests(100), max_concurrency=4)
        async with stream as outcomes:
            await asyncio.sleep(1000)
            assert len(sender.attempts) == 4
            await anext(outcomes)
            await asyncio.sleep(1000)
            assert len(sender.attempts) == 5
            seen = [each async for each in outcomes]
        assert len(seen) == 99

    on_a_jumping_clock(main())


def test_leaving_early_cancels_what_is_in_flight():
    async def main():
        cancelled = 0

        async def first_only(attempt):
            nonlocal cancelled
            if len(sender.attempts) == 1:
                return accepted(attempt)
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                cancelled += 1
                raise

        sender = FakeSender(first_only)
        client = simulated(sender)
        async with client.stream(requests(100), max_concurrency=5) as outcomes:
            async for _ in outcomes:
                await asyncio.sleep(1)
                break
        assert cancelled == 5
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert asyncio.get_running_loop().time() == 1
        assert client._transport._resources.run_test_locks._waiting == {}

    on_a_jumping_clock(main())


def test_an_exception_in_the_body_cancels_what_is_in_flight_and_comes_through():
    async def main():
        async def stall(attempt):
            await asyncio.sleep(1000)

        sender = FakeSender(stall)
        with pytest.raises(ZeroDivisionError):
            async with simulated(sender).stream(requests(100)):
                await asyncio.sleep(1)
                raise ZeroDivisionError
        assert len(sender.attempts) == 32
        assert asyncio.all_tasks() == {asyncio.current_task()}

    on_a_jumping_clock(main())


async def test_leaving_early_closes_what_is_on_the_wire(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        async with connect(server).stream(requests(10), max_concurrency=3):
            await server.until(requests=3)
        async with asyncio.timeout(60):
            while server.open_connections == 3:
                await asyncio.sleep(0)

    assert len(server.requests) == 3


def test_cancelling_the_reader_ends_the_stream():
    async def main():
        async def stall(attempt):
            await asyncio.sleep(1000)

        async def read():
            async with simulated(FakeSender(stall)).stream(requests(9)) as outcomes:
                async for _ in outcomes:
                    pass

        reader = asyncio.create_task(read())
        await asyncio.sleep(1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert asyncio.all_tasks() == {asyncio.current_task()}

    on_a_jumping_clock(main())


def test_cancelling_twice_still_leaves_nothing_running():
    async def main():
        async def slow_to_go(attempt):
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(10)

        async def read():
            async with simulated(FakeSender(slow_to_go)).stream(requests(9)):
                await asyncio.sleep(500)

        reader = asyncio.create_task(read())
        await asyncio.sleep(1)
        reader.cancel()
        await asyncio.sleep(1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert asyncio.all_tasks() == {asyncio.current_task()}

    on_a_jumping_clock(main())


def test_failures_are_outcomes_and_wrong_keys_stop_it():
    async def main():
        def third_is_refused(attempt):
            number = int(run_test_of(attempt)[-12:])
            return {1: answer(404), 2: answer(401)}.get(number) or accepted(attempt)

        stream = simulated(FakeSender(third_is_refused)).stream(
            requests(6), max_concurrency=1
        )
        async with stream as outcomes:
            seen = [type(each) async for each in outcomes]
        assert seen == [Success, Failure, Failure, *[NotAttempted] * 3]

    on_a_jumping_clock(main())


def test_an_exception_of_the_iterable_comes_after_the_outcomes():
    async def main():
        def broken():
            yield from requests(3)
            raise ZeroDivisionError("of the caller")

        seen = []
        with pytest.raises(BatchInterruptedError, match="of the caller") as caught:
            async with simulated(FakeSender(accepted)).stream(broken()) as outcomes:
                async for outcome in outcomes:
                    seen.append(outcome)  # noqa: PERF401 - it is interrupted
        assert len(seen) == 3
        assert isinstance(caught.value.__cause__, ZeroDivisionError)

    on_a_jumping_clock(main())


def test_an_exception_of_the_iterable_that_nobody_reads_to_is_not_logged(caplog):
    async def main():
        def broken():
            yield from requests(3)
            raise ZeroDivisionError

        async with simulated(FakeSender(accepted)).stream(broken()) as outcomes:
            await anext(outcomes)
            await asyncio.sleep(1)

    on_a_jumping_clock(main())
    gc.collect()
    assert caplog.records == []


async def test_a_stream_has_to_be_entered(connect):
    stream = connect(f"http://127.0.0.1:{unused_port()}").stream([request()])

    with pytest.raises(InvalidRequestError, match="async with"):
        await anext(stream)
    await stream.__aexit__(None, None, None)


async def test_an_empty_input_ends_at_once(connect):
    async with connect(f"http://127.0.0.1:{unused_port()}").stream([]) as outcomes:
        assert [each async for each in outcomes] == []


async def test_a_stream_of_a_closed_client_is_refused(connect):
    client = connect(f"http://127.0.0.1:{unused_port()}")
    await client.aclose()

    with pytest.raises(ClientClosedError):
        async with client.stream([request()]) as outcomes:
            await anext(outcomes)


@pytest.mark.slow
def test_memory_stays_flat_over_many_items():
    async def main():
        class HTTPBackend(FakeSender):
            async def send(self, attempt):
                return accepted(attempt)

        one = request()

        def many(count):
            for _ in range(count):
                yield one.__class__(one.run_test_id, one.eval_config_ids, None, True)

        client = simulated(HTTPBackend(None))
        at = {}
        async with client.stream(many(50_000), max_concurrency=8) as outcomes:
            count = 0
            async for _ in outcomes:
                count += 1
                if count in {5_000, 50_000}:
                    gc.collect()
                    at[count] = sys.getallocatedblocks()
        assert count == 50_000
        assert at[50_000] - at[5_000] < 1_000

    on_a_jumping_clock(main())


async def test_a_stream_cannot_be_entered_twice(connect):
    async with RawServer() as server:
        stream = connect(server).stream([request(1)])
        async with stream as outcomes:
            assert [type(each) async for each in outcomes] == [Success]

        with pytest.raises(InvalidRequestError, match="can be used once"):
            await stream.__aenter__()

        assert len(server.requests) == 1


async def test_a_stream_that_was_left_has_ended(connect):
    async with RawServer() as server:
        stream = connect(server).stream(request(i) for i in range(9))
        async with stream as outcomes:
            await anext(outcomes)

        left = [each async for each in outcomes]

        assert len(left) <= 8
