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
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from futureagi_async.errors import InvalidRequestError
from futureagi_async.outcomes import BatchInterruptedError
from futureagi_async.request import ResultT


if TYPE_CHECKING:
    from types import TracebackType

    from futureagi_async.outcomes import Batch, Outcome
    from futureagi_async.portal import Call, Portal
    from futureagi_async.sending import Flow


Item = TypeVar("Item")

_PORTION = 32
_GATHER = 0.005
"""Seconds for which items of a slow input are gathered before they are handed over."""


class Feed(AsyncIterator[Item], Generic[Item]):
    """An iterable of the calling thread that the loop reads in portions.

    It asks for a portion by putting itself into the inbox of the calling thread, which
    answers with `serve`.
    """

    def __init__(self, items: Iterable[Item], inbox: queue.SimpleQueue[Any]) -> None:
        self._items = iter(items)
        self._inbox = inbox
        self._loop: asyncio.AbstractEventLoop | None = None
        self._portion: deque[Item] = deque()
        self._arrived = asyncio.Event()
        self._has_asked = False
        self._ended = False
        self._failure: Exception | None = None

    async def __anext__(self) -> Item:
        while not self._portion:
            if self._ended:
                raise self._failure or StopAsyncIteration
            self._ask()
            self._arrived.clear()
            await self._arrived.wait()
        item = self._portion.popleft()
        if len(self._portion) < _PORTION // 2:
            self._ask()
        return item

    def _ask(self) -> None:
        if not self._has_asked and not self._ended:
            self._has_asked = True
            self._loop = asyncio.get_running_loop()
            self._inbox.put(self)

    def serve(self) -> None:
        """Read a portion in the calling thread and hand it to the loop."""
        portion: list[Item] = []
        ended, failure = False, None
        latest = time.monotonic() + _GATHER
        try:
            for item in self._items:
                portion.append(item)
                if len(portion) == _PORTION or time.monotonic() > latest:
                    break
            else:
                ended = True
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            ended, failure = True, error
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed: nobody reads on
                self._loop.call_soon_threadsafe(self._take, portion, ended, failure)

    def _take(
        self, portion: list[Item], ended: bool, failure: Exception | None
    ) -> None:
        self._portion.extend(portion)
        self._ended, self._failure = ended, failure
        self._has_asked = False
        self._arrived.set()


def feed(items: Any, inbox: queue.SimpleQueue[Any]) -> AsyncIterable[Any]:
    """Have an iterable read in the calling thread; an asynchronous one needs no such."""
    return items if isinstance(items, AsyncIterable) else Feed(items, inbox)


def run_batch(
    portal: Portal,
    send_many: Callable[..., Any],
    requests: Any,
    on_outcome: Callable[[Any], object] | None,
) -> Batch[Any]:
    """Run a batch in the portal while serving its input and its callback from here.

    Raises:
        BatchInterruptedError: the iterable or the callback raised.
    """
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    failures: list[Exception] = []

    def forward(outcome: Outcome[Any]) -> None:
        inbox.put(outcome)
        if failures:
            raise failures[0]

    call = portal.begin(
        send_many, feed(requests, inbox), None if on_outcome is None else forward
    )
    call.future.add_done_callback(lambda _: inbox.put(None))
    try:
        while (message := inbox.get()) is not None:
            if isinstance(message, Feed):
                message.serve()
            elif on_outcome is not None and not failures:
                try:
                    on_outcome(message)
                except Exception as error:  # noqa: BLE001 - told at the end
                    failures.append(error)
        batch: Batch[Any] = call.result()
    except BaseException:
        call.cancel()
        raise
    if failures:
        raise BatchInterruptedError.by(failures[0], batch) from failures[0]
    return batch


class BlockingOutcomeStream(Generic[ResultT]):
    """Outcomes as they come, in the order in which the requests end.

    A context manager and iterator: leaving the block early cancels what is in flight.
    At most `max_concurrency` outcomes wait unread; then nothing more is sent until one
    is read.
    """

    def __init__(
        self,
        portal: Portal,
        flow: Flow[ResultT],
        inbox: queue.SimpleQueue[Any],
    ) -> None:
        self._portal = portal
        self._flow = flow
        self._inbox = inbox
        self._call: Call[None] | None = None
        self._taken = 0
        self._ended = False

    def __enter__(self) -> Self:
        self._call = self._portal.begin(self._flow.run, self._inbox.put)
        self._call.future.add_done_callback(lambda _: self._inbox.put(None))
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Outcome[ResultT]:
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
                outcome: Outcome[ResultT] = message
                return outcome
            else:
                self._ended = True
                self._call.result()
        raise StopIteration

    def _make_room(self, call: Call[None]) -> None:
        """Tell the loop what was taken, but not for each outcome anew."""
        if self._taken and (self._inbox.empty() or self._taken >= _PORTION // 4):
            with contextlib.suppress(RuntimeError):  # closed: nothing waits for room
                call.loop.call_soon_threadsafe(self._flow.taken, self._taken)
            self._taken = 0

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._call is not None:
            self._ended = True
            self._call.cancel()
