"""A rate limiter that spaces requests evenly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from futureagi_async.transport.semaphore import WaiterQueue


if TYPE_CHECKING:
    from futureagi_async.transport.settings import RateLimit


class RateLimiter:
    """A limiter that spaces requests evenly, the lowest rank first, then first come.

    Without a limit it does nothing.

    Slots that nobody used are not saved up: all of a period's requests at its end, and
    those of the next at its start, would be nearly twice the limit within one period.
    """

    def __init__(self, limit: RateLimit | None) -> None:
        self.is_limited: bool = limit is not None
        self._interval = 0.0 if limit is None else limit.per / limit.requests
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue = WaiterQueue()
        self._timer: asyncio.TimerHandle | None = None
        self._next_slot = 0.0

    async def acquire(self, rank: int = 0) -> None:
        """Wait for a slot; one whose waiter is cancelled goes to the next waiter."""
        if not self.is_limited:
            return
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # every loop has its own clock
            self._loop, self._queue, self._timer = loop, WaiterQueue(), None
            self._next_slot = loop.time()
        if self._timer is None and loop.time() >= self._next_slot:
            self._use_slot(loop)
            return
        waiter = self._queue.join(rank)
        if self._timer is None:
            self._timer = loop.call_at(self._next_slot, self._grant, loop)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and not self._queue.wake_first():
                self._next_slot = loop.time()  # nobody used it
            raise

    def _use_slot(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not the planned slot but the time it began: a late start followed by a
        # punctual one would exceed the limit.
        self._next_slot = max(loop.time(), self._next_slot) + self._interval

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pass the slot to the first waiter, and plan the next one if others wait."""
        self._timer = None
        if self._queue.wake_first():
            self._use_slot(loop)
        if self._queue:
            self._timer = loop.call_at(self._next_slot, self._grant, loop)
