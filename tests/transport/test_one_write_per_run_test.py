"""Whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from futureagi_async.transport.keyed_lock import KeyedLock


async def test_turns_come_in_the_order_of_asking():
    lock, order = KeyedLock(), []

    async def use(name):
        await lock.acquire("run test")
        order.append(name)
        await asyncio.sleep(0)
        lock.release("run test")

    await asyncio.gather(*(use(name) for name in "abcde"))

    assert order == list("abcde")


async def test_other_keys_do_not_wait():
    lock = KeyedLock()
    await lock.acquire("one")

    async with asyncio.timeout(0):
        await lock.acquire("another")


async def test_idle_keys_are_forgotten():
    lock = KeyedLock()
    await lock.acquire("one")
    lock.release("one")

    assert lock._waiting == {}


async def test_a_turn_that_comes_in_the_moment_of_a_cancellation_is_passed_on():
    lock = KeyedLock()
    await lock.acquire("one")
    second = asyncio.create_task(lock.acquire("one"))
    third = asyncio.create_task(lock.acquire("one"))
    await asyncio.sleep(0)

    lock.release("one")
    second.cancel()

    with pytest.raises(asyncio.CancelledError):
        await second
    await third
    lock.release("one")
    assert lock._waiting == {}


async def test_who_was_cancelled_while_waiting_is_passed_over():
    lock = KeyedLock()
    await lock.acquire("one")
    second = asyncio.create_task(lock.acquire("one"))
    third = asyncio.create_task(lock.acquire("one"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])

    lock.release("one")

    await third
