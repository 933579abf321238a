"""Outcomes as they come, no faster than they are read."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from futureagi_async.batch.batch_executor import open_batch
from futureagi_async.batch.config import BatchConfig
from futureagi_async.batch.worker_pool import CallerCodeError, WorkerPool
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.outcome import Batch, BatchInterruptedError, Outcome
from futureagi_async.model.request import Requests, ResultT


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from futureagi_async.transport.call import RequestOptions
    from futureagi_async.transport.transport import Transport


ItemT = TypeVar("ItemT")
ItemT_co = TypeVar("ItemT_co", covariant=True)


class OutcomeProducer(Generic[ResultT]):
    """Outcomes that are handed on as they come, as fast as somebody takes them.

    What is in flight and what waits to be taken share the same places, so that no more
    than `max_concurrency` outcomes can come to wait.
    """

    def __init__(
        self,
        transport: Transport,
        options: RequestOptions,
        requests: Requests[ResultT],
        config: BatchConfig,
    ) -> None:
        self._transport = transport
        self._options = options
        self._requests = requests
        self._config = config
        self._free = asyncio.Semaphore(config.max_concurrency)

    async def run(self, deliver: Callable[[Outcome[ResultT]], object]) -> None:
        """Send every request and deliver its outcome.

        Raises:
            BatchInterruptedError: the iterable of requests raised.
        """
        async with open_batch(self._transport, self._options, self._config) as batch:
            pool = WorkerPool(
                self._requests,
                batch.execute,
                lambda _, outcome: deliver(outcome),
                workers=self._config.max_concurrency,
                acquire_slot=self._free.acquire,
            )
            try:
                await pool.run()
            except CallerCodeError as stop:
                raise BatchInterruptedError.from_cause(
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
