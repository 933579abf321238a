"""What an exception means for the outcome of an operation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import (
    APIError,
    Delivery,
    FutureAGIError,
    NotAttemptedError,
)
from futureagi_async.model.outcome import Failure, NotAttempted


if TYPE_CHECKING:
    from futureagi_async.model.operation import Operation
    from futureagi_async.model.request import ResultT


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


def outcome_of_error(
    operation: Operation[ResultT],
    error: BaseException,
    attempts: int,
    elapsed: float,
    from_journal: bool = False,
) -> Failure[ResultT] | NotAttempted[ResultT]:
    """Return the outcome of an operation that raised."""
    if isinstance(error, NotAttemptedError) and not attempts:
        return NotAttempted(operation, error, from_journal=from_journal)
    if not isinstance(error, FutureAGIError):
        error = wrap_unexpected_error(error, operation)
    _drop_tracebacks(error)
    return Failure(operation, error, attempts, elapsed, from_journal)


def wrap_unexpected_error(
    error: BaseException, operation: Operation[Any]
) -> FutureAGIError:
    """Return the error for an exception that should not have been raised."""
    failure = APIError(
        f"{type(error).__name__}: {error}",
        delivery=Delivery.UNKNOWN,
        run_test_id=operation.run_test_id,
    )
    failure.__cause__ = error
    return failure


def _drop_tracebacks(error: FutureAGIError) -> None:
    """Drop the frames that an error holds on to: a batch may keep thousands."""
    earlier = error.earlier if isinstance(error, APIError) else ()
    for each in (error, *earlier):
        link: BaseException | None = each
        while link is not None:
            link.__traceback__ = None
            # What was raised "from None" has a context all the same.
            link = link.__cause__ or link.__context__
