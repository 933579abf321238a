"""The service's limit of requests: per organization and calendar minute."""

from __future__ import annotations

import math
from collections import Counter

import attrs


_MINUTE = 60


@attrs.define
class RateLimit:
    """Counts of the requests of the current minute.

    Refused requests count, too, so that a client which does not wait is not served
    before the minute is over.

    Args:
        per_minute: how many requests of an organization are served.
    """

    per_minute: int
    _minute: int = 0
    _counts: Counter[str] = attrs.field(factory=Counter)

    def count(self, organization: str, now: float) -> int | None:
        """Count a request; return the seconds to wait if it is refused.

        Args:
            organization: whose request it is.
            now: the time in seconds since 1970.
        """
        minute = int(now // _MINUTE)
        if minute != self._minute:
            self.clear()
            self._minute = minute
        self._counts[organization] += 1
        if self._counts[organization] <= self.per_minute:
            return None
        return math.ceil((minute + 1) * _MINUTE - now)

    def clear(self) -> None:
        """Forget all requests."""
        self._counts.clear()
