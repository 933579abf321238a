"""A semaphore by rank: who is next, and what becomes of the turn of one who is gone."""

from __future__ import annotations

import asyncio

from jumping_clock import on_a_jumping_clock

from futureagi_async import RateLimit
from futureagi_async.transport.rate_limiter import RateLimiter
from futureagi_async.transport.semaphore import RankedSemaphore


async def order_of(acquire, release, ranks):
    """Return the ranks in the order in which they get their turn."""
    served = []

    async def take(rank):
        await acquire(rank)
        served.append(rank)
        release()

    await acquire(0)
    tasks = [asyncio.create_task(take(rank)) for rank in ranks]
    await asyncio.sleep(0)
    release()
    await asyncio.gather(*tasks)
    return served


def test_a_semaphore_is_acquired_by_the_lowest_rank_first():
    async def main():
        semaphore = RankedSemaphore(1)
        return await order_of(semaphore.acquire, semaphore.release, [1, 1, 0, 2, 0])

    assert asyncio.run(main()) == [0, 0, 1, 1, 2]


def test_the_slots_of_a_limit_are_given_to_the_lowest_rank_first():
    async def main():
        limiter = RateLimiter(RateLimit(1, per=10))
        return await order_of(limiter.acquire, lambda: None, [1, 1, 0, 2, 0])

    assert on_a_jumping_clock(main()) == [0, 0, 1, 1, 2]


def test_a_semaphore_that_is_free_is_acquired_at_once():
    async def main():
        semaphore = RankedSemaphore(2)
        await semaphore.acquire(1)
        await semaphore.acquire(0)
        semaphore.release()
        await semaphore.acquire(1)

    asyncio.run(main())


def test_a_turn_that_came_with_the_cancellation_is_passed_on():
    async def main():
        semaphore = RankedSemaphore(1)
        await semaphore.acquire()
        gone, stays = (asyncio.create_task(semaphore.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        semaphore.release()
        gone.cancel()
        await stays
        return gone.cancelled()

    assert asyncio.run(main())


def test_a_turn_that_is_waited_for_no_longer_is_no_turn():
    async def main():
        semaphore = RankedSemaphore(1)
        await semaphore.acquire()
        gone = asyncio.create_task(semaphore.acquire())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        semaphore.release()
        await semaphore.acquire()

    asyncio.run(main())


def test_a_slot_of_a_limit_that_came_with_the_cancellation_is_not_lost():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(RateLimit(1, per=10))
        await limiter.acquire()
        gone = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        limiter._grant(loop)
        gone.cancel()
        await asyncio.sleep(0)
        before = loop.time()
        await limiter.acquire()
        return loop.time() - before

    assert on_a_jumping_clock(main()) == 0


def test_a_slot_that_nobody_waits_for_any_more_is_free():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(RateLimit(1, per=10))
        await limiter.acquire()
        gone = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(15)
        before = loop.time()
        await limiter.acquire()
        return loop.time() - before

    assert on_a_jumping_clock(main()) == 0
