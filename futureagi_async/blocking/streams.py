"""Between a calling thread and the loop of a portal: inputs go in, outcomes come out.

Iterables are read, and callbacks called, in the thread that makes the call: their code
may block, and may belong to that thread, as database connections do.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Mapping,
)
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from futureagi_async import batch, evaluation
from futureagi_async.blocking.portal import Call, Portal, no_op
from futureagi_async.errors import (
    ClientClosedError,
    FutureAGIError,
    InvalidRequestError,
)
from futureagi_async.model.outcome import BatchInterruptedError, Outcome
from futureagi_async.model.request import ResultT


Item = TypeVar("Item")

_CHUNK_SIZE = 128
_READ_SLICE = 0.005
"""Seconds that the calling thread reads on before it handles outcomes again."""
_CLOSED = "the client was closed before the input was read to its end"


class InputPump(AsyncIterator[Item], Generic[Item]):
    """An iterable of the calling thread that the loop reads.

    The loop requests items by putting this into the inbox of the calling thread, which
    answers with `read_chunk`. Each item can be used as soon as it is there.

    Args:
        items: what is read.
        inbox: where the calling thread waits.
        chunk_size: how many items are read at a time, at most.
    """

    _loop: asyncio.AbstractEventLoop

    def __init__(
        self, items: Iterable[Item], inbox: queue.SimpleQueue[Any], chunk_size: int
    ) -> None:
        self._items = iter(items)
        self._inbox = inbox
        self._chunk_size = min(chunk_size, _CHUNK_SIZE)
        self._ready: deque[Item] = deque()
        self._wakeup = asyncio.Event()
        self._is_starved = False
        self._has_requested = False
        self._ended = False
        self._failure: Exception | None = None

    def __aiter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __anext__(self) -> Item:
        while not self._ready:
            # In this order: the last item is there before the end is.
            if self._ended and not self._ready:
                raise self._failure or StopAsyncIteration
            self._wakeup.clear()
            self._is_starved = True
            self._request_more()
            if not self._ready and not self._ended:
                await self._wakeup.wait()
        return self._pop()

    def _pop(self) -> Item:
        item = self._ready.popleft()
        if len(self._ready) < self._chunk_size // 2:
            self._request_more()
        return item

    def _request_more(self) -> None:
        if not self._has_requested and not self._ended:
            self._has_requested = True
            self._inbox.put(self)

    def read_chunk(self) -> None:
        """Read some items in the calling thread."""
        deadline = time.monotonic() + _READ_SLICE
        for _ in range(self._chunk_size):
            try:
                item = next(self._items)
            except StopIteration:
                self._ended = True
                break
            except Exception as error:  # noqa: BLE001 - raised again where it is read
                self._failure = error
                self._ended = True
                break
            self._ready.append(item)
            self._wake()
            if self._ended or time.monotonic() > deadline:
                break
        self._has_requested = False
        self._wake()

    def _wake(self) -> None:
        if not self._is_starved:
            return
        self._is_starved = False
        try:
            self._loop.call_soon_threadsafe(self._wakeup.set)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def close(self) -> None:
        """End the input, since the client is closed; called in the loop."""
        if not self._ended:
            self._failure = ClientClosedError(_CLOSED)
            self._ended = True
        self._wakeup.set()


class AsyncInputPump(AsyncIterator[Item], Generic[Item]):
    """Wraps an async iterable so that closing the client interrupts a pending read."""

    def __init__(self, items: AsyncIterable[Item]) -> None:
        self._items = items
        self._reading: asyncio.Timeout | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        self._iterator = aiter(self._items)
        return self

    async def __anext__(self) -> Item:
        if self._ended:
            raise ClientClosedError(_CLOSED)
        try:
            async with asyncio.timeout(None) as self._reading:
                return await anext(self._iterator)
        except TimeoutError:
            if self._ended:
                raise ClientClosedError(_CLOSED) from None
            raise
        finally:
            self._reading = None

    def close(self) -> None:
        """End the input, since the client is closed; called in the loop."""
        self._ended = True
        if self._reading is not None:
            self._reading.reschedule(0.0)


def pump_input(items: Any, inbox: queue.SimpleQueue[Any], chunk_size: int) -> Any:
    """Return an input that the loop can read: what may block is read by the caller."""
    if isinstance(items, AsyncIterable):
        return AsyncInputPump(items)
    if isinstance(items, Iterable) and not isinstance(items, Collection):
        return InputPump(items, inbox, chunk_size)
    return in_memory(items)


_BUILT_IN = (str, bytes, list, tuple, set, frozenset, dict)


def in_memory(value: Any) -> Any:
    """Return an iterable as a list or dict, read here: it may belong to this thread.

    What Python itself keeps in memory, and what is no iterable, is returned unchanged.
    """
    if isinstance(value, _BUILT_IN) or not isinstance(value, Iterable):
        return value
    return dict(value) if isinstance(value, Mapping) else list(value)


def closing(source: Any) -> Callable[[], object]:
    """Return what ends an input when the client is closed."""
    is_pump = isinstance(source, InputPump | AsyncInputPump)
    return source.close if is_pump else no_op


def _unwrap(call: Call[Any]) -> Any:
    """Return the result of a call; that the client was closed is no error of the input."""
    try:
        return call.result()
    except FutureAGIError as error:
        cause, message = error.__cause__, str(error)
        if isinstance(cause, ClientClosedError) and cause.args == (_CLOSED,):
            error.args = (message[message.index(_CLOSED) :],)
        raise


def run_batch(
    portal: Portal,
    start: Callable[[Callable[[Any], object] | None], Any],
    source: Any,
    inbox: queue.SimpleQueue[Any],
    callback: Callable[[Any], object] | None,
) -> Any:
    """Run a batch in the portal, and its input and callback in the calling thread.

    Args:
        portal: where it runs.
        start: returns the coroutine of the batch, which calls the given callback.
        source: the input, for the end of the client.
        inbox: receives requests for input, outcomes, and `None` at the end.
        callback: called with each outcome.

    Raises:
        BatchInterruptedError: the iterable or the callback raised.
    """
    failures: list[Exception] = []

    def enqueue(outcome: Any) -> None:
        inbox.put(outcome)
        if failures:
            raise failures[0]

    enqueued = None if callback is None else enqueue
    call = Call(portal, partial(start, enqueued), closing(source))
    try:
        call.start(partial(inbox.put, None))
        while (message := inbox.get()) is not None:
            if isinstance(message, InputPump):
                message.read_chunk()
            elif callback is not None and not failures:
                try:
                    callback(message)
                except Exception as error:  # noqa: BLE001 - raised at the end
                    failures.append(error)
        result = _unwrap(call)
    finally:
        call.cancel()
    if failures:
        raise _interrupted(failures[0], result) from failures[0]
    return result


def _interrupted(error: Exception, result: Any) -> Exception:
    """Return what a batch raises if the callback raised after its last outcome."""
    if isinstance(result, evaluation.report.EvaluationReport):
        return evaluation.report.EvaluationInterruptedError.by(error, result)
    return BatchInterruptedError.from_cause(error, result)


class BlockingStream(Generic[Item]):
    """Results of many operations, each when it is there.

    A context manager and iterator: leaving the block early cancels requests in flight.
    Only a bounded number waits unread; then nothing more is started until one is read.

    Args:
        portal: where the operations run.
        producer: runs them.
        source: the input.
        inbox: receives requests for input, results, and `None` at the end.
        concurrency: how many operations run at a time, at most.
    """

    def __init__(
        self,
        portal: Portal,
        producer: batch.stream.Producer[Item],
        source: Any,
        inbox: queue.SimpleQueue[Any],
        concurrency: int,
    ) -> None:
        self._portal = portal
        self._producer = producer
        self._source = source
        self._inbox = inbox
        self._concurrency = concurrency
        self._call: Call[None] | None = None
        self._unreleased = 0
        self._ended = False

    def __enter__(self) -> Self:
        if self._call is not None:
            raise InvalidRequestError("a stream can be used once; create another")
        run = partial(self._producer.run, self._inbox.put)
        self._call = Call(self._portal, run, self._on_close)
        try:
            self._call.start(partial(self._inbox.put, None))
        except BaseException:
            self._call.cancel()
            raise
        return self

    def _on_close(self) -> None:
        """End the input, and let no result wait for the reader."""
        closing(self._source)()
        is_sized = isinstance(self._source, Collection)
        unread = len(self._source) if is_sized else 2 * _CHUNK_SIZE
        # A slot for each item, and one for each worker to find that there are no more.
        self._producer.release(unread + 2 * self._concurrency)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        if self._call is None:
            raise InvalidRequestError(
                "a stream is used as: with client.stream(...) as outcomes"
            )
        while not self._ended:
            self._release(self._call)
            message = self._inbox.get()
            if isinstance(message, InputPump):
                message.read_chunk()
            elif message is not None:
                self._unreleased += 1
                item: Item = message
                return item
            else:
                self._ended = True
                _unwrap(self._call)
        raise StopIteration

    def _release(self, call: Call[None]) -> None:
        """Let the loop start more, but not with a hop for each result."""
        if self._unreleased and (
            self._inbox.empty() or self._unreleased >= _CHUNK_SIZE // 4
        ):
            call.call_soon(self._producer.release, self._unreleased)
            self._unreleased = 0

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended = True
        if self._call is not None:
            self._call.cancel()


class BlockingOutcomeStream(BlockingStream[Outcome[ResultT]], Generic[ResultT]):
    """Outcomes, each when it is there, in the order in which the requests end.

    A context manager and iterator: leaving the block early cancels requests in flight.
    At most `max_concurrency` outcomes wait unread; then nothing more is sent until one
    is read.
    """


class BlockingEvaluationStream(BlockingStream["evaluation.report.RunTestEvaluation"]):
    """Evaluations of run tests, each when it has ended.

    A context manager and iterator: leaving the block early cancels requests in flight;
    evaluations that were started go on at the service.
    """
