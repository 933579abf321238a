"""A rate limiter that spaces requests evenly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from futureagi_async.transport.settings import RateLimit


class RateLimiter:
    """A limiter that spaces requests evenly, first come, first served.

    Without a limit it does nothing.

    Slots that nobody used are not saved up: all of a period's requests at its end, and
    those of the next at its start, would be nearly twice the limit within one period.
    """

    def __init__(self, limit: RateLimit | None) -> None:
        self.is_limited: bool = limit is not None
        self._interval = 0.0 if limit is None else limit.per / limit.requests
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._next_slot = 0.0

    async def acquire(self) -> None:
        """Wait for a slot; one whose waiter is cancelled goes to the next waiter."""
        if not self.is_limited:
            return
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # every loop has its own clock
            self._loop, self._lock, self._next_slot = loop, asyncio.Lock(), loop.time()
        async with self._lock:
            if (delay := self._next_slot - loop.time()) > 0:
                await asyncio.sleep(delay)
            # Not the planned slot but the time it began: a late start followed by a
            # punctual one would exceed the limit.
            self._next_slot = max(loop.time(), self._next_slot) + self._interval
