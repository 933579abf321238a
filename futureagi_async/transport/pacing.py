"""Keeping below a limit on requests: one after the other, evenly spread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiolimiter


if TYPE_CHECKING:
    from futureagi_async.config import RateLimit


class Pace:
    """Hands out turns at the rate of a limit; without one, at once.

    A bucket that holds the requests of a whole period would let nearly twice of them
    through in the first one. So it holds a single request, of a period that is short.
    """

    def __init__(self, limit: RateLimit | None) -> None:
        self._limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bucket: aiolimiter.AsyncLimiter | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is anything to wait for."""
        return self._limit is not None

    async def turn(self) -> None:
        """Wait for a turn."""
        if self._limit is None:
            return
        loop = asyncio.get_running_loop()
        if self._bucket is None or self._loop is not loop:
            period = self._limit.per / self._limit.requests
            self._loop, self._bucket = loop, aiolimiter.AsyncLimiter(1, period)
        await self._bucket.acquire()
