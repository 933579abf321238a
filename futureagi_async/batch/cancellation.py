"""Telling the cancellation of a task from one that comes from elsewhere."""

from __future__ import annotations

import asyncio


def is_own_cancellation(error: BaseException) -> bool:
    """Return whether the running task itself is being cancelled.

    A `CancelledError` also comes from elsewhere, where something that was cancelled is
    awaited; that one is an error like any other.
    """
    task = asyncio.current_task()
    return (
        isinstance(error, asyncio.CancelledError)
        and task is not None
        and task.cancelling() > 0
    )
