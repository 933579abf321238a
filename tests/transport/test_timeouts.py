"""The deadline of a call, in each phase in which it can end."""

from __future__ import annotations

import asyncio
import contextvars
import weakref

import pytest
from jumping_clock import on_a_jumping_clock
from raw_server import (
    RUN_TEST,
    RawServer,
    Reply,
    full_backlog,
    http,
    listening,
    success,
)
from simulation import (
    FakeSender,
    accepted,
    answer,
    request,
    simulated,
)

from futureagi_async import (
    APITimeoutError,
    DeadlineExceededError,
    Delivery,
    RateLimitError,
    RetryPolicy,
    ServerError,
    Timeout,
)
from futureagi_async.transport.http import HTTPRequest
from futureagi_async.transport.timeouts import ChunkedBody, ReadTimeout, TimeoutRegistry


NOT_SENT, REJECTED, UNKNOWN = Delivery.NOT_SENT, Delivery.REJECTED, Delivery.UNKNOWN
BRIEF = Timeout(connect=None, read=None, total=0.2)
"""For calls that may end anywhere on their way to the service."""

TOTAL = 600.0
WHOLE = Timeout(connect=None, read=None, total=TOTAL)
"""For calls that are to come somewhere first, however slow the machine is."""


async def late(client, reached, leap, run_test=None):
    """The error of a call whose deadline comes once it has reached something."""
    call = asyncio.create_task(fail(client, run_test=run_test))
    await reached
    leap(TOTAL)
    return await call


async def fail(client, error=DeadlineExceededError, run_test=None):
    with pytest.raises(error) as caught:
        await client.send(request(run_test))
    assert type(caught.value) is error
    return caught.value


async def test_while_connecting(connect):
    with full_backlog() as port:
        error = await fail(connect(f"http://127.0.0.1:{port}", timeout=BRIEF))

    assert error.delivery is NOT_SENT
    assert error.attempts == 1
    assert "0.2 s" in str(error)
    assert error.run_test_id == RUN_TEST


async def test_while_shaking_hands(connect):
    with listening() as port:
        error = await fail(connect(f"https://127.0.0.1:{port}", timeout=BRIEF))

    assert error.delivery is NOT_SENT


async def test_before_anything_is_read(connect, connection_acquired, leap):
    with listening() as port:
        client = connect(f"http://127.0.0.1:{port}", timeout=WHOLE)
        error = await late(client, connection_acquired.wait(), leap)

    assert error.delivery is UNKNOWN


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.", b"HTTP/1.1 200 OK\r\nX: y", http(200, b"{}", Content_Length="9")],
    ids=["before the answer", "in the status line", "in the headers", "in the body"],
)
async def test_after_the_request_was_read(data, connect, leap):
    async with RawServer(Reply(data, "stall")) as server:
        client = connect(server, timeout=WHOLE)
        error = await late(client, server.until(requests=1), leap)

        assert error.delivery is UNKNOWN
        assert error.request_id == server.requests[0].header("X-Request-ID")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "delivery"),
    [(200, UNKNOWN), (302, REJECTED), (400, REJECTED), (429, REJECTED), (503, UNKNOWN)],
)
async def test_in_the_body_of_an_answer_whose_status_says_enough(
    status, delivery, connect, leap, in_the_body
):
    half = http(status, b'{"detail": "x', Content_Length="1000")
    async with RawServer(Reply(half, "stall")) as server:
        client = connect(server, timeout=WHOLE)
        error = await late(client, in_the_body.wait(), leap)

    assert error.delivery is delivery
    assert f"the body of the response {status} was not complete" in str(error)


async def test_while_waiting_for_the_turn_of_the_run_test(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        client = connect(server)
        first = asyncio.create_task(client.send(request()))
        await server.until(requests=1)

        error = await fail(client.with_options(timeout=BRIEF))

        assert error.delivery is NOT_SENT
        assert error.attempts == 0
        assert error.request_id is None
        assert len(server.requests) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_call_that_gave_up_its_turn_leaves_it_to_the_next(connect):
    release = asyncio.Event()

    async def wait(got):
        await release.wait()
        return success(got)

    async with RawServer(wait) as server:
        client = connect(server)
        first = asyncio.create_task(client.send(request()))
        await server.until(requests=1)
        third = asyncio.create_task(client.send(request()))
        await fail(client.with_options(timeout=BRIEF))
        release.set()

        await asyncio.gather(first, third)

        assert len(server.requests) == 2


async def test_the_answer_of_a_cancelled_call_is_nobody_elses(connect, leap):
    async with RawServer(Reply(b"", "stall"), success) as server:
        client = connect(server)
        hasty = client.with_options(timeout=WHOLE)
        await late(hasty, server.until(requests=1), leap)

        result = await client.send(request(2))

        assert result.run_test_id == request(2).run_test_id
        assert [each.connection for each in server.requests] == [0, 1]


def test_a_wait_that_would_overrun_it_raises_the_last_error_at_once():
    async def main():
        sender = FakeSender(lambda _: answer(429, retry_after="30"))
        client = simulated(sender, timeout=20)
        error = await fail(client, RateLimitError)
        assert asyncio.get_running_loop().time() == 0
        assert error.retry_after == 30
        assert len(sender.attempts) == 1

    on_a_jumping_clock(main())


def test_an_attempt_after_others_is_cut_short_with_what_they_left():
    async def main():
        async def first_fails(attempt):
            if len(sender.attempts) == 1:
                return answer(500)
            attempt.connection_acquired = False
            return await asyncio.sleep(1000)

        sender = FakeSender(first_fails)
        client = simulated(
            sender, timeout=20, retry=RetryPolicy(reconcile=False, retry_unknown=True)
        )
        error = await fail(client)
        assert error.delivery is UNKNOWN
        assert error.attempts == 2
        assert [type(each) for each in error.earlier] == [ServerError]

    on_a_jumping_clock(main())


def test_an_attempt_that_was_not_sent_after_a_rejection_was_not_sent():
    async def main():
        async def first_fails(attempt):
            if len(sender.attempts) == 1:
                return answer(429)
            attempt.connection_acquired = False
            return await asyncio.sleep(1000)

        sender = FakeSender(first_fails)
        error = await fail(simulated(sender, timeout=20))
        assert error.delivery is NOT_SENT
        assert [type(each) for each in error.earlier] == [RateLimitError]

    on_a_jumping_clock(main())


def test_without_a_deadline_a_call_takes_its_time():
    async def main():
        async def slow(attempt):
            await asyncio.sleep(100_000)
            return accepted(attempt)

        client = simulated(FakeSender(slow), timeout=Timeout(total=None))
        await client.send(request())
        batch = await client.send_many([request()])
        assert len(batch.successes) == 1

    on_a_jumping_clock(main())


async def test_a_read_timeout_is_not_the_deadline(connect):
    async with RawServer(Reply(b"", "stall")) as server:
        client = connect(server, timeout=Timeout(read=0.2))

        error = await fail(client, APITimeoutError)

        assert error.delivery is UNKNOWN
        assert "0.2 s" in str(error)


def test_a_read_timeout_begins_anew_with_each_piece_of_a_large_body():
    async def main():
        loop = asyncio.get_running_loop()
        attempt = HTTPRequest("POST", "/", None, Timeout(read=10.0), "id")
        with (
            pytest.raises(TimeoutError),
            ReadTimeout(TimeoutRegistry(loop), attempt) as read_timeout,
        ):
            await asyncio.sleep(100)  # no connection so far
            read_timeout.start()
            upload = ChunkedBody(b"body", read_timeout)
            for _ in range(3):
                await asyncio.sleep(9)
                assert upload.read(1)
            await asyncio.sleep(11)
        assert loop.time() == 100 + 3 * 9 + 10

    on_a_jumping_clock(main())


async def test_the_timer_keeps_nothing_of_the_context_of_who_set_it():
    class Value:
        pass

    variable = contextvars.ContextVar("variable")
    registry = TimeoutRegistry(asyncio.get_running_loop())

    async def call():
        variable.set(value := Value())
        with registry.after(600):
            return weakref.ref(value)

    remembered = await asyncio.create_task(call())
    await asyncio.sleep(0)  # until then the loop itself keeps it

    assert remembered() is None


def test_in_a_batch_waiting_for_the_turn_is_no_part_of_it():
    async def main():
        async def slow(attempt):
            await asyncio.sleep(15)
            return accepted(attempt)

        client = simulated(FakeSender(slow), timeout=20)
        batch = await client.send_many([request() for _ in range(10)])
        assert len(batch.successes) == 10
        assert asyncio.get_running_loop().time() == 150

    on_a_jumping_clock(main())


def test_in_a_batch_being_throttled_is_no_part_of_it():
    async def main():
        async def turned_away_for_long(attempt):
            if asyncio.get_running_loop().time() < 300:
                return answer(429, retry_after="15")
            return accepted(attempt)

        client = simulated(FakeSender(turned_away_for_long), timeout=20)
        batch = await client.send_many([request()])
        assert batch.successes[0].attempts > 10

    on_a_jumping_clock(main())


def test_in_a_batch_an_attempt_under_way_is_cut_short():
    async def main():
        async def turned_away_then_stall(attempt):
            if len(sender.attempts) == 1:
                return answer(429, retry_after="50")
            return await asyncio.sleep(1000)

        sender = FakeSender(turned_away_then_stall)
        [failure] = await simulated(sender, timeout=20).send_many([request()])
        assert type(failure.error) is DeadlineExceededError
        assert failure.error.delivery is UNKNOWN
        assert 70 <= asyncio.get_running_loop().time() < 71

    on_a_jumping_clock(main())


def test_a_rejection_is_not_forgotten_while_waiting_for_the_next_attempt():
    async def main():
        sender = FakeSender(lambda _: answer(429, retry_after="10"))
        error = await fail(simulated(sender, timeout=12), RateLimitError)
        assert error.delivery is REJECTED
        assert error.attempts == 2

    on_a_jumping_clock(main())
