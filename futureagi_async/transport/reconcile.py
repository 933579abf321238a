"""Reconciliation timing: when to read back, and when two reads agree."""

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
    from futureagi_async.model.operation import History
    from futureagi_async.model.page import SendRead


MAX_READS = 4
"""Reads at most, until two consecutive ones agree."""

_INTERVAL = 0.1
"""Time between two reads, as a share of the time before the first."""


async def reconcile_by_reading(
    request: Reconcilable[Any],
    read: SendRead,
    history: History,
    *,
    sent_at: float,
    reconcile_after: float,
) -> Reconciliation:
    """Read until two consecutive reads agree, and return what they found.

    Args:
        request: the request with unknown outcome.
        read: sends an idempotent request.
        history: as for `Reconcilable.reconcile`.
        sent_at: when it was sent, by the clock of the event loop.
        reconcile_after: seconds from sending to the first read; a slower service can
            still act after the last one.
    """
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(max(0.0, sent_at + reconcile_after - now))
    last: Reconciliation | None = None
    for _ in range(MAX_READS):
        if last is not None:
            await asyncio.sleep(reconcile_after * _INTERVAL)
        try:
            reconciliation = await request.reconcile(read, history)
        except (APIError, NotAttemptedError) as error:
            return Indeterminate(f"it could not be read back ({error})")
        if reconciliation == last:
            return reconciliation
        last = reconciliation
    return Indeterminate("read back: it changed from one read to the next")
