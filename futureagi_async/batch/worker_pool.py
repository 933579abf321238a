"""Bounded workers over any iterable; it knows nothing of HTTP.

A fixed number of workers share one iterator, so that a million items cost the memory of
as many as there are workers.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, Generic, TypeVar

from futureagi_async.batch.failures import is_own_cancellation


ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")


class CallerCodeError(Exception):
    """The caller's own iterable or callback raised; that is the `__cause__`.

    `read` counts the items that had been read until then.
    """

    def __init__(self, read: int) -> None:
        super().__init__(read)
        self.read = read


class _Sentinel(enum.Enum):
    """A mark in the place of an item."""

    END = enum.auto()
    """There are no more items."""


_CATCHABLE: Final = (Exception, asyncio.CancelledError)
"""What caller code may raise; see `_reraise_own_cancellation`."""


def _reraise_own_cancellation(error: BaseException) -> BaseException:
    if is_own_cancellation(error):
        raise error
    return error


class WorkerPool(Generic[ItemT, OutcomeT]):
    """Processes every item of an iterable with bounded concurrency.

    Args:
        items: read lazily, an item when a worker is free for it.
        process: does the work of one item; it may not raise.
        on_result: called with what `process` returned and the item's index in the input.
        workers: how many items are processed at a time.
        acquire_slot: awaited before an item is read, where its consumer must keep up.
    """

    def __init__(
        self,
        items: Iterable[ItemT] | AsyncIterable[ItemT],
        process: Callable[[ItemT], Awaitable[OutcomeT]],
        on_result: Callable[[int, OutcomeT], object],
        *,
        workers: int,
        acquire_slot: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._items = items
        self._process = process
        self._on_result = on_result
        self._workers = workers
        self._acquire_slot = acquire_slot
        self._read = 0
        self._failure: BaseException | None = None

    @property
    def failed(self) -> bool:
        """Whether the input or `on_result` has raised."""
        return self._failure is not None

    async def run(self) -> None:
        """Process all items.

        If the input or `on_result` raises, nothing more is read, and what is in progress
        is completed.

        Raises:
            CallerCodeError: from what the input or `on_result` raised.
        """
        if isinstance(self._items, AsyncIterable):
            reader = _AsyncReader(aiter(self._items), lambda: self._failure is not None)
            read: Callable[[], Any] = reader.next_item
        else:
            read = partial(next, iter(self._items), _Sentinel.END)
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._workers):
                workers.create_task(self._work(read))
        if self._failure is not None:
            raise CallerCodeError(self._read) from self._failure

    async def _work(self, read: Callable[[], Any]) -> None:
        acquire_slot, process = self._acquire_slot, self._process
        on_result, is_async = self._on_result, isinstance(self._items, AsyncIterable)
        while True:
            if acquire_slot is not None:
                await acquire_slot()
            if self._failure is not None:
                return
            try:
                item = await read() if is_async else read()
            except _CATCHABLE as error:
                self._failure = _reraise_own_cancellation(error)
                return
            if item is _Sentinel.END:
                return
            index = self._read
            self._read = index + 1
            try:
                result = await process(item)
            except asyncio.CancelledError as error:
                self._failure = _reraise_own_cancellation(error)
                return
            try:
                on_result(index, result)
            except _CATCHABLE as error:
                self._failure = _reraise_own_cancellation(error)


class _AsyncReader(Generic[ItemT]):
    """A reader of an asynchronous iterator, which only one worker may await at a time."""

    def __init__(
        self, items: AsyncIterator[ItemT], is_stopped: Callable[[], bool]
    ) -> None:
        self._items = items
        self._is_stopped = is_stopped
        self._lock = asyncio.Lock()
        self._exhausted = False

    async def next_item(self) -> ItemT | _Sentinel:
        async with self._lock:
            # It may have ended or raised while this worker waited for the lock.
            if self._exhausted or self._is_stopped():
                return _Sentinel.END
            item = await anext(self._items, _Sentinel.END)
            self._exhausted = item is _Sentinel.END
            return item
