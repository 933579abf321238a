"""Between a calling thread and the loop of a portal: inputs go in, outcomes come out.

Iterables are read, and callbacks called, in the thread that makes the call: what runs in
them may block, and may belong to that thread, as database connections do.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from futureagi_async.blocking.portal import Call, nothing
from futureagi_async.errors import (
    ClientClosedError,
    FutureAGIError,
    InvalidRequestError,
)
from futureagi_async.model.outcome import BatchInterruptedError, Outcome
from futureagi_async.model.request import ResultT


if TYPE_CHECKING:
    from types import TracebackType

    from futureagi_async.batch.stream import Producer
    from futureagi_async.blocking.portal import Portal
    from futureagi_async.evaluation.report import (
        RunTestEvaluation,  # noqa: F401 - a base class below names it in quotes
    )


Item = TypeVar("Item")

_PORTION = 128
_PATIENCE = 0.005
"""Seconds that the calling thread reads on before it looks after outcomes again."""
_CLOSED = "the client was closed before the input was read to its end"


class Feed(AsyncIterator[Item], Generic[Item]):
    """An iterable of the calling thread that the loop reads.

    The loop asks for items by putting this into the inbox of the calling thread, which
    answers with `serve`. Each item can be used as soon as it is there.

    Args:
        items: what is read.
        inbox: where the calling thread waits.
        portion: how many items are read at a time, at most.

    """

    _loop: asyncio.AbstractEventLoop

    def __init__(
        self, items: Iterable[Item], inbox: queue.SimpleQueue[Any], portion: int
    ) -> None:
        self._items = iter(items)
        self._inbox = inbox
        self._portion = min(portion, _PORTION)
        self._ready: deque[Item] = deque()
        self._news = asyncio.Event()
        self._is_starved = False
        self._has_asked = False
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
            self._news.clear()
            self._is_starved = True
            self._ask()
            if not self._ready and not self._ended:
                await self._news.wait()
        return self._taken()

    def get_nowait(self, default: Any, /) -> Any:
        """Give the next item if it is there, or the default."""
        return self._taken() if self._ready else default

    def _taken(self) -> Item:
        item = self._ready.popleft()
        if len(self._ready) < self._portion // 2:
            self._ask()
        return item

    def _ask(self) -> None:
        if not self._has_asked and not self._ended:
            self._has_asked = True
            self._inbox.put(self)

    def serve(self) -> None:
        """Read a portion in the calling thread."""
        latest = time.monotonic() + _PATIENCE
        try:
            for _ in range(self._portion):
                self._ready.append(next(self._items))
                self._wake()
                if self._ended or time.monotonic() > latest:
                    break
        except StopIteration:
            self._ended = True
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            self._failure = error
            self._ended = True
        self._has_asked = False
        self._wake()

    def _wake(self) -> None:
        if self._is_starved:
            self._is_starved = False
            with contextlib.suppress(RuntimeError):  # closed: nobody reads on
                self._loop.call_soon_threadsafe(self._news.set)

    def end(self) -> None:
        """Give nothing more, for the client is closed; called in the loop."""
        if not self._ended:
            self._failure = ClientClosedError(_CLOSED)
            self._ended = True
        self._news.set()


class AsyncFeed(AsyncIterator[Item], Generic[Item]):
    """An asynchronous iterable, read in the loop, that need not be waited for."""

    def __init__(self, items: AsyncIterable[Item]) -> None:
        self._items = items
        self._waiting: asyncio.Timeout | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        self._iterator = aiter(self._items)
        return self

    async def __anext__(self) -> Item:
        if self._ended:
            raise ClientClosedError(_CLOSED)
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await anext(self._iterator)
        except TimeoutError:
            if self._ended:
                raise ClientClosedError(_CLOSED) from None
            raise
        finally:
            self._waiting = None

    def end(self) -> None:
        """Give nothing more, for the client is closed; called in the loop."""
        self._ended = True
        if self._waiting is not None:
            self._waiting.reschedule(0.0)


def feed(
    items: Any, inbox: queue.SimpleQueue[Any], portion: int
) -> Feed[Any] | AsyncFeed[Any]:
    """Have an iterable read in the calling thread, an asynchronous one in the loop."""
    if isinstance(items, AsyncIterable):
        return AsyncFeed(items)
    return Feed(items, inbox, portion)


def _result(call: Call[Any]) -> Any:
    """Give what a call returned; its input ends with the client by nobody's mistake."""
    try:
        return call.result()
    except FutureAGIError as error:
        cause, message = error.__cause__, str(error)
        if isinstance(cause, ClientClosedError) and cause.args == (_CLOSED,):
            error.args = (message[message.index(_CLOSED) :],)
        raise


def run_batch(
    portal: Portal,
    send_many: Callable[..., Any],
    requests: Any,
    max_concurrency: int,
    on_outcome: Callable[[Any], object] | None,
    *,
    interrupted: Callable[
        [Exception, Any], Exception
    ] = BatchInterruptedError.from_cause,
) -> Any:
    """Run a batch in the portal while serving its input and its callback from here.

    Args:
        portal: where it runs.
        send_many: runs it, given the input and a callback.
        requests: the input.
        max_concurrency: how many items are read at a time at most.
        on_outcome: called from here with whatever the batch calls its callback with.
        interrupted: makes the error for what the callback raised, with what the batch
            gave.

    Raises:
        BatchInterruptedError: the iterable or the callback raised.
    """
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    failures: list[Exception] = []

    def forward(outcome: Outcome[Any]) -> None:
        inbox.put(outcome)
        if failures:
            raise failures[0]

    # What is at hand needs no reading, and is all accounted for should the client close.
    source, at_close = requests, nothing
    if not isinstance(requests, list):
        source = feed(requests, inbox, max_concurrency)
        at_close = source.end
    forwarded = None if on_outcome is None else forward
    call = Call(portal, partial(send_many, source, forwarded), at_close)
    try:
        call.begin(partial(inbox.put, None))
        while (message := inbox.get()) is not None:
            if isinstance(message, Feed):
                message.serve()
            elif on_outcome is not None and not failures:
                try:
                    on_outcome(message)
                except Exception as error:  # noqa: BLE001 - told at the end
                    failures.append(error)
        batch = _result(call)
    finally:
        call.cancel()
    if failures:
        raise interrupted(failures[0], batch) from failures[0]
    return batch


class BlockingStream(Generic[Item]):
    """What comes of many things to do, as it comes.

    A context manager and iterator: leaving the block early cancels what is in flight.
    Only so much waits unread; then nothing more is begun until something is read.
    """

    def __init__(
        self,
        portal: Portal,
        flow: Producer[Item],
        source: Feed[Any] | AsyncFeed[Any],
        inbox: queue.SimpleQueue[Any],
        places: int,
    ) -> None:
        self._portal = portal
        self._flow = flow
        self._places = places
        self._source = source
        self._inbox = inbox
        self._call: Call[None] | None = None
        self._taken = 0
        self._ended = False

    def __enter__(self) -> Self:
        if self._call is not None:
            raise InvalidRequestError("a stream can be used once; make another")
        run = partial(self._flow.run, self._inbox.put)
        self._call = Call(self._portal, run, self._close)
        try:
            self._call.begin(partial(self._inbox.put, None))
        except BaseException:
            self._call.cancel()
            raise
        return self

    def _close(self) -> None:
        """End the input, and let what was read of it come to its end."""
        self._source.end()
        self._flow.release(2 * (self._places + _PORTION))  # nobody waits for room now

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        if self._call is None:
            raise InvalidRequestError(
                "a stream is used as: with client.stream(...) as outcomes"
            )
        while not self._ended:
            self._make_room(self._call)
            message = self._inbox.get()
            if isinstance(message, Feed):
                message.serve()
            elif message is not None:
                self._taken += 1
                item: Item = message
                return item
            else:
                self._ended = True
                _result(self._call)
        raise StopIteration

    def _make_room(self, call: Call[None]) -> None:
        """Tell the loop what was taken, but not for each outcome anew."""
        if self._taken and (self._inbox.empty() or self._taken >= _PORTION // 4):
            call.tell(partial(self._flow.release, self._taken))
            self._taken = 0

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
    """Outcomes as they come, in the order in which the requests end.

    A context manager and iterator: leaving the block early cancels what is in flight.
    At most `max_concurrency` outcomes wait unread; then nothing more is sent until one
    is read.
    """


class BlockingEvaluationStream(BlockingStream["RunTestEvaluation"]):
    """The ends of run tests as they come.

    A context manager and iterator: leaving the block early cancels what is in flight;
    what was started goes on at the service.
    """
