"""Whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from futureagi_async.transport.keyed_lock import KeyedLock


async def test_turns_come_in_the_order_of_asking():
    turns, order = KeyedLock(), []

    async def use(name):
        await turns.take("run test")
        order.append(name)
        await asyncio.sleep(0)
        turns.give_back("run test")

    await asyncio.gather(*(use(name) for name in "abcde"))

    assert order == list("abcde")


async def test_other_keys_do_not_wait():
    turns = KeyedLock()
    await turns.take("one")

    async with asyncio.timeout(0):
        await turns.take("another")


async def test_idle_keys_are_forgotten():
    turns = KeyedLock()
    await turns.take("one")
    turns.give_back("one")

    assert turns._waiting == {}


async def test_a_turn_that_comes_in_the_moment_of_a_cancellation_is_passed_on():
    turns = KeyedLock()
    await turns.take("one")
    second = asyncio.create_task(turns.take("one"))
    third = asyncio.create_task(turns.take("one"))
    await asyncio.sleep(0)

    turns.give_back("one")
    second.cancel()

    with pytest.raises(asyncio.CancelledError):
        await second
    await third
    turns.give_back("one")
    assert turns._waiting == {}


async def test_who_was_cancelled_while_waiting_is_passed_over():
    turns = KeyedLock()
    await turns.take("one")
    second = asyncio.create_task(turns.take("one"))
    third = asyncio.create_task(turns.take("one"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])

    turns.give_back("one")

    await third
