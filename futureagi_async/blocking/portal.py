"""The thread that owns an event loop, and the way into it from other threads."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from concurrent.futures import CancelledError, Future, InvalidStateError
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
import attrs

from futureagi_async.errors import ClientClosedError, ConfigurationError, Delivery


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup


T = TypeVar("T")

_GRACE = 2.0
"""Seconds that an interrupted call, or the end of the program, waits for the thread."""


@attrs.frozen(eq=False)
class _Running:
    """What a started thread has to offer."""

    calls: TaskGroup
    """The calls under way."""
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    at_close: set[Callable[[], object]] = attrs.field(factory=set)
    """What calls under way want to be told when the client is closed."""
    entering: set[Call[Any]] = attrs.field(factory=set)
    """The calls that are on their way into the loop."""

    def tell(self, function: Callable[[], object]) -> bool:
        """Have a function called in the loop; give whether it is still there to do so."""
        try:
            self.loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True


@attrs.define(eq=False)
class _Thread:
    """A thread with a loop, from its start to its end."""

    thread: threading.Thread
    running: Future[_Running]

    @property
    def has_failed(self) -> bool:
        """Whether it could not even start."""
        return self.running.done() and self.running.exception() is not None

    def end(self) -> None:
        """Have it end as soon as it can."""
        self.running.add_done_callback(_end_running)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, unless it is this thread."""
        if self.thread is not threading.current_thread():
            self.thread.join(timeout)


def _end_running(running: Future[_Running]) -> None:
    if running.exception() is None:
        here = running.result()
        here.tell(here.stop.set)


def _run(
    prepare: Callable[[], object],
    close: Callable[[], Awaitable[None]],
    running: Future[_Running],
) -> None:
    async def serve() -> _Running:
        calls = anyio.create_task_group()
        here = _Running(calls, asyncio.get_running_loop(), asyncio.Event())
        async with calls:
            running.set_result(here)
            await here.stop.wait()
            # Calls on the wire end by this; those that wait for their caller by that.
            await close()
            for tell in tuple(here.at_close):
                tell()
        return here

    with contextlib.ExitStack() as stack:
        try:
            prepare()
            runner = stack.enter_context(asyncio.Runner())
        except Exception as error:  # noqa: BLE001 - raised in the calling thread
            running.set_exception(error)
            return
        here = runner.run(serve())
        # A call that comes in this moment is turned away, if only the loop turns.
        while here.entering:
            runner.run(asyncio.sleep(0))
    # So is one that came after the loop's last turn, and before it was closed.
    for call in tuple(here.entering):
        call.turn_away()


def nothing() -> None:
    """Do what is to be done where nothing is."""


class Portal:
    """Runs coroutine functions in a thread of its own, started when first needed.

    The thread lives until `close`, or until nobody holds the portal any more, or until
    the program ends. A forked child has no such thread and starts its own.

    Args:
        close: awaited in the thread before it ends.
        prepare: called in the thread before its loop runs.

    """

    def __init__(
        self,
        close: Callable[[], Awaitable[None]],
        prepare: Callable[[], object] = nothing,
    ) -> None:
        self._close = close
        self._prepare = prepare
        self._lock = threading.Lock()
        self._thread: _Thread | None = None
        self._finalizer: weakref.finalize[..., Portal] | None = None
        self._closed = False
        _portals.add(self)

    @property
    def closed(self) -> bool:
        """Whether it takes no more calls."""
        return self._closed

    def start(self) -> _Running:
        """Start the thread if it is not running.

        Raises:
            ClientClosedError: `close` was called.
            ConfigurationError: this is that thread.
            OSError: the machine has no room for another loop.

        """
        with self._lock:
            if self._closed:
                raise ClientClosedError
            thread = self._thread
            if thread is None or thread.has_failed:
                thread = self._start()
        if thread.thread is threading.current_thread():
            raise ConfigurationError(
                "a blocking call from the client's own thread would wait for itself; "
                "use AsyncFutureAGI in asynchronous code"
            )
        return thread.running.result()

    def _start(self) -> _Thread:
        running: Future[_Running] = Future()
        thread = threading.Thread(
            target=_run,
            args=(self._prepare, self._close, running),
            name="futureagi-async",
            daemon=True,
        )
        started = _Thread(thread, running)
        try:
            thread.start()
        except BaseException:  # Ctrl-C finds it half started
            started.end()
            raise
        self._thread = started
        self._finalizer = weakref.finalize(self, started.end)
        self._finalizer.atexit = False  # `_end_all` sees to it, and waits
        _threads.add(started)
        return started

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function to its end and give what it returns.

        When the waiting thread is interrupted, as by Ctrl-C, the coroutine is cancelled.
        """
        call = Call(self, function)
        try:
            call.begin()
            return call.result()
        finally:
            call.cancel()

    def close(self) -> None:
        """End the thread; calls under way end with `ClientClosedError`."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()
            thread.join()

    def forget(self) -> None:
        """Leave the thread to the process that this one was forked from."""
        self._lock = threading.Lock()
        if self._finalizer is not None:
            self._finalizer.detach()
            _inherited.append(self._thread)
        self._thread = self._finalizer = None


class Call(Generic[T]):
    """A coroutine function on its way through the portal's thread.

    It is made before it begins, so that whoever is interrupted while it begins has
    something to cancel.

    Args:
        portal: where it runs.
        function: called without arguments; what it gives is awaited.
        at_close: called in the loop when the client is closed during the call, where
            that alone would not end it.

    """

    def __init__(
        self,
        portal: Portal,
        function: Callable[[], Awaitable[T]],
        at_close: Callable[[], object] = nothing,
    ) -> None:
        self._portal = portal
        self._function = function
        self._at_close = at_close
        self._process = os.getpid()
        self._running: _Running | None = None
        self._future: Future[T] = Future()
        self._task: asyncio.Task[object] | None = None
        self._given_up = False

    def begin(self, at_end: Callable[[], object] = nothing) -> None:
        """Start it and come back at once.

        Args:
            at_end: called, in whatever thread, when it has ended.

        Raises:
            ClientClosedError: the client is closed.

        """
        running = self._running = self._portal.start()
        self._future.add_done_callback(lambda _: at_end())
        running.entering.add(self)
        # One hop into the loop: a portal of anyio would wait for the task to be there.
        if not running.tell(partial(self._enter, running)):
            running.entering.discard(self)
            self.turn_away()
            _leave_if_program_ends()
            raise ClientClosedError from None

    def _enter(self, running: _Running) -> None:
        running.entering.discard(self)
        try:
            running.calls.start_soon(self._run, running)
        except RuntimeError:  # it closed in this moment
            self.turn_away()

    def turn_away(self) -> None:
        """Have it fail, since it came too late; saying so twice is harmless."""
        with contextlib.suppress(InvalidStateError):
            self._future.set_exception(ClientClosedError())

    async def _run(self, running: _Running) -> None:
        """Carry the call, and what comes of it to whoever waits; it never raises."""
        self._task = asyncio.current_task()
        running.at_close.add(self._at_close)
        try:
            if self._given_up:
                self._future.cancel()
            else:
                self._future.set_result(await self._function())
        except asyncio.CancelledError:
            self._future.cancel()
        except BaseException as error:  # noqa: BLE001 - raised in the calling thread
            self._future.set_exception(error)
        finally:
            running.at_close.discard(self._at_close)

    def result(self) -> T:
        """Wait for it and give what it returned."""
        try:
            return self._future.result()
        except CancelledError:
            raise ClientClosedError(
                "the call was cancelled", delivery=Delivery.UNKNOWN
            ) from None
        except Exception:
            _leave_if_program_ends()
            raise

    def cancel(self) -> None:
        """Cancel it if it is under way, and wait until it has ended."""
        if self._future.done():
            return
        self._given_up = True
        if self.tell(self._cancel):
            with contextlib.suppress(CancelledError, TimeoutError):
                self._future.exception(_GRACE)

    def tell(self, function: Callable[[], object]) -> bool:
        """Have a function called in the loop; give whether that will be."""
        if self._running is None or self._process != os.getpid():
            return False  # not begun; or under way in the parent of this process
        return self._running.tell(function)

    def _cancel(self) -> None:
        if self._task is None:  # it will see that it is not wanted any more
            self._future.cancel()
        else:
            self._task.cancel()


_portals: weakref.WeakSet[Portal] = weakref.WeakSet()
_threads: weakref.WeakSet[_Thread] = weakref.WeakSet()
_inherited: list[_Thread | None] = []
_program_ends = threading.Event()


# The finalizers of others run at exit where the first of all was made: with this, after
# `_end_all`, and not before what the program itself wants to do at its end.
weakref.finalize(Portal, nothing)


@atexit.register
def _end_all() -> None:
    _program_ends.set()
    threads = list(_threads)
    for thread in threads:
        thread.end()
    for thread in threads:
        thread.join(_GRACE)


def _leave_if_program_ends() -> None:
    """Have a daemon thread go quietly when the program ends under it."""
    if _program_ends.is_set() and threading.current_thread().daemon:
        raise SystemExit


def _forget_all() -> None:
    for portal in list(_portals):
        portal.forget()
    _threads.clear()


with contextlib.suppress(AttributeError):  # Windows cannot fork
    os.register_at_fork(after_in_child=_forget_all)
