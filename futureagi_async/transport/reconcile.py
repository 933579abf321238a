"""Settling: when and how often to look before a look is believed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import APIError, NotAttemptedError
from futureagi_async.model.reconciliation import Finding, Settleable, Unclear


if TYPE_CHECKING:
    from futureagi_async.model.paging import Read


READINGS = 4
"""Readings at most, until two that follow one another are equal."""

_INTERVAL = 0.1
"""Time between two readings, as a share of the time before the first."""


async def find_out(
    request: Settleable[Any],
    read: Read,
    *,
    sent_at: float,
    settle_after: float,
    was_absent: bool,
) -> Finding:
    """Look, not before the service had time to act, until two looks agree.

    Args:
        request: what is in doubt.
        read: sends a request that is safe to repeat.
        sent_at: when it was sent, by the clock of the event loop.
        settle_after: seconds to give the service; one that is slower can still act
            after the last look.
        was_absent: as for `Settleable.look`.
    """
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(max(0.0, sent_at + settle_after - now))
    last: Finding | None = None
    for _ in range(READINGS):
        if last is not None:
            await asyncio.sleep(settle_after * _INTERVAL)
        try:
            finding = await request.look(read, was_absent=was_absent)
        except (APIError, NotAttemptedError) as error:
            return Unclear(f"it could not be read back ({error})")
        if finding == last:
            return finding
        last = finding
    return Unclear("read back: it changed from one reading to the next")
