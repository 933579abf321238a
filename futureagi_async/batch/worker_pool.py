"""Bounded workers over any iterable; it knows nothing of HTTP.

A fixed number of workers share one iterator, so that a million items cost the memory of
as many as there are workers.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from functools import partial
from typing import Any, Final, Generic, TypeVar, final

from futureagi_async.batch.failures import is_own_cancellation


Item = TypeVar("Item")
Done = TypeVar("Done")


class CallerCodeError(Exception):
    """The caller's own iterable or callback raised; that is the `__cause__`.

    `read` counts the items that had been read until then.
    """

    def __init__(self, read: int) -> None:
        super().__init__(read)
        self.read = read


@final
class _End:
    """Stands where an item would, when there are no more."""


_END: Final = _End()


@final
class _Later:
    """Stands where an item would, when it must be waited for."""


_LATER: Final = _Later()


class Buffered(AsyncIterator[Item], Generic[Item]):
    """An asynchronous iterator that often has items at hand: then nobody waits."""

    @abc.abstractmethod
    def take(self, default: Any, /) -> Any:
        """Give the next item if it is there, or the default."""


FAILURES: Final = (Exception, asyncio.CancelledError)
"""What may be raised by what is called here; see `is_own_cancellation`."""


def _unless_cancelled(error: BaseException) -> BaseException:
    if is_own_cancellation(error):
        raise error
    return error


class WorkerPool(Generic[Item, Done]):
    """Works on every item of an iterable, so many at a time.

    Args:
        items: read lazily, an item when a worker is free for it.
        run: does the work of one item; it may not raise.
        deliver: takes what `run` gave, with the item's place in the input.
        workers: how many items are worked on at a time.
        admit: awaited before an item is read, where its consumer must keep up.
    """

    def __init__(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        run: Callable[[Item], Awaitable[Done]],
        deliver: Callable[[int, Done], object],
        *,
        workers: int,
        admit: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._items = items
        self._run = run
        self._deliver = deliver
        self._workers = workers
        self._admit = admit
        self._read = 0
        self._failure: BaseException | None = None

    async def work(self) -> None:
        """Work until the input has ended.

        Should the input or `deliver` raise, nothing more is read, and what is under way
        is brought to its end.

        Raises:
            CallerCodeError: from what the input or `deliver` raised.
        """
        if isinstance(self._items, AsyncIterable):
            reader = _AsyncReader(aiter(self._items), lambda: self._failure is not None)
            read, wait = _at_hand(self._items), reader.next_item
        else:
            read, wait = partial(next, iter(self._items), _END), None
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._workers):
                workers.create_task(self._work(read, wait))
        if self._failure is not None:
            raise CallerCodeError(self._read) from self._failure

    async def _work(
        self, read: Callable[[], Any], wait: Callable[[], Awaitable[Any]] | None
    ) -> None:
        admit, run, deliver = self._admit, self._run, self._deliver
        while True:
            if admit is not None:
                await admit()
            if self._failure is not None:
                return
            try:
                item = read()
                if item is _LATER and wait is not None:
                    item = await wait()
            except FAILURES as error:
                self._failure = _unless_cancelled(error)
                return
            if item is _END:
                return
            place = self._read
            self._read = place + 1
            try:
                done = await run(item)
            except asyncio.CancelledError as error:
                self._failure = _unless_cancelled(error)
                return
            try:
                deliver(place, done)
            except FAILURES as error:
                self._failure = _unless_cancelled(error)


def _at_hand(items: AsyncIterable[Any]) -> Callable[[], Any]:
    """Give what is there of the items without waiting, which is never or not always."""
    if isinstance(items, Buffered):
        return partial(items.take, _LATER)
    return lambda: _LATER


class _AsyncReader(Generic[Item]):
    """Reads an asynchronous iterator, which cannot be asked twice at a time."""

    def __init__(
        self, items: AsyncIterator[Item], is_stopped: Callable[[], bool]
    ) -> None:
        self._items = items
        self._is_stopped = is_stopped
        self._turn = asyncio.Lock()
        self._has_ended = False

    async def next_item(self) -> Item | _End:
        async with self._turn:
            # Its end, or an error, may have come while this worker queued for it.
            if self._has_ended or self._is_stopped():
                return _END
            item = await anext(self._items, _END)
            self._has_ended = item is _END
            return item
