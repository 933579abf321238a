"""Whether and when to retry: pure rules, with the random function passed in."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from futureagi_async.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    Delivery,
    EvalDispatchError,
    RateLimitError,
)


if TYPE_CHECKING:
    from collections.abc import Callable


MAX_RETRY_AFTER = 60.0
"""Seconds; a request that the service wants later than that is not retried."""

_MAX_JITTER = 8.0
_MAX_DOUBLINGS = 10


class RetryReason(enum.Enum):
    """The reason why an attempt may be repeated."""

    THROTTLED = enum.auto()
    """The service did nothing, and asked for a pause."""

    FAILED = enum.auto()
    """The attempt failed, and repeating it is safe or was asked for."""


def retry_reason(error: APIError, *, retry_unknown: bool) -> RetryReason | None:
    """Return why a failed attempt may be repeated, or `None` if it may not.

    `retry_unknown` means that doing the work twice is harmless, or accepted.
    """
    if retry_after_too_long(error):
        return None
    match error:
        case (
            RateLimitError()
            | APIStatusError(status_code=503, delivery=Delivery.REJECTED)
        ):
            return RetryReason.THROTTLED
        case (
            EvalDispatchError()
            | APIConnectionError(delivery=Delivery.NOT_SENT, retryable=True)
        ):
            return RetryReason.FAILED
        case APIError(delivery=Delivery.UNKNOWN) if retry_unknown:
            return RetryReason.FAILED
        case _:
            return None


def retry_after_too_long(error: APIError) -> bool:
    """Return whether the service asks for a pause above `MAX_RETRY_AFTER`."""
    return error.retry_after is not None and error.retry_after > MAX_RETRY_AFTER


def retry_delay(
    retry_number: int, retry_after: float | None, random: Callable[[], float]
) -> float:
    """Return the seconds to wait before a retry, of which the first has number 0.

    It is what the service asked for and a growing random part, so that clients that
    were throttled together do not return together.
    """
    doublings = min(retry_number, _MAX_DOUBLINGS)
    return (retry_after or 0.0) + random() * min(_MAX_JITTER, 0.5 * 2.0**doublings)


@attrs.define(eq=False, repr=False)
class RetryQuota:
    """A budget that keeps a client from adding a storm of retries to an outage.

    Every retry costs, a first attempt that succeeds earns a little, and a retry that
    succeeds earns its cost. So there are few retries during an outage, while single
    failures among many successes get all of theirs.
    """

    capacity: int = 500
    cost: int = 5
    timeout_cost: int = 10
    available: int = attrs.field(
        default=attrs.Factory(lambda self: self.capacity, takes_self=True)
    )

    def acquire(self, *, timeout: bool) -> int | None:
        """Pay for a retry and return its cost, or `None` if too little is left."""
        cost = self.timeout_cost if timeout else self.cost
        if cost > self.available:
            return None
        self.available -= cost
        return cost

    def release(self, amount: int) -> None:
        """Earn after a success: the cost of its last retry, or 1 without one."""
        self.available = min(self.capacity, self.available + amount)
