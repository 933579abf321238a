"""What arrived at the emulator, and what was really done."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import attrs


if TYPE_CHECKING:
    from futureagi_async.emulator.rules.context import Work


@attrs.frozen
class Seen:
    """One request that arrived.

    Args:
        method: Its method.
        path: Its path, decoded.
        run_test_id: The run test in the path, if any.
        status: The status of the answer, even if no answer got out.
        request_id: The `X-Request-ID` of the exchange.
        outcome: `answered`, or the fault that came between.
    """

    method: str
    path: str
    run_test_id: str | None
    status: int
    request_id: str
    outcome: str


class Log:
    """Counts of everything and the last requests; its size does not grow with time.

    Attributes:
        requests: The last requests, oldest first.
        counts: How many answers by (endpoint, status).
        runs: How often evaluations were started, by run test; a failed dispatch
            starts none.
        configs: How many eval configs were created, by run test, also when the answer
            was an error or never got out.
        in_flight: How many requests are being served.
        most_in_flight: How many there were at most.
    """

    def __init__(self, size: int) -> None:
        self.requests: deque[Seen] = deque(maxlen=size)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.runs: Counter[str] = Counter()
        self.configs: Counter[str] = Counter()
        self.in_flight: int = 0
        self.most_in_flight: int = 0

    def clear(self) -> None:
        """Forgets everything but what is in flight."""
        self.requests.clear()
        self.counts.clear()
        self.runs.clear()
        self.configs.clear()
        self.most_in_flight = self.in_flight

    def arrive(self) -> None:
        """A request is there."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def leave(self) -> None:
        """A request has been dealt with."""
        self.in_flight -= 1

    def add(self, seen: Seen, endpoint: str, work: Work | None) -> None:
        """Notes one request."""
        self.requests.append(seen)
        self.counts[endpoint, seen.status] += 1
        if work and seen.run_test_id:
            if work.runs:
                self.runs[seen.run_test_id] += work.runs
            if work.configs:
                self.configs[seen.run_test_id] += work.configs
