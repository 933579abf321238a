"""A lock for every run test: never two of its writes at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Hashable


class KeyedLock:
    """A lock for every key, first come, first served; an idle key costs nothing.

    The service does not notice parallel writes: it stores configs twice and starts
    paid work twice.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def acquire(self, key: Hashable) -> None:
        """Wait for the lock of this key."""
        if key not in self._waiting:
            self._waiting[key] = deque()
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[key].append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # It may have got the lock at the moment of the cancellation: pass it on.
            if not waiter.cancelled():
                self.release(key)
            raise

    def release(self, key: Hashable) -> None:
        """Release the lock to the first that still waits."""
        queue = self._waiting[key]
        while queue:
            waiter = queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        del self._waiting[key]
