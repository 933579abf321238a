"""Outcomes as they come, no faster than they are read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from futureagi_async.batch.batch_executor import open_batch
from futureagi_async.batch.config import BatchConfig
from futureagi_async.batch.worker_pool import CallerCodeError, WorkerPool
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.outcome import Batch, BatchInterruptedError, Outcome
from futureagi_async.model.request import Requests, ResultT
from futureagi_async.transport.call import RequestOptions
from futureagi_async.transport.transport import Transport


ItemT = TypeVar("ItemT")
ItemT_co = TypeVar("ItemT_co", covariant=True)


class Producer(Protocol[ItemT_co]):
    """The source of a stream's items."""

    async def run(self, deliver: Callable[[ItemT_co], object], /) -> None:
        """Produce every item and deliver it."""
        ...

    def release(self, count: int = 1, /) -> None:
        """Free the slots of so many delivered items, which the consumer has read."""
        ...


class OutcomeProducer(Generic[ResultT]):
    """The outcomes of a batch, with back-pressure.

    An operation in progress and an outcome that waits to be read occupy the same slots,
    so that at most `max_concurrency` outcomes wait.
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
        self._slots = asyncio.Semaphore(config.max_concurrency)

    async def run(self, deliver: Callable[[Outcome[ResultT]], object]) -> None:
        """Run every operation and deliver its outcome.

        Raises:
            BatchInterruptedError: the iterable of requests raised.
        """
        async with open_batch(self._transport, self._options, self._config) as batch:
            pool = WorkerPool(
                self._requests,
                batch.execute,
                lambda _, outcome: deliver(outcome),
                workers=self._config.max_concurrency,
                acquire_slot=self._slots.acquire,
            )
            try:
                await pool.run()
            except CallerCodeError as stop:
                raise BatchInterruptedError.from_cause(
                    stop.__cause__, Batch()
                ) from stop.__cause__

    def release(self, count: int = 1) -> None:
        """Free the slots of so many outcomes, which the consumer has read."""
        for _ in range(count):
            self._slots.release()


class Stream(Generic[ItemT]):
    """The items of a producer, as they come.

    An asynchronous context manager and iterator: leaving the block early cancels what
    is in flight. A bounded number of items waits unread; then nothing more is started
    until one is read.
    """

    def __init__(self, producer: Producer[ItemT]) -> None:
        self._producer = producer
        self._buffer: deque[ItemT] = deque()
        self._wakeup = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._exited = False

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise InvalidRequestError("a stream can be used once; make another")
        self._task = asyncio.create_task(self._producer.run(self._deliver))
        self._task.add_done_callback(lambda _: self._wakeup.set())
        return self

    def _deliver(self, item: ItemT) -> None:
        self._buffer.append(item)
        self._wakeup.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        if self._task is None:
            raise InvalidRequestError(
                "a stream is used as: async with client.stream(...) as outcomes"
            )
        while not self._buffer:
            if self._exited:
                raise StopAsyncIteration
            if self._task.done():
                await self._task  # raises what ended it, if anything did
                raise StopAsyncIteration
            self._wakeup.clear()
            await self._wakeup.wait()
        self._producer.release()
        return self._buffer.popleft()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exited = True
        if self._task is not None:
            self._task.cancel()
            await _wait_for_cancelled(self._task)


class OutcomeStream(Stream[Outcome[ResultT]], Generic[ResultT]):
    """The outcomes of a batch as they come, in the order in which they are reached.

    An asynchronous context manager and iterator: leaving the block early cancels what
    is in flight. At most `max_concurrency` outcomes wait unread; then nothing more is
    sent until one is read.
    """


async def _wait_for_cancelled(task: asyncio.Task[None]) -> None:
    """Wait for a task that was cancelled, even while this one is being cancelled."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()  # it was raised to the reader, who may have left before
    if cancelled is not None:
        raise cancelled
