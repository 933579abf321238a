"""A clock that jumps, and a sender that never leaves the process."""

from __future__ import annotations

import asyncio
import inspect
import random
import selectors
from typing import TYPE_CHECKING, Any

from raw_server import CONFIG, RUN_TEST, success_body

from futureagi_async import AsyncFutureAGI, RetryPolicy, RunNewEvals
from futureagi_async.transport.sender import Answer
from futureagi_async.transport.transport import Transport


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from futureagi_async.transport.sender import Attempt


EPOCH = 1_800_000_000.0
"""Unix time when a virtual clock starts."""


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for a timer: it moves the clock there."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and no timer is set"
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run_virtually(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on a clock that jumps to the next timer when all is idle."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class FakeSender:
    """Answers attempts by a function, which may be a coroutine function."""

    def __init__(self, handle: Callable[[Attempt], Answer | Awaitable[Answer]]) -> None:
        self._handle = handle
        self.attempts: list[Attempt] = []
        self.closed = False
        self.abandoned = False

    async def send(self, attempt: Attempt) -> Answer:
        self.attempts.append(attempt)
        attempt.handed_over = True
        answer = self._handle(attempt)
        return await answer if inspect.isawaitable(answer) else answer

    async def aclose(self) -> None:
        self.closed = True

    def abandon(self) -> None:
        self.abandoned = True


def simulated(sender: Any, **options: Any) -> AsyncFutureAGI:
    """A client whose requests end at a fake sender."""
    options.setdefault("retry", RetryPolicy(settle=False))
    client = AsyncFutureAGI("key", "secret", base_url="http://localhost", **options)
    client._transport = Transport(
        lambda: sender,
        random=random.Random(7).random,
        wall_clock=lambda: EPOCH + asyncio.get_running_loop().time(),
    )
    return client


def run_test_of(attempt: Attempt) -> str:
    return attempt.path.split("/run-tests/")[1].split("/")[0]


def answer(
    status: int = 200, body: bytes = b"", retry_after: str | None = None
) -> Answer:
    return Answer(status, "Some Reason", "from-server", retry_after, None, body)


def accepted(attempt: Attempt) -> Answer:
    return answer(body=success_body(run_test_of(attempt)))


def request(number: int | None = None) -> RunNewEvals:
    """A request for the run test with this number."""
    run_test = RUN_TEST if number is None else run_test_id(number)
    return RunNewEvals(run_test, [CONFIG], select_all=True)


def run_test_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"
