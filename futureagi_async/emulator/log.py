"""What arrived at the emulator, and what was really done."""

from collections import Counter, deque

import attrs

from futureagi_async.emulator.rules.context import Effects


@attrs.frozen
class LoggedRequest:
    """One request that arrived.

    Args:
        method: its method.
        path: its path, decoded.
        run_test_id: the run test in the path, if any.
        status: the status of the response, even if it was not delivered.
        request_id: the `X-Request-ID` of the exchange.
        outcome: `answered`, or the fault that prevented it.
        response_bytes: the size of the body of the response, even if it was not
            delivered.
    """

    method: str
    path: str
    run_test_id: str | None
    status: int
    request_id: str
    outcome: str
    response_bytes: int


class Log:
    """The counts of all requests, and the last ones; its size is bounded.

    Attributes:
        requests: the last requests, oldest first.
        counts: how many responses by (endpoint, status).
        response_bytes: how many bytes the bodies of responses had, by endpoint.
        runs: how often evaluations were started, by run test; a failed dispatch
            starts none.
        configs: how many eval configs were created, by run test, also when the
            response was an error or was not delivered.
        in_flight: how many requests are being served.
        most_in_flight: how many there were at most.
    """

    def __init__(self, size: int) -> None:
        self.requests: deque[LoggedRequest] = deque(maxlen=size)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.response_bytes: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.configs: Counter[str] = Counter()
        self.in_flight: int = 0
        self.most_in_flight: int = 0

    def clear(self) -> None:
        """Forget everything but what is in flight."""
        self.requests.clear()
        self.counts.clear()
        self.response_bytes.clear()
        self.runs.clear()
        self.configs.clear()
        self.most_in_flight = self.in_flight

    def request_started(self) -> None:
        """Count a request that arrived."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def request_finished(self) -> None:
        """Count a request that was served, or was abandoned by its client."""
        self.in_flight -= 1

    def add(self, request: LoggedRequest, endpoint: str, effects: Effects) -> None:
        """Log one request."""
        self.requests.append(request)
        self.counts[endpoint, request.status] += 1
        self.response_bytes[endpoint] += request.response_bytes
        if request.run_test_id is None:
            return
        if effects.runs:
            self.runs[request.run_test_id] += effects.runs
        if effects.configs:
            self.configs[request.run_test_id] += effects.configs
