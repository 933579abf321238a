"""Reconciling: when and how often to look before a look is believed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import APIError, NotAttemptedError
from futureagi_async.model.reconciliation import (
    Indeterminate,
    Reconcilable,
    Reconciliation,
)


if TYPE_CHECKING:
    from futureagi_async.model.page import SendRead


MAX_READS = 4
"""Readings at most, until two that follow one another are equal."""

_INTERVAL = 0.1
"""Time between two readings, as a share of the time before the first."""


async def reconcile_by_reading(
    request: Reconcilable[Any],
    read: SendRead,
    *,
    sent_at: float,
    reconcile_after: float,
    was_absent: bool,
) -> Reconciliation:
    """Look, not before the service had time to act, until two looks agree.

    Args:
        request: what is in doubt.
        read: sends a request that is safe to repeat.
        sent_at: when it was sent, by the clock of the event loop.
        reconcile_after: seconds to give the service; one that is slower can still act
            after the last look.
        was_absent: as for `Reconcilable.look`.
    """
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(max(0.0, sent_at + reconcile_after - now))
    last: Reconciliation | None = None
    for _ in range(MAX_READS):
        if last is not None:
            await asyncio.sleep(reconcile_after * _INTERVAL)
        try:
            finding = await request.look(read, was_absent=was_absent)
        except (APIError, NotAttemptedError) as error:
            return Indeterminate(f"it could not be read back ({error})")
        if finding == last:
            return finding
        last = finding
    return Indeterminate("read back: it changed from one reading to the next")
