"""Requests in, outcomes out: batches and streams over one transport."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

import attrs

from futureagi_async.batch.alone import AnyResultT, Carrier, only_reading
from futureagi_async.batch.worker_pool import (
    FAILURES,
    CallerCodeError,
    WorkerPool,
    unless_cancelled,
)
from futureagi_async.errors import (
    APIError,
    ConfigurationError,
    Delivery,
    FutureAGIError,
    InvalidRequestError,
    JournalError,
    NotAttemptedError,
)
from futureagi_async.model.operation import Operation
from futureagi_async.model.outcome import (
    Batch,
    BatchInterruptedError,
    Failure,
    NotAttempted,
    Outcome,
    Success,
    succeeded,
)
from futureagi_async.model.reconciliation import Indeterminate
from futureagi_async.model.request import (
    InvalidItem,
    Request,
    Requests,
    ResultT,
)
from futureagi_async.model.validation import describe_type
from futureagi_async.transport.call import ThrottleBudget
from futureagi_async.transport.reconcile import reconcile_by_reading
from futureagi_async.transport.settings import (
    DEFAULT_MAX_CONCURRENCY,
    positive_int,
    positive_seconds,
)


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
    from datetime import timedelta
    from types import TracebackType

    from futureagi_async.batch.journaling import Recording
    from futureagi_async.journal.entry import JournalEntry
    from futureagi_async.model.reconciliation import Reconcilable, Reconciliation
    from futureagi_async.transport.call import Past
    from futureagi_async.transport.settings import Settings


ItemT = TypeVar("ItemT")
ItemT_co = TypeVar("ItemT_co", covariant=True)


def checked_concurrency(value: int | None, max_connections: int) -> int:
    """Reconcile how many requests are in flight at a time.

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


@attrs.frozen
class BatchConfig:
    """How a fan-out is to be carried out.

    Attributes:
        max_concurrency: how many requests are in flight at a time.
        timeout: seconds after which nothing more is begun.
        journal: where requests and outcomes are written.
    """

    max_concurrency: int
    timeout: float | None = None
    journal: str | os.PathLike[str] | None = None

    @property
    def workers(self) -> int:
        """How many requests are worked on: some in flight, some waiting for the disk."""
        return self.max_concurrency * (1 if self.journal is None else 2)

    @classmethod
    def of(
        cls,
        settings: Settings,
        max_concurrency: int | None,
        timeout: float | timedelta | None,
        journal: str | os.PathLike[str] | None,
    ) -> BatchConfig:
        """Check the options of a fan-out.

        Raises:
            ConfigurationError: one of them cannot work.
        """
        seconds = None if timeout is None else positive_seconds(timeout, "timeout")
        if journal is not None and not isinstance(journal, str | os.PathLike):
            raise ConfigurationError(
                f"journal: the path of a file is wanted, not {describe_type(journal)}"
            )
        concurrency = checked_concurrency(max_concurrency, settings.max_connections)
        return cls(concurrency, seconds, journal)


class BatchExecutor(Generic[ResultT]):
    """Turns each request of one fan-out into its outcome, until something stops it.

    It is the hands of the jobs among them.
    """

    def __init__(
        self,
        carrier: Carrier,
        options: BatchConfig,
        recording: Recording[ResultT] | None = None,
    ) -> None:
        deadline = options.timeout
        self._in_flight = asyncio.Semaphore(options.max_concurrency)
        self._transport = carrier.transport
        self._options = carrier.options
        self._recording = recording
        self._now = asyncio.get_running_loop().time
        self._began_at = now = self._now()
        self._patience = ThrottleBudget(
            now, None if deadline is None else now + deadline
        )
        self._stopped_by: FutureAGIError | None = None
        # Whether there is more to a request than sending it. If not, there is still to
        # those that stand where a request would, but to ask that of each is slow.
        self._looks_at_each = recording is not None or deadline is not None
        self._simply_sent: set[type[Request[ResultT]]] = set()

    def outcome(
        self, request: Request[ResultT]
    ) -> Coroutine[Any, Any, Outcome[ResultT]]:
        """Send one request; whatever happens is its outcome."""
        if self._looks_at_each or type(request) not in self._simply_sent:
            return self._looked_at(request)
        return self._send(request)

    async def _looked_at(self, request: Request[ResultT]) -> Outcome[ResultT]:
        if isinstance(request, InvalidItem):
            return Failure(request, request.error, attempts=0, elapsed=0.0)
        stop = self.stop_reason()
        if stop is not None:
            await asyncio.sleep(0)  # an input without end can still be cancelled
            return _not_attempted(request, stop)
        if isinstance(request, Operation):
            return await self._work(request)
        self._simply_sent.add(type(request))
        if self._recording is None:
            return await self._send(request)
        try:
            return await self._recording.outcome(
                request, self._in_flight, self._send_unless_stopped
            )
        except JournalError as error:
            self._stop(error)
            return Failure(request, error, attempts=0, elapsed=0.0)

    def _stop(self, error: FutureAGIError) -> None:
        """Begin nothing more."""
        self._stopped_by = error
        self._looks_at_each = True

    @property
    def deadline(self) -> float | None:
        """When nothing more is begun, by the clock of the loop."""
        return self._patience.deadline

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._transport.closed

    async def pause(self, seconds: float, interrupted: asyncio.Event) -> None:
        """Wait so many seconds, unless it is interrupted or the client is closed."""
        await self._transport.wait(interrupted, seconds)

    def stop_reason(self) -> str | None:
        """Say why nothing more is begun, if that is so."""
        if self._stopped_by is not None:
            return f"the batch was stopped by: {self._stopped_by}"
        ends = self._patience.deadline
        if ends is not None and self._now() >= ends:
            return "the deadline of the batch has passed"
        return None

    async def _work(self, job: Operation[ResultT]) -> Outcome[ResultT]:
        """Do a job; whatever happens is its outcome."""
        started = self._now()
        executor = _Hands(self)
        try:
            result = await self._transport.work(job, executor)
        except NotAttemptedError as error:
            if not executor.attempts:
                return NotAttempted(job, error)
            failure: FutureAGIError = error
        except FutureAGIError as error:
            failure = _without_frames(error)
        except FAILURES as error:
            failure = unforeseen(unless_cancelled(error), job)
        else:
            return Success(job, result, executor.attempts, self._now() - started)
        return Failure(job, failure, executor.attempts, self._now() - started)

    async def read(self, request: Request[AnyResultT], /) -> AnyResultT:
        """Send a request that is safe to repeat; see `Executor`."""
        result, _ = await self.read_in_time(request)
        return result

    async def read_in_time(
        self, request: Request[AnyResultT]
    ) -> tuple[AnyResultT, int]:
        """Read, no longer than to the deadline: what is cut off leaves nothing behind.

        Raises:
            NotAttemptedError: nothing more is begun, or the deadline has passed.
            FutureAGIError: it failed.
        """
        limit = asyncio.timeout_at(self._patience.deadline)
        try:
            async with limit:
                with only_reading():
                    return await self.carried(request)
        except TimeoutError:
            if not limit.expired():
                raise
            raise NotAttemptedError(
                "not read: the deadline of the batch has passed before the answer came"
            ) from None

    async def carried(self, request: Request[AnyResultT]) -> tuple[AnyResultT, int]:
        """Send a request that is part of something; give its result and the attempts.

        Raises:
            NotAttemptedError: nothing more is begun.
            FutureAGIError: it failed.
        """
        async with self._in_flight:
            stop = self.stop_reason()
            if stop is not None:
                raise _too_late(stop)
            try:
                return await self._transport.call(
                    request, self._options, self._patience
                )
            except FutureAGIError as error:
                if error.stops_batch:
                    self._stop(error)
                raise

    async def recorded(self, request: Request[Any]) -> tuple[Any, int]:
        """Send a part that the journal, if there is one, is to know of."""
        if self._recording is None:
            return await self.carried(request)
        try:
            outcome = await self._recording.outcome(
                request,
                self._in_flight,
                self._send_unless_stopped,
                repeats_failures=True,
            )
        except JournalError as error:
            self._stop(error)
            raise
        if isinstance(outcome, Success):
            return outcome.result, outcome.attempts
        raise outcome.error

    async def earlier(self, run_test_id: str) -> Sequence[JournalEntry]:
        """Give what the journal has of earlier fan-outs; see `Executor`."""
        if self._recording is None:
            return ()
        return await self._recording.earlier(run_test_id)

    async def look(self, request: Reconcilable[Any]) -> Reconciliation:
        """Find out what came of a request of an earlier fan-out; see `Executor`."""
        policy = self._options.retry
        if not policy.reconcile:
            return Indeterminate("it was not looked at, since reconciling is off")
        return await reconcile_by_reading(
            request,
            self.read,
            # Whoever sent it had lost the journal before this began.
            sent_at=self._began_at,
            reconcile_after=policy.reconcile_after,
            was_absent=False,
        )

    async def _send_unless_stopped(
        self, request: Request[ResultT], past: Past
    ) -> Outcome[ResultT]:
        """Send one of the requests whose intents are on disk, when it has its turn."""
        stop = self.stop_reason()
        if stop is not None:
            return _not_attempted(request, stop)
        return await self._send(request, past)

    async def _send(
        self, request: Request[ResultT], past: Past | None = None
    ) -> Outcome[ResultT]:
        started = self._now()
        try:
            result, attempts = await self._transport.call(
                request, self._options, self._patience, past
            )
        except NotAttemptedError as error:
            return NotAttempted(request, error)
        except FutureAGIError as error:
            failure = _without_frames(error)
        except FAILURES as error:
            failure = unforeseen(unless_cancelled(error), request)
        else:
            return succeeded(request, result, attempts, self._now() - started)
        if failure.stops_batch:
            self._stop(failure)
        attempts = failure.attempts if isinstance(failure, APIError) else 0
        return Failure(request, failure, attempts, self._now() - started)


class _Hands:
    """The hands of one job of a fan-out, which count what it sends."""

    def __init__(self, sending: BatchExecutor[Any]) -> None:
        self._sending = sending
        self.attempts = 0

    async def read(self, request: Request[AnyResultT], /) -> AnyResultT:
        return await self._counted(self._sending.read_in_time(request))

    async def write(self, request: Request[AnyResultT], /) -> AnyResultT:
        return await self._counted(self._sending.recorded(request))

    async def _counted(
        self, sent: Coroutine[Any, Any, tuple[AnyResultT, int]]
    ) -> AnyResultT:
        try:
            result, attempts = await sent
        except APIError as error:
            self.attempts += error.attempts
            raise
        self.attempts += attempts
        return result

    async def earlier(self, run_test_id: str, /) -> Sequence[JournalEntry]:
        return await self._sending.earlier(run_test_id)

    async def look(self, request: Reconcilable[Any], /) -> Reconciliation:
        return await self._sending.look(request)


def unforeseen(error: BaseException, request: Request[Any]) -> APIError:
    """Make an error of something that should not have been raised."""
    failure = APIError(
        f"{type(error).__name__}: {error}",
        delivery=Delivery.UNKNOWN,
        run_test_id=request.run_test_id,
    )
    failure.__cause__ = error
    return failure


def _too_late(stop: str) -> NotAttemptedError:
    return NotAttemptedError(f"not sent: {stop}")


def _not_attempted(request: Request[ResultT], stop: str) -> NotAttempted[ResultT]:
    return NotAttempted(request, _too_late(stop))


@contextlib.asynccontextmanager
async def open_sending(
    carrier: Carrier, options: BatchConfig
) -> AsyncGenerator[BatchExecutor[Any], None]:
    """Make ready for a fan-out: connections, and the journal if there is one."""
    await carrier.transport.open()
    if options.journal is None:
        yield BatchExecutor(carrier, options)
        return
    # Imported when it is used: the database takes its time.
    from futureagi_async.batch.journaling import Recording  # noqa: PLC0415

    async with Recording[Any].open(options.journal, carrier.settings) as recording:
        yield BatchExecutor(carrier, options, recording)


def _without_frames(error: FutureAGIError) -> FutureAGIError:
    """Drop the frames that an error holds on to: a batch may keep thousands."""
    earlier = error.earlier if isinstance(error, APIError) else ()
    for each in (error, *earlier):
        link: BaseException | None = each
        while link is not None:
            link.__traceback__ = None
            # What was raised "from None" has a context all the same.
            link = link.__cause__ or link.__context__
    return error


async def send_batch(
    carrier: Carrier,
    requests: Requests[ResultT],
    options: BatchConfig,
    on_outcome: Callable[[Outcome[ResultT]], object] | None,
) -> Batch[ResultT]:
    """Send every request, so many at a time; give the outcomes in input order."""
    outcomes: list[Any] = []

    def deliver(place: int, outcome: Outcome[ResultT]) -> None:
        while place >= len(outcomes):
            outcomes.append(None)  # for those that are still under way
        outcomes[place] = outcome
        if on_outcome is not None:
            on_outcome(outcome)

    async with open_sending(carrier, options) as sending:
        fan_out = WorkerPool(
            requests, sending.outcome, deliver, workers=options.workers
        )
        try:
            await fan_out.work()
        except CallerCodeError as stop:
            raise BatchInterruptedError.by(
                stop.__cause__, Batch(outcomes)
            ) from stop.__cause__
    return Batch(outcomes)


class OutcomeProducer(Generic[ResultT]):
    """Outcomes that are handed on as they come, as fast as somebody takes them.

    What is in flight and what waits to be taken share the same places, so that no more
    than `max_concurrency` outcomes can come to wait.
    """

    def __init__(
        self, carrier: Carrier, requests: Requests[ResultT], options: BatchConfig
    ) -> None:
        self._carrier = carrier
        self._requests = requests
        self._options = options
        self._free = asyncio.Semaphore(options.max_concurrency)

    async def run(self, deliver: Callable[[Outcome[ResultT]], object]) -> None:
        """Send every request and deliver its outcome.

        Raises:
            BatchInterruptedError: the iterable of requests raised.
        """
        async with open_sending(self._carrier, self._options) as sending:
            fan_out = WorkerPool(
                self._requests,
                sending.outcome,
                lambda _, outcome: deliver(outcome),
                workers=self._options.max_concurrency,
                admit=self._free.acquire,
            )
            try:
                await fan_out.work()
            except CallerCodeError as stop:
                raise BatchInterruptedError.by(
                    stop.__cause__, Batch()
                ) from stop.__cause__

    def taken(self, count: int = 1) -> None:
        """Make room: so many outcomes were taken."""
        for _ in range(count):
            self._free.release()


class Source(Protocol[ItemT_co]):
    """What a stream is read from."""

    async def run(self, deliver: Callable[[ItemT_co], object], /) -> None:
        """Do all there is to do, and deliver what comes of it."""
        ...

    def taken(self, count: int = 1, /) -> None:
        """Make room: so much of what was delivered was taken."""
        ...


class Stream(Generic[ItemT]):
    """What comes of many things to do, as it comes.

    An asynchronous context manager and iterator: leaving the block early cancels what
    is in flight. Only so much waits unread; then nothing more is begun until something
    is read.
    """

    def __init__(self, source: Source[ItemT]) -> None:
        self._source = source
        self._unread: deque[ItemT] = deque()
        self._news = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._left = False

    async def __aenter__(self) -> Self:
        if self._work is not None:
            raise InvalidRequestError("a stream can be used once; make another")
        self._work = asyncio.create_task(self._source.run(self._deliver))
        self._work.add_done_callback(lambda _: self._news.set())
        return self

    def _deliver(self, item: ItemT) -> None:
        self._unread.append(item)
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        if self._work is None:
            raise InvalidRequestError(
                "a stream is used as: async with client.stream(...) as outcomes"
            )
        while not self._unread:
            if self._left:
                raise StopAsyncIteration
            if self._work.done():
                await self._work  # raises what ended it, if anything did
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._source.taken()
        return self._unread.popleft()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left = True
        if self._work is not None:
            self._work.cancel()
            await _ended(self._work)


class OutcomeStream(Stream[Outcome[ResultT]], Generic[ResultT]):
    """Outcomes as they come, in the order in which the requests end.

    An asynchronous context manager and iterator: leaving the block early cancels what
    is in flight. At most `max_concurrency` outcomes wait unread; then nothing more is
    sent until one is read.
    """


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task that was cancelled, even while being cancelled oneself."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()  # it was raised to the reader, or nobody wanted to read on
    if cancelled is not None:
        raise cancelled
