"""The emulator's rules behind a sender, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import jumping_clock
from jumping_clock import now
from multidict import CIMultiDict

from futureagi_async import (
    APIConnectionError,
    AsyncFutureAGI,
    Delivery,
    FutureAGIError,
    RetryPolicy,
)
from futureagi_async.emulator import World
from futureagi_async.emulator.rules.exchange import Request
from futureagi_async.emulator.rules.service import Service
from futureagi_async.emulator.rules.workers import WorkSettings
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.transport import Transport


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from futureagi_async.transport.http import HTTPRequest


TICK = 1e-6
"""Seconds that a round of the loop takes."""

BEGIN = 100.0
"""When the clock begins, so that something can have been sent before."""


def on_a_jumping_clock(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on a clock that jumps when all is idle."""
    return jumping_clock.on_a_jumping_clock(main, BEGIN, TICK)


@attrs.frozen
class Sent:
    """An attempt that arrived."""

    at: float
    method: str
    path: str
    body: bytes | None


class RulesSender:
    """Hands attempts to the emulator's rules; what goes wrong is put into `trouble`.

    Each write takes one from `trouble`: `before` and `after` lose the connection before
    and after the work, `None` lets it through, and a coroutine function is called with
    what does the work, and gives the answer. `on_read` is told the number of each read
    before it is served; it may raise, or give the answer itself.
    """

    def __init__(self, world: World, *trouble: Any, dispatch: Any = "accept") -> None:
        self.service = Service.create(world, dispatch, WorkSettings(5.0))
        self.trouble = deque(trouble)
        self.on_read: Callable[[int], Any] = lambda number: None
        self.sent: list[Sent] = []
        self.runs = 0

    @property
    def reads(self) -> list[Sent]:
        return [each for each in self.sent if each.method == "GET"]

    @property
    def writes(self) -> list[Sent]:
        return [each for each in self.sent if each.method == "POST"]

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        self.sent.append(Sent(now(), attempt.method, attempt.path, attempt.body))
        attempt.connection_acquired = True
        if attempt.method == "GET":
            answer = self.on_read(len(self.reads))
            if asyncio.iscoroutine(answer):
                answer = await answer
            return answer or self.served(attempt)
        trouble = self.trouble.popleft() if self.trouble else None
        if trouble == "before":
            raise lost()
        if callable(trouble):
            return await trouble(partial(self.served, attempt))
        answer = self.served(attempt)
        if trouble == "after":
            raise lost()
        return answer

    def served(self, attempt: HTTPRequest) -> HTTPResponse:
        """What the service does and answers."""
        world = self.service.world
        headers = CIMultiDict(
            {"X-Api-Key": world.api_key, "X-Secret-Key": world.secret_key}
        )
        if attempt.body is not None:
            headers["Content-Type"] = "application/json"
        path, _, query = attempt.path.partition("?")
        asked = Request(
            attempt.method, path, query, headers, attempt.body or b"", "http://inside"
        )
        served = self.service.serve(asked, now())
        self.runs += served.effects.runs
        return answered(served.response.status, served.response.body)

    async def aclose(self) -> None:
        pass

    def detach(self) -> None:
        pass


def answered(
    status: int, body: bytes = b"", retry_after: str | None = None
) -> HTTPResponse:
    return HTTPResponse(status, "Some Reason", "of-the-answer", retry_after, None, body)


def lost() -> APIConnectionError:
    """What a sender raises when the connection is lost after sending."""
    return APIConnectionError("the connection was lost", delivery=Delivery.UNKNOWN)


def client_of(sender: Any, **options: Any) -> AsyncFutureAGI:
    """A client whose requests end at this sender, and whose retries do not wait."""
    options.setdefault("retry", RetryPolicy())
    client = AsyncFutureAGI("key", "secret", base_url="http://localhost", **options)
    client._transport = Transport(
        lambda: sender,
        rate_limit=options.get("rate_limit"),
        random=lambda: 0.0,
    )
    return client


def small_world(**sizes: int) -> World:
    return World.synthetic(**{"run_tests": 30, "executions": 2, "calls": 3} | sizes)


def pending(world: World, run_test_id: str, config_ids: Any) -> None:
    """Make the results of these configs pending, as a dispatch that never came does."""
    fill(world, run_test_id, config_ids, {"status": "pending"})


RESULT = {"output": "Passed", "reason": "it was polite", "status": "Completed"}


def fill(world: World, run_test_id: str, config_ids: Any, result: Any) -> None:
    """Give every call of a run test this result of these configs."""
    for _, call in world.run_tests.get(run_test_id).calls():
        call.eval_outputs.update(dict.fromkeys(config_ids, result))


async def while_time_flies(call: Any, leap: Callable[[float], None]) -> Any:
    """What a call gives; in every turn of the loop or so, a second of its clock passes.

    So all waits have the lengths that they are meant to have: what a busy machine adds
    to them is next to nothing.
    """
    task = asyncio.ensure_future(call)
    while not task.done():
        await asyncio.sleep(0.001)
        leap(1)
    return await task


async def failure(call: Any) -> Any:
    """The error that a call ends with."""
    try:
        await call
    except FutureAGIError as error:
        return error
    raise AssertionError("it did not fail")
