"""A service that never leaves the process."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import TYPE_CHECKING, Any

from jumping_clock import now

from futureagi_async import AsyncFutureAGI, RetryPolicy, RunNewEvals
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.transport import Transport


if TYPE_CHECKING:
    from collections.abc import Callable

    from futureagi_async.transport.http import HTTPRequest


class Service:
    """Answers attempts by a function, and notes when each of them came."""

    def __init__(self, handle: Callable[[HTTPRequest], Any]) -> None:
        self._handle = handle
        self.attempts: list[tuple[float, str]] = []

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        self.attempts.append((now(), run_test_of(attempt)))
        attempt.connection_acquired = True
        answer = self._handle(attempt)
        return await answer if inspect.isawaitable(answer) else answer

    async def aclose(self) -> None:
        """Nothing is to be closed."""

    def detach(self) -> None:
        """Nothing is to be abandoned."""


def client_of(service: Service, **options: Any) -> AsyncFutureAGI:
    """A client of such a service, whose retries wait as long as they are told."""
    options.setdefault("retry", RetryPolicy(reconcile=False))
    client = AsyncFutureAGI("key", "secret", base_url="http://localhost", **options)
    client._transport = Transport(
        lambda: service, rate_limit=options.get("rate_limit"), random=lambda: 0.0
    )
    return client


def run_test_of(attempt: HTTPRequest) -> str:
    return attempt.path.split("/run-tests/")[1].split("/")[0]


def answered(
    status: int, body: Any = "", retry_after: str | None = None
) -> HTTPResponse:
    encoded = json.dumps(body).encode()
    return HTTPResponse(
        status, "Some Reason", "of-the-answer", retry_after, None, encoded
    )


def accepted(attempt: HTTPRequest) -> HTTPResponse:
    body = {
        "message": "started",
        "run_test_id": run_test_of(attempt),
        "call_execution_count": 1,
    }
    return answered(200, body)


async def accepted_after_ten_seconds(attempt: HTTPRequest) -> HTTPResponse:
    await asyncio.sleep(10)
    return accepted(attempt)


def run_test_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def requests(count: int) -> list[RunNewEvals]:
    """A request for each of so many run tests."""
    ids = map(run_test_id, range(count))
    return [RunNewEvals(each, [run_test_id(99)], select_all=True) for each in ids]
