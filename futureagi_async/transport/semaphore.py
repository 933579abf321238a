"""A semaphore and its queue, in which a lower rank is served first."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class WaiterQueue:
    """Queue of tasks that wait for the same: the lowest rank first, then first come."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def join(self, rank: int) -> asyncio.Future[None]:
        """Return a future that is done when it is this task's turn."""
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (rank, next(self._order), waiter))
        return waiter

    def __bool__(self) -> bool:
        return bool(self._heap)

    def wake_first(self) -> bool:
        """Wake the first task that still waits; return whether there was one."""
        while self._heap:
            _, _, waiter = heapq.heappop(self._heap)
            if not waiter.done():
                waiter.set_result(None)
                return True
        return False


class RankedSemaphore:
    """Semaphore that is acquired by the lowest rank first.

    Args:
        value: how many tasks may hold it at a time.
    """

    def __init__(self, value: int) -> None:
        self._free = value
        self._queue = WaiterQueue()

    async def acquire(self, rank: int = 0) -> None:
        """Wait until it is free; one whose waiter is cancelled goes to the next."""
        if self._free:
            self._free -= 1
            return
        waiter = self._queue.join(rank)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Pass it on to the first waiter, or free it."""
        if not self._queue.wake_first():
            self._free += 1
