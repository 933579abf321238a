"""A sender that never leaves the process, and clients of it."""

from __future__ import annotations

import asyncio
import inspect
import random
from typing import TYPE_CHECKING, Any

from raw_server import CONFIG, RUN_TEST, success_body

from futureagi_async import AsyncFutureAGI, RetryPolicy, RunNewEvals
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.transport import Transport


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from futureagi_async.transport.http import HTTPRequest


EPOCH = 1_800_000_000.0
"""Unix time when a jumping clock starts."""


class FakeSender:
    """Answers attempts by a function, which may be a coroutine function."""

    def __init__(
        self, handle: Callable[[HTTPRequest], HTTPResponse | Awaitable[HTTPResponse]]
    ) -> None:
        self._handle = handle
        self.attempts: list[HTTPRequest] = []
        self.closed = False

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        if self.closed:
            raise RuntimeError("Session is closed")  # as aiohttp does
        self.attempts.append(attempt)
        attempt.connection_acquired = True
        answer = self._handle(attempt)
        return await answer if inspect.isawaitable(answer) else answer

    async def aclose(self) -> None:
        self.closed = True

    def detach(self) -> None:
        """Do nothing: there is no socket."""


def simulated(sender: Any, **options: Any) -> AsyncFutureAGI:
    """A client whose requests end at a fake sender."""
    options.setdefault("retry", RetryPolicy(reconcile=False))
    client = AsyncFutureAGI("key", "secret", base_url="http://localhost", **options)
    client._transport = Transport(
        lambda: sender,
        random=random.Random(7).random,
        wall_clock=lambda: EPOCH + asyncio.get_running_loop().time(),
    )
    return client


def run_test_of(attempt: HTTPRequest) -> str:
    return attempt.path.split("/run-tests/")[1].split("/")[0]


def answer(
    status: int = 200, body: bytes = b"", retry_after: str | None = None
) -> HTTPResponse:
    return HTTPResponse(status, "Some Reason", "from-server", retry_after, None, body)


def accepted(attempt: HTTPRequest) -> HTTPResponse:
    return answer(body=success_body(run_test_of(attempt)))


def request(number: int | None = None) -> RunNewEvals:
    """A request for the run test with this number."""
    run_test = RUN_TEST if number is None else run_test_id(number)
    return RunNewEvals(run_test, [CONFIG], select_all=True)


def run_test_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"
