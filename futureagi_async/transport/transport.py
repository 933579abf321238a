"""Carries requests to their end, for a client and all copies of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from futureagi_async.errors import APIConnectionError, ClientClosedError
from futureagi_async.transport.call import Call, Means
from futureagi_async.transport.connections import Connections
from futureagi_async.transport.pacing import Pace
from futureagi_async.transport.retry import RetryQuota
from futureagi_async.transport.turns import Turns


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from futureagi_async.config import RateLimit
    from futureagi_async.jobs import Hands, Job
    from futureagi_async.request import Request, ResultT
    from futureagi_async.transport.call import CallOptions, Past, Patience
    from futureagi_async.transport.sender import Sender


Step: TypeAlias = "Callable[[Call], Awaitable[Any]]"


class Transport:
    """What the calls of a client share: connections, turns, pace and retry quota."""

    def __init__(
        self,
        open_sender: Callable[[], Sender],
        *,
        rate_limit: RateLimit | None = None,
        random: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._connections = Connections(open_sender)
        self._turns = Turns()
        self._job_turns = Turns()
        self._under_way: set[asyncio.Timeout] = set()
        self._means = Means(
            self._connections, Pace(rate_limit), RetryQuota(), random, wall_clock
        )
        _living.add(self)

    @property
    def closed(self) -> bool:
        """Whether it carries no more."""
        return self._connections.closed

    async def open(self) -> None:
        """Open the connections, or find out at once that this cannot be."""
        await self._connections.sender()

    async def aclose(self) -> None:
        """Close for good; calls under way end with `ClientClosedError`.

        They do so wherever they are: connecting, on the wire, between two attempts, or
        waiting for their turn.
        """
        self._connections.closed = True
        for deadline in self._under_way:
            if not deadline.expired():
                deadline.reschedule(0.0)
        await self._connections.aclose()

    def forget(self) -> None:
        """Begin anew in a process that was forked: what is under way is the parent's."""
        self._turns = Turns()
        self._job_turns = Turns()
        self._under_way = set()
        self._connections.forget()

    async def call(
        self,
        request: Request[ResultT],
        options: CallOptions,
        patience: Patience | None = None,
        past: Past | None = None,
    ) -> tuple[ResultT, int]:
        """Carry one request to its end; give its result and the number of attempts.

        With `patience` the request is one of a fan-out: waiting for its turn, being
        turned away, and settling are then no part of the time that the call may take.
        With a `past` it may have been done already: that is settled first.

        Raises:
            APIError: it failed for good.
            ClientClosedError: the client was closed before or meanwhile.
            NotAttemptedError: the deadline of the fan-out came before its turn.
        """
        read = partial(self._read, options, patience)
        call = Call(self._means, request, options, patience, past, read)
        try:
            if patience:
                result = await self._in_turn(call, self._in_time)
            else:
                result = await self._in_time(call, self._in_turn)
        except TimeoutError as error:
            raise (
                call.closed() if self.closed else call.deadline_exceeded()
            ) from error
        except (APIConnectionError, ClientClosedError) as error:
            if self.closed and call.has_begun:
                raise call.closed() from error
            raise
        return result, call.attempts

    async def work(self, job: Job[ResultT], hands: Hands) -> ResultT:
        """Do a job when no other is under way for its run test.

        Raises:
            FutureAGIError: it failed.
        """
        await self._job_turns.take(job.run_test_id)
        try:
            return await job.work(hands)
        finally:
            self._job_turns.give_back(job.run_test_id)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, so many seconds at most, and no longer than this is open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.0 if self.closed else seconds) as deadline:
                self._under_way.add(deadline)
                try:
                    await event.wait()
                finally:
                    self._under_way.discard(deadline)

    async def _read(
        self,
        options: CallOptions,
        patience: Patience | None,
        request: Request[ResultT],
        /,
    ) -> ResultT:
        result, _ = await self.call(request, options, patience)
        return result

    async def _in_turn(self, call: Call, then: Step = Call.run) -> Any:
        """Carry on, with a write when no other is under way for its run test."""
        if call.request.safe_to_repeat:
            return await then(call)
        turns, run_test_id = self._turns, call.request.run_test_id
        await turns.take(run_test_id)
        try:
            return await then(call)
        finally:
            turns.give_back(run_test_id)

    async def _in_time(self, call: Call, then: Step = Call.run) -> Any:
        """Carry on, for as long as the call may take."""
        # The client can have been closed while the call waited for its turn.
        limit = 0.0 if self.closed else call.options.timeout.total
        async with asyncio.timeout(limit) as deadline:
            call.deadline = deadline
            self._under_way.add(deadline)
            try:
                return await then(call)
            finally:
                self._under_way.discard(deadline)


_living: weakref.WeakSet[Transport] = weakref.WeakSet()


def _forget_all() -> None:
    for transport in list(_living):
        transport.forget()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_forget_all)
