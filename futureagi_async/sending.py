"""Requests in, outcomes out: batches and streams over one transport."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self

from futureagi_async.config import DEFAULT_MAX_CONCURRENCY, positive_int
from futureagi_async.errors import (
    APIError,
    ConfigurationError,
    Delivery,
    FutureAGIError,
    InvalidRequestError,
    NotAttemptedError,
)
from futureagi_async.fanout import CallerError, FanOut
from futureagi_async.fields import kind
from futureagi_async.outcomes import (
    Batch,
    BatchInterruptedError,
    Failure,
    NotAttempted,
    Outcome,
    Success,
)
from futureagi_async.request import (
    RefusedItem,
    Request,
    Requests,
    ResultT,
    make_requests,
)
from futureagi_async.transport.call import CallOptions, Patience, Transport


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def checked_concurrency(value: int | None, max_connections: int) -> int:
    """Settle how many requests are in flight at a time.

    Raises:
        ConfigurationError: not a whole number from 1 to `max_connections`.

    """
    if value is None:
        return min(DEFAULT_MAX_CONCURRENCY, max_connections)
    positive_int(value, "max_concurrency")
    if value > max_connections:
        raise ConfigurationError(
            f"max_concurrency: {value} requests need as many connections, and the "
            f"client has {max_connections}; make it with max_connections={value}"
        )
    return value


def checked_callback(value: Any) -> Callable[[Any], object] | None:
    """Check `on_outcome`.

    Raises:
        InvalidRequestError: it cannot be called, or would have to be awaited.

    """
    if value is None or (callable(value) and not asyncio.iscoroutinefunction(value)):
        return value  # type: ignore[no-any-return]  # checked just now
    raise InvalidRequestError(
        "on_outcome: a plain function of one outcome is wanted; to await something for "
        "each outcome, use stream()"
    )


def checked_requests(requests: Any) -> Requests[Any]:
    """Let only requests through.

    Raises:
        InvalidRequestError: not an iterable, or a collection with something else in it.

    """
    return make_requests(requests, checked_request, "requests")


def checked_request(request: Any) -> Request[Any]:
    """Let only a request through.

    Raises:
        InvalidRequestError: it is none.

    """
    if isinstance(request, Request):
        return request
    raise InvalidRequestError(f"a request is wanted, not {kind(request)}")


class _Sending(Generic[ResultT]):
    """Turns each request of one fan-out into its outcome, until something stops it."""

    def __init__(self, transport: Transport, options: CallOptions) -> None:
        self._transport = transport
        self._options = options
        self._now = asyncio.get_running_loop().time
        self._patience = Patience(self._now())
        self._stopped_by: FutureAGIError | None = None

    async def outcome(self, request: Request[ResultT]) -> Outcome[ResultT]:
        """Send one request; whatever happens is its outcome."""
        if self._stopped_by is not None:
            await asyncio.sleep(0)  # an input without end can still be cancelled
            message = f"not sent, for the batch was stopped by: {self._stopped_by}"
            return NotAttempted(request, NotAttemptedError(message))
        if isinstance(request, RefusedItem):
            return Failure(request, request.error, attempts=0, elapsed=0.0)
        started = self._now()
        try:
            result, attempts = await self._transport.call(
                request, self._options, self._patience
            )
        except FutureAGIError as error:
            failure = _without_frames(error)
        except Exception as error:  # noqa: BLE001 - one item may not hurt another
            failure = APIError(
                f"{type(error).__name__}: {error}",
                delivery=Delivery.UNKNOWN,
                run_test_id=request.run_test_id,
            )
            failure.__cause__ = error
        else:
            return Success(request, result, attempts, self._now() - started)
        if failure.stops_batch:
            self._stopped_by = failure
        attempts = failure.attempts if isinstance(failure, APIError) else 0
        return Failure(request, failure, attempts, self._now() - started)


def _without_frames(error: FutureAGIError) -> FutureAGIError:
    """Drop the frames that an error holds on to: a batch may keep thousands."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__
    return error


async def send_batch(
    transport: Transport,
    options: CallOptions,
    requests: Requests[ResultT],
    *,
    max_concurrency: int,
    on_outcome: Callable[[Outcome[ResultT]], object] | None,
) -> Batch[ResultT]:
    """Send every request, so many at a time; give the outcomes in input order."""
    outcomes: list[Any] = []

    def deliver(place: int, outcome: Outcome[ResultT]) -> None:
        while len(outcomes) <= place:
            outcomes.append(None)
        outcomes[place] = outcome
        if on_outcome is not None:
            on_outcome(outcome)

    await transport.open()
    sending = _Sending[ResultT](transport, options)
    fan_out = FanOut(requests, sending.outcome, deliver, workers=max_concurrency)
    try:
        await fan_out.work()
    except CallerError as stop:
        raise _interrupted(stop, Batch(outcomes)) from stop.__cause__
    return Batch(outcomes)


def _interrupted(stop: CallerError, batch: Batch[Any]) -> BatchInterruptedError:
    cause = stop.__cause__
    return BatchInterruptedError(
        f"the iterable of requests or on_outcome raised {type(cause).__name__}: {cause}; "
        f"{stop.read} requests had been read, and were brought to their end",
        batch,
    )


class OutcomeStream(Generic[ResultT]):
    """Outcomes as they come, in the order in which the requests end.

    An asynchronous context manager and iterator: leaving the block early cancels what
    is in flight. At most `max_concurrency` outcomes wait unread; then nothing more is
    sent until one is read.
    """

    def __init__(
        self,
        transport: Transport,
        options: CallOptions,
        requests: Requests[ResultT],
        max_concurrency: int,
    ) -> None:
        self._transport = transport
        self._options = options
        self._requests = requests
        self._max_concurrency = max_concurrency
        self._unread: deque[Outcome[ResultT]] = deque()
        self._room = asyncio.Semaphore(max_concurrency)
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._transport.open()
        fan_out = FanOut(
            self._requests,
            _Sending[ResultT](self._transport, self._options).outcome,
            self._deliver,
            workers=self._max_concurrency,
            admit=self._room.acquire,
        )
        self._work = asyncio.create_task(fan_out.work())
        self._work.add_done_callback(lambda _: self._news.set())
        return self

    def _deliver(self, _: int, outcome: Outcome[ResultT]) -> None:
        self._unread.append(outcome)
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[ResultT]:
        if self._work is None:
            raise InvalidRequestError(
                "a stream is used as: async with stream as outcomes"
            )
        while not self._unread:
            if self._work.done():
                raise self._ending(self._work)
            self._news.clear()
            await self._news.wait()
        self._room.release()
        return self._unread.popleft()

    def _ending(self, work: asyncio.Task[None]) -> BaseException:
        stop = None if work.cancelled() else work.exception()
        if not isinstance(stop, CallerError):
            return stop or StopAsyncIteration()
        error = _interrupted(stop, Batch())
        error.__cause__ = stop.__cause__
        return error

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
