"""Turns: never two writes in flight for one run test."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Hashable


class KeyedLock:
    """A lock for every key, first come first served; an idle key costs nothing.

    The service does not notice parallel writes: it stores configs twice and starts
    paid work twice.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]] | None] = {}

    def take_if_free(self, key: Hashable) -> bool:
        """Take the turn of this key unless somebody has it; tell whether that was so."""
        if key in self._waiting:
            return False
        self._waiting[key] = None
        return True

    async def take(self, key: Hashable) -> None:
        """Wait for the turn of this key."""
        if self.take_if_free(key):
            return
        queue = self._waiting[key]
        if queue is None:
            queue = self._waiting[key] = deque()
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have come in the moment of the cancellation: pass it on.
            if not turn.cancelled():
                self.give_back(key)
            raise

    def give_back(self, key: Hashable) -> None:
        """End the turn; the next one that still waits has it."""
        queue = self._waiting[key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]
