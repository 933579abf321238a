"""Bounded workers over any iterable."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, strategies as st

from futureagi_async.batch.worker_pool import CallerCodeError, WorkerPool


class Operation:
    """Work that takes so many steps, watched."""

    def __init__(self) -> None:
        self.running = 0
        self.most_running = 0
        self.ran = 0
        self.read = 0
        self.most_read_ahead = 0
        self.delivered: list[tuple[int, int]] = []

    def reading(self, items):
        for item in items:
            self.read += 1
            self.most_read_ahead = max(
                self.most_read_ahead, self.read - len(self.delivered)
            )
            yield item

    async def run(self, steps: int) -> int:
        self.ran += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for _ in range(steps):
                await asyncio.sleep(0)
        finally:
            self.running -= 1
        return -steps

    def deliver(self, place: int, done: int) -> None:
        self.delivered.append((place, done))

    def fan_out(self, items, workers: int, **more) -> WorkerPool:
        return WorkerPool(items, self.run, self.deliver, workers=workers, **more)


async def arriving(items):
    for item in items:
        await asyncio.sleep(0)
        yield item


steps = st.lists(st.integers(0, 5), max_size=30)


@given(steps, st.integers(1, 8), st.sampled_from([iter, arriving]))
def test_every_item_is_worked_on_once_and_delivered_with_its_place(
    items, workers, given_as
):
    job = Operation()

    asyncio.run(job.fan_out(given_as(items), workers).run())

    expected = [(place, -item) for place, item in enumerate(items)]
    assert sorted(job.delivered) == expected
    assert job.ran == len(items)


@given(steps, st.integers(1, 8), st.booleans())
def test_never_more_than_the_workers_run_and_the_input_is_read_lazily(
    items, workers, is_async
):
    job = Operation()
    lazily = job.reading(items)

    asyncio.run(job.fan_out(arriving(lazily) if is_async else lazily, workers).run())

    assert job.most_running <= workers
    assert job.most_read_ahead <= workers


@given(st.integers(1, 8), st.integers(1, 30))
def test_as_many_run_as_there_are_workers(workers, count):
    job = Operation()

    asyncio.run(job.fan_out([3] * count, workers).run())

    assert job.most_running == min(workers, count)


async def test_a_slow_item_does_not_hold_up_the_others():
    job = Operation()

    await job.fan_out([50, 1, 1, 1, 1], 2).run()

    assert [place for place, _ in job.delivered] == [1, 2, 3, 4, 0]


async def test_no_items_are_no_work():
    job = Operation()

    await job.fan_out([], 4).run()

    assert job.delivered == []


async def test_an_input_without_end_can_be_cancelled_and_leaves_nothing_running():
    job = Operation()
    task = asyncio.create_task(job.fan_out(itertools.repeat(2), 4).run())
    for _ in range(20):
        await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert job.ran > 4
    assert job.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_the_input_raises_ends_the_work_after_what_is_under_way():
    job = Operation()

    def items():
        yield 5
        yield 1
        raise LookupError("no more")

    with pytest.raises(CallerCodeError) as caught:
        await job.fan_out(items(), 2).run()

    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.read == 2
    assert sorted(job.delivered) == [(0, -5), (1, -1)]


async def test_what_an_asynchronous_input_raises_ends_the_work_likewise():
    job = Operation()

    async def items():
        yield 5
        yield 1
        raise LookupError("no more")

    with pytest.raises(CallerCodeError) as caught:
        await job.fan_out(items(), 4).run()

    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.read == 2
    assert sorted(job.delivered) == [(0, -5), (1, -1)]


async def cancelled_elsewhere():
    """Wait for something of one's own that is cancelled, as nobody cancels oneself."""
    helper = asyncio.create_task(asyncio.sleep(60))
    helper.cancel()
    await helper


async def test_what_was_cancelled_elsewhere_is_a_failure_of_the_input():
    job = Operation()

    async def items():
        yield 5
        yield 1
        await cancelled_elsewhere()

    with pytest.raises(CallerCodeError) as caught:
        await job.fan_out(items(), 4).run()

    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert caught.value.read == 2
    assert sorted(job.delivered) == [(0, -5), (1, -1)]


async def test_a_cancellation_on_delivery_is_a_failure_unless_it_is_ones_own():
    job = Operation()

    def deliver(place, done):
        job.deliver(place, done)
        if place == 0:
            raise asyncio.CancelledError

    with pytest.raises(CallerCodeError) as caught:
        await WorkerPool([1, 5, 5, 5], job.run, deliver, workers=2).run()

    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert job.delivered == [(0, -1), (1, -5)]


async def test_work_that_was_cancelled_elsewhere_does_not_end_in_silence():
    job = Operation()

    async def run(steps):
        if steps == 1:
            await cancelled_elsewhere()
        return await job.run(steps)

    with pytest.raises(CallerCodeError) as caught:
        await WorkerPool([5, 1, 5, 5], run, job.deliver, workers=2).run()

    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert job.delivered == [(0, -5)]


async def test_an_input_that_is_waited_for_can_be_cancelled():
    waits, ends = asyncio.Event(), []

    async def items():
        waits.set()
        try:
            yield await asyncio.Event().wait()
        finally:
            ends.append("input")

    task = asyncio.create_task(Operation().fan_out(items(), 4).run())
    await waits.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ends == ["input"]


class Ending:
    """An asynchronous input that ends in this way, and would go on if asked again."""

    def __init__(self, end: type[Exception]) -> None:
        self.end = end
        self.asked = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked in {3, 100}:
            raise self.end
        return 1


async def test_an_asynchronous_input_that_has_raised_is_not_asked_again():
    items = Ending(LookupError)

    with pytest.raises(CallerCodeError):
        await Operation().fan_out(items, 4).run()

    assert items.asked == 3


async def test_an_asynchronous_input_that_has_ended_is_not_asked_again():
    items = Ending(StopAsyncIteration)

    await Operation().fan_out(items, 4).run()

    assert items.asked == 3


async def test_what_is_raised_on_delivery_ends_the_work_after_what_is_under_way():
    job = Operation()
    items = job.reading([1, 5, 5, 5, 5, 5])

    def deliver(place, done):
        job.deliver(place, done)
        if place == 0:
            raise LookupError("full")

    with pytest.raises(CallerCodeError) as caught:
        await WorkerPool(items, job.run, deliver, workers=2).run()

    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.read == 2
    assert job.delivered == [(0, -1), (1, -5)]
    assert job.read == 2


async def test_an_asynchronous_input_is_not_asked_after_a_failed_delivery():
    job = Operation()

    items = arriving(job.reading(itertools.repeat(0)))

    def deliver(place, done):
        raise LookupError

    with pytest.raises(CallerCodeError) as caught:
        await WorkerPool(items, job.run, deliver, workers=4).run()

    assert job.read == 1
    assert caught.value.read == 1


async def test_nothing_is_read_before_it_is_admitted():
    job = Operation()
    room = asyncio.Semaphore(3)
    work = job.fan_out(
        job.reading(itertools.repeat(0)), 2, acquire_slot=room.acquire
    ).run()
    task = asyncio.create_task(work)
    for _ in range(20):
        await asyncio.sleep(0)
    read_before = job.read

    room.release()
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert read_before == 3
    assert job.read == 4


async def test_what_is_no_iterable_is_the_callers_mistake():
    with pytest.raises(TypeError, match="not iterable"):
        await Operation().fan_out(5, 2).run()
