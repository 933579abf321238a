"""The transport of a client and its copies: it carries requests until their results."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import time
import weakref
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.errors import (
    APIConnectionError,
    ClientClosedError,
    ConfigurationError,
)
from futureagi_async.transport.call import Call, SharedState
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


@attrs.define(eq=False, repr=False)
class LoopResources:
    """Connections, locks and timeouts in one event loop of one process."""

    loop: asyncio.AbstractEventLoop
    pid: int
    backend: HTTPBackend
    lifetime: AsyncGenerator[None, None]
    """Closes the connections when it is closed."""
    timeouts: TimeoutRegistry
    run_test_locks: KeyedLock = attrs.field(factory=KeyedLock)
    operation_locks: KeyedLock = attrs.field(factory=KeyedLock)


class Transport:
    """The transport of the requests of a client and its copies.

    Its connections are opened in the event loop and process that first use them, and
    closed by `aclose`, with the loop, or when the transport is forgotten. A loop that
    was closed can be followed by another one, and a forked child has its own.
    """

    def __init__(
        self,
        open_backend: Callable[[], HTTPBackend],
        *,
        rate_limit: RateLimit | None = None,
        random: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._open_backend = open_backend
        self._resources: LoopResources | None = None
        self._finalizer: Callable[[], object]
        self._shared = SharedState(
            RateLimiter(rate_limit), RetryQuota(), random, wall_clock
        )

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._shared.closed

    async def open(self) -> None:
        """Open the connections, or raise why that is impossible."""
        self._here()

    async def aclose(self) -> None:
        """Close for good; calls in progress fail with `ClientClosedError`.

        They do so wherever they are: connecting, on the wire, between two attempts, or
        waiting for a lock or a slot.
        """
        self._shared.closed = True
        resources = self._resources
        if resources is None or resources.pid != os.getpid():
            return
        resources.timeouts.expire_all()
        if resources.loop is asyncio.get_running_loop():
            self._resources = None
            await resources.lifetime.aclose()

    async def call(
        self,
        request: Request[ResultT],
        options: RequestOptions,
        throttle: ThrottleBudget | None = None,
        prior: PriorAttempts | None = None,
        rank: int = 0,
    ) -> tuple[ResultT, int]:
        """Return the result of a request and its number of attempts.

        With `throttle` the request is one of a batch: waiting for a lock, throttling,
        and reconciling are then no part of the time that the call may take. With
        `prior` attempts of unknown outcome it is reconciled first. What waits for the
        rate limiter is sent by its `rank`, the lowest first.

        Raises:
            APIError: it failed for good.
            ClientClosedError: the client was closed before or meanwhile.
            NotAttemptedError: the deadline of the batch came before it was sent.
        """
        now = asyncio.get_running_loop().time
        call = Call(
            self._shared, request, options, throttle, prior, self.call, now, rank
        )
        if prior is not None and prior.unknown_for is not None:
            call.continue_from(prior.unknown_for)
        # In a batch the time of a call starts when it has its lock.
        limit = None if throttle else options.timeout.total
        try:
            call.resources = resources = self._here()
            with resources.timeouts.after(limit) as call.deadline:
                result = await _run_locked(call, resources.run_test_locks)
        except TimeoutError as error:
            raise (
                call.closed() if self.closed else call.deadline_exceeded()
            ) from error
        except (APIConnectionError, ClientClosedError) as error:
            if self.closed and call.may_have_been_sent:
                raise call.closed() from error
            raise
        return result, call.attempts

    @contextlib.asynccontextmanager
    async def exclusive(self, run_test_id: str | None) -> AsyncGenerator[None, None]:
        """Hold the lock of a run test against other exclusive operations."""
        locks = self._here().operation_locks
        await locks.acquire(run_test_id)
        try:
            yield
        finally:
            locks.release(run_test_id)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, or until `seconds` have passed or the client is closed."""
        if self.closed:
            await asyncio.sleep(0)
            return
        with (
            contextlib.suppress(TimeoutError),
            self._here().timeouts.after(seconds),
        ):
            await event.wait()

    def _here(self) -> LoopResources:
        """Return the resources of the running event loop, opening them if necessary.

        Raises:
            ClientClosedError: `aclose` was called.
            ConfigurationError: another loop, which is not closed, has the connections.
        """
        if self.closed:
            raise ClientClosedError
        loop, pid, resources = asyncio.get_running_loop(), os.getpid(), self._resources
        if resources is not None:
            is_forked = resources.pid != pid
            if resources.loop is loop and not is_forked:
                return resources
            if not (resources.loop.is_closed() or is_forked):
                raise ConfigurationError(
                    "the client belongs to another event loop that is still alive; "
                    "make a client for each loop, or use FutureAGI in threads"
                )
            self._finalizer()
        backend = self._open_backend()
        self._resources = resources = LoopResources(
            loop, pid, backend, _lifetime(backend, pid), TimeoutRegistry(loop)
        )
        with contextlib.suppress(StopIteration):  # at its first yield
            anext(resources.lifetime).send(None)
        self._finalizer = weakref.finalize(self, _release, resources)
        return resources


async def _run_locked(call: Call, locks: KeyedLock) -> Any:
    """Run a call, a write only while no other write to its run test is in progress.

    One that names no run test waits for writes to the same path.
    """
    if call.request.idempotent:
        return await call.run()
    key = call.request.run_test_id or call.request.path
    await locks.acquire(key)
    try:
        return await call.run()
    finally:
        locks.release(key)


async def _lifetime(backend: HTTPBackend, pid: int) -> AsyncGenerator[None, None]:
    """Close the connections at the end: a loop that ends closes its generators."""
    try:
        yield
    finally:
        if pid == os.getpid():
            await backend.aclose()


def _release(resources: LoopResources) -> None:
    """Release the connections of a forgotten transport, or of an earlier loop."""
    if resources.pid != os.getpid():
        resources.backend.detach()
        # Leaked for good, since they are the parent's: whatever else could hold them is
        # cleared when the process exits, and then asyncio warns of unclosed sockets.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(resources))
    elif resources.loop.is_running():
        resources.loop.call_soon_threadsafe(
            lambda: resources.loop.create_task(resources.lifetime.aclose())
        )
    else:
        resources.backend.detach()
        # Without this asyncio would complain of a generator that it cannot close.
        with contextlib.suppress(StopIteration, RuntimeError):  # closed, or about to be
            resources.lifetime.aclose().send(None)
