"""A lock for each key: never two holders, first come first served, none is lost."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from hypothesis import given, strategies as st

from futureagi_async.transport.keyed_lock import KeyedLock


async def let_all_run() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def queued(lock: KeyedLock, key: str, count: int) -> list[asyncio.Task]:
    """Let tasks ask for the turn, one after the other."""
    tasks = []
    for _ in range(count):
        tasks.append(asyncio.create_task(lock.acquire(key)))
        await let_all_run()
    return tasks


def finished(tasks: list[asyncio.Task]) -> list[bool]:
    return [task.done() for task in tasks]


async def test_the_first_one_need_not_wait():
    lock = KeyedLock()

    await asyncio.wait_for(lock.acquire("a"), 60)


async def test_a_turn_is_waited_for_until_it_is_given_back():
    lock = KeyedLock()
    await lock.acquire("a")
    (second,) = await queued(lock, "a", 1)

    had_it_before = second.done()
    lock.release("a")
    await let_all_run()

    assert not had_it_before
    assert second.done()


async def test_turns_of_different_keys_do_not_wait_for_each_other():
    lock = KeyedLock()
    await lock.acquire("a")

    await asyncio.wait_for(lock.acquire("b"), 60)


async def test_turns_are_had_in_the_order_of_asking():
    lock = KeyedLock()
    await lock.acquire("a")
    tasks = await queued(lock, "a", 3)
    seen = []

    for _ in tasks:
        lock.release("a")
        await let_all_run()
        seen.append(finished(tasks))

    assert seen == [[True, False, False], [True, True, False], [True, True, True]]


async def test_a_key_that_is_given_back_can_be_taken_anew():
    lock = KeyedLock()

    for _ in range(3):
        await asyncio.wait_for(lock.acquire("a"), 60)
        lock.release("a")


async def test_an_idle_key_costs_nothing():
    lock = KeyedLock()
    await lock.acquire("a")
    tasks = await queued(lock, "a", 2)

    for _ in range(3):
        lock.release("a")
        await let_all_run()

    assert finished(tasks) == [True, True]
    assert lock._waiting == {}


async def test_one_who_gives_up_waiting_is_passed_over():
    lock = KeyedLock()
    await lock.acquire("a")
    impatient, patient = await queued(lock, "a", 2)

    impatient.cancel()
    await let_all_run()
    lock.release("a")
    await let_all_run()

    assert impatient.cancelled()
    assert patient.done()
    assert not patient.cancelled()


async def test_a_turn_that_came_in_the_moment_of_giving_up_is_passed_on():
    lock = KeyedLock()
    await lock.acquire("a")
    impatient, patient = await queued(lock, "a", 2)

    lock.release("a")
    impatient.cancel()
    await let_all_run()

    assert impatient.cancelled()
    assert patient.done()
    assert not patient.cancelled()


async def test_a_turn_that_came_to_the_last_who_gave_up_is_free_again():
    lock = KeyedLock()
    await lock.acquire("a")
    (impatient,) = await queued(lock, "a", 1)

    lock.release("a")
    impatient.cancel()
    await let_all_run()

    assert impatient.cancelled()
    assert lock._waiting == {}


class Street:
    """Runs tasks that acquire locks, and watches them."""

    def __init__(self) -> None:
        self.lock = KeyedLock()
        self.holders: defaultdict[str, list[int]] = defaultdict(list)
        self.asked: defaultdict[str, list[int]] = defaultdict(list)
        self.served: defaultdict[str, list[int]] = defaultdict(list)
        self.most_holders = 0

    async def visit(self, number: int, key: str, steps: int) -> None:
        self.asked[key].append(number)
        await self.lock.acquire(key)
        try:
            self.holders[key].append(number)
            self.served[key].append(number)
            self.most_holders = max(self.most_holders, len(self.holders[key]))
            for _ in range(steps):
                await asyncio.sleep(0)
        finally:
            self.holders[key].remove(number)
            self.lock.release(key)


visits = st.tuples(st.sampled_from("ab"), st.integers(0, 3))
events = st.lists(
    visits | st.just("step") | st.integers(0, 9).map(lambda number: ("cancel", number)),
    max_size=40,
)


async def play(street: Street, history: list) -> list[asyncio.Task]:
    tasks: list[asyncio.Task] = []
    for event in history:
        match event:
            case "step":
                await asyncio.sleep(0)
            case ("cancel", number):
                for task in tasks[-1 - number :][:1]:
                    task.cancel()
            case _:
                key, steps = event
                tasks.append(asyncio.create_task(street.visit(len(tasks), key, steps)))
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks, return_exceptions=True)
    return tasks


@given(events)
def test_whatever_happens_there_is_one_holder_in_order_and_no_turn_is_lost(history):
    street = Street()

    tasks = asyncio.run(play(street, history))

    assert all(task.done() for task in tasks)
    assert street.most_holders <= 1
    for key, served in street.served.items():
        assert served == [each for each in street.asked[key] if each in served]
    assert street.lock._waiting == {}


@given(st.lists(visits, min_size=1, max_size=20))
def test_everybody_who_stays_is_served_in_the_order_of_asking(history):
    street = Street()

    asyncio.run(play(street, history))

    assert street.served == street.asked
