"""How items pass from a calling thread into the loop."""

from __future__ import annotations

import asyncio
import itertools
import queue
from typing import Any

import pytest

from futureagi_async import ClientClosedError
from futureagi_async.blocking.streams import InputPump


class Obliging(queue.SimpleQueue[Any]):
    """An inbox whose owner answers at once, before the loop begins to wait."""

    def put(self, item: InputPump[Any], *_: Any) -> None:
        item.read_chunk()


async def test_items_that_are_there_before_the_loop_waits_are_taken() -> None:
    items = InputPump(iter(range(100)), Obliging(), 4)

    assert [each async for each in items] == list(range(100))


async def test_no_more_than_a_portion_is_read_for_each_time_of_asking() -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    source = itertools.count()
    items = InputPump(source, inbox, 4)
    reading = asyncio.ensure_future(anext(aiter(items)))
    await asyncio.sleep(0)

    inbox.get_nowait().read_chunk()

    assert await reading == 0
    assert next(source) == 4


async def test_it_is_asked_once_at_a_time() -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    items = InputPump(iter(range(3)), inbox, 32)
    reading = asyncio.ensure_future(anext(aiter(items)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    inbox.get_nowait().read_chunk()

    assert inbox.empty()
    assert await reading == 0
    assert [each async for each in items] == [1, 2]


def test_items_for_a_loop_that_is_gone_are_dropped() -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    items = InputPump(iter([1]), inbox, 1)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(aiter(items)), 0.01)

    asyncio.run(give_up())
    inbox.get_nowait().read_chunk()

    assert inbox.empty()


async def test_an_item_that_comes_while_the_loop_turns_to_waiting_is_taken() -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    items = InputPump(iter([1, 2]), inbox, 1)

    class Late(asyncio.Event):
        def clear(self) -> None:
            super().clear()
            items.read_chunk()

    items._wakeup = Late()

    assert await asyncio.wait_for(anext(aiter(items)), 60) == 1


async def test_a_client_that_closes_after_the_last_item_cuts_nothing_off() -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    items = InputPump(iter([1]), inbox, 2)
    reading = asyncio.ensure_future(anext(aiter(items)))
    await asyncio.sleep(0)
    inbox.get_nowait().read_chunk()
    assert await reading == 1

    items.close()

    assert [each async for each in items] == []


async def test_a_client_that_closes_before_the_last_item_says_so() -> None:
    items = InputPump(iter([1]), queue.SimpleQueue(), 2)
    reading = asyncio.ensure_future(anext(aiter(items)))
    await asyncio.sleep(0)

    items.close()

    with pytest.raises(ClientClosedError, match="before the input was read to its end"):
        await reading


async def test_an_error_of_a_running_loop_is_not_taken_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    items = InputPump(iter([1]), inbox, 2)
    reading = asyncio.ensure_future(anext(aiter(items)))
    await asyncio.sleep(0)

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", fail)
        with pytest.raises(RuntimeError, match="a defect"):
            inbox.get_nowait().read_chunk()

    reading.cancel()
