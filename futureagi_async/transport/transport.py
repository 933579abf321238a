"""Carries requests to their end, for a client and all copies of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
import weakref
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import APIConnectionError, ClientClosedError
from futureagi_async.transport.call import Call, Means
from futureagi_async.transport.connections import Connections
from futureagi_async.transport.keyed_lock import KeyedLock
from futureagi_async.transport.rate_limiter import RateLimiter
from futureagi_async.transport.retry import RetryQuota
from futureagi_async.transport.timeouts import TimeoutRegistry


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from futureagi_async.model.request import Request, ResultT
    from futureagi_async.transport.call import (
        PriorAttempts,
        RequestOptions,
        ThrottleBudget,
    )
    from futureagi_async.transport.http import HTTPBackend
    from futureagi_async.transport.settings import RateLimit


class Transport:
    """What the calls of a client share: connections, turns, pace and retry quota."""

    def __init__(
        self,
        open_sender: Callable[[], HTTPBackend],
        *,
        rate_limit: RateLimit | None = None,
        random: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._connections = Connections(open_sender)
        self._turns = KeyedLock()
        self._operation_locks = KeyedLock()
        self._deadlines: TimeoutRegistry | None = None
        self._means = Means(
            self._connections,
            RateLimiter(rate_limit),
            RetryQuota(),
            random,
            wall_clock,
        )
        _living.add(self)

    @property
    def closed(self) -> bool:
        """Whether it carries no more."""
        return self._connections.closed

    async def open(self) -> None:
        """Open the connections, or find out at once that this cannot be."""
        self._connections.sender()

    async def aclose(self) -> None:
        """Close for good; calls under way end with `ClientClosedError`.

        They do so wherever they are: connecting, on the wire, between two attempts, or
        waiting for their turn.
        """
        self._connections.closed = True
        if self._deadlines is not None:
            self._deadlines.expire_all()
        await self._connections.aclose()

    def forget(self) -> None:
        """Begin anew in a process that was forked: what is under way is the parent's."""
        self._turns = KeyedLock()
        self._operation_locks = KeyedLock()
        self._deadlines = None
        self._connections.forget()

    async def call(
        self,
        request: Request[ResultT],
        options: RequestOptions,
        patience: ThrottleBudget | None = None,
        prior: PriorAttempts | None = None,
    ) -> tuple[ResultT, int]:
        """Carry one request to its end; give its result and the number of attempts.

        With `patience` the request is one of a fan-out: waiting for its turn, being
        turned away, and reconciling are then no part of the time that the call may take.
        With `prior` attempts of unknown outcome it is reconciled first.

        Raises:
            APIError: it failed for good.
            ClientClosedError: the client was closed before or meanwhile.
            NotAttemptedError: the deadline of the fan-out came before its turn.
        """
        now = asyncio.get_running_loop().time
        call = Call(self._means, request, options, patience, prior, self.call, now)
        if prior is not None and prior.unknown_for is not None:
            call.inherit(prior.unknown_for)
        # In a fan-out the time of a call begins with its turn.
        limit = None if patience else options.timeout.total
        try:
            self._connections.sender()  # or why there is none, before any waiting
            with self._deadlines_here().after(limit) as call.deadline:
                result = await self._in_turn(call)
        except TimeoutError as error:
            raise (
                call.closed() if self.closed else call.deadline_exceeded()
            ) from error
        except (APIConnectionError, ClientClosedError) as error:
            if self.closed and call.has_begun:
                raise call.closed() from error
            raise
        return result, call.attempts

    @contextlib.asynccontextmanager
    async def exclusive(self, run_test_id: str | None) -> AsyncGenerator[None, None]:
        """Hold the lock of a run test against other exclusive operations."""
        await self._operation_locks.take(run_test_id)
        try:
            yield
        finally:
            self._operation_locks.give_back(run_test_id)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, so many seconds at most, and no longer than this is open."""
        limit = 0.0 if self.closed else seconds
        with (
            contextlib.suppress(TimeoutError),
            self._deadlines_here().after(limit),
        ):
            await event.wait()

    def _deadlines_here(self) -> TimeoutRegistry:
        loop = asyncio.get_running_loop()
        if self._deadlines is None or self._deadlines.loop is not loop:
            self._deadlines = TimeoutRegistry(loop)
        return self._deadlines

    async def _in_turn(self, call: Call) -> Any:
        """Carry on, with a write when no other is under way for its run test."""
        if call.request.idempotent:
            return await call.run()
        turns, run_test_id = self._turns, call.request.run_test_id
        if not turns.take_if_free(run_test_id):
            await turns.take(run_test_id)
        try:
            return await call.run()
        finally:
            turns.give_back(run_test_id)


_living: weakref.WeakSet[Transport] = weakref.WeakSet()


def _forget_all() -> None:
    for transport in list(_living):
        transport.forget()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_forget_all)
