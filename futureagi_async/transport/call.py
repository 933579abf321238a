"""One call: its deadline, its attempts, and what is known when it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
import uuid
import weakref
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.errors import (
    AnsweredError,
    APIConnectionError,
    APIError,
    APITimeoutError,
    ClientClosedError,
    DeadlineExceededError,
    Delivery,
)
from futureagi_async.transport import retry
from futureagi_async.transport.answers import read_answer
from futureagi_async.transport.connections import Connections
from futureagi_async.transport.sender import Attempt
from futureagi_async.transport.turns import Turns


if TYPE_CHECKING:
    from collections.abc import Callable

    from futureagi_async.config import RetryPolicy, Timeout
    from futureagi_async.request import Request, ResultT
    from futureagi_async.transport.sender import Sender


logger = logging.getLogger("futureagi_async")

PATIENCE = 600.0
"""Seconds for which a fan-out bears being turned away without any other answer."""


@attrs.define(eq=False)
class Patience:
    """How long the requests of one fan-out go on when they are turned away.

    A limit on requests a minute turns away most of a large fan-out most of the time, so
    being turned away is no failure as long as others get through.
    """

    last_answer: float
    """When a request of the fan-out was last answered otherwise, in loop time."""


@attrs.frozen
class CallOptions:
    """What `with_options` can change."""

    timeout: Timeout
    retry: RetryPolicy


@attrs.define(eq=False)
class _Call:
    """Where one call stands."""

    request: Request[Any]
    options: CallOptions
    patience: Patience | None
    attempt: Attempt | None = None
    """The last attempt, under way or ended."""
    delivery: Delivery = Delivery.NOT_SENT
    """What the last attempt that ended left behind."""
    attempts: int = 0
    counted: int = 0
    """Those of them that `max_attempts` counts."""
    price: int = 1
    """What a success gives back to the retry quota."""
    repeated: int = 0
    """Failures so far; the waits grow with it."""
    earlier: list[APIError] = attrs.field(factory=list)

    @property
    def in_doubt(self) -> bool:
        """Whether an attempt that was repeated may have done the work."""
        return any(each.delivery is Delivery.UNKNOWN for each in self.earlier)

    def complete(self, error: APIError) -> APIError:
        """Write into the error that ends the call what the call knows."""
        error.run_test_id = self.request.run_test_id
        error.attempts = self.attempts
        error.earlier = tuple(self.earlier)
        if self.attempt is not None:
            error.request_id = self.attempt.request_id
        if self.in_doubt:
            error.delivery = Delivery.UNKNOWN
        return error

    def deadline_exceeded(self) -> APIError:
        """Make the error of a call whose time is over."""
        total = self.options.timeout.total
        message = f"not done within {total:g} s, the deadline of the call"
        return self.complete(DeadlineExceededError(message, delivery=self._cut_short()))

    def closed(self) -> ClientClosedError:
        """Make the error of a call during which the client was closed."""
        delivery = Delivery.UNKNOWN if self.in_doubt else self._cut_short()
        message = "the client was closed during the call"
        if delivery is Delivery.UNKNOWN:
            message += "; the work may have been done"
        return ClientClosedError(message, delivery=delivery)

    def _cut_short(self) -> Delivery:
        """Tell the delivery of the last attempt where no error tells it."""
        if self.attempt is None or not self.attempt.under_way:
            return self.delivery
        return Delivery.UNKNOWN if self.attempt.handed_over else Delivery.NOT_SENT


class Transport:
    """Carries requests to their end, for a client and all copies of it."""

    def __init__(
        self,
        open_sender: Callable[[], Sender],
        *,
        random: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._connections = Connections(open_sender)
        self._turns = Turns()
        self._under_way: set[asyncio.Timeout] = set()
        self._quota = retry.RetryQuota()
        self._random = random
        self._wall_clock = wall_clock
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
        self._under_way = set()
        self._connections.forget()

    async def call(
        self,
        request: Request[ResultT],
        options: CallOptions,
        patience: Patience | None = None,
    ) -> tuple[ResultT, int]:
        """Carry one request to its end; give its result and the number of attempts.

        With `patience` the request is one of a fan-out: waiting for its turn and being
        turned away are then no part of the time that the call may take.

        Raises:
            APIError: it failed for good.
            ClientClosedError: the client was closed before or meanwhile.
        """
        call = _Call(request, options, patience)
        first_limit = None if patience else options.timeout.total
        try:
            async with asyncio.timeout(first_limit) as deadline:
                self._under_way.add(deadline)
                try:
                    result = await self._in_turn(call, deadline)
                finally:
                    self._under_way.discard(deadline)
        except TimeoutError as error:
            if self.closed:
                raise call.closed() from error
            raise call.deadline_exceeded() from error
        except (APIConnectionError, ClientClosedError) as error:
            if self.closed and call.attempts:
                raise call.closed() from error
            raise
        return result, call.attempts

    async def _in_turn(self, call: _Call, deadline: asyncio.Timeout) -> Any:
        if call.request.safe_to_repeat:
            return await self._until_done(call, deadline)
        turns, run_test_id = self._turns, call.request.run_test_id
        await turns.take(run_test_id)
        try:
            return await self._until_done(call, deadline)
        finally:
            turns.give_back(run_test_id)

    async def _until_done(self, call: _Call, deadline: asyncio.Timeout) -> Any:
        now = asyncio.get_running_loop().time
        if call.patience and call.options.timeout.total is not None:
            deadline.reschedule(now() + call.options.timeout.total)
        while True:
            started = now()
            try:
                result = await self._attempt(call)
            except APIError as error:
                wait = None
                if not self.closed:
                    wait = self._wait_after(call, error, now() - started, deadline)
                if wait is None:
                    raise call.complete(error)  # noqa: B904 - it is the same error
                logger.debug("trying again in %.3f s: %s", wait, error)
            else:
                self._quota.give_back(call.price)
                if call.patience:
                    call.patience.last_answer = now()
                return result
            await asyncio.sleep(wait)

    async def _attempt(self, call: _Call) -> Any:
        sender = await self._connections.sender()
        request = call.request
        attempt = call.attempt = Attempt(
            request.method,
            request.path,
            request.body,
            call.options.timeout,
            str(uuid.uuid4()),
        )
        call.attempts += 1
        loop = asyncio.get_running_loop()
        started = loop.time()
        status: int | None = None
        try:
            answer = await sender.send(attempt)
            status = answer.status
            return read_answer(request, answer, self._wall_clock())
        except APIError as error:
            attempt.under_way = False
            call.delivery = error.delivery
            raise
        finally:
            if logger.isEnabledFor(logging.DEBUG):
                _log(call, attempt, status, loop.time() - started)

    def _wait_after(
        self, call: _Call, error: APIError, took: float, deadline: asyncio.Timeout
    ) -> float | None:
        """Seconds from a failed attempt to the next; `None` if there is to be none."""
        now = asyncio.get_running_loop().time()
        policy, patience = call.options.retry, call.patience
        reason = retry.reason_to_repeat(
            error, repeat_unknown=call.request.safe_to_repeat or policy.retry_unknown
        )
        wait = retry.wait_before(call.repeated, error.retry_after, self._random)
        call.repeated += 1
        ends = deadline.when()
        if patience and reason is retry.Reason.THROTTLED:
            if now + wait > patience.last_answer + PATIENCE:
                return None
            if ends is not None:
                deadline.reschedule(ends + took + wait)
            return wait
        if patience and isinstance(error, AnsweredError):
            patience.last_answer = now
        call.counted += 1
        is_last = call.counted >= policy.max_attempts
        is_too_late = ends is not None and now + wait >= ends
        if reason is None or is_last or is_too_late:
            return None
        price = self._quota.take(timeout=isinstance(error, APITimeoutError))
        if price is None:
            return None
        call.price = price
        # Without its traceback: that holds this call, and the call holds the error.
        call.earlier.append(error.with_traceback(None))
        return wait


_living: weakref.WeakSet[Transport] = weakref.WeakSet()


def _forget_all() -> None:
    for transport in list(_living):
        transport.forget()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_forget_all)


def _log(call: _Call, attempt: Attempt, status: int | None, elapsed: float) -> None:
    logger.debug(
        "%s %s: %s after %.3f s (attempt %d, request id %s)",
        attempt.method,
        attempt.path,
        status or "no answer",
        elapsed,
        call.attempts,
        attempt.request_id,
        extra={
            "http_method": attempt.method,
            "http_path": attempt.path,
            "http_status": status,
            "attempt": call.attempts,
            "elapsed": elapsed,
            "request_id": attempt.request_id,
            "run_test_id": call.request.run_test_id,
        },
    )
