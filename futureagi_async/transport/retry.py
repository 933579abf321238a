"""When to try again, and after how long: pure rules, with the random passed in."""

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


LONGEST_RETRY_AFTER = 60.0
"""Seconds; a service that asks for more is not waited for."""

_MAX_JITTER = 8.0
_MAX_DOUBLINGS = 10


class Reason(enum.Enum):
    """Why an attempt may be repeated."""

    THROTTLED = enum.auto()
    """The service asked to come back later; it did nothing."""

    FAILED = enum.auto()
    """The attempt failed, and repeating it is safe or was asked for."""


def reason_to_repeat(error: APIError, *, repeat_unknown: bool) -> Reason | None:
    """Tell if a failed attempt may be repeated.

    `repeat_unknown` says that doing the work twice is harmless, or accepted.
    """
    if asks_for_too_long(error):
        return None
    match error:
        case (
            RateLimitError()
            | APIStatusError(status_code=503, delivery=Delivery.REJECTED)
        ):
            return Reason.THROTTLED
        case (
            EvalDispatchError()
            | APIConnectionError(delivery=Delivery.NOT_SENT, retryable=True)
        ):
            return Reason.FAILED
        case APIError(delivery=Delivery.UNKNOWN) if repeat_unknown:
            return Reason.FAILED
        case _:
            return None


def asks_for_too_long(error: APIError) -> bool:
    """Tell if the service asks for a longer wait than is borne."""
    return error.retry_after is not None and error.retry_after > LONGEST_RETRY_AFTER


def wait_before(
    repetition: int, retry_after: float | None, random: Callable[[], float]
) -> float:
    """Seconds to wait before the given repetition, counted from 0.

    What the service asked for, and on top a random part that grows, so that many
    clients that were turned away together do not come back together.
    """
    doublings = min(repetition, _MAX_DOUBLINGS)
    return (retry_after or 0.0) + random() * min(_MAX_JITTER, 0.5 * 2.0**doublings)


@attrs.define(eq=False, repr=False)
class RetryQuota:
    """Keeps a client from adding a storm of retries to an outage.

    Every retry costs, a first attempt that succeeds earns a little back, and a retry
    that succeeds earns its price back. An outage thus gets few retries, and single
    failures among many successes get all of theirs.
    """

    capacity: int = 500
    price: int = 5
    timeout_price: int = 10
    available: int = attrs.field(
        default=attrs.Factory(lambda self: self.capacity, takes_self=True)
    )

    def take(self, *, timeout: bool) -> int | None:
        """Pay for a retry; `None` if there is not enough left."""
        price = self.timeout_price if timeout else self.price
        if price > self.available:
            return None
        self.available -= price
        return price

    def give_back(self, amount: int) -> None:
        """Earn after a success: what its last retry cost, or 1 without one."""
        self.available = min(self.capacity, self.available + amount)
