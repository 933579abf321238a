"""Keeping below a limit on requests: one after the other, evenly spread."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    import aiolimiter

    from futureagi_async.transport.settings import RateLimit


class RateLimiter:
    """Hands out turns at the rate of a limit; without one, at once.

    A bucket that holds the requests of a whole period would let nearly twice of them
    through in the first one. So it holds a single request, of a period that is short.
    """

    def __init__(self, limit: RateLimit | None) -> None:
        self._new_bucket = None if limit is None else _bucket_maker(limit)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bucket: aiolimiter.AsyncLimiter | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is anything to wait for."""
        return self._new_bucket is not None

    async def turn(self) -> None:
        """Wait for a turn."""
        if self._new_bucket is None:
            return
        loop = asyncio.get_running_loop()
        if self._bucket is None or self._loop is not loop:
            self._loop, self._bucket = loop, self._new_bucket()
        await self._bucket.acquire()


def _bucket_maker(limit: RateLimit) -> Callable[[], aiolimiter.AsyncLimiter]:
    # Imported for a limit only: it brings importlib.metadata, which takes its time.
    import aiolimiter  # noqa: PLC0415

    return partial(aiolimiter.AsyncLimiter, 1, limit.per / limit.requests)
